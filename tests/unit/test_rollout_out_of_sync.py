"""Rows 20 to 28 of the decision table: OutOfSync, and waits that last too long."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pilotage.core.application import (
    Application,
    CannotSee,
    Condition,
    Health,
    Phase,
    Refresh,
    RenderAt,
    Rendered,
    Resource,
    Sync,
    SyncWindows,
    Window,
)
from pilotage.core.rollout.watch import (
    Budgets,
    FailureReason,
    HoldReason,
    Live,
    Pending,
    PostSync,
    State,
)
from tests.unit.rollout_world import (
    CONFIG_MAP,
    DEPLOYMENT,
    EXPECTATION,
    LIVE,
    NEWER,
    OLDER,
    OPEN,
    OURS,
    PICTURE,
    REFUSED_DEPLOYMENT,
    Watcher,
    at,
    degraded,
    failed,
    held,
    operation,
    out_of_sync,
    source,
    waits,
)

AT_OURS, AT_PARENT = RenderAt(((0, OURS),)), RenderAt(((0, OLDER),))


# Rows 20 to 24: OutOfSync, by operation


@pytest.mark.parametrize("phase", [Phase.REQUESTED, Phase.RUNNING, Phase.TERMINATING])
def test_row_20_an_operation_at_work_is_syncing(phase: Phase) -> None:
    waits(Watcher().see(0, out_of_sync(last_operation=operation(phase))), 20, State.SYNCING)


def test_row_20_healthy_after_the_operation_is_still_the_old_pods() -> None:
    """The trap of the recordings: OutOfSync, Healthy, Succeeded at our commit."""
    assert Watcher().see(0, out_of_sync()).state is State.SETTLING


def failing(count: int, *, started: float = 1, revision: str = OURS) -> Application:
    live = operation(
        Phase.RUNNING,
        revision,
        retry_count=count,
        started=started,
        message="one or more tasks failed. Retrying",
        results=(REFUSED_DEPLOYMENT,),
    )
    return out_of_sync(last_operation=live)


def test_row_21_shows_why_the_sync_fails_and_fails_after_the_attempts() -> None:
    watcher = Watcher()
    waits(watcher.see(0, failing(1)), 21, State.SYNC_FAILING)
    assert watcher.watch.message == "selector does not match"
    waits(watcher.see(10, failing(2)), 21, State.SYNC_FAILING)
    failure = failed(watcher.see(30, failing(3)), 21, FailureReason.SYNC_FAILED)
    assert (failure.resource, failure.message) == ("Deployment/shop", "selector does not match")


def test_row_21_attempts_add_up_over_operations_since_any_commit_restarts_the_count() -> None:
    watcher = Watcher()
    waits(watcher.see(0, failing(2)), 21, State.SYNC_FAILING)
    waits(watcher.see(9, failing(0, started=9)), 20, State.SYNCING)
    failed(watcher.see(20, failing(1, started=9)), 21, FailureReason.SYNC_FAILED)


def test_row_21_the_same_attempts_seen_again_are_not_counted_again() -> None:
    watcher = Watcher()
    for second in range(0, 100, 5):
        waits(watcher.see(second, failing(2)), 21, State.SYNC_FAILING)


def test_row_21_an_operation_that_git_cannot_place_is_not_blamed_on_us() -> None:
    waits(Watcher().see(0, failing(9, revision="e" * 40)), 20, State.SYNCING)


@pytest.mark.parametrize("revision", [OURS, NEWER])
@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.ERROR])
def test_row_22_a_failed_sync_at_ours_is_a_failure(phase: Phase, revision: str) -> None:
    ended = operation(phase, revision, message="failed", results=(REFUSED_DEPLOYMENT,))
    watch = Watcher().see(0, out_of_sync(revisions=(revision,), last_operation=ended))
    assert failed(watch, 22, FailureReason.SYNC_FAILED).resource == "Deployment/shop"


def test_row_22_an_older_failure_is_not_ours() -> None:
    watch = Watcher().see(0, out_of_sync(last_operation=operation(Phase.FAILED, OLDER)))
    waits(watch, 27, State.WAITING_FOR_SYNC)


@pytest.mark.parametrize(
    ("phase", "message"),
    [
        (Phase.FAILED, "Operation terminated (retried 1 times)."),
        (Phase.ERROR, "Operation termination had errors"),
    ],
)
def test_row_22_a_person_stopped_it(phase: Phase, message: str) -> None:
    """Argo CD says so in other words where it could not delete a hook that was running."""
    stopped = operation(phase, message=message)
    held(Watcher().see(0, out_of_sync(last_operation=stopped)), 22, HoldReason.STOPPED_BY_PERSON)


def test_row_22_what_we_stopped_ourselves_is_no_persons_doing() -> None:
    stopped = operation(Phase.FAILED, message="Operation terminated")
    ours = replace(EXPECTATION, terminated=frozenset({stopped.identity}))
    watch = Watcher(ours).see(0, out_of_sync(last_operation=stopped))
    waits(watch, 27, State.WAITING_FOR_SYNC)


def test_row_23_settles_for_5_seconds_and_is_drift_then() -> None:
    watcher = Watcher()
    watch = watcher.see(0, out_of_sync())
    waits(watch, 23, State.SETTLING)
    assert watch.look_again_at == at(5)
    waits(watcher.see(4, out_of_sync()), 23, State.SETTLING)
    waits(watcher.see(5, out_of_sync()), 23, State.DRIFT)
    assert "Deployment/shop" in watcher.watch.message


def test_row_23_a_second_operation_settles_anew() -> None:
    watcher = Watcher()
    watcher.see(0, out_of_sync())
    watcher.see(4, out_of_sync())
    again = out_of_sync(last_operation=operation(started=3))
    waits(watcher.see(6, again), 23, State.SETTLING)


DRIFTED = (
    Resource(CONFIG_MAP, Sync.OUT_OF_SYNC),
    Resource(DEPLOYMENT, Sync.SYNCED, Health.HEALTHY),
)
DRIFTED_BEFORE = replace(EXPECTATION, picture=replace(PICTURE, resources=DRIFTED))
SAME = {AT_OURS: Rendered({CONFIG_MAP: "1"}), AT_PARENT: Rendered({CONFIG_MAP: "1"})}
CHANGED = {AT_OURS: Rendered({CONFIG_MAP: "2"}), AT_PARENT: Rendered({CONFIG_MAP: "1"})}


def test_row_23_what_drifted_before_and_is_not_changed_by_us_does_not_stand_in_the_way() -> None:
    watcher, drifted = Watcher(DRIFTED_BEFORE), out_of_sync(resources=DRIFTED)
    watcher.see(0, drifted)
    watch = watcher.see(5, drifted)
    waits(watch, 23, State.SETTLING)
    assert watch.requests.renders == (AT_OURS, AT_PARENT)
    waits(watcher.see(6, drifted, renderings=SAME), 15, State.LIVE)
    outcome = watcher.see(7, drifted, renderings=SAME).outcome
    assert isinstance(outcome, Live)
    assert "ConfigMap/shop-config stays OutOfSync" in outcome.note


def test_row_23_what_drifted_before_and_is_changed_by_us_is_drift() -> None:
    watcher, drifted = Watcher(DRIFTED_BEFORE), out_of_sync(resources=DRIFTED)
    watcher.see(0, drifted)
    waits(watcher.see(5, drifted, renderings=CHANGED), 23, State.DRIFT)


def test_row_23_unknown_changes_are_drift() -> None:
    watcher, drifted = Watcher(DRIFTED_BEFORE), out_of_sync(resources=DRIFTED)
    watcher.see(0, drifted)
    blind = {AT_OURS: CannotSee("timeout"), AT_PARENT: CannotSee("timeout")}
    waits(watcher.see(5, drifted, renderings=blind), 23, State.DRIFT)


def test_row_23_what_is_missing_is_drift_whatever_it_was_before() -> None:
    missing = (Resource(CONFIG_MAP, Sync.OUT_OF_SYNC, Health.MISSING),)
    watcher = Watcher(replace(EXPECTATION, picture=replace(PICTURE, resources=missing)))
    watcher.see(0, out_of_sync(resources=missing))
    waits(watcher.see(5, out_of_sync(resources=missing), renderings=SAME), 23, State.DRIFT)


PRUNABLE = (
    Resource(CONFIG_MAP, Sync.OUT_OF_SYNC, requires_pruning=True),
    Resource(DEPLOYMENT, Sync.SYNCED, Health.HEALTHY),
)


def test_row_23_what_only_wants_pruning_is_live_with_a_note() -> None:
    watcher, prunable = Watcher(), out_of_sync(resources=PRUNABLE)
    watcher.see(0, prunable)
    waits(watcher.see(5, prunable), 15, State.LIVE)
    assert isinstance(watcher.see(6, prunable).outcome, Live)
    waits(watcher.see(7, replace(prunable, health=Health.PROGRESSING)), 16, State.ROLLING_OUT)


def test_row_23_a_revert_that_is_not_pruned_is_held() -> None:
    watcher, prunable = Watcher(replace(EXPECTATION, revert=True)), out_of_sync(resources=PRUNABLE)
    watcher.see(0, prunable)
    held(watcher.see(5, prunable), 23, HoldReason.NOT_PRUNED)


@pytest.mark.parametrize("partial", [operation(partial=True), operation(dry_run=True)])
def test_row_23_a_partial_sync_or_a_dry_run_settles_nothing(partial: object) -> None:
    watch = Watcher().see(0, out_of_sync(last_operation=partial, automated=False))
    waits(watch, 26, State.WAITS_FOR_SOMEONE)


def test_row_24_a_person_who_syncs_an_older_revision_after_the_merge_is_respected() -> None:
    chosen = operation(revision=OLDER, started=30, automated=False)
    watch = Watcher().see(40, out_of_sync(last_operation=chosen, automated=False), windows=OPEN)
    assert "jane" in held(watch, 24, HoldReason.OLDER_REVISION_CHOSEN).message
    assert watch.wishes == ()


@pytest.mark.parametrize(
    "chosen",
    [
        operation(revision=OLDER, started=1.9, automated=False),
        operation(revision=OLDER, started=-60, automated=False),
        operation(revision=OLDER, started=30, automated=True),
    ],
    ids=["within the 2 s of a stamp", "before the merge", "automatic"],
)
def test_row_24_only_a_person_and_only_after_the_merge(chosen: object) -> None:
    watch = Watcher().see(40, out_of_sync(last_operation=chosen, automated=False), windows=OPEN)
    waits(watch, 26, State.WAITS_FOR_SOMEONE)


# Rows 25 to 28: waiting

WAITING = out_of_sync(last_operation=operation(revision=OLDER, started=-600))
DENY = Window("deny", "0 22 * * *", "8h", manual_sync=True)


@pytest.mark.parametrize(
    "windows",
    [
        SyncWindows((DENY,), (DENY,), can_sync=False),
        SyncWindows((DENY,), (DENY,), can_sync=True),
        SyncWindows((), (Window("allow", "0 8 * * *", "1h"),), can_sync=True),
    ],
    ids=["deny", "deny, manual allowed", "outside of what is allowed"],
)
@pytest.mark.parametrize("automated", [True, False])
def test_row_25_a_window_is_waited_for_and_never_synced_past(
    windows: SyncWindows, automated: bool
) -> None:
    watcher, waiting = Watcher(), replace(WAITING, automated=automated)
    assert watcher.see(0, waiting).requests.windows
    watch = watcher.keep_seeing(1, 3 * 3600, waiting, windows=windows)
    waits(watch, 25, State.WINDOW)
    assert watch.wishes == ()
    assert watch.requests.windows
    assert watch.requests.refresh is Refresh.NORMAL


def test_row_26_without_automatic_sync_it_waits_for_someone() -> None:
    watcher, manual = Watcher(), replace(WAITING, automated=False)
    watch = watcher.see(0, manual, refreshed=Refresh.NORMAL)
    waits(watch, 26, State.WAITS_FOR_SOMEONE)
    assert watch.wishes == ()
    assert watch.look_again_at == at(1)
    assert isinstance(watcher.see(1, manual, windows=OPEN).wishes[0], PostSync)


def test_row_26_names_the_application_set_that_may_sync_step_by_step() -> None:
    watch = Watcher().see(0, replace(WAITING, automated=False, application_set="shops"))
    assert "shops" in watch.message


def test_row_26_does_not_ask_for_a_sync_when_the_windows_cannot_be_seen() -> None:
    watch = Watcher().see(0, replace(WAITING, automated=False), windows=CannotSee("403"))
    assert watch.wishes == ()


def test_row_27_waits_2_minutes_for_the_automatic_sync_before_asking() -> None:
    watcher = Watcher()
    waits(watcher.keep_seeing(0, 119, WAITING, windows=OPEN), 27, State.WAITING_FOR_SYNC)
    assert watcher.watch.wishes == ()
    assert isinstance(watcher.see(120, WAITING, windows=OPEN).wishes[0], PostSync)


def test_row_27_says_why_an_automatic_sync_was_refused() -> None:
    refused = replace(WAITING, conditions=(Condition("SyncError", "would wipe out everything"),))
    assert "would wipe out everything" in Watcher().see(0, refused).message


@pytest.mark.parametrize(
    ("application", "row", "minutes"),
    [
        (replace(LIVE, revisions=(OLDER,)), 8, 10),
        (replace(LIVE, compared_to=(source("v1"),)), 7, 10),
        (replace(LIVE, last_operation=operation(Phase.RUNNING, OLDER)), 10, 30),
        (replace(LIVE, last_operation=operation(Phase.RUNNING)), 11, 30),
        (replace(LIVE, health=Health.MISSING), 19, 30),
        (out_of_sync(last_operation=operation(Phase.RUNNING)), 20, 30),
        (WAITING, 27, 30),
        (replace(WAITING, automated=False), 26, 30),
    ],
    ids=["not seen", "stale", "blocked", "hooks", "missing", "syncing", "waiting", "manual"],
)
def test_row_28_a_wait_past_its_budget_is_held(
    application: Application, row: int, minutes: int
) -> None:
    watcher = Watcher()
    watch = watcher.keep_seeing(0, minutes * 60 - 15, application)
    assert isinstance(watch.outcome, Pending)
    held(watcher.keep_seeing(minutes * 60, minutes * 60, application), row, HoldReason.TIMED_OUT)


@pytest.mark.parametrize(
    ("application", "row", "reason"),
    [
        (replace(LIVE, health=Health.PROGRESSING), 16, FailureReason.NOT_HEALTHY_IN_TIME),
        (degraded(), 17, FailureReason.DEGRADED),
    ],
)
def test_row_28_a_version_that_was_seen_not_to_come_up_is_a_failure(
    application: Application, row: int, reason: FailureReason
) -> None:
    watcher = Watcher()
    watch = watcher.keep_seeing(0, 885, application)
    assert isinstance(watch.outcome, Pending)
    assert watch.look_again_at == at(900)
    failed(watcher.keep_seeing(900, 900, application), row, reason)


@pytest.mark.parametrize(("deadline", "minutes"), [(1200, 25), (60, 6), (None, 15)])
def test_row_28_the_time_to_become_healthy_follows_the_manifests(
    deadline: int | None, minutes: int
) -> None:
    """Asked for once, when half of the usual time is over; `progressDeadlineSeconds` and 5 min."""
    watcher, progressing = Watcher(), replace(LIVE, health=Health.PROGRESSING)
    assert watcher.keep_seeing(0, 435, progressing).requests.renders == ()
    assert watcher.keep_seeing(450, 465, progressing).requests.renders == (AT_OURS,)
    said = timedelta(seconds=deadline) if deadline else None
    fresh = replace(progressing, reconciled_at=at(480))
    watch = watcher.see(480, fresh, renderings={AT_OURS: Rendered({}, said)})
    end = max(minutes * 60, 495)
    if end > 495:
        assert watch.requests.renders == ()
        assert isinstance(watcher.keep_seeing(495, end - 15, progressing).outcome, Pending)
    watch = watcher.keep_seeing(end, end, progressing)
    failed(watch, 16, FailureReason.NOT_HEALTHY_IN_TIME)


def test_row_28_a_budget_of_the_policy_needs_no_manifests() -> None:
    watcher = Watcher(budgets=Budgets(healthy=timedelta(minutes=2)))
    progressing = replace(LIVE, health=Health.PROGRESSING)
    assert watcher.keep_seeing(0, 105, progressing).requests.renders == ()
    failed(watcher.keep_seeing(120, 120, progressing), 16, FailureReason.NOT_HEALTHY_IN_TIME)


def test_row_28_time_in_which_nobody_looked_does_not_count() -> None:
    """The service was down for an hour: nothing was seen, so no budget was spent."""
    watcher, progressing = Watcher(), replace(LIVE, health=Health.PROGRESSING)
    watcher.see(0, progressing)
    waits(watcher.see(3600, replace(progressing, reconciled_at=at(3600))), 16, State.ROLLING_OUT)
