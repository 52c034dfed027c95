"""From Argo CD's lists to what applications and ApplicationSets are declared to read.

Everything is hostile until it has been validated; one entry that cannot be read blinds nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
)

from pilotage.adapters.argocd.answers import GENERATE_PATHS, generate_paths
from pilotage.adapters.argocd.wire import Wire, read
from pilotage.core.application import ApplicationRef
from pilotage.core.discovery.declared import (
    ApplicationSet,
    DeclaredApplication,
    DeclaredSource,
    Directory,
    FileGenerator,
    Tool,
)

APPLICATION_FIELDS = (
    "items.metadata.name,items.metadata.namespace,items.metadata.annotations,items.spec"
)
"""What the list is reduced to. Owners are not among the fields that Argo CD can select."""

_DEEPEST = 5
"""Generators within generators: Argo CD itself allows three levels."""


def _one_line(value: str) -> str:
    """These are shown to people, and none of them has a reason to hold anything else."""
    if not value.isprintable():
        raise ValueError("not printable")
    return value


Line = Annotated[StrictStr, AfterValidator(_one_line)]


class _FileParameter(Wire):
    path: Line = ""


class _Helm(Wire):
    value_files: tuple[Line, ...] = ()
    file_parameters: tuple[_FileParameter, ...] = ()


class _Kustomize(Wire):
    components: tuple[Line, ...] = ()


class _Jsonnet(Wire):
    libs: tuple[Line, ...] = ()


class _Directory(Wire):
    recurse: StrictBool = False
    include: Line = ""
    exclude: Line = ""
    jsonnet: _Jsonnet = _Jsonnet()


class _Source(Wire):
    repo_url: Line = Field(default="", alias="repoURL")
    target_revision: Line = ""
    path: Line = ""
    chart: Line = ""
    ref: Line = ""
    helm: _Helm | None = None
    kustomize: _Kustomize | None = None
    directory: _Directory | None = None
    plugin: Mapping[str, JsonValue] | None = None


class _Destination(Wire):
    namespace: Line = ""


class _Automated(Wire):
    enabled: StrictBool | None = None
    prune: StrictBool = False
    self_heal: StrictBool = False


class _SyncPolicy(Wire):
    automated: _Automated | None = None


class _Spec(Wire):
    project: Line = ""
    sync_policy: _SyncPolicy | None = None
    destination: _Destination = _Destination()
    source: _Source | None = None
    sources: tuple[_Source, ...] = ()
    source_hydrator: Mapping[str, JsonValue] | None = None


class _Metadata(Wire):
    name: Line = Field(min_length=1)
    namespace: Line = ""
    annotations: Mapping[str, JsonValue] = {}


class _Application(Wire):
    metadata: _Metadata
    spec: _Spec


class _GitFile(Wire):
    path: Line = ""
    exclude: StrictBool = False


class _Git(Wire):
    repo_url: Line = Field(default="", alias="repoURL")
    revision: Line = ""
    files: tuple[_GitFile, ...] = ()
    path_param_prefix: Line = ""
    values: Mapping[str, JsonValue] = {}
    template: Mapping[str, JsonValue] = {}


class _SetSpec(Wire):
    go_template: StrictBool = False
    generators: tuple[JsonValue, ...] = ()
    template: Mapping[str, JsonValue] = {}


class _Resource(Wire):
    kind: StrictStr = ""
    name: Line = ""


class _SetStatus(Wire):
    resources: tuple[_Resource, ...] = ()
    resources_count: StrictInt = 0


class _Set(Wire):
    metadata: _Metadata
    spec: _SetSpec
    status: _SetStatus = _SetStatus()


class _List(Wire):
    items: tuple[JsonValue, ...] = ()


Entry = TypeVar("Entry", bound=Wire)


def applications(body: bytes, server: str) -> tuple[DeclaredApplication, ...]:
    """Raises UnreadableError."""
    return tuple(_application(entry, server) for entry in _entries(_Application, body))


def application_sets(body: bytes) -> tuple[ApplicationSet, ...]:
    """`children` is empty where a server does not say which they are, or not all of them. Raises
    UnreadableError."""
    return tuple(_application_set(entry) for entry in _entries(_Set, body))


def _entries(model: type[Entry], body: bytes) -> Iterator[Entry]:
    for item in read(_List, body).items:
        try:
            yield model.model_validate(item)
        except ValidationError:
            continue


def _application(answer: _Application, server: str) -> DeclaredApplication:
    metadata, spec = answer.metadata, answer.spec
    paths = metadata.annotations.get(GENERATE_PATHS)
    sources = spec.sources or ((spec.source,) if spec.source is not None else ())
    automated = spec.sync_policy.automated if spec.sync_policy is not None else None
    return DeclaredApplication(
        ref=ApplicationRef(server, spec.project, metadata.namespace, metadata.name),
        sources=tuple(_source(each) for each in sources),
        generate_paths=generate_paths(paths) if isinstance(paths, str) else None,
        destination=spec.destination.namespace,
        automated=automated is not None and automated.enabled is not False,
        prune=automated is not None and automated.prune,
        self_heal=automated is not None and automated.self_heal,
        hydrated=spec.source_hydrator is not None,
    )


def _source(answer: _Source) -> DeclaredSource:
    helm, rules = answer.helm or _Helm(), answer.directory or _Directory()
    return DeclaredSource(
        repository=answer.repo_url,
        revision=answer.target_revision,
        path=answer.path,
        chart=answer.chart,
        ref=answer.ref,
        tool=_tool(answer),
        files=(*helm.value_files, *(each.path for each in helm.file_parameters if each.path)),
        components=answer.kustomize.components if answer.kustomize is not None else (),
        directory=Directory(rules.recurse, rules.include, rules.exclude, rules.jsonnet.libs),
    )


def _tool(answer: _Source) -> Tool | None:
    """The one that the source names; with several Argo CD refuses the application."""
    if answer.kustomize is not None:
        return Tool.KUSTOMIZE
    if answer.helm is not None:
        return Tool.HELM
    if answer.directory is not None:
        return Tool.DIRECTORY
    return Tool.PLUGIN if answer.plugin is not None else None


def _application_set(answer: _Set) -> ApplicationSet:
    spec, status = answer.spec, answer.status
    name = _name(spec.template)
    children = tuple(each.name for each in status.resources if each.kind == "Application")
    return ApplicationSet(
        name=answer.metadata.name,
        generators=tuple(_generators(spec.generators, name)),
        children=children if status.resources_count <= len(status.resources) else (),
        go_template=spec.go_template,
    )


def _generators(found: tuple[JsonValue, ...], name: str, depth: int = 0) -> Iterator[FileGenerator]:
    """The git generators with files, also those within a matrix or a merge."""
    for generator in found:
        if not isinstance(generator, dict) or depth >= _DEEPEST:
            continue
        try:
            git = _Git.model_validate(generator.get("git") or {})
        except ValidationError:
            continue
        if git.files:
            yield _generator(git, name)
        for kind in ("matrix", "merge"):
            inner = generator.get(kind)
            nested = inner.get("generators") if isinstance(inner, dict) else None
            if isinstance(nested, list):
                yield from _generators(tuple(nested), name, depth + 1)


def _generator(git: _Git, name: str) -> FileGenerator:
    return FileGenerator(
        repository=git.repo_url,
        revision=git.revision,
        patterns=tuple(each.path for each in git.files if not each.exclude),
        excluded=tuple(each.path for each in git.files if each.exclude),
        prefix=git.path_param_prefix,
        values=tuple(
            (key, value) for key, value in sorted(git.values.items()) if isinstance(value, str)
        ),
        name=_name(git.template) or name,
    )


def _name(template: Mapping[str, JsonValue]) -> str:
    metadata = template.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""
