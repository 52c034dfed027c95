"""Where the workers wait: one of them keeps the time, the others are called.

So a row that falls due costs one look and not one of each worker; and as whoever takes a row hands
the watch on, as many work as there are rows due.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from pilotage.core.retry import is_over

_LONGEST = timedelta(seconds=5)
"""Another replica may have written a row that nobody told us of."""


class WaitingRoom:
    """A call, and each moment that something is due at, is answered by a look that begins later."""

    def __init__(self, clock: Callable[[], datetime], longest: timedelta = _LONGEST) -> None:
        self._clock = clock
        self._longest = longest
        lock = threading.Lock()
        self._alarm = threading.Condition(lock)
        """Of the one who keeps the time."""
        self._bell = threading.Condition(lock)
        """Of all others who wait."""
        self._due: datetime | None = None
        """The earliest moment that anybody who looked has told of."""
        self._called = False
        self._look_by = clock() + longest
        """When to look at the latest, whoever called or did not."""
        self._kept = False
        self._others = 0
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Nobody waits any more."""
        with self._bell:
            self._closed = True
            self._bell.notify_all()
            self._alarm.notify()

    def call(self) -> None:
        """Something was written: one who waits looks at once, or else who looks next."""
        with self._bell:
            self._called = True
            (self._bell if self._others else self._alarm).notify()

    def answer(self) -> bool:
        """Before a look: whether it answers a call, or the longest time without one is over."""
        with self._bell:
            return self._answered()

    def hand_on(self, due: datetime | None) -> None:
        """After a look that found work: somebody else takes what is due at `due`."""
        with self._bell:
            self._tell(due)
            if not self._kept:
                self._bell.notify()

    def rest(self, due: datetime | None) -> bool:
        """After a look that found nothing before `due`: wait; then as `answer`."""
        with self._bell:
            self._tell(due)
            while not (self._called or self._closed):
                if self._kept:
                    self._others += 1
                    self._bell.wait()
                    self._others -= 1
                elif self._is_due_after_keeping_the_time():
                    return False
                else:
                    break
            if not self._kept:
                self._bell.notify()
            return self._answered()

    def _answered(self) -> bool:
        now = self._clock()
        told = self._called or self._is_late(now)
        if told:
            self._called, self._look_by = False, now + self._longest
        return told

    def _is_late(self, now: datetime) -> bool:
        """Also after the clock was put back: nobody waits until it has caught up."""
        return is_over(self._look_by, now, self._longest)

    def _tell(self, due: datetime | None) -> None:
        if due is not None and (self._due is None or due < self._due):
            self._due = due
            self._alarm.notify()

    def _is_due_after_keeping_the_time(self) -> bool:
        """Who leaves because of what is due hands on only when it has looked: it knows more."""
        self._kept = True
        try:
            while not (self._called or self._closed):
                now = self._clock()
                if self._due is not None and self._due <= now:
                    self._due = None
                    return True
                if self._is_late(now):
                    return False
                until = self._look_by if self._due is None else min(self._look_by, self._due)
                self._alarm.wait((until - now).total_seconds())
            return False
        finally:
            self._kept = False
