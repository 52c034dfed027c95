"""The applications of a service, found in a real repository and by a server's lists."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pilotage.adapters.argocd import ArgoCD, Timeouts
from pilotage.adapters.git import GitStore
from pilotage.adapters.github import GitHub, MachineUser
from pilotage.core.application import CannotSee
from pilotage.core.config.load import load_config
from pilotage.core.config.policy import Policy, policy_for
from pilotage.core.discovery.declared import Declared
from pilotage.engine.outside import Repository as Outside
from pilotage.engine.readers import Readers
from pilotage.engine.sights import Applications
from pilotage.engine.trees import Trees
from pilotage.resources import presets
from tests.contract.argocd_server import Told
from tests.contract.argocd_world import Repository

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
URL = "https://github.com/acme/gitops.git"
SECOND = timedelta(seconds=1)
CONFIG = """\
version: 1
pipelines:
  shop:
    preset: cluster-gitops
    files: apps/{environment}/{service}/config.yaml
    environments:
      staging: {}
      production: { from: staging, applications: auto }
"""
FILES = {
    "apps/production/api/config.yaml": "service: { chartTag: v1 }\n",
    "apps/staging/api/config.yaml": "service: { chartTag: v2 }\n",
    "overlays/production/kustomization.yaml": "resources: [../../base]\n",
    "base/kustomization.yaml": """\
configMapGenerator: [{ name: x, files: [../apps/production/api/config.yaml] }]
""",
}
FILE = "apps/production/api/config.yaml"


def application(name: str, path: str = "overlays/production") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {"project": "shop", "source": {"repoURL": URL, "path": path}},
    }


@pytest.fixture
def applications(told: Told) -> Iterator[Applications]:
    with ArgoCD("main", told.url, SecretStr("t"), timeouts=Timeouts(1, 0.5)) as server:
        yield Applications(server)


def shown(told: Told, *entries: dict[str, Any]) -> None:
    """Both lists are answered alike: what has no generators is no ApplicationSet."""
    told.body = json.dumps({"items": list(entries)}).encode()


def policy() -> Policy:
    found = policy_for(load_config(CONFIG, presets()), "shop", "production", "c" * 40)
    assert found is not None
    return found


def repository(tmp_path: Path, files: Mapping[str, str]) -> tuple[Outside, GitStore, str]:
    bare = Repository(tmp_path / "gitops.git")
    sha = bare.commit(dict(files))
    git = GitStore.local(bare.path)
    github = GitHub(MachineUser(SecretStr("t")), base_url="http://127.0.0.1:9")
    return Outside("acme/gitops", URL, Trees(git, presets()), github), git, sha


def find(
    outside: Outside, applications: Applications, sha: str, now: datetime = NOW
) -> tuple[str, ...]:
    readers = Readers(outside, {"main": applications}, now, frozenset())
    return readers.find("main", policy(), {"api": [FILE]}, sha)["api"].names


def test_a_kustomization_is_followed_through_git(
    tmp_path: Path, told: Told, applications: Applications
) -> None:
    """Two requests, and two processes for each step; the next look costs nothing at all."""
    outside, git, sha = repository(tmp_path, FILES)
    shown(told, application("shop"), application("other", "overlays/staging"))
    find(outside, applications, sha)
    assert find(outside, applications, sha) == ("shop",)
    processes = git.processes
    assert processes <= 12
    assert find(outside, applications, sha, NOW + 30 * SECOND) == ("shop",)
    assert git.processes == processes
    assert len(told.asked) == 2


def test_a_path_that_git_must_never_be_given_blinds_nobody_else(
    tmp_path: Path, told: Told, applications: Applications
) -> None:
    outside, _, sha = repository(tmp_path, FILES)
    shown(
        told,
        application("shop"),
        application("evil", "a/.git/b"),
        application("odd", "a\u0000b"),
    )
    assert find(outside, applications, sha) == ("shop",)


def test_what_the_server_does_not_show_is_unknown_with_its_reason(
    tmp_path: Path, told: Told, applications: Applications
) -> None:
    outside, _, sha = repository(tmp_path, FILES)
    shown(told)
    readers = Readers(outside, {"main": applications}, NOW, frozenset())
    seen = readers.find("main", policy(), {"api": [FILE]}, sha)["api"]
    assert (seen.names, seen.reason) == ((), "main shows no application to this token")
    seen = readers.find("other", policy(), {"api": [FILE]}, sha)["api"]
    assert (seen.names, seen.reason) == ((), "the settings know no Argo CD named other")


def test_nothing_is_asked_for_no_service(
    tmp_path: Path, told: Told, applications: Applications
) -> None:
    outside, git, sha = repository(tmp_path, FILES)
    before = git.processes
    assert (
        Readers(outside, {"main": applications}, NOW, frozenset()).find("main", policy(), {}, sha)
        == {}
    )
    assert (told.asked, git.processes) == ([], before)


# How long a list is believed


def names(seen: Declared | CannotSee) -> list[str]:
    assert isinstance(seen, Declared)
    return [each.name for each in seen.applications]


@pytest.mark.parametrize(
    ("after", "changed", "asked_again"),
    [
        (59 * SECOND, frozenset(), False),
        (60 * SECOND, frozenset(), True),
        (9 * SECOND, frozenset({"shop"}), False),
        (10 * SECOND, frozenset({"shop"}), True),
        (SECOND / 2, frozenset({"new"}), False),
        (SECOND, frozenset({"new"}), True),
    ],
)
def test_a_list_is_kept_for_a_minute_and_events_make_it_older(
    after: timedelta,
    changed: frozenset[str],
    asked_again: bool,
    told: Told,
    applications: Applications,
) -> None:
    shown(told, application("shop"))
    assert names(applications.declared(NOW, frozenset())) == ["shop"]
    shown(told, application("shop"), application("new"))
    seen = applications.declared(NOW + after, changed)
    assert names(seen) == (["shop", "new"] if asked_again else ["shop"])


def test_the_last_list_is_kept_where_there_is_no_newer(
    told: Told, applications: Applications
) -> None:
    """Not to see is no news."""
    shown(told, application("shop"))
    applications.declared(NOW, frozenset())
    told.status = 503
    assert names(applications.declared(NOW + 100 * SECOND, frozenset())) == ["shop"]


def test_what_was_declared_is_found_by_name_without_another_request(
    told: Told, applications: Applications
) -> None:
    shown(told, application("shop"))
    applications.declared(NOW, frozenset())
    asked = len(told.asked)
    found = applications.find("shop", NOW + SECOND)
    assert not isinstance(found, CannotSee)
    assert len(told.asked) == asked
