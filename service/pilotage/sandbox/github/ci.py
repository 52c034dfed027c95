"""A team's CI as it is seen from outside: deployments it reports and workflows it runs."""

from __future__ import annotations

from dataclasses import dataclass

from pilotage.sandbox.github import apps, records
from pilotage.sandbox.github.model import Account, CheckRun, Deployment, Repository, WorkflowRun
from pilotage.sandbox.github.state import State

_ACTIONS = "github-actions"


@dataclass(frozen=True, slots=True)
class Workflow:
    name: str
    path: str
    branch: str
    event: str


def report_deployment(
    state: State,
    repo: Repository,
    by: Account,
    wanted: records.NewDeployment,
    said: records.NewDeploymentStatus,
    ref: str,
) -> Deployment:
    """Give the newest record of that commit and environment a state; there is a new record if
    there was none."""
    sha = repo.git.resolve(wanted.ref)
    found = [
        each
        for each in repo.deployments
        if (each.sha, each.environment) == (sha, wanted.environment)
    ]
    if not found:
        found = [records.create_deployment(state, repo, by, wanted, ref)]
    records.create_deployment_status(state, repo, found[-1], by, said)
    return found[-1]


def report_check(
    state: State, repo: Repository, sha: str, name: str, conclusion: str | None
) -> CheckRun:
    """A check run as GitHub Actions writes it; pending without a `conclusion`."""
    app = next((app for app in state.apps.values() if app.slug == _ACTIONS), None)
    if app is None:
        app = apps.register(state, _ACTIONS, "", state.add_account("github", "Organization"))
    wanted = records.NewCheckRun(name, sha, "in_progress", conclusion)
    return records.add_check_run(state, repo, app, wanted)


def start_run(
    state: State, repo: Repository, by: Account, sha: str, workflow: Workflow
) -> WorkflowRun:
    same = [run.workflow_id for run in repo.workflow_runs if run.path == workflow.path]
    now = state.now()
    run = WorkflowRun(
        id=state.next_id(),
        name=workflow.name,
        path=workflow.path,
        workflow_id=same[0] if same else state.next_id(),
        run_number=len(same) + 1,
        run_attempt=1,
        sha=sha,
        branch=workflow.branch,
        event=workflow.event,
        status="queued",
        conclusion=None,
        actor=by,
        created_at=now,
        updated_at=now,
    )
    repo.workflow_runs.append(run)
    records.workflow_event(state, repo, run, "requested")
    return run


def rerun(state: State, repo: Repository, run: WorkflowRun) -> None:
    """The same run once more: its id stays, the attempt counts up."""
    run.run_attempt += 1
    run.status, run.conclusion = "queued", None
    run.updated_at = state.now()
    records.workflow_event(state, repo, run, "requested")


def finish_run(state: State, repo: Repository, run: WorkflowRun, conclusion: str) -> None:
    run.status, run.conclusion = "completed", conclusion
    run.updated_at = state.now()
    records.workflow_event(state, repo, run, "completed")
