"""GitHub and Argo CD joined around one GitOps repository in the SyRF layout, with its people.

What the demo shows and the tests stand on. Everything is on loopback and below one folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import HttpUrl, SecretStr

from pilotage.sandbox.application import develop, tag
from pilotage.sandbox.argocd import ApplicationSet, ArgoCD, Timings
from pilotage.sandbox.argocd import create_app as argocd_app
from pilotage.sandbox.github import GitHub, Permission, PullRequest, Repository
from pilotage.sandbox.github import create_app as github_app
from pilotage.sandbox.releases import releases
from pilotage.sandbox.serve import Server
from pilotage.settings import ArgoCDSettings, GitHubSettings, Settings

OWNER, NAME = "camaradesuk", "cluster-gitops"
REPOSITORY = f"{OWNER}/{NAME}"
CHARTS = "syrf-charts"
APPLICATION_REPOSITORY = f"{OWNER}/syrf"
BOT, CI = "pilotage-bot", "syrf-ci"
PEOPLE = ("maria", "li", "sam")
ADMINS = "platform-admins"
SECRET = "sandbox-webhook-secret"  # noqa: S105 - of a sandbox that answers on loopback only
TOKEN = "sandbox-token"  # noqa: S105

VERSIONS: Mapping[str, str] = {
    "api": "api-v9.0.4",
    "web": "web-v5.0.0",
    "project-management": "pm-v10.45.0",
}

_FILES = {
    "api": """\
# The API of SyRF. Promoted by Pilotage; edit staging only.
serviceName: api
envName:   {environment}      # the cluster reads this
service:
  enabled: true
  chartTag:   "{version}"   # moved by CI in staging
  replicas: {replicas}
ingress: {{host: api.{environment}.example.org,   tls: true}}
""",
    "web": """\
serviceName: 'web'
envName: '{environment}'

service:
    enabled:   true
    chartTag:  '{version}'
    # production gets more of them
    replicas:  {replicas}
""",
    "project-management": """\
---
serviceName: project-management
envName: {environment}
service: {{ enabled: true, chartTag: {version},  replicas: {replicas} }}
notes: >-
  Kept short on purpose:
  the long version is in the handbook.
""",
}


def config_text(policy: str = "") -> str:
    """The team's `.pilotage.yaml`; `policy` is more of the production environment, indented."""
    return f"""\
version: 1
pipelines:
  syrf:
    preset: cluster-gitops
    files: syrf/environments/{{environment}}/{{service}}/config.yaml
    services:
      api:
        repository: {APPLICATION_REPOSITORY}
        workflow: ci-cd.yml
        tag: "api-v{{version}}"
        image: "ghcr.io/camaradesuk/syrf-api:{{version}}"
      web:
        repository: {APPLICATION_REPOSITORY}
        workflow: ci-cd.yml
        tag: "web-v{{version}}"
        image: "ghcr.io/camaradesuk/syrf-web:{{version}}"
    environments:
      staging: {{ budgets: {{ dwell: 0.2s, settle: 0.2s, poll: 0.5s, refresh: [0s, 1s] }} }}
      production:
        from: staging
{policy}"""


QUICK = """\
        gates: { soak: 1s }
        checklist:
          - { item: feature, text: Feature works as expected, owner: platform-admins }
          - { item: migrations, text: "Database migrations successful, or none" }
        verification: { for: 2s }
        budgets: { degraded: 1s, dwell: 1s, settle: 1s, poll: 1s, gone: 5s, post_sync: 10s }
        commands: { teams: [platform-admins] }
"""
"""A policy with the waits of a demo: seconds where a team has minutes."""


def path_of(environment: str, service: str) -> str:
    return f"syrf/environments/{environment}/{service}/config.yaml"


def file_text(environment: str, service: str, version: str) -> str:
    replicas = 3 if environment == "production" else 1
    return _FILES[service].format(environment=environment, version=version, replicas=replicas)


