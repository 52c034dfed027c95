"""What people asked for, and what they wrote to the branch."""

from __future__ import annotations

from dataclasses import replace

from pilotage.adapters.github import GitHubError
from pilotage.core.model import (
    ServiceChange,
    Sha,
)
from pilotage.core.people import running_now
from pilotage.core.plan import Pattern
from pilotage.core.snapshot import (
    Snapshot,
    Written,
)
from pilotage.engine.observe.look import Look, logins

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
    except GitHubError:
        return False


def with_people(look: Look, snapshot: Snapshot) -> Snapshot:
    """Who changed versions on the branch since the last look, where that was not us."""
    since = look.target.running_at
    if since is None or since == look.base:
        return snapshot
    now = running_now(look.plan)
    before = look.target.running
    moved = [name for name, found in now.items() if before.get(name, found) != found]
    if not moved:
        return snapshot
    written: dict[str, Written] = {}
    changes: dict[Sha, tuple[ServiceChange, ...]] = {}
    pattern = Pattern(look.policy.pipeline.files, look.policy.environment_name)
    for service in moved:
        commit = _last_change(look, since, pattern.path(service))
        written[service] = commit
        changes[commit.sha] = look.repository.trees.steps(
            look.policy.pipeline, look.policy.environment_name, commit.parent, commit.sha
        )
    return replace(snapshot, head_moved_by=written, written_changes=changes)


def _last_change(look: Look, since: Sha, file: str) -> Written:
    """The newest commit on the branch's own line that changed this file."""
    trees = look.repository.trees
    for commit in trees.git.first_parents(look.base, _COMMITS_WALKED):
        if commit.sha == since or not commit.parents:
            break
        if trees.changed(commit.parents[0], commit.sha, [file]):
            return Written(commit.sha, commit.parents[0], commit.author.name, commit.committed_at)
    head = trees.commit(look.base)
    return Written(head.sha, trees.parent(look.base), head.author.name, head.committed_at)
