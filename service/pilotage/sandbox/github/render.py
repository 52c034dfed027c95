"""Accounts, repositories, git objects and records as GitHub's JSON."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from pilotage.sandbox.github.bare import Commit, FileChange, Person
from pilotage.sandbox.github.model import (
    Account,
    App,
    CheckRun,
    Deployment,
    DeploymentStatus,
    Installation,
    Label,
    Permission,
    Repository,
    Status,
    Team,
    WorkflowRun,
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
        "installations_count": sum(i.app is which for i in state.installations.values()),
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


def repository(state: State, repo: Repository, login: str | None = None) -> Json:
    clone = f"{state.base_url}/{repo.full_name}.git"
    body = minimal_repository(state, repo) | {
        "git_url": clone,
        "ssh_url": clone,
        "clone_url": clone,
        "svn_url": f"{state.base_url}/{repo.full_name}",
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
        "default_branch": repo.default_branch,
        "open_issues": sum(pull.open for pull in repo.pulls.values()),
        "open_issues_count": sum(pull.open for pull in repo.pulls.values()),
        "topics": [],
        "has_issues": True,
        "has_projects": False,
        "has_wiki": False,
        "has_pages": False,
        "has_downloads": False,
        "has_discussions": False,
        "archived": False,
        "disabled": False,
        "visibility": "private" if repo.private else "public",
        "pushed_at": time(repo.pushed_at or repo.created_at),
        "created_at": time(repo.created_at),
        "updated_at": time(repo.created_at),
    }
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


# git objects -----------------------------------------------------------------------------


def _person(who: Person, at: datetime) -> Json:
    return {"name": who.name, "email": who.email, "date": time(at)}


def _account_of(state: State, who: Person) -> Json | None:
    found = next((a for a in state.accounts.values() if a.email == who.email), None)
    return None if found is None else account(state, found)


_UNSIGNED = {
    "verified": False,
    "reason": "unsigned",
    "signature": None,
    "payload": None,
    "verified_at": None,
}


def git_commit(state: State, repo: Repository, commit: Commit) -> Json:
    url = repository_url(state, repo)
    html = f"{state.base_url}/{repo.full_name}"
    return {
        "sha": commit.sha,
        "node_id": node("Commit", int(commit.sha[:8], 16)),
        "url": f"{url}/git/commits/{commit.sha}",
        "html_url": f"{html}/commit/{commit.sha}",
        "author": _person(commit.author, commit.authored_at),
        "committer": _person(commit.committer, commit.committed_at),
        "tree": {"sha": commit.tree, "url": f"{url}/git/trees/{commit.tree}"},
        "message": commit.message,
        "parents": [
            {"sha": p, "url": f"{url}/git/commits/{p}", "html_url": f"{html}/commit/{p}"}
            for p in commit.parents
        ],
        "verification": _UNSIGNED,
    }


def commit(state: State, repo: Repository, which: Commit) -> Json:
    url = repository_url(state, repo)
    html = f"{state.base_url}/{repo.full_name}"
    return {
        "sha": which.sha,
        "node_id": node("Commit", int(which.sha[:8], 16)),
        "url": f"{url}/commits/{which.sha}",
        "html_url": f"{html}/commit/{which.sha}",
        "comments_url": f"{url}/commits/{which.sha}/comments",
        "commit": {
            "author": _person(which.author, which.authored_at),
            "committer": _person(which.committer, which.committed_at),
            "message": which.message,
            "tree": {"sha": which.tree, "url": f"{url}/git/trees/{which.tree}"},
            "url": f"{url}/git/commits/{which.sha}",
            "comment_count": 0,
            "verification": _UNSIGNED,
        },
        "author": _account_of(state, which.author),
        "committer": _account_of(state, which.committer),
        "parents": [
            {"sha": p, "url": f"{url}/commits/{p}", "html_url": f"{html}/commit/{p}"}
            for p in which.parents
        ],
    }


def file_change(state: State, repo: Repository, sha: str, change: FileChange) -> Json:
    url = repository_url(state, repo)
    html = f"{state.base_url}/{repo.full_name}"
    body: Json = {
        "sha": change.blob,
        "filename": change.path,
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "blob_url": f"{html}/blob/{sha}/{change.path}",
        "raw_url": f"{html}/raw/{sha}/{change.path}",
        "contents_url": f"{url}/contents/{change.path}?ref={sha}",
    }
    if change.patch is not None:
        body["patch"] = change.patch
    if change.previous_path is not None:
        body["previous_filename"] = change.previous_path
    return body


# Records on a commit ---------------------------------------------------------------------


def simple_status(state: State, repo: Repository, which: Status) -> Json:
    return {
        "url": f"{repository_url(state, repo)}/statuses/{which.sha}",
        "avatar_url": f"{state.base_url}/_sandbox/avatar/{which.creator.id}",
        "id": which.id,
        "node_id": node("Status", which.id),
        "state": which.state,
        "description": which.description,
        "target_url": which.target_url,
        "context": which.context,
        "created_at": time(which.created_at),
        "updated_at": time(which.created_at),
    }


def status(state: State, repo: Repository, which: Status) -> Json:
    return simple_status(state, repo, which) | {"creator": account(state, which.creator)}


def check_run(state: State, repo: Repository, which: CheckRun) -> Json:
    url = f"{repository_url(state, repo)}/check-runs/{which.id}"
    return {
        "id": which.id,
        "node_id": node("CheckRun", which.id),
        "head_sha": which.sha,
        "external_id": which.external_id,
        "url": url,
        "html_url": f"{state.base_url}/{repo.full_name}/runs/{which.id}",
        "details_url": which.details_url,
        "status": which.status,
        "conclusion": which.conclusion,
        "started_at": time(which.started_at),
        "completed_at": time(which.completed_at),
        "output": {
            "title": which.title,
            "summary": which.summary,
            "text": None,
            "annotations_count": 0,
            "annotations_url": f"{url}/annotations",
        },
        "name": which.name,
        "check_suite": {"id": which.app.id},
        "app": app(state, which.app),
        "pull_requests": [],
    }


def deployment(state: State, repo: Repository, which: Deployment) -> Json:
    url = f"{repository_url(state, repo)}/deployments/{which.id}"
    return {
        "url": url,
        "id": which.id,
        "node_id": node("Deployment", which.id),
        "sha": which.sha,
        "ref": which.ref,
        "task": which.task,
        "payload": which.payload,
        "original_environment": which.environment,
        "environment": which.environment,
        "description": which.description,
        "creator": account(state, which.creator),
        "created_at": time(which.created_at),
        "updated_at": time(which.updated_at),
        "statuses_url": f"{url}/statuses",
        "repository_url": repository_url(state, repo),
        "transient_environment": which.transient_environment,
        "production_environment": which.production_environment,
    }


def deployment_status(
    state: State, repo: Repository, of: Deployment, which: DeploymentStatus
) -> Json:
    url = f"{repository_url(state, repo)}/deployments/{of.id}"
    return {
        "url": f"{url}/statuses/{which.id}",
        "id": which.id,
        "node_id": node("DeploymentStatus", which.id),
        "state": which.state,
        "creator": account(state, which.creator),
        "description": which.description,
        "environment": which.environment,
        "target_url": which.log_url,
        "created_at": time(which.created_at),
        "updated_at": time(which.created_at),
        "deployment_url": url,
        "repository_url": repository_url(state, repo),
        "environment_url": which.environment_url,
        "log_url": which.log_url,
    }


def workflow_run(state: State, repo: Repository, run: WorkflowRun) -> Json:
    url = f"{repository_url(state, repo)}/actions/runs/{run.id}"
    commit_ = repo.git.commit(run.sha)
    return {
        "id": run.id,
        "name": run.name,
        "node_id": node("WorkflowRun", run.id),
        "head_branch": run.branch,
        "head_sha": run.sha,
        "path": run.path,
        "display_title": commit_.title,
        "run_number": run.run_number,
        "run_attempt": run.run_attempt,
        "event": run.event,
        "status": run.status,
        "conclusion": run.conclusion,
        "workflow_id": run.workflow_id,
        "check_suite_id": run.id,
        "check_suite_node_id": node("CheckSuite", run.id),
        "url": url,
        "html_url": f"{state.base_url}/{repo.full_name}/actions/runs/{run.id}",
        "pull_requests": [],
        "created_at": time(run.created_at),
        "updated_at": time(run.updated_at),
        "actor": account(state, run.actor),
        "triggering_actor": account(state, run.actor),
        "run_started_at": time(run.created_at),
        "jobs_url": f"{url}/jobs",
        "logs_url": f"{url}/logs",
        "check_suite_url": f"{repository_url(state, repo)}/check-suites/{run.id}",
        "artifacts_url": f"{url}/artifacts",
        "cancel_url": f"{url}/cancel",
        "rerun_url": f"{url}/rerun",
        "previous_attempt_url": None,
        "workflow_url": f"{repository_url(state, repo)}/actions/workflows/{run.workflow_id}",
        "head_commit": {
            "id": commit_.sha,
            "tree_id": commit_.tree,
            "message": commit_.message,
            "timestamp": time(commit_.committed_at),
            "author": {"name": commit_.author.name, "email": commit_.author.email},
            "committer": {"name": commit_.committer.name, "email": commit_.committer.email},
        },
        "repository": minimal_repository(state, repo),
        "head_repository": minimal_repository(state, repo),
    }
