"""The decision table: one function for each row, in the order that is their priority.

Each row looks at a `Case` and gives a `Finding`, or None when it does not apply. The numbers are
those of the table in ARCHITECTURE.md; rows 1, 2 and 28 stand in `core/rollout.py`, because they
need no application. X is our commit, V the promoted value, `revision` what was last compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from pilotage.core.application import (
    Gone,
    Health,
    Phase,
    Refresh,
    Rendered,
    RenderFailed,
    Resource,
    ResourceTree,
    Sync,
    SyncWindows,
    is_commit,
)
from pilotage.core.rollout_case import Case, Finding, old_and_live, retrying
from pilotage.core.rollout_evidence import (
    failing_pod,
    image_is_there,
    image_workload,
    names_ours,
    unhealthy,
    worst_result,
)
from pilotage.core.rollout_watch import (
    Budgets,
    Clock,
    Failed,
    FailureReason,
    Held,
    HoldReason,
    Image,
    Overtaken,
    PostSync,
    Relation,
    State,
    Terminate,
    ThroughSpec,
    UnknownRoute,
    Watch,
)

NO_NEWS_CONDITIONS = frozenset({"ComparisonError", "InvalidSpecError", "UnknownError"})
STAMP_TOLERANCE = timedelta(seconds=2)
"""Argo CD's stamps are truncated to seconds: nothing is ordered against our clock within this."""

IMAGE_MISSING = "image missing"
HARD_REFRESHED = "hard refreshed for the image"

Row = Callable[[Case], Finding | None]


def row_2_gone(case: Case) -> Finding | None:
    application, watch = case.application, case.watch
    if application.being_deleted:
        return gone_for(watch, case.step, "it is being deleted", case.budgets)
    if application.uid != watch.uid:
        why = "another application has taken its name (its uid differs)"
        return gone_for(watch, case.step, why, case.budgets)
    return None


def gone_for(watch: Watch, step: timedelta, why: str, budgets: Budgets) -> Finding:
    """Row 2: looked for again for a while, since an ApplicationSet may make it anew."""
    elapsed = watch.timers["gone"] + step if "gone" in watch.timers else timedelta()
    outcome: Gone | Held = Gone(why)
    if elapsed >= budgets.gone:
        outcome = Held(HoldReason.GONE, f"the application is gone: {why}")
    return Finding(2, State.GONE, why, outcome, timers=("gone",), within=budgets.gone / 6)


def row_3_withdrawn(case: Case) -> Finding | None:
    head = case.expectation.head
    if head is None or head.contains is not False:
        return None
    why = (
        f"{short(case.expectation.sha)} is no longer in the branch (its head is {short(head.sha)})"
    )
    return Finding(3, State.WITHDRAWN, why, Held(HoldReason.WITHDRAWN, why))


def row_4_overtaken(case: Case) -> Finding | None:
    head, facts = case.expectation.head, case.expectation.revisions.get(case.revision)
    if head is not None and head.holds is False:
        by = head.sha
    elif facts and facts.relation is Relation.DESCENDANT and facts.holds is False:
        by = case.revision
    else:
        return None
    why = f"{short(by)} no longer holds the promoted values"
    return Finding(4, State.OVERTAKEN, why, Overtaken(by))


def row_5_controller_stuck(case: Case) -> Finding | None:
    if not case.refresh_refused():
        return None
    since = case.application.reconciled_at
    why = f"the application controller does not answer: last comparison at {since:%H:%M:%S} UTC"
    return Finding(5, None, why, blind=True, refresh=True)


def row_6_no_news(case: Case) -> Finding | None:
    application = case.application
    found = [each for each in application.conditions if each.kind in NO_NEWS_CONDITIONS]
    ours = application.source_of(case.expectation.repository)
    if found:
        why = f"{found[0].kind}: {found[0].message}"
    elif application.sync is Sync.UNKNOWN:
        why = "Argo CD does not know whether it is in sync"
    elif ours is None and not isinstance(case.expectation.route, ThroughSpec):
        why = f"none of its sources reads {case.expectation.repository}"
    elif ours is not None and not is_commit(case.revision):
        why = f"compared with {case.revision or 'nothing'}, which is no commit"
    elif case.relation is Relation.UNKNOWN:
        why = f"git was not able to place {short(case.revision)}"
    else:
        return None
    quiet = Finding(6, None, why, blind=True, refresh=True)
    since = case.watch.no_news_since
    if since is None or case.now - since < case.budgets.no_news or not names_ours(why, case):
        return quiet
    at_ours, at_parent = (case.look.renderings.get(at) for at in case.renders)
    if not isinstance(at_ours, RenderFailed) or not isinstance(at_parent, Rendered):
        return replace(quiet, renders=case.renders)
    if not names_ours(at_ours.message, case):
        return quiet  # the repository was not to be read; the parent came out of a cache
    failure = Failed(FailureReason.CANNOT_RENDER, application.ref.name, at_ours.message)
    return Finding(6, State.CANNOT_RENDER, at_ours.message, failure)


