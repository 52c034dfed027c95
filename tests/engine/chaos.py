"""Time, chance and what goes wrong: one seed decides all of it.

Every call of the service to anything outside goes through `Chaos.around`. It lets time pass, so
that people and events come in between any two calls, and then perhaps lets the call fail before
or after it took hold, or ends the process there.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Literal, TypeVar

T = TypeVar("T")

BEGIN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


_FROZEN = 0.03


class Crash(BaseException):
    """The process ends here, at once; nothing may catch it but the simulation."""


@dataclass(frozen=True, slots=True)
class Odds:
    """How often a call goes wrong; each seed draws its own."""

    crash: float = 0.0
    lost: float = 0.0
    """A call that is answered by an error, half of them after it took hold."""
    event_lost: float = 0.0
    event_doubled: float = 0.0
    event_late: float = 0.0
    stale: float = 0.0
    """How often GitHub answers with what it answered a moment before."""

    @classmethod
    def drawn(cls, random: Random) -> Odds:
        return cls(
            crash=random.choice((0.0, 0.0, 0.004, 0.015, 0.04)),
            lost=random.choice((0.0, 0.01, 0.03, 0.1)),
            event_lost=random.choice((0.0, 0.1, 0.5, 1.0)),
            event_doubled=random.choice((0.0, 0.2)),
            event_late=random.choice((0.0, 0.3)),
            stale=random.choice((0.0, 0.0, 0.1, 0.3)),
        )


class Chaos:
    """The clock, the dice and the agenda of one simulated world."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = BEGIN
        self.odds = Odds.drawn(self.random)
        self.log: list[str] = []
        self.scripted: list[tuple[str, Literal["lost before", "lost after", "crash after"]]] = []
        """What happens once, to the first call whose name contains the text."""
        self.ahead = timedelta()
        """How far the service's clock is ahead of the right time, which the others' show."""
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._busy = False
        self.freeze: Callable[[str], None] | None = None
        """Stops the process that makes a call, for a while; the others go on."""

    def clock(self) -> datetime:
        """The service's."""
        return self.now + self.ahead

    def calm(self) -> None:
        self.odds = Odds()

    def note(self, text: str) -> None:
        self.log.append(f"{self.now:%H:%M:%S.%f} {text}")

    def chance(self, odds: float) -> bool:
        return odds > 0 and self.random.random() < odds

    # The agenda

    def plan(self, after: timedelta, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now + after, next(self._order), act))

    def next_at(self) -> datetime | None:
        return self._agenda[0][0] if self._agenda else None

    def go_to(self, moment: datetime) -> None:
        """Everything that is planned until then happens, each at its own time."""
        while self._agenda and self._agenda[0][0] <= moment and not self._busy:
            at, _, act = heapq.heappop(self._agenda)
            self.now = max(self.now, at)
            self._busy = True
            try:
                act()
            finally:
                self._busy = False
        self.now = max(self.now, moment)

    # Calls

    def _script(self, what: str) -> str:
        for index, (text, fault) in enumerate(self.scripted):
            if text in what:
                del self.scripted[index]
                return fault
        return ""

    def around(
        self,
        what: str,
        do: Callable[[], T],
        *,
        write: bool = False,
        error: Callable[[bool], Exception] | None = None,
    ) -> T:
        """`error(may_have_taken_hold)` makes what the caller gets when the answer is lost."""
        script = self._script(what)
        self.go_to(self.now + timedelta(milliseconds=self.random.choice((5, 20, 80, 400))))
        if self.freeze is not None and self.chance(_FROZEN):
            self.freeze(what)
        if self.chance(self.odds.crash):
            self.note(f"CRASH before {what}")
            raise Crash(what)
        lost = error is not None and (self.chance(self.odds.lost) or script.startswith("lost"))
        held = script == "lost after" or (not script and write and self.random.random() < 0.5)
        if lost and not held:
            assert error is not None
            failure = error(write)
            self.note(f"LOST before {what}: {type(failure).__name__}")
            raise failure
        done = do()
        if write:
            self.note(f"did {what}")
            if self.chance(self.odds.crash) or script == "crash after":
                self.note(f"CRASH after {what}")
                raise Crash(what)
        if lost:
            assert error is not None
            self.note(f"LOST after {what}")
            raise error(True)
        return done
