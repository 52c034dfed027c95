"""What stands on GitHub of a release: its comment, its status, its deployment record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pilotage.core.decide import decide
from pilotage.core.model import Hold, Outcome, Quarantined, Revert, State, Subject
from pilotage.core.outputs import Advice, StoryPage
from pilotage.core.wording import typed
from pilotage.rendering import render_story
from tests.unit.core.worlds import (
    CONFIG,
    MERGED,
    NOW,
    SOURCE,
    STAGING,
    ago,
    policy,
    release,
    releasing,
    target,
)


def story_of(before: Any) -> StoryPage:
    found = [each.story for each in decide(before, NOW).outputs if each.story is not None]
    assert len(found) == 1
    return found[0]


@pytest.mark.runbook("SYRF-8")
def test_the_story_of_a_release() -> None:
    page = story_of(releasing())
    assert page.heading == "Verifying"
    assert (page.by, page.sha) == ("maria", MERGED)
    assert page.lead == "Live since 20 Nov 11:55 UTC; verifying until 20 Nov 12:25 UTC"
    assert [row.application for row in page.rows] == ["api-production", "web-production"]
    assert page.advice[0].command == "/pilotage rollback <reason>"
    assert "Rollback ready: api v9.0.4, web v5.0.0" in render_story(page)


def test_a_merge_past_a_closed_gate_stands_in_the_story() -> None:
    merge = release().merge
    assert merge is not None
    page = story_of(releasing(release(merge=replace(merge, outside_gate="1 box open"))))
    assert page.lines[0] == "Merged past a closed gate: 1 box open"


def test_the_story_ends_with_how_to_try_again() -> None:
    back = Revert(("api", "web"), "crashed", "pilotage", ago(minutes=2), sha=SOURCE)
    ended = release(
        state=State.REVERTING,
        outcomes={"api": Outcome.REVERTED, "web": Outcome.OVERTAKEN},
        reasons=dict.fromkeys(STAGING, "crashed"),
        reverts=(back,),
    )
    out = (Quarantined("api", "api-v9.1.1", "crashed", NOW),)
    page = story_of(releasing(ended, target=target(release=ended, quarantine=out)))
    assert page.heading == "Reverted"
    assert page.lead == (
        "20 Nov 12:00 UTC, 10 min after the merge: api runs v9.0.4 again (crashed); "
        "web was overtaken: crashed"
    )
    assert page.lines == (), "the lead says why already"
    assert [(each.text, each.command) for each in page.advice] == [
        (
            "api v9.1.1 is in quarantine: release a newer version, or, to try this one again,",
            "pilotage quarantine lift syrf/production api api-v9.1.1",
        )
    ]


def test_one_reason_for_several_services_is_told_once() -> None:
    back = Revert(("api", "web"), "crashed", "pilotage", ago(minutes=2), sha=SOURCE)
    ended = release(
        state=State.REVERTING,
        outcomes=dict.fromkeys(STAGING, Outcome.REVERTED),
        reasons=dict.fromkeys(STAGING, "crashed"),
        reverts=(back,),
    )
    assert story_of(releasing(ended)).lead.endswith(
        "api runs v9.0.4 again (crashed); web runs v5.0.0 again"
    )


def test_a_command_to_be_pasted_runs_nothing_of_a_repository() -> None:
    """A version is a text of a file: in a shell it is one word."""
    assert typed("pilotage", "lift", "api", "v1;$(id)") == "pilotage lift api 'v1;$(id)'"


def test_what_went_back_along_with_a_failed_one_is_said_to_return() -> None:
    back = Revert(("api", "web"), "crashed", "pilotage", ago(minutes=2), sha=SOURCE)
    ended = release(
        state=State.REVERTING,
        outcomes=dict.fromkeys(STAGING, Outcome.REVERTED),
        reasons={"api": "crashed", "web": "went back with api"},
        reverts=(back,),
    )
    out = (Quarantined("api", "api-v9.1.1", "crashed", NOW),)
    page = story_of(releasing(ended, target=target(release=ended, quarantine=out)))
    assert page.advice[1] == Advice("web v5.0.1 went back too, and returns with the next set.")
    assert "- web v5.0.1 went back too, and returns with the next set." in (
        render_story(page).splitlines()
    )


def test_a_held_release_says_in_its_comment_what_takes_the_hold_away() -> None:
    hold = Hold(Subject.BLIND, "api-production cannot be seen", NOW)
    page = story_of(releasing(release(hold=hold)))
    assert page.lead == "Held: api-production cannot be seen"
    assert [each.command for each in page.advice] == [
        "/pilotage resume",
        "/pilotage rollback <reason>",
    ]


def test_while_it_is_put_back_no_rollback_is_offered() -> None:
    back = Revert(("api", "web"), "crashed", "pilotage", ago(minutes=2), sha=SOURCE)
    undone = dict.fromkeys(STAGING, Outcome.REVERTING)
    page = story_of(
        releasing(release(state=State.REVERTING, outcomes=undone, reverts=(back,)), sights={})
    )
    assert page.heading == "Reverting"
    assert page.advice == ()


@pytest.mark.parametrize(
    ("further", "is_production"), [("", True), ("      canary: { from: production }\n", False)]
)
def test_only_where_nothing_goes_further_is_recorded_as_production(
    further: str, is_production: bool
) -> None:
    """GitHub shows what is recorded so apart from test environments."""
    chosen = policy(CONFIG + further)
    outputs = decide(releasing(release_policy=chosen), NOW).outputs
    (record,) = (each.deployment for each in outputs if each.deployment is not None)
    assert record.production is is_production


@pytest.mark.parametrize("over", [False, True])
def test_the_deployment_record_says_nothing_that_the_next_moment_makes_false(over: bool) -> None:
    """It is written once for each state: "putting back" would stand there for ever."""
    back = Revert(("api", "web"), "crashed", "pilotage", ago(minutes=2), sha=SOURCE)
    outcome = Outcome.REVERTED if over else Outcome.REVERTING
    undone = release(
        state=State.REVERTING, outcomes=dict.fromkeys(STAGING, outcome), reverts=(back,)
    )
    outputs = decide(releasing(undone, sights={}), NOW).outputs
    (record,) = (each.deployment for each in outputs if each.deployment is not None)
    assert (record.state, record.description) == (
        "failure",
        "Not kept: api v9.1.1, web v5.0.1 (crashed)",
    )
