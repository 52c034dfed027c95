"""From "staging differs" to "merged": the states `observing` and `open`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pilotage.core import pages, prose
from pilotage.core.acts import ClosePullRequest, CommitBranch, Notify, OpenPullRequest
from pilotage.core.decision import Draft, EventKind
from pilotage.core.forge import PullRequest
from pilotage.core.gates import blockers, judge_gates
from pilotage.core.merged import merged
from pilotage.core.model import (
    Promotion,
    Refusal,
    ServiceChange,
    Sha,
    State,
    Superseded,
)
from pilotage.core.picture import picture
from pilotage.core.plan import Plan
from pilotage.core.policy import Roll
from pilotage.core.proof import Selection, select
from pilotage.core.snapshot import Known, Unknown

_TOLD_BY_GITHUB = ("contents", "approvers")


def observing(draft: Draft) -> None:
    """Something differs, or may: propose it when it is proven and nothing forbids it."""
    seen = draft.seen
    selection = select(seen, draft.target, draft.now)
    for obstacle in selection.obstacles:
        draft.explain(obstacle.service, obstacle.reason, obstacle.next_step)
        draft.wake(obstacle.until)
    if not seen.plan.services:
        draft.propose(None)
        if not seen.plan.problems:
            source = seen.policy.source_name
            draft.explain("plan", f"{source} and {draft.target.environment} are the same")
        return
    if _hopeless(draft, selection):
        draft.propose(None)
        return
    changes = selection.changes or seen.plan.changes
    promotion = _blocked(draft, _observed(draft, changes))
    draft.propose(promotion)
    if selection.changes and _may_open(draft, selection):
        _open(draft, promotion)


def _hopeless(draft: Draft, selection: Selection) -> bool:
    """Nothing that differs will be promoted until a person or a new version changes that."""
    lasting = {obstacle.service for obstacle in selection.obstacles if obstacle.lasting}
    held = draft.proposal is not None and draft.proposal.hold is not None
    return not held and lasting >= set(draft.seen.plan.services)


def _observed(draft: Draft, changes: tuple[ServiceChange, ...]) -> Promotion:
    """The proposal while it is only observed; its number is kept until it opens or vanishes."""
    seen, target = draft.seen, draft.target
    number = target.last_number + 1
    promotion = target.proposal
    if promotion is None or promotion.state is not State.OBSERVING:
        promotion = Promotion(
            id=f"{target.pipeline}-{target.environment}-{number}",
            target=target.id,
            number=number,
            state=State.OBSERVING,
            created_at=draft.now,
            changes=changes,
            source_commit=seen.plan.source,
            base=seen.base,
            policy_commit=seen.policy.commit,
            run="",
        )
        text = f"{seen.policy.source_name} differs: {prose.list_changes(changes)}"
        draft.tell(EventKind.OBSERVED, text, promotion=promotion)
    return replace(
        promotion,
        changes=changes,
        source_commit=seen.plan.source,
        base=seen.base,
        policy_commit=seen.policy.commit,
    )


def _blocked(draft: Draft, promotion: Promotion) -> Promotion:
    """Somebody else's pull request from a branch of our pattern is told of once."""
    foreign = draft.seen.foreign
    number = foreign.number if foreign is not None else None
    if foreign is None or number == promotion.blocked_by:
        return replace(promotion, blocked_by=number)
    text = (
        f"#{number} by {foreign.author} is open from {foreign.head_branch}: no second pull "
        "request until it is closed or merged"
    )
    draft.tell(EventKind.BLOCKED, text, promotion=promotion)
    draft.acts.append(
        Notify(
            key=f"{promotion.id}/notify/blocked/{number}",
            promotion=promotion.id,
            event="blocked",
            channels=draft.seen.policy.environment.notify,
            title=f"{promotion.id} waits for #{number}",
            text=text,
            url=foreign.url,
        )
    )
    return replace(promotion, blocked_by=number)


def _may_open(draft: Draft, selection: Selection) -> bool:
    seen, target = draft.seen, draft.target
    versions = tuple(sorted((change.service, change.after) for change in selection.changes))
    refused = next((found for found in target.refused if found.versions == versions), None)
    if refused is not None:
        draft.explain(
            "refused",
            f"{refused.by} closed {refused.promotion}, which had exactly this set",
            "reopen that pull request, or release another version",
        )
        return False
    if seen.foreign is not None:
        draft.explain(
            "foreign",
            f"#{seen.foreign.number} by {seen.foreign.author} is open from "
            f"{seen.foreign.head_branch}, a branch of this pipeline's pattern",
            "close or merge it; until then no second pull request is opened",
        )
        return False
    if target.config_problem is not None:
        draft.explain("configuration", target.config_problem, "mend it")
        return False
    if target.pause is not None:
        draft.explain("paused", f"paused by {target.pause.by}: {target.pause.reason}")
        return False
    if target.proposal is not None and target.proposal.hold is not None:
        hold = target.proposal.hold
        draft.explain("held", f"held by {hold.by}: {hold.reason}", hold.next_step)
        return False
    if not draft.may_act:
        draft.explain(
            "mode",
            f"would open a pull request: {prose.list_changes(selection.changes)}",
            "set `mode: propose` to let it",
        )
        return False
    return True


