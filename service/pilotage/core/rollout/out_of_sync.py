"""Rows 20 to 27 of the decision table: what OutOfSync means, by operation."""

from __future__ import annotations

from dataclasses import replace

from pilotage.core.application import (
    Health,
    Phase,
    Rendered,
    Resource,
    Sync,
    SyncWindows,
)
from pilotage.core.rollout.case import (
    STAMP_TOLERANCE,
    Case,
    Finding,
    Row,
    retrying,
)
from pilotage.core.rollout.evidence import (
    stopped,
    worst_result,
)
from pilotage.core.rollout.synced import judge_health
from pilotage.core.rollout.watch import (
    Clock,
    Failed,
    FailureReason,
    Held,
    HoldReason,
    PostSync,
    Relation,
    State,
)


def row_20_syncing(case: Case) -> Finding | None:
    operation = case.operation
    if operation is None or not operation.phase.live:
        return None
    if retrying(operation) and case.operation_relation.ours:
        return None
    why = operation.message or f"its sync operation is {operation.phase.value.lower()}"
    return Finding(20, State.SYNCING, why, clock=Clock.SYNC)


def row_21_sync_failing(case: Case) -> Finding | None:
    operation = case.operation
    if operation is None or not retrying(operation) or not case.operation_relation.ours:
        return None
    resource, message = worst_result(operation)
    finding = Finding(21, State.SYNC_FAILING, message, clock=Clock.SYNC)
    if case.failed_attempts < case.budgets.attempts:
        return finding
    return replace(finding, outcome=Failed(FailureReason.SYNC_FAILED, resource, message))


def row_22_sync_failed(case: Case) -> Finding | None:
    operation = case.operation
    if operation is None or not operation.phase.bad or not case.operation_relation.ours:
        return None
    resource, message = worst_result(operation)
    if not stopped(operation):
        failure = Failed(FailureReason.SYNC_FAILED, resource, message)
        return Finding(22, State.SYNC_FAILED, message, failure)
    if operation.identity in case.expectation.terminated:
        return None
    why = "somebody stopped the sync operation"
    return Finding(22, State.SYNC_FAILED, why, Held(HoldReason.STOPPED_BY_PERSON, why))


def row_23_settling_or_drift(case: Case) -> Finding | None:
    operation = case.operation
    if operation is None or operation.phase is not Phase.SUCCEEDED or operation.partial:
        return None
    if not case.operation_relation.ours:
        return None
    timer = f"settling {operation.identity}"
    finding = Finding(23, State.SETTLING, "synced; still settling", timers=(timer,))
    if case.elapsed(timer) < case.budgets.settle:
        return replace(finding, within=case.budgets.settle - case.elapsed(timer))
    left = [each for each in case.application.resources if each.sync is Sync.OUT_OF_SYNC]
    names = ", ".join(str(each.key) for each in left) or "something"
    if case.expectation.revert and any(each.requires_pruning for each in left):
        why = f"{names} should be removed by the revert and is not pruned"
        return replace(finding, message=why, outcome=Held(HoldReason.NOT_PRUNED, why))
    doubtful = any(not each.requires_pruning and was_so_before(each, case) for each in left)
    finding = replace(finding, renders=case.renders if doubtful else ())
    if left and all(forgiven(each, case) for each in left):
        health = judge_health(case)
        note = f"{names} stays OutOfSync, as before the merge or for want of pruning"
        message = f"{health.message}; {note}" if health.message else note
        timers = (*health.timers, timer)
        renders = finding.renders or health.renders
        return replace(health, message=message, timers=timers, renders=renders)
    if doubtful and not case.look.renderings:
        return replace(finding, clock=Clock.SYNC, within=case.budgets.dwell)
    why = f"{names} is OutOfSync although the sync operation succeeded"
    return replace(finding, state=State.DRIFT, message=why, clock=Clock.SYNC)


