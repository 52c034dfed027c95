"""When to ask again for what was not to be had: less and less often."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_MOST_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Retry:
    """After a pause of `first`, then of twice as long each time, up to `longest`."""

    first: timedelta
    longest: timedelta

    def pause(self, failures: int) -> timedelta:
        """After so many failures before the last one."""
        doubled: timedelta = self.first * 2 ** min(failures, _MOST_DOUBLINGS)
        return min(self.longest, doubled)


def is_over(until: datetime | None, now: datetime, longest: timedelta) -> bool:
    """Whether a pause has ended: also one that is further off than any pause lasts, since it was
    set before the clock was put back."""
    return until is None or not now < until <= now + longest
