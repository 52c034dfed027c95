"""Questions are asked side by side, and nobody waits long for an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from pilotage.engine.asking import Asking

AT_ONCE = 20
QUESTIONS = [f"question {number}" for number in range(AT_ONCE)]
PATIENT = 30.0


class Source:
    """The other side: how often it was asked, and when it answers."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.together = threading.Barrier(1)
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.answered = threading.Semaphore(0)

    def answer(self, question: str) -> str:
        self.asked.append(question)
        self.together.wait(PATIENT)
        self.may_answer.wait(PATIENT)
        self.answered.release()
        return question.upper()


@pytest.fixture
def source() -> Iterator[Source]:
    made = Source()
    yield made
    made.may_answer.set()


def asking(ask: Callable[[str], str], patience: float = PATIENT) -> Asking[str, str]:
    return Asking("test", ask, "broken", at_once=AT_ONCE, patience=patience)


def test_all_are_asked_at_once(source: Source) -> None:
    """Each waits here for all of the others to be asked."""
    source.together = threading.Barrier(AT_ONCE)
    asked = asking(source.answer)
    assert asked.ask(QUESTIONS) == {each: each.upper() for each in QUESTIONS}
    asked.close()


def test_who_does_not_answer_in_time_is_not_waited_for_again(source: Source) -> None:
    """What comes late is there at a later look, which asks for nothing."""
    source.may_answer.clear()
    asked = asking(source.answer, 0.0)
    assert asked.ask(QUESTIONS[:1]) == {}
    patient = asking(source.answer)
    patient._asked = asked._asked
    assert patient.ask(QUESTIONS[:1]) == {}, "nobody waits twice for the same answer"
    source.may_answer.set()
    assert source.answered.acquire(timeout=PATIENT)
    asked.close()
    while not (late := asked.ask(QUESTIONS[:1])):
        pass
    assert late == {QUESTIONS[0]: QUESTIONS[0].upper()}
    assert source.asked == QUESTIONS[:1]
    patient.close()


def test_an_unexpected_fault_is_an_answer_as_well() -> None:
    def broken(question: str) -> str:
        raise RuntimeError(question)

    asked = asking(broken)
    assert asked.ask(QUESTIONS[:1]) == {QUESTIONS[0]: "broken"}
    asked.close()
