"""Where everything stands: the applications, the clock, what is due, and who is told of changes."""

import heapq
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from itertools import count

from pilotage.sandbox.argocd.documents import application_document
from pilotage.sandbox.argocd.state import Application, Json, Timings

Clock = Callable[[], float]
Subscriber = Callable[[str, Application, Json], None]


def system_clock() -> Clock:
    """Seconds since the epoch that never run backwards."""
    start = time.time() - time.monotonic()
    return lambda: start + time.monotonic()


class ManualClock:
    """A clock that stands still until `ArgoCD.advance` moves it."""

    def __init__(self, now: float = 1_795_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Store:
    """Everything is read and changed under `lock`; `wake` is notified when something becomes due,
    `published` after each change of an application."""

    def __init__(self, clock: Clock, timings: Timings) -> None:
        self.clock = clock
        self.timings = timings
        self.lock = threading.RLock()
        self.wake = threading.Condition(self.lock)
        self.published = threading.Condition(self.lock)
        self.applications: dict[str, Application] = {}
        self.resource_version = 1000
        self._documents: dict[str, Json] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._subscribers: list[Subscriber] = []
        self._cutters: list[Callable[[], None]] = []

    def at(self, delay: float, action: Callable[[], None]) -> None:
        """Let the controller do something, `delay` seconds from now."""
        with self.lock:
            heapq.heappush(self._due, (self.clock() + delay, next(self._order), action))
            self.wake.notify_all()

    def next_due(self) -> float | None:
        return self._due[0][0] if self._due else None

    def take_due(self, now: float) -> Iterator[Callable[[], None]]:
        while self._due and self._due[0][0] <= now:
            yield heapq.heappop(self._due)[2]

    def add(self, app: Application) -> None:
        self.applications[app.name] = app
        self.publish(app)

    def remove(self, app: Application) -> None:
        if self.applications.pop(app.name, None) is not None:
            self.resource_version += 1
            app.resource_version = self.resource_version
            self._documents.pop(app.name, None)
            self._tell("DELETED", app, application_document(app))

    def has(self, app: Application) -> bool:
        return self.applications.get(app.name) is app

    def publish(self, app: Application) -> None:
        """Tell everybody of a change; nothing happens if nothing that can be seen has changed."""
        if not self.has(app):
            return
        before = self._documents.get(app.name)
        document = application_document(app)
        if before is not None and _same(before, document):
            return
        self.resource_version += 1
        app.resource_version = self.resource_version
        app.generation += before is not None
        document = application_document(app)
        self._documents[app.name] = document
        self._tell("ADDED" if before is None else "MODIFIED", app, document)

    def document(self, name: str) -> Json:
        """The present answer for one application, as last published."""
        return self._documents[name]

    def subscribe(
        self, subscriber: Subscriber, cut: Callable[[], None] | None = None
    ) -> Callable[[], None]:
        """Call `subscriber` with ADDED, MODIFIED or DELETED, the application and its document,
        under the lock, and `cut` when streams are to end; returns what ends it."""
        with self.lock:
            self._subscribers.append(subscriber)
            if cut is not None:
                self._cutters.append(cut)

        def end() -> None:
            with self.lock:
                self._subscribers = [one for one in self._subscribers if one is not subscriber]
                self._cutters = [one for one in self._cutters if one is not cut]

        return end

    def cut_streams(self) -> None:
        """End every open stream."""
        with self.lock:
            for cut in tuple(self._cutters):
                cut()

    def _tell(self, kind: str, app: Application, document: Json) -> None:
        for subscriber in tuple(self._subscribers):
            subscriber(kind, app, document)
        self.published.notify_all()


def new_uid() -> str:
    return str(uuid.uuid4())


def _same(one: Json, other: Json) -> bool:
    changing = ("resourceVersion", "generation")
    return {
        **one,
        "metadata": {key: value for key, value in one["metadata"].items() if key not in changing},
    } == {
        **other,
        "metadata": {key: value for key, value in other["metadata"].items() if key not in changing},
    }
