"""Argo CD's answers as they come over the wire, checked, and turned into the core's values.

Everything here is hostile until it has been validated: what has the wrong shape raises
`UnreadableError`, which names the field and never repeats its content.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from pilotage.core.application import (
    Application,
    ApplicationRef,
    Condition,
    Health,
    Operation,
    Phase,
    Pod,
    Rendered,
    Resource,
    ResourceKey,
    ResourceResult,
    ResourceTree,
    Source,
    Sync,
    SyncWindows,
    Window,
)

GENERATE_PATHS = "argocd.argoproj.io/manifest-generate-paths"
_LONGEST_MESSAGE = 2000
_LONGEST_DEADLINE = 7 * 24 * 3600
_COUNT = re.compile(r"[0-9]{1,9}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")

Model = TypeVar("Model", bound=BaseModel)
Item = TypeVar("Item")


class UnreadableError(Exception):
    """An answer does not have the shape that Argo CD's have."""


def _plausible(value: datetime) -> datetime:
    if not 1970 <= value.year <= 2200:
        raise ValueError("not a time of this age")
    return value


def _message(value: object) -> object:
    if not isinstance(value, str):
        return value
    clean = _CONTROL.sub(" ", value).strip()
    return clean if len(clean) <= _LONGEST_MESSAGE else f"{clean[:_LONGEST_MESSAGE]} …"


Message = Annotated[StrictStr, BeforeValidator(_message)]
Stamp = Annotated[AwareDatetime, AfterValidator(_plausible)]


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}


class _Owner(_Wire):
    kind: StrictStr = ""
    name: StrictStr = ""


class _Metadata(_Wire):
    name: Annotated[StrictStr, Field(min_length=1)]
    namespace: StrictStr = ""
    uid: StrictStr = ""
    deletion_timestamp: StrictStr = ""
    annotations: dict[StrictStr, StrictStr] | None = None
    owner_references: tuple[_Owner, ...] = ()


class _Source(_Wire):
    repo_url: StrictStr = Field(default="", alias="repoURL")
    target_revision: StrictStr = ""
    path: StrictStr = ""
    chart: StrictStr = ""
    ref: StrictStr = ""


class _Automated(_Wire):
    enabled: StrictBool | None = None


class _SyncPolicy(_Wire):
    automated: _Automated | None = None


class _Sources(_Wire):
    source: dict[StrictStr, JsonValue] | None = None
    sources: tuple[dict[StrictStr, JsonValue], ...] = ()


class _Spec(_Sources):
    project: StrictStr = ""
    sync_policy: _SyncPolicy | None = None


class _HealthStatus(_Wire):
    status: StrictStr = ""
    message: Message = ""


class _SyncStatus(_Wire):
    status: StrictStr = ""
    revision: StrictStr = ""
    revisions: tuple[StrictStr, ...] = ()
    compared_to: _Sources = _Sources()


class _Named(_Wire):
    group: StrictStr = ""
    kind: StrictStr = ""
    namespace: StrictStr = ""
    name: StrictStr = ""

    @property
    def key(self) -> ResourceKey:
        return ResourceKey(self.group, self.kind, self.namespace, self.name)


class _Resource(_Named):
    status: StrictStr = ""
    health: _HealthStatus | None = None
    hook: StrictBool = False
    requires_pruning: StrictBool = False


class _Result(_Named):
    status: StrictStr = ""
    message: Message = ""
    hook_type: StrictStr = ""
    hook_phase: StrictStr = ""


class _SyncOperation(_Sources):
    revision: StrictStr = ""
    revisions: tuple[StrictStr, ...] = ()
    dry_run: StrictBool = False
    resources: tuple[JsonValue, ...] = ()


class _Initiator(_Wire):
    username: StrictStr = ""
    automated: StrictBool = False


class _Operation(_Wire):
    sync: _SyncOperation | None = None
    initiated_by: _Initiator = _Initiator()


class _SyncResult(_Sources):
    revision: StrictStr = ""
    revisions: tuple[StrictStr, ...] = ()
    resources: tuple[_Result, ...] = ()


class _OperationState(_Wire):
    phase: StrictStr
    message: Message = ""
    operation: _Operation = _Operation()
    sync_result: _SyncResult | None = None
    retry_count: StrictInt = Field(default=0, ge=0)
    started_at: Stamp | None = None
    finished_at: Stamp | None = None


class _Condition(_Wire):
    type: StrictStr = ""
    message: Message = ""


class _Summary(_Wire):
    images: tuple[StrictStr, ...] = ()


class _Status(_Wire):
    sync: _SyncStatus = _SyncStatus()
    health: _HealthStatus = _HealthStatus()
    operation_state: _OperationState | None = None
    conditions: tuple[_Condition, ...] = ()
    reconciled_at: Stamp | None = None
    resources: tuple[_Resource, ...] = ()
    summary: _Summary = _Summary()


class _Application(_Wire):
    metadata: _Metadata
    spec: _Spec
    status: _Status = _Status()
    operation: _Operation | None = None