def layout(policy: str) -> dict[str, str]:
    files = {".pilotage.yaml": config_text(policy), "README.md": "# Cluster state\n"}
    for environment in ("staging", "production"):
        for service, version in VERSIONS.items():
            files[path_of(environment, service)] = file_text(environment, service, version)
    return files


def _syrf(argocd: ArgoCD, config: str, charts: str) -> None:
    """One ApplicationSet makes every application."""
    argocd.add_application_set(ApplicationSet("syrf", config, charts))


@dataclass(slots=True)
class World:
    """`with World(folder) as world:` serves both halves until the block ends."""

    folder: Path
    policy: str = QUICK
    timings: Timings = field(default_factory=Timings)
    github_port: int = 0
    argocd_port: int = 0
    protected: bool = True
    with_argocd: bool = True
    files: Mapping[str, str] | None = None
    applications: Callable[[ArgoCD, str, str], None] = _syrf
    """Fills the cluster, given the addresses of the configuration and of the charts."""
    github: GitHub = field(init=False)
    repository: Repository = field(init=False)
    application_repository: Repository = field(init=False)
    github_server: Server = field(init=False)
    service_url: str = field(init=False, default="")
    """Where the service is, once `hook` was told."""
    _argocd: ArgoCD | None = field(init=False, default=None)
    _argocd_server: Server | None = field(init=False, default=None)

    def __enter__(self) -> Self:
        self.github = GitHub(self.folder / "github")
        self._people()
        self._repositories()
        pages = (releases(self),)
        self.github_server = Server(github_app(self.github, pages), self.github_port)
        if self.with_argocd:
            self._start_argocd()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._argocd is not None:
            self._argocd.close()
            self.argocd_server.stop()
        self.github.stop()
        self.github_server.stop()

    @property
    def argocd(self) -> ArgoCD:
        assert self._argocd is not None, "this world has no Argo CD"
        return self._argocd

    @property
    def argocd_server(self) -> Server:
        assert self._argocd_server is not None, "this world has no Argo CD"
        return self._argocd_server

    @property
    def argocd_url(self) -> str:
        """Where the pages of the cluster are; empty when another Argo CD stands beside."""
        return self._argocd_server.url if self._argocd_server is not None else ""

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(VERSIONS)

    def _people(self) -> None:
        for login in PEOPLE:
            self.github.create_user(login, login.capitalize())
        self.github.create_user(BOT, "Pilotage", machine=True)
        self.github.create_user(CI, "SyRF CI", machine=True)
        self.github.create_organization(OWNER, (*PEOPLE, BOT))
        self.github.create_team(OWNER, ADMINS, ["maria"], "Platform admins")

    def _repositories(self) -> None:
        collaborators = dict.fromkeys((BOT, CI, "li", "sam"), Permission.WRITE)
        collaborators["maria"] = Permission.ADMIN
        self.repository = self.github.create_repository(
            OWNER, NAME, self.files or layout(self.policy), collaborators=collaborators
        )
        self.application_repository = self.github.create_repository(
            OWNER, "syrf", {"README.md": "# SyRF\n"}, collaborators=collaborators
        )
        tag(self.application_repository, VERSIONS.values())
        if self.protected:
            self.github.protect(
                self.repository, "main", ["pilotage/ready"], bypass=[CI], enforce_admins=False
            )

    def _start_argocd(self) -> None:
        base = f"{self.github_server.url}/{OWNER}"
        config = f"{base}/{NAME}.git"
        # A charts repository that nobody serves has every tag.
        charts = f"{base}/{CHARTS}.git"
        self._argocd = ArgoCD(
            {config: self.folder / "github" / OWNER / f"{NAME}.git"}, self.timings
        )
        self.applications(self._argocd, config, charts)
        self._argocd_server = Server(argocd_app(self._argocd), self.argocd_port)

    def settings(self, data: Path, **given: Any) -> Settings:
        """What a service that watches this world is told."""
        servers = {}
        if self._argocd is not None:
            token = self._argocd.accounts.token("pilotage")
            servers["main"] = ArgoCDSettings(
                url=HttpUrl(self.argocd_server.url),
                token=SecretStr(token),
                refresh_timeout=timedelta(seconds=2),
            )
        told: dict[str, Any] = {
            "repositories": (REPOSITORY,),
            "data": data,
            "github": GitHubSettings(
                url=HttpUrl(self.github.api_url),
                git_url=HttpUrl(self.github_server.url),
                token=SecretStr(self.github.token_for(BOT)),
                webhook_secret=SecretStr(SECRET),
            ),
            "argocd": servers,
            "argocd_hook_token": SecretStr(TOKEN),
            "deployments_token": SecretStr(TOKEN),
            "operator_token": SecretStr(TOKEN),
            "allow_insecure_git": True,
            "look": "1s",
            "compare": "5s",
            "fetch": "1s",
        }
        return Settings(**(told | given))

    def settings_file(self, data: Path) -> str:
        """The same as a TOML file for `pilotage serve --config`."""
        github = f"""\
public_url = "{self.service_url}"
repositories = ["{REPOSITORY}"]
data = {json.dumps(str(data))}
allow_insecure_git = true
operator_token = "{TOKEN}"
deployments_token = "{TOKEN}"
argocd_hook_token = "{TOKEN}"
look = "1s"
compare = "5s"
fetch = "1s"

[github]
url = "{self.github.api_url}"
git_url = "{self.github_server.url}"
token = "{self.github.token_for(BOT)}"
webhook_secret = "{SECRET}"
"""
        if self._argocd is None:
            return github
        token = self._argocd.accounts.token("pilotage")
        return f'{github}\n[argocd.main]\nurl = "{self.argocd_url}"\ntoken = "{token}"\n'

    def hook(self, service_url: str) -> None:
        """GitHub tells the service of everything from now on."""
        self.service_url = service_url
        for repository in (self.repository, self.application_repository):
            self.github.add_webhook(repository, f"{service_url}/hooks/github", SECRET)
        if self._argocd is not None:
            self._argocd.notify(f"{service_url}/hooks/argocd", TOKEN)

    def deploy(self, service: str, version: str, environment: str = "staging", by: str = CI) -> str:
        """CI writes a version into an environment's file; the commit."""
        path = path_of(environment, service)
        text = self.github.file(self.repository, path)
        old = self.version(service, environment)
        message = f"ci({service}): {version} to {environment}"
        tag(self.application_repository, [version])
        return self.github.commit(
            self.repository, "main", {path: text.replace(old, version)}, message, by
        )

    def release(self, versions: Mapping[str, str]) -> str:
        """People work on these, CI deploys them to staging and goes green; the commit."""
        files = {}
        for service, version in versions.items():
            develop(self.github, self.application_repository, service, version)
            path = path_of("staging", service)
            text = self.github.file(self.repository, path)
            files[path] = text.replace(self.version(service, "staging"), version)
        named = ", ".join(versions.values())
        sha = self.github.commit(self.repository, "main", files, f"ci: {named} to staging", CI)
        source = self.application_repository
        head = source.git.branch(source.default_branch)
        assert head is not None
        path = ".github/workflows/ci-cd.yml"
        self.github.workflow_run(source, "CI/CD", head, by=CI, path=path)
        return sha

    def version(self, service: str, environment: str) -> str:
        """What the file says now."""
        text = self.github.file(self.repository, path_of(environment, service))
        after = text.split("chartTag:", 1)[1].lstrip(" \"'")
        return after.split("\n", 1)[0].split("#")[0].strip(" \"',}").split(",")[0].strip()

    def pulls(self) -> list[PullRequest]:
        """All pull requests of the repository, oldest first."""
        return [self.repository.pulls[number] for number in sorted(self.repository.pulls)]
