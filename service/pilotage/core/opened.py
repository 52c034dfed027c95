"""The pull request is there: keep it true, judge its gates, notice its end; the state `open`."""

from __future__ import annotations

from dataclasses import replace

from pilotage.core import comparing, prose, rendered
from pilotage.core.acts import ClosePullRequest, CommitBranch
from pilotage.core.branch import show_first
from pilotage.core.decision import Draft, EventKind
from pilotage.core.forge import PullRequest
from pilotage.core.gates import blockers, judge_gates
from pilotage.core.merged import merged, merged_elsewhere
from pilotage.core.model import (
    Promotion,
    Refusal,
    State,
)
from pilotage.core.picture import picture
from pilotage.core.plan import Plan
from pilotage.core.proof import select
from pilotage.core.proposal_page import (
    closed_outputs,
    proposal_outputs,
    refused_outputs,
    superseded_outputs,
)
from pilotage.core.rolling import is_being_written, rolled, touched
from pilotage.core.snapshot import Known, Snapshot, Unknown


def opened(draft: Draft) -> None:
    """The pull request is there (or on its way): keep it true, judge its gates, notice its end."""
    promotion = draft.proposal
    assert promotion is not None
    match draft.seen.pull_request:
        case None:
            if promotion.hold is None:
                draft.explain("pull request", f"{promotion.branch} is being opened")
            else:
                held = f"held by {promotion.hold.by}: {promotion.hold.reason}"
                draft.explain("held", held, promotion.hold.next_step)
            show_first(draft, promotion)
        case Unknown(reason=reason, until=until):
            draft.explain("pull request", f"#{promotion.pull_request} cannot be read: {reason}")
            draft.wake(until)
        case Known(value=pull_request) if pull_request.merged:
            if pull_request.base_branch == draft.seen.base_branch:
                merged(draft, promotion)
            else:
                merged_elsewhere(draft, promotion, pull_request)
        case Known(value=pull_request) if not pull_request.open:
            _closed(draft, promotion, pull_request)
        case Known(value=pull_request):
            _kept(draft, promotion, pull_request)


def _closed(draft: Draft, promotion: Promotion, pull_request: PullRequest) -> None:
    """A closed pull request refuses exactly its set of values, unless we closed it ourselves."""
    by = pull_request.closed_by or "somebody"
    if promotion.ended_at is not None:
        ended = replace(promotion, state=State.SUPERSEDED)
        draft.end(ended)
        draft.outputs.append(superseded_outputs(ended, draft.now))
        draft.propose(None)
        draft.wake(draft.now)
        return
    ended = replace(
        promotion,
        state=State.CLOSED,
        ended_at=draft.now,
        conclusion=f"#{pull_request.number} was closed by {by}",
    )
    refusal = Refusal(promotion.versions, promotion.id, draft.now, by)
    draft.target = replace(
        draft.target, proposal=None, refused=(*draft.target.refused, refusal)[-50:]
    )
    draft.end(ended, by)
    draft.outputs.append(closed_outputs(ended, pull_request, draft.now))
    draft.explain("closed", ended.conclusion, "reopen it, or another set will be proposed")
    draft.wake(draft.now)


def _kept(draft: Draft, promotion: Promotion, pull_request: PullRequest) -> None:
    seen = draft.seen
    if promotion.ended_at is not None:
        _close(draft, promotion)
        return
    selection = select(seen, draft.target)
    for obstacle in selection.obstacles:
        draft.explain(obstacle.service, obstacle.reason, obstacle.next_step)
        draft.wake(obstacle.until)
    if _nothing_left(promotion, seen.plan):
        _supersede(draft, promotion)
        return
    _announce(draft, promotion)
    promotion = rolled(draft, promotion, pull_request, selection)
    promotion = _with_renders(draft, promotion, pull_request)
    gates = judge_gates(promotion, draft.target, _of_the_head(draft, promotion))
    closed = blockers(gates)
    for gate in gates:
        draft.explain(gate.name, gate.reason, gate.next_step)
    draft.explain("plan", prose.list_steps(seen.policy, promotion.changes))
    for service, text in comparing.told(promotion):
        draft.explain(service, text)
    ready = "; ".join(gate.reason for gate in closed)
    if promotion.ready != ready:
        text = f"not ready to merge: {ready}" if ready else "ready to merge: every gate is open"
        draft.tell(EventKind.READY, text, promotion=promotion)
    queued = [head for head in seen.queued if head.pull_request == promotion.pull_request]
    promotion = replace(
        promotion,
        ready=ready,
        picture=picture(promotion, seen.sights),
        pictured_at=draft.now if seen.sights else promotion.pictured_at,
        queue_heads=(*promotion.queue_heads, *queued)[-5:],
    )
    draft.propose(promotion)
    draft.outputs.append(proposal_outputs(seen, draft.target, promotion, pull_request, gates))


