"""What applications and ApplicationSets are declared to read, by the two lists of Argo CD."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from pilotage.adapters.argocd import ArgoCD, Timeouts, declared, wire
from pilotage.core.application import CannotSee, normalised_repository
from pilotage.core.discovery.declared import Branch, Declared, Directory, FileGenerator, Tool
from pilotage.core.discovery.find import discover
from pilotage.sandbox.argocd import Source
from tests.contract.argocd_replay import recorded
from tests.contract.argocd_served import API, Served, served
from tests.contract.argocd_server import Told
from tests.contract.argocd_world import CONFIG_URL, config
from tests.contract.test_sandbox_argocd_sets import syrf

TOKEN = SecretStr("a-token")
QUICK = Timeouts(connect=1, read=0.5)


@pytest.fixture
def argocd(told: Told) -> Iterator[ArgoCD]:
    with ArgoCD("main", told.url, TOKEN, timeouts=QUICK) as client:
        yield client


def entry(spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "shop", "namespace": "argocd", **metadata}, "spec": spec}


def listed(*items: Any) -> bytes:
    return json.dumps({"metadata": {}, "items": items}).encode()


def test_every_recorded_application_of_a_list_is_read() -> None:
    body = recorded("list-selector")["response"]["body"]
    found = declared.applications(json.dumps(body).encode(), "main")
    assert {each.name: each.sources[0].files for each in found} == {
        "api-production": ("../../helm-values/production.yaml",),
        "api-staging": ("../../helm-values/staging.yaml",),
    }
    assert {each.ref.project for each in found} == {"syrf-production", "syrf-staging"}


def test_a_recorded_promotion_is_found_by_its_values_file() -> None:
    """The list as a real Argo CD gave it, and the repository as that one knew it."""
    body = recorded("list-selector")["response"]["body"]
    everything = Declared(declared.applications(json.dumps(body).encode(), "main"))
    branch = Branch(normalised_repository(CONFIG_URL), "main")
    asked = {"api": ("helm-values/production.yaml",)}
    assert discover(asked, (), everything, branch, {})["api"].names == ("api-production",)


@pytest.mark.parametrize(
    "name", ["app-appset-live", "app-multisource", "app-suspended", "list-outsider"]
)
def test_other_recorded_shapes_are_read(name: str) -> None:
    body = recorded(name)["response"]["body"]
    items = body.get("items", [body])
    raw = json.dumps({"items": items}).encode()
    found = declared.applications(raw, "main")
    assert [each.name for each in found] == [each["metadata"]["name"] for each in items or []]
    for each, item in zip(found, items or [], strict=True):
        spec = item["spec"]
        given = spec.get("sources") or [spec["source"]]
        assert [source.repository for source in each.sources] == [one["repoURL"] for one in given]
        assert [source.ref for source in each.sources] == [one.get("ref", "") for one in given]


def test_everything_that_decides_what_is_read_is_taken() -> None:
    (one,) = declared.applications(
        listed(
            entry(
                {
                    "project": "shop",
                    "destination": {"namespace": "shop-production"},
                    "sourceHydrator": None,
                    "sources": [
                        {"repoURL": "a", "helm": {
                            "valueFiles": ["v.yaml"],
                            "fileParameters": [{"name": "x", "path": "f.txt"}]}},
                        {"repoURL": "b", "kustomize": {"components": ["../c"]}},
                        {"repoURL": "c", "directory": {
                            "recurse": True, "include": "*.yaml", "exclude": "x*",
                            "jsonnet": {"libs": ["lib"]}}},
                        {"repoURL": "d", "plugin": {"name": "cue"}},
                        {"repoURL": "e", "path": "x"},
                    ],
                },
                annotations={"argocd.argoproj.io/manifest-generate-paths": ".; ../common ;/x"},
            )
        ),
        "main",
    )  # fmt: skip
    assert [source.tool for source in one.sources] == [
        Tool.HELM, Tool.KUSTOMIZE, Tool.DIRECTORY, Tool.PLUGIN, None,
    ]  # fmt: skip
    assert one.sources[0].files == ("v.yaml", "f.txt")
    assert one.sources[1].components == ("../c",)
    assert one.sources[2].directory == Directory(True, "*.yaml", "x*", ("lib",))
    assert one.generate_paths == (".", "../common", "/x")
    assert (one.destination, one.hydrated) == ("shop-production", False)


def test_one_bad_entry_hides_none_of_the_others() -> None:
    good = entry({"source": {"repoURL": "a"}})
    body = listed(good, None, {"metadata": {}}, entry({"sources": 7}), 3, good)
    assert [each.name for each in declared.applications(body, "main")] == ["shop", "shop"]
    sets = listed(None, entry({"generators": 7}), entry({"generators": [None, {"git": 7}]}))
    assert [each.generators for each in declared.application_sets(sets)] == [()]


GIT = {
    "repoURL": "a",
    "revision": "HEAD",
    "files": [{"path": "x/*.yaml"}, {"path": "x/old*", "exclude": True}],
    "pathParamPrefix": "p",
    "values": {"name": "{{p.path.basename}}"},
}
READ = FileGenerator(
    "a", "HEAD", ("x/*.yaml",), ("x/old*",), "p", (("name", "{{p.path.basename}}"),), "{{x}}"
)


@pytest.mark.parametrize(
    "generators",
    [
        [{"git": GIT}],
        [{"list": {"elements": []}}, {"git": GIT}],
        [{"matrix": {"generators": [{"clusters": {}}, {"git": GIT}]}}],
        [{"merge": {"generators": [{"matrix": {"generators": [{"git": GIT}]}}]}}],
        [{"git": {"repoURL": "a", "directories": [{"path": "*"}]}}, {"git": GIT}],
    ],
)
def test_generators_of_files_are_found_wherever_they_stand(generators: list[Any]) -> None:
    spec = {"generators": generators, "template": {"metadata": {"name": "{{x}}"}}}
    (one,) = declared.application_sets(listed(entry(spec)))
    assert one.generators == (READ,)


def test_a_template_of_the_generator_goes_before_that_of_the_set() -> None:
    git = GIT | {"template": {"metadata": {"name": "{{y}}"}}}
    spec = {"generators": [{"git": git}], "template": {"metadata": {"name": "{{x}}"}}}
    (one,) = declared.application_sets(listed(entry(spec)))
    assert one.generators[0].name == "{{y}}"


def test_children_are_only_known_when_all_of_them_are_said() -> None:
    spec = {"generators": [{"git": GIT}]}
    child = {"group": "argoproj.io", "kind": "Application", "name": "a"}
    for status, children in (
        ({"resources": [child]}, ("a",)),
        ({"resources": [child], "resourcesCount": 1}, ("a",)),
        ({"resources": [child], "resourcesCount": 2}, ()),
        ({}, ()),
    ):
        (one,) = declared.application_sets(listed(entry(spec) | {"status": status}))
        assert one.children == children


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["metadata", "name", "spec", "source", "sources", "helm", "generators",
                         "git", "files", "path", "matrix", "template", "status", "resources"]),
        inner, max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(JSON, max_size=3) | JSON)
def test_whatever_comes_is_read_or_refused(items: Any) -> None:
    body = json.dumps({"items": items}).encode()
    for read in (lambda: declared.applications(body, "main"),
                 lambda: declared.application_sets(body)):  # fmt: skip
        try:
            read()
        except wire.UnreadableError:
            continue


@pytest.mark.parametrize("odd", ["a\nb", "a\u202eb", "\u001b[31m", "a\u0000"])
def test_what_would_not_be_shown_as_it_is_is_not_read(odd: str) -> None:
    """Paths and names go into reasons that people read, also in terminals."""
    good = entry({"source": {"repoURL": "a"}})
    for spec in (
        {"source": {"repoURL": odd}},
        {"source": {"path": odd}},
        {"source": {"targetRevision": odd}},
        {"source": {"helm": {"valueFiles": [odd]}}},
        {"source": {"directory": {"include": odd}}},
    ):
        assert len(declared.applications(listed(entry(spec), good), "main")) == 1
    assert declared.applications(listed(entry({}, name=odd)), "main") == ()


# The calls


def test_two_lists_are_asked_for_and_no_more(told: Told, argocd: ArgoCD) -> None:
    told.body = b'{"items": null}'
    assert argocd.declared() == Declared()
    assert [each.path.partition("?")[0] for each in told.asked] == [
        "/api/v1/applications",
        "/api/v1/applicationsets",
    ]
    assert dict(told.asked[0].query) == {"fields": declared.APPLICATION_FIELDS}


def test_what_cannot_be_read_cannot_be_seen(told: Told, argocd: ArgoCD) -> None:
    told.body = b'{"items": 3}'
    assert isinstance(argocd.declared(), CannotSee)
    told.status, told.body = 403, b"{}"
    seen = argocd.declared()
    assert isinstance(seen, CannotSee)
    assert seen.unauthorised


# The sandbox answers as the real one


@pytest.fixture
def cd(tmp_path: Path) -> Iterator[Served]:
    yield from served(tmp_path)


def client(cd: Served, account: str = "pilotage") -> ArgoCD:
    return ArgoCD(
        "main",
        str(cd.client.base_url),
        SecretStr(cd.argocd.accounts.token(account)),
        timeouts=Timeouts(),
        verify=False,
    )


def test_a_set_and_a_plain_application_of_the_sandbox_are_discovered(cd: Served) -> None:
    syrf(cd)
    plain = Source(
        CONFIG_URL, "HEAD", "charts/svc", value_files=("../../helm-values/staging.yaml",)
    )
    cd.argocd.add_application("plain", sources=[plain])
    with client(cd) as argocd:
        seen = argocd.declared()
    assert isinstance(seen, Declared)
    assert {each.name for each in seen.applications} == {"api-staging", "plain"}
    (made,) = seen.sets
    assert made.children == ("api-staging",)
    branch = Branch(normalised_repository(CONFIG_URL), "main")
    asked = {"api": (API,), "plain": ("helm-values/staging.yaml",)}
    texts: dict[str, str | None] = {API: config("api", "staging", "api-v1.0.0")}
    found = discover(asked, (API,), seen, branch, texts)
    assert found["api"].names == ("api-staging",)
    assert found["plain"].names == ("plain",)


def test_without_the_right_to_sets_none_is_shown(cd: Served) -> None:
    """The list of a token without rights is empty, as the real one's is; nothing says why."""
    syrf(cd)
    with client(cd, "readonly") as argocd:
        seen = argocd.declared()
    assert isinstance(seen, Declared)
    assert seen.sets == ()
    assert len(seen.applications) == 1


