"""What people wrote to the branch themselves: never fought, and watched like a release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pilotage.core.decision import Draft, EventKind
from pilotage.core.distance import Step, distance
from pilotage.core.holding import quarantine
from pilotage.core.merged import released_by_person
from pilotage.core.model import Origin, Outcome, Quarantined
from pilotage.core.results import revert_key
from pilotage.core.snapshot import Known, Unknown, Written
from pilotage.core.version import cut

_REMEMBERED = 10


def noticed(draft: Draft) -> None:
    """Versions on the branch that changed without us: a person's release, or their rollback.

    A person's rollback is never fought: the version that they took away is quarantined.
    """
    seen, target = draft.seen, draft.target
    now = seen.plan.versions_in_target
    moved = {
        service: (target.running[service], found)
        for service, found in now.items()
        if target.running.get(service, found) != found
    }
    if _may_be_ours(draft, moved):
        return
    for service, (was, found) in moved.items():
        written = seen.head_moved_by.get(service)
        if written is None or _is_ours(draft, service, (was, found), written):
            continue
        _taken_back(draft, service, (was, found), written)
        _follow_person(draft, written)
    _passing(draft, moved)
    _switched(draft)
    history = {
        service: _remembered(target.history.get(service, ()), found)
        for service, found in now.items()
    }
    unread = {name: target.running[name] for name in seen.plan.problems if name in target.running}
    draft.target = replace(
        draft.target,
        running=unread | now,
        running_at=seen.base,
        base_branch=seen.base_branch,
        history={**target.history, **history},
    )


def _switched(draft: Draft) -> None:
    was, now = draft.target.base_branch, draft.seen.base_branch
    if was not in ("", now):
        text = f"{now} is the repository's default branch now, and was {was}: it is watched instead"
        draft.tell(EventKind.BRANCH_SWITCHED, text)


def _passing(draft: Draft, moved: Mapping[str, tuple[str, str]]) -> None:
    """What went out and was taken back between two looks; `moved` was told of already."""
    own, landed = draft.seen.own, draft.target.landed
    for step in draft.seen.passed:
        if step.written.sha in landed or step.written.by == own:
            continue
        for change in step.changes:
            service, was, found = change.service, change.before, change.after
            if was is not None and moved.get(service) != (was, found):
                _taken_back(draft, service, (was, found), step.written)


def _taken_back(draft: Draft, service: str, step: tuple[str, str], written: Written) -> None:
    """A step back by a person: what they took away is not proposed again."""
    was, found = step
    if draft.target.quarantined(service, was) is not None:
        return
    if not _goes_back(draft, service, was, found):
        return
    way = f"from {cut(was)} to {cut(found)} ({written.sha[:7]})"
    text = f"{written.by} rolled {service} back {way}"
    draft.tell(EventKind.PERSON_ROLLED_BACK, text, by=written.by, service=service)
    entry = Quarantined(service, was, text, draft.now, written.by)
    quarantine(draft, entry, draft.release or draft.proposal)


def _may_be_ours(draft: Draft, moved: Mapping[str, tuple[str, str]]) -> bool:
    """Nothing is noticed then: the next look starts from the same place."""
    passed = [(each.service, each.after) for step in draft.seen.passed for each in step.changes]
    values = [(service, found) for service, (_, found) in moved.items()]
    return any(_may_be_our_merge(draft, *value) for value in values) or any(
        _may_be_our_revert(draft, *value) for value in (*values, *passed)
    )


def _may_be_our_merge(draft: Draft, service: str, found: str) -> bool:
    """The proposal's value is on the branch, and whether by its merge has not been read yet."""
    promotion = draft.proposal
    if promotion is None or promotion.pull_request is None:
        return False
    if (service, found) not in promotion.versions:
        return False
    match draft.seen.pull_request:
        case Known(value=pull_request):
            return pull_request.merged
        case Unknown() | None:
            return True


def _goes_back(draft: Draft, service: str, was: str, found: str) -> bool:
    """Told from the versions; from what ran here before only where they cannot be compared."""
    step = distance(was, found, draft.seen.policy.pipeline.versions.scheme).step
    ran_here = found in draft.target.history.get(service, ())
    return step is Step.BACK or (step in (Step.OTHER, Step.SAME) and ran_here)


def _remembered(known: tuple[str, ...], found: str) -> tuple[str, ...]:
    return known if known[:1] == (found,) else (found, *known)[:_REMEMBERED]


def _may_be_our_revert(draft: Draft, service: str, found: str) -> bool:
    """The old value is on the branch, and whether our putting-back brought it is not known yet."""
    release = draft.release
    if release is None or release.outcomes.get(service) is not Outcome.REVERTING:
        return False
    if all((each.service, each.before) != (service, found) for each in release.changes):
        return False
    for index, revert in enumerate(release.reverts):
        if service not in revert.services or revert.sha is not None:
            continue
        if revert.pull_request is None:
            return revert_key(release, index, revert) in draft.seen.pending
        return not isinstance(draft.seen.revert_request, Known)
    return False


def _is_ours(draft: Draft, service: str, step: tuple[str, str], written: Written) -> bool:
    """A commit of ours, or the very step of a merge of ours that landed several commits."""
    if written.sha in draft.target.landed or written.by == draft.seen.own:
        return True
    merged = [
        each
        for each in (draft.release, *draft.ended)
        if each is not None and each.merge is not None and each.origin is Origin.SERVICE
    ]
    return any(
        change.service == service and (change.before, change.after) == step
        for promotion in merged
        for change in promotion.changes
    )


def _follow_person(draft: Draft, written: Written) -> None:
    """Once, however many services their commit changed."""
    known = (draft.release, *draft.target.next_releases)
    merges = [each.merge for each in known if each is not None and each.merge is not None]
    changes = draft.seen.written_changes.get(written.sha, ())
    if changes and all(merge.sha != written.sha for merge in merges):
        released_by_person(draft, changes, written)


def followed(draft: Draft) -> None:
    """One at a time: the next of what people released, once the one before has its verdict."""
    target = draft.target
    if draft.release is None and target.next_releases:
        first, *later = target.next_releases
        draft.target = target = replace(target, release=first, next_releases=tuple(later))
        draft.wake(draft.now)
    for waiting in target.next_releases:
        by = waiting.merge.by if waiting.merge else "somebody"
        of = target.release.id if target.release is not None else ""
        draft.explain("next", f"{waiting.id}, which {by} wrote, is watched after {of}")