def _open(draft: Draft, promotion: Promotion) -> None:
    seen, target = draft.seen, draft.target
    run = promotion.run or target.run_hint or seen.plan.source[:7]
    promotion = replace(
        promotion,
        state=State.OPEN,
        run=run,
        branch=prose.branch_name(seen.policy, run),
    )
    draft.tell(
        EventKind.PROVEN,
        f"proven in {seen.policy.source_name}: {prose.list_changes(promotion.changes)}",
        promotion=promotion,
        commit=seen.plan.source,
    )
    number = max(target.last_number, promotion.number)
    draft.target = replace(target, last_number=number, run_hint=None, proposal=promotion)
    _commit(draft, promotion, seen.plan, expected=None)
    draft.acts.append(
        OpenPullRequest(
            key=f"{promotion.id}/open/{run}",
            promotion=promotion.id,
            branch=promotion.branch,
            base_branch=seen.base_branch,
            title=prose.title(seen.policy, promotion),
            marker=prose.marker(promotion),
        )
    )
    _show_first(draft, promotion)


def _show_first(draft: Draft, promotion: Promotion) -> None:
    """The body that the pull request is opened with: what GitHub must tell is not known yet."""
    gates = judge_gates(promotion, draft.target, draft.seen)
    known = tuple(gate for gate in gates if gate.name not in _TOLD_BY_GITHUB)
    draft.outputs.append(pages.proposal_outputs(draft.seen, draft.target, promotion, None, known))


def _commit(draft: Draft, promotion: Promotion, plan: Plan, *, expected: Sha | None) -> None:
    key = f"{promotion.id}/commit/{promotion.generation}/{promotion.run}/{promotion.base[:12]}"
    draft.acts.append(
        CommitBranch(
            key=key,
            promotion=promotion.id,
            branch=promotion.branch,
            base=promotion.base,
            expected=expected,
            files={
                plan.services[service].file: plan.services[service].text
                for service in promotion.services
            },
            message=prose.commit_message(draft.seen.policy, promotion, key),
            at=draft.now,
        )
    )


def opened(draft: Draft) -> None:
    """The pull request is there (or on its way): keep it true, judge its gates, notice its end."""
    promotion = draft.proposal
    assert promotion is not None
    match draft.seen.pull_request:
        case None:
            draft.explain("pull request", f"{promotion.branch} is being opened")
            _show_first(draft, promotion)
        case Unknown(reason=reason, until=until):
            draft.explain("pull request", f"#{promotion.pull_request} cannot be read: {reason}")
            draft.wake(until)
        case Known(value=pull_request) if pull_request.merged:
            merged(draft, promotion, pull_request)
        case Known(value=pull_request) if not pull_request.open:
            _closed(draft, promotion, pull_request)
        case Known(value=pull_request):
            _kept(draft, promotion, pull_request)


def _closed(draft: Draft, promotion: Promotion, pull_request: PullRequest) -> None:
    """A closed pull request refuses exactly its set of values, unless we closed it ourselves."""
    by = pull_request.closed_by or "somebody"
    if promotion.ended_at is not None:
        ended = replace(promotion, state=State.SUPERSEDED)
        draft.ended.append(ended)
        draft.tell(EventKind.ENDED, ended.conclusion, promotion=ended)
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
    draft.ended.append(ended)
    draft.tell(EventKind.ENDED, ended.conclusion, promotion=ended, by=by)
    draft.outputs.append(pages.closed_outputs(draft.seen, ended, pull_request))
    draft.explain("closed", ended.conclusion, "reopen it, or another set will be proposed")
    draft.wake(draft.now)


def _kept(draft: Draft, promotion: Promotion, pull_request: PullRequest) -> None:
    seen = draft.seen
    if promotion.ended_at is not None:
        _close(draft, promotion)
        return
    selection = select(seen, draft.target, draft.now)
    for obstacle in selection.obstacles:
        draft.explain(obstacle.service, obstacle.reason, obstacle.next_step)
        draft.wake(obstacle.until)
    if _nothing_left(promotion, seen.plan):
        _supersede(draft, promotion)
        return
    _announce(draft, promotion)
    promotion = _rolled(draft, promotion, pull_request, selection)
    gates = judge_gates(promotion, draft.target, seen)
    closed = blockers(gates)
    for gate in gates:
        draft.explain(gate.name, gate.reason, gate.next_step)
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
    draft.outputs.append(pages.proposal_outputs(seen, draft.target, promotion, pull_request, gates))


def _announce(draft: Draft, promotion: Promotion) -> None:
    """The message that a pull request waits for people goes out once: its key sees to that."""
    policy = draft.seen.policy
    draft.acts.append(
        Notify(
            key=f"{promotion.id}/notify/opened",
            promotion=promotion.id,
            event="opened",
            channels=policy.environment.notify,
            title=prose.title(policy, promotion),
            text=prose.opened_message(policy, promotion),
            url=promotion.pull_request_url,
        )
    )


