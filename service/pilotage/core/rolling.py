"""A newer proven set while the pull request is open: it rolls on, or waits for people."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pilotage.core import prose
from pilotage.core.branch import commit_branch
from pilotage.core.decision import Draft, EventKind
from pilotage.core.forge import PullRequest
from pilotage.core.model import (
    Promotion,
    ServiceChange,
    Superseded,
    versions_of,
)
from pilotage.core.plan import Plan
from pilotage.core.policy import Roll
from pilotage.core.proof import Selection
from pilotage.core.snapshot import Known, Unknown


def rolled(
    draft: Draft, promotion: Promotion, pull_request: PullRequest, selection: Selection
) -> Promotion:
    """The promotion with a newer proven set, where there is one and the policy lets it in."""
    newer = versions_of(selection.changes)
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
    commit_branch(draft, rolled, plan, expected=promotion.branch_head)
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
