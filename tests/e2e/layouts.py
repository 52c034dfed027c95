"""The layouts of five teams: their files, their configuration, and what their Argo CD reads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pilotage.sandbox.argocd import ApplicationSet, ArgoCD, Source
from pilotage.sandbox.world import CI, World
from tests.e2e.harness import FAST, quick_world

Versions = Mapping[str, str]
FilesOf = Callable[[str, Versions], dict[str, str]]
"""The files of an environment that runs these versions."""

_TEST_BUDGETS = "budgets: { dwell: 0.2s, settle: 0.2s, poll: 0.5s, refresh: [0s, 1s] }"


@dataclass(frozen=True)
class TeamLayout:
    pipeline: str
    config: str
    """The pipeline without its environments."""
    files: FilesOf
    applications: Callable[[ArgoCD, str, str], None]
    """Fills the cluster, given the addresses of the configuration and of the charts."""
    running: Versions
    good: Versions
    bad: Versions
    application: str
    """The one that shows the failure in production, and in its policy the one of a service."""
    named: str = "{service}-{environment}"
    others: Mapping[str, str] = field(default_factory=dict)
    """Files that are of no environment."""
    environments: Mapping[str, str | None] = field(
        default_factory=lambda: {"staging": None, "production": "staging"}
    )
    """Name to what it is promoted from."""
    policy: str = FAST
    """Of the environments that are promoted to."""

    @property
    def target(self) -> str:
        return f"{self.pipeline}/production"

    def configuration(self) -> str:
        text = f"version: 1\npipelines:\n  {self.pipeline}:\n{self.config}    environments:\n"
        for name, source in self.environments.items():
            text += f'      {name}:\n        applications: "{self.named}"\n'
            text += (
                f"        from: {source}\n{self.policy}" if source else f"        {_TEST_BUDGETS}\n"
            )
        return text

    def world(self, folder: Path) -> World:
        return quick_world(folder, files=self.everything(), applications=self.applications)

    def deploy(self, world: World, versions: Versions, environment: str = "staging") -> str:
        """CI brings an environment to these versions; the commit."""
        there = {**self.running, **versions}
        present = repository_files(world)
        files = {
            path: text
            for path, text in self.files(environment, there).items()
            if present.get(path) != text
        }
        message = f"ci: {', '.join(versions.values())} to {environment}"
        return world.github.commit(world.repository, "main", files, message, CI)

    def everything(self, **versions: Versions) -> dict[str, str]:
        """Every file of the repository, given what each environment runs."""
        files = {**self.others, ".pilotage.yaml": self.configuration()}
        for environment in self.environments:
            files |= self.files(environment, {**self.running, **versions.get(environment, {})})
        return files


def repository_files(world: World, commit: str = "main") -> dict[str, str]:
    """Every file at a commit."""
    git = world.repository.git
    entries = git.tree(git.resolve(commit) or "", recursive=True)
    return {entry.path: git.blob(entry.sha).decode() for entry in entries if entry.type == "blob"}


def applications(
    sources: Callable[[str, str], list[Source]],
    named: str,
    service: str,
    environments: Sequence[str] = ("staging", "production"),
) -> Callable[[ArgoCD, str, str], None]:
    """One application for each environment."""

    def fill(argocd: ArgoCD, config: str, _charts: str) -> None:
        for environment in environments:
            argocd.add_application(
                named.format(environment=environment),
                sources=sources(environment, config),
                namespace=f"{service}-{environment}",
                service=service,
            )

    return fill


# SYRF: a folder for each environment, a file for each service; one ApplicationSet makes it all.


def _syrf_file(environment: str, service: str, versions: Versions) -> str:
    return f"""\
# Came with {versions[service]}: goes along as a whole.
serviceName: {service}
envName:   "{environment}"   # its own
service: {{ enabled: true, chartTag: "{versions[service]}",  replicas: 2 }}
"""


def _syrf_files(environment: str, versions: Versions) -> dict[str, str]:
    return {
        f"syrf/environments/{environment}/{service}/config.yaml": _syrf_file(
            environment, service, versions
        )
        for service in versions
    }


def _application_set(argocd: ArgoCD, config: str, charts: str) -> None:
    argocd.add_application_set(ApplicationSet("syrf", config, charts))


WHOLE_FILES = TeamLayout(
    pipeline="syrf",
    config="""\
    preset: cluster-gitops
    files: syrf/environments/{environment}/{service}/config.yaml
    new_services: add
    promote:
      - copy: service.chartTag
      - copy: file
      - { set: envName, to: "{environment}" }
