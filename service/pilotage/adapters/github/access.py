"""What the credentials may do in a repository: read for `pilotage check --live`."""

from __future__ import annotations

from collections.abc import Mapping

from pilotage.adapters.github import errors
from pilotage.adapters.github.answers import Installation, Repository, read
from pilotage.adapters.github.calls import Calls
from pilotage.adapters.github.credentials import App
from pilotage.adapters.github.paths import repository_path, segment
from pilotage.adapters.github.sign_in import SignIn
from pilotage.core.forge import Access, Need

# What the service needs: GitHub's name of the permission, the level, what it is for.
_NEEDS = (
    ("contents", "write", "push promotion branches and revert commits"),
    ("pull_requests", "write", "open, label and edit pull requests"),
    ("statuses", "write", "post pilotage/ready"),
    ("deployments", "write", "record deployments"),
    ("members", "read", "tell who belongs to an approving team"),
    ("administration", "read", "see what the base branch requires"),
)
_LEVELS = ("none", "read", "write", "admin")


def check_access(calls: Calls, sign_in: SignIn, repository: str) -> Access:
    """Two requests, and one to learn who we are."""
    path, what = repository_path(repository), f"reading {repository}"
    headers, body = calls.get_with_headers(repository, path, what)
    seen = read(Repository, body, what, f"GET {path}")
    granted: dict[str, bool | None]
    app = None
    if isinstance(sign_in.credential, App):
        installation = sign_in.installation(repository)
        app, granted = installation.app_id, _of_installation(installation)
    else:
        granted = _of_machine_user(headers, seen)
        granted["members"] = _may_read_teams(calls, repository)
    return Access(
        identity=sign_in.identity(),
        default_branch=seen.default_branch,
        needs=tuple(
            Need(f"{name}: {level}", purpose, granted[name]) for name, level, purpose in _NEEDS
        ),
        app=app,
        administrator=app is None and seen.permissions is not None and seen.permissions.admin,
        archived=seen.archived,
        merge_methods=seen.merge_methods,
    )


def _of_installation(installation: Installation) -> dict[str, bool | None]:
    has = installation.permissions
    return {name: _level(has.get(name, "none")) >= _level(level) for name, level, _ in _NEEDS}


def _of_machine_user(headers: Mapping[str, str], seen: Repository) -> dict[str, bool | None]:
    """The account's role and, for a classic token, its scopes.

    A fine-grained token does not say what it was given: what the role allows stays unknown then.
    """
    role = seen.permissions
    scopes = headers.get("x-oauth-scopes")
    words = set() if scopes is None else {scope.strip() for scope in scopes.split(",")}

    def may(by_role: bool | None, *any_scope: str) -> bool | None:
        if by_role is False:
            return False
        if scopes is None:
            return None
        return bool(words & set(any_scope)) and by_role

    push = role.push if role else None
    admin = role.admin if role else None
    return {
        "contents": may(push, "repo", "public_repo"),
        "pull_requests": may(push, "repo", "public_repo"),
        "statuses": may(push, "repo", "repo:status"),
        "deployments": may(push, "repo", "repo_deployment"),
        "administration": may(admin, "repo", "public_repo"),
    }


def _may_read_teams(calls: Calls, repository: str) -> bool | None:
    """Tried, because no scope or role tells it. A person's account has no teams at all."""
    owner = repository.partition("/")[0]
    try:
        next(
            calls.rows(
                repository, f"/orgs/{segment(owner)}/teams", "looking at the teams", limit=1
            ),
            None,
        )
    except errors.Forbidden:
        return False
    except errors.NotFound:
        return None
    return True


def _level(word: str) -> int:
    return _LEVELS.index(word) if word in _LEVELS else 0
