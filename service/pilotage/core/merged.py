"""The moment of the merge: from a pull request to something that is watched.

What was promoted is read from the merge, not from the plan: the values in its tree, against those
in its first parent.
"""

from __future__ import annotations

from dataclasses import replace

from pilotage.core import prose
from pilotage.core.change import ServiceChange
from pilotage.core.config.policy import OutsideGate
from pilotage.core.decision import Draft, EventKind
from pilotage.core.discovery.names import pinned
from pilotage.core.forge import PullRequest
from pilotage.core.model import (
    Merge,
    MergeMethod,
    Origin,
    Outcome,
    Promotion,
    Revert,
    State,
    Subject,
)
from pilotage.core.outputs import Outputs
from pilotage.core.proposal_page import superseded_outputs
from pilotage.core.release_page import merged_word
from pilotage.core.snapshot import Known, MergeSeen, Unknown, Written


def merged(draft: Draft, promotion: Promotion) -> None:
    """Whoever merged it, and even past a closed gate."""
    match draft.seen.merged:
        case None:
            draft.explain("merge", "the merge commit has not been read yet")
            draft.wake(draft.now + draft.seen.rhythm.look)
        case Unknown(reason=reason, until=until):
            draft.explain("merge", f"the merge commit cannot be read: {reason}")
            draft.wake(until or draft.now + draft.seen.rhythm.look)
        case Known(value=found):
            _take_over(draft, promotion, found)


def merged_elsewhere(draft: Draft, promotion: Promotion, pull_request: PullRequest) -> None:
    """A person had given it another base: nothing of it is on the branch that is watched."""
    by, into = pull_request.merged_by or "somebody", pull_request.base_branch
    conclusion = f"merged by {by} into {into}, not {draft.seen.base_branch}: nothing is released"
    ended = replace(promotion, state=State.SUPERSEDED, ended_at=draft.now, conclusion=conclusion)
    draft.end(ended, by)
    draft.propose(None)
    draft.outputs.append(superseded_outputs(ended, draft.now))
    draft.wake(draft.now)


def _take_over(draft: Draft, promotion: Promotion, found: MergeSeen) -> None:
    if draft.release is not None:
        other = draft.release.id
        draft.explain("merge", f"merged while {other} is not decided; watched after it")
        _say(draft, promotion, found.merge, f"{other} is not decided, so it is watched after that")
        return
    merge = replace(found.merge, outside_gate=promotion.ready or _not_judged(promotion, found))
    text = f"merged by {merge.by} as {merge.sha[:7]} ({merge.method.value})"
    if not found.changes:
        ended = replace(
            promotion,
            state=State.SUPERSEDED,
            merge=merge,
            ended_at=draft.now,
            conclusion=f"{text}; it changed no promoted value",
        )
        draft.end(ended, merge.by)
        draft.propose(None)
        _say(draft, promotion, merge, "it changed no promoted value")
        return
    release = started(replace(promotion, changes=found.changes), merge)
    release = pinned(release, draft.seen.found_in_target)
    draft.tell(EventKind.MERGED, text, promotion=release, by=merge.by, commit=merge.sha)
    draft.propose(None)
    draft.follow(_judged_gate(draft, release, merge))
    draft.target = draft.target.with_landed(merge.sha)
    draft.wake(draft.now)


def _not_judged(promotion: Promotion, found: MergeSeen) -> str | None:
    """What somebody added between the last look at the gates and the merge."""
    judged = promotion.versions
    added = [each for each in found.changes if (each.service, each.after) not in judged]
    return f"{prose.list_changes(added)} was not in the set that was judged" if added else None


def _say(draft: Draft, promotion: Promotion, merge: Merge, text: str) -> None:
    word = merged_word(merge, text)
    draft.outputs.append(Outputs(promotion.id, promotion.pull_request, last_word=word))


def started(promotion: Promotion, merge: Merge) -> Promotion:
    """The release. Git may have known of the merge before GitHub told it: then the proposal was
    about to be closed, because nothing was left to change."""
    return replace(
        promotion,
        state=State.ROLLING_OUT,
        merge=merge,
        waiting=(),
        hold=None,
        ended_at=None,
        conclusion="",
        outcomes=dict.fromkeys(promotion.services, Outcome.ROLLING_OUT),
    )


def _judged_gate(draft: Draft, release: Promotion, merge: Merge) -> Promotion:
    if merge.outside_gate is None:
        return release
    text = f"{merge.by} merged past a closed gate: {merge.outside_gate}"
    draft.tell(EventKind.OUTSIDE_GATE, text, promotion=release, by=merge.by)
    policy = draft.seen.policy
    title = f"{release.id} was merged past a closed gate"
    draft.notify(release, policy, "outside_gate", title, text, key="outside-gate")
    match policy.environment.outside_gate:
        case OutsideGate.NOTE:
            return release
        case OutsideGate.HOLD:
            return release.held(Subject.OUTSIDE_GATE, text, draft.now)
        case OutsideGate.REVERT:
            return put_back(draft, release, release.services, text)


def put_back(
    draft: Draft, release: Promotion, services: tuple[str, ...], reason: str, by: str = "pilotage"
) -> Promotion:
    """The promotion with one more putting-back to be done; how is decided where it is done."""
    revert = Revert(services, reason, by, draft.now)
    outcomes = {**release.outcomes, **dict.fromkeys(services, Outcome.REVERTING)}
    reasons = {**release.reasons}
    for service in services:
        reasons.setdefault(service, reason)
    draft.tell(
        EventKind.REVERTING,
        f"putting back {', '.join(services)}: {reason}",
        promotion=release,
        by=by,
    )
    return replace(
        release,
        state=State.REVERTING,
        outcomes=outcomes,
        reasons=reasons,
        reverts=(*release.reverts, revert),
    )


def released_by_person(draft: Draft, changes: tuple[ServiceChange, ...], written: Written) -> None:
    """What a person wrote to the branch is watched like a promotion, and never put back."""
    target = draft.target
    proposed = target.proposal.number if target.proposal is not None else 0
    number = max(target.last_number, proposed) + 1
    promotion = Promotion(
        id=f"{target.pipeline}-{target.environment}-{number}",
        target=target.id,
        number=number,
        state=State.ROLLING_OUT,
        created_at=draft.now,
        changes=changes,
        source_commit=written.sha,
        base=written.parent,
        run=written.sha[:7],
        origin=Origin.PERSON,
    )
    merge = Merge(written.sha, written.parent, MergeMethod.PUSH, written.by, written.at)
    release = pinned(started(promotion, merge), draft.seen.found_in_target)
    waiting = (*target.next_releases, release)
    draft.target = replace(target, last_number=number, next_releases=waiting)
    text = f"{written.by} wrote {prose.list_changes(changes)} as {written.sha[:7]}; watching it"
    draft.tell(EventKind.PERSON_RELEASED, text, promotion=release, by=written.by)
