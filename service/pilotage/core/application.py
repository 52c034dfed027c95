"""What Argo CD said of one application, as frozen values; each may also be unseen.

The shapes follow Argo CD's own (`status`, `operationState`, `resources`), reduced to what the
decision table of `core/rollout/` asks for. Stamps are Argo CD's: whole seconds, truncated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SCP = re.compile(r"(?:[^@/]+@)?(?P<host>[^/:]+):(?!//)(?P<path>.+)")


class Sync(StrEnum):
    SYNCED = "Synced"
    OUT_OF_SYNC = "OutOfSync"
    UNKNOWN = "Unknown"


class Health(StrEnum):
    """From best to worst; an application has the health of its worst child."""

    HEALTHY = "Healthy"
    SUSPENDED = "Suspended"
    PROGRESSING = "Progressing"
    MISSING = "Missing"
    DEGRADED = "Degraded"
    UNKNOWN = "Unknown"


class Phase(StrEnum):
    """Running with a `finished_at` is the pause between two attempts."""

    REQUESTED = "Requested"
    """Not Argo CD's word: `operation` is set and no `operationState` is there yet."""
    RUNNING = "Running"
    TERMINATING = "Terminating"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERROR = "Error"

    @property
    def live(self) -> bool:
        return self in (Phase.REQUESTED, Phase.RUNNING, Phase.TERMINATING)

    @property
    def bad(self) -> bool:
        return self in (Phase.FAILED, Phase.ERROR)


class Refresh(StrEnum):
    NORMAL = "normal"
    HARD = "hard"