def forgiven(resource: Resource, case: Case) -> bool:
    return resource.requires_pruning or (
        was_so_before(resource, case) and unchanged_by_ours(resource, case)
    )


def was_so_before(resource: Resource, case: Case) -> bool:
    picture = case.expectation.picture
    before = picture.resources if picture is not None else ()
    same = [each for each in before if each.key == resource.key]
    was = any(each.sync is Sync.OUT_OF_SYNC for each in same)
    return was and resource.health is not Health.MISSING


def unchanged_by_ours(resource: Resource, case: Case) -> bool:
    """Only known from rendering our commit and its parent; unknown counts as changed."""
    ours, parent = (case.look.renderings.get(at) for at in case.renders)
    if not isinstance(ours, Rendered) or not isinstance(parent, Rendered):
        return False
    digests = [
        {digest for key, digest in rendered.digests.items() if key.names(resource.key)}
        for rendered in (ours, parent)
    ]
    return digests[0] == digests[1]


def row_24_older_revision_chosen(case: Case) -> Finding | None:
    operation = case.operation
    if operation is None or operation.phase is not Phase.SUCCEEDED or operation.partial:
        return None
    ancestor = case.operation_relation is Relation.ANCESTOR
    if not ancestor or operation.automated or operation.started_at is None:
        return None
    if operation.started_at < case.expectation.since + STAMP_TOLERANCE:
        return None
    who = operation.initiated_by or "somebody"
    why = f"{who} synced an older revision after the merge"
    held = Held(HoldReason.OLDER_REVISION_CHOSEN, why)
    return Finding(24, State.OLDER_REVISION_CHOSEN, why, held)


def row_25_window(case: Case) -> Finding | None:
    windows = case.look.windows
    window = windows.closed if isinstance(windows, SyncWindows) else None
    if window is None:
        return None
    when = f" ({window.schedule} for {window.duration})" if window.schedule else ""
    why = f"a sync window ({window.kind}){when} keeps it from syncing"
    return Finding(25, State.WINDOW, why, refresh=True, windows=True)


def row_26_waits_for_someone(case: Case) -> Finding | None:
    application = case.application
    if application.automated:
        return None
    who = (
        f"{application.application_set} or a person" if application.application_set else "a person"
    )
    why = f"automatic sync is off: {who} must sync it"
    wishes = (PostSync(why),) if window_is_open(case) else ()
    state = State.WAITS_FOR_SOMEONE
    finding = Finding(26, state, why, clock=Clock.SYNC, wishes=wishes)
    return asking_for_windows(finding, case)


def row_27_waiting_for_sync(case: Case) -> Finding | None:
    refused = [each.message for each in case.application.conditions if each.kind == "SyncError"]
    why = f"not yet synced: {refused[0]}" if refused else "Argo CD has not begun to sync it yet"
    timer = "waiting for sync"
    late = case.elapsed(timer) >= case.budgets.post_sync
    wishes = (PostSync(why),) if late and window_is_open(case) else ()
    state = State.WAITING_FOR_SYNC
    finding = Finding(27, state, why, clock=Clock.SYNC, timers=(timer,), wishes=wishes)
    return asking_for_windows(finding, case)


def asking_for_windows(finding: Finding, case: Case) -> Finding:
    """No condition tells of a sync window: it has to be asked for, and soon the first time."""
    soon = case.budgets.dwell if case.look.windows is None else None
    return replace(finding, windows=True, refresh=True, within=soon)


def window_is_open(case: Case) -> bool:
    """Asked and known: nothing is synced on a guess."""
    windows = case.look.windows
    return isinstance(windows, SyncWindows) and windows.closed is None


OUT_OF_SYNC_ROWS: tuple[Row, ...] = (
    row_20_syncing,
    row_21_sync_failing,
    row_22_sync_failed,
    row_23_settling_or_drift,
    row_24_older_revision_chosen,
    row_25_window,
    row_26_waits_for_someone,
    row_27_waiting_for_sync,
)
