"""The main job from end to end: staging succeeds, a person merges, production is confirmed or
put back."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotage.core.model import State
from tests.e2e.harness import Service, quick_world


@pytest.mark.runbook("SYRF-1")
@pytest.mark.runbook("SYRF-2")
@pytest.mark.runbook("SYRF-8")
@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_two_services_are_promoted_together_and_confirmed(tmp_path: Path, method: str) -> None:
    """Whatever the merge method: one pull request, one merge, both live, confirmed."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        world.deploy("web", "web-v5.0.1")
        pull = service.until_open()
        service.until(lambda: "web v5.0.1" in pull.title, "both are in it")
        service.tick_all(pull)
        service.until_ready(pull)
        world.github.merge(pull, "maria", method)
        confirmed = service.until_state(1)
        assert confirmed.state is State.CONFIRMED
        assert confirmed.merge is not None
        assert confirmed.merge.method.value == method
        assert world.version("api", "production") == "api-v9.1.1"
        assert world.version("web", "production") == "web-v5.0.1"
        assert "Ready to merge" not in pull.body
        assert "> **Merged** by @maria" in pull.body
        assert "- [x] Feature works as expected · **@maria**" in pull.body


@pytest.mark.runbook("SYRF-10")
@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_a_bad_version_is_put_back_by_a_revert_commit(tmp_path: Path, method: str) -> None:
    """The old value stands again, by a commit that names the reason; the version is quarantined."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.argocd.fail_next_deployment("api-production")
        pull = service.release("api", "api-v9.2.0", method=method)
        reverted = service.until_state(1)
        assert reverted.state is State.REVERTED, service.story()
        assert world.version("api", "production") == "api-v9.0.4"
        head = world.repository.git.log("-1", "main")[0]
        assert head.message.startswith("rollback(api): revert production to v9.0.4 due to ")
        target = service.target()
        assert target is not None
        assert [(found.service, found.version) for found in target.quarantine] == [
            ("api", "api-v9.2.0")
        ]
        assert "> **Merged** by @maria" in pull.body
        assert "Ready to merge" not in pull.body
        unfinished = [event.text for event in service.history() if event.text.endswith(":")]
        assert not unfinished, "a line of history names a state and then nothing"
