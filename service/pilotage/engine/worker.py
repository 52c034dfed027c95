"""The threads of one process: they settle what came in, lease what is due, and wait for more.

Nothing sleeps: the threads wait in one room, until the next row is due or something arrives.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from pilotage.adapters.argocd.stream import ApplicationStream
from pilotage.clock import utc_now
from pilotage.core.application import ApplicationKey
from pilotage.engine.alone import Folder
from pilotage.engine.attention import Listening
from pilotage.engine.inbox import Inbox
from pilotage.engine.outside import Outside
from pilotage.engine.setback import Setback
from pilotage.engine.tick import Ticker
from pilotage.engine.waiting import WaitingRoom
from pilotage.store import Lease, LeaseLost, Store, StoreUnavailable

log = structlog.get_logger()

_AFTER_ERROR = timedelta(seconds=15)


class Engine:
    """Start it, poke it when something arrived, stop it."""

    def __init__(
        self, outside: Outside, store: Store, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._outside = outside
        self._store = store
        self._clock = clock
        self._ticker = Ticker(outside, store, clock)
        self._listening = Listening(clock)
        self._inbox = Inbox(outside, store, self._listening.heard)
        self._room = WaitingRoom(clock)
        self._setback = Setback(store, outside.settings)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._left: deque[Lease] = deque()
        """Of looks that the database broke off: given back once it can be written again."""
        self._folder: Folder | None = None
        self._listeners: list[Callable[[str], None]] = []

    @property
    def alive(self) -> bool:
        """Every thread that was started still runs."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def has_folder(self) -> bool:
        return self._folder is None or self._folder.is_there()

    def listen(self, listener: Callable[[str], None]) -> None:
        """`listener` hears, from a worker's thread, of each target that was just looked at."""
        self._listeners.append(listener)

    def register(self) -> None:
        """The rows of the repositories themselves; their looks bring in the targets."""
        for repository in self._outside.settings.repositories:
            self._store.ensure_target(
                repository,
                repository=repository,
                pipeline="",
                environment="",
                wake_at=self._clock(),
            )

    def start(self) -> None:
        self._folder = Folder(self._outside.settings.data)
        if self._folder.alone and self._outside.settings.database is None:
            freed = self._store.free_leases(self._clock())
            if freed:
                log.info("took over what a process that died was at", targets=freed)
        if not self._folder.alone:
            log.warning("another process serves from this data folder, too")
        self.register()
        for number in range(self._outside.settings.workers):
            self._begin(f"worker-{number}", self._work)
        for name, found in self._outside.settings.argocd.items():
            stream = ApplicationStream(
                name,
                str(found.url),
                found.token,
                ca=str(found.ca) if found.ca else None,
                verify=found.verify,
                on_trouble=lambda reason, name=name: log.info(  # type: ignore[misc]
                    "stream ended", server=name, reason=reason
                ),
            )
            self._begin(f"stream-{name}", lambda _, stream=stream: self._listen(stream))  # type: ignore[misc]

    def _begin(self, name: str, run: Callable[[str], None]) -> None:
        thread = threading.Thread(target=run, args=(name,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self, timeout: float = 30) -> None:
        """Lets the threads finish what they do; nothing is cut off half done.

        `timeout` (seconds) is for all of them: who hangs then ends with the process, and what it
        was at is looked up by the next one.
        """
        self._stopping.set()
        self._room.close()
        ends = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0, ends - time.monotonic()))
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def poke(self) -> None:
        """Something was written to the store: look at once."""
        self._room.call()

    def _listen(self, stream: ApplicationStream) -> None:
        stream.run(self._application_changed, self._stopping)

    def _application_changed(self, key: ApplicationKey) -> None:
        """A frame is an alarm clock for the targets that wait for this application."""
        wakes = self._listening.changed(key.name)
        if not wakes:
            return
        try:
            for target, at in wakes:
                self._store.wake([target], at)
        except StoreUnavailable as error:
            log.warning("cannot wake", reason=str(error))
        self.poke()

    def _work(self, name: str) -> None:
        owner = f"{name}-{secrets.token_hex(4)}"
        told = True
        while not self._room.closed:
            try:
                if told and self._inbox.settle(self._clock()):
                    self._room.call()  # what was settled has made targets due
                told = False
                worked, due = self.turn(owner)
            except StoreUnavailable as error:
                log.warning("the database cannot be used", reason=str(error))
                worked, due, told = False, self._clock() + _AFTER_ERROR, True
            except Exception:
                log.exception("a worker stumbled, and goes on")
                worked, due, told = False, self._clock() + _AFTER_ERROR, True
            told |= self._room.answer() if worked else self._room.rest(due)

    def turn(self, owner: str) -> tuple[bool, datetime | None]:
        """Does one tick, if one is due; whether it did, and when the next is due."""
        self._setback.look(self._clock())
        self._give_back()
        lease = self._store.lease(owner, self._clock(), self._outside.settings.lease)
        due = self._store.next_wake()
        if lease is not None:
            self._room.hand_on(due)
            self._tick(lease)
        return lease is not None, due

    def _give_back(self) -> None:
        """Nobody waits until the leases of looks that broke off have ended."""
        while self._left:
            with suppress(LeaseLost, IndexError):  # another worker was quicker
                lease = self._left.popleft()
                try:
                    self._store.release(lease, wake_at=self._clock())
                except StoreUnavailable:
                    self._left.append(lease)
                    raise

    def _tick(self, lease: Lease) -> None:
        changed = self._listening.take(lease.target)
        began = self._clock()
        try:
            attention = self._ticker.tick(lease, changed)
        except LeaseLost as error:
            log.warning("somebody else has the target", reason=str(error))
            return
        except StoreUnavailable:
            self._left.append(lease)
            raise
        except Exception:
            log.exception("a tick failed", target=lease.target)
            with suppress(LeaseLost):  # whoever has the target now goes on
                self._store.release(lease, wake_at=self._clock() + _AFTER_ERROR)
            return
        if attention is not None and self._listening.attend(attention, began):
            self._store.wake([attention.target], self._clock())
            self.poke()
        for listener in tuple(self._listeners):
            listener(lease.target)
