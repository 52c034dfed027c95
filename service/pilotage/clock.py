"""The time of this machine; whoever needs it is given it, so that tests can give another."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)