def _of_the_head(draft: Draft, promotion: Promotion) -> Snapshot:
    """While the branch is written anew, what was read of its head is of the set before."""
    decided = any(isinstance(act, CommitBranch) for act in draft.acts)
    if decided or is_being_written(draft, promotion):
        return replace(draft.seen, versions_on_head=None, artifacts=None)
    return draft.seen


def _with_renders(draft: Draft, promotion: Promotion, pull_request: PullRequest) -> Promotion:
    """With what this look learnt of the head's manifests; it is looked again for the rest."""
    seen, head = draft.seen, pull_request.head
    if not rendered.is_asked_for(seen.policy):
        return promotion
    promotion = rendered.remembered(promotion, seen.renders, head, draft.now)
    every = rendered.answers(seen.policy, promotion, seen.found_in_target, head)
    draft.wake(rendered.next_look(every, draft.now))
    return promotion


def _announce(draft: Draft, promotion: Promotion) -> None:
    """The message that a pull request waits for people goes out once: its key sees to that."""
    policy = draft.seen.policy
    text = prose.opened_message(policy, promotion)
    draft.notify(promotion, policy, "opened", prose.title(policy, promotion), text, key="opened")


def _nothing_left(promotion: Promotion, plan: Plan) -> bool:
    """The target has every value of the set already, whoever brought it there."""
    now = plan.versions_in_target
    return all(now.get(service) == wanted for service, wanted in promotion.versions)


def _supersede(draft: Draft, promotion: Promotion) -> None:
    environment = draft.target.environment
    ended = replace(
        promotion,
        state=State.OPEN,
        ended_at=draft.now,
        conclusion=f"nothing left to change: {environment} has every value of this set",
    )
    draft.propose(ended)
    _close(draft, ended)


def _close(draft: Draft, promotion: Promotion) -> None:
    assert promotion.pull_request is not None
    again = f"/{promotion.retries}" if promotion.retries else ""
    draft.acts.append(
        ClosePullRequest(
            key=f"{promotion.id}/close/{promotion.generation}{again}",
            promotion=promotion.id,
            number=promotion.pull_request,
            comment=promotion.conclusion,
        )
    )


def reopened(draft: Draft) -> None:
    """A closed pull request was opened again: `closed → open`, unless a newer one is touched."""
    if draft.seen.reopened is None:
        return
    promotion, pull_request = draft.seen.reopened
    newer = draft.proposal
    if newer is not None and newer.state is State.OPEN:
        if touched(draft, newer):
            text = f"#{promotion.pull_request} was reopened, but #{newer.pull_request} is in review"
            draft.explain("reopened", text, f"close #{newer.pull_request} first")
            told = replace(promotion, conclusion=f"{text}; close #{newer.pull_request} first")
            draft.outputs.append(refused_outputs(told, pull_request))
            return
        conclusion = f"superseded by #{promotion.pull_request}, which was reopened"
        if newer.pull_request is None:
            return
        ended = replace(newer, ended_at=draft.now, state=State.SUPERSEDED, conclusion=conclusion)
        _close(draft, ended)
        draft.outputs.append(superseded_outputs(ended, draft.now))
        draft.end(ended)
    back = replace(promotion, state=State.OPEN, ended_at=None, conclusion="")
    refused = tuple(found for found in draft.target.refused if found.promotion != promotion.id)
    choice = promotion.choice or draft.target.choice
    draft.target = replace(draft.target, proposal=back, refused=refused, choice=choice)
    draft.tell(EventKind.REOPENED, f"#{promotion.pull_request} was reopened", promotion=back)
    draft.wake(draft.now)
