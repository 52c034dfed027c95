"""The time of this machine; whoever needs it is given it, so that tests can give another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def utc_now() -> datetime:
    return datetime.now(UTC)


def age(at: datetime, now: datetime) -> timedelta:
    """How old what is known of that moment may be. What comes from the future, before the clock was
    put back, is as old as it is far away: nobody knows better, and nothing stays fresh by it."""
    return abs(now - at)
