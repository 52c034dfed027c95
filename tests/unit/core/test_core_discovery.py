"""Which applications read which of the promoted files, with the reason in words."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core.application import ApplicationRef, normalised_repository
from pilotage.core.discovery.declared import (
    ApplicationSet,
    Branch,
    Declared,
    DeclaredApplication,
    DeclaredSource,
    Directory,
    FileGenerator,
    Tool,
)
from pilotage.core.discovery.find import Found, discover, wanted

URL = "https://github.com/acme/gitops.git"
BRANCH = Branch(normalised_repository(URL), "main")
CHART = {"charts/shop/Chart.yaml": "name: shop\n"}


def source(path: str = "", **more: Any) -> DeclaredSource:
    return replace(DeclaredSource(URL, "main", path), **more)


def application(name: str, *sources: DeclaredSource, **more: Any) -> DeclaredApplication:
    ref = ApplicationRef("main", "default", "argocd", name)
    return replace(DeclaredApplication(ref, sources), **more)


def found(
    file: str,
    *applications: DeclaredApplication,
    git: Mapping[str, str] = {},
    sets: tuple[ApplicationSet, ...] = (),
    known: tuple[str, ...] = (),
    branch: Branch = BRANCH,
) -> Found:
    """What is found for one file, after git was asked for all that was wanted."""
    texts: dict[str, str | None] = {}
    declared = Declared(applications, sets)
    for _ in range(20):
        more = wanted({file, *known}, declared, branch, texts)
        if not more:
            return discover({"shop": (file,)}, known, declared, branch, texts)["shop"]
        assert not more & texts.keys()
        texts |= {path: git.get(path) for path in more}
    raise AssertionError("it never has enough")


# The repository and its branch

SPELLINGS = (
    "https://github.com/acme/gitops.git",
    "https://github.com/acme/gitops",
    "https://github.com/acme/gitops/",
    "https://GitHub.com/Acme/GitOps.git",
    "https://bot:token@github.com:443/acme/gitops.git/",
    "http://github.com:80/acme/gitops",
    "git@github.com:acme/gitops.git",
    "github.com:acme/gitops",
    "ssh://git@github.com/acme/gitops.git",
    "ssh://git@github.com:22/acme/gitops",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_repository_is_the_same_however_it_is_spelt(spelling: str) -> None:
    spelt = replace(source("apps/shop"), repository=spelling)
    assert found("apps/shop/deployment.yaml", application("shop", spelt)).names == ("shop",)


@pytest.mark.parametrize(
    "other",
    ["https://github.com/acme/gitops-old", "https://github.com:8443/acme/gitops", "gitops", ""],
)
def test_another_repository_is_another(other: str) -> None:
    elsewhere = replace(source("apps/shop"), repository=other)
    seen = found("apps/shop/deployment.yaml", application("shop", elsewhere))
    assert seen.names == ()
    assert f"shop reads apps/shop, but in {other}" in seen.reason


@pytest.mark.parametrize("revision", ["", "HEAD", "main", "refs/heads/main"])
def test_an_application_that_follows_the_branch_counts(revision: str) -> None:
    on = replace(source("apps/shop"), revision=revision)
    assert found("apps/shop/deployment.yaml", application("shop", on)).names == ("shop",)


@pytest.mark.parametrize(
    "revision", ["develop", "v1.2.3", "1.*", "refs/tags/main", "refs/heads/maintenance", "a" * 40]
)
def test_one_that_follows_something_else_is_the_nearest_miss(revision: str) -> None:
    near = application("shop", replace(source("apps/shop"), revision=revision))
    seen = found("apps/shop/deployment.yaml", application("a", source("apps/shop/x")), near)
    assert seen.names == ()
    assert seen.near[0].application == "shop"
    shown = revision[:7] if len(revision) == 40 else revision
    assert seen.near[0].why.endswith(f"but follows {shown}")


# Plain directories

DIRECTORIES = {
    "a manifest in its folder": ("apps/shop/deployment.yaml", Directory(), True),
    "a manifest below it": ("apps/shop/eu/deployment.yaml", Directory(), False),
    "a manifest below it, recursing": (
        "apps/shop/eu/deployment.yaml",
        Directory(recurse=True),
        True,
    ),
    "a folder of a similar name": ("apps/shopping/deployment.yaml", Directory(recurse=True), False),
    "no manifest": ("apps/shop/README.md", Directory(), False),
    "only what is included": ("apps/shop/a.yaml", Directory(include="b*.yaml"), False),
    "an included one": ("apps/shop/b1.yaml", Directory(include="{a,b*}.yaml"), True),
    "an excluded one": ("apps/shop/b1.yaml", Directory(exclude="b*"), False),
    "excluded although included": (
        "apps/shop/b1.yaml",
        Directory(include="*", exclude="b?.yaml"),
        False,
    ),
    "an include crosses slashes": (
        "apps/shop/eu/b.yaml",
        Directory(recurse=True, include="*.yaml"),
        True,
    ),
    "a jsonnet program": ("apps/shop/main.jsonnet", Directory(), True),
    "a jsonnet library": ("lib/shop/x.libsonnet", Directory(libraries=("lib/",)), True),
}


@pytest.mark.parametrize(("file", "rules", "reads"), DIRECTORIES.values(), ids=DIRECTORIES)
def test_a_directory_reads_what_its_rules_take(file: str, rules: Directory, reads: bool) -> None:
    one = source("./apps/shop/", directory=rules, tool=Tool.DIRECTORY)
    assert found(file, application("shop", one)).names == (("shop",) if reads else ())


def test_a_miss_says_which_rule_left_the_file_out() -> None:
    one = source("apps/shop", directory=Directory(exclude="b*"), tool=Tool.DIRECTORY)
    assert "excludes b*" in found("apps/shop/b.yaml", application("shop", one)).reason
    seen = found("apps/shop/eu/b.yaml", application("shop", one))
    assert "without directory.recurse" in seen.reason


@pytest.mark.parametrize("root", ["", ".", "./", "/"])
def test_the_root_of_the_repository(root: str) -> None:
    whole = source(root, directory=Directory(recurse=True), tool=Tool.DIRECTORY)
    assert found("a/b/c.yaml", application("all", whole)).names == ("all",)


# Helm

VALUES = {
    "beside the chart": ("values-production.yaml", "charts/shop/values-production.yaml", True),
    "relative": ("../../values/production.yaml", "values/production.yaml", True),
    "relative beyond the root": ("../../../values.yaml", "values.yaml", False),
    "from the root": ("/values/production.yaml", "values/production.yaml", True),
    "of the same name elsewhere": ("values.yaml", "values.yaml", False),
    "a glob": ("../../values/*.yaml", "values/production.yaml", True),
    "a glob stays in a folder": ("../../values/*.yaml", "values/eu/production.yaml", False),
    "a deep glob": ("../../values/**/*.yaml", "values/eu/west/production.yaml", True),
    "a deep glob of no folder": ("../../values/**/*.yaml", "values/production.yaml", True),
    "a URL": ("https://example.org/values.yaml", "charts/shop/values.yaml.x", False),
    "the build environment": ("$ARGOCD_APP_NAME.yaml", "charts/shop/shop.yaml", True),
    "the build environment in braces": ("/${ARGOCD_APP_NAME}/v.yaml", "shop/v.yaml", True),
}


@pytest.mark.parametrize(("written", "file", "reads"), VALUES.values(), ids=VALUES)
def test_a_values_file_is_found_where_helm_looks_for_it(
    written: str, file: str, reads: bool
) -> None:
    one = source("charts/shop", tool=Tool.HELM, files=(written,))
    assert found(file, application("shop", one)).names == (("shop",) if reads else ())


@pytest.mark.parametrize(
    ("file", "reads"),
    [
        ("charts/shop/Chart.yaml", True),
        ("charts/shop/values.yaml", True),
        ("charts/shop/templates/a/deployment.yaml", True),
        ("charts/shop/charts/redis/values.yaml", True),
        ("charts/shop/values-production.yaml", False),
        ("charts/shop/.argocd-source-shop.yaml", True),
        ("charts/shop/.argocd-source-web.yaml", False),
        ("charts/base/values.yaml", True),
        ("charts/other/values.yaml", False),
    ],
)
def test_a_chart_reads_its_own_files_and_no_other_values(file: str, reads: bool) -> None:
    """The values of another environment beside the chart are nobody's until they are listed."""
    git = {
        "charts/shop/Chart.yaml": """\
name: shop
dependencies:
  - { name: base, repository: "file://../base" }
  - { name: redis, repository: https://charts.example.org }
"""
    }
    one = application("shop", source("charts/shop"))
    assert found(file, one, git=git).names == (("shop",) if reads else ())


