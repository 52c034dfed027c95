"""What never changes is found out once, by whichever thread asks first."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from pilotage.engine.memory import Memory


class Maker:
    """Begins, and ends when it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()
        self.times = 0
        self._error = error

    def __call__(self) -> str:
        self.times += 1
        self.began.set()
        assert self.go_on.wait(10)
        if self._error is not None:
            raise self._error
        return "made"


def both(memory: Memory, make: Maker) -> list[Future[str]]:
    """Two threads ask; the second once the first has begun."""
    pool = ThreadPoolExecutor(2)
    first = pool.submit(memory.once, "key", make)
    assert make.began.wait(10)
    asked = threading.Event()

    def ask() -> str:
        asked.set()
        return memory.once("key", make)

    second = pool.submit(ask)
    assert asked.wait(10)
    make.go_on.set()
    pool.shutdown()
    return [first, second]


def test_two_who_ask_at_once_are_answered_by_one_making() -> None:
    make = Maker()
    assert [found.result() for found in both(Memory(10), make)] == ["made", "made"]
    assert make.times == 1


def test_what_failed_is_tried_again_by_who_asks_later() -> None:
    memory, make = Memory(10), Maker(OSError("no"))
    for found in both(memory, make):
        with pytest.raises(OSError, match="no"):
            found.result()
    assert memory.once("key", lambda: "later") == "later"


def test_a_making_may_ask_for_another_key() -> None:
    memory = Memory(10)
    assert memory.once("a", lambda: memory.once("b", lambda: "b") + "a") == "ba"


def test_the_oldest_are_forgotten_first_and_by_what_they_cost() -> None:
    memory = Memory(10, cost=lambda made: len(str(made)))
    for key in ("12345", "abcde", "12345", "fgh"):
        memory.once(key, lambda key=key: key)  # type: ignore[misc]
    assert memory.get("abcde") is None
    assert memory.get("12345") == "12345"