def row_7_stale(case: Case) -> Finding | None:
    wanted = [source.whole for source in case.application.sources]
    if wanted == [source.whole for source in case.application.compared_to]:
        return None
    why = "its sources have changed since the last comparison"
    return Finding(7, State.STALE, why, clock=Clock.SEEN, refresh=True)


def row_8_not_seen(case: Case) -> Finding | None:
    if not case.relation.older:
        return None
    why = f"it still compares with {short(case.revision)}, not with {short(case.expectation.sha)}"
    return Finding(8, State.NOT_SEEN, why, clock=Clock.SEEN, refresh=True)


def row_9_waiting_for_application_set(case: Case) -> Finding | None:
    """Synced and Healthy here is a false live: the old chart, compared with our commit."""
    application, route = case.application, case.expectation.route
    state = State.WAITING_FOR_APPLICATION_SET
    if isinstance(route, UnknownRoute) and application.application_set:
        return Finding(9, state, route.why, Held(HoldReason.CONFIGURATION, route.why))
    if not isinstance(route, ThroughSpec):
        return None
    targets = [
        sources[route.source].target_revision if route.source < len(sources) else ""
        for sources in (application.sources, application.compared_to)
    ]
    if targets == [route.value, route.value]:
        return None
    owner = application.application_set or "whatever writes this application"
    why = f"{owner} has not yet set targetRevision to {route.value} (it is {targets[0] or 'unset'})"
    return Finding(9, state, why, clock=Clock.SEEN, refresh=True)


def row_10_blocked(case: Case) -> Finding | None:
    operation = case.operation
    if operation is None or not old_and_live(case):
        return None
    tries = f", {operation.retry_count} times failed" if operation.retry_count else ""
    why = f"an operation for an older revision is {operation.phase.value.lower()}{tries}"
    stop = Terminate(operation.identity, why, for_revert=case.expectation.revert)
    wishes = () if operation.phase is Phase.TERMINATING else (stop,)
    return Finding(10, State.BLOCKED, why, clock=Clock.SYNC, wishes=wishes)


def row_11_hooks_running(case: Case) -> Finding | None:
    operation = case.operation
    if not live_and_well(case) or operation is None or not operation.phase.live:
        return None
    if retrying(operation) and case.operation_relation.ours:
        return None
    why = operation.message or "its sync operation has not ended yet"
    return Finding(11, State.HOOKS_RUNNING, why, clock=Clock.SYNC)


def row_12_hook_failing(case: Case) -> Finding | None:
    operation = case.operation
    if not live_and_well(case) or operation is None or not retrying(operation):
        return None
    resource, message = worst_result(operation)
    finding = Finding(12, State.HOOK_FAILING, message, clock=Clock.SYNC)
    if case.budgets.hook_failure_is_warning or case.failed_attempts < case.budgets.attempts:
        return finding
    return replace(finding, outcome=Failed(FailureReason.HOOK_FAILED, resource, message))


def row_13_hook_failed(case: Case) -> Finding | None:
    if not live_and_well(case) or not hook_failed(case) or case.budgets.hook_failure_is_warning:
        return None
    assert case.operation is not None
    resource, message = worst_result(case.operation)
    failure = Failed(FailureReason.HOOK_FAILED, resource, message)
    return Finding(13, State.HOOK_FAILED, message, failure)


def row_14_image_missing(case: Case) -> Finding | None:
    if case.application.health is not Health.HEALTHY:
        return None
    missing = images_missing(case)
    if not missing:
        return None
    why = f"no pod is reported with {missing[0].name or 'the image'} {missing[0].new} yet"
    finding = waiting_for_image(Finding(14, State.ROLLING_OUT, why), case)
    remaining = case.budgets.images - case.elapsed(IMAGE_MISSING)
    if remaining > timedelta():
        return replace(finding, within=remaining)
    application = case.application
    old = [
        each for each in missing if each.old and image_is_there(each.old, each.name, application)
    ]
    if not old:
        return None
    held = f"Synced and Healthy, but only {old[0].old} runs and {old[0].new} does not"
    return replace(finding, outcome=Held(HoldReason.OLD_IMAGE, held))


def images_missing(case: Case) -> list[Image]:
    """Expected images that are not reported, of workloads that have pods, as far as is known."""
    unseen = [
        each
        for each in case.expectation.images
        if not image_is_there(each.new, each.name, case.application)
    ]
    tree = case.look.tree
    if isinstance(tree, ResourceTree):
        return [each for each in unseen if image_workload(each, tree, case)]
    return unseen


def waiting_for_image(finding: Finding, case: Case) -> Finding:
    """Keeps asking for the pods, and once for a comparison that passes by Argo CD's caches."""
    refreshed = case.running(HARD_REFRESHED) or case.look.refreshed is Refresh.HARD
    timers = (IMAGE_MISSING, HARD_REFRESHED) if refreshed else (IMAGE_MISSING,)
    return replace(finding, timers=timers, tree=True, hard=not refreshed)


