"""What Argo CD's applications and ApplicationSets are declared to read, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pilotage.core.application import ApplicationRef, follows, normalised_repository


class Tool(StrEnum):
    """What makes manifests of a source's files."""

    HELM = "helm"
    KUSTOMIZE = "kustomize"
    DIRECTORY = "directory"
    PLUGIN = "plugin"


@dataclass(frozen=True, slots=True)
class Directory:
    recurse: bool = False
    include: str = ""
    exclude: str = ""
    libraries: tuple[str, ...] = ()
    """Folders of jsonnet libraries, from the repository's root."""


@dataclass(frozen=True, slots=True)
class DeclaredSource:
    """One source. `tool` is None where the application leaves it to what lies in `path`."""

    repository: str
    revision: str = ""
    path: str = ""
    chart: str = ""
    ref: str = ""
    tool: Tool | None = None
    files: tuple[str, ...] = ()
    """helm's values files and file parameters, as they are written."""
    components: tuple[str, ...] = ()
    """kustomize's components, relative to `path`."""
    directory: Directory = Directory()


@dataclass(frozen=True, slots=True)
class DeclaredApplication:
    ref: ApplicationRef
    sources: tuple[DeclaredSource, ...]
    generate_paths: tuple[str, ...] | None = None
    destination: str = ""
    """The namespace that it deploys to."""
    automated: bool = True
    """Argo CD syncs it by itself; `prune` and `self_heal` count only then."""
    prune: bool = True
    self_heal: bool = True
    hydrated: bool = False
    """Its manifests are rendered into a branch of their own, by `sourceHydrator`."""

    @property
    def name(self) -> str:
        return self.ref.name


@dataclass(frozen=True, slots=True)
class FileGenerator:
    """A git generator with `files`: each file gives its contents and its path as parameters."""

    repository: str
    revision: str
    patterns: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    prefix: str = ""
    """`pathParamPrefix`."""
    values: tuple[tuple[str, str], ...] = ()
    name: str = ""
    """The template of the applications' names; that of the ApplicationSet where it has none."""


@dataclass(frozen=True, slots=True)
class ApplicationSet:
    name: str
    generators: tuple[FileGenerator, ...]
    children: tuple[str, ...] = ()
    go_template: bool = False


@dataclass(frozen=True, slots=True)
class Declared:
    """Everything that one server shows to the token."""

    applications: tuple[DeclaredApplication, ...] = ()
    sets: tuple[ApplicationSet, ...] = ()
    unseen: str = ""
    """Why ApplicationSets could not be listed."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Where promotions are merged. `repository` is normalised."""

    repository: str
    name: str

    def is_in(self, repository: str) -> bool:
        return normalised_repository(repository) == self.repository

    def is_followed_by(self, revision: str) -> bool:
        return follows(revision, self.name)
