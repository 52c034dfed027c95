"""Every team's layout from a staging success to a confirmed production, and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotage.core.model import Outcome, State
from tests.e2e.harness import Service
from tests.e2e.layouts import LAYOUTS, TeamLayout, repository_files

MARKS = {
    "cluster-gitops": [pytest.mark.runbook("SYRF-3")],
    "manifests": [pytest.mark.runbook("CHECKOUT-1")],
    "kustomize": [pytest.mark.runbook("VAPORA-5")],
}


@pytest.mark.parametrize(
    "layout",
    [pytest.param(each, id=name, marks=MARKS.get(name, [])) for name, each in LAYOUTS.items()],
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

        world.argocd.fail_next_deployment(layout.application)
        layout.deploy(world, layout.bad)
        service.review_and_merge(service.until_open(2))
        reverted = service.until_state(2)
        assert reverted.state is State.REVERTED, service.story()
        back = layout.everything(staging=layout.bad, production=layout.good)
        assert repository_files(world) == back
        assert set(reverted.outcomes.values()) == {Outcome.REVERTED}
