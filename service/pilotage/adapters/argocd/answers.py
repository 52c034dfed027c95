"""From Argo CD's answers, once they are checked, to the core's values."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from pilotage.adapters.argocd import wire
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
_LONGEST_DEADLINE = 7 * 24 * 3600
_COUNT = re.compile(r"[0-9]{1,9}")

Model = TypeVar("Model", bound=BaseModel)
Item = TypeVar("Item")


def application(body: bytes, server: str) -> Application:
    return _application(wire.read(wire.Application, body), server)


def applications(body: bytes, server: str) -> tuple[tuple[Application, ...], tuple[str, ...]]:
    """The readable ones, and why each of the others is not: one bad entry blinds nobody else."""
    found, unreadable = [], []
    for index, item in enumerate(wire.read(wire.List, body).items):
        try:
            found.append(_application(wire.Application.model_validate(item), server))
        except ValidationError as error:
            unreadable.append(f"items[{index}].{wire.where(error)}")
        except wire.UnreadableError as error:
            unreadable.append(f"items[{index}]: {error}")
    return tuple(found), tuple(unreadable)


def _application(answer: wire.Application, server: str) -> Application:
    metadata, spec, status = answer.metadata, answer.spec, answer.status
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
        requested=_requested(answer.operation) if answer.operation is not None else None,
        last_operation=_operation(state) if state is not None else None,
        conditions=tuple(Condition(each.type, each.message) for each in status.conditions),
        reconciled_at=status.reconciled_at,
        images=status.summary.images,
        resources=tuple(_resource(each) for each in status.resources),
        automated=automated is not None and automated.enabled is not False,
        generate_paths=generate_paths(paths) if paths is not None else None,
        application_set=next(
            (owner.name for owner in metadata.owner_references if owner.kind == "ApplicationSet"),
            "",
        ),
        being_deleted=bool(metadata.deletion_timestamp),
    )


def _sources(answer: wire.Sources) -> tuple[Source, ...]:
    """`sources` where there are any; beside them Argo CD sends an empty `source`."""
    whole = answer.sources or ((answer.source,) if answer.source else ())
    return tuple(_source(each) for each in whole)


def _source(whole: dict[str, JsonValue]) -> Source:
    answer = _valid(wire.Source, whole)
    canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    return Source(
        answer.repo_url, answer.target_revision, answer.path, answer.chart, answer.ref, canonical
    )


def _valid(model: type[Model], value: object) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise wire.UnreadableError(wire.where(error)) from None


def _by_index(one: str, many: Sequence[str]) -> tuple[str, ...]:
    return tuple(many) or ((one,) if one else ())


def _resource(answer: wire.Resource) -> Resource:
    health = answer.health or wire.HealthStatus()
    return Resource(
        key=answer.key,
        sync=_known(Sync, answer.status, Sync.UNKNOWN) if answer.status else None,
        health=_health(health.status),
        health_message=health.message,
        hook=answer.hook,
        requires_pruning=answer.requires_pruning,
    )


def _requested(answer: wire.Operation) -> Operation:
    sync = answer.sync or wire.SyncOperation()
    return Operation(
        phase=Phase.REQUESTED,
        revisions=_by_index(sync.revision, sync.revisions),
        targets=tuple(source.target_revision for source in _sources(sync)),
        dry_run=sync.dry_run,
        partial=bool(sync.resources),
        automated=answer.initiated_by.automated,
        initiated_by=answer.initiated_by.username,
    )


def _operation(answer: wire.OperationState) -> Operation:
    asked = answer.operation.sync or wire.SyncOperation()
    result = answer.sync_result or wire.SyncResult()
    phase = _known(Phase, answer.phase, None)
    if phase is None or phase is Phase.REQUESTED:
        raise wire.UnreadableError("status.operationState.phase: not one that is known")
    return Operation(
        phase=phase,
        message=answer.message,
        revisions=_by_index(result.revision, result.revisions)
        or _by_index(asked.revision, asked.revisions),
        targets=tuple(source.target_revision for source in _sources(result) or _sources(asked)),
        retry_count=answer.retry_count,
        dry_run=asked.dry_run,
        partial=bool(asked.resources),
        automated=answer.operation.initiated_by.automated,
        initiated_by=answer.operation.initiated_by.username,
        started_at=answer.started_at,
        finished_at=answer.finished_at,
        results=tuple(
            ResourceResult(each.key, each.status, each.message, each.hook_type, each.hook_phase)
            for each in result.resources
        ),
    )


def tree(body: bytes) -> ResourceTree:
    nodes = wire.read(wire.Tree, body).nodes
    by_uid = {node.uid: node for node in nodes if node.uid}
    return ResourceTree(tuple(_pod(node, by_uid) for node in nodes if node.kind == "Pod"))


def _pod(node: wire.Node, by_uid: dict[str, wire.Node]) -> Pod:
    info = {each.name: each.value for each in node.info}
    health = node.health or wire.HealthStatus()
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


def _owners(node: wire.Node, by_uid: dict[str, wire.Node]) -> tuple[ResourceKey, ...]:
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
    answer = wire.read(wire.Windows, body)
    active, assigned = (
        tuple(Window(each.kind, each.schedule, each.duration, each.manual_sync) for each in many)
        for many in (answer.active_windows, answer.assigned_windows)
    )
    return SyncWindows(active, assigned, answer.can_sync)


def rendered(body: bytes) -> Rendered:
    """Each manifest's canonical digest; their contents may hold secrets and stay here."""
    digests: dict[ResourceKey, str] = {}
    deadlines: list[timedelta] = []
    for text in wire.read(wire.Manifests, body).manifests:
        try:
            manifest: Any = json.loads(text)
            key = _manifest_key(manifest)
            canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
            deadlines += _deadline(manifest)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise wire.UnreadableError("manifests: not JSON of a resource") from None
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


def generate_paths(paths: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in paths.split(";") if part.strip())
