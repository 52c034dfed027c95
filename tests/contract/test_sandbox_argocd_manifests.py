"""Folders of manifests and kustomizations, as the sandbox's Argo CD reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pilotage.sandbox.argocd import ArgoCD, ManualClock, Source, Timings
from tests.contract.argocd_world import CONFIG_URL, Repository

DIGEST = "sha256:" + "1" * 64


def deployment(name: str, image: str, more: str = "") -> str:
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: {name} }}
spec:
  replicas: 2
  selector: {{ matchLabels: {{ app: {name} }} }}
  template:
    metadata: {{ labels: {{ app: {name} }} }}
    spec:
      containers:
        - {{ name: {name}, image: "{image}" }}
{more}"""


def served(tmp_path: Path, files: dict[str, str | None]) -> ArgoCD:
    repository = Repository(tmp_path / "config.git")
    repository.commit(files)
    argocd = ArgoCD({CONFIG_URL: repository.path}, Timings.real(), clock=ManualClock())
    argocd.add_application("shop", sources=[Source(CONFIG_URL, path="live")], live=False)
    argocd.advance(60)
    return argocd


def status(argocd: ArgoCD) -> Any:
    return argocd.document("shop")["status"]


def test_a_folder_of_manifests_is_applied_document_by_document(tmp_path: Path) -> None:
    sidecar = '        - { name: envoy, image: "envoy:v1" }\n'
    service = "---\napiVersion: v1\nkind: Service\nmetadata: { name: api }\n---\n"
    text = deployment("api", f"r:5000/api:v2@{DIGEST}", sidecar) + service
    argocd = served(tmp_path, {"live/a.yaml": text, "live/README.md": "no manifest\n"})
    found = status(argocd)
    assert (found["sync"]["status"], found["health"]["status"]) == ("Synced", "Healthy")
    assert found["sourceType"] == "Directory"
    assert found["summary"]["images"] == ["envoy:v1", f"r:5000/api:v2@{DIGEST}"]
    assert [(one["kind"], one.get("group", "")) for one in found["resources"]] == [
        ("Deployment", "apps"),
        ("Service", ""),
    ]


def test_one_deployment_of_several_fails_alone_and_its_application_with_it(tmp_path: Path) -> None:
    files: dict[str, str | None] = {
        "live/api.yaml": deployment("api", "r/api:v1"),
        "live/web.yaml": deployment("web", "r/web:v2-bad"),
    }
    argocd = served(tmp_path, files)
    found = status(argocd)
    health = {one["name"]: one["health"]["status"] for one in found["resources"]}
    assert health == {"api": "Healthy", "web": "Degraded"}
    assert found["health"]["status"] == "Degraded"
    pods = [node for node in argocd.resource_tree("shop")["nodes"] if node["kind"] == "Pod"]
    assert sorted(pod["images"][0] for pod in pods) == ["r/api:v1"] * 2 + ["r/web:v2-bad"] * 2


def test_a_kustomization_names_the_images_of_its_resources(tmp_path: Path) -> None:
    files: dict[str, str | None] = {
        "base/kustomization.yaml": "resources: [api.yaml]\n",
        "base/api.yaml": deployment("api", "r.example.org/shop/api:v0"),
        "live/web.yaml": deployment("web", "web"),
        "live/kustomization.yaml": f"""\
resources: [../base, web.yaml]
images:
  - {{ name: r.example.org/shop/api, newTag: v2 }}
  - {{ name: web, newName: mirror/web, newTag: v3, digest: "{DIGEST}" }}
""",
    }
    found = status(served(tmp_path, files))
    assert found["sourceType"] == "Kustomize"
    assert found["summary"]["images"] == [f"mirror/web:v3@{DIGEST}", "r.example.org/shop/api:v2"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"live/a.yaml": "kind: Secret\n"}, "Object 'apiVersion' is missing in live/a.yaml"),
        ({"live/a.yaml": "a: [\n"}, 'Failed to unmarshal "a.yaml": yaml'),
        (
            {"live/a.yaml": deployment("api", "r/api:v1").replace("Deployment", "StatefulSet")},
            "the pods of a StatefulSet are not simulated here",
        ),
        (
            {"live/a.yaml": deployment("api", "r/api:v1 ")},
            "Deployment api: spec.template.spec.containers: 'r/api:v1 ' is not an image reference",
        ),
        (
            {"live/kustomization.yaml": "patches: []\n"},
            "invalid Kustomization: only apiVersion, images, kind, resources are understood here",
        ),
        (
            {"live/kustomization.yaml": "resources: [gone.yaml]\n"},
            "unable to find one of 'kustomization.yaml' in 'live/gone.yaml'",
        ),
        (
            {"live/kustomization.yaml": "images: [{ name: a, newTag: 1 }]\n"},
            "{'name': 'a', 'newTag': 1} is no entry of images",
        ),
        (
            {"live/a.yaml": deployment("a", "a:v1"), "live/b.yaml": deployment("a", "a:v1")},
            "Resource Deployment/a appeared 2 times",
        ),
    ],
)
def test_what_cannot_be_read_is_a_comparison_error(
    tmp_path: Path, files: dict[str, str | None], said: str
) -> None:
    found = status(served(tmp_path, files))
    assert found["sync"]["status"] == "Unknown"
    assert said in found["conditions"][0]["message"]


def test_a_deployment_without_a_selector_is_refused_by_the_cluster(tmp_path: Path) -> None:
    text = deployment("api", "r/api:v1").replace("matchLabels", "matchlabels")
    found = status(served(tmp_path, {"live/a.yaml": text}))
    assert found["operationState"]["phase"] in ("Running", "Failed")
    assert 'Deployment.apps "api" is invalid: spec.selector: Required value' in str(
        found["operationState"]
    )
