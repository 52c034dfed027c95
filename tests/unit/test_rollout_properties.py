"""What holds for every series of looks: blindness never fails, memory survives, time is sane."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pilotage.core.application import (
    Application,
    CannotSee,
    Condition,
    Gone,
    Health,
    Look,
    Phase,
    Refresh,
    RenderAt,
    Rendered,
    RenderFailed,
    Resource,
    ResourceTree,
    Sync,
    SyncWindows,
    Window,
    normalised_repository,
)
from pilotage.core.rollout.judge import judge, judge_value, revisions_to_place, route_of
from pilotage.core.rollout.watch import (
    Budgets,
    Failed,
    HeadFacts,
    Held,
    Live,
    Relation,
    RevisionFacts,
    State,
    ThroughFiles,
    ThroughSpec,
    UnknownRoute,
    Value,
    Watch,
)
from tests.unit.rollout_world import (
    ASIDE,
    CONFIG_MAP,
    DEPLOYMENT,
    EXPECTATION,
    FAILED_SMOKE,
    FILE,
    LIVE,
    NEWER,
    NOON,
    OLDER,
    OURS,
    REFUSED_DEPLOYMENT,
    Watcher,
    at,
    operation,
    out_of_sync,
    pod,
    source,
)

REVISIONS = st.sampled_from([OLDER, OURS, NEWER, ASIDE, "main", "", "e" * 40])
RESULTS = st.sampled_from([(), (FAILED_SMOKE,), (REFUSED_DEPLOYMENT,)])
BAD_TREE = ResourceTree((pod(),))
FAILING_RENDERS = {
    RenderAt(((0, OURS),)): RenderFailed(f"broken {FILE}"),
    RenderAt(((0, OLDER),)): Rendered({CONFIG_MAP: "1"}),
}

STORED: TypeAdapter[Watch] = TypeAdapter(Watch)


@st.composite
def operations(draw: st.DrawFn, phases: st.SearchStrategy[Phase]) -> object:
    return operation(
        draw(phases),
        draw(REVISIONS),
        retry_count=draw(st.integers(0, 9)),
        started=draw(st.integers(-600, 600)),
        results=draw(RESULTS),
        dry_run=draw(st.booleans()),
        partial=draw(st.booleans()),
        automated=draw(st.booleans()),
        message=draw(st.sampled_from(["", "Operation terminated", f"broken {FILE}"])),
    )


@st.composite
def applications(
    draw: st.DrawFn, healths: st.SearchStrategy[Health | None], with_operation: bool
) -> Application:
    phases = st.sampled_from(sorted(Phase))
    kinds = st.sampled_from(["ComparisonError", "SyncError", "DeletionError"])
    condition = st.builds(Condition, kinds, st.sampled_from(["", FILE]))
    return replace(
        LIVE,
        uid=draw(st.sampled_from(["uid-1", "uid-1", "uid-2"])),
        application_set=draw(st.sampled_from(["", "shops"])),
        compared_to=draw(st.sampled_from([LIVE.sources, (source("v0"),), ()])),
        sync=draw(st.sampled_from(Sync)),
        revisions=(draw(REVISIONS),),
        health=draw(healths),
        last_operation=draw(operations(phases)) if with_operation else None,  # type: ignore[arg-type]
        conditions=tuple(draw(st.lists(condition, max_size=1))),
        reconciled_at=draw(st.none() | st.integers(-900, 3600).map(at)),
        images=draw(st.sampled_from([("shop:1.0",), ("shop:2.0",), ()])),
        resources=draw(
            st.sampled_from(
                [
                    LIVE.resources,
                    (),
                    (Resource(DEPLOYMENT, Sync.OUT_OF_SYNC, Health.MISSING),),
                    (Resource(CONFIG_MAP, Sync.OUT_OF_SYNC, requires_pruning=True),),
                ]
            )
        ),
        automated=draw(st.booleans()),
        being_deleted=draw(st.sampled_from([False, False, False, True])),
    )


UNSEEN = st.sampled_from([CannotSee("timeout"), CannotSee("401", unauthorised=True), Gone("404")])
WINDOWS = st.sampled_from(
    [None, CannotSee("503"), SyncWindows(), SyncWindows((Window("deny"),), (), can_sync=False)]
)


def looks(
    *, healths: st.SearchStrategy[Health | None], with_operation: bool, bad: bool
) -> st.SearchStrategy[Look]:
    trees = [None, CannotSee("503"), ResourceTree(), *([BAD_TREE] if bad else [])]
    return st.builds(
        Look,
        UNSEEN | applications(healths, with_operation),
        st.sampled_from([None, Refresh.NORMAL, Refresh.HARD]),
        st.sampled_from(trees),
        WINDOWS,
        st.sampled_from([{}, FAILING_RENDERS] if bad else [{}]),
    )


def series(one: st.SearchStrategy[Look]) -> st.SearchStrategy[list[tuple[float, Look]]]:
    gaps = st.sampled_from([0.0, 0.3, 1.0, 15.0, 60.0, 400.0, 4000.0])
    return st.lists(st.tuples(gaps, one), min_size=1, max_size=12)


NOTHING_BAD = looks(
    healths=st.sampled_from([Health.HEALTHY, Health.SUSPENDED, Health.MISSING, Health.UNKNOWN]),
    with_operation=False,
    bad=False,
)
ANYTHING = looks(healths=st.none() | st.sampled_from(Health), with_operation=True, bad=True)
SECOND = timedelta(seconds=1)
HURRIED = Budgets(SECOND, SECOND, SECOND, SECOND, SECOND, SECOND, no_news=SECOND, gone=SECOND)


@pytest.mark.parametrize("budgets", [Budgets(), HURRIED], ids=["usual", "no time at all"])
@given(seen=series(NOTHING_BAD))
@settings(max_examples=100)
def test_without_a_positive_bad_observation_nothing_ever_fails(
    budgets: Budgets, seen: list[tuple[float, Look]]
) -> None:
    """No failed operation, no Degraded, no lasting Progressing, no commit that does not render."""
    watcher = Watcher(budgets=budgets)
    now = 0.0
    for gap, look in seen:
        now += gap
        watch = judge(watcher.watch, look, watcher.expectation, budgets, at(now))
        watcher.watch = watch
        assert not isinstance(watch.outcome, Failed), (watch.row, watch.outcome)


@given(seen=series(ANYTHING))
@settings(max_examples=100)
def test_any_series_of_looks_is_judged_and_the_memory_survives_being_stored(
    seen: list[tuple[float, Look]],
) -> None:
    watcher, now = Watcher(), 0.0
    for gap, look in seen:
        now += gap
        before = STORED.validate_json(STORED.dump_json(watcher.watch))
        assert before == watcher.watch
        watch = judge(before, look, watcher.expectation, watcher.budgets, at(now))
        assert watch == judge(watcher.watch, look, watcher.expectation, watcher.budgets, at(now))
        assert at(now) < watch.look_again_at <= at(now) + watcher.budgets.poll
        assert 1 <= watch.row <= 27
        watcher.watch = watch


@given(seen=series(ANYTHING))
@settings(max_examples=100)
def test_live_is_only_said_of_a_synced_or_forgiven_healthy_look_at_our_values(
    seen: list[tuple[float, Look]],
) -> None:
    watcher, now = Watcher(), 0.0
    for gap, look in seen:
        now += gap
        was = watcher.watch
        watch = judge(was, look, watcher.expectation, watcher.budgets, at(now))
        watcher.watch = watch
        if not isinstance(watch.outcome, Live) or isinstance(was.outcome, Live):
            continue
        application = look.application
        assert isinstance(application, Application)
        assert application.health is Health.HEALTHY
        assert application.revisions[0] in (OURS, NEWER)
        assert application.sync is not Sync.UNKNOWN
        assert not application.conditions or application.conditions[0].kind != "ComparisonError"
        current = application.operation
        assert current is None or not current.phase.live


def test_a_watch_begins_with_a_refresh_due_at_once() -> None:
    watch = Watch.begin(NOON)
    assert watch.look_again_at == NOON
    assert watch.due(NOON).refresh is Refresh.NORMAL
    assert watch.state is State.NOT_SEEN


@pytest.mark.parametrize("refresh", [(), (timedelta(seconds=-1),)])
def test_a_refresh_pattern_must_have_times(refresh: tuple[timedelta, ...]) -> None:
    with pytest.raises(ValueError, match="refresh"):
        Budgets(refresh=refresh)


# How a value reaches the cluster, and what git is asked for

TAGGED = replace(LIVE, sources=(source("shop-v1"), source("main")))
VALUES = (Value("envs/shop.yaml", "chartTag", "shop-v1", "shop-v2"),)


def test_the_picture_shows_which_source_takes_the_value() -> None:
    assert route_of(VALUES, TAGGED) == ThroughSpec(0, "shop-v2")


def test_the_picture_of_a_revert_may_show_either_value() -> None:
    back = (Value("envs/shop.yaml", "chartTag", "shop-v0", "shop-v1"),)
    assert route_of(back, TAGGED) == ThroughSpec(0, "shop-v1")


def test_values_that_no_source_shows_go_through_the_files() -> None:
    assert route_of(EXPECTATION.values, LIVE) == ThroughFiles()


def test_configuration_says_it_for_a_new_application_and_else_nothing_is_known() -> None:
    assert route_of(VALUES, None, configured=1) == ThroughSpec(1, "shop-v2")
    assert isinstance(route_of(VALUES, None), UnknownRoute)


def test_git_is_asked_for_the_compared_commit_and_the_operations() -> None:
    old = replace(LIVE, last_operation=operation(revision=OLDER))
    assert revisions_to_place(old, EXPECTATION.repository) == {OURS, OLDER}
    assert revisions_to_place(replace(old, revisions=("main",)), EXPECTATION.repository) == {OLDER}
    assert revisions_to_place(old, "github.com/acme/other") == frozenset()


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/Acme/GitOps.git",
        "https://user:token@github.com/acme/gitops",
        "https://github.com:443/acme/gitops/",
        "ssh://git@github.com:22/acme/gitops.git",
        "git@github.com:acme/gitops.git",
        "github.com/acme/gitops",
    ],
)
def test_one_repository_has_one_name(url: str) -> None:
    assert normalised_repository(url) == "github.com/acme/gitops"


@pytest.mark.parametrize(
    "url", ["", "http://[", "file:///srv/git/x.git", "http://127.0.0.1:13000/x"]
)
def test_other_names_stay_apart(url: str) -> None:
    assert normalised_repository(url) != "github.com/acme/gitops"


# Staging: proof belongs to the value


def test_staging_is_live_with_the_value_at_any_commit_that_holds_it() -> None:
    """Also at one before ours: the value was there, was taken back and came again."""
    facts = {OLDER: RevisionFacts(Relation.ANCESTOR, holds=True)}
    moved_on = HeadFacts(NEWER, contains=True, holds=False)
    expectation = replace(EXPECTATION, revisions=facts, head=moved_on)
    watch, look = Watch.begin(NOON), Look(replace(LIVE, revisions=(OLDER,)))
    for second in (0, 1):
        watch = judge_value(watch, look, expectation, Budgets(), at(second))
    assert isinstance(watch.outcome, Live)


def test_staging_is_not_live_with_a_value_that_the_commit_does_not_hold() -> None:
    watch = Watch.begin(NOON)
    for second in (0, 1):
        look = Look(replace(LIVE, revisions=(OLDER,)))
        watch = judge_value(watch, look, EXPECTATION, Budgets(), at(second))
    assert watch.state is State.NOT_SEEN


def test_hold_is_taken_back_when_the_next_look_explains_everything() -> None:
    watcher = Watcher()
    watcher.keep_seeing(0, 11 * 60, replace(LIVE, revisions=(OLDER,)))
    assert isinstance(watcher.watch.outcome, Held)
    watcher.see(700, out_of_sync(last_operation=operation(Phase.RUNNING)))
    watcher.see(701)
    assert isinstance(watcher.see(702).outcome, Live)
