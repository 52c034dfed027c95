"""The ApplicationSet: one Application for each configuration file that git has."""

from dataclasses import dataclass, field
from typing import Any

import yaml

from pilotage.sandbox.argocd.cluster import Workloads
from pilotage.sandbox.argocd.controller import Controller
from pilotage.sandbox.argocd.faults import Faults
from pilotage.sandbox.argocd.git import GitUnavailableError, UnknownRevisionError
from pilotage.sandbox.argocd.render_error import RenderError
from pilotage.sandbox.argocd.state import (
    SYRF_CHART,
    Application,
    Chart,
    Json,
    Source,
    SyncPolicy,
)
from pilotage.sandbox.argocd.store import Store, new_uid

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class ApplicationSet:
    """A git file generator over `files`, and the template of its Applications.

    `{environment}` and `{service}` are the last two folders of the file's path. The value at
    `tag` becomes the targetRevision of the chart source; the configuration repository is the
    second source, `ref: values`, and `values` is the children's file in it. A file with
    `service.enabled: false` makes no Application."""

    name: str
    repository: str
    charts: str
    files: str = "syrf/environments/*/*/config.yaml"
    revision: str = "main"
    chart_path: str = "svc"
    chart: Chart = SYRF_CHART
    tag: str = "service.chartTag"
    values: str = "{path}"
    application: str = "{service}-{environment}"
    project: str = "syrf-{environment}"
    namespace: str = "syrf-{environment}"
    policy: SyncPolicy = field(default_factory=SyncPolicy)
    slowness: dict[str, float] = field(default_factory=dict)


class ApplicationSetController:
    """Reconciles its sets some time after it was woken, by a webhook, a refresh or polling."""

    def __init__(self, store: Store, controller: Controller, faults: Faults) -> None:
        self._store = store
        self._controller = controller
        self._faults = faults
        self._sets: dict[str, tuple[ApplicationSet, str]] = {}
        self._woken: set[str] = set()
        self._generated: dict[str, str] = {}  # the commit each set was last generated from
        self.errors: dict[str, str] = {}
        controller.refreshed.append(self._application_changed)
        store.at(store.timings.applicationset_polling, self._poll)

    def add(self, definition: ApplicationSet, *, live: bool) -> None:
        """With `live` its Applications are born as if they had been synced long ago."""
        self._sets[definition.name] = (definition, new_uid())
        self._reconcile(definition.name, live=live)

    def all(self) -> list[tuple[ApplicationSet, str, list[Application]]]:
        """Each set with its uid and its children, by name."""
        return [
            (
                definition,
                uid,
                [each for each in self._store.applications.values() if each.owner == name],
            )
            for name, (definition, uid) in sorted(self._sets.items())
        ]

    def wake(self, name: str) -> None:
        if name in self._sets and name not in self._woken:
            self._woken.add(name)
            lag = self._store.timings.applicationset_lag
            self._store.at(lag, lambda: self._reconcile(name))

    def wake_for(self, repository_urls: frozenset[str]) -> None:
        for name, (definition, _) in self._sets.items():
            if definition.repository in repository_urls:
                self.wake(name)

    def resume(self) -> None:
        for name in self._sets:
            self.wake(name)

    def _application_changed(self, app: Application) -> None:
        """A refreshed Application wakes its set; one commit is looked at once."""
        seen = app.sync.revisions[-1:]
        if app.owner in self._sets and seen != (self._generated.get(app.owner),):
            self.wake(app.owner)

    def _poll(self) -> None:
        for name in self._sets:
            self._reconcile(name)
        self._store.at(self._store.timings.applicationset_polling, self._poll)

    def _reconcile(self, name: str, *, live: bool = False) -> None:
        self._woken.discard(name)
        if not self._faults.applicationset_down:
            with self._controller.git():
                self._follow(name, live)

    def _follow(self, name: str, live: bool) -> None:
        definition, uid = self._sets[name]
        try:
            wanted = self._generate(definition)
        except (RenderError, GitUnavailableError, UnknownRevisionError) as error:
            self.errors[name] = str(error)  # as the real one: nothing is changed
            self._store.published.notify_all()
            return
        self.errors.pop(name, None)
        for parameters in wanted:
            self._ensure(definition, uid, parameters, live=live)
        names = {_fill(definition.application, parameters) for parameters in wanted}
        for app in tuple(self._store.applications.values()):
            if app.owner == name and app.name not in names:
                self._controller.delete(app)

    def _generate(self, definition: ApplicationSet) -> list[dict[str, str]]:
        if self._faults.repo_server_down:
            raise RenderError("connection refused", unavailable=True)
        with self._controller.git() as opened:
            look = opened.at(definition.repository)
            sha = look.resolve(definition.revision)
            self._generated[definition.name] = sha
            return [
                parameters
                for path in look.glob(sha, definition.files)
                if (parameters := _parameters(definition, path, look.read(sha, path)))
            ]

    def _ensure(
        self, definition: ApplicationSet, uid: str, parameters: dict[str, str], *, live: bool
    ) -> None:
        name = _fill(definition.application, parameters)
        sources = _sources(definition, parameters)
        app = self._store.applications.get(name)
        if app is None:
            app = Application(
                name=name,
                project=_fill(definition.project, parameters),
                namespace=_fill(definition.namespace, parameters),
                sources=sources,
                multi=True,
                chart=definition.chart,
                policy=definition.policy,
                uid=new_uid(),
                created_at=self._store.clock(),
                workloads=Workloads(),
                service=parameters["service"],
                labels={"env": parameters["environment"], "from": "appset",
                        "service": parameters["service"]},
                owner=definition.name,
                owner_uid=uid,
                slowness=definition.slowness.get(name, 1.0),
            )  # fmt: skip
            self._controller.add(app, live=live)
        elif app.owner == definition.name and app.sources != sources:
            app.sources = sources
            self._store.publish(app)
            self._controller.look_again(app)


def _parameters(definition: ApplicationSet, path: str, text: str | None) -> dict[str, str] | None:
    """What one file gives to the template; None where the service is switched off."""
    try:
        document = yaml.load(text or "", Loader=_Loader)  # noqa: S506 - safe, written in C
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise RenderError(f"unable to parse file {path}: {error}") from error
    if not isinstance(document, dict):
        raise RenderError(f"unable to parse file {path}: not a mapping")
    value: Any = document
    for part in definition.tag.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if not isinstance(value, str | int | float):
        raise RenderError(f"file {path}: map has no entry for key {definition.tag!r}")
    service: Json = document["service"] if isinstance(document.get("service"), dict) else {}
    if service.get("enabled") is False:
        return None
    *_, environment, folder, _file = ("", "", *path.split("/"))
    return {"path": path, "environment": environment, "service": folder, "tag": str(value)}


def _fill(template: str, parameters: dict[str, str]) -> str:
    return template.format_map(parameters)


def _sources(definition: ApplicationSet, parameters: dict[str, str]) -> tuple[Source, ...]:
    return (
        Source(
            repo_url=definition.charts,
            path=definition.chart_path,
            target_revision=parameters["tag"],
            value_files=(f"$values/{_fill(definition.values, parameters)}",),
            release_name=parameters["service"],
            ignore_missing_value_files=True,
        ),
        Source(definition.repository, definition.revision, ref="values"),
    )
