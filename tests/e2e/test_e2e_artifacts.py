"""The changed files are validated on the branch, with a real service, real git and real schemas."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pilotage.sandbox.github import PullRequest
from pilotage.sandbox.world import World, path_of
from tests.e2e.facts import artifacts_box
from tests.e2e.harness import FAST, Service, plain, quick_world
from tests.e2e.layouts import VAPORA

API = path_of("production", "api")
POLICY = FAST.replace("soak: 0.1s", 'soak: 0.1s, artifacts: { kubernetes: "1.31" }')
CONFIG_MAP = (
    "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: api }\ndata: { level: %s }\n"
)


@pytest.mark.runbook("VAPORA-6")
def test_an_artifact_that_is_not_valid_keeps_the_merge_closed(tmp_path: Path) -> None:
    """It says what is wrong and where; corrected, it shows what it found good instead."""
    with quick_world(tmp_path, POLICY) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_reviewed()
        assert "1 file parses; the same build as staging at" in artifacts_box(pull)

        good = world.github.file(world.repository, API, pull.head_ref)
        _commit(world, pull, good + CONFIG_MAP % "3")
        service.until(lambda: service.ready(pull) == "failure", "the merge is closed")
        line = (good + CONFIG_MAP).count("\n")
        wrong = f"{API}:{line}: data.level: ConfigMap api: expected a string"
        service.until(lambda: service.why(pull).startswith(wrong), "it says what is wrong")
        service.until(lambda: "- [ ] Artifacts valid" in pull.body, "nothing is ticked any more")
        assert "data.level: ConfigMap api: expected a string, found a number" in service.because()

        _commit(world, pull, good + CONFIG_MAP % "'3'")
        service.until_ready(pull)
        service.until(
            lambda: "1 ConfigMap fits Kubernetes 1.31" in artifacts_box(pull), "the box shows it"
        )


@pytest.mark.runbook("VAPORA-6")
def test_a_value_that_staging_does_not_have_is_another_build(tmp_path: Path) -> None:
    with quick_world(tmp_path, POLICY) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        text = world.github.file(world.repository, API, pull.head_ref)
        assert text.count("envName:   production") == 1
        _commit(world, pull, text.replace("envName:   production", "envName: canary"))
        other = f"{API}: envName: api has canary; from staging at "
        service.until(lambda: other in plain(service.because()), "it is no longer the same build")
        service.until(lambda: service.ready(pull) == "failure", "the merge is closed")


@pytest.mark.runbook("VAPORA-6")
def test_a_generated_file_that_kubernetes_would_refuse_is_shown_to_the_team(tmp_path: Path) -> None:
    """Whole files, three Deployments and a ConfigMap: a red gate, not silence."""
    layout = replace(VAPORA, policy=POLICY)
    settings = "deploy/staging/configmap.yaml"
    with (
        layout.world(tmp_path) as world,
        Service(world, tmp_path, watched=layout.target) as service,
    ):
        service.until_settled()
        layout.deploy(world, layout.good)
        good = world.github.file(world.repository, settings)
        bad = good.replace("data:\n", "data:\n  workers: 4\n")
        world.github.commit(world.repository, "main", {settings: bad}, "ci: generated", "sam")
        pull = service.until_open()
        service.until(lambda: service.ready(pull) == "failure", "the merge is closed")
        wrong = "deploy/production/configmap.yaml:6: data.workers: ConfigMap vapora-config"
        service.until(lambda: service.why(pull).startswith(wrong), "it says what is wrong")

        world.github.commit(world.repository, "main", {settings: good}, "ci: mended", "sam")
        fits = "3 files parse; 3 Deployments and 1 ConfigMap fit Kubernetes 1.31; the same build"
        service.until(lambda: fits in artifacts_box(pull), "the newer set is valid")


def _commit(world: World, pull: PullRequest, text: str) -> None:
    world.github.commit(world.repository, pull.head_ref, {API: text}, "Change it", "li")
