"""What a rollout writes to GitHub, and how soon a frame of Argo CD's stream leads to a decision."""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path

from pilotage.core.model import State
from pilotage.sandbox.world import BOT, CI, World, config_text, path_of
from tests.e2e.facts import VERIFY_LONG, changed, rollout_status, story
from tests.e2e.harness import FAST, TARGET, Service, quick_world

MANY = 12
"""Fifty would show the same in three times the time."""


def _file(environment: str, number: int, version: str) -> str:
    return (
        f"serviceName: s{number}\nenvName: {environment}\n"
        f"service:\n  enabled: true\n  chartTag: s{number}-v{version}\n"
    )


def _files(environment: str, services: int, version: str) -> dict[str, str]:
    return {
        path_of(environment, f"s{number}"): _file(environment, number, version)
        for number in range(services)
    }


def _writes_of_a_rollout(folder: Path, services: int) -> list[str]:
    """What the service wrote to GitHub from the merge to the end, in order."""
    files = {".pilotage.yaml": config_text(FAST)}
    for environment in ("staging", "production"):
        files |= _files(environment, services, "1.0.0")
    given = {"look": "30s", "compare": "60s"}
    with (
        quick_world(folder, files=files) as world,
        Service(world, folder, settings_given=given) as service,
    ):
        service.until_settled()
        for number in range(services):
            world.argocd.set_slowness(f"s{number}-production", 1 + number / 10)
        newer = _files("staging", services, "1.1.0")
        world.github.commit(world.repository, "main", newer, "ci: 1.1.0 to staging", CI)
        pull = service.until_reviewed()
        service.until_idle()
        world.github.requests.clear()
        sha = world.github.merge(pull, "maria")
        confirmed = service.until_state(1)
        assert confirmed.state is State.CONFIRMED
        assert len(confirmed.changes) == services
        service.until(lambda: rollout_status(world, sha) == "success", "the end is told")
        service.until(lambda: "Confirmed" in story(pull), "the comment tells the end")
        service.until_idle()
        return [f"{each.method} {each.path}" for each in world.github.requests.writes(login=BOT)]


def test_a_rollout_costs_the_same_writes_for_1_service_as_for_many(tmp_path: Path) -> None:
    """Two for each change of its state (begun, live, confirmed), the deployment record, and one
    for the body, which must not say any longer that it may be merged."""
    writes = {}
    for services in (1, MANY):
        folder = tmp_path / str(services)
        folder.mkdir()
        writes[services] = _writes_of_a_rollout(folder, services)
    assert len(writes[1]) == 3 * 2 + 3 + 1, writes[1]
    assert sum(each.startswith("PATCH") and "/pulls/" in each for each in writes[1]) == 1
    assert len(writes[MANY]) == len(writes[1]), writes[MANY]


def test_a_frame_of_the_stream_leads_to_a_decision_at_once(tmp_path: Path) -> None:
    """From the change in the cluster to the end of the look that it caused; the wait of the policy
    is far longer. On an idle machine the median is below 100 ms."""
    policy = changed(FAST, VERIFY_LONG, ("poll: 0.3s", "poll: 30s"), ("[0s, 0.5s]", "[0s, 60s]"))
    given = {"look": "30s", "compare": "60s"}
    with (
        quick_world(tmp_path, policy) as world,
        Service(world, tmp_path, settings_given=given) as service,
    ):
        service.until_settled()
        service.release("api", "api-v9.1.1")
        service.until_state(1, State.VERIFYING)
        assert world.argocd.notifications is not None
        world.argocd.notifications.close()
        world.argocd.notifications = None
        service.until_idle()
        taken = [_time_to_a_decision(world, service, number) for number in range(7)]
        median = statistics.median(taken)
        print(f"from a frame to a decision: {median * 1000:.0f} ms (median of {len(taken)})")
        assert median < 0.3, [f"{each * 1000:.0f} ms" for each in taken]


def test_what_happens_while_the_first_look_is_written_down_is_not_missed(tmp_path: Path) -> None:
    """It comes up between the look and the end of the tick that begins to wait for it: the frame
    of that moment counts, or it would be seen half a minute later."""
    policy = changed(FAST, VERIFY_LONG, ("poll: 0.3s", "poll: 60s"), ("[0s, 0.5s]", "[0s, 60s]"))
    given = {"look": "60s", "compare": "60s"}
    with (
        quick_world(tmp_path, policy) as world,
        Service(world, tmp_path, settings_given=given) as service,
    ):
        service.until_settled()
        world.argocd.set_slowness("api-production", 8)

        def over() -> bool:
            status = world.argocd.document("api-production")["status"]
            images = status["summary"]["images"]
            return status["health"]["status"] == "Healthy" and len(images) == 1

        def wait() -> None:
            assert world.argocd.wait_until(over, 15)

        world.github.faults.then(wait, "POST", "/repos/*/deployments")
        service.release("api", "api-v9.1.1")
        service.until_state(1, State.VERIFYING)
        assert world.github.faults.active() == []


def _time_to_a_decision(world: World, service: Service, number: int) -> float:
    decided = threading.Event()

    def heard(target: str) -> None:
        if target == TARGET:
            decided.set()

    service.engine.listen(heard)
    begun = time.monotonic()
    with world.argocd.store.lock:
        app = world.argocd.application("api-production")
        assert app.operation_state is not None
        app.operation_state.retry_count += 1
        world.argocd.store.publish(app)
    assert decided.wait(10), f"no look followed frame {number}\n{service.story()}"
    taken = time.monotonic() - begun
    service.until_idle()
    return taken
