"""`applications: auto`: the applications are found by what they read, or are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pilotage.core.model import Outcome, State
from pilotage.sandbox.argocd import SYRF_CHART, ApplicationSet, ArgoCD, Source
from pilotage.sandbox.world import VERSIONS, World, layout, path_of
from tests.e2e.facts import changed
from tests.e2e.harness import FAST, Service, quick_world

AUTO = "        applications: auto\n"


def auto_world(tmp_path: Path, **given: Any) -> World:
    files = layout(FAST + AUTO)
    text = changed(
        files[".pilotage.yaml"], ("staging: { budgets", "staging: { applications: auto, budgets")
    )
    return quick_world(tmp_path, files=files | {".pilotage.yaml": text}, **given)


def plain(argocd: ArgoCD, config: str, charts: str) -> None:
    """One application for each file, in names and spellings that no template would give."""
    spelt = config.removesuffix(".git").upper().replace("HTTP://", "http://") + "/"
    argocd.repositories[spelt] = argocd.repositories[config]
    for environment, short in (("staging", "stg"), ("production", "prd")):
        for service in VERSIONS:
            source = Source(
                spelt,
                "HEAD",
                "charts/svc",
                value_files=(f"../../{path_of(environment, service)}",),
                release_name=service,
            )
            argocd.add_application(
                f"{short}-{service}-x",
                sources=[source],
                service=service,
                chart=SYRF_CHART,
                namespace=f"syrf-{environment}",
            )


def children(argocd: ArgoCD, config: str, charts: str) -> None:
    """Made of the files, and reading other ones: only the ApplicationSet leads to them."""
    argocd.add_application_set(
        ApplicationSet(
            "syrf",
            config,
            charts,
            application="x-{environment}-{service}",
            values="values/{environment}-{service}.yaml",
        )
    )


def test_plain_applications_are_found_and_the_release_is_confirmed(tmp_path: Path) -> None:
    with auto_world(tmp_path, applications=plain) as world, Service(world, tmp_path) as service:
        service.until_settled()
        service.release("api", "api-v9.1.1")
        confirmed = service.until_state(1)
        assert confirmed.state is State.CONFIRMED, service.story()
        assert confirmed.applications == {"api": ("prd-api-x",)}
        assert set(confirmed.watches) == {"prd-api-x"}
        assert set(confirmed.picture) == {"prd-api-x"}


def test_children_of_an_application_set_are_found_and_a_bad_version_is_put_back(
    tmp_path: Path,
) -> None:
    with auto_world(tmp_path, applications=children) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.argocd.fail_next_deployment("x-production-api")
        service.release("api", "api-v9.2.0")
        reverted = service.until_state(1)
        assert reverted.state is State.REVERTED, service.story()
        assert reverted.applications == {"api": ("x-production-api",)}
        assert world.version("api", "production") == "api-v9.0.4"


def test_what_no_application_reads_in_staging_waits_and_says_so(tmp_path: Path) -> None:
    """Nothing that was found is nothing that is live."""

    def elsewhere(argocd: ArgoCD, config: str, charts: str) -> None:
        source = Source(
            config, "develop", "charts/svc", value_files=(f"/{path_of('staging', 'api')}",)
        )
        argocd.add_application("api-old", sources=[source], chart=SYRF_CHART, live=False)

    with auto_world(tmp_path, applications=elsewhere) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        service.until(lambda: service.events("observed") != [], "the difference was seen")
        service.look_again()
        because = service.because()
        assert "no application on main reads syrf/environments/staging/api/config.yaml" in because
        assert "api-old reads syrf/environments/staging/api/config.yaml as a values file" in because
        assert "but follows develop" in because
        assert world.pulls() == []


def test_what_no_application_reads_in_production_is_held_after_the_merge(tmp_path: Path) -> None:
    """It is looked for again and again, and at last somebody is asked."""
    policy = changed(FAST, ("gone: 1s,", "gone: 1s, blind: 1s,"))

    def only_staging(argocd: ArgoCD, config: str, charts: str) -> None:
        argocd.add_application_set(
            ApplicationSet("syrf", config, charts, files="syrf/environments/staging/*/config.yaml")
        )

    files = layout(policy + AUTO)
    world = quick_world(tmp_path, files=files, applications=only_staging)
    with world, Service(world, tmp_path) as service:
        service.until_settled()
        service.release("api", "api-v9.1.1")
        service.until(lambda: service.events("held") != [], "somebody was asked")
        release = service.promotion(1)
        assert release is not None
        assert release.hold is not None
        assert "no application on main reads syrf/environments/production/api/config.yaml" in (
            release.hold.reason
        )
        assert release.outcomes == {"api": Outcome.ROLLING_OUT}
        assert release.applications == {}