def test_a_miss_beside_a_chart_names_the_values_that_are_read() -> None:
    one = application("shop", source("charts/shop", files=("values-staging.yaml",)))
    seen = found("charts/shop/values-production.yaml", one, git=CHART)
    assert seen.near[0].why == "renders the chart charts/shop with values of values-staging.yaml"


def test_values_of_another_source() -> None:
    """`$values/...`: the file is in the repository of the source with that `ref`."""
    chart = DeclaredSource(
        "https://charts.example.org",
        "1.2.3",
        chart="shop",
        tool=Tool.HELM,
        files=("$values/shop/production.yaml",),
    )
    values = source(ref="values")
    assert found("shop/production.yaml", application("shop", chart, values)).names == ("shop",)
    other = replace(values, ref="other")
    assert found("shop/production.yaml", application("shop", chart, other)).names == ()
    develop = replace(values, revision="develop")
    seen = found("shop/production.yaml", application("shop", chart, develop))
    assert "but follows develop" in seen.reason


def test_a_source_that_only_lends_its_files_reads_none_by_itself() -> None:
    assert found("shop/production.yaml", application("shop", source(ref="values"))).names == ()
    both = source("shop", ref="values")
    assert found("shop/production.yaml", application("shop", both)).names == ("shop",)


# Kustomize

