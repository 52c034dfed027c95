"""Putting back: the commit, its way to the branch, and watching it to live.

Never a revert of a revert: what goes wrong here is held for a person.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from pilotage.core import prose
from pilotage.core.acts import (
    ClosePullRequest,
    ReverseMerge,
    RevertCommit,
    RevertContents,
    WriteFiles,
)
from pilotage.core.application import Gone
from pilotage.core.config.policy import OnFailure, Policy
from pilotage.core.decision import Draft, EventKind
from pilotage.core.discovery.names import release_names
from pilotage.core.holding import hold
from pilotage.core.model import Outcome, Promotion, Revert, Sha, Subject
from pilotage.core.results import revert_key
from pilotage.core.revert import (
    ByMerge,
    ByPerson,
    ByValue,
    Nothing,
    RevertPlan,
    by_merge,
    git_commands,
    plan_revert,
)
from pilotage.core.rollout.watch import (
    Failed,
    Held,
    HoldReason,
    Live,
    Overtaken,
    Pending,
    Watch,
)
from pilotage.core.snapshot import Known, Unknown
from pilotage.core.watching import fold


def reverting(draft: Draft, release: Promotion, policy: Policy) -> Promotion:
    """Brings every putting-back one step further."""
    for index, revert in enumerate(release.reverts):
        if not _under_way(release, revert):
            continue
        if revert.sha is not None:
            release = _watched(draft, release, policy, index)
        elif revert.pull_request is not None:
            release = _requested(draft, release, index)
        else:
            release = _started(draft, release, policy, index)
    return release


def _under_way(release: Promotion, revert: Revert) -> bool:
    return any(release.outcomes.get(name) is Outcome.REVERTING for name in revert.services)


def to_start(release: Promotion) -> tuple[Revert, ...]:
    """The putting-backs whose commit is still to be made, unless a person has to say so first."""
    if release.hold is not None:
        return ()
    return tuple(
        revert
        for revert in release.reverts
        if _under_way(release, revert) and revert.sha is None and revert.pull_request is None
    )


def _planned(draft: Draft, release: Promotion, revert: Revert) -> RevertPlan:
    seen = draft.seen
    return plan_revert(release, revert.services, seen.release_at_head, seen.release_before)


def _started(draft: Draft, release: Promotion, policy: Policy, index: int) -> Promotion:
    revert = release.reverts[index]
    key = revert_key(release, index, revert)
    if key in draft.seen.pending:
        draft.explain("revert", f"{', '.join(revert.services)} is being put back")
        return release
    planned = _planned(draft, release, revert)
    if isinstance(planned, Nothing):
        return _all(release, revert.services, Outcome.OVERTAKEN, planned.reason)
    if not draft.may_act or release.hold is not None:
        draft.explain("revert", f"{', '.join(revert.services)} waits to be put back")
        return release
    match planned:
        case ByPerson():
            return _by_person(draft, release, planned)
        case ByValue(services=services, files=files):
            return _committed(draft, release, policy, index, services, WriteFiles(files))
        case ByMerge():
            return _by_merge(draft, release, policy, index, planned)
        case _ as never:
            assert_never(never)


def _by_person(draft: Draft, release: Promotion, planned: ByPerson) -> Promotion:
    reason = f"cannot put back: {planned.reason}. By hand: {planned.commands}"
    return hold(draft, release, Subject.REVERT, reason)


def _by_merge(
    draft: Draft, release: Promotion, policy: Policy, index: int, planned: ByMerge
) -> Promotion:
    """The reverse is read by the look after the one that found out that it is needed."""
    merge = release.merge
    assert merge is not None
    match draft.seen.reverse:
        case None:
            draft.explain("revert", f"not by value, {planned.why}; trying the whole merge")
            draft.wake(draft.now)
            return release
        case Unknown(reason=reason, until=until):
            draft.explain("revert", f"the reverse of the merge cannot be read: {reason}")
            draft.wake(until)
            blind = policy.environment.budgets.budgets.blind
            if draft.now - release.reverts[index].asked_at < blind:
                return release
            why = f"{planned.why}; and the reverse of the merge cannot be read: {reason}"
            return _by_person(draft, release, ByPerson(why, git_commands(release)))
        case Known(value=reverse):
            found = by_merge(release, planned, reverse)
            if isinstance(found, ByPerson):
                return _by_person(draft, release, found)
            contents = ReverseMerge(merge.sha, merge.parent, found.tree)
            return _committed(draft, release, policy, index, planned.services, contents)


def _committed(
    draft: Draft,
    release: Promotion,
    policy: Policy,
    index: int,
    services: tuple[str, ...],
    contents: RevertContents,
) -> Promotion:
    revert = release.reverts[index]
    key = revert_key(release, index, revert)
    draft.explain("revert", f"putting back {', '.join(services)}: {revert.reason}")
    draft.acts.append(
        RevertCommit(
            key=key,
            promotion=release.id,
            services=services,
            base=draft.seen.base,
            base_branch=draft.seen.base_branch,
            side_branch=f"pilotage/revert-{release.id}-{index + 1}-{revert.attempt}",
            contents=contents,
            title=prose.revert_title(policy, release, services, revert.reason),
            message=prose.revert_message(policy, release, services, revert, key),
            at=draft.now,
            by_pull_request=policy.environment.on_failure is OnFailure.REVERT_PULL_REQUEST,
        )
    )
    others = tuple(name for name in revert.services if name not in services)
    return _all(release, others, Outcome.OVERTAKEN, "somebody changed the value")


def _requested(draft: Draft, release: Promotion, index: int) -> Promotion:
    """The revert waits in a pull request: for the rules, or for a person."""
    revert = release.reverts[index]
    number, environment = revert.pull_request, draft.target.environment
    planned = _planned(draft, release, revert)
    match draft.seen.revert_request:
        case None:
            return release
        case Unknown(reason=reason, until=until):
            draft.explain("revert", f"#{number} cannot be read: {reason}")
            draft.wake(until)
            return release
        case Known(value=request) if request.merged is not None:
            return landed(draft, release, index, request.merged)
        case Known(value=request) if isinstance(planned, Nothing):
            if request.open and number is not None:
                draft.acts.append(_no_longer_needed(draft, release, index, number))
            return _all(release, revert.services, Outcome.OVERTAKEN, planned.reason)
        case Known(value=request) if request.open:
            why = f" ({revert.why_waiting})" if revert.why_waiting else ""
            reason = f"merge #{number} to put {environment} back{why}"
            return hold(draft, release, Subject.REVERT, reason)
        case Known():
            reason = f"#{number}, which would put {environment} back, was closed"
            if release.hold is not None and release.hold.subject is Subject.REVERT:
                return replace(release, hold=replace(release.hold, reason=reason))
            return hold(draft, release, Subject.REVERT, reason)


def _no_longer_needed(
    draft: Draft, release: Promotion, index: int, number: int
) -> ClosePullRequest:
    return ClosePullRequest(
        key=f"{release.id}/close-revert/{index + 1}",
        promotion="",
        number=number,
        comment=f"Somebody has put {draft.target.environment} back already.",
    )


def landed(draft: Draft, release: Promotion, index: int, sha: Sha) -> Promotion:
    """The revert is on the branch; from here on it is watched like any rollout."""
    revert = replace(release.reverts[index], sha=sha, landed_at=draft.now)
    text = f"{', '.join(revert.services)} put back by {sha[:7]}"
    draft.tell(EventKind.REVERT_LANDED, text, promotion=release, commit=sha)
    draft.target = draft.target.with_landed(sha)
    draft.wake(draft.now)
    kept = release.hold
    if kept is not None and kept.subject is Subject.REVERT:
        kept = None
    return replace(release.with_revert(index, revert), hold=kept)


def _watched(draft: Draft, release: Promotion, policy: Policy, index: int) -> Promotion:
    revert = release.reverts[index]
    watches = dict(revert.watches)
    for service in revert.services:
        for name in release_names(policy, release, service):
            sight = draft.seen.revert_sights.get(name)
            if sight is not None:
                watches[name] = fold(draft, release, policy, watches.get(name), name, sight)
    revert = replace(revert, watches=watches)
    release = release.with_revert(index, revert)
    for service in revert.services:
        if release.outcomes[service] is Outcome.REVERTING:
            names = release_names(policy, release, service)
            release = _judged(draft, release, service, [watches.get(name) for name in names])
    return release


def _judged(
    draft: Draft, release: Promotion, service: str, watches: list[Watch | None]
) -> Promotion:
    new = any(each.service == service and each.before is None for each in release.changes)
    for watch in watches:
        match watch.outcome if watch is not None else None:
            case Failed(message=message, resource=resource):
                reason = f"the revert of {service} does not come up: {resource} {message}"
                return hold(draft, release, Subject.REVERT, reason)
            case Held(reason=HoldReason.GONE) if new:
                continue
            case Held(message=message):
                return hold(draft, release, Subject.REVERT, f"the revert of {service}: {message}")
            case Overtaken(by=by):
                outcomes = {**release.outcomes, service: Outcome.OVERTAKEN}
                draft.tell(
                    EventKind.OVERTAKEN, f"{service}: {by[:7]} changed the value", promotion=release
                )
                return replace(release, outcomes=outcomes)
            case Pending() | Gone() | None:
                return release
            case Live():
                continue
            case _ as never:
                assert_never(never)
    text = f"{service} is {'taken out again' if new else 'back and live'}"
    draft.tell(EventKind.LIVE, text, promotion=release)
    return replace(release, outcomes={**release.outcomes, service: Outcome.REVERTED})


def _all(release: Promotion, services: tuple[str, ...], outcome: Outcome, reason: str) -> Promotion:
    outcomes, reasons = dict(release.outcomes), dict(release.reasons)
    for service in services:
        if outcomes[service] is Outcome.REVERTING:
            outcomes[service] = outcome
            reasons[service] = reason
    return replace(release, outcomes=outcomes, reasons=reasons)