def test_a_recorded_child_is_found_by_the_set_that_made_it() -> None:
    """As recorded, it reads `values.yaml` beside the file that its version stands in."""
    child = json.dumps({"items": [recorded("app-appset-live")["response"]["body"]]}).encode()
    git = {"repoURL": CONFIG_URL, "files": [{"path": "syrf/environments/*/*/config.yaml"}]}
    template = {"metadata": {"name": "set-{{serviceName}}-{{envName}}"}}
    status = {"resources": [{"kind": "Application", "name": "set-api-staging"}]}
    sets = listed(entry({"generators": [{"git": git}], "template": template}) | {"status": status})
    everything = Declared(declared.applications(child, "main"), declared.application_sets(sets))
    branch = Branch(normalised_repository(CONFIG_URL), "main")
    web = API.replace("api", "web")
    texts: dict[str, str | None] = {
        API: config("api", "staging", "api-v1.2.0"),
        web: config("web", "staging", "web-v1.2.0"),
    }
    asked = {"api": (API,), "web": (web,)}
    without = discover(asked, (API, web), Declared(everything.applications), branch, texts)
    assert without["api"].names == ()
    assert "reads syrf/environments/staging/api/values.yaml" in without["api"].reason
    found = discover(asked, (API, web), everything, branch, texts)
    assert (found["api"].names, found["web"].names) == (("set-api-staging",), ())
