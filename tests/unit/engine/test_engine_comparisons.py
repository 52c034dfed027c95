"""Comparisons are asked for side by side, and nobody waits long for one."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pilotage.core.comparing import MOST
from pilotage.core.comparison import Answer, Compared, Direction, NotCompared, Span
from pilotage.engine.comparisons import Comparisons

FOUND = Compared("https://github.example/a...b", Direction.IDENTICAL, 0, 0, (), ())
SPANS = [Span("acme/api", "v1", f"v{number}") for number in range(MOST)]
PATIENT = 30.0


class Source:
    """GitHub's side: how often it was asked, and when it answers."""

    def __init__(self) -> None:
        self.asked: list[Span] = []
        self.together = threading.Barrier(1)
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.answered = threading.Semaphore(0)

    def compare(self, span: Span) -> Answer:
        self.asked.append(span)
        self.together.wait(PATIENT)
        self.may_answer.wait(PATIENT)
        self.answered.release()
        return FOUND


@pytest.fixture
def source() -> Iterator[Source]:
    made = Source()
    yield made
    made.may_answer.set()


def test_all_of_a_promotion_are_asked_for_at_once(source: Source) -> None:
    """Each waits here for all of the others to be asked."""
    source.together = threading.Barrier(MOST)
    comparisons = Comparisons(source.compare, PATIENT)
    assert comparisons.ask(SPANS) == dict.fromkeys(SPANS, FOUND)
    comparisons.close()


def test_who_does_not_answer_in_time_is_not_waited_for_again(source: Source) -> None:
    """What comes late is there at a later look, which asks for nothing."""
    source.may_answer.clear()
    comparisons = Comparisons(source.compare, 0.0)
    assert comparisons.ask(SPANS[:1]) == {}
    patient = Comparisons(source.compare, PATIENT)
    patient._asked = comparisons._asked
    assert patient.ask(SPANS[:1]) == {}, "nobody waits twice for the same answer"
    source.may_answer.set()
    assert source.answered.acquire(timeout=PATIENT)
    comparisons.close()
    while not (late := comparisons.ask(SPANS[:1])):
        pass
    assert late == {SPANS[0]: FOUND}
    assert source.asked == SPANS[:1]
    patient.close()


def test_an_unexpected_fault_is_an_answer_as_well() -> None:
    def broken(span: Span) -> Answer:
        raise RuntimeError(span.after)

    comparisons = Comparisons(broken, PATIENT)
    assert comparisons.ask(SPANS[:1]) == {
        SPANS[0]: NotCompared("it could not be asked for; the log says why")
    }
    comparisons.close()
