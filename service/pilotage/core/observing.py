"""From "the source differs" to an opened pull request: the state `observing`."""

from __future__ import annotations

from dataclasses import replace

from pilotage.core import prose
from pilotage.core.acts import OpenPullRequest
from pilotage.core.branch import commit_branch, planned, show_first
from pilotage.core.change import ServiceChange, versions_of
from pilotage.core.decision import Draft, EventKind
from pilotage.core.model import Promotion, State
from pilotage.core.plan import Plan
from pilotage.core.proof import Selection, hopeless, in_question, select
from pilotage.core.wording import listed, verb


def observing(draft: Draft) -> None:
    """Something differs, or may: propose it when it is proven and nothing forbids it."""
    seen = draft.seen
    selection = select(seen, draft.target)
    for obstacle in selection.obstacles:
        draft.explain(obstacle.service, obstacle.reason, obstacle.next_step)
        draft.wake(obstacle.until)
    plan = in_question(seen.plan, draft.target)
    _together(draft, plan, selection)
    if not plan.services:
        draft.propose(None)
        if not plan.problems and draft.target.choice is None:
            source = seen.policy.source_name
            draft.explain("plan", f"{source} and {draft.target.environment} are the same")
        return
    held = draft.proposal is not None and draft.proposal.hold is not None
    if not held and hopeless(plan, selection):
        draft.propose(None)
        return
    changes = selection.changes or plan.changes
    draft.explain("plan", prose.list_steps(seen.policy, changes))
    promotion = _blocked(draft, _observed(draft, changes))
    draft.propose(promotion)
    if draft.target.running_at != seen.base:
        # A person may have taken back what would be proposed, and that is noticed later.
        draft.explain("waiting", "whose the newest commit is has to be known first")
        draft.wake(draft.now + seen.rhythm.look)
        return
    if selection.changes and _may_open(draft, selection):
        _open(draft, promotion)


def _together(draft: Draft, plan: Plan, selection: Selection) -> None:
    """Whom the obstacles of others keep back: nobody would guess it from the obstacles alone."""
    stopped = {obstacle.service for obstacle in selection.obstacles}
    waiting = [service for service in plan.services if service not in stopped]
    if waiting and stopped and not selection.changes:
        waits = verb(len(waiting), "waits", "wait")
        text = f"{listed(waiting)} {waits} for {listed(sorted(stopped))}: `together` is `all`"
        draft.explain("together", text)


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
            run="",
        )
        text = f"{seen.policy.source_name} differs: {prose.list_changes(changes)}"
        draft.tell(EventKind.OBSERVED, text, promotion=promotion)
    return replace(
        promotion,
        changes=changes,
        source_commit=seen.plan.source,
        base=seen.base,
        choice=target.choice,
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
    title, key = f"{promotion.id} waits for #{number}", f"blocked/{number}"
    policy = draft.seen.policy
    draft.notify(promotion, policy, "blocked", title, text, key=key, url=foreign.url)
    return replace(promotion, blocked_by=number)


def _may_open(draft: Draft, selection: Selection) -> bool:
    seen, target = draft.seen, draft.target
    versions = versions_of(selection.changes)
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
    files = planned(seen.plan, promotion.changes)
    commit_branch(draft, promotion, files, expected=promotion.branch_head)
    again = f"/{promotion.generation}" if promotion.generation > 1 else ""
    draft.acts.append(
        OpenPullRequest(
            key=f"{promotion.id}/open/{run}{again}",
            promotion=promotion.id,
            branch=promotion.branch,
            base_branch=seen.base_branch,
            title=prose.title(seen.policy, promotion),
            marker=prose.marker(promotion),
        )
    )
    show_first(draft, promotion)