OVERLAY = "overlays/production/kustomization.yaml"
KUSTOMIZATION = {
    OVERLAY: """\
resources:
  - ../../base
  - ingress.yaml
  - https://github.com/acme/shared//x?ref=v1
  - /etc/passwd
components: [../../components/metrics]
patches:
  - path: replicas.yaml
  - patch: "- op: add"
configMapGenerator:
  - name: settings
    files: [app.json, log=conf/logging.json]
    envs: [settings.env]
""",
    "base/kustomization.yml": "bases: [../common]\nresources: [deployment.yaml, ../../../x.yaml]\n",
    "common/Kustomization": "resources: [service.yaml]\n",
    "components/metrics/kustomization.yaml": "patchesStrategicMerge: [sidecar.yaml]\n",
}


@pytest.mark.parametrize(
    ("file", "reads"),
    [
        (OVERLAY, True),
        ("overlays/production/ingress.yaml", True),
        ("overlays/production/replicas.yaml", True),
        ("overlays/production/app.json", True),
        ("overlays/production/conf/logging.json", True),
        ("overlays/production/settings.env", True),
        ("base/kustomization.yml", True),
        ("base/deployment.yaml", True),
        ("common/service.yaml", True),
        ("components/metrics/sidecar.yaml", True),
        ("overlays/production/unnamed.yaml", False),
        ("overlays/staging/kustomization.yaml", False),
        ("etc/passwd", False),
        ("x.yaml", False),
    ],
)
def test_a_kustomization_is_followed(file: str, reads: bool) -> None:
    one = application("shop", source("overlays/production"))
    assert found(file, one, git=KUSTOMIZATION).names == (("shop",) if reads else ())


