"""What is recorded about a commit: statuses, check runs, deployments, workflow runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pilotage.sandbox.github import branches, merging, render, render_commits, rules
from pilotage.sandbox.github.bare import GitError, MergeConflict
from pilotage.sandbox.github.errors import Refused, invalid, invalid_field
from pilotage.sandbox.github.events import repository_event
from pilotage.sandbox.github.model import (
    Account,
    App,
    CheckRun,
    Credential,
    Deployment,
    DeploymentStatus,
    Installation,
    Permission,
    Repository,
    RequiredContext,
    Status,
    WorkflowRun,
)
from pilotage.sandbox.github.pulls import require
from pilotage.sandbox.github.state import State

LONGEST_DESCRIPTION = 140
STATUSES_PER_CONTEXT = 1000
STATUS_STATES = ("error", "failure", "pending", "success")
DEPLOYMENT_STATES = (
    "error",
    "failure",
    "inactive",
    "in_progress",
    "queued",
    "pending",
    "success",
)


@dataclass(frozen=True, slots=True)
class NewStatus:
    state: str
    context: str = "default"
    description: str | None = None
    target_url: str | None = None


def create_status(
    state: State, repo: Repository, sha: str, credential: Credential, wanted: NewStatus
) -> Status:
    by = credential.account
    require(state, repo, by, Permission.WRITE)
    if repo.git.object_type(sha) != "commit":
        raise Refused(422, f"No commit found for SHA: {sha}")
    if wanted.state not in STATUS_STATES:
        raise invalid_field("Status", "state")
    if wanted.description is not None and len(wanted.description) > LONGEST_DESCRIPTION:
        message = f"description is too long (maximum is {LONGEST_DESCRIPTION} characters)"
        raise invalid("Status", message, "description")
    held = repo.statuses.setdefault(sha, [])
    if sum(status.context == wanted.context for status in held) >= STATUSES_PER_CONTEXT:
        message = "This SHA and context has reached the maximum number of statuses."
        raise invalid("Status", message)
    made = Status(
        id=state.next_id(),
        sha=sha,
        state=wanted.state,
        context=wanted.context,
        description=wanted.description,
        target_url=wanted.target_url,
        creator=by,
        app_id=credential.installation.app.id if credential.installation else None,
        created_at=state.now(),
    )
    held.append(made)
    _status_event(state, repo, made)
    return made


def _status_event(state: State, repo: Repository, status: Status) -> None:
    if not repo.hooks:
        return
    commit = repo.git.commit(status.sha)
    names = repo.git.run(
        "for-each-ref", "--format=%(refname:short)", "--points-at", status.sha, "refs/heads"
    ).split()
    url = render.repository_url(state, repo)
    payload = render_commits.simple_status(state, repo, status) | {
        "sha": status.sha,
        "name": repo.full_name,
        "commit": render_commits.commit(state, repo, commit),
        "branches": [
            {
                "name": name,
                "commit": {"sha": status.sha, "url": f"{url}/commits/{status.sha}"},
                "protected": name in repo.protections,
            }
            for name in names
        ],
    }
    repository_event(state, repo, "status", payload, status.creator)


def combined_state(statuses: Sequence[Status]) -> str:
    words = {status.state for status in statuses}
    if words & {"failure", "error"}:
        return "failure"
    return "success" if words == {"success"} else "pending"


# Check runs ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewCheckRun:
    name: str
    sha: str
    status: str = "queued"
    conclusion: str | None = None
    external_id: str = ""
    details_url: str | None = None
    title: str | None = None
    summary: str | None = None


def create_check_run(
    state: State, repo: Repository, credential: Credential, wanted: NewCheckRun
) -> CheckRun:
    """Only an App may: a personal token is answered 403."""
    app = require_app(credential).app
    require(state, repo, credential.account, Permission.WRITE)
    return add_check_run(state, repo, app, wanted)


def add_check_run(state: State, repo: Repository, app: App, wanted: NewCheckRun) -> CheckRun:
    if repo.git.object_type(wanted.sha) != "commit":
        raise Refused(422, f"No commit found for SHA: {wanted.sha}")
    now = state.now()
    done = wanted.conclusion is not None
    made = CheckRun(
        id=state.next_id(),
        sha=wanted.sha,
        name=wanted.name,
        app=app,
        status="completed" if done else wanted.status,
        conclusion=wanted.conclusion,
        started_at=now,
        completed_at=now if done else None,
        external_id=wanted.external_id,
        details_url=wanted.details_url,
        title=wanted.title,
        summary=wanted.summary,
    )
    repo.check_runs.append(made)
    action = "completed" if done else "created"
    rendered = render_commits.check_run(state, repo, made)
    rendered["check_suite"] = render_commits.check_suite(state, repo, made)
    payload = {"action": action, "check_run": rendered}
    repository_event(state, repo, "check_run", payload, app.bot)
    return made


def require_app(credential: Credential) -> Installation:
    if credential.installation is None:
        raise Refused(403, "You must authenticate via a GitHub App.")
    return credential.installation


# Deployments -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewDeployment:
    ref: str
    environment: str = "production"
    task: str = "deploy"
    payload: object = ""
    description: str | None = None
    required_contexts: tuple[str, ...] | None = None
    auto_merge: bool = True
    transient_environment: bool = False
    production_environment: bool | None = None

    @property
    def is_production(self) -> bool:
        """As it was said, or else by the environment's name."""
        said = self.production_environment
        return self.environment == "production" if said is None else said


