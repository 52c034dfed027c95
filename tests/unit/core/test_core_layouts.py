"""Every team's layout: which value goes where, byte for byte (SYRF-3, CHECKOUT-1, VAPORA-5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from pilotage.core.change import Difference, Part, Write, content_id
from pilotage.core.config.load import load_config
from pilotage.core.config.policy import Pipeline
from pilotage.core.layout import layout_of
from pilotage.core.places import FileText, hold, images
from pilotage.core.plan import Plan, Tree, joined, plan, versions
from pilotage.core.rollout.watch import Image
from pilotage.core.steps import steps
from pilotage.resources import presets

SOURCE, BASE = "a" * 40, "b" * 40
OLD_DIGEST, NEW_DIGEST = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def pipeline(text: str) -> Pipeline:
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    environments = (
        ""
        if "environments:" in text
        else ("    environments: { staging: {}, production: { from: staging } }\n")
    )
    whole = f"version: 1\npipelines:\n  shop:\n{lines}{environments}"
    return load_config(whole, presets()).pipelines["shop"]


def tree(environment: str, files: Mapping[str, str], commit: str = BASE) -> Tree:
    return Tree(environment, commit, {path: FileText(path, text) for path, text in files.items()})


@dataclass(frozen=True)
class Case:
    """Staging's and production's files, and what production's are to become."""

    config: str
    staging: Mapping[str, str]
    production: Mapping[str, str]
    becomes: Mapping[str, str]
    versions: Mapping[str, tuple[str | None, str]] = field(default_factory=dict)

    def planned(self) -> Plan:
        return plan(
            pipeline(self.config),
            tree("staging", self.staging, SOURCE),
            tree("production", self.production),
        )


DEPLOYMENT = """\
# {comment}
apiVersion: v1
kind: Service
metadata: {{ name: checkout-service }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: checkout-service
spec:
  replicas: {replicas}
  template:
    spec:
      containers:
        - name: sidecar
          image: envoy:v1.30.0
        - name: checkout-service
          image:   "{image}"   # the release
"""
THREE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: backend }}
spec: {{ template: {{ spec: {{ containers: [{{ name: backend, image: 'r/backend:{0}' }}] }} }} }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: agents }}
spec: {{ template: {{ spec: {{ containers: [{{ name: agents, image: 'r/agents:{1}' }}] }} }} }}
"""
SETTINGS = "data:\n  app.toml: |\n    host = '{0}.example.org'\n    workers = {1}\n"
CHART = """\
name: shop
dependencies:
  - {{ name: api, version: {0} }}
  - {{ name: web, version: {1} }}
"""
APPLICATION = (
    "spec:\n  source:\n    repoURL: https://charts.example.org\n    targetRevision: {0} # chart\n"
)

CASES = {
    "a values file for each environment": Case(
        "preset: helm-values\nfiles: helm-values/{environment}.yaml",
        {"helm-values/staging.yaml": "image:\n  tag: v2.15.0\nreplicaCount: 1\n"},
        {"helm-values/production.yaml": "image:\n  tag: v2.14.3 # now\nreplicaCount: 3\n"},
        {"helm-values/production.yaml": "image:\n  tag: v2.15.0 # now\nreplicaCount: 3\n"},
        {"shop": ("v2.14.3", "v2.15.0")},
    ),
    "values beside the chart, the source's called otherwise": Case(
        "preset: chart-values\nfiles: helm/registry/values-{environment}.yaml\n"
        "environments:\n  staging: { files: helm/registry/values.yaml }\n"
        "  production: { from: staging }",
        {"helm/registry/values.yaml": "image: { tag: v1.2.4 }\n"},
        {"helm/registry/values-production.yaml": "image: { tag: 'v1.2.3' }\n"},
        {"helm/registry/values-production.yaml": "image: { tag: 'v1.2.4' }\n"},
        {"shop": ("v1.2.3", "v1.2.4")},
    ),
    "the tag inside an image string of a manifest": Case(
        "preset: manifests\nfiles: kubernetes/{service}/{environment}/deployment.yaml",
        {
            "kubernetes/checkout-service/staging/deployment.yaml": DEPLOYMENT.format(
                comment="staging", replicas=1, image="staging.io:5000/checkout:v2.3.0"
            )
        },
        {
            "kubernetes/checkout-service/production/deployment.yaml": DEPLOYMENT.format(
                comment="live", replicas=9, image="myregistry.io/checkout:v2.2.5"
            )
        },
        {
            "kubernetes/checkout-service/production/deployment.yaml": DEPLOYMENT.format(
                comment="live", replicas=9, image="myregistry.io/checkout:v2.3.0"
            )
        },
        {"checkout-service": ("v2.2.5", "v2.3.0")},
    ),
    "an old digest never stays behind a new tag": Case(
        "files: '{environment}.yaml'\npromote: [{ image: image }]",
        {"staging.yaml": f"image: r/api:v2@{NEW_DIGEST}\n"},
        {"production.yaml": f"image: r/api:v1@{OLD_DIGEST}\n"},
        {"production.yaml": f"image: r/api:v2@{NEW_DIGEST}\n"},
        {"shop": (f"v1@{OLD_DIGEST}", f"v2@{NEW_DIGEST}")},
    ),
    "another build under the same tag": Case(
        "files: '{environment}.yaml'\npromote: [{ image: image }]",
        {"staging.yaml": f"image: r/api@{NEW_DIGEST}\n"},
        {"production.yaml": f"image: r/api@{OLD_DIGEST}\n"},
        {"production.yaml": f"image: r/api@{NEW_DIGEST}\n"},
        {"shop": (f"@{OLD_DIGEST}", f"@{NEW_DIGEST}")},
    ),
    "several services and a whole file with its own host": Case(
        """\
