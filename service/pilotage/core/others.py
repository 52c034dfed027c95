"""`pilotage/ready` on everybody else's pull requests into the branch.

A pull request that edits no promoted file is none of our business, and says so at once. One that
does is judged by the same policy as ours.
"""

from __future__ import annotations

from dataclasses import replace

from pilotage.core.change import ServiceChange
from pilotage.core.config.policy import Mode
from pilotage.core.decision import Draft
from pilotage.core.forge import READY, Status, StatusState
from pilotage.core.model import Sha
from pilotage.core.outputs import Outputs
from pilotage.core.proof import in_quarantine, obstacle
from pilotage.core.prose import clipped
from pilotage.core.snapshot import Known, OtherPullRequest
from pilotage.core.version_rules import is_older


def others(draft: Draft) -> None:
    if draft.seen.policy.pipeline.mode is Mode.OBSERVE:
        return
    judged, own_head = dict(draft.target.ready_for), _own_head(draft)
    for other in draft.seen.others:
        brief = other.brief
        if brief.head == own_head:
            continue  # a status belongs to the commit: that of our pull request asks for more
        status = _status(draft, other)
        statuses = {(brief.head, READY): status}
        for queued in draft.seen.queued:
            if queued.pull_request == brief.number:
                statuses[queued.sha, READY] = status
        draft.outputs.append(Outputs(promotion="", pull_request=brief.number, statuses=statuses))
        if not other.changes:
            judged[brief.number] = brief.head
    newest = dict(sorted(judged.items())[-500:])
    draft.target = replace(draft.target, ready_for=newest)


def _own_head(draft: Draft) -> Sha | None:
    match draft.seen.pull_request:
        case Known(value=pull_request) if pull_request.open:
            return pull_request.head
        case _:
            return None


def _status(draft: Draft, other: OtherPullRequest) -> Status:
    if other.refusal is not None:
        return Status(StatusState.FAILURE, clipped(other.refusal))
    if not other.changes:
        return Status(StatusState.SUCCESS, "no promoted value touched")
    target = draft.target
    if target.pause is not None:
        return Status(StatusState.FAILURE, clipped(f"paused: {target.pause.reason}"))
    if draft.release is not None:
        doing = draft.release.state.words
        return Status(
            StatusState.PENDING, clipped(f"{target.environment} is {doing} {draft.release.id}")
        )
    for change in other.changes:
        problem = _problem(draft, change)
        if problem is not None:
            return Status(StatusState.PENDING, clipped(problem))
    return Status(StatusState.SUCCESS, "every value is proven, or ran here before")


def _problem(draft: Draft, change: ServiceChange) -> str | None:
    """Going back is always allowed; forward needs the proof that ours would need."""
    if change.before == change.after:
        return None
    if is_older(change, draft.seen.policy):
        return None
    found = in_quarantine(change, draft.target)
    if found is None and change.after in draft.target.history.get(change.service, ()):
        return None
    if found is None and change.service in draft.seen.plan.only_in_source:
        name = change.service
        return f"{name} is new: let it in first, by /pilotage add {name} or pilotage promote"
    found = found or obstacle(change, draft.seen.policy, draft.target)
    return found.reason if found is not None else None
