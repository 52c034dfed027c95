"""Asks outside systems side by side, and never lets anybody wait long for an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger()

PATIENCE = 2.0
"""Seconds that a look waits for answers; what comes later is there at the next look."""

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")


class Asking(Generic[Question, Answer]):
    """Shared by the workers. `ask` is called in threads of its own; `close` ends them.

    `what` names it in the log, `broken` is the answer where asking failed unexpectedly, and
    `at_once` bounds the questions that are open at the same time.
    """

    def __init__(
        self,
        what: str,
        ask: Callable[[Question], Answer],
        broken: Answer,
        *,
        at_once: int,
        patience: float = PATIENCE,
    ) -> None:
        self._what = what
        self._ask = ask
        self._broken = broken
        self._patience = patience
        self._pool = ThreadPoolExecutor(at_once, what)
        self._asked: dict[Question, Future[Answer]] = {}
        self._lock = threading.Lock()

    def ask(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        """The answers that are there in time. Only who asks first waits for one."""
        wanted = list(questions)
        with self._lock:
            new = [each for each in wanted if each not in self._asked]
            self._asked |= {each: self._pool.submit(self._answer, each) for each in new}
            futures = {each: self._asked[each] for each in wanted}
        wait([futures[each] for each in new], timeout=self._patience)
        done = {each: future.result() for each, future in futures.items() if future.done()}
        with self._lock:
            for each in done:
                self._asked.pop(each, None)
        return done

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, question: Question) -> Answer:
        try:
            return self._ask(question)
        except Exception:
            # Whoever asks goes on without it, and asks again later.
            log.exception("cannot ask", what=self._what, question=str(question))
            return self._broken
