"""Commits, and what is recorded about them, as GitHub's JSON."""

from __future__ import annotations

from datetime import datetime

from pilotage.sandbox.github.bare import Commit, FileChange, Person
from pilotage.sandbox.github.model import (
    CheckRun,
    Deployment,
    DeploymentStatus,
    Repository,
    Status,
    WorkflowRun,
)
from pilotage.sandbox.github.render import (
    Json,
    account,
    app,
    minimal_repository,
    node,
    repository_url,
    time,
)
from pilotage.sandbox.github.state import State

# git objects -----------------------------------------------------------------------------


def _person(who: Person, at: datetime) -> Json:
    return {"name": who.name, "email": who.email, "date": time(at)}


def _account_of(state: State, who: Person) -> Json | None:
    found = next((each for each in state.accounts.values() if each.email == who.email), None)
    return None if found is None else account(state, found)


def simple_commit(which: Commit, timestamp: str | None) -> Json:
    """As events and runs hold it; GitHub does not write the time in all of them the same way."""
    return {
        "id": which.sha,
        "tree_id": which.tree,
        "message": which.message,
        "timestamp": timestamp,
        "author": {"name": which.author.name, "email": which.author.email},
        "committer": {"name": which.committer.name, "email": which.committer.email},
    }


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
            {"sha": each, "url": f"{url}/git/commits/{each}", "html_url": f"{html}/commit/{each}"}
            for each in commit.parents
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
            {"sha": each, "url": f"{url}/commits/{each}", "html_url": f"{html}/commit/{each}"}
            for each in which.parents
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


def check_suite(state: State, repo: Repository, run: CheckRun) -> Json:
    """The suite of a run, as webhooks have it: one for each App."""
    branches = [ref for ref, sha in repo.git.refs("refs/heads/").items() if sha == run.sha]
    return {
        "id": run.app.id,
        "node_id": node("CheckSuite", run.app.id),
        "head_branch": branches[0].removeprefix("refs/heads/") if branches else None,
        "head_sha": run.sha,
        "status": run.status,
        "conclusion": run.conclusion,
        "url": f"{repository_url(state, repo)}/check-suites/{run.app.id}",
        "before": None,
        "after": run.sha,
        "pull_requests": [],
        "app": app(state, run.app),
        "created_at": time(run.started_at),
        "updated_at": time(run.completed_at or run.started_at),
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
        "head_commit": simple_commit(commit_, time(commit_.committed_at)),
        "repository": minimal_repository(state, repo),
        "head_repository": minimal_repository(state, repo),
    }
