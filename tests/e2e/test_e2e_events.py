"""Events are hints: any one of them starts a promotion, none of them is needed, and coming twice
they change nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from pilotage.clock import utc_now
from pilotage.core.model import Command, State
from pilotage.engine.mail import Commanded, posted
from pilotage.sandbox.github.webhooks import Delivery, signature
from pilotage.sandbox.world import BOT, CI, SECRET, TOKEN, World
from tests.e2e.harness import TARGET, Service, quick_world

RARE = {"compare": "60s", "look": "60s", "fetch": "60s"}
"""Nothing is looked at that no event asks for."""

Source = Callable[[World, Service], None]


def _application_head(world: World) -> str:
    head = world.application_repository.git.branch("main")
    assert head is not None
    return head


def _workflow_run(world: World, service: Service) -> None:
    hook = f"{service.server.url}/hooks/github"
    world.github.add_webhook(world.application_repository, hook, SECRET, ["workflow_run"])
    world.github.workflow_run(
        world.application_repository,
        "CI/CD",
        _application_head(world),
        by=CI,
        path=".github/workflows/ci-cd.yml",
    )


def _deployment_status(world: World, service: Service) -> None:
    hook = f"{service.server.url}/hooks/github"
    world.github.add_webhook(world.application_repository, hook, SECRET, ["deployment_status"])
    world.github.deployment_status(
        world.application_repository,
        _application_head(world),
        "staging",
        "success",
        by=CI,
        payload={"run_id": 18277361},
    )


def _push(world: World, service: Service) -> None:
    hook = f"{service.server.url}/hooks/github"
    world.github.add_webhook(world.repository, hook, SECRET, ["push"])
    world.github.commit(world.repository, "main", {"README.md": "# Moved\n"}, "docs: move", "sam")


def _argocd_notification(world: World, service: Service) -> None:
    answer = httpx.post(
        f"{service.server.url}/hooks/argocd",
        json={"app": "api-staging"},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert answer.status_code == 202, answer.text


def _reported(world: World, service: Service) -> None:
    body = {
        "repository": world.application_repository.full_name,
        "environment": "staging",
        "service": "api",
        "value": "api-v9.1.1",
        "run": "4711",
    }
    _report(service, body)


def _report(service: Service, body: dict[str, Any]) -> str:
    answer = httpx.post(
        f"{service.server.url}/api/v1/deployments",
        json=body,
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert answer.status_code == 202, answer.text
    id_ = answer.json()["id"]
    assert isinstance(id_, str)
    return id_


def _answer(service: Service, id_: str, wait: int = 15) -> dict[str, Any]:
    answer = httpx.get(
        f"{service.server.url}/api/v1/deployments/{id_}",
        params={"wait": wait},
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=wait + 5,
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.runbook("SYRF-1")
def test_every_event_lost_the_periodic_comparison_promotes(tmp_path: Path) -> None:
    """Nobody tells the service anything, from the deployment to the review: still one pull
    request, with its ticks attributed to the person who made them."""
    with quick_world(tmp_path) as world, Service(world, tmp_path, deaf=True) as service:
        service.until_settled()
        sha = world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        assert pull.head_ref == f"production-promotion-{sha[:7]}"
        service.tick_all(pull)
        service.until_ready(pull)
        target = service.target()
        assert target is not None
        assert target.proposal is not None
        assert {(tick.item, tick.by) for tick in target.proposal.ticks} == {
            ("feature", "maria"),
            ("migrations", "maria"),
        }
        assert len(world.pulls()) == 1


@pytest.mark.runbook("SYRF-1")
@pytest.mark.runbook("SYRF-4")
@pytest.mark.parametrize(
    ("source", "run"),
    [
        pytest.param(_workflow_run, "{run}", id="workflow_run of the application repository"),
        pytest.param(_deployment_status, "18277361", id="deployment_status of the application"),
        pytest.param(_push, "{head}", id="push to the GitOps repository"),
        pytest.param(_argocd_notification, "{sha}", id="Argo CD's notification"),
        pytest.param(_reported, "4711", id="POST /api/v1/deployments"),
    ],
)
def test_one_source_of_events_alone_starts_the_promotion(
    tmp_path: Path, source: Source, run: str
) -> None:
    """With the periodic comparison a minute away one event is enough, and where it names the CI
    run the branch is `production-promotion-<run-id>`."""
    with (
        quick_world(tmp_path) as world,
        Service(world, tmp_path, deaf=True, settings_given=RARE) as service,
    ):
        service.until_settled()
        sha = world.deploy("api", "api-v9.1.1")
        _until_live(world, "api-staging", "9.1.1")
        service.until_idle()
        target = service.target()
        assert target is not None
        assert target.proposal is None, "something else told of it"
        source(world, service)
        pull = service.until_open()
        runs = world.application_repository.workflow_runs
        named = run.format(run=runs[0].id if runs else "", sha=sha[:7], head=_head(world)[:7])
        assert pull.head_ref == f"production-promotion-{named}"
        assert pull.title == "Promote syrf to production: api v9.1.1"
        assert len(world.pulls()) == 1


@pytest.mark.runbook("SYRF-1")
def test_the_stream_of_argocd_alone_starts_the_promotion(tmp_path: Path) -> None:
    """Staging's applications are listened to before anything differs."""
    given = {**RARE, "fetch": "0s"}
    with (
        quick_world(tmp_path) as world,
        Service(world, tmp_path, deaf=True, settings_given=given) as service,
    ):
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        _until_live(world, "api-staging", "9.1.1")
        service.until_open()
        assert len(world.pulls()) == 1


