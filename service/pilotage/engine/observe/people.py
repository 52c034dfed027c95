"""What people asked for, and what they wrote to the branch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pilotage.adapters.git import UnknownCommit
from pilotage.adapters.github import GitHubError, RateLimited, Unreachable
from pilotage.core.change import ServiceChange
from pilotage.core.layout import layout_of
from pilotage.core.model import Sha
from pilotage.core.rollout.watch import Relation
from pilotage.core.snapshot import (
    Snapshot,
    Written,
    WrittenChanges,
)
from pilotage.engine.observe.look import CannotObserve, Look, logins, until_of

_COMMITS_WALKED = 50


def permitted(look: Look) -> frozenset[str]:
    """Commands of people that the policy allows; the operator's own are always."""
    return frozenset(
        command.id
        for command in look.post.commands
        if command.comment is None or _may_command(look, command.by)
    )


def _may_command(look: Look, login: str) -> bool:
    allowed = look.policy.environment.commands
    try:
        if not allowed.anybody:
            permission = look.outside.github.permission(look.target.repository, login)
            return permission in ("admin", "write")
        return login in logins(look, allowed)
    except (RateLimited, Unreachable) as error:
        # A person's command is not refused because we could not ask: it waits in the mail.
        raise CannotObserve(str(error), until_of(error)) from None
    except GitHubError:
        return False


def with_people(look: Look, snapshot: Snapshot) -> Snapshot:
    """Who changed versions on the branch since the last look, where that was not us."""
    since = look.target.running_at
    if since is None or since == look.base:
        return snapshot
    if _switched(look, since):
        return snapshot
    snapshot = replace(snapshot, passed=_passed(look, since))
    now = look.plan.versions_in_target
    before = look.target.running
    moved = [name for name, found in now.items() if before.get(name, found) != found]
    if not moved:
        return snapshot
    written: dict[str, Written] = {}
    changes: dict[Sha, tuple[ServiceChange, ...]] = {}
    layout = layout_of(look.policy.pipeline, look.policy.environment_name)
    for service in moved:
        commit = _last_change(look, since, layout.files_of(service))
        written[service] = commit
        changes[commit.sha] = look.repository.trees.steps(
            look.policy.pipeline, look.policy.environment_name, commit.parent, commit.sha
        )
    return replace(snapshot, head_moved_by=written, written_changes=changes)


def _switched(look: Look, since: Sha) -> bool:
    """Another branch is the default now, and does not go on from where the one before it stood:
    nobody released or took back what differs."""
    if look.target.base_branch in ("", look.base_branch):
        return False
    trees = look.repository.trees
    return trees.relation(since, look.base) is not Relation.DESCENDANT


def _last_change(look: Look, since: Sha, files: Sequence[str]) -> Written:
    """The newest commit on the branch's own line that changed one of these files."""
    trees = look.repository.trees
    for commit in trees.git.first_parents(look.base, _COMMITS_WALKED):
        if commit.sha == since or not commit.parents:
            break
        if trees.changed(commit.parents[0], commit.sha, files):
            return Written(commit.sha, commit.parents[0], commit.author.name, commit.committed_at)
    head = trees.commit(look.base)
    return Written(head.sha, trees.parent(look.base), head.author.name, head.committed_at)


def _passed(look: Look, since: Sha) -> tuple[WrittenChanges, ...]:
    """Where several commits changed promoted files since: each step, oldest first.

    A value that went out and was taken back again between two looks shows in no comparison of
    then and now. A single commit's step is that comparison, and costs nothing more.
    """
    trees, pipeline = look.repository.trees, look.policy.pipeline
    environment = look.policy.environment_name
    prefixes = layout_of(pipeline, environment).prefixes
    try:
        if len(trees.git.log(since, look.base, prefixes, limit=2)) < 2:
            return ()
        steps = []
        for commit in trees.git.first_parents(look.base, _COMMITS_WALKED):
            if commit.sha == since or not commit.parents:
                break
            parent = commit.parents[0]
            changes = trees.steps(pipeline, environment, parent, commit.sha)
            by = Written(commit.sha, parent, commit.author.name, commit.committed_at)
            steps.append(WrittenChanges(by, changes))
        return tuple(reversed(steps))
    except UnknownCommit:
        return ()