def test_what_refers_to_itself_comes_to_an_end() -> None:
    git = {"a/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "bases: [../a]\n"}
    assert found("c.yaml", application("shop", source("a")), git=git).names == ()


@pytest.mark.parametrize("text", ["resources: [", "&a [*a]", "[" * 5000, "resources: ../x", "\0"])
def test_a_kustomization_that_cannot_be_read_names_nothing(text: str) -> None:
    one = application("shop", source("a"))
    assert found("a/x.yaml", one, git={"a/kustomization.yaml": text}).names == ()


# Plugins and generate paths


def test_what_a_plugin_reads_is_its_folder_and_what_the_annotation_names() -> None:
    one = application("shop", source("shop", tool=Tool.PLUGIN), generate_paths=(".", "../common"))
    assert found("shop/anything.jsonnet", one).names == ("shop",)
    assert found("common/x.cue", one).names == ("shop",)
    assert found("other/x.cue", one).names == ()


def test_an_annotation_that_misses_a_file_is_told() -> None:
    """Argo CD would not notice a change of the file by itself; it reads it all the same."""
    one = application(
        "shop",
        source("charts/shop", tool=Tool.HELM, files=("/values/p.yaml",)),
        generate_paths=(".",),
    )
    seen = found("values/p.yaml", one)
    assert seen.names == ("shop",)
    assert [each.application for each in seen.uncovered] == ["shop"]
    told = replace(one, generate_paths=(".", "/values"))
    assert found("values/p.yaml", told).uncovered == ()


def test_a_hydrated_application_is_not_followed() -> None:
    one = application("shop", source("apps/shop"), hydrated=True)
    assert found("apps/shop/deployment.yaml", one).names == ()


# ApplicationSets

SYRF = FileGenerator(
    URL, "HEAD", ("syrf/environments/*/*/config.yaml",), name="{{serviceName}}-{{envName}}"
)
CHILDREN = ("api-production", "api-staging", "api-gateway-production", "web-production")
CONFIG = "syrf/environments/{}/{}/config.yaml"
FILES = tuple(
    CONFIG.format(environment, service)
    for environment in ("production", "staging")
    for service in ("api", "api-gateway", "web")
)
CONTENTS = {
    file: f"serviceName: {file.split('/')[3]}\nenvName: {file.split('/')[2]}\n" for file in FILES
}

TEMPLATES = {
    "contents": ("{{serviceName}}-{{envName}}", False),
    "path": ("{{path.basename}}-{{path[2]}}", False),
    "go contents": ("{{.serviceName}}-{{ .envName }}", True),
    "go path": ("{{.path.basename}}-{{index .path.segments 2}}", True),
    "go pipes": ('{{ .path.basename | lower | replace "_" "-" }}-{{- .envName | trim -}}', True),
    "normalised": ("{{path.basenameNormalized}}-{{envName}}", False),
}


@pytest.mark.parametrize(("name", "go"), TEMPLATES.values(), ids=TEMPLATES)
def test_an_application_set_makes_one_application_of_each_file(name: str, go: bool) -> None:
    """The child's own sources need not read the file."""
    made = ApplicationSet("syrf", (replace(SYRF, name=name),), CHILDREN, go)
    for file, names in {
        CONFIG.format("production", "api"): ("api-production",),
        CONFIG.format("staging", "api"): ("api-staging",),
        CONFIG.format("production", "api-gateway"): ("api-gateway-production",),
    }.items():
        seen = found(file, sets=(made,), known=FILES, git=CONTENTS)
        assert seen.names == names
        assert f"ApplicationSet syrf makes it from {file}" in str(seen.matches[0])


def test_one_file_of_a_matrix_makes_several_applications() -> None:
    """The other generator's parameter may be anything; a file with a longer name has its own."""
    children = ("api-eu", "api-us", "api-gateway-eu", "api-gateway-us", "web-eu")
    generator = replace(SYRF, name="{{path.basename}}-{{cluster}}")
    made = ApplicationSet("syrf", (generator,), children)
    known = FILES[:3]
    for service in ("api", "api-gateway"):
        seen = found(CONFIG.format("production", service), sets=(made,), known=known, git=CONTENTS)
        assert seen.names == (f"{service}-eu", f"{service}-us")


@pytest.mark.parametrize(
    ("name", "go"),
    [
        ("{{something}}", False),
        ("{{.path.basename | sha256sum}}", True),
        ("{{if .eu}}eu-{{end}}{{.path.basename}}", True),
        ("syrf-{{path[0]}}", False),
        ("{{path.basename}}-{{unknown}}", False),
    ],
)
def test_a_name_that_several_files_would_fit_is_nobodys(name: str, go: bool) -> None:
    """Better to wait and say so than to judge a service by another one's application."""
    children = ("api-a", "api-b", "syrf-syrf")
    made = ApplicationSet("syrf", (replace(SYRF, name=name),), children, go)
    file = CONFIG.format("production", "api")
    seen = found(file, sets=(made,), known=FILES, git=CONTENTS)
    assert seen.names == ()
    assert "ApplicationSet syrf" in seen.reason


def test_generators_that_do_not_take_the_file() -> None:
    file = CONFIG.format("production", "api")
    for generator in (
        replace(SYRF, revision="develop"),
        replace(SYRF, repository="https://github.com/acme/other"),
        replace(SYRF, patterns=("apps/*/config.yaml",)),
        replace(SYRF, excluded=("syrf/environments/production/**",)),
    ):
        made = ApplicationSet("syrf", (generator,), CHILDREN)
        assert found(file, sets=(made,), known=FILES, git=CONTENTS).names == ()


def test_one_that_reads_and_one_that_is_made() -> None:
    file = CONFIG.format("production", "api")
    umbrella = source("syrf", directory=Directory(recurse=True), tool=Tool.DIRECTORY)
    made = ApplicationSet("syrf", (SYRF,), CHILDREN)
    seen = found(file, application("all", umbrella), sets=(made,), known=FILES, git=CONTENTS)
    assert seen.names == ("all", "api-production")


# Apps of apps

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: { name: shop }
spec: { source: { repoURL: https://charts.example.org, chart: shop, targetRevision: 1.2.3 } }
---
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: { name: shops }
---
apiVersion: v1
kind: Application
metadata: { name: web }
"""
CHARTED = DeclaredSource("https://charts.example.org", "1.2.3", chart="shop")


def test_what_a_promoted_manifest_declares_rolls_out_and_not_only_what_applies_it() -> None:
    """The parent is Synced at once, and knows nothing of its children's health."""
    every = (
        application("parent", source("apps", tool=Tool.DIRECTORY)),
        *(application(name, CHARTED) for name in ("shop", "web", "shop-eu", "shop-us")),
    )
    sets = (ApplicationSet("shops", (), ("shop-eu", "shop-us")), ApplicationSet("x", (), ("y",)))
    seen = found("apps/shop.yaml", *every, git={"apps/shop.yaml": MANIFEST}, sets=sets)
    assert seen.names == ("parent", "shop", "shop-eu", "shop-us")
    assert "shop: apps/shop.yaml declares its Application" in map(str, seen.matches)


def test_a_manifest_that_nothing_applies_is_none() -> None:
    every = (
        application("parent", source("other", tool=Tool.DIRECTORY)),
        application("shop", CHARTED),
    )
    seen = found("apps/shop.yaml", *every, git={"apps/shop.yaml": MANIFEST})
    assert seen.names == ()
    assert "shop is declared by it, but no application applies it" in seen.reason


@pytest.mark.parametrize(
    "text", [MANIFEST.replace("name: shop }", "name: '{{ .name }}' }"), "a: ["]
)
def test_a_name_that_a_template_makes_is_not_known(text: str) -> None:
    every = (
        application("parent", source("apps", tool=Tool.DIRECTORY)),
        application("shop", CHARTED),
    )
    assert found("apps/shop.yaml", *every, git={"apps/shop.yaml": text}).names == ("parent",)


# What is said


def test_where_nothing_reads_the_repository_the_others_are_named() -> None:
    other = replace(source("x"), repository="https://bot:secret@github.com/acme/old")
    seen = found("kubernetes/api/deployment.yaml", application("old", other))
    assert seen.reason == (
        "no application on main reads kubernetes/api/deployment.yaml; none of the 1 that are "
        "shown reads this repository, but github.com/acme/old"
    )


def test_a_file_that_nobody_reads_is_named_beside_one_that_somebody_does() -> None:
    declared = Declared((application("shop", source("apps/shop", tool=Tool.DIRECTORY)),))
    files = ("apps/shop/a.yaml", "docs/b.yaml")
    seen = discover({"shop": files, "web": ()}, (), declared, BRANCH, {})
    assert seen["shop"].names == ("shop",)
    assert seen["shop"].unread == ("docs/b.yaml",)
    assert seen["web"].names == ()
    assert seen["web"].reason


SEGMENT = st.text(string.ascii_lowercase + "-._*?[]{}!^", min_size=1, max_size=8)
PATH = st.lists(SEGMENT, min_size=1, max_size=5).map("/".join)


@given(PATH, PATH, st.sampled_from(Tool), st.booleans(), PATH)
def test_whatever_is_written_there_is_an_answer(
    file: str, path: str, tool: Tool, recurse: bool, pattern: str
) -> None:
    """Either names or a reason, and a file in the folder is never said to be elsewhere."""
    one = source(path, tool=tool, files=(pattern,), directory=Directory(recurse, pattern, pattern))
    made = ApplicationSet("s", (replace(SYRF, patterns=(pattern,), name=pattern),), (path,))
    seen = found(file, application("shop", one), sets=(made,), known=(file, path))
    assert bool(seen.names) != bool(seen.reason)


@given(PATH, st.permutations(["staging", "production", "load"]))
def test_each_environments_application_reads_its_own_file(folder: str, order: list[str]) -> None:
    """Whatever the order of the list."""
    folder = "".join(each for each in folder if each not in "*?[]{}!^").strip("./") or "x"
    folder = "/".join(part for part in folder.split("/") if part not in ("", ".", "..")) or "x"
    applications = [
        application(f"shop-{each}", source(f"{folder}/{each}", tool=Tool.DIRECTORY))
        for each in order
    ]
    for each in order:
        seen = found(f"{folder}/{each}/deployment.yaml", *applications)
        assert seen.names == (f"shop-{each}",)