""",
    files=_syrf_files,
    applications=_application_set,
    running={"api": "api-v9.0.4"},
    good={"api": "api-v9.1.1", "quiz": "quiz-v1.0.0"},
    bad={"api": "api-v9.2.0", "quiz": "quiz-v1.1.0"},
    application="api-production",
)

# ORDER: Helm values of each environment beside the chart, read through `$values`.


def _order_files(environment: str, versions: Versions) -> dict[str, str]:
    replicas = 3 if environment == "production" else 1
    return {
        f"helm-values/{environment}.yaml": f"""\
# order-service in {environment}
image:
    repository:   registry.example.org/orders/{environment}
    tag: '{versions["order-service"]}'     # CI moves it in staging
replicaCount: {replicas}
replicas:     {replicas}
ingress: {{ host: "orders.{environment}.example.org" }}
"""
    }


def _order_sources(environment: str, config: str) -> list[Source]:
    values = f"$values/helm-values/{environment}.yaml"
    return [
        Source(config, path="helm/order-service", value_files=(values,)),
        Source(config, ref="values"),
    ]


ORDER = TeamLayout(
    pipeline="order-service",
    config="""\
    preset: helm-values
    files: helm-values/{environment}.yaml
""",
    files=_order_files,
    applications=applications(_order_sources, "order-service-{environment}", "order-service"),
    running={"order-service": "v2.14.3"},
    good={"order-service": "v2.15.0"},
    bad={"order-service": "v2.16.0"},
    application="order-service-production",
    others={"helm/order-service/Chart.yaml": "apiVersion: v2\nname: order-service\n"},
)

# The same as a graph: two steps to production, and two productions.

_GRAPH = {
    "integration": None,
    "staging": "integration",
    "production": "staging",
    "production-eu": "staging",
}
GRAPH = replace(
    ORDER,
    environments=_GRAPH,
    applications=applications(
        _order_sources, "order-service-{environment}", "order-service", tuple(_GRAPH)
    ),
)

# REGISTRY: one chart, and beside it a values file for each environment.


def _registry_files(environment: str, versions: Versions) -> dict[str, str]:
    return {
        f"helm/schema-registry/values-{environment}.yaml": f"""\
---
replicas: {3 if environment == "production" else 1}
image: {{ tag: {versions["schema-registry"]}, pullPolicy: IfNotPresent }}  # released
database:
  host: db.{environment}.example.org
"""
    }


def _registry_sources(environment: str, config: str) -> list[Source]:
    values = ("values.yaml", f"values-{environment}.yaml")
    return [Source(config, path="helm/schema-registry", value_files=values)]


REGISTRY = TeamLayout(
    pipeline="schema-registry",
    config="""\
    preset: chart-values
    files: helm/schema-registry/values-{environment}.yaml
""",
    files=_registry_files,
    applications=applications(_registry_sources, "schema-registry-{environment}", "registry"),
    running={"schema-registry": "v1.2.3"},
    good={"schema-registry": "v1.2.4"},
    bad={"schema-registry": "v1.3.0"},
    application="schema-registry-production",
    others={
        "helm/schema-registry/Chart.yaml": "apiVersion: v2\nname: schema-registry\n",
        "helm/schema-registry/values.yaml": "image: { repository: r.example.org/registry }\n",
    },
)

# CHECKOUT: the tag and the digest inside an image string, in one of several documents.


def digest(version: str) -> str:
    return "sha256:" + hashlib.sha256(version.encode()).hexdigest()


def _checkout_files(environment: str, versions: Versions) -> dict[str, str]:
    version = versions["checkout-service"]
    registry = "myregistry.io" if environment == "production" else "staging.myregistry.io:5000"
    return {
        f"kubernetes/checkout-service/{environment}/deployment.yaml": f"""\
