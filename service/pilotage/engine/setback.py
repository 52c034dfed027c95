"""Notices that this machine's clock was put back, so that nothing waits until it has caught up."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from pilotage.settings import Settings
from pilotage.store import Store

log = structlog.get_logger()

_A_STEP = timedelta(seconds=5)
"""Less than this only makes a look late; and another thread read the clock a moment earlier."""


class Setback:
    """Shared by the workers of one process, which may have been started after the clock was."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._longest = settings.compare + settings.lease
        """No row is ever due later than this after its last look, but for GitHub's rate limits."""
        self._lease = settings.lease
        self._latest: datetime | None = None

    def look(self, now: datetime) -> None:
        """Before each lease: what is due at a time that is over again is due now."""
        latest = self._latest
        if latest is None:
            self._bring_forward(now, now + self._longest)
        elif latest - now > _A_STEP:
            log.warning("the clock was put back", by=str(latest - now))
            self._bring_forward(now, now)
        elif now > latest:
            self._latest = now

    def _bring_forward(self, now: datetime, later_than: datetime) -> None:
        brought = self._store.bring_forward(now, later_than=later_than, lease_for=self._lease)
        self._latest = now
        if brought:
            log.info("due now instead of later", targets=brought)
