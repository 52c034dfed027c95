"""What every route works with: the settings, the store, and the engine to poke."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread
from fastapi import Request

from pilotage.clock import utc_now
from pilotage.settings import Settings
from pilotage.store import Store
from pilotage.web.bodies import LARGEST_GITHUB, MIB, Bodies, Room, Share

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 8
_FOR_STRANGERS = 2
"""Of their own: who asks for pages without end keeps no event and no operator waiting."""
READING = ["GET", "HEAD"]
"""Monitors often ask by HEAD whether something answers."""


class Engine(Protocol):
    """The part of `pilotage.engine.worker.Engine` that the web uses."""

    def poke(self) -> None: ...


@dataclass(frozen=True)
class Backend:
    settings: Settings
    store: Store
    engine: Engine
    clock: Callable[[], datetime] = utc_now
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when the process is about to end: whoever waits answers at once."""
    room: Room = field(init=False)
    """For the bodies of senders that are not known yet."""
    bodies: Bodies = field(init=False)
    _limiter: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_THREADS))
    _strangers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_FOR_STRANGERS))

    def __post_init__(self) -> None:
        shared = self.settings.body_memory * MIB - LARGEST_GITHUB
        room = Room(shared, self.settings.body_wait)
        object.__setattr__(self, "room", room)
        object.__setattr__(self, "bodies", Bodies(self.settings.body_timeout))

    async def body(self, request: Request, limit: int, share: Share | None = None) -> bytes:
        return await self.bodies.read(request, limit, share)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do what may block (the database above all) beside the event loop."""
        return await to_thread.run_sync(partial(work, *args, **kwargs), limiter=self._limiter)

    async def run_for_strangers(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for whoever showed nothing, on few threads."""
        return await to_thread.run_sync(partial(work, *args, **kwargs), limiter=self._strangers)

    async def run_within(self, seconds: float, work: Callable[[], T]) -> T:
        """The same, and left to end by itself when it takes longer.

        Raises:
            TimeoutError: it does.
        """
        with anyio.fail_after(seconds):
            return await to_thread.run_sync(work, limiter=self._limiter, abandon_on_cancel=True)

    async def until(self, seconds: float, settled: Callable[[T], bool], look: Callable[[], T]) -> T:
        """Look until it is settled or the time is over; no thread is held between two looks."""
        ends = anyio.current_time() + seconds
        while True:
            found = await self.run(look)
            left = ends - anyio.current_time()
            if settled(found) or left <= 0 or self.stopping.is_set():
                return found
            await anyio.sleep(min(LOOK_EVERY, left))


LOOK_EVERY = 0.25
"""Seconds between two looks of somebody who waits for an answer."""
