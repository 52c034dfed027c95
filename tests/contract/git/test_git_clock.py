"""How old the last fetch may be, also on a machine whose clock is put back."""

from __future__ import annotations

from datetime import timedelta

from pilotage.engine.outside import Asked
from pilotage.engine.trees import Trees
from tests.contract.git.world import NOON, World

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def test_a_fetch_from_before_the_clock_was_put_back_is_of_an_unknown_age(world: World) -> None:
    """Otherwise nothing that is pushed would be seen for an hour, whatever events say."""
    trees = Trees(world.store(), {})
    trees.refresh(NOON, 10 * SECOND, None)
    pushed = world.commit({"new": "1\n"})
    trees.refresh(NOON - SECOND, 10 * SECOND, None)
    assert trees.head() != pushed, "another thread looked at its watch a moment earlier"
    trees.refresh(NOON - HOUR, 10 * SECOND, NOON - HOUR - SECOND)
    assert trees.head() == pushed


def test_so_is_a_list_of_pull_requests() -> None:
    asked = Asked(NOON, 10 * SECOND)
    assert asked.is_met_by(NOON - 9 * SECOND)
    assert asked.is_met_by(NOON + 9 * SECOND)
    assert not asked.is_met_by(NOON - 10 * SECOND)
    assert not asked.is_met_by(NOON + HOUR)