class _Info(_Wire):
    name: StrictStr = ""
    value: StrictStr = ""


class _Parent(_Named):
    uid: StrictStr = ""


class _Node(_Named):
    uid: StrictStr = ""
    parent_refs: tuple[_Parent, ...] = ()
    info: tuple[_Info, ...] = ()
    images: tuple[StrictStr, ...] = ()
    health: _HealthStatus | None = None
    created_at: Stamp | None = None


class _Tree(_Wire):
    nodes: tuple[_Node, ...] = ()


class _Window(_Wire):
    kind: StrictStr = ""
    schedule: StrictStr = ""
    duration: StrictStr = ""
    manual_sync: StrictBool = False


class _Windows(_Wire):
    active_windows: tuple[_Window, ...] = ()
    assigned_windows: tuple[_Window, ...] = ()
    can_sync: StrictBool = False


class _Manifests(_Wire):
    manifests: tuple[StrictStr, ...] = ()


class _List(_Wire):
    items: tuple[JsonValue, ...] = ()


class ErrorAnswer(_Wire):
    error: Message = ""
    message: Message = ""
    code: StrictInt = 0


class UserInfo(_Wire):
    """`logged_in` is the test of a token: without a valid one the answer is empty, not an error."""

    logged_in: StrictBool = False
    username: StrictStr = ""
    groups: tuple[StrictStr, ...] = ()


class CanI(_Wire):
    value: StrictStr = ""


class Version(_Wire):
    version: StrictStr = Field(default="", alias="Version")


class _FrameMetadata(_Wire):
    name: StrictStr = ""
    namespace: StrictStr = ""


class _FrameApplication(_Wire):
    metadata: _FrameMetadata = _FrameMetadata()


class _FrameResult(_Wire):
    type: StrictStr = ""
    application: _FrameApplication = _FrameApplication()


class _FrameError(_Wire):
    http_code: StrictInt = Field(default=0, alias="http_code")
    message: Message = ""


class Frame(_Wire):
    """One event of the stream, or the error that ends it."""

    result: _FrameResult | None = None
    error: _FrameError | None = None