def _nothing_left(promotion: Promotion, plan: Plan) -> bool:
    """The target has every value of the set already, whoever brought it there."""
    now = {
        **plan.unchanged,
        **{name: found.change.before for name, found in plan.services.items()},
    }
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
    draft.acts.append(
        ClosePullRequest(
            key=f"{promotion.id}/close/{promotion.generation}",
            promotion=promotion.id,
            number=promotion.pull_request,
            comment=promotion.conclusion,
        )
    )


def _rolled(
    draft: Draft, promotion: Promotion, pull_request: PullRequest, selection: Selection
) -> Promotion:
    """The promotion with a newer proven set, where there is one and the policy lets it in."""
    newer = tuple(sorted((change.service, change.after) for change in selection.changes))
    if not newer or newer == promotion.versions:
        promotion = replace(promotion, waiting=())
        if draft.seen.edited_on_base and _ours(promotion, pull_request):
            return _rebuilt(draft, promotion)
        return promotion
    if any(refused.versions == newer for refused in draft.target.refused):
        return replace(promotion, waiting=())
    if _may_roll(draft, promotion, pull_request):
        return _rebuilt(draft, promotion, selection.changes)
    if promotion.waiting != selection.changes:
        text = f"waits for `/pilotage roll`: {prose.list_changes(selection.changes)}"
        draft.tell(EventKind.WAITING, text, promotion=promotion)
    return replace(promotion, waiting=selection.changes)


def _ours(promotion: Promotion, pull_request: PullRequest) -> bool:
    return promotion.branch_head is not None and pull_request.head == promotion.branch_head


def _may_roll(draft: Draft, promotion: Promotion, pull_request: PullRequest) -> bool:
    if not _ours(promotion, pull_request):
        draft.explain(
            "roll",
            "a person's commit is on the branch; the newer set waits",
            "merge or close this pull request",
        )
        return False
    if not draft.may_act or promotion.hold is not None or draft.target.config_problem:
        return False
    match draft.seen.policy.environment.roll:
        case Roll.ALWAYS:
            return True
        case Roll.NEVER:
            return promotion.roll_asked
        case Roll.UNTIL_TOUCHED:
            return promotion.roll_asked or not touched(draft, promotion)


def touched(draft: Draft, promotion: Promotion) -> bool:
    """A person has ticked a box or reviewed: their work is not thrown away unasked."""
    if promotion.ticks:
        return True
    match draft.seen.reviews:
        case Known(value=reviews):
            return any(found.state in ("approved", "changes_requested") for found in reviews)
        case Unknown():
            return True
        case None:
            return False


def _rebuilt(
    draft: Draft, promotion: Promotion, changes: tuple[ServiceChange, ...] | None = None
) -> Promotion:
    """The same branch and pull request on today's base, with a newer set if one is given."""
    seen = draft.seen
    plan = seen.plan
    if changes is None:
        if not all(_same_step(change, plan) for change in promotion.changes):
            return promotion
        rolled = replace(promotion, base=seen.base, generation=promotion.generation + 1)
    else:
        rolled = replace(
            promotion,
            changes=changes,
            base=seen.base,
            source_commit=plan.source,
            generation=promotion.generation + 1,
            ticks=(),
            waiting=(),
            roll_asked=False,
            superseded=(*promotion.superseded, *_replaced(promotion, changes, draft.now))[-30:],
        )
        text = f"rolled on to {prose.list_changes(changes)}"
        draft.tell(EventKind.ROLLED, text, promotion=rolled)
    _commit(draft, rolled, plan, expected=promotion.branch_head)
    return rolled


def _same_step(change: ServiceChange, plan: Plan) -> bool:
    planned = plan.services.get(change.service)
    return planned is not None and planned.change.after == change.after


def _replaced(
    promotion: Promotion, changes: tuple[ServiceChange, ...], now: datetime
) -> list[Superseded]:
    newer = {change.service: change.after for change in changes}
    return [
        Superseded(change.service, change.after, promotion.opened_at or promotion.created_at, now)
        for change in promotion.changes
        if newer.get(change.service) != change.after
    ]


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
            draft.outputs.append(pages.closed_outputs(draft.seen, told, pull_request))
            return
        conclusion = f"superseded by #{promotion.pull_request}, which was reopened"
        if newer.pull_request is None:
            return
        ended = replace(newer, ended_at=draft.now, state=State.SUPERSEDED, conclusion=conclusion)
        _close(draft, ended)
        draft.ended.append(ended)
        draft.tell(EventKind.ENDED, conclusion, promotion=ended)
    back = replace(promotion, state=State.OPEN, ended_at=None, conclusion="")
    refused = tuple(found for found in draft.target.refused if found.promotion != promotion.id)
    draft.target = replace(draft.target, proposal=back, refused=refused)
    draft.tell(EventKind.REOPENED, f"#{promotion.pull_request} was reopened", promotion=back)
    draft.wake(draft.now)
