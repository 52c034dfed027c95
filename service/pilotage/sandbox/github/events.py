"""Webhook payloads that several rooms send."""

from __future__ import annotations

from typing import Any

from pilotage.sandbox.github import render, render_pulls, rules
from pilotage.sandbox.github.model import Account, Comment, PullRequest, Repository
from pilotage.sandbox.github.render import Json
from pilotage.sandbox.github.state import State


def repository_event(
    state: State, repo: Repository, event: str, payload: Json, by: Account
) -> None:
    """Send `payload` with the fields that every event of a repository carries."""
    if not repo.hooks:
        return
    common: Json = {"repository": render.repository(state, repo)}
    if repo.owner.type == "Organization":
        common["organization"] = render.organization(state, repo.owner)
    state.emit(repo, event, payload | common, render.account(state, by))


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
