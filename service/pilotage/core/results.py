"""What an act's result does to the target: the other half of recording acts before doing them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pilotage.core.acts import (
    Act,
    ClosePullRequest,
    CommitBranch,
    Committed,
    Done,
    Opened,
    OpenPullRequest,
    Outrun,
    Refused,
    Result,
    RevertCommit,
    Reverted,
    TerminateOperation,
)
from pilotage.core.change import files_of
from pilotage.core.decision import Event, EventKind
from pilotage.core.model import (
    Promotion,
    Revert,
    State,
    Subject,
    Target,
)
from pilotage.core.revert import git_commands


def apply(target: Target, act: Act, result: Result, now: datetime) -> Target:
    """The target after this act ended so. An act of a promotion that has left changes nothing."""
    promotion = _promotion(target, act.promotion)
    if promotion is None:
        return target
    changed = _changed(promotion, act, result, now)
    if target.release is not None and target.release.id == changed.id:
        target = replace(target, release=changed)
        if isinstance(result, Reverted) and result.sha is not None:
            target = target.with_landed(result.sha)
        return target
    return replace(target, proposal=changed)


def told(act: Act, result: Result, now: datetime) -> tuple[Event, ...]:
    """What history says of an act that ended so; most acts speak for themselves."""
    promotion = act.promotion or None
    match act, result:
        case (OpenPullRequest(), Opened(number=number, url=url)):
            text = f"opened #{number} from {act.branch}"
            return (Event(promotion, now, EventKind.OPENED, text, data={"url": url}),)
        case (RevertCommit(), Reverted(sha=None, pull_request=number, why_waiting=why)):
            text = f"the revert waits in #{number}: {why}"
            return (Event(promotion, now, EventKind.REVERTING, text),)
        case (RevertCommit(services=services), Reverted(sha=str() as sha)):
            text = f"{', '.join(services)} put back by {sha[:7]}"
            return (Event(promotion, now, EventKind.REVERT_LANDED, text, data={"commit": sha}),)
        case (_, Refused(reason=reason)):
            return (Event(promotion, now, EventKind.REFUSED, f"{act.kind}: {reason}"),)
        case _:
            return ()


def _promotion(target: Target, promotion: str) -> Promotion | None:
    for found in (target.release, target.proposal):
        if found is not None and found.id == promotion:
            return found
    return None


def _changed(promotion: Promotion, act: Act, result: Result, now: datetime) -> Promotion:
    match act, result:
        case (CommitBranch(), Committed(sha=sha)):
            return replace(promotion, branch_head=sha)
        case (CommitBranch(), Outrun()) if given_up(promotion, act):
            return promotion
        case (CommitBranch(), Outrun()) if promotion.pull_request is None:
            return _another_branch(promotion)
        case (OpenPullRequest(), Opened(number=number, url=url)):
            return replace(promotion, pull_request=number, pull_request_url=url, opened_at=now)
        case (OpenPullRequest(), Outrun()) if _has_no_branch(promotion, act):
            return promotion
        case (OpenPullRequest(), Outrun()):
            return _another_branch(promotion)
        case (ClosePullRequest(), Done()):
            return replace(promotion, ended_at=promotion.ended_at or now)
        case (RevertCommit(), Reverted() as reverted):
            return _reverted(promotion, act, reverted, now)
        case (RevertCommit(), Outrun()):
            return _again(promotion, act)
        case (TerminateOperation(operation=operation), Done()):
            return replace(promotion, terminated=(*promotion.terminated, operation)[-50:])
        case (
            (CommitBranch() | OpenPullRequest() | ClosePullRequest() | RevertCommit()),
            Refused(reason=reason),
        ):
            return _held(promotion, act, reason, now)
        case _:
            return promotion


def given_up(promotion: Promotion, act: CommitBranch | OpenPullRequest) -> bool:
    """The act is of a branch that the promotion has left for another since."""
    return act.branch != promotion.branch


def is_stale(target: Target, act: Act) -> bool:
    """It must not be done any more: its branch is not ours, or was never made."""
    if not isinstance(act, OpenPullRequest):
        return False
    promotion = _promotion(target, act.promotion)
    return promotion is not None and _has_no_branch(promotion, act)


def _has_no_branch(promotion: Promotion, act: OpenPullRequest) -> bool:
    """It took another one, or the commit that makes it was refused."""
    return given_up(promotion, act) or promotion.branch_head is None


def _another_branch(promotion: Promotion) -> Promotion:
    """The name was taken by something that is not ours: propose anew, under a name of its own."""
    run = f"{promotion.run}-{promotion.number}"
    return replace(promotion, state=State.OBSERVING, run=run, branch="", branch_head=None)


def _held(promotion: Promotion, act: Act, reason: str, now: datetime) -> Promotion:
    if promotion.hold is not None:
        return promotion
    if not isinstance(act, RevertCommit):
        return promotion.held(Subject.ACT, reason, now, told=False)
    staying = [change for change in promotion.changes if change.service not in act.services]
    commands = git_commands(promotion, keep=files_of(staying))
    reason = f"cannot put back {', '.join(act.services)}: {reason}. By hand: {commands}"
    return promotion.held(Subject.REVERT, reason, now, told=False)


def _index(promotion: Promotion, act: RevertCommit) -> int | None:
    for index, revert in enumerate(promotion.reverts):
        if act.key == revert_key(promotion, index, revert):
            return index
    return None


def revert_key(promotion: Promotion, index: int, revert: Revert) -> str:
    return f"{promotion.id}/revert/{index + 1}/{revert.attempt}"


def _reverted(
    promotion: Promotion, act: RevertCommit, reverted: Reverted, now: datetime
) -> Promotion:
    index = _index(promotion, act)
    if index is None:
        return promotion
    revert = replace(
        promotion.reverts[index],
        sha=reverted.sha,
        branch=act.side_branch,
        pull_request=reverted.pull_request,
        why_waiting=reverted.why_waiting,
        landed_at=now if reverted.sha is not None else None,
    )
    return promotion.with_revert(index, revert)


def _again(promotion: Promotion, act: RevertCommit) -> Promotion:
    index = _index(promotion, act)
    if index is None:
        return promotion
    revert = promotion.reverts[index]
    return promotion.with_revert(index, replace(revert, attempt=revert.attempt + 1))
