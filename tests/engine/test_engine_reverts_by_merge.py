"""A whole merge that goes back, with a death or a lost answer at each of its writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pilotage.core.acts import Act, Outrun, Result, ReverseMerge, RevertCommit
from pilotage.core.model import Outcome, State
from pilotage.core.outputs import Outputs
from pilotage.engine.perform import Performer
from pilotage.store.database import Database
from tests.engine.simulated_git import MAIN
from tests.engine.simulated_github import OWN
from tests.engine.simulated_world import file_text, path
from tests.engine.test_engine_findings import Calm

NEW = path("production", "new")
EMPTY = "envName: production\nservice:\n"
FIRST = f"{EMPTY}  chartTag: new-v1.0.0\n"
"""A first version that is the only entry of its mapping: it is not taken out by value."""


@pytest.mark.parametrize("fault", ["lost before", "lost after", "crash after"])
@pytest.mark.parametrize("call", ["to pilotage/revert-", f"to {MAIN} "])
def test_whatever_happens_at_a_write_the_merge_goes_back_once(
    known: Database, call: str, fault: str
) -> None:
    """A retry makes the same commit from the act's row; the laws watch that no act makes two."""
    simulation = Calm(known, outside_gate="revert")
    world = simulation.world
    world.git.commit(MAIN, {NEW: EMPTY}, "Not yet\n", "li")
    pull = simulation.until_open()
    world.git.commit(pull.branch, {NEW: FIRST}, "A first version\n", "li")
    simulation.chaos.scripted.append((call, fault))  # type: ignore[arg-type]
    world.merge_anyway()
    simulation.minutes(20)
    assert not simulation.chaos.scripted, f"there was no push {call}"
    ended = simulation.store.promotion("syrf-production-1")
    assert ended is not None
    assert ended.state is State.REVERTED, simulation.story()
    assert ended.outcomes == dict.fromkeys(("api", "new"), Outcome.REVERTED)
    assert world.git.main().files[NEW] == EMPTY
    assert world.now_in("production")["api"] == "api-v1.0.0"
    line = world.git.first_parents(world.git.refs[MAIN])
    keys = [made.trailer() for made in line if made.author == OWN]
    assert [key for key in keys if key and "/revert/" in key] == ["syrf-production-1/revert/1/1"]


def test_a_new_file_that_was_edited_since_is_left_to_a_person(known: Database) -> None:
    """And stays untouched, while the hold says what to do."""
    simulation = Calm(known, on_failure="hold")
    world = simulation.world
    pull = simulation.until_open()
    text = file_text("production", "new", "new-v1.0.0")
    world.git.commit(pull.branch, {NEW: text}, "A new service\n", "li")
    world.merge_anyway()
    simulation.minutes(2)
    world.git.commit(MAIN, {NEW: f"{text}replicas: 2\n"}, "More\n", "li")
    before = world.git.refs[MAIN]
    world.laws.rollback_asked = True
    world.operator("rollback", "it is slow")
    simulation.minutes(5)
    held = simulation.target.release
    assert held is not None, simulation.story()
    assert held.hold is not None
    assert f"later work on {NEW} conflicts" in held.hold.reason
    assert world.git.refs[MAIN] == before


def test_a_tree_that_comes_out_differently_is_decided_anew(
    known: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes to the branch is what was decided upon, or nothing."""
    perform = Performer.perform
    results: list[Result] = []

    def differing(self: Performer, act: Act, outputs: Sequence[Outputs]) -> Result:
        if isinstance(act, RevertCommit):
            assert isinstance(act.contents, ReverseMerge)
            if not results:
                act = replace(act, contents=replace(act.contents, tree="0" * 40))
            results.append(perform(self, act, outputs))
            return results[-1]
        return perform(self, act, outputs)

    monkeypatch.setattr(Performer, "perform", differing)
    simulation = Calm(known, outside_gate="revert")
    world = simulation.world
    world.git.commit(MAIN, {NEW: EMPTY}, "Not yet\n", "li")
    pull = simulation.until_open()
    world.git.commit(pull.branch, {NEW: FIRST}, "A first version\n", "li")
    world.merge_anyway()
    simulation.minutes(20)
    assert [type(each).__name__ for each in results] == ["Outrun", "Reverted"], simulation.story()
    assert isinstance(results[0], Outrun)
    assert "is another one here" in results[0].reason
    assert world.git.main().files[NEW] == EMPTY
