"""Who of the waiting workers looks, and how often: counted, with the moments given.

Each worker here is a thread that does what the engine's do: look, take one due row, tell when the
next is due, and wait where nothing is. Looks are counted at the end, when all have gone home.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from pilotage.engine.waiting import WaitingRoom

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
PATIENCE = 20
"""Seconds until a test that hangs says so; none waits that long when it passes."""


class Workers:
    """Rows that fall due, and threads that take them. The clock moves only when it is told to."""

    def __init__(self, count: int, *rows: datetime, together: int = 1) -> None:
        """`together`: how many must work at the same time before any of them goes on."""
        self.count, self.now, self.rows = count, NOW, list(rows)
        self.room = WaitingRoom(lambda: self.now, longest=timedelta(days=1))
        self.looks = 0
        self.took: Counter[str] = Counter()
        self._together = threading.Barrier(together)
        self._changed = threading.Condition()

    def _work(self, name: str) -> None:
        while not self.room.closed:
            with self._changed:
                self.looks += 1
                found = any(row <= self.now for row in self.rows)
                if found:
                    self.rows.remove(min(self.rows))
                until = min(self.rows, default=None)
                self._changed.notify_all()
            if found:
                self.room.hand_on(until)
                self._together.wait(PATIENCE)
                with self._changed:
                    self.took[name] += 1
                    self._changed.notify_all()
                self.room.answer()
            else:
                self.room.rest(until)

    def write(self, *rows: datetime) -> None:
        with self._changed:
            self.rows += rows
        self.room.call()

    def pass_time(self) -> None:
        """An hour; whoever keeps the time sees it when its wait would have ended."""
        self.now += HOUR
        self.room.hand_on(NOW)

    def until(self, *, took: int = 0, looks: int = 0) -> None:
        with self._changed:
            done = self._changed.wait_for(
                lambda: self.took.total() >= took and self.looks >= looks, PATIENCE
            )
        assert done, f"{self.took.total()} of {took} rows taken in {self.looks} looks"

    @contextmanager
    def working(self) -> Iterator[None]:
        """All have looked when the block begins, and have ended after it."""
        names = [f"worker {number}" for number in range(self.count)]
        threads = [threading.Thread(target=self._work, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        try:
            self.until(looks=self.count)
            yield
        finally:
            self.room.close()
            for thread in threads:
                thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in threads)


def test_a_due_row_costs_two_looks_however_many_wait() -> None:
    """The timekeeper takes it, and looks once more when it is done."""
    workers = Workers(8, *(NOW + n * HOUR for n in range(1, 101)))
    with workers.working():
        for number in range(1, 101):
            workers.pass_time()
            workers.until(took=number, looks=8 + 2 * number)
    assert workers.looks <= 8 + 2 * 100 + 2


def test_a_call_costs_one_look_however_many_wait() -> None:
    workers = Workers(8, NOW + HOUR)
    with workers.working():
        for number in range(1, 101):
            workers.room.call()
            workers.until(looks=8 + number)
        workers.pass_time()
        workers.until(took=1)
    assert workers.looks <= 8 + 100 + 2 + 1, "and the watch was kept all the time"


@pytest.mark.parametrize("count", [1, 4])
def test_what_is_due_at_once_keeps_all_of_them_busy(count: int) -> None:
    """None goes on before all have a row, a thousand rows long."""
    workers = Workers(count, together=count)
    with workers.working():
        workers.write(*[NOW] * 1_000)
        workers.until(took=1_000)
    assert set(workers.took.values()) == {1_000 // count}
    assert len(workers.took) == count
    assert workers.looks <= 1_000 + 3 * count, "a look for each row, and those that find no more"


def test_a_timekeeper_that_got_work_has_handed_the_watch_on() -> None:
    """A second row falls due, and is taken, while the first is still being worked on."""
    workers = Workers(3, NOW + HOUR, NOW + 2 * HOUR, together=2)
    with workers.working():
        workers.pass_time()
        workers.until(looks=3 + 1)
        workers.pass_time()
        workers.until(took=2)


def test_who_keeps_the_time_is_called_when_all_others_are_at_work() -> None:
    """The first row holds one of the two until somebody takes the second."""
    workers = Workers(2, NOW + HOUR, together=2)
    with workers.working():
        workers.write(NOW)
        workers.until(looks=2 + 1)
        workers.write(NOW)
        workers.until(took=2)


def test_a_row_that_is_written_for_earlier_moves_the_watch_forward() -> None:
    """It is not due when it is written: the one who is called tells the one who keeps the time."""
    now = datetime.now(UTC)
    room = WaitingRoom(lambda: datetime.now(UTC))
    left: list[bool] = []
    keeper = threading.Thread(target=lambda: left.append(room.rest(now + HOUR)))
    keeper.start()
    room.hand_on(now)
    keeper.join(PATIENCE)
    assert left == [False], "it left because of what is due"


def test_a_call_while_all_are_busy_is_not_lost() -> None:
    """Who is done looks again before it waits, and a call leaves it no time to wait."""
    room = WaitingRoom(lambda: NOW)
    room.call()
    assert room.rest(NOW + HOUR), "called before it came"
    room.call()
    assert room.answer()
    assert not room.answer(), "one look answers a call"
    assert not room.rest(NOW), "it is due: nobody called"


def test_whoever_waits_looks_after_the_longest_time_at_the_latest() -> None:
    """Another replica may have written what nobody here was told of."""
    room = WaitingRoom(lambda: NOW, longest=timedelta(0))
    assert room.rest(None)


def test_nobody_waits_until_a_clock_that_was_put_back_has_caught_up() -> None:
    now = [NOW]
    room = WaitingRoom(lambda: now[0], longest=timedelta(seconds=5))
    now[0] = NOW - HOUR
    assert room.rest(NOW + HOUR)
    assert not room.answer(), "from here on it is the time that counts"


def test_nobody_waits_in_a_closed_room() -> None:
    room = WaitingRoom(lambda: NOW)
    room.close()
    room.rest(None)
    assert room.closed
