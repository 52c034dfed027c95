"""REST: statuses, check runs, deployments, workflow runs; all hang on a commit."""

from __future__ import annotations

from typing import Any, Literal

from fastapi.responses import JSONResponse

from pilotage.sandbox.github import records, render, render_commits, rules
from pilotage.sandbox.github.call import AskingRepository, Body, LockedRouter, RepositoryCall
from pilotage.sandbox.github.errors import Refused, not_found
from pilotage.sandbox.github.model import CheckRun, Deployment, WorkflowRun
from pilotage.sandbox.github.render import Json

router = LockedRouter(prefix="/repos/{owner}/{repo}")


# Statuses --------------------------------------------------------------------------------


class NewStatus(Body):
    state: str
    target_url: str | None = None
    description: str | None = None
    context: str = "default"


@router.post("/statuses/{sha}", status_code=201)
def create_status(call: AskingRepository, sha: str, new: NewStatus) -> Json:
    wanted = records.NewStatus(new.state, new.context, new.description, new.target_url)
    made = records.create_status(call.state, call.repo, sha, call.credential, wanted)
    return render_commits.status(call.state, call.repo, made)


@router.get("/statuses/{ref:path}")  # the older address, which PyGithub follows
@router.get("/commits/{ref:path}/statuses")
def statuses(call: AskingRepository, ref: str) -> JSONResponse:
    held = call.repo.statuses.get(call.commit_sha(ref), [])
    return call.page(reversed(held), lambda s: render_commits.status(call.state, call.repo, s))


@router.get("/commits/{ref:path}/status")
def combined_status(call: AskingRepository, ref: str) -> Json:
    sha = call.commit_sha(ref)
    latest = list(rules.latest_statuses(call.repo, sha).values())
    url = render.repository_url(call.state, call.repo)
    return {
        "state": records.combined_state(latest),
        "statuses": [render_commits.simple_status(call.state, call.repo, each) for each in latest],
        "sha": sha,
        "total_count": len(latest),
        "repository": render.minimal_repository(call.state, call.repo),
        "commit_url": f"{url}/commits/{sha}",
        "url": f"{url}/commits/{sha}/status",
    }


# Check runs ------------------------------------------------------------------------------

Conclusion = Literal[
    "action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"
]


class Output(Body):
    title: str | None = None
    summary: str | None = None


class NewCheckRun(Body):
    name: str
    head_sha: str
    status: Literal["queued", "in_progress", "completed"] = "queued"
    conclusion: Conclusion | None = None
    external_id: str = ""
    details_url: str | None = None
    output: Output | None = None


@router.post("/check-runs", status_code=201)
def create_check_run(call: AskingRepository, new: NewCheckRun) -> Json:
    output = new.output or Output()
    wanted = records.NewCheckRun(
        new.name,
        new.head_sha,
        new.status,
        new.conclusion,
        new.external_id,
        new.details_url,
        output.title,
        output.summary,
    )
    made = records.create_check_run(call.state, call.repo, call.credential, wanted)
    return render_commits.check_run(call.state, call.repo, made)


class CheckRunChanges(Body):
    name: str | None = None
    status: Literal["queued", "in_progress", "completed"] | None = None
    conclusion: Conclusion | None = None
    details_url: str | None = None
    output: Output | None = None


@router.patch("/check-runs/{run_id}")
def update_check_run(call: AskingRepository, run_id: int, new: CheckRunChanges) -> Json:
    installation = records.require_app(call.credential)
    run = _check_run(call, run_id)
    if run.app is not installation.app:
        raise Refused(403, "Invalid app_id: this check run belongs to another App.")
    run.name = new.name or run.name
    run.details_url = new.details_url or run.details_url
    run.status, run.conclusion = new.status or run.status, new.conclusion or run.conclusion
    if run.conclusion is not None:
        run.status, run.completed_at = "completed", call.state.now()
    if new.output is not None:
        run.title, run.summary = new.output.title, new.output.summary
    return render_commits.check_run(call.state, call.repo, run)


def _check_run(call: RepositoryCall, run_id: int) -> CheckRun:
    for run in call.repo.check_runs:
        if run.id == run_id:
            return run
    raise not_found()


@router.get("/check-runs/{run_id}")
def check_run(call: AskingRepository, run_id: int) -> Json:
    return render_commits.check_run(call.state, call.repo, _check_run(call, run_id))


@router.get("/commits/{ref:path}/check-runs")
def check_runs(call: AskingRepository, ref: str, check_name: str = "") -> JSONResponse:
    sha = call.commit_sha(ref)
    found = [run for run in call.repo.check_runs if run.sha == sha and check_name in ("", run.name)]
    return call.page(
        found, lambda r: render_commits.check_run(call.state, call.repo, r), "check_runs"
    )


# Last of the addresses below `/commits`: it takes names with slashes.
@router.get("/commits/{ref:path}")
def commit(call: AskingRepository, ref: str) -> Json:
    git = call.repo.git
    found = git.commit(call.commit_sha(ref))
    parent = found.parents[0] if found.parents else git.run("mktree").strip()
    changes = git.changes(parent, found.sha)
    additions, deletions = (
        sum(each.additions for each in changes),
        sum(each.deletions for each in changes),
    )
    return render_commits.commit(call.state, call.repo, found) | {
        "stats": {
            "additions": additions,
            "deletions": deletions,
            "total": additions + deletions,
        },
        "files": [
            render_commits.file_change(call.state, call.repo, found.sha, each) for each in changes
        ],
    }


