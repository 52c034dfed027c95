"""Argo CD renders a promotion's branch before it may be merged: real sockets, git and gates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pilotage.core.model import State
from pilotage.sandbox.argocd import Source
from pilotage.sandbox.github import PullRequest
from pilotage.sandbox.world import World
from tests.e2e.facts import artifacts_box
from tests.e2e.harness import FAST, Service, quick_world
from tests.e2e.layouts import ORDER, VAPORA, applications

POLICY = FAST.replace("soak: 0.1s", "soak: 0.1s, artifacts: {}")
TEAM = replace(VAPORA, policy=POLICY)
NAME = "vapora-production"
KUSTOMIZATION = "deploy/production/kustomization.yaml"


@pytest.mark.runbook("VAPORA-6")
def test_a_branch_that_does_not_render_cannot_be_merged_until_it_is_mended(tmp_path: Path) -> None:
    """Argo CD is asked once for each head; the files alone would all have been found good."""
    with TEAM.world(tmp_path) as world, Service(world, tmp_path, watched=TEAM.target) as service:
        service.until_settled()
        TEAM.deploy(world, TEAM.good)
        pull = service.until_reviewed()
        base = world.repository.git.branch("main")
        first = pull.head_sha
        good = "Argo CD renders 4 resources of 1 application, 4 would change"
        service.until(lambda: good in artifacts_box(pull), "the box says what was rendered")
        assert _asked(world) == [first, base]

        text = world.github.file(world.repository, KUSTOMIZATION, pull.head_ref)
        _commit(world, pull, text + "namePrefix: x-\n")
        wrong = f"{NAME} does not render: invalid Kustomization: only "
        service.until(lambda: _why(service, pull).startswith(wrong), "it says what is wrong")
        assert service.ready(pull) == "failure"
        service.until(lambda: "- [ ] Artifacts valid" in pull.body, "nothing is ticked any more")
        second = pull.head_sha
        service.look_again()
        assert _asked(world) == [first, base, second, base], "not again at each look"

        _commit(world, pull, text)
        service.until_ready(pull)
        assert _asked(world) == [first, base, second, base, pull.head_sha, base]
        service.until(lambda: good in artifacts_box(pull), "the box says what was rendered")
        world.github.merge(pull, "maria")
        assert service.until_state(1).state is State.CONFIRMED


@pytest.mark.runbook("VAPORA-6")
def test_what_did_not_render_before_either_waits_for_a_person(tmp_path: Path) -> None:
    """It is not this promotion's fault, and goes on once somebody has mended it."""
    with TEAM.world(tmp_path) as world, Service(world, tmp_path, watched=TEAM.target) as service:
        service.until_settled()
        world.argocd.faults.cannot_render[NAME] = "no plugin\x1b[31m named\nours @maria"
        TEAM.deploy(world, TEAM.good)
        pull = service.until_open()
        service.tick_all(pull)
        both = f"{NAME} does not render, with or without this promotion: no plugin [31m named ours"
        service.until(lambda: _why(service, pull).startswith(both), "it says whose fault it is not")
        assert service.ready(pull) == "pending"
        assert "@maria" not in pull.body.partition("### Proven")[0]

        world.argocd.faults.cannot_render.clear()
        world.github.comment(pull, "/pilotage retry", "maria")
        service.until_ready(pull)


@pytest.mark.runbook("VAPORA-6")
def test_an_argocd_that_cannot_render_now_is_waited_for(tmp_path: Path) -> None:
    with TEAM.world(tmp_path) as world, Service(world, tmp_path, watched=TEAM.target) as service:
        service.until_settled()
        TEAM.deploy(world, TEAM.good)
        pull = service.until_reviewed()
        world.argocd.faults.repo_server_down = True
        text = world.github.file(world.repository, KUSTOMIZATION, pull.head_ref)
        _commit(world, pull, f"# The same, so far.\n{text}")
        unseen = f"{NAME} cannot be rendered now: 503: "
        service.until(lambda: _why(service, pull).startswith(unseen), "it says what it waits for")
        assert service.ready(pull) == "pending"

        world.argocd.faults.repo_server_down = False
        world.github.comment(pull, "/pilotage retry", "maria")
        service.until_ready(pull)


@pytest.mark.runbook("VAPORA-6")
def test_what_the_merge_makes_anew_is_said_not_to_be_rendered(tmp_path: Path) -> None:
    """The ApplicationSet writes the promoted value into the specification; nothing is asked for."""
    with quick_world(tmp_path, POLICY) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_reviewed()
        told = "not rendered: api-production (the merge changes its targetRevision"
        service.until(lambda: told in artifacts_box(pull), "the box is honest")
        assert _asked(world, "api-production") == []


@pytest.mark.runbook("VAPORA-6")
def test_values_beside_a_chart_of_a_fixed_version_are_rendered_by_their_source(
    tmp_path: Path,
) -> None:
    """The chart's version looks like the image's, and has nothing to do with it."""

    def sources(environment: str, config: str) -> list[Source]:
        values = f"$values/helm-values/{environment}.yaml"
        charts = config.replace("cluster-gitops", "charts")
        return [
            Source(charts, path="order-service", target_revision="v1.0.0", value_files=(values,)),
            Source(config, ref="values"),
        ]

    name = "order-service-production"
    cluster = applications(sources, "order-service-{environment}", "order-service")
    team = replace(ORDER, policy=POLICY, applications=cluster)
    with team.world(tmp_path) as world, Service(world, tmp_path, watched=team.target) as service:
        service.until_settled()
        team.deploy(world, team.good)
        pull = service.until_reviewed()
        good = "Argo CD renders 2 resources of 1 application, 1 would change"
        service.until(lambda: good in artifacts_box(pull), "the box says what was rendered")
        path = f"GET /api/v1/applications/{name}/manifests?"
        first = next(each for each in world.argocd.asked if each.startswith(path))
        assert first.endswith(f"revisions={pull.head_sha}&sourcePositions=2")
        world.github.merge(pull, "maria")
        assert service.until_state(1).state is State.CONFIRMED


def _why(service: Service, pull: PullRequest) -> str:
    """Empty until the head has its status."""
    return service.why(pull) if service.ready(pull) is not None else ""


def _asked(world: World, name: str = NAME) -> list[str]:
    """The commits that Argo CD was asked to render, oldest first."""
    path = f"GET /api/v1/applications/{name}/manifests?"
    queries = [each.removeprefix(path) for each in world.argocd.asked if each.startswith(path)]
    return [each.partition("revision=")[2].partition("&")[0] for each in queries]


def _commit(world: World, pull: PullRequest, text: str) -> None:
    files = {KUSTOMIZATION: text}
    world.github.commit(world.repository, pull.head_ref, files, "Change it", "li")
