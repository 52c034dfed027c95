"""A newer proven set while the pull request is open: it rolls on, or waits for people."""

from __future__ import annotations

from dataclasses import replace

from pilotage.core import prose
from pilotage.core.branch import commit_branch, commit_keys, planned, rebase
from pilotage.core.change import ServiceChange, versions_of
from pilotage.core.config.policy import Roll
from pilotage.core.decision import Draft, EventKind
from pilotage.core.forge import PullRequest
from pilotage.core.model import Promotion, Superseded
from pilotage.core.places import Refused
from pilotage.core.proof import Selection, against_rules
from pilotage.core.snapshot import Known, Unknown


def rolled(
    draft: Draft, promotion: Promotion, pull_request: PullRequest, selection: Selection
) -> Promotion:
    """The promotion with a newer proven set, where there is one and the policy lets it in.

    Where there is none, the same set on today's base when a file of it was edited there.
    """
    if is_being_written(draft, promotion):
        draft.explain("branch", f"{promotion.branch} is being written")
        return promotion
    newer = versions_of(selection.changes)
    refused = any(found.versions == newer for found in draft.target.refused)
    if newer == promotion.versions:
        promotion = replace(promotion, waiting=(), choice=draft.target.choice)
        if _never_landed(draft, promotion, pull_request):
            return _written_again(draft, promotion, selection.changes)
    elif not newer or refused:
        promotion = replace(promotion, waiting=())
    elif _may_roll(draft, promotion, pull_request):
        return _rolled_on(draft, promotion, selection.changes)
    else:
        promotion = _waiting(draft, promotion, selection.changes)
    if draft.seen.edited_on_base and _may_write(draft, promotion, pull_request):
        return _rebuilt(draft, promotion)
    return promotion


def is_being_written(draft: Draft, promotion: Promotion) -> bool:
    """A commit that was decided and is not done yet: the next one goes on top of its result."""
    return any(key.startswith(commit_keys(promotion)) for key in draft.seen.pending)


def _waiting(draft: Draft, promotion: Promotion, changes: tuple[ServiceChange, ...]) -> Promotion:
    if promotion.waiting != changes:
        text = f"waits for `/pilotage roll`: {prose.list_changes(changes)}"
        draft.tell(EventKind.WAITING, text, promotion=promotion)
    return replace(promotion, waiting=changes)


def ours(promotion: Promotion, pull_request: PullRequest) -> bool:
    """Nobody else has a commit on the branch."""
    return promotion.branch_head is not None and pull_request.head == promotion.branch_head


def _may_write(draft: Draft, promotion: Promotion, pull_request: PullRequest) -> bool:
    free = promotion.hold is None and draft.target.config_problem is None
    return free and draft.may_act and ours(promotion, pull_request)


def _may_roll(draft: Draft, promotion: Promotion, pull_request: PullRequest) -> bool:
    if not ours(promotion, pull_request):
        draft.explain(
            "roll",
            "a person's commit is on the branch; the newer set waits",
            "merge or close this pull request",
        )
        return False
    if not _may_write(draft, promotion, pull_request):
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


def _rolled_on(draft: Draft, promotion: Promotion, changes: tuple[ServiceChange, ...]) -> Promotion:
    """The same branch and pull request with a newer set, on today's base."""
    plan = draft.seen.plan
    rolled = replace(
        promotion,
        changes=changes,
        choice=draft.target.choice,
        base=draft.seen.base,
        source_commit=plan.source,
        generation=promotion.generation + 1,
        ticks=(),
        waiting=(),
        roll_asked=False,
        superseded=(*promotion.superseded, *_replaced(draft, promotion, changes))[-30:],
    )
    text = f"rolled on to {prose.list_changes(changes)}"
    draft.tell(EventKind.ROLLED, text, promotion=rolled)
    commit_branch(draft, rolled, planned(plan, changes), expected=promotion.branch_head)
    return rolled


def _rebuilt(draft: Draft, promotion: Promotion) -> Promotion:
    """The same set on today's base, wherever the source environment has gone since.

    What the rules for versions refuse, as to take a newer value back, is left in conflict, and its
    gate says so.
    """
    seen = draft.seen
    try:
        found = rebase(promotion.changes, seen.proposal_at_head, seen.plan.contents)
    except Refused as refused:
        text = f"{promotion.branch} cannot be built on {seen.base[:7]}: {refused}"
        draft.explain("branch", text, "mend the file, or close the pull request")
        return promotion
    promotion = replace(promotion, changes=found.changes)
    if any(against_rules(change, seen.policy, draft.target) for change in found.changes):
        return promotion
    rebuilt = replace(promotion, base=seen.base, generation=promotion.generation + 1)
    commit_branch(draft, rebuilt, found.files, expected=promotion.branch_head)
    return rebuilt


def _never_landed(draft: Draft, promotion: Promotion, pull_request: PullRequest) -> bool:
    """The head is ours and has another set: the commit of this one was refused, and is due now
    that somebody resumed."""
    match draft.seen.versions_on_head:
        case Known(value=there) if _may_write(draft, promotion, pull_request):
            return any(there.get(service) != wanted for service, wanted in promotion.versions)
        case _:
            return False


def _written_again(
    draft: Draft, promotion: Promotion, changes: tuple[ServiceChange, ...]
) -> Promotion:
    seen = draft.seen
    again = replace(promotion, base=seen.base, generation=promotion.generation + 1)
    commit_branch(draft, again, planned(seen.plan, changes), expected=promotion.branch_head)
    return again


def _replaced(
    draft: Draft, promotion: Promotion, changes: tuple[ServiceChange, ...]
) -> list[Superseded]:
    """What will not go out any more; what a person's choice leaves for later is not among it."""
    newer = {change.service: change.after for change in changes}
    planned = {change.service: change.after for change in draft.seen.plan.changes}
    known = planned | newer if draft.target.choice is not None else newer
    since = promotion.opened_at or promotion.created_at
    return [
        Superseded(change.service, change.after, since, draft.now)
        for change in promotion.changes
        if known.get(change.service) != change.after
    ]
