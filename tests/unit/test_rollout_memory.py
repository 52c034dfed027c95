"""What a watch keeps from look to look, and of several things each one counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilotage.core.application import (
    CannotSee,
    Look,
    Phase,
    Rendered,
    Resource,
    ResourceResult,
    Sync,
)
from pilotage.core.rollout.judge import judge_value
from pilotage.core.rollout.watch import (
    FailureReason,
    HeadFacts,
    Image,
    Live,
    Overtaken,
    State,
    Watch,
)
from tests.unit.rollout_world import (
    BUDGETS,
    CONFIG_MAP,
    DEPLOYMENT,
    EXPECTATION,
    FAILED_SMOKE,
    LIVE,
    NEWER,
    NOON,
    Watcher,
    at,
    comparison_error,
    degraded,
    failed,
    operation,
    out_of_sync,
    waits,
)
from tests.unit.test_rollout_out_of_sync import AT_OURS, AT_PARENT, DRIFTED, DRIFTED_BEFORE
from tests.unit.test_rollout_table import BROKEN

FINE = ResourceResult(DEPLOYMENT, "Synced", "configured", "", "")
BLIND = CannotSee("connection refused")


def test_what_failed_stays_failed_however_long_nothing_can_be_seen_afterwards() -> None:
    """A person would be asked about blindness instead of being told of the failure."""
    watcher = Watcher()
    ended = operation(Phase.FAILED, results=(FAILED_SMOKE,))
    watch = watcher.see(0, replace(LIVE, last_operation=ended))
    before = failed(watch, 13, FailureReason.HOOK_FAILED)
    later = BUDGETS.blind.total_seconds() + 60
    watcher.see(15, BLIND)
    assert watcher.see(later, BLIND).outcome == before


def test_no_news_is_counted_anew_after_there_was_some() -> None:
    """A comparison that fails now and then is no manifest that cannot be rendered."""
    broken = comparison_error(BROKEN)
    watcher, budget = Watcher(), BUDGETS.no_news.total_seconds()
    watcher.keep_seeing(0, budget - 30, broken)
    assert watcher.watch.no_news_since == at(0)
    watcher.see(budget - 15, replace(LIVE, reconciled_at=at(budget - 15)))
    watch = watcher.keep_seeing(budget, budget + 60, broken)
    assert watch.no_news_since == at(budget)
    assert watch.requests.renders == ()


@pytest.mark.parametrize("results", [(FAILED_SMOKE, FINE), (FINE, FAILED_SMOKE)])
def test_any_hook_that_failed_is_a_failure(results: tuple[ResourceResult, ...]) -> None:
    ended = operation(Phase.FAILED, results=results)
    watch = Watcher().see(0, replace(LIVE, last_operation=ended))
    assert failed(watch, 13, FailureReason.HOOK_FAILED).resource == "Job/smoke"


@pytest.mark.parametrize("missing", ["shop", "job"])
def test_every_image_has_to_be_reported(missing: str) -> None:
    images = (Image("2.0", "1.0", "shop"), Image("3.0", "2.9", "job"))
    there = {"shop": "2.0", "job": "3.0"} | {missing: "0.9"}
    reported = tuple(f"ghcr.io/acme/{name}:{tag}" for name, tag in there.items())
    watch = Watcher(replace(EXPECTATION, images=images)).see(0, replace(LIVE, images=reported))
    waits(watch, 14, State.ROLLING_OUT)
    assert f"with {missing}" in watch.message


def test_out_of_sync_without_a_resource_that_is_so_is_not_live() -> None:
    """Which one it was is not known, so nothing is forgiven."""
    unclear = out_of_sync(resources=(Resource(DEPLOYMENT, Sync.SYNCED, LIVE.health),))
    watcher = Watcher()
    watcher.see(0, unclear)
    watch = watcher.see(5, unclear)
    waits(watch, 23, State.DRIFT)
    assert watch.message == "something is OutOfSync although the sync operation succeeded"


def test_every_manifest_of_what_drifted_before_must_be_unchanged() -> None:
    """The same object twice, with its namespace and without: one of them is changed by us."""
    bare = replace(CONFIG_MAP, namespace="")
    ours, parent = Rendered({CONFIG_MAP: "1", bare: "2"}), Rendered({CONFIG_MAP: "1", bare: "0"})
    watcher, drifted = Watcher(DRIFTED_BEFORE), out_of_sync(resources=DRIFTED)
    watcher.see(0, drifted)
    both = {AT_OURS: ours, AT_PARENT: parent}
    waits(watcher.see(5, drifted, renderings=both), 23, State.DRIFT)


def test_of_what_is_out_of_sync_each_has_to_be_forgiven() -> None:
    drifted = out_of_sync(resources=(*DRIFTED, Resource(DEPLOYMENT, Sync.OUT_OF_SYNC, LIVE.health)))
    same = Rendered({CONFIG_MAP: "1", DEPLOYMENT: "1"})
    watcher = Watcher(DRIFTED_BEFORE)
    watcher.see(0, drifted)
    both = {AT_OURS: same, AT_PARENT: same}
    waits(watcher.see(5, drifted, renderings=both), 23, State.DRIFT)


def test_the_value_is_live_although_the_branch_has_moved_on_from_it() -> None:
    """For a proof; what was released is overtaken by that."""
    moved = replace(EXPECTATION, head=HeadFacts(NEWER, contains=True, holds=False))
    watch = Watch.begin(NOON)
    for second in (0, 1, 2):
        watch = judge_value(watch, Look(LIVE), moved, BUDGETS, at(second))
    assert isinstance(watch.outcome, Live)
    assert isinstance(Watcher(moved).see(0).outcome, Overtaken)


def test_a_state_lasts_since_it_was_first_seen() -> None:
    watcher = Watcher()
    watcher.keep_seeing(0, 60, degraded())
    assert (watcher.watch.state, watcher.watch.since) == (State.DEGRADED, at(0))
    assert watcher.see(75).since == at(75)
