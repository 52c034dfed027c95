"""What stands between merge and verdict: its applications, its reverts, its checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pilotage.adapters.git import GitError, UnknownCommit
from pilotage.core import verification
from pilotage.core.change import Part, files_of
from pilotage.core.config.load import ConfigError
from pilotage.core.config.policy import Policy, policy_for
from pilotage.core.discovery.find import Found
from pilotage.core.discovery.names import pinned, release_names, why_unknown
from pilotage.core.model import Outcome, Promotion, Sha
from pilotage.core.revert import ByMerge, Reverse, plan_revert
from pilotage.core.reverting import to_start
from pilotage.core.snapshot import (
    Known,
    Reading,
    RevertSeen,
    Seen,
    Sight,
    Snapshot,
    Unknown,
)
from pilotage.engine.observe.look import Look, is_due, seen
from pilotage.engine.sights import (
    Question,
    expected_release,
    expected_revert,
)
from pilotage.engine.trees import NoConfigError


def with_release(look: Look, snapshot: Snapshot) -> Snapshot:
    release = look.target.release
    if release is None or release.merge is None:
        asked = any(command.name == "rollback" for command in look.post.commands)
        last = look.store.last_release(look.target.id) if asked else None
        return replace(snapshot, last_release=last)
    policy = _pinned(look, release)
    if policy is None:
        return snapshot
    at_head = look.repository.trees.texts(look.base, files_of(release.changes))
    found = _found(look, policy, release)
    before = _before(look, release)
    return replace(
        snapshot,
        release_policy=policy,
        release_at_head=at_head,
        release_before=before,
        reverse=_reverse(look, release, at_head, before),
        found_for_release=found,
        sights=_release_sights(look, policy, release, found),
        revert_sights=_revert_sights(look, policy, release, found),
        revert_request=_revert_request(look, release),
        readings=_readings(look, policy, release),
    )


def _before(look: Look, release: Promotion) -> Mapping[str, str | None]:
    """What whole files replaced."""
    assert release.merge is not None
    writes = [write for change in release.changes for write in change.copied]
    files = [write.file for write in writes if write.part is Part.FILE]
    try:
        return look.repository.trees.texts(release.merge.parent, files) if files else {}
    except UnknownCommit:
        look.repository.trees.forget_fetch()
        return {}


def _pinned(look: Look, release: Promotion) -> Policy | None:
    """The configuration as of the merge; today's where that one cannot be read any more."""
    assert release.merge is not None
    try:
        config = look.repository.trees.config(release.merge.parent)
    except (UnknownCommit, ConfigError, NoConfigError):
        return look.policy
    target = look.target
    pinned = policy_for(config, target.pipeline, target.environment, release.merge.parent)
    return pinned or look.policy


def _found(look: Look, policy: Policy, release: Promotion) -> dict[str, Found]:
    """The applications of those services that none were found for until the merge."""
    if not policy.environment.finds_applications:
        return {}
    written = {
        change.service: files_of([change])
        for change in release.changes
        if change.service not in release.applications
    }
    return look.readers.find(policy.environment.argocd, policy, written, look.base)


def _release_sights(
    look: Look, policy: Policy, release: Promotion, found: Mapping[str, Found]
) -> dict[str, Sight]:
    assert release.merge is not None
    questions = []
    for change in release.changes:
        if release.outcomes.get(change.service) not in (Outcome.ROLLING_OUT, Outcome.LIVE):
            continue
        unknown = why_unknown(change.service, found)
        for name in release_names(policy, pinned(release, found), change.service):
            watch = release.watches.get(name)
            if watch is not None and not is_due(look, name, watch.look_again_at, False):
                continue
            expected = expected_release(policy, release, release.merge, change, look.base)
            before = release.picture.get(name)
            questions.append(Question(name, watch, expected, before, unknown))
    return look.sights.look(policy.environment.argocd, questions)


def _revert_sights(
    look: Look, policy: Policy, release: Promotion, found: Mapping[str, Found]
) -> dict[str, Sight]:
    questions = []
    for revert in release.reverts:
        parent = _parent(look, revert.sha) if revert.sha is not None else None
        if revert.sha is None or parent is None:
            continue
        for change in release.changes:
            reverting = release.outcomes.get(change.service) is Outcome.REVERTING
            if change.service not in revert.services or not reverting:
                continue
            unknown = why_unknown(change.service, found)
            for name in release_names(policy, pinned(release, found), change.service):
                watch = revert.watches.get(name)
                if watch is not None and not is_due(look, name, watch.look_again_at, False):
                    continue
                expected = expected_revert(policy, release, revert, change, look.base, parent)
                before = release.picture.get(name)
                questions.append(Question(name, watch, expected, before, unknown))
    return look.sights.look(policy.environment.argocd, questions)


def _parent(look: Look, sha: Sha) -> Sha | None:
    """None when another replica made the commit since we last fetched: the next look fetches."""
    try:
        return look.repository.trees.parent(sha)
    except UnknownCommit:
        look.repository.trees.forget_fetch()
        return None


def _reverse(
    look: Look,
    release: Promotion,
    at_head: Mapping[str, str | None],
    before: Mapping[str, str | None],
) -> Seen[Reverse] | None:
    """Asked of git only where something is to go back now, and cannot by value."""
    plans = [plan_revert(release, each.services, at_head, before) for each in to_start(release)]
    if release.merge is None or not any(isinstance(planned, ByMerge) for planned in plans):
        return None
    trees = look.repository.trees
    try:
        return Known(trees.reverse(release.merge, release.changes, look.base), look.now)
    except UnknownCommit as unknown:
        trees.forget_fetch()
        return Unknown(str(unknown), look.now, look.now + look.outside.settings.fetch)
    except GitError as error:
        return Unknown(str(error), look.now)


def _revert_request(look: Look, release: Promotion) -> Seen[RevertSeen] | None:
    waiting = [found.pull_request for found in release.reverts if found.sha is None]
    number = next((found for found in waiting if found is not None), None)
    if number is None:
        return None
    current = seen(look, lambda github: github.pull_request(look.target.repository, number))
    if isinstance(current, Unknown):
        return current
    merged = current.value.merge_commit if current.value.merged else None
    return Known(RevertSeen(merged, current.value.open), look.now)


def _readings(look: Look, policy: Policy, release: Promotion) -> tuple[Reading, ...]:
    if release.live_at is None:
        return ()
    due = verification.due(policy.environment.verification, release.checks, look.now)
    readings = []
    for check in due:
        good, text = look.outside.probe.read(check)
        readings.append(Reading(check.name, good, text, look.now))
    return tuple(readings)
