"""This machine's clock was put back: nothing waits until it has caught up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pilotage.engine.setback import Setback
from pilotage.settings import Settings
from pilotage.store import Store
from tests.store.examples import add_target
from tests.web.served import settings

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


class World:
    def __init__(self, folder: Path, store: Store) -> None:
        self.store = store
        self.settings: Settings = settings(folder)
        self.setback = Setback(store, self.settings)

    def due(self, at: datetime) -> str:
        """One more row that is due then."""
        name = f"shop/{at.isoformat()}"
        add_target(self.store, name, wake_at=at)
        return name

    def wakes(self) -> dict[str, datetime]:
        return {row.id: row.wake_at for row in self.store.targets() if row.wake_at is not None}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Store.open(f"sqlite:///{tmp_path / 'pilotage.db'}") as store:
        yield World(tmp_path, store)


def test_a_process_that_starts_afterwards_brings_back_what_no_look_puts_so_far_off(
    world: World,
) -> None:
    longest = world.settings.compare + world.settings.lease
    usual, late = world.due(NOW + longest), world.due(NOW + longest + SECOND)
    world.setback.look(NOW)
    assert world.wakes() == {usual: NOW + longest, late: NOW}


@pytest.mark.parametrize(("by", "noticed"), [(HOUR, True), (6 * SECOND, True), (5 * SECOND, False)])
def test_a_step_back_brings_forward_whatever_is_due_later(
    world: World, by: timedelta, noticed: bool
) -> None:
    """A moment less is another thread that has read the clock before."""
    world.setback.look(NOW - HOUR)
    world.setback.look(NOW)
    soon, past = world.due(NOW + SECOND), world.due(NOW - 2 * HOUR)
    world.setback.look(NOW - by)
    assert world.wakes() == {soon: NOW - by if noticed else NOW + SECOND, past: NOW - 2 * HOUR}


def test_each_step_back_is_noticed_once(world: World) -> None:
    world.setback.look(NOW)
    world.setback.look(NOW - HOUR)
    soon = world.due(NOW)
    world.setback.look(NOW - HOUR + SECOND)
    assert world.wakes() == {soon: NOW}, "it is due after the new time, as it should be"
    world.setback.look(NOW - 2 * HOUR)
    assert world.wakes() == {soon: NOW - 2 * HOUR}