files: deploy/{environment}/deployment.yaml
promote:
  - image: spec.template.spec.containers[name={service}].image
    document: kind=Deployment,metadata.name={service}
services:
  backend: {}
  agents: {}
  settings:
    promote:
      - copy: file
        in: deploy/{environment}/configmap.yaml
        replace: { staging.example.org: production.example.org }""",
        {
            "deploy/staging/deployment.yaml": THREE.format("v2", "v3"),
            "deploy/staging/configmap.yaml": SETTINGS.format("staging", 8),
        },
        {
            "deploy/production/deployment.yaml": THREE.format("v1", "v1"),
            "deploy/production/configmap.yaml": SETTINGS.format("production", 4),
        },
        {
            "deploy/production/deployment.yaml": THREE.format("v2", "v3"),
            "deploy/production/configmap.yaml": SETTINGS.format("production", 8),
        },
        {
            "agents": ("v1", "v3"),
            "backend": ("v1", "v2"),
            "settings": (
                content_id(SETTINGS.format("production", 4).encode())[:12],
                content_id(SETTINGS.format("production", 8).encode())[:12],
            ),
        },
    ),
    "a kustomization's tags": Case(
        "preset: kustomize\nfiles: apps/overlays/{environment}/kustomization.yaml\n"
        "services: { api: {}, web: {} }",
        {
            "apps/overlays/staging/kustomization.yaml": "images:\n- name: api\n  newTag: '1.10'\n"
            "- name: web\n  newTag: v2\n"
        },
        {
            "apps/overlays/production/kustomization.yaml": "images:\n  # kept\n  - newTag: '1.9'\n"
            "    name: api\n  - name: web\n    newTag: v2\n"
        },
        {
            "apps/overlays/production/kustomization.yaml": "images:\n  # kept\n  - newTag: '1.10'\n"
            "    name: api\n  - name: web\n    newTag: v2\n"
        },
        {"api": ("1.9", "1.10")},
    ),
    "dependencies of an umbrella chart": Case(
        "files: '{environment}/Chart.yaml'\n"
        "promote: [{ copy: 'dependencies[name={service}].version' }]\n"
        "services: { api: {}, web: {} }",
        {"staging/Chart.yaml": CHART.format("1.2.0", "3.0.0")},
        {"production/Chart.yaml": CHART.format("1.1.0", "2.9.0")},
        {"production/Chart.yaml": CHART.format("1.2.0", "3.0.0")},
        {"api": ("1.1.0", "1.2.0"), "web": ("2.9.0", "3.0.0")},
    ),
    "an application's target revision": Case(
        "files: argocd/{environment}/{service}.yaml\n"
        "promote: [{ copy: spec.source.targetRevision }]",
        {"argocd/staging/api.yaml": APPLICATION.format("9.1.1")},
        {"argocd/production/api.yaml": APPLICATION.format("9.0.4")},
        {"argocd/production/api.yaml": APPLICATION.format("9.1.1")},
        {"api": ("9.0.4", "9.1.1")},
    ),
    "the whole file, with its own name": Case(
        "files: '{environment}/{service}/config.yaml'\n"
        "promote: [{ copy: file }, { copy: chartTag }, { set: envName, to: '{environment}' }]",
        {
            "staging/api/config.yaml": "# staging's\nenvName: staging\n"
            "chartTag: api-v2\nflags: [x]\n"
        },
        {"production/api/config.yaml": "envName: production\nchartTag: api-v1\n"},
        {
            "production/api/config.yaml": "# staging's\nenvName: production\n"
            "chartTag: api-v2\nflags: [x]\n"
        },
        {"api": ("api-v1", "api-v2")},
    ),
    "a whole file that only staging has yet": Case(
        "files: '{environment}/{service}/config.yaml'\n"
        "promote: [{ copy: chartTag }, { copy: file, in: '{environment}/{service}/extra.yaml' },"
        " { set: host, to: '{environment}.example.org',"
        " in: '{environment}/{service}/extra.yaml' }]",
        {
            "staging/api/config.yaml": "chartTag: api-v2\n",
            "staging/api/extra.yaml": "host: staging.example.org # ours\nsize: 2\n",
        },
        {"production/api/config.yaml": "chartTag: api-v1\n"},
        {
            "production/api/config.yaml": "chartTag: api-v2\n",
            "production/api/extra.yaml": "host: production.example.org # ours\nsize: 2\n",
        },
        {"api": ("api-v1", "api-v2")},
    ),
    "a service that only staging has": Case(
        "preset: cluster-gitops\nnew_services: add\nfiles: '{environment}/{service}/config.yaml'",
        {
            "staging/new/config.yaml": "envName: staging # named\nservice: { chartTag: new-v1 }\n",
            "staging/api/config.yaml": "envName: staging\nservice: { chartTag: api-v1 }\n",
        },
        {"production/api/config.yaml": "envName: production\nservice: { chartTag: api-v1 }\n"},
        {
            "production/new/config.yaml": "envName: production # named\n"
            "service: { chartTag: new-v1 }\n"
        },
        {"new": (None, "new-v1")},
    ),
}


@pytest.mark.runbook("SYRF-3")
@pytest.mark.runbook("CHECKOUT-1")
@pytest.mark.runbook("VAPORA-5")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_layout_gets_exactly_its_values(case: Case) -> None:
    found = case.planned()
    assert found.problems == {}
    assert joined(list(found.services.values())) == case.becomes
    stepped = {
        name: (each.change.before, each.change.after) for name, each in found.services.items()
    }
    assert stepped == case.versions


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_was_promoted_is_read_back_from_the_files(case: Case) -> None:
    """The same places, asked after the merge: held, said as the same step, and nothing left."""
    found, layout = case.planned(), pipeline(case.config)
    after = {**case.production, **case.becomes}
    changes = found.changes
    assert all(hold(change.writes, after) for change in changes)
    assert not any(hold(change.writes, case.production) for change in changes)
    told = steps(layout, tree("production", case.production), tree("production", after, SOURCE))
    assert {each.service: (each.before, each.after) for each in told} == case.versions
    by_service = {each.service: {w.place: w for w in each.writes} for each in told}
    for change in changes:
        known = by_service[change.service]
        assert all(known[write.place] == write for write in change.writes if write.place in known)
    present = versions(layout, tree("production", after))
    assert {name: present[name] for name in case.versions} == {
        name: new for name, (_, new) in case.versions.items()
    }
    left = plan(layout, tree("staging", case.staging), tree("production", after))
    assert (left.services, left.problems) == ({}, {})


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_source_is_asked_for_the_values_that_it_holds(case: Case) -> None:
    for found in case.planned().services.values():
        assert hold(found.source, case.staging)


def test_each_service_alone_leaves_the_others_in_its_file() -> None:
    """`together: proven` promotes one of several that share a file."""
    case = CASES["several services and a whole file with its own host"]
    found = case.planned().services
    assert joined([found["agents"]]) == {
        "deploy/production/deployment.yaml": THREE.format("v1", "v3")
    }


@pytest.mark.runbook("SYRF-3")
def test_a_new_service_is_asked_for_or_ignored() -> None:
    case = CASES["a service that only staging has"]
    source, target = tree("staging", case.staging), tree("production", case.production)
    ask = pipeline(case.config.replace("add", "ask"))
    assert plan(ask, source, target).only_in_source == ("new",)
    assert plan(ask, source, target).services == {}
    wanted = plan(ask, source, target, asked=frozenset({"new"}))
    assert joined(list(wanted.services.values())) == case.becomes
    assert wanted.only_in_source == ()
    ignore = pipeline(case.config.replace("add", "ignore"))
    assert plan(ignore, source, target).only_in_source == ()


def test_a_new_service_is_added_with_every_file_of_its_own() -> None:
    config = pipeline(
        "new_services: add\nfiles: '{environment}/{service}/values.yaml'\n"
        "promote: [{ copy: tag }, { set: host, to: '{environment}.example.org',"
        " in: '{environment}/{service}/extra.yaml' }]"
    )
    source = {"staging/new/values.yaml": "tag: v1\n", "staging/new/extra.yaml": "host: x\n"}
    found = plan(config, tree("staging", source), tree("production", {}))
    (only,) = found.services.values()
    assert only.files == {
        "production/new/values.yaml": "tag: v1\n",
        "production/new/extra.yaml": "host: production.example.org\n",
    }
    assert {write.part for write in only.change.writes} == {Part.VALUE, Part.FILE}


def test_a_new_service_brings_its_files_and_moves_what_it_shares() -> None:
    """What is promoted in a file that other services have already is changed there, no more."""
    rules = (
        "{ copy: tag }, { copy: chart, in: '{environment}/all.yaml' },"
        " { copy: file, in: '{environment}/lock' }"
    )
    config = (
        f"new_services: add\nfiles: '{{environment}}/{{service}}/values.yaml'\npromote: [{rules}]"
    )
    staging = {"staging/new/values.yaml": "tag: v1\n", "staging/all.yaml": "chart: 2 # s\n"}
    case = Case(
        config,
        {**staging, "staging/lock": "new\n"},
        {"production/all.yaml": "chart: 1\nown: kept\n", "production/lock": "old\n"},
        {
            "production/new/values.yaml": "tag: v1\n",
            "production/all.yaml": "chart: 2\nown: kept\n",
            "production/lock": "new\n",
        },
    )
    found = case.planned()
    assert not found.problems
    assert joined(list(found.services.values())) == case.becomes
    (change,) = found.changes
    assert (change.new, change.before, change.after) == (True, None, "v1")
    old = {write.file: write.before for write in change.writes}
    assert old["production/all.yaml"] == "1"
    assert old["production/lock"] == content_id(b"old\n")


@pytest.mark.parametrize(
    ("staging", "production", "said"),
    [
        (
            {"staging.yaml": "# c\nimage: r/api\n"},
            "image: r/api:v1\n",
            "staging.yaml:2: image: 'r/api' has neither a tag nor a digest; `copy` promotes",
        ),
        (
            {"staging.yaml": "image: r/api:v2\n"},
            "image: 'no image'\n",
            "production.yaml:1: image: 'no image' is not an image reference",
        ),
        ({"staging.yaml": "image: r/api:v2\n"}, "other: 1\n", "there is no such value"),
    ],
)
def test_what_is_no_image_is_refused_with_its_place(
    staging: Mapping[str, str], production: str, said: str
) -> None:
    config = pipeline("files: '{environment}.yaml'\npromote: [{ image: image }]")
    found = plan(
        config, tree("staging", staging), tree("production", {"production.yaml": production})
    )
    assert found.services == {}
    assert said in str(found.problems["shop"])
    assert ".yaml" in str(found.problems["shop"])


def test_a_service_is_planned_again_only_when_a_file_of_it_changed() -> None:
    case = CASES["a kustomization's tags"]
    made: list[object] = []
    known: dict[object, object] = {}

    def remember(key, make):  # type: ignore[no-untyped-def]
        if key not in known:
            known[key] = make()
            made.append(key)
        return known[key]

    source, target = tree("staging", case.staging), tree("production", case.production)
    first = plan(pipeline(case.config), source, target, remember=remember)
    again = plan(pipeline(case.config), source, target, remember=remember)
    assert (first, len(made)) == (again, 2)


def test_only_the_folders_that_hold_promoted_files_are_listed() -> None:
    several = CASES["several services and a whole file with its own host"]
    layout = layout_of(pipeline(several.config), "production")
    assert layout.prefixes == (
        "deploy/production/configmap.yaml",
        "deploy/production/deployment.yaml",
    )
    deep = layout_of(pipeline(CASES["an application's target revision"].config), "staging")
    assert deep.prefixes == ("argocd/staging/",)


def _two(staging: str, production: str, more: str = "") -> Plan:
    """One folder of the shape of a service, in both environments."""
    config = pipeline(
        f"files: '{{environment}}/{{service}}.yaml'\npromote: [{{ copy: image.tag }}]{more}"
    )
    return plan(
        config,
        tree("staging", {"staging/x.yaml": staging}),
        tree("production", {"production/x.yaml": production}),
    )


def test_texts_are_replaced_all_at_once_the_longest_first() -> None:
    """A mapping has no order: `blue` and `green` change places, and a host wins over its part."""
    texts = "{ staging: production, staging.example.org: example.org, blue: green, green: blue }"
    case = Case(
        f"files: '{{environment}}.yaml'\npromote: [{{ copy: file, replace: {texts} }}]",
        {"staging.yaml": "host: staging.example.org\nname: staging\nlive: blue\nidle: green\n"},
        {"production.yaml": "host: example.org\n"},
        {"production.yaml": "host: example.org\nname: production\nlive: green\nidle: blue\n"},
    )
    assert joined(list(case.planned().services.values())) == case.becomes


@pytest.mark.runbook("SYRF-3")
def test_what_one_service_promotes_is_not_said_to_be_left_by_another() -> None:
    """In a file of 30 services the only key that is left is still found, and said once."""
    names = [f"s{number}" for number in range(30)]
    rules = "{ copy: '{service}.tag', document: 0 }, { image: '{service}.image', document: 0 }"
    listed = ", ".join(f"{name}: {{}}" for name in names)

    def text(tag: str, replicas: int) -> str:
        tags = "".join(f"{name}:\n  tag: {tag}\n  image: r/{name}:{tag}\n" for name in names)
        return f"{tags}---\ns1: {{ tag: {replicas} }}\n"

    config = f"files: '{{environment}}.yaml'\nservices: {{ {listed} }}\npromote: [{rules}]"
    case = Case(
        config,
        {"staging.yaml": text("v2", 3)},
        {"production.yaml": text("v1", 1)},
        {},
    )
    found = case.planned().changes
    assert len(found) == len(names)
    assert [each for change in found for each in change.differences] == [
        Difference("production.yaml", "s1.tag", "3", "1", 1)
    ]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("{service}.tag", "api.v2: { tag: TAG }\napi: { v2: { tag: v0 } }\n"),
        ("{environment}.{service}.tag", "ENVIRONMENT: { api.v2: { tag: TAG } }\n"),
        ("charts[name={service}].tag", "charts: [{ name: api.v2, tag: TAG }]\n"),
        ('tags["{service}"]', "tags: { api.v2: TAG }\n"),
        ("tags.{service}-chart", "tags: { api.v2-chart: TAG }\n"),
    ],
)
def test_a_name_with_a_dot_is_one_key(path: str, text: str) -> None:
    """Its version was looked for at `v2` below `api`, and it was taken for no service."""
    ours = text.replace("ENVIRONMENT", "production")
    old, new = (ours.replace("TAG", tag) for tag in ("v1", "v2"))
    theirs = text.replace("ENVIRONMENT", "staging").replace("TAG", "v2")
    files = "files: '{environment}/{service}.yaml'"
    case = Case(
        f"{files}\npromote: [{{ copy: '{path}' }}]",
        {"staging/api.v2.yaml": theirs},
        {"production/api.v2.yaml": old},
        {},
        {"api.v2": ("v1", "v2")},
    )
    found = case.planned()
    assert {one.service: (one.before, one.after) for one in found.changes} == case.versions
    assert joined(list(found.services.values())) == {"production/api.v2.yaml": new}


@pytest.mark.parametrize(
    "text", ["kind: ServiceAccount\n", "", "# none\n", "image: {repository: r}\n"]
)
def test_what_says_no_version_anywhere_is_no_service(text: str) -> None:
    """Service accounts, identities and policies stand in folders of the same shape."""
    found = _two(text, text)
    assert (found.services, found.unchanged, found.problems) == ({}, {}, {})
    assert found.without_version == ("x",)


@pytest.mark.parametrize("new_services", ["add", "ask", "ignore"])
def test_what_one_environment_has_without_a_version_is_no_service_either(
    new_services: str,
) -> None:
    """A base, a policy: neither offered as new, nor added, nor in the way of the others."""
    config = pipeline(
        "files: '{environment}/{service}.yaml'\npromote: [{ copy: image.tag }]\n"
        f"new_services: {new_services}"
    )
    staging = {"staging/policy.yaml": "kind: Policy\n", "staging/new.yaml": "image: {tag: v1}\n"}
    production = {"production/base.yaml": "", "production/old.yaml": "image: {tag: v1}\n"}
    found = plan(config, tree("staging", staging), tree("production", production))
    assert (found.problems, found.unchanged) == ({}, {})
    assert found.services.keys() == ({"new"} if new_services == "add" else set())
    assert found.only_in_source == (("new",) if new_services == "ask" else ())
    assert found.only_in_target == ("old",)
    assert found.without_version == ("base", "policy")


@pytest.mark.parametrize(
    ("staging", "production"),
    [
        ("image: {tag: v1}\n", "other: 1\n"),
        ("other: 1\n", "image: {tag: v1}\n"),
        ("other: 1\n", "image: {tag: &a v1}\nother: *a\n"),
        ("image: &a {tag: v1}\n", "<<: [1\n"),
    ],
)
def test_what_says_it_in_one_environment_or_cannot_be_read_is_a_problem(
    staging: str, production: str
) -> None:
    found = _two(staging, production)
    assert found.problems.keys() == {"x"}
    assert found.without_version == ()


def test_a_service_that_somebody_wrote_down_must_have_its_version() -> None:
    own = "\nservices: { x: { promote: [{ copy: image.tag }] } }"
    assert _two("a: 1\n", "a: 1\n", own).problems.keys() == {"x"}


CRON_JOB = """\
kind: CronJob
spec: {{ jobTemplate: {{ spec: {{ template: {{ spec: {{ containers:
  [{{ name: shop, image: "{0}" }}] }} }} }} }} }}