@dataclass(frozen=True, slots=True)
class ApplicationKey:
    """What names an application on its server for good; its project may be changed."""

    server: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.server}/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class ApplicationRef:
    """Everything that a request about one application must say."""

    server: str
    project: str
    namespace: str
    name: str

    @property
    def key(self) -> ApplicationKey:
        return ApplicationKey(self.server, self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class Source:
    """One source of the application's specification.

    `whole` is the source as canonical JSON: two sources are the same when it is the same.
    """

    repository: str
    target_revision: str = ""
    path: str = ""
    chart: str = ""
    ref: str = ""
    whole: str = ""


@dataclass(frozen=True, slots=True)
class ResourceKey:
    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    def names(self, other: ResourceKey) -> bool:
        """The same object; a manifest may leave the namespace to the application."""
        same = (self.group, self.kind, self.name) == (other.group, other.kind, other.name)
        anywhere = not self.namespace or not other.namespace
        return same and (anywhere or self.namespace == other.namespace)


@dataclass(frozen=True, slots=True)
class Resource:
    key: ResourceKey
    sync: Sync | None = None
    health: Health | None = None
    health_message: str = ""
    hook: bool = False
    requires_pruning: bool = False


@dataclass(frozen=True, slots=True)
class ResourceResult:
    """What a sync operation did to one resource, or how one hook ended."""

    key: ResourceKey
    status: str = ""
    message: str = ""
    hook_type: str = ""
    hook_phase: str = ""

    @property
    def failed_hook(self) -> bool:
        return bool(self.hook_type) and self.hook_phase in (Phase.FAILED, Phase.ERROR)

    @property
    def failed(self) -> bool:
        return self.status == "SyncFailed" or self.hook_phase in (Phase.FAILED, Phase.ERROR)


@dataclass(frozen=True, slots=True)
class Operation:
    """A sync operation: requested, running or the last one.

    `revisions` and `targets` stand by source index (one entry for a single source); the revisions
    are those of the result, else those asked for. `retry_count` counts attempts that have failed
    while it runs.
    """

    phase: Phase
    message: str = ""
    revisions: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    retry_count: int = 0
    dry_run: bool = False
    partial: bool = False
    automated: bool = False
    initiated_by: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    results: tuple[ResourceResult, ...] = ()

    @property
    def identity(self) -> str:
        """Tells operations apart; a retry keeps its start and its revisions."""
        start = self.started_at.isoformat() if self.started_at else "not started"
        return f"{start} {','.join(self.revisions)}"


@dataclass(frozen=True, slots=True)
class Condition:
    kind: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Application:
    """One answer of `GET /api/v1/applications/{name}`."""

    ref: ApplicationRef
    uid: str
    sources: tuple[Source, ...]
    compared_to: tuple[Source, ...]
    sync: Sync
    revisions: tuple[str, ...]
    """What was last compared, by source index; not what is deployed, and not always a commit."""
    health: Health | None = None
    health_message: str = ""
    requested: Operation | None = None
    last_operation: Operation | None = None
    conditions: tuple[Condition, ...] = ()
    reconciled_at: datetime | None = None
    images: tuple[str, ...] = ()
    resources: tuple[Resource, ...] = ()
    automated: bool = False
    generate_paths: tuple[str, ...] | None = None
    """The annotation `manifest-generate-paths`; None when there is none."""
    application_set: str = ""
    """The ApplicationSet that owns it; empty when none does."""
    being_deleted: bool = False

    @property
    def operation(self) -> Operation | None:
        """The operation that counts: a dry run is none, and a request waits for its state."""
        for operation in (self.last_operation, self.requested):
            if operation is not None and not operation.dry_run:
                return operation
        return None

    def sources_of(self, repository: str) -> tuple[int, ...]:
        """The sources that read this repository (normalised); a chart never does."""
        return tuple(
            index
            for index, source in enumerate(self.sources)
            if not source.chart and normalised_repository(source.repository) == repository
        )


@dataclass(frozen=True, slots=True)
class Gone:
    """Argo CD says that there is no such application."""

    why: str
    kind: Literal["gone"] = "gone"


@dataclass(frozen=True, slots=True)
class CannotSee:
    """Nothing was learnt; `unauthorised` means that an operator must act."""

    reason: str
    unauthorised: bool = False
    kind: Literal["cannot_see"] = "cannot_see"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of the resource tree; `owners` are its ancestors, the nearest first."""

    key: ResourceKey
    reason: str = ""
    restarts: int = 0
    ready: str = ""
    images: tuple[str, ...] = ()
    health: Health | None = None
    message: str = ""
    created_at: datetime | None = None
    owners: tuple[ResourceKey, ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceTree:
    pods: tuple[Pod, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    kind: str
    schedule: str = ""
    duration: str = ""
    manual_sync: bool = False


@dataclass(frozen=True, slots=True)
class SyncWindows:
    """`can_sync` speaks of manual syncs only; a window may still keep automatic ones back."""

    active: tuple[Window, ...] = ()
    assigned: tuple[Window, ...] = ()
    can_sync: bool = True

    @property
    def closed(self) -> Window | None:
        """The window that keeps an automatic sync back now, if one does."""
        for window in self.active:
            if window.kind == "deny":
                return window
        allowing = [window for window in self.assigned if window.kind == "allow"]
        if allowing and not any(window.kind == "allow" for window in self.active):
            return allowing[0]
        return None if self.can_sync else Window("deny")


@dataclass(frozen=True, slots=True)
class RenderAt:
    """Which commits to render: by 1-based source position, or position 0 for a single source."""

    revisions: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Rendered:
    """The manifests of a commit, each as a digest of its canonical form.

    `progress_deadline` is the largest `progressDeadlineSeconds` among them, if any says one.
    """

    digests: Mapping[ResourceKey, str]
    progress_deadline: timedelta | None = None


@dataclass(frozen=True, slots=True)
class RenderFailed:
    """The commit was read and does not render; `message` is the generator's own."""

    message: str


Rendering: TypeAlias = Rendered | RenderFailed | CannotSee


@dataclass(frozen=True, slots=True)
class Look:
    """What one look brought home; `refreshed` says which refresh was asked for, answered or not.

    None for `tree` and `windows` means that nobody asked.
    """

    application: Application | Gone | CannotSee
    refreshed: Refresh | None = None
    tree: ResourceTree | CannotSee | None = None
    windows: SyncWindows | CannotSee | None = None
    renderings: Mapping[RenderAt, Rendering] = field(default_factory=dict)


def is_commit(revision: str) -> bool:
    """On a compare error Argo CD gives the branch's name instead."""
    return _COMMIT.fullmatch(revision) is not None


def follows(revision: str, branch: str) -> bool:
    """Whether a `targetRevision` means this branch, which is the repository's default one."""
    return revision in ("", "HEAD", branch, f"refs/heads/{branch}")


@lru_cache(maxsize=4096)
def normalised_repository(url: str) -> str:
    """Host and path in lower case, without scheme, user, port of the scheme, `.git` and slashes.

    `https://github.com/Acme/Shop.git`, `git@github.com:acme/shop` and
    `ssh://git@github.com:22/acme/shop/` are all `github.com/acme/shop`.
    """
    text = url.strip()
    if "://" in text:
        try:
            parts = urlsplit(text)
        except ValueError:
            return text.lower()
        host, path = parts.netloc.rpartition("@")[2], parts.path
        usual = {"https": ":443", "http": ":80", "ssh": ":22"}.get(parts.scheme.lower(), "")
        host = host.removesuffix(usual) if usual else host
    elif found := _SCP.fullmatch(text):
        host, path = found["host"], found["path"]
    else:
        host, path = "", text
    path = path.strip("/").removesuffix(".git").strip("/")
    return f"{host}/{path}".lower().strip("/")
