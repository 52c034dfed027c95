"""The threads of one process: they settle what came in, lease what is due, and wait for more.

Nothing sleeps: a thread waits on one condition, until the next row is due or something arrives.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from pilotage.adapters.argocd_stream import ApplicationStream
from pilotage.core.application import ApplicationKey
from pilotage.engine.alone import Folder
from pilotage.engine.inbox import Inbox
from pilotage.engine.outside import Outside
from pilotage.engine.tick import Attention, Ticker
from pilotage.store import LeaseLost, Store, StoreUnavailable

log = structlog.get_logger()

_LOOK_AT_STORE = timedelta(seconds=5)
"""Another replica may have written a row that nobody told us of."""
_AFTER_ERROR = timedelta(seconds=15)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Engine:
    """Start it, poke it when something arrived, stop it."""

    def __init__(
        self, outside: Outside, store: Store, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._outside = outside
        self._store = store
        self._clock = clock
        self._ticker = Ticker(outside, store, clock)
        self._inbox = Inbox(outside, store, self._notified)
        self._condition = threading.Condition()
        self._pokes = 0
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._attention: dict[str, Attention] = {}
        self._changed: dict[str, set[str]] = {}
        self._heard: dict[str, datetime] = {}
        """Application to when it was last heard of, by whatever way."""
        self._folder: Folder | None = None
        self._listeners: list[Callable[[str], None]] = []

    @property
    def alive(self) -> bool:
        """Every thread that was started still runs."""
        return all(thread.is_alive() for thread in self._threads)

    def listen(self, listener: Callable[[str], None]) -> None:
        """`listener` hears, from a worker's thread, of each target that was just looked at."""
        self._listeners.append(listener)

    def unlisten(self, listener: Callable[[str], None]) -> None:
        self._listeners.remove(listener)

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
        """Lets each thread finish what it does; nothing is cut off half done."""
        self._stopping.set()
        self.poke()
        for thread in self._threads:
            thread.join(timeout)
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def poke(self) -> None:
        """Something was written to the store: look at once."""
        with self._condition:
            self._pokes += 1
            self._condition.notify_all()

    def _listen(self, stream: ApplicationStream) -> None:
        stream.run(self._application_changed, self._stopping)

    def _application_changed(self, key: ApplicationKey) -> None:
        """A frame is an alarm clock for the targets that wait for this application.

        Frames of applications that nobody waits for are many: one of them asks for one look.
        """
        with self._condition:
            targets = self._notified(key.name)
            fresh = [target for target in targets if key.name not in self._changed.get(target, ())]
            for target in fresh:
                self._changed.setdefault(target, set()).add(key.name)
            found = [each for each in self._attention.values() if key.name in each.others]
            for each in found:
                self._attention[each.target] = replace(each, others=frozenset())
        now = self._clock()
        wakes = [([target], now) for target in fresh]
        wakes += [([each.target], max(now, each.others_from)) for each in found]
        if wakes:
            try:
                for targets, at in wakes:
                    self._store.wake(targets, at)
            except StoreUnavailable as error:
                log.warning("cannot wake", reason=str(error))
            self.poke()

    def _work(self, name: str) -> None:
        owner = f"{name}-{secrets.token_hex(4)}"
        while not self._stopping.is_set():
            with self._condition:
                pokes = self._pokes
            try:
                busy = self.turn(owner)
                until = None if busy else self._store.next_wake()
            except StoreUnavailable as error:
                log.warning("the database cannot be used", reason=str(error))
                busy, until = False, self._clock() + _AFTER_ERROR
            if busy:
                continue
            with self._condition:
                if self._pokes == pokes and not self._stopping.is_set():
                    self._condition.wait(self._seconds(until))

    def _seconds(self, until: datetime | None) -> float:
        longest = _LOOK_AT_STORE.total_seconds()
        if until is None:
            return longest
        return max(0.0, min(longest, (until - self._clock()).total_seconds()))

    def turn(self, owner: str) -> bool:
        """Settles what came in, then does one due tick. False when there was nothing to do."""
        settled = self._inbox.settle(self._clock())
        lease = self._store.lease(owner, self._clock(), self._outside.settings.lease)
        if lease is None:
            return settled
        with self._condition:
            changed = frozenset(self._changed.pop(lease.target, ()))
        began = self._clock()
        try:
            attention = self._ticker.tick(lease, changed)
        except LeaseLost as error:
            log.warning("somebody else has the target", reason=str(error))
            return True
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("a tick failed", target=lease.target)
            self._store.release(lease, wake_at=self._clock() + _AFTER_ERROR)
            return True
        if attention is not None:
            self._attend(attention, began)
        for listener in tuple(self._listeners):
            listener(lease.target)
        return True

    def _notified(self, application: str) -> list[str]:
        """Notes that an application was heard of; the targets that wait for it."""
        with self._condition:
            self._heard[application] = self._clock()
            found = self._attention.items()
            return [target for target, each in found if application in each.applications]

    def _attend(self, attention: Attention, began: datetime) -> None:
        """What was heard since the look began, of an application that nobody waited for before,
        may be newer than what was seen of it: it is looked at once more."""
        with self._condition:
            before = self._attention.get(attention.target)
            self._attention[attention.target] = attention
            new = attention.applications - (before.applications if before else frozenset())
            missed = {name for name in new if name in self._heard and self._heard[name] >= began}
            if missed:
                self._changed.setdefault(attention.target, set()).update(missed)
        if missed:
            self._store.wake([attention.target], self._clock())
            self.poke()
