"""Every team's layout from a staging success to a confirmed production, and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pilotage.core.model import Outcome, State
from pilotage.sandbox.world import World
from tests.e2e.harness import Service
from tests.e2e.layouts import (
    CHECKOUT,
    GRAPH,
    ORDER,
    REGISTRY,
    VAPORA,
    WHOLE_FILES,
    TeamLayout,
    digest,
    repository_files,
)


def live_images(world: World, application: str) -> list[str]:
    """Of an application that is synced and healthy, or the story has not come to its end."""
    status = world.argocd.document(application)["status"]
    assert (status["sync"]["status"], status["health"]["status"]) == ("Synced", "Healthy")
    images: list[str] = status["summary"]["images"]
    return images


@pytest.mark.parametrize(
    "layout",
    [
        pytest.param(WHOLE_FILES, id="cluster-gitops", marks=pytest.mark.runbook("SYRF-3")),
        pytest.param(ORDER, id="helm-values", marks=pytest.mark.runbook("ORDER-13")),
        pytest.param(REGISTRY, id="chart-values"),
        pytest.param(CHECKOUT, id="manifests", marks=pytest.mark.runbook("CHECKOUT-1")),
        pytest.param(VAPORA, id="kustomize", marks=pytest.mark.runbook("VAPORA-5")),
    ],
)
def test_a_good_version_is_confirmed_and_a_bad_one_put_back(
    tmp_path: Path, layout: TeamLayout
) -> None:
    """Nothing in the whole repository differs by a byte from what the team would have written."""
    with (
        layout.world(tmp_path) as world,
        Service(world, tmp_path, watched=layout.target) as service,
    ):
        service.until_settled()
        layout.deploy(world, layout.good)
        service.review_and_merge(service.until_open())
        confirmed = service.until_state(1)
        assert confirmed.state is State.CONFIRMED, service.story()
        good = layout.everything(staging=layout.good, production=layout.good)
        assert repository_files(world) == good
        running = live_images(world, layout.application)

        world.argocd.fail_next_deployment(layout.application)
        layout.deploy(world, layout.bad)
        service.review_and_merge(service.until_open(2))
        reverted = service.until_state(2)
        assert reverted.state is State.REVERTED, service.story()
        back = layout.everything(staging=layout.bad, production=layout.good)
        assert repository_files(world) == back
        assert live_images(world, layout.application) == running
        assert set(reverted.outcomes.values()) == {Outcome.REVERTED}


@pytest.mark.runbook("SYRF-9")
def test_synced_and_healthy_with_the_old_image_is_held(tmp_path: Path) -> None:
    """Something else in git pins it: only the image that the merged manifest names tells."""
    name, running = "checkout-service", CHECKOUT.running["checkout-service"]
    pinned = f"""\
resources: [deployment.yaml]
images: [{{ name: myregistry.io/{name}, newTag: {running}, digest: "{digest(running)}" }}]
"""
    at = f"kubernetes/{name}/production/kustomization.yaml"
    layout = replace(CHECKOUT, others={at: pinned})
    with (
        layout.world(tmp_path) as world,
        Service(world, tmp_path, watched=layout.target) as service,
    ):
        service.until_settled()
        layout.deploy(world, layout.good)
        service.review_and_merge(service.until_open())
        service.until(lambda: service.events("held") != [], "somebody was asked")
        release = service.promotion(1)
        assert release is not None
        assert release.hold is not None
        assert f"only myregistry.io/{name}:{running}@" in release.hold.reason
        assert release.outcomes == {name: Outcome.ROLLING_OUT}


def test_environments_are_a_graph_and_each_has_its_own_pull_request(tmp_path: Path) -> None:
    """Integration, then staging, then two productions: one is confirmed, one put back."""
    version = GRAPH.good
    with (
        GRAPH.world(tmp_path) as world,
        Service(world, tmp_path, watched="order-service/staging") as service,
    ):
        service.until_settled()
        GRAPH.deploy(world, version, "integration")
        service.review_and_merge(service.until_open())
        assert service.until_state(1).state is State.CONFIRMED, service.story()
        world.argocd.fail_next_deployment("order-service-production-eu")
        service.until_open(3)
        pulls = {pull.head_ref.partition("-promotion-")[0]: pull for pull in world.pulls()[1:]}
        assert set(pulls) == {"production", "production-eu"}
        for environment, pull in pulls.items():
            assert repository_files(world, pull.head_sha) == GRAPH.everything(
                integration=version, staging=version, **{environment: version}
            )
        for pull in pulls.values():
            service.review_and_merge(pull)
        for environment, end in (
            ("production", State.CONFIRMED),
            ("production-eu", State.REVERTED),
        ):
            service.watched = f"order-service/{environment}"
            assert service.until_state(1).state is end, service.story()
        assert repository_files(world) == GRAPH.everything(
            integration=version, staging=version, production=version
        )
