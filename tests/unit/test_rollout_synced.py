"""Rows 11 to 19 of the decision table, Synced: a live application with one fact changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pilotage.core.application import (
    Application,
    Health,
    Phase,
    Refresh,
    Resource,
    ResourceTree,
    Sync,
)
from pilotage.core.rollout.watch import (
    Budgets,
    FailureReason,
    HoldReason,
    Image,
    Live,
    State,
)
from tests.unit.rollout_world import (
    ASIDE,
    DEPLOYMENT,
    EXPECTATION,
    FAILED_SMOKE,
    LIVE,
    NEWER,
    OLDER,
    OURS,
    PICTURE,
    SMOKE,
    Watcher,
    at,
    degraded,
    failed,
    held,
    operation,
    pod,
    waits,
)

# Rows 11 to 15: Synced and Healthy


def test_row_11_hooks_are_waited_for() -> None:
    running = operation(Phase.RUNNING, message="waiting for completion of hook batch/Job/smoke")
    watch = Watcher().see(0, replace(LIVE, last_operation=running))
    waits(watch, 11, State.HOOKS_RUNNING)
    assert "smoke" in watch.message


def test_row_11_a_requested_operation_is_waited_for() -> None:
    asked = replace(LIVE, last_operation=None, requested=operation(Phase.REQUESTED))
    waits(Watcher().see(0, asked), 11, State.HOOKS_RUNNING)


def test_row_12_a_failing_hook_becomes_a_failure_after_the_attempts() -> None:
    def trying(count: int) -> Application:
        live = operation(Phase.RUNNING, retry_count=count, results=(FAILED_SMOKE,))
        return replace(LIVE, last_operation=live)

    watcher = Watcher()
    waits(watcher.see(0, trying(1)), 12, State.HOOK_FAILING)
    waits(watcher.see(1, trying(2)), 12, State.HOOK_FAILING)
    failure = failed(watcher.see(2, trying(3)), 12, FailureReason.HOOK_FAILED)
    assert (failure.resource, failure.message) == ("Job/smoke", "Job has reached its limit")


@pytest.mark.parametrize("revision", [OURS, NEWER])
@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.ERROR])
def test_row_13_a_failed_hook_is_a_failure_although_all_is_synced_and_healthy(
    phase: Phase, revision: str
) -> None:
    ended = operation(phase, revision, results=(FAILED_SMOKE,))
    watch = Watcher().see(0, replace(LIVE, revisions=(revision,), last_operation=ended))
    assert failed(watch, 13, FailureReason.HOOK_FAILED).resource == "Job/smoke"


def test_row_13_a_hook_that_was_running_when_a_person_stopped_the_operation_has_not_failed() -> (
    None
):
    """Argo CD says so of one that it could not delete."""
    undeleted = replace(FAILED_SMOKE, message="Failed to delete: forbidden")
    ended = operation(Phase.ERROR, message="Operation termination had errors", results=(undeleted,))
    watch = Watcher().see(0, replace(LIVE, last_operation=ended))
    waits(watch, 15, State.LIVE)


def test_row_13_by_policy_a_failed_hook_is_a_note() -> None:
    watcher = Watcher(budgets=Budgets(hook_failure_is_warning=True))
    ended = replace(LIVE, last_operation=operation(Phase.FAILED, results=(FAILED_SMOKE,)))
    watcher.see(0, ended)
    outcome = watcher.see(1, ended).outcome
    assert isinstance(outcome, Live)
    assert "Job/smoke failed" in outcome.note


IMAGE = replace(EXPECTATION, images=(Image("2.0", "1.0", "shop"),))
OLD_IMAGE = replace(LIVE, images=("ghcr.io/acme/shop:1.0",))
OLD_PODS = ResourceTree((pod("Running", restarts=0, images=("ghcr.io/acme/shop:1.0",)),))


def test_row_14_a_new_image_that_is_not_reported_is_still_rolling_out() -> None:
    watcher = Watcher(IMAGE)
    watch = watcher.see(0, OLD_IMAGE)
    waits(watch, 14, State.ROLLING_OUT)
    assert watch.requests.tree
    assert watch.requests.refresh is Refresh.HARD


def test_row_14_asks_for_one_hard_refresh_only() -> None:
    watcher = Watcher(IMAGE)
    watcher.see(0, OLD_IMAGE)
    watch = watcher.see(1, OLD_IMAGE, refreshed=Refresh.HARD, tree=OLD_PODS)
    assert watch.requests.refresh is Refresh.NORMAL
    assert watcher.see(2, OLD_IMAGE, tree=OLD_PODS).requests.refresh is Refresh.NORMAL


def test_row_14_only_the_old_image_after_a_minute_is_held() -> None:
    watcher = Watcher(IMAGE)
    waits(watcher.keep_seeing(0, 59, OLD_IMAGE, tree=OLD_PODS), 14, State.ROLLING_OUT)
    held(watcher.see(60, OLD_IMAGE, tree=OLD_PODS), 14, HoldReason.OLD_IMAGE)


def test_row_14_neither_image_after_a_minute_is_live_with_a_note() -> None:
    strange = replace(LIVE, images=("ghcr.io/acme/shop@sha256:0",))
    watcher = Watcher(IMAGE)
    waits(watcher.keep_seeing(0, 59, strange), 14, State.ROLLING_OUT)
    waits(watcher.see(60, strange), 15, State.LIVE)
    outcome = watcher.see(61, strange).outcome
    assert isinstance(outcome, Live)
    assert "expected image" in outcome.note


@pytest.mark.parametrize(
    "tree",
    [
        ResourceTree(),
        ResourceTree((pod(images=("ghcr.io/acme/other:1.0",)),)),
        ResourceTree((pod(images=("ghcr.io/acme/shop:2.0",), owner=SMOKE),)),
    ],
    ids=["no pods", "other image", "a hook's pod"],
)
def test_row_14_does_not_wait_for_workloads_without_pods(tree: ResourceTree) -> None:
    hook = Resource(SMOKE, None, Health.HEALTHY, hook=True)
    quiet = replace(OLD_IMAGE, resources=(*LIVE.resources, hook))
    watcher = Watcher(IMAGE)
    watcher.see(0, quiet)
    waits(watcher.see(1, quiet, tree=tree), 15, State.LIVE)
    assert isinstance(watcher.see(2, quiet, tree=tree).outcome, Live)


@pytest.mark.parametrize(
    "image",
    [
        "ghcr.io/acme/shop:2.0",
        "shop:2.0",
        "ghcr.io/acme/shop:2.0@sha256:00",
        "r:5000/acme/shop:2.0",
    ],
)
def test_row_14_is_content_when_the_new_image_is_among_those_reported(image: str) -> None:
    both = replace(LIVE, images=("ghcr.io/acme/shop:1.0", image))
    assert Watcher(IMAGE).see(0, both).row == 15


@pytest.mark.parametrize("image", ["ghcr.io/acme/workshop:2.0", "ghcr.io/acme/shop:12.0", "shop"])
def test_row_14_is_not_content_with_a_similar_image(image: str) -> None:
    assert Watcher(IMAGE).see(0, replace(LIVE, images=(image,))).row == 14


def test_row_15_live_takes_two_looks_a_second_apart() -> None:
    watcher = Watcher()
    watch = watcher.see(0)
    waits(watch, 15, State.LIVE)
    assert watch.look_again_at == at(1)
    waits(watcher.see(0.5), 15, State.LIVE)
    assert watcher.watch.look_again_at == at(1)
    assert watcher.see(1).outcome == Live(at(0))


def test_row_15_looks_that_do_not_agree_begin_anew() -> None:
    watcher = Watcher()
    watcher.see(0)
    watcher.see(0.5, replace(LIVE, health=Health.PROGRESSING))
    waits(watcher.see(2), 15, State.LIVE)
    assert watcher.see(3).outcome == Live(at(2))


@pytest.mark.parametrize(
    "last",
    [
        None,
        operation(Phase.FAILED, OLDER, results=(FAILED_SMOKE,)),
        operation(Phase.ERROR, ASIDE),
        operation(Phase.FAILED, OURS, message="Operation terminated"),
        operation(Phase.SUCCEEDED, OLDER),
        operation(Phase.RUNNING, OLDER, dry_run=True),
    ],
    ids=["none", "old failure", "failure aside", "stopped", "old success", "dry run"],
)
def test_row_15_whatever_the_operation_says_otherwise(last: object) -> None:
    live = replace(LIVE, last_operation=last)  # type: ignore[arg-type]
    watcher = Watcher()
    watcher.see(0, live)
    assert isinstance(watcher.see(1, live).outcome, Live)


def test_a_live_application_may_flap_and_what_comes_later_is_a_new_event() -> None:
    """A pod was deleted: rolling out again, with all its budget."""
    watcher, progressing = Watcher(), replace(LIVE, health=Health.PROGRESSING)
    watcher.keep_seeing(0, 14 * 60, progressing)
    watcher.keep_seeing(14 * 60 + 15, 14 * 60 + 45)
    assert isinstance(watcher.watch.outcome, Live)
    waits(watcher.keep_seeing(900, 900 + 14 * 60, progressing), 16, State.ROLLING_OUT)


# Rows 16 to 19: Synced, not Healthy


@pytest.mark.parametrize("health", [Health.PROGRESSING, None])
def test_row_16_synced_and_not_yet_healthy_is_rolling_out(health: Health | None) -> None:
    resources = (Resource(DEPLOYMENT, Sync.SYNCED, health, "1 of 3 updated"),)
    watch = Watcher().see(0, replace(LIVE, health=health, resources=resources))
    waits(watch, 16, State.ROLLING_OUT)
    if health is not None:
        assert watch.message == "Deployment/shop: 1 of 3 updated"


def test_row_17_degraded_alone_is_no_failure_since_a_slow_start_recovers() -> None:
    watcher = Watcher()
    waits(watcher.keep_seeing(0, 600, degraded()), 17, State.DEGRADED)
    assert watcher.watch.requests.tree
    waits(watcher.see(601), 15, State.LIVE)
    assert isinstance(watcher.see(602).outcome, Live)


@pytest.mark.parametrize(
    ("reason", "restarts"),
    [
        ("CrashLoopBackOff", 3),
        ("Init:CrashLoopBackOff", 4),
        ("ImagePullBackOff", 0),
        ("ErrImagePull", 0),
        ("OOMKilled", 1),
    ],
)
def test_row_17_fails_early_where_the_pods_show_why(reason: str, restarts: int) -> None:
    tree = ResourceTree((pod(reason, restarts=restarts),))
    watcher = Watcher()
    waits(watcher.keep_seeing(0, 59, degraded(), tree=tree), 17, State.DEGRADED)
    failure = failed(watcher.see(60, degraded(), tree=tree), 17, FailureReason.DEGRADED)
    assert failure.resource == "Pod/shop-7f-x1"
    assert reason in failure.message
    assert "back-off restarting" in failure.message


@pytest.mark.parametrize(
    "found",
    [
        pod("CrashLoopBackOff", restarts=2),
        pod("Running", restarts=9),
        pod("ContainerCreating", restarts=0),
        pod(created=-60),
        pod(owner=SMOKE),
    ],
    ids=["two restarts", "runs again", "still starting", "from before the merge", "a hook's"],
)
def test_row_17_does_not_fail_early_for_anything_else(found: object) -> None:
    hook = Resource(SMOKE, None, Health.DEGRADED, hook=True)
    application = degraded(resources=(*degraded().resources, hook))
    tree = ResourceTree((found,))  # type: ignore[arg-type]
    waits(Watcher().keep_seeing(0, 300, application, tree=tree), 17, State.DEGRADED)


def test_row_17_needs_two_looks_even_without_a_budget() -> None:
    watcher = Watcher(budgets=Budgets(degraded=timedelta()))
    tree = ResourceTree((pod(),))
    waits(watcher.see(0, degraded(), tree=tree), 17, State.DEGRADED)
    failed(watcher.see(1, degraded(), tree=tree), 17, FailureReason.DEGRADED)


def test_row_17_a_cause_that_went_away_between_begins_anew() -> None:
    watcher, tree = Watcher(), ResourceTree((pod(),))
    watcher.keep_seeing(0, 45, degraded(), tree=tree)
    watcher.see(50, degraded(), tree=ResourceTree())
    waits(watcher.keep_seeing(60, 105, degraded(), tree=tree), 17, State.DEGRADED)


def test_row_17_degraded_before_the_merge_is_held() -> None:
    before = replace(EXPECTATION, picture=replace(PICTURE, health=Health.DEGRADED))
    watcher = Watcher(before)
    watch = watcher.keep_seeing(0, 75, degraded(), tree=ResourceTree((pod(),)))
    held(watch, 17, HoldReason.DEGRADED_BEFORE)
    held(Watcher(before).keep_seeing(0, 905, degraded()), 17, HoldReason.DEGRADED_BEFORE)


def test_row_18_suspended_waits_for_a_stage_or_a_person() -> None:
    watcher, paused = Watcher(), replace(LIVE, health=Health.SUSPENDED)
    waits(watcher.keep_seeing(0, 1200, paused), 18, State.SUSPENDED)
    held(watcher.keep_seeing(1215, 1810, paused), 18, HoldReason.TIMED_OUT)


def test_row_18_a_pause_does_not_use_up_the_time_to_become_healthy() -> None:
    watcher = Watcher()
    watcher.keep_seeing(0, 1200, replace(LIVE, health=Health.SUSPENDED))
    watch = watcher.keep_seeing(1215, 1300, replace(LIVE, health=Health.PROGRESSING))
    waits(watch, 16, State.ROLLING_OUT)


@pytest.mark.parametrize("health", [Health.MISSING, Health.UNKNOWN])
def test_row_19_missing_or_unknown_health_waits(health: Health) -> None:
    waits(Watcher().see(0, replace(LIVE, health=health)), 19, State.HEALTH_UNKNOWN)
