"""What an Application is: its specification, its status, its operations."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Self

from pilotage.sandbox.argocd.cluster import Workloads

Json = dict[str, Any]
Key = tuple[str, str]  # kind, name


class SyncStatus(StrEnum):
    SYNCED = "Synced"
    OUT_OF_SYNC = "OutOfSync"
    UNKNOWN = "Unknown"


class Phase(StrEnum):
    RUNNING = "Running"
    TERMINATING = "Terminating"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERROR = "Error"


@dataclass(frozen=True, slots=True)
class Timings:
    """Every duration, in seconds. The defaults make a rollout last about two seconds."""

    reconcile: float = 0.06  # a refresh is asked for, until the comparison is done
    operation_start: float = 0.02  # an operation is requested, until it runs
    apply: float = 0.1  # it runs, until the resources are applied
    settle: float = 0.06  # it has ended, until the application is compared again
    pod_ready: float = 1.5
    slow_pod_ready: float = 9.0  # a version that starts slowly: after the progress deadline
    old_pods: float = 0.3  # the new pods are ready, until the old ones are gone
    progress_deadline: float = 4.0
    restart: float = 0.5  # between two restarts of a container that crashes
    hook_create: float = 0.1
    hook: float = 0.5
    slow_hook: float = 6.0
    terminate: float = 0.05
    retry_backoff: float = 1.0
    retry_longest: float = 36.0
    polling: float = 3.0
    applicationset_lag: float = 0.15
    applicationset_polling: float = 3.0
    delete: float = 0.2
    heartbeat: float = 15.0

    def scaled(self, factor: float) -> Self:
        """All durations times `factor`; the heart-beat of streams stays as it is."""
        values = {each.name: getattr(self, each.name) * factor for each in fields(self)}
        return replace(self, **values | {"heartbeat": self.heartbeat})

    @classmethod
    def real(cls) -> Self:
        """The durations of the recordings."""
        return cls(
            reconcile=0.2, operation_start=0.01, apply=0.2, settle=0.06,
            pod_ready=2.0, slow_pod_ready=20.0, old_pods=1.0, progress_deadline=11.0, restart=10.0,
            hook_create=2.0, hook=2.0, slow_hook=25.0, terminate=0.05, retry_backoff=5.0,
            retry_longest=180.0, polling=150.0, applicationset_lag=0.2,
            applicationset_polling=180.0, delete=1.0,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of `spec.sources`, or `spec.source`."""

    repo_url: str
    target_revision: str = "main"
    path: str = ""
    value_files: tuple[str, ...] = ()
    release_name: str = ""
    ref: str = ""
    ignore_missing_value_files: bool = False

    @property
    def renders(self) -> bool:
        """A `ref` source only lends its files to the others."""
        return not self.ref


@dataclass(frozen=True, slots=True)
class Chart:
    """What the chart makes of its values.

    `image`: `{a.b}` is a value of the files, `{service}` the application's service, `{version}`
    the version in the chart source's targetRevision, or in the value at the key `version`.
    """

    image: str = "{image.repository}:{image.tag}"
    version: str = "service.chartTag"


SYRF_CHART = Chart(image="ghcr.io/camaradesuk/syrf-{service}:{version}")


@dataclass(frozen=True, slots=True)
class SyncPolicy:
    automated: bool = True
    prune: bool = True
    self_heal: bool = True
    retry_limit: int | None = None  # None: Argo CD's default of 5 for automated operations


@dataclass(frozen=True, slots=True)
class SyncWindow:
    kind: str = "deny"
    manual_sync: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """What was asked for; `revisions` has one entry for each source."""

    revisions: tuple[str, ...]
    sources: tuple[Source, ...]
    prune: bool = False
    dry_run: bool = False
    resources: tuple[Json, ...] = ()
    username: str = ""  # empty: automated
    retry_limit: int = 0
    auto_heal_attempts: int = 0
    infos: tuple[Json, ...] = ()
    strategy: Json | None = None

    @property
    def automated(self) -> bool:
        return not self.username


@dataclass(slots=True, eq=False)
class OperationState:
    operation: Operation
    started_at: float
    phase: Phase = Phase.RUNNING
    message: str = ""
    finished_at: float | None = None
    retry_count: int = 0
    results: dict[Key, Json] | None = None

    @property
    def done(self) -> bool:
        return self.phase not in (Phase.RUNNING, Phase.TERMINATING)


@dataclass(frozen=True, slots=True)
class Deployed:
    """An entry of `status.history`."""

    number: int
    revisions: tuple[str, ...]
    sources: tuple[Source, ...]
    started_at: float
    deployed_at: float
    username: str


@dataclass(frozen=True, slots=True)
class Hook:
    phase: str  # PreSync or PostSync
    name: str
    image: str


@dataclass(frozen=True, slots=True)
class Target:
    """What git asks for at one revision of each source."""

    revisions: tuple[str, ...]
    resources: Mapping[Key, Json]
    hooks: tuple[Hook, ...] = ()
    tool: str = "Helm"
    """What made the manifests: also `Directory` and `Kustomize`."""


@dataclass(slots=True)
class Sync:
    status: SyncStatus | None = None
    revisions: tuple[str, ...] = ()
    compared: tuple[Source, ...] = ()


@dataclass(slots=True, eq=False)
class Application:
    """One Application and what the cluster holds of it. Times are seconds since the epoch."""

    name: str
    project: str
    namespace: str  # of the destination
    sources: tuple[Source, ...]
    multi: bool
    chart: Chart
    policy: SyncPolicy
    uid: str
    created_at: float
    workloads: Workloads
    service: str = ""
    server: str = "https://kubernetes.default.svc"
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    owner: str = ""  # the ApplicationSet
    owner_uid: str = ""
    window: SyncWindow | None = None
    slowness: float = 1.0  # everything of this application takes so many times longer

    generation: int = 1
    resource_version: int = 0
    deleted_at: float | None = None
    refresh: str = ""
    sync: Sync = field(default_factory=Sync)
    target: Target | None = None
    health: str = ""
    health_since: float = 0.0
    resources: list[Json] = field(default_factory=list)
    images: tuple[str, ...] = ()  # status.summary.images, as of the last look
    conditions: list[Json] = field(default_factory=list)
    reconciled_at: float | None = None
    history: list[Deployed] = field(default_factory=list)
    operation: Operation | None = None
    operation_state: OperationState | None = None
    hooks: dict[str, Json] = field(default_factory=dict)  # jobs in the cluster: health, image
    events: list[Json] = field(default_factory=list)
    deployments: int = 0  # the number of the next history entry

    @property
    def busy(self) -> bool:
        """An operation is requested or runs."""
        return self.operation is not None
