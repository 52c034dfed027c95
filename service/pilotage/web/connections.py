"""Connections of strangers: how many may be open, and how long one may stay without a request."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

log = structlog.get_logger()

_TELL_EVERY = 60.0
"""Seconds; whoever connects once more must not write the log."""


class _Limited(H11Protocol):
    """One connection; what all of them share stands in the class that `limited` makes."""

    most: ClassVar[int]
    patience: ClassVar[float]
    told: ClassVar[float | None] = None
    """When the log last said that there are too many, by the loop's clock."""
    _seen: RequestResponseCycle | None = None
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self._tell()
            transport.abort()
        else:
            self._timer = self.loop.call_later(self.patience, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete
        if self.cycle is self._seen and not answering:
            self.transport.abort()
            return
        self._seen = self.cycle
        self._timer = self.loop.call_later(self.patience, self._look)

    def _tell(self) -> None:
        now, told = self.loop.time(), self.told
        if told is None or now - told >= _TELL_EVERY:
            type(self).told = now
            log.warning("too many connections", most=self.most, last_from=self.client)


def limited(most: int, patience: float) -> type[H11Protocol]:
    """A protocol for uvicorn: more than `most` are hung up on at once.

    So is, within twice `patience` (seconds), one that has sent no whole head of a request since its
    last answer. An open connection is an open file: without this, anybody who can connect could
    keep git and the database from opening theirs.
    """

    class Limited(_Limited):
        pass

    Limited.most, Limited.patience = most, patience
    return Limited
