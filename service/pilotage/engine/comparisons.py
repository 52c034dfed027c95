"""Asks what lies between versions, side by side, and never lets anybody wait long for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import structlog

from pilotage.core.comparing import MOST
from pilotage.core.comparison import Answer, NotCompared, Span

log = structlog.get_logger()

PATIENCE = 2.0
"""Seconds that a look waits for answers; what comes later is there at the next look."""


class Comparisons:
    """Shared by the workers. `compare` is called in threads of its own; `close` ends them."""

    def __init__(self, compare: Callable[[Span], Answer], patience: float = PATIENCE) -> None:
        self._compare = compare
        self._patience = patience
        self._pool = ThreadPoolExecutor(MOST, "compare")
        self._asked: dict[Span, Future[Answer]] = {}
        self._lock = threading.Lock()

    def ask(self, spans: Iterable[Span]) -> dict[Span, Answer]:
        """The answers that are there in time. Only who asks first waits for one."""
        wanted = list(spans)
        with self._lock:
            new = [span for span in wanted if span not in self._asked]
            self._asked |= {span: self._pool.submit(self._answer, span) for span in new}
            futures = {span: self._asked[span] for span in wanted}
        wait([futures[span] for span in new], timeout=self._patience)
        done = {span: future.result() for span, future in futures.items() if future.done()}
        with self._lock:
            for span in done:
                self._asked.pop(span, None)
        return done

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, span: Span) -> Answer:
        try:
            return self._compare(span)
        except Exception:
            # It only tells more of a promotion, which goes on without it.
            log.exception("cannot compare", repository=span.repository)
            return NotCompared("it could not be asked for; the log says why")
