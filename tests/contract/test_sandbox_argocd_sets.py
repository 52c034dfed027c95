"""The ApplicationSet of the stand-in: false live, new files, files that are broken."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilotage.sandbox.argocd import (
    SYRF_CHART,
    ApplicationSet,
)
from tests.contract.argocd_served import API, STAGING, Served, served
from tests.contract.argocd_world import (
    CHARTS_URL,
    CONFIG_URL,
    config,
    values,
)


@pytest.fixture
def cd(tmp_path: Path) -> Iterator[Served]:
    yield from served(tmp_path)


def syrf(cd: Served) -> None:
    cd.repository.commit({API: config("api", "staging", "api-v1.0.0")})
    cd.argocd.add_application_set(
        ApplicationSet("syrf-set", CONFIG_URL, CHARTS_URL, chart=SYRF_CHART)
    )


def test_a_lagging_application_set_looks_live_with_the_old_chart(cd: Served) -> None:
    """Synced, healthy and at the new commit, and yet the old version: for as long as it lags."""
    syrf(cd)
    cd.argocd.stop_application_sets()
    sha = cd.repository.commit({API: config("api", "staging", "api-v1.1.0")})
    false = cd.get("api-staging", refresh="normal").json()
    assert false["status"]["sync"]["revisions"][1] == sha
    assert false["status"]["sync"]["status"] == "Synced"
    assert false["status"]["health"]["status"] == "Healthy"
    assert false["status"]["operationState"]["phase"] == "Succeeded"
    assert false["spec"]["sources"][0]["targetRevision"] == "api-v1.0.0"
    cd.argocd.start_application_sets()
    assert cd.image("api-staging", "ghcr.io/camaradesuk/syrf-api:1.1.0")
    true = cd.argocd.document("api-staging")
    assert true["spec"]["sources"][0]["targetRevision"] == "api-v1.1.0"


def test_an_application_set_follows_the_files(cd: Served) -> None:
    """A new file is a new Application; one that is gone, or switched off, goes."""
    syrf(cd)
    web = "syrf/environments/production/web/config.yaml"
    cd.repository.commit({web: config("web", "production", "web-v5.0.1")})
    cd.argocd.application_sets.wake("syrf-set")
    assert cd.argocd.wait_until(lambda: "web-production" in cd.argocd.names)
    assert cd.image("web-production", "ghcr.io/camaradesuk/syrf-web:5.0.1")
    owner = cd.argocd.document("web-production")["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("ApplicationSet", "syrf-set")
    off = config("api", "staging", "api-v1.0.0").replace("enabled: true", "enabled: false")
    cd.repository.commit({web: None, API: off})
    cd.argocd.application_sets.wake("syrf-set")
    assert cd.argocd.wait_until(lambda: cd.argocd.names == ())


def test_a_broken_file_changes_nothing_in_the_set(cd: Served) -> None:
    syrf(cd)
    cd.repository.commit({API: "service: {chartTag: [\n"})
    assert cd.get("api-staging", refresh="normal").status_code == 200
    assert cd.argocd.wait_until(lambda: bool(cd.argocd.application_sets.errors))
    app = cd.argocd.document("api-staging")
    assert app["spec"]["sources"][0]["targetRevision"] == "api-v1.0.0"
    [condition] = app["status"]["conditions"]
    assert condition["type"] == "ComparisonError"
    assert API in condition["message"]
    assert "revisions" not in app["status"]["sync"]


def test_a_commit_on_an_unmerged_branch_can_be_rendered(cd: Served) -> None:
    """By SHA, with the right to get alone; for several sources by position, counting from 1."""
    syrf(cd)
    cd.plain("plain-staging")
    sha = cd.repository.commit(
        {STAGING: values("2.1.0"), API: config("api", "staging", "api-v1.0.0", replicas=3)},
        branch="promotion",
    )
    plain = cd.get("plain-staging/manifests", revision=sha).json()["manifests"]
    assert "syrf-api:2.1.0" in plain[1]
    query = {"revisions": sha, "sourcePositions": "2"}
    several = cd.get("api-staging/manifests", **query).json()["manifests"]
    assert json.loads(several[1])["spec"]["replicas"] == 3


@pytest.mark.parametrize(
    "odd",
    [
        "hooks: word\n",
        "podLabels: [1]\n",
        "configMap: 3\n",
        "replicas: many\n",
        "replicas: 100000\n",
        "a: &a {b: *a}\n",
        "- a list\n",
        "\x00",
        "{{ template }}\n",
        "image: {repository: r}\n",
        "image: {repository: r, tag: [1]}\n",
        "? {a: b}\n: c\n",
    ],
)
def test_odd_values_are_a_comparison_error_and_no_more(cd: Served, odd: str) -> None:
    """Whatever git has, the application says so, stays healthy, and recovers with the next
    commit."""
    cd.plain()
    good = values("1.0.0")
    prefix = (
        "" if odd[0] in "-\x00{?" or odd.startswith("image") else f"env: staging\nimage: {IMAGE}\n"
    )
    cd.repository.commit({STAGING: prefix + odd})
    status = cd.get("api-staging", refresh="normal").json()["status"]
    if odd.startswith("a: "):
        assert status["sync"]["status"] == "Synced"
    else:
        assert status["sync"]["status"] == "Unknown"
        assert status["sync"]["revision"] == "main"
        assert [one["type"] for one in status["conditions"]] == ["ComparisonError"]
    assert status["health"]["status"] == "Healthy"
    sha = cd.repository.commit({STAGING: good})
    cd.get("api-staging", refresh="normal")
    assert cd.live("api-staging", sha)


IMAGE = "{repository: ghcr.io/camaradesuk/syrf-api, tag: 1.0.0}"
