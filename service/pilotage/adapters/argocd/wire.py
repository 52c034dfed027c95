"""Argo CD's answers as they come over the wire, and the check that they are what they should be.

Everything here is hostile until it has been validated: what has the wrong shape raises
`UnreadableError`, which names the field and never repeats its content.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Annotated, TypeVar

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

from pilotage.core.application import ResourceKey

_LONGEST_MESSAGE = 2000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")

Model = TypeVar("Model", bound=BaseModel)


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


class Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}


class _Owner(Wire):
    kind: StrictStr = ""
    name: StrictStr = ""


class _Metadata(Wire):
    name: Annotated[StrictStr, Field(min_length=1)]
    namespace: StrictStr = ""
    uid: StrictStr = ""
    deletion_timestamp: StrictStr = ""
    annotations: dict[StrictStr, StrictStr] | None = None
    owner_references: tuple[_Owner, ...] = ()


class Source(Wire):
    repo_url: StrictStr = Field(default="", alias="repoURL")
    target_revision: StrictStr = ""
    path: StrictStr = ""
    chart: StrictStr = ""
    ref: StrictStr = ""


class _Automated(Wire):
    enabled: StrictBool | None = None


class _SyncPolicy(Wire):
    automated: _Automated | None = None


class Sources(Wire):
    source: dict[StrictStr, JsonValue] | None = None
    sources: tuple[dict[StrictStr, JsonValue], ...] = ()


class _Spec(Sources):
    project: StrictStr = ""
    sync_policy: _SyncPolicy | None = None


class HealthStatus(Wire):
    status: StrictStr = ""
    message: Message = ""


class _SyncStatus(Wire):
    status: StrictStr = ""
    revision: StrictStr = ""
    revisions: tuple[StrictStr, ...] = ()
    compared_to: Sources = Sources()


class _Named(Wire):
    group: StrictStr = ""
    kind: StrictStr = ""
    namespace: StrictStr = ""
    name: StrictStr = ""

    @property
    def key(self) -> ResourceKey:
        return ResourceKey(self.group, self.kind, self.namespace, self.name)


class Resource(_Named):
    status: StrictStr = ""
    health: HealthStatus | None = None
    hook: StrictBool = False
    requires_pruning: StrictBool = False


class _Result(_Named):
    status: StrictStr = ""
    message: Message = ""
    hook_type: StrictStr = ""
    hook_phase: StrictStr = ""


class SyncOperation(Sources):
    revision: StrictStr = ""
    revisions: tuple[StrictStr, ...] = ()
    dry_run: StrictBool = False
    resources: tuple[JsonValue, ...] = ()


class _Initiator(Wire):
    username: StrictStr = ""
    automated: StrictBool = False


class Operation(Wire):
    sync: SyncOperation | None = None
    initiated_by: _Initiator = _Initiator()


class SyncResult(Sources):
    revision: StrictStr = ""
    revisions: tuple[StrictStr, ...] = ()
    resources: tuple[_Result, ...] = ()


class OperationState(Wire):
    phase: StrictStr
    message: Message = ""
    operation: Operation = Operation()
    sync_result: SyncResult | None = None
    retry_count: StrictInt = Field(default=0, ge=0)
    started_at: Stamp | None = None
    finished_at: Stamp | None = None


class _Condition(Wire):
    type: StrictStr = ""
    message: Message = ""


class _Summary(Wire):
    images: tuple[StrictStr, ...] = ()


class _Status(Wire):
    sync: _SyncStatus = _SyncStatus()
    health: HealthStatus = HealthStatus()
    operation_state: OperationState | None = None
    conditions: tuple[_Condition, ...] = ()
    reconciled_at: Stamp | None = None
    resources: tuple[Resource, ...] = ()
    summary: _Summary = _Summary()


class Application(Wire):
    metadata: _Metadata
    spec: _Spec
    status: _Status = _Status()
    operation: Operation | None = None


class _Info(Wire):
    name: StrictStr = ""
    value: StrictStr = ""


class _Parent(_Named):
    uid: StrictStr = ""


class Node(_Named):
    uid: StrictStr = ""
    parent_refs: tuple[_Parent, ...] = ()
    info: tuple[_Info, ...] = ()
    images: tuple[StrictStr, ...] = ()
    health: HealthStatus | None = None
    created_at: Stamp | None = None


class Tree(Wire):
    nodes: tuple[Node, ...] = ()


class _Window(Wire):
    kind: StrictStr = ""
    schedule: StrictStr = ""
    duration: StrictStr = ""
    manual_sync: StrictBool = False


class Windows(Wire):
    active_windows: tuple[_Window, ...] = ()
    assigned_windows: tuple[_Window, ...] = ()
    can_sync: StrictBool = False


class Manifests(Wire):
    manifests: tuple[StrictStr, ...] = ()


class List(Wire):
    items: tuple[JsonValue, ...] = ()


class Name(Wire):
    name: str = ""
    namespace: str = ""


class Project(Wire):
    project: str = ""


class Named(Wire):
    """An entry of the list, when only names are asked for."""

    metadata: Name = Name()
    spec: Project = Project()


class Names(Wire):
    items: tuple[Named, ...] = ()


class ErrorAnswer(Wire):
    error: Message = ""
    message: Message = ""
    code: StrictInt = 0


class UserInfo(Wire):
    """`logged_in` is the test of a token: without a valid one the answer is empty, not an error."""

    logged_in: StrictBool = False
    username: StrictStr = ""
    groups: tuple[StrictStr, ...] = ()


class CanI(Wire):
    value: StrictStr = ""


class Version(Wire):
    version: StrictStr = Field(default="", alias="Version")


class _FrameMetadata(Wire):
    name: StrictStr = ""
    namespace: StrictStr = ""


class _FrameApplication(Wire):
    metadata: _FrameMetadata = _FrameMetadata()


class _FrameResult(Wire):
    type: StrictStr = ""
    application: _FrameApplication = _FrameApplication()


class _FrameError(Wire):
    http_code: StrictInt = Field(default=0, alias="http_code")
    message: Message = ""


class Frame(Wire):
    """One event of the stream, or the error that ends it."""

    result: _FrameResult | None = None
    error: _FrameError | None = None


def read(model: type[Model], body: bytes) -> Model:
    """Raises UnreadableError, which says where the answer is not what it should be."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise UnreadableError(where(error)) from None


def where(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place or 'the answer'}: {first['type'].replace('_', ' ')}"


def dumped(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
