"""The rules for versions from staging to production, with a real service and real git."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotage.core.model import State
from pilotage.sandbox.world import config_text, path_of
from tests.e2e.harness import FAST, Service, plain, quick_world


@pytest.mark.runbook("SYRF-15")
def test_versions_from_staging_to_production_and_back(tmp_path: Path) -> None:
    """Left-out versions go; what staging never ran and what moves do not; back only if allowed."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()

        # Straight to production: a person's pull request with a version that staging never ran.
        path = path_of("production", "web")
        text = world.github.file(world.repository, path).replace("web-v5.0.0", "web-v5.0.9")
        world.github.commit(world.repository, "mine", {path: text}, "Faster", "sam")
        straight = world.github.open_pull_request_as(
            "sam", world.repository, "mine", "Mine", "Please."
        )
        service.until(lambda: service.ready(straight) == "pending", "it may not be merged")
        assert service.why(straight) == "web v5.0.9 has not been seen live in staging yet"
        world.github.close(straight, "sam")

        # From 9.0.4 to 9.2.3 at once: no version between has to go out.
        world.deploy("api", "api-v9.2.3")
        first = service.until_open(2)
        service.until(lambda: "| minor (+2) |" in first.body, "the distance is shown")
        far = "api v9.0.4 to v9.2.3: minor (+2)"
        service.until(lambda: far in plain(service.because()), "explain says it too")
        service.tick_all(first)
        service.until_ready(first)
        world.github.merge(first, "maria")
        assert service.until_state(1).state is State.CONFIRMED, service.story()

        # A name that moves is no version, wherever it runs.
        world.deploy("web", "latest")
        moving = "web latest is no version that stays what it is"
        service.until(lambda: moving in service.because(), "it is refused")
        world.deploy("web", "web-v5.0.0")

        # Staging goes back: said, and not proposed.
        world.deploy("api", "api-v9.0.4")
        older = "api v9.0.4 is older than v9.2.3, which production runs"
        service.until(lambda: older in plain(service.because()), "it is refused")
        assert len(world.pulls()) == 2

        # Unless the policy allows it: then it says so loudly, and nobody's version is quarantined.
        rules = "    preset: cluster-gitops\n    versions: { backwards: allow }\n"
        allowed = config_text(FAST).replace("    preset: cluster-gitops\n", rules)
        world.github.commit(
            world.repository, "main", {".pilotage.yaml": allowed}, "ci: back", "sam"
        )
        second = service.until_open(3)
        assert second.title == "Promote syrf to production: api back to v9.0.4"
        service.until(lambda: "| back (-2 minor) |" in second.body, "the distance is shown")
        assert "> **This goes back:** api from api-v9.2.3 to the older api-v9.0.4." in second.body
        service.tick_all(second)
        service.until_ready(second)
        world.github.merge(second, "maria")
        assert service.until_state(2).state is State.CONFIRMED, service.story()
        assert world.version("api", "production") == "api-v9.0.4"
        target = service.target()
        assert target is not None
        assert target.quarantine == ()
