"""Argo CD's stream of changed applications: it wakes whoever watches them, and decides nothing.

Events can be lost (Argo CD drops them when it is busy, and says nothing of what happened while the
connection was down), so the periodic look stays the truth; the stream only makes it prompt.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from pilotage.adapters.argocd import wire
from pilotage.adapters.argocd.connection import Bearer, checked_token, checked_url, tls
from pilotage.core.application import ApplicationKey

# Argo CD drops a frame that equals the one before: with the fields that a verdict turns on, the
# reconciliations of every few minutes in which nothing happened wake nobody.
_FIELDS = ",".join(
    f"result.{field}"
    for field in (
        "type",
        "application.metadata.name",
        "application.metadata.namespace",
        "application.metadata.uid",
        "application.metadata.deletionTimestamp",
        "application.operation",
        "application.status.sync",
        "application.status.health",
        "application.status.conditions",
        "application.status.summary.images",
        "application.status.operationState.phase",
        "application.status.operationState.startedAt",
        "application.status.operationState.finishedAt",
        "application.status.operationState.retryCount",
    )
)
_LONGEST_LINE = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StreamTimes:
    """In seconds. Argo CD sends a heart-beat every 15 s, but only after a first frame."""

    connect: float = 5
    headers: float = 15
    silence: float = 45
    first_retry: float = 0.5
    last_retry: float = 30


class StreamEndedError(Exception):
    """The stream is over; `str` says why, for the log."""


class ApplicationStream:
    """One connection to one server, kept up until told to stop.

    `run` blocks and belongs into a thread of its own. A frame is passed on as soon as it has been
    read. `on_trouble` hears why a connection ended, before the pause until the next.
    """

    def __init__(
        self,
        server: str,
        url: str,
        token: SecretStr,
        *,
        ca: str | None = None,
        verify: bool = True,
        times: StreamTimes = StreamTimes(),
        on_trouble: Callable[[str], None] | None = None,
    ) -> None:
        self.server = server
        self.url = checked_url(url)
        self._auth, self._tls = Bearer(checked_token(token)), tls(ca, verify)
        self._times, self._on_trouble = times, on_trouble

    def __repr__(self) -> str:
        return f"ApplicationStream({self.server!r}, {self.url!r})"

    def run(self, on_change: Callable[[ApplicationKey], None], stop: threading.Event) -> None:
        """Calls `on_change` for each frame until `stop` is set, which ends it at once.

        `on_change` belongs to this thread: it must be quick and must not raise.

        A new connection begins with a frame for every application, so nothing is missed for long.
        """
        connection, failures = _Connection(), 0
        threading.Thread(target=connection.close_when, args=(stop,), daemon=True).start()
        with httpx.Client(auth=self._auth, verify=self._tls, follow_redirects=False) as client:
            while not stop.is_set():
                began = time.monotonic()
                try:
                    for key in self._changes(client, connection):
                        on_change(key)
                        if stop.is_set():
                            return
                    trouble = "the server ended the stream"
                except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
                    trouble = type(error).__name__
                except StreamEndedError as error:
                    trouble = str(error)
                if self._on_trouble is not None and not stop.is_set():
                    self._on_trouble(trouble)
                lasted = time.monotonic() - began > self._times.last_retry
                failures = 0 if lasted else failures
                stop.wait(self._pause(failures))
                failures += 1

    def _changes(self, client: httpx.Client, connection: _Connection) -> Iterator[ApplicationKey]:
        times = self._times
        timeout = httpx.Timeout(times.headers, connect=times.connect)
        # The transport reads this very mapping again for the body.
        seconds: dict[str, Any] = timeout.as_dict()
        request = client.build_request(
            "GET",
            f"{self.url}/api/v1/stream/applications",
            params={"fields": _FIELDS},
            headers={"Accept": "text/event-stream"},
            extensions={"timeout": seconds, "trace": connection.follow},
        )
        response = client.send(request, stream=True)
        try:
            if response.status_code != httpx.codes.OK:
                raise StreamEndedError(f"the server answered {response.status_code}")
            seconds["read"] = times.silence
            for line in _lines(response.iter_bytes()):
                if (key := self._changed(line)) is not None:
                    yield key
        finally:
            response.close()

    def _changed(self, line: bytes) -> ApplicationKey | None:
        """None for heart-beats and blank lines."""
        data = line.removeprefix(b"data:").strip()
        if not data or data.startswith(b":"):
            return None
        try:
            frame = wire.read(wire.Frame, data)
        except wire.UnreadableError as error:
            raise StreamEndedError(f"a frame that cannot be read: {error}") from None
        if frame.error is not None:
            raise StreamEndedError(f"{frame.error.http_code}: {frame.error.message}")
        if frame.result is None or not frame.result.application.metadata.name:
            return None
        metadata = frame.result.application.metadata
        return ApplicationKey(self.server, metadata.namespace, metadata.name)

    def _pause(self, failures: int) -> float:
        """Twice as long each time, and never in step with other replicas."""
        longest = min(self._times.last_retry, self._times.first_retry * 2.0 ** min(failures, 16))
        return longest * random.uniform(0.5, 1)  # noqa: S311


class _Connection:
    """The socket of the moment, so that a blocked read can be ended from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._closed = False

    def follow(self, event: str, info: dict[str, Any]) -> None:
        """httpcore's trace: a stream comes with the TCP connection, and another with TLS."""
        if event not in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            return
        found = info["return_value"].get_extra_info("socket")
        with self._lock:
            self._socket = found
            if self._closed:
                self._shut()

    def close_when(self, stop: threading.Event) -> None:
        stop.wait()
        with self._lock:
            self._closed = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _lines(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Each line as soon as its end has come."""
    begun: list[bytes] = []
    size = 0
    for part in parts:
        end, *lines = part.split(b"\n")
        begun.append(end)
        if lines:
            yield b"".join(begun)
            yield from lines[:-1]
            begun, size = lines[-1:], 0
        size += len(begun[-1])
        if size > _LONGEST_LINE:
            raise StreamEndedError("a frame that is too long")