@pytest.mark.runbook("SYRF-5")
def test_ci_is_told_what_became_of_its_deployment(tmp_path: Path) -> None:
    """Open with the pull request's address; nothing to do for what production has; refused for a
    version in quarantine, and for a set that a person closed; held while paused."""
    with (
        quick_world(tmp_path) as world,
        Service(world, tmp_path, settings_given=RARE) as service,
    ):
        service.until_settled()
        told = {
            "repository": world.application_repository.full_name,
            "environment": "staging",
            "service": "api",
            "value": "api-v9.1.1",
            "run": "4711",
        }
        same = _answer(service, _report(service, {**told, "value": "api-v9.0.4"}))
        assert same["state"] == "nothing-to-do", same
        for wrong in ({"repository": "acme/nobody"}, {"environment": "stagin"}):
            asked = _report(service, {**told, **wrong})
            service.until(lambda: not service.store.waiting_deliveries(), "the event is settled")
            nobody = _answer(service, asked, wait=0)
            assert nobody["state"] == "refused", nobody
            assert next(iter(wrong.values())) in nobody["reason"]
        world.deploy("api", "api-v9.1.1")
        asked = _report(service, told)
        found = _answer(service, asked)
        assert found["state"] == "open", found
        pull = world.pulls()[0]
        assert found["pull_request"] == f"{world.github.url}/{world.repository.full_name}/pull/1"
        assert pull.head_ref.startswith("production-promotion-")
        world.github.close(pull, "maria")
        service.until_state(1, State.CLOSED)
        closed = _answer(service, asked)
        assert closed["state"] == "refused", closed
        assert "maria" in closed["reason"]
        _command(service, "pause", "freeze until Monday")
        world.deploy("web", "web-v5.0.1")
        web = _report(service, {**told, "service": "web", "value": "web-v5.0.1"})
        held = _answer(service, web)
        assert held["state"] == "held", held
        assert "freeze until Monday" in held["reason"]
        assert len(world.pulls()) == 1


def _command(service: Service, name: str, argument: str = "") -> None:
    """As somebody's `pilotage` at the terminal."""
    command = Command(f"told-{name}", name, argument, "maria", utc_now())
    service.store.post([posted(TARGET, Commanded(command), utc_now())])
    service.engine.poke()


def test_a_redelivery_is_accepted_and_changes_nothing(tmp_path: Path) -> None:
    """Every delivery of a whole review comes a second time: 202, no look, no write, no second
    answer to a command."""
    with (
        quick_world(tmp_path) as world,
        Service(world, tmp_path, settings_given=RARE) as service,
    ):
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        world.github.comment(pull, "/pilotage tick migrations", "maria")
        service.tick(pull, "feature")
        service.until_ready(pull)
        world.argocd.stop_controller()
        service.until_idle()
        hooks = world.github.webhooks
        seen = [found for found in hooks.log if found.event != "ping"]
        assert {"push", "pull_request", "issue_comment"} <= {found.event for found in seen}
        ticks, writes = len(service.ticks), len(world.github.requests.writes())
        history = len(service.history())
        for delivery in seen:
            hooks.redeliver(delivery.id)
        service.until_idle()
        again = [found for found in hooks.log if found.redelivery]
        assert len(again) == len(seen)
        assert {found.status_code for found in again} == {202}
        assert len(service.ticks) == ticks
        assert len(world.github.requests.writes()) == writes
        assert len(service.history()) == history
        assert len(world.pulls()) == 1


def test_what_our_own_writes_cause_does_not_wake_the_target(tmp_path: Path) -> None:
    """Branch, pull request, labels, statuses and body come back as events; none of them leads to
    a look."""
    with (
        quick_world(tmp_path) as world,
        Service(world, tmp_path, settings_given=RARE) as service,
    ):
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        service.until_open()
        world.argocd.stop_controller()
        service.until_idle()
        ours = [found for found in world.github.webhooks.log if _by_us(found)]
        assert {found.event for found in ours} >= {"push", "pull_request", "status"}
        ticks = len(service.ticks)
        for delivery in ours:  # once more, as new deliveries
            guid = f"{delivery.guid}-again"
            answer = httpx.post(
                delivery.hook.url,
                content=delivery.body,
                headers={
                    "Content-Type": "application/json",
                    "X-GitHub-Event": delivery.event,
                    "X-GitHub-Delivery": guid,
                    "X-Hub-Signature-256": signature(SECRET, delivery.body),
                },
            )
            assert answer.status_code == 202
        service.until_idle()
        assert len(service.ticks) == ticks


def _by_us(delivery: Delivery) -> bool:
    sender = delivery.payload.get("sender")
    return sender is not None and sender["login"] == BOT


def _head(world: World) -> str:
    head = world.repository.git.branch("main")
    assert head is not None
    return head


def _until_live(world: World, application: str, version: str) -> None:
    """Argo CD was told of the commit, and the new pods are the only ones."""
    world.argocd.refresh(application)

    def live() -> bool:
        status = world.argocd.document(application)["status"]
        images = status["summary"].get("images", [])
        healthy = status["health"]["status"] == "Healthy"
        return healthy and len(images) == 1 and images[0].endswith(f":{version}")

    assert world.argocd.wait_until(live), world.argocd.document(application)["status"]
