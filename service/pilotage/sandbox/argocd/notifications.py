"""Argo CD's notifications: a webhook on deployed, sync failed and degraded.

As the real ones they are hints: sent once for a revision, and lost after three failures."""

import queue
import threading

import httpx

from pilotage.sandbox.argocd.documents import CONTROL_PLANE
from pilotage.sandbox.argocd.state import Application, Json
from pilotage.sandbox.argocd.store import Store

_TRIES = 3
_TIMEOUT = 5.0
_BETWEEN_TRIES = 0.2
"""Seconds."""


class Notifications:
    """Posts from a thread of its own, in order."""

    def __init__(self, store: Store, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._sent: dict[tuple[str, str], str] = {}
        self._health: dict[str, str] = {}
        self._queue: queue.SimpleQueue[Json | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self.lost = 0
        self._end = store.subscribe(self._changed)
        self._thread = threading.Thread(target=self._run, name="argocd-notify", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end()
        self._closing.set()
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _changed(self, kind: str, app: Application, document: Json) -> None:
        if kind == "DELETED":
            return
        before, self._health[app.uid] = self._health.get(app.uid), app.health
        if any(
            self._first(app, trigger, once)
            for trigger, once in triggers(document, degraded_before=before == "Degraded")
        ):
            self._queue.put(body(document))

    def _first(self, app: Application, trigger: str, once: str) -> bool:
        known = self._sent.get((app.uid, trigger))
        self._sent[app.uid, trigger] = once
        return known != once or not once

    def _run(self) -> None:
        with httpx.Client(headers=self._headers, timeout=_TIMEOUT) as client:
            while (content := self._queue.get()) is not None:
                if not any(self._post(client, content) for _ in range(_TRIES)):
                    self.lost += 1

    def _post(self, client: httpx.Client, content: Json) -> bool:
        """Whether that is the end of it: delivered, or refused."""
        try:
            if client.post(self._url, json=content).status_code < 500:
                return True
        except httpx.HTTPError:
            pass
        return self._closing.wait(_BETWEEN_TRIES)


def triggers(document: Json, *, degraded_before: bool) -> list[tuple[str, str]]:
    """Which triggers fire, and what each fires once for; empty: at every change into it."""
    status = document["status"]
    operation = status.get("operationState", {})
    health, phase = status["health"].get("status"), operation.get("phase")
    fired = []
    if phase == "Succeeded" and health == "Healthy" and status["sync"]["status"] == "Synced":
        sync = status["sync"]
        fired.append(("on-deployed", str(sync.get("revisions") or sync.get("revision"))))
    if phase in ("Error", "Failed"):
        fired.append(("on-sync-failed", str(operation.get("finishedAt"))))
    if health == "Degraded" and not degraded_before:
        fired.append(("on-health-degraded", ""))
    return fired


def body(document: Json) -> Json:
    """The template of the documentation: what Pilotage is told."""
    status = document["status"]
    return {
        "app": document["metadata"]["name"],
        "ns": CONTROL_PLANE,
        "project": document["spec"]["project"],
        "sync": status["sync"],
        "health": status["health"],
        "op": status.get("operationState"),
        "conditions": status.get("conditions"),
    }
