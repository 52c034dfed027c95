"""Resources against the real schemas of Kubernetes, as the package brings them."""

from __future__ import annotations

import sys

import pytest

from pilotage.adapters import kubernetes
from pilotage.adapters.kubernetes import NoSchemas, Schemas

GOOD = """\
apiVersion: apps/v1
kind: Deployment
metadata: { name: backend, namespace: vapora }
spec:
  replicas: 3
  selector: { matchLabels: { app: backend } }
  template:
    metadata: { labels: { app: backend } }
    spec:
      containers:
        - name: backend
          image: registry.example.org/backend:v1.4.0
          imagePullPolicy: Always
          ports: [{ containerPort: 8080 }]
          env: [{ name: DEBUG, value: "no" }]
          livenessProbe: { httpGet: { path: /health, port: http } }
          resources: { limits: { cpu: 2, memory: 1Gi } }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: backend }
data: { level: info }
"""
WRONG = {
    ("replicas: 3", 'replicas: "3"'): (
        ":5: spec.replicas: Deployment backend in vapora: expected a whole number, found a string"
    ),
    ('value: "no"', "value: no"): (
        ":15: spec.template.spec.containers[0].env[0].value: Deployment backend in vapora: "
        "expected a string, found true or false without quotes"
    ),
    ("imagePullPolicy", "imagePullPolcy"): (
        ":13: spec.template.spec.containers[0].imagePullPolcy: Deployment backend in vapora: "
        "Kubernetes knows no such field (did you mean `imagePullPolicy`?)"
    ),
    ("  selector: { matchLabels: { app: backend } }\n", ""): (
        ":5: spec: Deployment backend in vapora: selector is missing"
    ),
    ("port: http", "port: [http]"): (
        ":16: spec.template.spec.containers[0].livenessProbe.httpGet.port: "
        "Deployment backend in vapora: expected a string or a whole number, found a list"
    ),
    ("level: info", "level: 3"): (
        ":22: data.level: ConfigMap backend: expected a string, found a number"
    ),
    ("kind: ConfigMap", "kind: Secret\ntype: 5"): (
        ":21: type: Secret backend: expected a string, found a number"
    ),
}


def problems(text: str, version: str = "1.31") -> list[str]:
    return [str(problem) for problem in Schemas.of(version).content(text).problems]


@pytest.mark.parametrize("version", ["1.25", "1.31", "1.37"])
def test_good_resources_fit(version: str) -> None:
    found = Schemas.of(version).content(GOOD)
    assert (found.problems, found.foreign) == ((), ())
    assert [str(each) for each in found.resources] == [
        "Deployment backend in vapora",
        "ConfigMap backend",
    ]


@pytest.mark.runbook("VAPORA-6")
@pytest.mark.parametrize("change", WRONG)
def test_what_kubernetes_would_refuse_is_found_with_its_line(change: tuple[str, str]) -> None:
    assert GOOD.count(change[0]) == 1
    assert problems(GOOD.replace(*change)) == [WRONG[change]]


def test_every_mistake_is_found_not_only_the_first() -> None:
    text = GOOD
    for old, new in list(WRONG)[:3]:
        text = text.replace(old, new)
    assert len(problems(text)) == 3


def test_a_value_is_never_repeated() -> None:
    """It may be a secret."""
    text = "apiVersion: v1\nkind: Secret\nmetadata: { name: s }\nstringData: [hunter2]\n"
    assert "hunter2" not in str(problems(text))
    assert problems(text)


FOREIGN = [
    ("argoproj.io/v1alpha1", "Rollout"),
    ("apps.example.org/v1", "Deployment"),
    ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
    ("v1", "../configmap"),
    ("../../v1", "ConfigMap"),
    ("v1", "_definitions"),
    ("apps/v9", "Deployment"),
]


@pytest.mark.parametrize(("version", "kind"), FOREIGN)
def test_a_kind_that_kubernetes_does_not_bring_is_named_and_not_judged(
    version: str, kind: str
) -> None:
    text = f"apiVersion: {version}\nkind: '{kind}'\nmetadata: {{ name: x }}\nspec: 5\n"
    found = Schemas.of("1.31").content(text)
    assert (found.problems, found.foreign) == ((), (kind,))


def test_resources_of_a_list_are_judged_one_by_one() -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n"
        "  - { apiVersion: v1, kind: ConfigMap, metadata: { name: a }, data: { n: '1' } }\n"
        "  - { apiVersion: v1, kind: ConfigMap, metadata: { name: b }, data: { n: 1 } }\n"
    )
    assert problems(text) == [":5: items[1].data.n: ConfigMap b: expected a string, found a number"]


def test_a_hostile_file_cannot_make_a_long_story() -> None:
    names = "\n".join(f"  {n}{'x' * 900}: [{n}]" for n in range(100))
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {'y' * 5000} }}\ndata:\n{names}\n"
    found = problems(text)
    assert len(found) == 20
    assert max(map(len, found)) < 600


def test_nesting_is_judged_as_deep_as_it_may_be_read() -> None:
    deep = "{properties: {a: " * 34 + "{type: 5}" + "}}" * 34
    text = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        "metadata: { name: d }\n"
        f"spec: {{ versions: [{{ schema: {{ openAPIV3Schema: {deep} }} }}] }}\n"
    )
    assert any("expected a string, found a number" in found for found in problems(text))


def test_a_version_without_schemas_says_which_there_are() -> None:
    with pytest.raises(NoSchemas, match=r"no schemas of Kubernetes 1\.99, only 1\.\d+ to 1\.\d+"):
        Schemas.of("1.99")


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes_validate", None)
    kubernetes._folders.cache_clear()
    with pytest.raises(NoSchemas) as missing:
        Schemas.of("1.31")
    assert "pip install 'pilotage[kubernetes]'" in missing.value.next_step