def read(model: type[Model], body: bytes) -> Model:
    """Raises UnreadableError, which says where the answer is not what it should be."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise UnreadableError(_where(error)) from None


def _where(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place or 'the answer'}: {first['type'].replace('_', ' ')}"


def application(body: bytes, server: str) -> Application:
    return _application(read(_Application, body), server)


def applications(body: bytes, server: str) -> tuple[tuple[Application, ...], tuple[str, ...]]:
    """The readable ones, and why each of the others is not: one bad entry blinds nobody else."""
    found, unreadable = [], []
    for index, item in enumerate(read(_List, body).items):
        try:
            found.append(_application(_Application.model_validate(item), server))
        except ValidationError as error:
            unreadable.append(f"items[{index}].{_where(error)}")
        except UnreadableError as error:
            unreadable.append(f"items[{index}]: {error}")
    return tuple(found), tuple(unreadable)


def _application(wire: _Application, server: str) -> Application:
    metadata, spec, status = wire.metadata, wire.spec, wire.status
    policy = spec.sync_policy
    automated = policy.automated if policy is not None else None
    paths = (metadata.annotations or {}).get(GENERATE_PATHS)
    state = status.operation_state
    return Application(
        ref=ApplicationRef(server, spec.project, metadata.namespace, metadata.name),
        uid=metadata.uid,
        sources=_sources(spec),
        compared_to=_sources(status.sync.compared_to),
        sync=_known(Sync, status.sync.status, Sync.UNKNOWN),
        revisions=_by_index(status.sync.revision, status.sync.revisions),
        health=_health(status.health.status),
        health_message=status.health.message,
        requested=_requested(wire.operation) if wire.operation is not None else None,
        last_operation=_operation(state) if state is not None else None,
        conditions=tuple(Condition(each.type, each.message) for each in status.conditions),
        reconciled_at=status.reconciled_at,
        images=status.summary.images,
        resources=tuple(_resource(each) for each in status.resources),
        automated=automated is not None and automated.enabled is not False,
        generate_paths=_split(paths) if paths is not None else None,
        application_set=next(
            (owner.name for owner in metadata.owner_references if owner.kind == "ApplicationSet"),
            "",
        ),
        being_deleted=bool(metadata.deletion_timestamp),
    )


def _sources(wire: _Sources) -> tuple[Source, ...]:
    """`sources` where there are any; beside them Argo CD sends an empty `source`."""
    whole = wire.sources or ((wire.source,) if wire.source else ())
    return tuple(_source(each) for each in whole)


def _source(whole: dict[str, JsonValue]) -> Source:
    wire = _valid(_Source, whole)
    canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    return Source(wire.repo_url, wire.target_revision, wire.path, wire.chart, wire.ref, canonical)


def _valid(model: type[Model], value: object) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise UnreadableError(_where(error)) from None


def _by_index(one: str, many: Sequence[str]) -> tuple[str, ...]:
    return tuple(many) or ((one,) if one else ())


def _resource(wire: _Resource) -> Resource:
    health = wire.health or _HealthStatus()
    return Resource(
        key=wire.key,
        sync=_known(Sync, wire.status, Sync.UNKNOWN) if wire.status else None,
        health=_health(health.status),
        health_message=health.message,
        hook=wire.hook,
        requires_pruning=wire.requires_pruning,
    )


def _requested(wire: _Operation) -> Operation:
    sync = wire.sync or _SyncOperation()
    return Operation(
        phase=Phase.REQUESTED,
        revisions=_by_index(sync.revision, sync.revisions),
        targets=tuple(source.target_revision for source in _sources(sync)),
        dry_run=sync.dry_run,
        partial=bool(sync.resources),
        automated=wire.initiated_by.automated,
        initiated_by=wire.initiated_by.username,
    )


def _operation(wire: _OperationState) -> Operation:
    asked = wire.operation.sync or _SyncOperation()
    result = wire.sync_result or _SyncResult()
    phase = _known(Phase, wire.phase, None)
    if phase is None or phase is Phase.REQUESTED:
        raise UnreadableError("status.operationState.phase: not one that is known")
    return Operation(
        phase=phase,
        message=wire.message,
        revisions=_by_index(result.revision, result.revisions)
        or _by_index(asked.revision, asked.revisions),
        targets=tuple(source.target_revision for source in _sources(result) or _sources(asked)),
        retry_count=wire.retry_count,
        dry_run=asked.dry_run,
        partial=bool(asked.resources),
        automated=wire.operation.initiated_by.automated,
        initiated_by=wire.operation.initiated_by.username,
        started_at=wire.started_at,
        finished_at=wire.finished_at,
        results=tuple(
            ResourceResult(each.key, each.status, each.message, each.hook_type, each.hook_phase)
            for each in result.resources
        ),
    )


def tree(body: bytes) -> ResourceTree:
    nodes = read(_Tree, body).nodes
    by_uid = {node.uid: node for node in nodes if node.uid}
    return ResourceTree(tuple(_pod(node, by_uid) for node in nodes if node.kind == "Pod"))


def _pod(node: _Node, by_uid: dict[str, _Node]) -> Pod:
    info = {each.name: each.value for each in node.info}
    health = node.health or _HealthStatus()
    restarts = info.get("Restart Count", "0")
    return Pod(
        key=node.key,
        reason=info.get("Status Reason", ""),
        restarts=int(restarts) if _COUNT.fullmatch(restarts) else 0,
        ready=info.get("Containers", ""),
        images=node.images,
        health=_health(health.status),
        message=health.message,
        created_at=node.created_at,
        owners=_owners(node, by_uid),
    )


def _owners(node: _Node, by_uid: dict[str, _Node]) -> tuple[ResourceKey, ...]:
    owners: list[ResourceKey] = []
    seen: set[str] = set()
    waiting = list(node.parent_refs)
    while waiting:
        parent = waiting.pop(0)
        if parent.uid in seen:
            continue
        seen.add(parent.uid)
        owners.append(parent.key)
        if parent.uid in by_uid:
            waiting.extend(by_uid[parent.uid].parent_refs)
    return tuple(owners)


def windows(body: bytes) -> SyncWindows:
    wire = read(_Windows, body)
    active, assigned = (
        tuple(Window(each.kind, each.schedule, each.duration, each.manual_sync) for each in many)
        for many in (wire.active_windows, wire.assigned_windows)
    )
    return SyncWindows(active, assigned, wire.can_sync)


def rendered(body: bytes) -> Rendered:
    """Each manifest's canonical digest; their contents may hold secrets and stay here."""
    digests: dict[ResourceKey, str] = {}
    deadlines: list[timedelta] = []
    for text in read(_Manifests, body).manifests:
        try:
            manifest: Any = json.loads(text)
            key = _manifest_key(manifest)
            canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
            deadlines += _deadline(manifest)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise UnreadableError("manifests: not JSON of a resource") from None
        digests[key] = hashlib.sha256(canonical.encode()).hexdigest()
    return Rendered(digests, max(deadlines, default=None))


def _deadline(manifest: Any) -> list[timedelta]:
    spec = manifest.get("spec")
    seconds = spec.get("progressDeadlineSeconds") if isinstance(spec, dict) else None
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        return []
    return [timedelta(seconds=seconds)] if 0 < seconds <= _LONGEST_DEADLINE else []


def _manifest_key(manifest: Any) -> ResourceKey:
    group, slash, _ = str(manifest["apiVersion"]).rpartition("/")
    metadata = manifest["metadata"]
    named = metadata.get("name") or metadata.get("generateName") or ""
    return ResourceKey(
        group if slash else "",
        str(manifest["kind"]),
        str(metadata.get("namespace", "")),
        str(named),
    )


def _health(value: str) -> Health | None:
    return _known(Health, value, Health.UNKNOWN) if value else None


def _known(kind: Callable[[str], Item], value: str, other: Item) -> Item:
    try:
        return kind(value)
    except ValueError:
        return other


def _split(paths: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in paths.split(";") if part.strip())


def dumped(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