"""


@pytest.mark.runbook("SYRF-9")
@pytest.mark.parametrize(
    ("old", "new", "merged", "found"),
    [
        ("v1", "v2", "r:5000/shop:v2", Image("r:5000/shop:v2", "r:5000/shop:v1")),
        (None, "v2", "shop:v2", Image("shop:v2")),
        (
            f"v1@{OLD_DIGEST}",
            f"v2@{NEW_DIGEST}",
            f"r/shop:v2@{NEW_DIGEST}",
            Image(f"r/shop:v2@{NEW_DIGEST}", f"r/shop:v1@{OLD_DIGEST}"),
        ),
        (
            f"@{OLD_DIGEST}",
            f"@{NEW_DIGEST}",
            f"r/shop@{NEW_DIGEST}",
            Image(f"r/shop@{NEW_DIGEST}", f"r/shop@{OLD_DIGEST}"),
        ),
        ("v1", "v2", "r/shop:v3", None),
        ("v1", "v2", "no image", None),
        ("v1", "v2", "", None),
    ],
)
def test_the_image_that_must_run_is_the_one_that_the_merged_file_names(
    old: str | None, new: str, merged: str, found: Image | None
) -> None:
    """Only where it holds the promoted version; what cannot be read says nothing."""
    write = Write("a.yaml", "image", old, new, part=Part.IMAGE)
    texts = {"a.yaml": f'image: "{merged}"\n' if merged else None}
    assert images([write], texts) == ((found,) if found else ())


def test_no_pod_must_run_a_cron_jobs_image() -> None:
    """Or what is between two runs would be taken for what did not come up."""
    path = "spec.jobTemplate.spec.template.spec.containers[name=shop].image"
    write = Write("a.yaml", path, "v1", "v2", part=Part.IMAGE)
    assert hold([write], {"a.yaml": CRON_JOB.format("r/shop:v2")})
    assert images([write], {"a.yaml": CRON_JOB.format("r/shop:v2")}) == ()
