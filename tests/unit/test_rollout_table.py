"""Rows 1 to 10 of the decision table: a live application with one fact changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from pilotage.core.application import (
    Application,
    CannotSee,
    Condition,
    Gone,
    Health,
    Phase,
    Refresh,
    RenderAt,
    Rendered,
    RenderFailed,
    Rendering,
    Source,
    Sync,
)
from pilotage.core.rollout.watch import (
    FailureReason,
    HeadFacts,
    HoldReason,
    Live,
    Overtaken,
    Pending,
    Relation,
    RevisionFacts,
    State,
    Terminate,
    ThroughSpec,
    UnknownRoute,
    Value,
)
from tests.unit.rollout_world import (
    ASIDE,
    EXPECTATION,
    FILE,
    LIVE,
    NEWER,
    OLDER,
    OURS,
    PICTURE,
    REPOSITORY,
    Watcher,
    at,
    comparison_error,
    failed,
    held,
    operation,
    out_of_sync,
    source,
    waits,
)

# Rows 1 and 2: nothing or nobody there


@pytest.mark.parametrize("unauthorised", [False, True])
def test_row_1_what_cannot_be_seen_keeps_the_last_state(unauthorised: bool) -> None:
    watcher = Watcher()
    watcher.see(0, replace(LIVE, health=Health.PROGRESSING))
    watch = watcher.see(10, CannotSee("connection refused", unauthorised))
    waits(watch, 1, State.ROLLING_OUT)
    assert watch.blind_since == at(10)
    assert watch.unauthorised is unauthorised
    assert "connection refused" in watch.message


def test_row_1_lasting_blindness_is_held_and_never_a_failure() -> None:
    watcher = Watcher()
    watcher.see(0, replace(LIVE, health=Health.PROGRESSING))
    watch = watcher.keep_seeing(15, 15 + 30 * 60, CannotSee("connection refused"))
    assert "connection refused" in held(watch, 1, HoldReason.BLIND).message


def test_row_1_clocks_stop_while_nothing_can_be_seen() -> None:
    """14 minutes of progress, 25 blind, 50 seconds of progress: still within 15 minutes."""
    watcher, progressing = Watcher(), replace(LIVE, health=Health.PROGRESSING)
    watcher.keep_seeing(0, 14 * 60, progressing)
    watcher.keep_seeing(14 * 60 + 15, 39 * 60, CannotSee("timeout"))
    watch = watcher.keep_seeing(39 * 60 + 15, 40 * 60, progressing)
    waits(watch, 16, State.ROLLING_OUT)


def test_row_1_a_live_application_stays_live_through_a_short_blindness() -> None:
    watcher = Watcher()
    watcher.see(0)
    watcher.see(1)
    assert isinstance(watcher.see(16, CannotSee("503")).outcome, Live)


def test_row_2_a_404_is_looked_for_again_for_a_minute_and_then_held() -> None:
    watcher = Watcher()
    watcher.see(0)
    watch = watcher.see(10, Gone("not found"))
    assert (watch.row, watch.state, watch.outcome) == (2, State.GONE, Gone("not found"))
    assert watch.look_again_at <= at(20)
    watch = watcher.keep_seeing(15, 60, Gone("not found"))
    assert watch.outcome == Gone("not found")
    watch = watcher.see(71, Gone("not found"))
    held(watch, 2, HoldReason.GONE)
    assert watch.look_again_at == at(71 + 15), "from here on a person is waited for"


def test_row_2_an_application_that_is_being_deleted_is_gone() -> None:
    watch = Watcher().see(0, replace(LIVE, being_deleted=True))
    assert watch.row == 2
    assert isinstance(watch.outcome, Gone)


def test_row_2_another_uid_is_another_application() -> None:
    watch = Watcher().see(0, replace(LIVE, uid="uid-2"))
    assert watch.row == 2
    assert isinstance(watch.outcome, Gone)


def test_row_2_what_an_application_set_makes_again_is_followed_afresh() -> None:
    made = replace(LIVE, application_set="shop")
    picture = replace(PICTURE, application_set="shop")
    watcher = Watcher(replace(EXPECTATION, picture=picture))
    watcher.see(0, made)
    watcher.see(1, Gone("not found"))
    waits(watcher.see(10, replace(made, uid="uid-2")), 15, State.LIVE)
    assert watcher.watch.uid == "uid-2"
    assert isinstance(watcher.see(11, replace(made, uid="uid-2")).outcome, Live)


# Rows 3 and 4: git says that it is over


def test_row_3_a_commit_that_left_the_branch_is_withdrawn() -> None:
    head = HeadFacts(ASIDE, contains=False, holds=False)
    watch = Watcher(replace(EXPECTATION, head=head)).see(0)
    held(watch, 3, HoldReason.WITHDRAWN)


def test_row_4_a_head_without_the_values_overtakes() -> None:
    head = HeadFacts(NEWER, contains=True, holds=False)
    watch = Watcher(replace(EXPECTATION, head=head)).see(0)
    assert (watch.row, watch.outcome) == (4, Overtaken(NEWER))


def test_row_4_a_compared_descendant_without_the_values_overtakes() -> None:
    revisions = {NEWER: RevisionFacts(Relation.DESCENDANT, holds=False)}
    watcher = Watcher(replace(EXPECTATION, revisions=revisions))
    watch = watcher.see(0, replace(LIVE, revisions=(NEWER,)))
    assert (watch.row, watch.outcome) == (4, Overtaken(NEWER))


def test_row_4_never_fails_on_our_behalf_what_somebody_else_changed() -> None:
    """The operation failed, but the values that failed are no longer ours."""
    head = HeadFacts(NEWER, contains=True, holds=False)
    broken = out_of_sync(last_operation=operation(Phase.FAILED, message="no"))
    assert Watcher(replace(EXPECTATION, head=head)).see(0, broken).outcome == Overtaken(NEWER)


def test_row_4_a_descendant_that_still_holds_the_values_counts_as_ours() -> None:
    newer = replace(LIVE, revisions=(NEWER,))
    watcher = Watcher()
    waits(watcher.see(0, newer), 15, State.LIVE)
    assert isinstance(watcher.see(1, newer).outcome, Live)


# Rows 5 and 6: no news


def test_row_5_a_refresh_that_moves_nothing_for_5_minutes_is_a_stuck_controller() -> None:
    watcher = Watcher()
    watcher.see(10, CannotSee("timeout"), refreshed=Refresh.NORMAL)
    watch = watcher.see(302, replace(LIVE, reconciled_at=at(1)))
    assert (watch.row, watch.state) == (5, State.NOT_SEEN)
    assert watch.blind_since == at(10)
    assert isinstance(watch.outcome, Pending)


def test_row_5_an_old_comparison_is_no_sign_while_nobody_asked_for_another() -> None:
    assert Watcher().see(0, replace(LIVE, reconciled_at=at(-3600))).row == 15


def test_row_5_a_refresh_that_was_answered_is_no_sign_either() -> None:
    """Asked for at noon and compared at noon; since then nobody has asked again."""
    watcher, progressing = Watcher(), replace(LIVE, health=Health.PROGRESSING)
    answered = replace(progressing, reconciled_at=at(0))
    watcher.see(0.8, answered, refreshed=Refresh.NORMAL)
    waits(watcher.see(400, answered), 16, State.ROLLING_OUT)
    watcher.see(410, CannotSee("timeout"), refreshed=Refresh.NORMAL)
    assert watcher.see(420, answered).row == 5


def test_row_5_a_comparison_is_asked_for_before_it_is_old() -> None:
    watch = Watcher().see(0, replace(LIVE, reconciled_at=at(0), health=Health.PROGRESSING))
    assert watch.requests.refresh_at == at(240)


@pytest.mark.parametrize(
    "application",
    [
        replace(LIVE, sync=Sync.UNKNOWN),
        replace(LIVE, revisions=("main",)),
        replace(LIVE, revisions=()),
        replace(LIVE, conditions=(Condition("ComparisonError", "connection refused"),)),
        replace(LIVE, conditions=(Condition("InvalidSpecError", "no such project"),)),
        replace(LIVE, conditions=(Condition("UnknownError", "?"),)),
        replace(LIVE, revisions=("e" * 40,)),
    ],
    ids=["unknown", "branch name", "no revision", "comparison", "spec", "error", "not in git"],
)
def test_row_6_no_news_keeps_the_last_state_although_health_says_healthy(
    application: Application,
) -> None:
    watcher = Watcher()
    watcher.see(0, replace(LIVE, health=Health.PROGRESSING))
    watch = watcher.see(1, application)
    waits(watch, 6, State.ROLLING_OUT)
    assert watch.blind_since == at(1)


def test_row_6_warnings_are_no_obstacle() -> None:
    warned = replace(LIVE, conditions=(Condition("OrphanedResourceWarning", "3 orphans"),))
    assert Watcher().see(0, warned).row == 15


BROKEN = f"helm: failed to parse <path to cached source>/{FILE}: yaml: line 5"
AT_OURS, AT_PARENT = RenderAt(((0, OURS),)), RenderAt(((0, OLDER),))


def broken_for(seconds: float, message: str = BROKEN) -> Watcher:
    watcher = Watcher()
    watcher.keep_seeing(0, seconds, comparison_error(message))
    return watcher


def test_row_6_after_5_minutes_of_naming_our_file_both_commits_are_rendered() -> None:
    assert broken_for(285).watch.requests.renders == ()
    assert broken_for(300).watch.requests.renders == (AT_OURS, AT_PARENT)


def test_row_6_what_renders_at_the_parent_and_not_at_ours_cannot_render() -> None:
    watcher = broken_for(300)
    renderings: dict[RenderAt, Rendering] = {
        AT_OURS: RenderFailed(BROKEN),
        AT_PARENT: Rendered({}),
    }
    watch = watcher.see(315, comparison_error(BROKEN), renderings=renderings)
    assert watch.state is State.CANNOT_RENDER
    assert failed(watch, 6, FailureReason.CANNOT_RENDER).message == BROKEN


@pytest.mark.parametrize(
    ("ours", "parent"),
    [
        (RenderFailed(BROKEN), RenderFailed(BROKEN)),
        (Rendered({}), Rendered({})),
        (CannotSee("timeout"), Rendered({})),
        (RenderFailed(BROKEN), CannotSee("timeout")),
        (RenderFailed(f"failed to fetch {REPOSITORY}"), Rendered({})),
    ],
    ids=["both fail", "both render", "ours unseen", "parent unseen", "only the parent was cached"],
)
def test_row_6_anything_else_is_no_proof(ours: Rendering, parent: Rendering) -> None:
    watcher = broken_for(300)
    renderings: dict[RenderAt, Rendering] = {AT_OURS: ours, AT_PARENT: parent}
    watch = watcher.see(315, comparison_error(BROKEN), renderings=renderings)
    waits(watch, 6, State.NOT_SEEN)


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (BROKEN, True),
        ('Failed to unmarshal "values.yaml": line 18', True),
        ("unable to resolve '2.0.0-rc1' to a commit SHA", False),
        ("unable to resolve 'shop-v2.0' to a commit SHA", True),
        ("other/values.yaml is broken", False),
        (f"failed to list refs of {REPOSITORY}/shop-v2.0", True),
        (f'Get "{REPOSITORY}/info/refs": connection refused', False),
        ("rpc error: connection refused", False),
    ],
)
def test_row_6_only_a_message_about_our_files_or_value_leads_to_rendering(
    message: str, named: bool
) -> None:
    watcher = Watcher(
        replace(EXPECTATION, values=(Value(FILE, "chartTag", "shop-v1.0", "shop-v2.0"),))
    )
    watch = watcher.keep_seeing(0, 300, comparison_error(message))
    assert bool(watch.requests.renders) is named


# Rows 7 to 9: it does not speak of our commit yet


def test_row_7_a_comparison_with_other_sources_is_stale() -> None:
    waits(Watcher().see(0, replace(LIVE, compared_to=(source("v1"),))), 7, State.STALE)


@pytest.mark.parametrize("revision", [OLDER, ASIDE])
def test_row_8_synced_and_healthy_at_another_commit_is_not_ours(revision: str) -> None:
    watch = Watcher().see(0, replace(LIVE, revisions=(revision,)))
    waits(watch, 8, State.NOT_SEEN)


def test_row_8_refreshes_at_0_15_45_seconds_and_then_each_minute() -> None:
    watcher, asked = Watcher(), []
    for second in range(240):
        requests = watcher.watch.due(at(second))
        if requests.refresh is not None:
            asked.append(second)
        stale = replace(LIVE, revisions=(OLDER,), reconciled_at=at(second))
        watcher.see(second, stale, refreshed=requests.refresh)
    assert asked == [0, 15, 45, 105, 165, 225]


def test_row_8_an_event_does_not_bring_a_refresh_forward() -> None:
    """A refresh causes events itself: answering each with another would never end."""
    watcher = Watcher()
    watch = watcher.see(0, replace(LIVE, revisions=(OLDER,)), refreshed=Refresh.NORMAL)
    assert watch.due(at(1)).refresh is None
    assert watch.due(at(15)).refresh is Refresh.NORMAL


@pytest.mark.parametrize(
    ("differs", "paths", "row"),
    [
        (("README.md",), (".",), 15),
        ((FILE,), (".",), 8),
        (("apps/shop/deep/x.yaml",), (".",), 8),
        (("charts/a.yaml",), ("/charts",), 8),
        (("charts-old/a.yaml",), ("/charts",), 15),
        (("apps/base/a.yaml",), ("../base",), 8),
        (("docs/a.md",), ("/docs/*.md",), 8),
        (None, (".",), 8),
        (("README.md",), None, 8),
    ],
)
def test_row_8_a_commit_that_touches_none_of_its_paths_is_never_compared_with(
    differs: tuple[str, ...] | None, paths: tuple[str, ...] | None, row: int
) -> None:
    facts = RevisionFacts(Relation.ANCESTOR, holds=False, differs=differs)
    watcher = Watcher(replace(EXPECTATION, revisions={OLDER: facts}))
    watch = watcher.see(0, replace(LIVE, revisions=(OLDER,), generate_paths=paths))
    assert watch.row == row


TWO = (source("main", path="charts/shop"), source("main", path="values"))
TAGGED = (source("shop-v1", path="charts/shop"), source("main", path="values"))


@pytest.mark.parametrize(
    ("revisions", "row"),
    [((OURS, OURS), 15), ((OURS, NEWER), 15), ((OLDER, OURS), 8), ((OURS, ""), 6)],
)
def test_row_8_of_two_sources_in_our_repository_the_one_behind_counts(
    revisions: tuple[str, str], row: int
) -> None:
    both = replace(LIVE, sources=TWO, compared_to=TWO, revisions=revisions, last_operation=None)
    assert Watcher().see(0, both).row == row


def test_row_8_a_source_at_a_tag_of_our_repository_does_not_follow_the_branch() -> None:
    tagged = replace(LIVE, sources=TAGGED, compared_to=TAGGED, revisions=(OLDER, OURS))
    tagged = replace(tagged, last_operation=None)
    assert Watcher().see(0, tagged).row == 8
    assert Watcher(replace(EXPECTATION, branch="main")).see(0, tagged).row == 15


CHART = "https://github.com/acme/charts.git"
TAG = (Value("envs/shop.yaml", "chartTag", "shop-v1", "shop-v2"),)


def generated(spec: str, compared: str, **changes: object) -> Application:
    """As an ApplicationSet writes it: the chart at a tag, our repository for the values."""
    values = Source(REPOSITORY, "main", ref="values", whole="values")
    return replace(
        LIVE,
        sources=(source(spec, repository=CHART, path="svc"), values),
        compared_to=(source(compared, repository=CHART, path="svc"), values),
        revisions=("1" * 40, OURS),
        last_operation=replace(operation(), revisions=("1" * 40, OURS), targets=(spec, "main")),
        application_set="shops",
        **changes,  # type: ignore[arg-type]
    )


BY_SPEC = replace(
    EXPECTATION,
    values=TAG,
    route=ThroughSpec(0, "shop-v2"),
    picture=generated("shop-v1", "shop-v1"),
)


def test_row_9_synced_and_healthy_with_the_old_chart_is_a_false_live() -> None:
    watcher = Watcher(BY_SPEC)
    watch = watcher.see(0, generated("shop-v1", "shop-v1"))
    waits(watch, 9, State.WAITING_FOR_APPLICATION_SET)
    assert "shops" in watch.message
    assert "shop-v2" in watch.message
    waits(watcher.see(15, generated("shop-v1", "shop-v1")), 9, State.WAITING_FOR_APPLICATION_SET)


def test_row_9_is_over_once_the_new_chart_is_compared() -> None:
    watcher = Watcher(BY_SPEC)
    assert watcher.see(0, generated("shop-v2", "shop-v1")).row == 7
    assert watcher.see(1, generated("shop-v2", "shop-v2")).row == 15
    assert isinstance(watcher.see(2, generated("shop-v2", "shop-v2")).outcome, Live)


def handed_on(**source_says: object) -> Application:
    """As an ApplicationSet writes it: our own chart at the branch, and the version in its spec."""
    whole = json.dumps({"repoURL": REPOSITORY, "path": "chart", **source_says})
    one = (Source(REPOSITORY, "main", "chart", whole=whole),)
    return replace(LIVE, sources=one, compared_to=one, application_set="shops")


@pytest.mark.parametrize(
    "says",
    [
        lambda v: {"helm": {"parameters": [{"name": "image.tag", "value": v}]}},
        lambda v: {"helm": {"valuesObject": {"api": {"imageTag": v, "replicas": 2}}}},
        lambda v: {"helm": {"values": f"replicas: 2\nimage:\n  tag: '{v}'\n"}},
        lambda v: {"kustomize": {"images": [f"api=r.io:5000/shop/api:{v}"]}},
        lambda v: {"kustomize": {"images": [f"r.io/shop/api:{v}@sha256:{'0' * 64}"]}},
    ],
)
def test_row_9_a_version_that_the_spec_hands_on_has_to_arrive_there(
    says: Callable[[str], dict[str, object]],
) -> None:
    """Compared with our commit, Synced and Healthy, and rendered with the old version."""
    watcher = Watcher(replace(EXPECTATION, values=TAG, picture=handed_on(**says("shop-v1"))))
    for seconds in (0, 2):
        watch = watcher.see(seconds, handed_on(**says("shop-v1")))
        waits(watch, 9, State.WAITING_FOR_APPLICATION_SET)
    watch = watcher.see(15, handed_on(**says("shop-v1")))
    assert watch.message == "shops has not yet set shop-v2 in its source (it is shop-v1)"
    assert watcher.see(16, handed_on(**says("shop-v2"))).row == 15
    assert isinstance(watcher.see(18, handed_on(**says("shop-v2"))).outcome, Live)


@pytest.mark.parametrize(
    "says",
    [
        {"helm": {"parameters": [{"name": "host", "value": "shop-v1"}, {"name": "image.tag"}]}},
        {"helm": {"valuesObject": {"image": {"tag": "shop-v0"}}}},
        {"helm": {"values": "image: {tag: shop-v2, oldTag: shop-v1}"}},
        {"helm": {"values": "{{ not yaml"}, "kustomize": {"images": [3, None]}},
        {"helm": {"parameters": "none"}, "kustomize": []},
        {},
    ],
)
def test_row_9_what_else_the_spec_says_is_not_waited_for(says: dict[str, object]) -> None:
    watcher = Watcher(replace(EXPECTATION, values=TAG))
    assert watcher.see(0, handed_on(**says)).row == 15


def test_row_9_a_single_source_at_the_value_needs_no_commit_of_ours() -> None:
    def single(tag: str) -> Application:
        chart = source(tag, repository=CHART, path="svc")
        old = replace(operation(), revisions=("1" * 40,), targets=(tag,))
        return replace(
            LIVE, sources=(chart,), compared_to=(chart,), revisions=("1" * 40,), last_operation=old
        )

    watcher = Watcher(replace(BY_SPEC, picture=single("shop-v1")))
    assert watcher.see(0, single("shop-v1")).row == 9
    assert watcher.see(1, single("shop-v2")).row == 15


def test_row_9_a_failed_operation_of_the_old_chart_is_not_ours() -> None:
    """Compared with the new chart; the last operation asked for the old one at our commit."""
    old = replace(operation(Phase.FAILED, message="no"), revisions=("1" * 40, OURS))
    failing = generated("shop-v2", "shop-v2", sync=Sync.OUT_OF_SYNC)
    watch = Watcher(BY_SPEC).see(
        0, replace(failing, last_operation=replace(old, targets=("shop-v1", "main")))
    )
    waits(watch, 27, State.WAITING_FOR_SYNC)


def test_row_9_a_new_generated_application_must_be_configured() -> None:
    unknown = replace(BY_SPEC, route=UnknownRoute("name the source"), picture=None)
    watch = Watcher(unknown).see(0, generated("shop-v2", "shop-v2"))
    held(watch, 9, HoldReason.CONFIGURATION)
    assert Watcher(replace(EXPECTATION, route=UnknownRoute("?"))).see(0).row == 15


# Row 10: an older operation


@pytest.mark.parametrize("revert", [False, True])
@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.REQUESTED])
def test_row_10_an_older_operation_blocks_even_a_synced_and_healthy(
    phase: Phase, revert: bool
) -> None:
    old = operation(phase, OLDER, retry_count=3 if phase is Phase.RUNNING else 0)
    watch = Watcher(replace(EXPECTATION, revert=revert)).see(0, replace(LIVE, last_operation=old))
    waits(watch, 10, State.BLOCKED)
    (wish,) = watch.wishes
    assert isinstance(wish, Terminate)
    assert (wish.operation, wish.for_revert) == (old.identity, revert)


def test_row_10_an_operation_that_is_being_stopped_is_not_stopped_again() -> None:
    watch = Watcher().see(0, replace(LIVE, last_operation=operation(Phase.TERMINATING, OLDER)))
    waits(watch, 10, State.BLOCKED)
    assert watch.wishes == ()


def test_row_10_does_not_mind_an_older_operation_that_is_over() -> None:
    for phase in (Phase.FAILED, Phase.ERROR, Phase.SUCCEEDED):
        assert Watcher().see(0, replace(LIVE, last_operation=operation(phase, OLDER))).row == 15
