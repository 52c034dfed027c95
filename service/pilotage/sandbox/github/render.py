"""Accounts, repositories, git objects and records as GitHub's JSON."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from pilotage.sandbox.github.model import (
    Account,
    App,
    Installation,
    Label,
    Permission,
    Repository,
    Team,
)
from pilotage.sandbox.github.state import State

Json = dict[str, Any]


def time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def node(kind: str, number: int) -> str:
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def account(state: State, who: Account) -> Json:
    url = f"{state.api}/users/{who.login}"
    links = ("followers", "gists", "starred", "subscriptions", "repos", "events", "received_events")
    return {
        "login": who.login,
        "id": who.id,
        "node_id": node(who.type, who.id),
        "avatar_url": f"{state.base_url}/_sandbox/avatar/{who.id}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{state.base_url}/{who.login}",
        **{f"{name}_url": f"{url}/{name}" for name in links},
        "following_url": f"{url}/following{{/other_user}}",
        "organizations_url": f"{url}/orgs",
        "type": who.type,
        "site_admin": False,
        "user_view_type": "public",
    }


def full_account(state: State, who: Account) -> Json:
    return account(state, who) | {
        "name": who.name,
        "company": None,
        "blog": "",
        "location": None,
        "email": None,
        "hireable": None,
        "bio": None,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": "2020-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z",
    }


def organization(state: State, who: Account) -> Json:
    url = f"{state.api}/orgs/{who.login}"
    return {
        "login": who.login,
        "id": who.id,
        "node_id": node("Organization", who.id),
        "url": url,
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events",
        "hooks_url": f"{url}/hooks",
        "issues_url": f"{url}/issues",
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
        "avatar_url": f"{state.base_url}/_sandbox/avatar/{who.id}",
        "description": "",
        "html_url": f"{state.base_url}/{who.login}",
        "has_organization_projects": True,
        "has_repository_projects": True,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "type": "Organization",
        "created_at": "2020-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z",
        "archived_at": None,
    }


def team(state: State, which: Team) -> Json:
    url = f"{state.api}/orgs/{which.organization}/teams/{which.slug}"
    return {
        "id": which.id,
        "node_id": node("Team", which.id),
        "url": url,
        "html_url": f"{state.base_url}/orgs/{which.organization}/teams/{which.slug}",
        "name": which.name,
        "slug": which.slug,
        "description": "",
        "privacy": "closed",
        "notification_setting": "notifications_enabled",
        "permission": "push",
        "members_url": f"{url}/members{{/member}}",
        "repositories_url": f"{url}/repos",
        "parent": None,
        "type": "organization",
    }


def app(state: State, which: App) -> Json:
    owner = state.account(which.owner)
    return {
        "id": which.id,
        "slug": which.slug,
        "client_id": f"Iv1.{which.id:016x}",
        "node_id": node("App", which.id),
        "owner": account(state, owner),
        "name": which.slug,
        "description": "",
        "external_url": state.base_url,
        "html_url": f"{state.base_url}/apps/{which.slug}",
        "created_at": time(which.created_at),
        "updated_at": time(which.created_at),
        "permissions": _APP_PERMISSIONS,
        "events": [],
        "installations_count": sum(each.app is which for each in state.installations.values()),
    }


_APP_PERMISSIONS = {
    "checks": "write",
    "contents": "write",
    "deployments": "write",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "write",
}


def installation(state: State, which: Installation) -> Json:
    return {
        "id": which.id,
        "account": account(state, which.account),
        "repository_selection": "selected",
        "access_tokens_url": f"{state.api}/app/installations/{which.id}/access_tokens",
        "repositories_url": f"{state.api}/installation/repositories",
        "html_url": f"{state.base_url}/settings/installations/{which.id}",
        "app_id": which.app.id,
        "app_slug": which.app.slug,
        "target_id": which.account.id,
        "target_type": which.account.type,
        "permissions": _APP_PERMISSIONS,
        "events": [],
        "created_at": time(which.created_at),
        "updated_at": time(which.created_at),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": None,
        "suspended_at": None,
    }


# Endings of the addresses that a repository's JSON names, by field.
_REPOSITORY_URLS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}


def repository_url(state: State, repo: Repository) -> str:
    return f"{state.api}/repos/{repo.full_name}"


def minimal_repository(state: State, repo: Repository) -> Json:
    url = repository_url(state, repo)
    return {
        "id": repo.id,
        "node_id": node("Repository", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
        "owner": account(state, repo.owner),
        "html_url": f"{state.base_url}/{repo.full_name}",
        "description": None,
        "fork": False,
        "url": url,
        **{field: url + ending for field, ending in _REPOSITORY_URLS.items()},
    }


_UNUSED: Json = {
    "mirror_url": None,
    "homepage": None,
    "language": None,
    "license": None,
    "forks": 0,
    "forks_count": 0,
    "stargazers_count": 0,
    "watchers": 0,
    "watchers_count": 0,
    "size": 0,
    "topics": [],
    "has_issues": True,
    "has_projects": False,
    "has_wiki": False,
    "has_pages": False,
    "has_downloads": False,
    "has_discussions": False,
    "archived": False,
    "disabled": False,
    "is_template": False,
    "web_commit_signoff_required": False,
    "custom_properties": {},
}
"""What github.com says of every repository and no promotion uses: the same of each one here."""


def repository(state: State, repo: Repository, login: str | None = None) -> Json:
    clone = f"{state.base_url}/{repo.full_name}.git"
    body = (
        minimal_repository(state, repo)
        | _UNUSED
        | {
            "git_url": clone,
            "ssh_url": clone,
            "clone_url": clone,
            "svn_url": f"{state.base_url}/{repo.full_name}",
            "default_branch": repo.default_branch,
            "open_issues": sum(pull.open for pull in repo.pulls.values()),
            "open_issues_count": sum(pull.open for pull in repo.pulls.values()),
            "visibility": "private" if repo.private else "public",
            "pushed_at": time(repo.pushed_at or repo.created_at),
            "created_at": time(repo.created_at),
            "updated_at": time(repo.created_at),
        }
    )
    if login is not None:
        held = state.permission(repo, login)
        body |= {
            "permissions": permissions(held),
            "allow_merge_commit": "merge" in repo.allowed_methods,
            "allow_squash_merge": "squash" in repo.allowed_methods,
            "allow_rebase_merge": "rebase" in repo.allowed_methods,
            "allow_auto_merge": False,
            "delete_branch_on_merge": repo.delete_branch_on_merge,
            "network_count": 0,
            "subscribers_count": 0,
        }
    return body


def permissions(held: Permission) -> Json:
    return {
        "admin": held >= Permission.ADMIN,
        "maintain": held >= Permission.MAINTAIN,
        "push": held >= Permission.WRITE,
        "triage": held >= Permission.TRIAGE,
        "pull": held >= Permission.READ,
    }


def label(state: State, repo: Repository, which: Label) -> Json:
    return {
        "id": which.id,
        "node_id": node("Label", which.id),
        "url": f"{repository_url(state, repo)}/labels/{which.name}",
        "name": which.name,
        "description": which.description,
        "color": which.color,
        "default": False,
    }
