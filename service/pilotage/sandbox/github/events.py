"""Webhook payloads that several rooms send."""

from __future__ import annotations

from typing import Any

from pilotage.sandbox.github import render, render_pulls, rules
from pilotage.sandbox.github.model import Account, Comment, Hook, PullRequest, Repository
from pilotage.sandbox.github.render import Json
from pilotage.sandbox.github.state import State

ALL_EVENTS = (
    "push",
    "pull_request",
    "pull_request_review",
    "issue_comment",
    "status",
    "check_run",
    "deployment",
    "deployment_status",
    "workflow_run",
    "merge_group",
)


def repository_event(
    state: State, repo: Repository, event: str, payload: Json, by: Account
) -> None:
    """Send `payload` with the fields that every event of a repository carries."""
    if not repo.hooks:
        return
    common: Json = {"repository": render.repository(state, repo)}
    if event == "push":
        common["repository"] |= _as_push_has_it(state, repo)
    if repo.owner.type == "Organization":
        common["organization"] = render.organization(state, repo.owner)
    state.emit(repo, event, payload | common, render.account(state, by))


def _as_push_has_it(state: State, repo: Repository) -> Json:
    """The oldest of the events differs from all others: times are numbers, owners have names."""
    owner = render.account(state, repo.owner)
    return {
        "owner": owner | {"name": repo.owner.login, "email": None},
        "created_at": int(repo.created_at.timestamp()),
        "pushed_at": int((repo.pushed_at or repo.created_at).timestamp()),
        "master_branch": repo.default_branch,
        "stargazers": 0,
    }


def pull_event(state: State, pull: PullRequest, action: str, by: Account, **extra: Any) -> None:
    repo = pull.repository
    if not repo.hooks:
        return
    word = rules.mergeable_state(state, repo, pull)
    payload = {
        "action": action,
        "number": pull.number,
        "pull_request": render_pulls.pull(state, pull, word),
        **extra,
    }
    repository_event(state, repo, "pull_request", payload, by)


def comment_event(
    state: State,
    pull: PullRequest,
    comment: Comment,
    action: str,
    by: Account,
    **extra: Any,
) -> None:
    payload = {
        "action": action,
        "issue": render_pulls.issue(state, pull),
        "comment": render_pulls.comment(state, pull.repository, pull, comment),
        **extra,
    }
    repository_event(state, pull.repository, "issue_comment", payload, by)


def ping(state: State, repo: Repository, hook: Hook) -> Json:
    """What a new webhook is greeted with."""
    url = f"{render.repository_url(state, repo)}/hooks/{hook.id}"
    now = render.time(state.now())
    return {
        "zen": "Keep it logically awesome.",
        "hook_id": hook.id,
        "hook": {
            "type": "Repository",
            "id": hook.id,
            "name": "web",
            "active": True,
            "created_at": now,
            "updated_at": now,
            "url": url,
            "ping_url": f"{url}/pings",
            "test_url": f"{url}/test",
            "events": sorted(hook.events),
            "config": {"content_type": "json", "insecure_ssl": "0", "url": hook.url},
        },
        "repository": render.repository(state, repo),
        "sender": render.account(state, repo.owner),
    }