def create_deployment(
    state: State, repo: Repository, by: Account, wanted: NewDeployment, shown_ref: str = ""
) -> Deployment:
    """`shown_ref`: the name that the record carries, where it is not the one that was resolved.
    Raises Refused: 409 while contexts are not green, 202 where `auto_merge` merged instead."""
    require(state, repo, by, Permission.WRITE)
    sha = repo.git.resolve(wanted.ref)
    if sha is None:
        raise Refused(422, f"No ref found for: {wanted.ref}")
    if wanted.description is not None and len(wanted.description) > LONGEST_DESCRIPTION:
        message = f"description is too long (maximum is {LONGEST_DESCRIPTION} characters)"
        raise invalid("Deployment", message, "description")
    if wanted.auto_merge:
        _auto_merge(state, repo, by, wanted.ref, sha)
    _check_contexts(repo, wanted, sha)
    now = state.now()
    made = Deployment(
        id=state.next_id(),
        sha=sha,
        ref=shown_ref or wanted.ref,
        task=wanted.task,
        payload=wanted.payload or {},
        environment=wanted.environment,
        description=wanted.description,
        creator=by,
        created_at=now,
        updated_at=now,
        transient_environment=wanted.transient_environment,
        production_environment=wanted.is_production,
    )
    repo.deployments.append(made)
    payload = {
        "action": "created",
        "deployment": render_commits.deployment(state, repo, made),
        "workflow": None,
        "workflow_run": None,
    }
    repository_event(state, repo, "deployment", payload, by)
    return made


def _check_contexts(repo: Repository, wanted: NewDeployment, sha: str) -> None:
    if wanted.required_contexts is None:
        latest = rules.latest_statuses(repo, sha)
        lacking = [context for context, each in latest.items() if each.state != "success"]
    else:
        lacking = [
            context
            for context in wanted.required_contexts
            if rules.context_state(repo, sha, RequiredContext(context)) != "success"
        ]
    if lacking:
        message = f"Conflict: Commit status checks failed for {wanted.ref}."
        error = {"resource": "Deployment", "field": "required_contexts", "code": "invalid"}
        raise Refused(409, message, [error])


def _auto_merge(state: State, repo: Repository, by: Account, ref: str, sha: str) -> None:
    default = repo.git.branch(repo.default_branch)
    if repo.git.branch(ref) != sha or default is None or repo.git.contains(sha, default):
        return
    try:
        tree = repo.git.merge_trees(sha, default)
    except (MergeConflict, GitError) as error:
        message = f"Conflict merging {repo.default_branch} into {ref}."
        raise Refused(409, message) from error
    message = f"Merge {repo.default_branch} into {ref}"
    merged = repo.git.write_commit(tree, [sha, default], message, merging.GITHUB, state.now())
    branches.move(state, repo, f"refs/heads/{ref}", merged, sha, by)
    raise Refused(202, f"Auto-merged {repo.default_branch} into {ref} on deployment.")


@dataclass(frozen=True, slots=True)
class NewDeploymentStatus:
    state: str
    description: str = ""
    environment: str | None = None
    log_url: str = ""
    environment_url: str = ""
    auto_inactive: bool = True


def create_deployment_status(
    state: State, repo: Repository, of: Deployment, by: Account, wanted: NewDeploymentStatus
) -> DeploymentStatus:
    require(state, repo, by, Permission.WRITE)
    if wanted.state not in DEPLOYMENT_STATES:
        raise invalid_field("DeploymentStatus", "state")
    if len(wanted.description) > LONGEST_DESCRIPTION:
        message = f"description is too long (maximum is {LONGEST_DESCRIPTION} characters)"
        raise invalid("DeploymentStatus", message, "description")
    made = DeploymentStatus(
        id=state.next_id(),
        state=wanted.state,
        description=wanted.description,
        environment=wanted.environment or of.environment,
        log_url=wanted.log_url,
        environment_url=wanted.environment_url,
        creator=by,
        created_at=state.now(),
    )
    of.statuses.append(made)
    of.environment = made.environment
    of.updated_at = made.created_at
    if wanted.state == "success" and wanted.auto_inactive:
        _retire_others(state, repo, of, by)
    if wanted.state != "inactive":  # the one state that sends no event
        payload = {
            "action": "created",
            "deployment_status": render_commits.deployment_status(state, repo, of, made),
            "deployment": render_commits.deployment(state, repo, of),
            "check_run": None,
            "workflow": None,
            "workflow_run": None,
        }
        repository_event(state, repo, "deployment_status", payload, by)
    return made


def _retire_others(state: State, repo: Repository, of: Deployment, by: Account) -> None:
    for other in repo.deployments:
        same = other is not of and other.environment == of.environment
        if same and not other.transient_environment and other.statuses:
            if other.statuses[-1].state != "success":
                continue
            retired = NewDeploymentStatus("inactive", environment=other.environment)
            create_deployment_status(state, repo, other, by, retired)


# Workflow runs ---------------------------------------------------------------------------


def workflow_event(state: State, repo: Repository, run: WorkflowRun, action: str) -> None:
    """`action` is requested, in_progress or completed; `conclusion` is null before the last."""
    payload = {
        "action": action,
        "workflow_run": render_commits.workflow_run(state, repo, run),
        "workflow": {
            "id": run.workflow_id,
            "node_id": render.node("Workflow", run.workflow_id),
            "name": run.name,
            "path": run.path,
            "state": "active",
            "created_at": render.time(run.created_at),
            "updated_at": render.time(run.updated_at),
            "url": f"{render.repository_url(state, repo)}/actions/workflows/{run.workflow_id}",
            "html_url": f"{state.base_url}/{repo.full_name}/actions/workflows/{run.workflow_id}",
            "badge_url": f"{state.base_url}/{repo.full_name}/workflows/{run.workflow_id}/badge.svg",
        },
    }
    repository_event(state, repo, "workflow_run", payload, run.actor)