def row_15_live(case: Case) -> Finding | None:
    if case.application.health is not Health.HEALTHY:
        return None
    finding = Finding(15, State.LIVE, "", live=True)
    if hook_failed(case) and case.operation is not None:
        resource, message = worst_result(case.operation)
        finding = replace(finding, message=f"{resource} failed: {message}")
    if images_missing(case):
        note = "the expected image is not among those that Argo CD reports"
        return waiting_for_image(replace(finding, message=note), case)
    unseen = any(
        not image_is_there(each.new, each.name, case.application)
        for each in case.expectation.images
    )
    return replace(finding, tree=unseen)


def row_16_rolling_out(case: Case) -> Finding | None:
    if case.application.health not in (Health.PROGRESSING, None):
        return None
    resource, message = unhealthy(case)
    why = f"{resource}: {message}" if message else f"{resource} is progressing"
    return Finding(16, State.ROLLING_OUT, why, clock=Clock.HEALTHY)


def row_17_degraded(case: Case) -> Finding | None:
    """It may recover: a slow start is Degraded from the progress deadline until it is ready."""
    if case.application.health is not Health.DEGRADED:
        return None
    resource, message = unhealthy(case)
    why = f"{resource}: {message}" if message else f"{resource} is Degraded"
    finding = Finding(17, State.DEGRADED, why, clock=Clock.HEALTHY, tree=True)
    pod, timer = failing_pod(case), "cause of the degradation"
    if pod is None:
        return finding
    cause = f"{pod.reason}, {pod.restarts} restarts" if pod.restarts else pod.reason
    why = f"{cause}: {pod.message}" if pod.message else cause
    finding = replace(finding, message=f"{pod.key}: {why}", timers=(timer,))
    remaining = case.budgets.degraded - case.elapsed(timer)
    if remaining > timedelta() or not case.running(timer):
        return replace(finding, within=max(remaining, case.budgets.dwell))
    return replace(finding, outcome=bad_or_was_before(case, str(pod.key), why))


def bad_or_was_before(case: Case, resource: str, message: str) -> Failed | Held:
    """A failure; a hold where it was Degraded before us, since going back would not cure it."""
    if degraded_before(case):
        why = f"Degraded before the merge and still so. {resource}: {message}"
        return Held(HoldReason.DEGRADED_BEFORE, why)
    return Failed(FailureReason.DEGRADED, resource, message)


def degraded_before(case: Case) -> bool:
    picture = case.expectation.picture
    return picture is not None and picture.health is Health.DEGRADED


def row_18_suspended(case: Case) -> Finding | None:
    if case.application.health is not Health.SUSPENDED:
        return None
    why = unhealthy(case)[1] or "paused: a stage of a rollout, or a person"
    return Finding(18, State.SUSPENDED, why, clock=Clock.SUSPENDED)


def row_19_health_unknown(case: Case) -> Finding | None:
    resource, message = unhealthy(case)
    why = f"{resource}: {message}" if message else f"{resource} is {case.application.health}"
    return Finding(19, State.HEALTH_UNKNOWN, why, clock=Clock.SUSPENDED)


HEALTH_ROWS: tuple[Row, ...] = (
    row_14_image_missing,
    row_15_live,
    row_16_rolling_out,
    row_17_degraded,
    row_18_suspended,
    row_19_health_unknown,
)


def judge_health(case: Case) -> Finding:
    """Rows 14 to 19; the last one always answers."""
    return next(found for row in HEALTH_ROWS if (found := row(case)) is not None)


def rows_14_to_19_health(case: Case) -> Finding | None:
    return judge_health(case) if case.application.sync is Sync.SYNCED else None


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
    if not operation.message.startswith("Operation terminated"):
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
        return replace(health, message=message, timers=timers, renders=finding.renders)
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


def live_and_well(case: Case) -> bool:
    application = case.application
    return application.sync is Sync.SYNCED and application.health is Health.HEALTHY


def hook_failed(case: Case) -> bool:
    operation = case.operation
    if operation is None or not operation.phase.bad or not case.operation_relation.ours:
        return False
    return any(result.failed_hook for result in operation.results)


def short(revision: str) -> str:
    return revision[:8] if is_commit(revision) else revision or "nothing"


ROWS: tuple[Row, ...] = (
    row_2_gone,
    row_3_withdrawn,
    row_4_overtaken,
    row_5_controller_stuck,
    row_6_no_news,
    row_7_stale,
    row_8_not_seen,
    row_9_waiting_for_application_set,
    row_10_blocked,
    row_11_hooks_running,
    row_12_hook_failing,
    row_13_hook_failed,
    rows_14_to_19_health,
    row_20_syncing,
    row_21_sync_failing,
    row_22_sync_failed,
    row_23_settling_or_drift,
    row_24_older_revision_chosen,
    row_25_window,
    row_26_waits_for_someone,
    row_27_waiting_for_sync,
)


def first_match(case: Case) -> Finding:
    """The last row always answers."""
    return next(found for row in ROWS if (found := row(case)) is not None)