# Deployments -----------------------------------------------------------------------------


class NewDeployment(Body):
    ref: str
    task: str = "deploy"
    auto_merge: bool = True
    required_contexts: list[str] | None = None
    payload: Any = ""
    environment: str = "production"
    description: str | None = None
    transient_environment: bool = False
    production_environment: bool | None = None


@router.post("/deployments", status_code=201)
def create_deployment(call: AskingRepository, new: NewDeployment) -> Json:
    contexts = None if new.required_contexts is None else tuple(new.required_contexts)
    wanted = records.NewDeployment(
        ref=new.ref,
        environment=new.environment,
        task=new.task,
        payload=new.payload,
        description=new.description,
        required_contexts=contexts,
        auto_merge=new.auto_merge,
        transient_environment=new.transient_environment,
        production_environment=new.production_environment,
    )
    made = records.create_deployment(call.state, call.repo, call.by, wanted)
    return render_commits.deployment(call.state, call.repo, made)


@router.get("/deployments")
def deployments(
    call: AskingRepository, sha: str = "", ref: str = "", task: str = "", environment: str = ""
) -> JSONResponse:
    found = [
        each
        for each in reversed(call.repo.deployments)
        if sha in ("", each.sha)
        and ref in ("", each.ref)
        and task in ("", each.task)
        and environment in ("", each.environment)
    ]
    return call.page(found, lambda d: render_commits.deployment(call.state, call.repo, d))


def _deployment(call: RepositoryCall, number: int) -> Deployment:
    for found in call.repo.deployments:
        if found.id == number:
            return found
    raise not_found()


@router.get("/deployments/{number}")
def deployment(call: AskingRepository, number: int) -> Json:
    return render_commits.deployment(call.state, call.repo, _deployment(call, number))


@router.delete("/deployments/{number}", status_code=204)
def delete_deployment(call: AskingRepository, number: int) -> None:
    found = _deployment(call, number)
    active = found.statuses and found.statuses[-1].state != "inactive"
    if active and len(call.repo.deployments) > 1:
        raise Refused(422, "We cannot delete an active deployment unless it is the only one.")
    call.repo.deployments.remove(found)


class NewDeploymentStatus(Body):
    state: str
    target_url: str = ""
    log_url: str = ""
    description: str = ""
    environment: str | None = None
    environment_url: str = ""
    auto_inactive: bool = True


@router.post("/deployments/{number}/statuses", status_code=201)
def create_deployment_status(call: AskingRepository, number: int, new: NewDeploymentStatus) -> Json:
    of = _deployment(call, number)
    wanted = records.NewDeploymentStatus(
        new.state,
        new.description,
        new.environment,
        new.log_url or new.target_url,
        new.environment_url,
        new.auto_inactive,
    )
    made = records.create_deployment_status(call.state, call.repo, of, call.by, wanted)
    return render_commits.deployment_status(call.state, call.repo, of, made)


@router.get("/deployments/{number}/statuses")
def deployment_statuses(call: AskingRepository, number: int) -> JSONResponse:
    of = _deployment(call, number)
    return call.page(
        reversed(of.statuses),
        lambda s: render_commits.deployment_status(call.state, call.repo, of, s),
    )


# Workflow runs ---------------------------------------------------------------------------


@router.get("/actions/runs")
def workflow_runs(
    call: AskingRepository, branch: str = "", head_sha: str = "", status: str = "", event: str = ""
) -> JSONResponse:
    return _runs(call, call.repo.workflow_runs, branch, head_sha, status, event)


@router.get("/actions/workflows/{workflow}/runs")
def runs_of_workflow(
    call: AskingRepository,
    workflow: str,
    branch: str = "",
    head_sha: str = "",
    status: str = "",
    event: str = "",
) -> JSONResponse:
    """By number or by file name."""
    found = [
        run
        for run in call.repo.workflow_runs
        if workflow in (str(run.workflow_id), run.path.rpartition("/")[2])
    ]
    if not found:
        raise not_found()
    return _runs(call, found, branch, head_sha, status, event)


def _runs(
    call: RepositoryCall,
    runs: list[WorkflowRun],
    branch: str,
    head_sha: str,
    status: str,
    event: str,
) -> JSONResponse:
    found = [
        run
        for run in reversed(runs)
        if branch in ("", run.branch)
        and head_sha in ("", run.sha)
        and status in ("", run.status, run.conclusion)
        and event in ("", run.event)
    ]
    return call.page(
        found, lambda r: render_commits.workflow_run(call.state, call.repo, r), "workflow_runs"
    )


@router.get("/actions/runs/{run_id}")
def workflow_run(call: AskingRepository, run_id: int) -> Json:
    for run in call.repo.workflow_runs:
        if run.id == run_id:
            return render_commits.workflow_run(call.state, call.repo, run)
    raise not_found()
