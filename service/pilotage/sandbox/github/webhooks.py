"""Webhooks out: signed, in the order of happening, tried once, as github.com does it."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import httpx

from pilotage.sandbox.github.model import Hook

GIVES_UP_AFTER = 10.0  # seconds, as github.com
LARGEST = 25 * 1024 * 1024  # bytes; github.com does not send more


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt. A redelivery is an attempt of its own under the same `guid`."""

    id: int
    guid: str
    hook: Hook
    event: str
    action: str | None
    body: bytes
    redelivery: bool = False
    status_code: int | None = None
    error: str | None = None
    dropped: bool = False
    late: float = 0.0  # seconds to hold it back
    delivered_at: datetime | None = None

    @property
    def payload(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Disturbance:
    """What goes wrong with the next `times` deliveries of `event` ("*": of any)."""

    kind: Literal["drop", "double", "delay", "hold_back"]
    event: str
    times: int
    seconds: float = 0.0
    held: list[Delivery] = field(default_factory=list)


def signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Webhooks:
    """A queue and one worker thread. `log` keeps every attempt, oldest first."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._queue: queue.Queue[Delivery | None] = queue.Queue()
        self._lock = threading.RLock()
        self._disturbances: list[Disturbance] = []
        self._ids = 0
        self._thread: threading.Thread | None = None
        self._client: httpx.Client | None = None
        self._closed = threading.Event()
        self.log: list[Delivery] = []

    def send(self, hook: Hook, event: str, payload: dict[str, Any]) -> None:
        """Queue one event for one hook, if the hook wants it."""
        if event != "ping" and event not in hook.events and "*" not in hook.events:
            return
        if hook.installation_id is not None:
            payload = payload | {"installation": {"id": hook.installation_id}}
        body = json.dumps(payload, separators=(",", ":")).encode()
        with self._lock:
            delivery = Delivery(
                self._next_id(), str(uuid.uuid4()), hook, event, payload.get("action"), body
            )
            if len(body) > LARGEST:
                self.log.append(replace(delivery, dropped=True, error="larger than 25 MB"))
                return
            self._disturbed(delivery)
            self._start()

    def redeliver(self, delivery_id: int) -> None:
        """Send the same body under the same delivery id again, as the button of github.com does.
        Raises KeyError if there was no such delivery."""
        with self._lock:
            found = next((each for each in self.log if each.id == delivery_id), None)
            if found is None:
                raise KeyError(delivery_id)
            again = replace(
                found,
                id=self._next_id(),
                redelivery=True,
                dropped=False,
                status_code=None,
                late=0.0,
            )
            self._queue.put(again)
            self._start()

    # What goes wrong ---------------------------------------------------------------------

    def drop(self, event: str = "*", times: int = 1) -> None:
        """Lose the next deliveries: they are in the log, marked `dropped`."""
        self._disturb(Disturbance("drop", event, times))

    def double(self, event: str = "*", times: int = 1) -> None:
        """Deliver twice under the same id."""
        self._disturb(Disturbance("double", event, times))

    def delay(self, seconds: float, event: str = "*", times: int = 1) -> None:
        """Deliver late, and all that comes after it too."""
        self._disturb(Disturbance("delay", event, times, seconds))

    def reverse(self, count: int, event: str = "*") -> None:
        """Hold back the next `count` deliveries and send them in reverse order."""
        self._disturb(Disturbance("hold_back", event, count))

    def calm(self) -> None:
        """End all disturbances; what was held back goes out."""
        with self._lock:
            for disturbance in self._disturbances:
                for delivery in disturbance.held:
                    self._queue.put(delivery)
            self._disturbances.clear()

    def _disturb(self, disturbance: Disturbance) -> None:
        with self._lock:
            self._disturbances.append(disturbance)

    def _disturbed(self, delivery: Delivery) -> None:
        for disturbance in self._disturbances:
            if disturbance.event not in ("*", delivery.event):
                continue
            disturbance.times -= 1
            if disturbance.times == 0:
                self._disturbances.remove(disturbance)
            self._apply(disturbance, delivery)
            return
        self._queue.put(delivery)

    def _apply(self, disturbance: Disturbance, delivery: Delivery) -> None:
        match disturbance.kind:
            case "drop":
                self.log.append(replace(delivery, dropped=True))
            case "double":
                self._queue.put(delivery)
                self._queue.put(replace(delivery, id=self._next_id()))
            case "delay":
                self._queue.put(replace(delivery, late=disturbance.seconds))
            case "hold_back":
                disturbance.held.append(delivery)
                if disturbance.times == 0:
                    for held in reversed(disturbance.held):
                        self._queue.put(held)

    # The worker --------------------------------------------------------------------------

    def drain(self, timeout: float = 10.0) -> bool:
        """Wait until everything queued was tried. False if that took longer."""
        deadline = time.monotonic() + timeout
        with self._queue.all_tasks_done:
            while self._queue.unfinished_tasks:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._queue.all_tasks_done.wait(left)
        return True

    def close(self) -> None:
        with self._lock:
            self._closed.set()
            thread = self._thread
        if thread is not None:
            self._queue.put(None)
            thread.join(timeout=GIVES_UP_AFTER + 2)
        if self._client is not None:
            self._client.close()

    def _next_id(self) -> int:
        self._ids += 1
        return self._ids

    def _start(self) -> None:
        if self._thread is None and not self._closed.is_set():
            self._client = httpx.Client(timeout=GIVES_UP_AFTER, trust_env=False)
            self._thread = threading.Thread(target=self._work, name="webhooks", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (delivery := self._queue.get()) is not None:
            if not self._closed.is_set():
                tried = self._try(delivery)
                with self._lock:
                    self.log.append(tried)
            self._queue.task_done()
        self._queue.task_done()

    def _try(self, delivery: Delivery) -> Delivery:
        assert self._client is not None
        if self._closed.wait(delivery.late):
            return replace(delivery, dropped=True)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/sandbox",
            "X-GitHub-Event": delivery.event,
            "X-GitHub-Delivery": delivery.guid,
            "X-GitHub-Hook-ID": str(delivery.hook.id),
            "X-Hub-Signature-256": signature(delivery.hook.secret, delivery.body),
        }
        try:
            answer = self._client.post(delivery.hook.url, content=delivery.body, headers=headers)
        except httpx.HTTPError as error:
            return replace(delivery, error=repr(error), delivered_at=self._now())
        return replace(
            delivery, status_code=answer.status_code, error=None, delivered_at=self._now()
        )
