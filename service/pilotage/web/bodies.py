"""Request bodies, read as they come: never further than their limit, nor for longer than theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import anyio
from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

KIB = 1024
MIB = 1024 * KIB
LARGEST_GITHUB = 25 * MIB
"""GitHub sends nothing larger."""
_LAST_PATIENCE = 2.0
"""Seconds that what is half there may still take when the process ends."""
_CLOSE = {"Connection": "close"}
"""What is still on its way is not read; the connection cannot be used again."""


@dataclass
class Room:
    """Memory for bodies whose sender is not known yet, shared by all that come at the same time.

    A body takes room byte by byte as it arrives: to keep others out, one has to send what it takes.
    The one that came first never waits, or several that are half there would wait for each other.
    """

    free: int
    """Bytes; what the first one takes beyond them has to be kept back for it."""
    patience: timedelta
    _shares: list[Share] = field(default_factory=list)
    _given_back: anyio.Event = field(default_factory=anyio.Event)

    @asynccontextmanager
    async def share(self) -> AsyncIterator[Share]:
        """A part of it, given back at the end however that comes."""
        share = Share(self)
        self._shares.append(share)
        try:
            yield share
        finally:
            self._shares.remove(share)
            self.free += share.taken
            self._given_back.set()
            self._given_back = anyio.Event()

    async def take(self, share: Share, size: int) -> None:
        """Raises 503 when there is none in time."""
        try:
            with anyio.fail_after(self.patience.total_seconds()):
                while self.free < size and share is not self._shares[0]:
                    await self._given_back.wait()
        except TimeoutError:
            why = "too many bodies at once (the setting body_memory); come again"
            raise HTTPException(503, why, {"Retry-After": "15", **_CLOSE}) from None
        self.free -= size
        share.taken += size


@dataclass(eq=False)
class Share:
    room: Room
    taken: int = 0

    async def take(self, size: int) -> None:
        await self.room.take(self, size)


@dataclass
class Bodies:
    """Those that are on their way; each has `patience` to arrive whole."""

    patience: timedelta
    _waiting: set[anyio.CancelScope] = field(default_factory=set)
    _stopping: bool = False

    def stop(self) -> None:
        """The process is about to end: what has not come soon is told to come again."""
        self._stopping = True
        latest = anyio.current_time() + _LAST_PATIENCE
        for scope in self._waiting:
            scope.deadline = min(scope.deadline, latest)

    async def read(self, request: Request, limit: int, share: Share | None = None) -> bytes:
        """The raw body, kept in `share` where its sender is not known.

        Raises 413 as soon as it is known to be too large, before it is read whole; 408 when it has
        not come in time, and 503 when there is no room or the process ends.
        """
        told = request.headers.get("content-length", "")
        if told.isdecimal() and int(told[:20]) > limit:
            raise _too_large(limit)
        most = self.patience.total_seconds()
        seconds = min(most, _LAST_PATIENCE) if self._stopping else most
        try:
            with anyio.fail_after(seconds) as scope:
                self._waiting.add(scope)
                try:
                    return await _read(request, limit, share)
                finally:
                    self._waiting.discard(scope)
        except TimeoutError:
            raise self._late() from None
        except ClientDisconnect:
            raise HTTPException(400, "the body ended before its end", _CLOSE) from None

    def _late(self) -> HTTPException:
        if self._stopping:
            again = {"Retry-After": "15", **_CLOSE}
            return HTTPException(503, "the service is stopping; come again", again)
        seconds = self.patience.total_seconds()
        return HTTPException(408, f"the body did not come within {seconds:g} s", _CLOSE)


async def _read(request: Request, limit: int, share: Share | None) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        if share is not None:
            await share.take(len(part))
        parts.append(part)
    return b"".join(parts)


def _too_large(limit: int) -> HTTPException:
    shown = f"{limit // MIB} MB" if limit >= MIB else f"{limit // KIB} KB"
    return HTTPException(413, f"the body is larger than {shown}", _CLOSE)
