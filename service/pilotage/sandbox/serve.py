"""Serve one application on loopback from a thread, for the demo and the tests."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from types import TracebackType
from typing import Any, Self

import uvicorn

_HOST = "127.0.0.1"


class ServerFailed(Exception):
    """The application did not start; the text says on which port."""


class Server:
    """A running server of an ASGI application with a `state`, such as FastAPI's.

    Requests are answered when it is made; `stop()` waits until it has ended. `url` has no slash at
    its end. Raises ServerFailed.

    An application that has to know its own address sets `app.state.on_serving`, a function that
    is called with `url` before the first request is taken. One that is told its address when it
    is made is served `on` a socket of `bound`.
    """

    def __init__(
        self,
        app: Any,
        port: int = 0,
        *,
        on: socket.socket | None = None,
    ) -> None:
        self._socket = on or bound(port)
        self.url = url_of(self._socket)
        self.port: int = self._socket.getsockname()[1]
        on_serving = getattr(app.state, "on_serving", None)
        if on_serving is not None:
            on_serving(self.url)
        self._started = threading.Event()
        self._server = _Announcing(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="on",
                server_header=False,
                timeout_graceful_shutdown=2,
            ),
            self._started,
        )
        self._thread = threading.Thread(target=self._run, name=f"serve:{self.port}", daemon=True)
        self._thread.start()
        if not self._started.wait(20) or not self._server.started:
            self.stop()
            raise ServerFailed(f"the application on port {self.port} did not start")

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._started.set()

    def stop(self) -> None:
        self._server.end()
        self._thread.join(timeout=10)
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def bound(port: int = 0) -> socket.socket:
    """Holds the port before anything is served on it. Raises ServerFailed."""
    # With the protocol named asyncio switches Nagle's algorithm off: 40 ms for each answer.
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((_HOST, port))
    except (OSError, OverflowError) as error:
        taken.close()
        why = error.strerror if isinstance(error, OSError) else "expected 0 to 65535"
        raise ServerFailed(f"port {port} of {_HOST} cannot be used: {why}") from error
    return taken


def url_of(taken: socket.socket) -> str:
    host, port = taken.getsockname()[:2]
    return f"http://{host}:{port}"


class _Announcing(uvicorn.Server):
    """Says when it has started, and ends at once instead of at its next tick."""

    def __init__(self, config: uvicorn.Config, started: threading.Event) -> None:
        super().__init__(config)
        self._announce = started
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)
        self._announce.set()

    async def main_loop(self) -> None:
        assert self._end is not None
        ticks = 0
        while not await self.on_tick(ticks):
            ticks = (ticks + 1) % 864_000
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), 0.1)

    def end(self) -> None:
        self.should_exit = True
        if self._loop is not None and self._end is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end.set)
