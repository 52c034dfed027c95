"""Rows 11 to 19 of the decision table: what Synced means, by operation and health."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from pilotage.core.application import (
    Health,
    Refresh,
    ResourceTree,
)
from pilotage.core.rollout.case import (
    Case,
    Finding,
    Row,
    retrying,
)
from pilotage.core.rollout.evidence import (
    failing_pod,
    image_is_there,
    image_workload,
    undeleted,
    unhealthy,
    worst_result,
)
from pilotage.core.rollout.watch import (
    Clock,
    Failed,
    FailureReason,
    Held,
    HoldReason,
    Image,
    State,
)

IMAGE_MISSING = "image missing"
HARD_REFRESHED = "hard refreshed for the image"


def row_11_hooks_running(case: Case) -> Finding | None:
    operation = case.operation
    if not healthy(case) or operation is None or not operation.phase.live:
        return None
    if retrying(operation) and case.operation_relation.ours:
        return None
    why = operation.message or "its sync operation has not ended yet"
    return Finding(11, State.HOOKS_RUNNING, why, clock=Clock.SYNC)


def row_12_hook_failing(case: Case) -> Finding | None:
    operation = case.operation
    if not healthy(case) or operation is None or not retrying(operation):
        return None
    resource, message = worst_result(operation)
    finding = Finding(12, State.HOOK_FAILING, message, clock=Clock.SYNC)
    if case.budgets.hook_failure_is_warning or case.failed_attempts < case.budgets.attempts:
        return finding
    return replace(finding, outcome=Failed(FailureReason.HOOK_FAILED, resource, message))


def row_13_hook_failed(case: Case) -> Finding | None:
    if not healthy(case) or not hook_failed(case) or case.budgets.hook_failure_is_warning:
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
    finding = Finding(16, State.ROLLING_OUT, why, clock=Clock.HEALTHY)
    return asking_for_deadline(finding, case)


def asking_for_deadline(finding: Finding, case: Case) -> Finding:
    return replace(finding, renders=case.renders[:1]) if case.wants_deadline else finding


def row_17_degraded(case: Case) -> Finding | None:
    """It may recover: a slow start is Degraded from the progress deadline until it is ready."""
    if case.application.health is not Health.DEGRADED:
        return None
    resource, message = unhealthy(case)
    why = f"{resource}: {message}" if message else f"{resource} is Degraded"
    finding = Finding(17, State.DEGRADED, why, clock=Clock.HEALTHY, tree=True)
    finding = asking_for_deadline(finding, case)
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


def healthy(case: Case) -> bool:
    return case.application.health is Health.HEALTHY


def hook_failed(case: Case) -> bool:
    operation = case.operation
    if operation is None or not operation.phase.bad or not case.operation_relation.ours:
        return False
    return any(result.failed_hook and not undeleted(result) for result in operation.results)


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


SYNCED_ROWS: tuple[Row, ...] = (
    row_11_hooks_running,
    row_12_hook_failing,
    row_13_hook_failed,
    judge_health,
)