# checkout-service, {environment}
apiVersion: v1
kind: Service
metadata: {{ name: checkout-service }}
spec: {{ selector: {{ app: checkout-service }}, ports: [{{ port: 80 }}] }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: checkout-service
  labels: {{"version": 'kept'}}
spec:
  replicas:   {4 if environment == "production" else 1}
  selector: {{ matchLabels: {{ app: checkout-service }} }}
  template:
    metadata: {{ labels: {{ app: checkout-service }} }}
    spec:
      containers:
        - name: envoy
          image: envoyproxy/envoy:v2.2.5   # as old as the service, by chance
        - image:   "{registry}/checkout-service:{version}@{digest(version)}"   # the release
          name: checkout-service
"""
    }


def _checkout_sources(environment: str, config: str) -> list[Source]:
    return [Source(config, path=f"kubernetes/checkout-service/{environment}")]


CHECKOUT = TeamLayout(
    pipeline="checkout-service",
    config="""\
    preset: manifests
    files: kubernetes/checkout-service/{environment}/deployment.yaml
""",
    files=_checkout_files,
    applications=applications(_checkout_sources, "checkout-{environment}", "checkout-service"),
    running={"checkout-service": "v2.2.5"},
    good={"checkout-service": "v2.3.0"},
    bad={"checkout-service": "v2.4.0"},
    application="checkout-production",
    named="checkout-{environment}",
)

# VAPORA: three Deployments in one file, their tags in a kustomization, and a generated ConfigMap.

_PARTS = ("vapora-backend", "vapora-agents", "vapora-llm-router")


def _vapora_files(environment: str, versions: Versions) -> dict[str, str]:
    folder = f"deploy/{environment}"
    host = "vapora.example.org" if environment == "production" else "staging.vapora.example.org"
    return {
        f"{folder}/deployment.yaml": "---\n".join(
            f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: {part} }}
spec:
  selector: {{ matchLabels: {{ app: {part} }} }}
  template:
    metadata: {{ labels: {{ app: {part}, tier: '{environment}' }} }}
    spec: {{ containers: [{{ name: {part},  image: 'r.example.org/{part}:{versions[part]}' }}] }}
"""
            for part in _PARTS
        ),
        f"{folder}/configmap.yaml": f"""\
# generated for {versions["vapora-backend"]}
apiVersion: v1
kind: ConfigMap
metadata: {{ name: vapora-config }}
data:
  vapora.toml: |
    url = "https://{host}/{versions["vapora-backend"]}"
    workers = {len(versions["vapora-agents"])}
""",
        f"{folder}/kustomization.yaml": "resources: [deployment.yaml, configmap.yaml]\nimages:\n"
        + "".join(
            f"  - name: r.example.org/{part}\n    newTag:   {versions[part]}   # {environment}\n"
            for part in _PARTS
        ),
    }


def _vapora_sources(environment: str, config: str) -> list[Source]:
    return [Source(config, path=f"deploy/{environment}")]


VAPORA = TeamLayout(
    pipeline="vapora",
    config="""\
    preset: kustomize
    files: deploy/{environment}/deployment.yaml
    promote:
      - image: spec.template.spec.containers[name={service}].image
        document: kind=Deployment,metadata.name={service}
      - copy: images[name=r.example.org/{service}].newTag
        in: deploy/{environment}/kustomization.yaml
    services:
      vapora-backend: {}
      vapora-agents: {}
      vapora-llm-router: {}
      settings:
        promote:
          - copy: file
            in: deploy/{environment}/configmap.yaml
            replace: { staging.vapora.example.org: vapora.example.org }
""",
    files=_vapora_files,
    applications=applications(_vapora_sources, "vapora-{environment}", "vapora"),
    running=dict.fromkeys(_PARTS, "v1.1.0"),
    good=dict(zip(_PARTS, ("v1.2.0", "v1.2.0", "v1.2.1"), strict=True)),
    bad=dict(zip(_PARTS, ("v1.3.0", "v1.2.1", "v1.3.0"), strict=True)),
    application="vapora-production",
    named="vapora-{environment}",
)
