"""`pilotage serve`: the service itself."""

from __future__ import annotations

import ctypes
import resource
import signal
import socket
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from pilotage.cli.output import Exit, fail

if TYPE_CHECKING:
    from pilotage.settings import Settings

_GRACE = 10
"""Seconds that open requests have to end."""
_MALLOC = ((-8, 1), (-3, 128 * 1024), (-1, 128 * 1024))
"""M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of mallopt(3), as malloc.h numbers them."""
_BACKLOG = 128
"""So many are taken at once before any is hung up on: with more of them files could run out."""


def serve(
    config: Annotated[
        Path | None,
        typer.Option(
            envvar="PILOTAGE_CONFIG", help="Settings in TOML; PILOTAGE_… variables add to it."
        ),
    ] = None,
    migrate: Annotated[
        bool, typer.Option(help="Bring the database's schema up to date first.")
    ] = True,
) -> None:
    """Run the service until SIGTERM or Ctrl-C.

    What is under way is finished first.
    """
    from pilotage import logs
    from pilotage.settings import SettingsError, load_settings
    from pilotage.store import StoreError

    _give_memory_back()
    try:
        settings = load_settings(config)
    except SettingsError as error:
        fail(str(error), Exit.USAGE)
    logs.configure(json=settings.json_logs, secrets=logs.secrets_of(settings))
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{settings.data} cannot be used for data: {error.strerror}", Exit.USAGE)
    try:
        _run(settings, migrate=migrate)
    except StoreError as error:
        fail(str(error), Exit.NO)


def _give_memory_back() -> None:
    """Of glibc: one arena for all threads, and large blocks return to the system when they are
    freed. Each thread would otherwise keep as much as its largest answer of Argo CD once took."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # another C library has its own ways
        for parameter, value in _MALLOC:
            mallopt(parameter, value)


def _run(settings: Settings, *, migrate: bool) -> None:
    import structlog

    from pilotage.engine.outside import Outside
    from pilotage.engine.worker import Engine
    from pilotage.store import Store
    from pilotage.web.app import create_app

    log = structlog.get_logger()
    with _listening(settings.host, settings.port) as listener:
        with Store.open(settings.database_url, migrate=migrate) as store:
            outside = Outside(settings)
            engine = Engine(outside, store)
            try:
                app = create_app(settings, store, engine)
                engine.start()
                log.info("serving", url=_address(listener), repositories=settings.repositories)
                _until_told(app, listener, settings)
                log.info("stopping", detail="what is under way is finished first")
            finally:
                engine.stop()
                outside.close()
        log.info("stopped")


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        fail(f"port {port} of {host} cannot be used: {error.strerror or error}", Exit.USAGE)


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _most_connections(settings: Settings) -> int:
    """The other half is for git, the database and the calls to others."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return settings.connections if files < 0 else min(settings.connections, files // 2)


def _until_told(app: object, listener: socket.socket, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    import uvicorn
    from fastapi import FastAPI

    from pilotage.web.connections import limited

    assert isinstance(app, FastAPI)
    stopping, bodies = app.state.stopping, app.state.bodies

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            stopping.set()
            super().handle_exit(sig, frame)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            bodies.stop()
            await super().shutdown(sockets)

    # uvicorn raises the signal again when it has ended; by itself that would end the process
    # before the engine has finished.
    kept = {each: signal.signal(each, _ignored) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        server = Server(
            uvicorn.Config(
                app,
                http=limited(_most_connections(settings), settings.body_timeout.total_seconds()),
                ws="none",
                backlog=_BACKLOG,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        server.run(sockets=[listener])
    finally:
        for each, handler in kept.items():
            signal.signal(each, handler)


def _ignored(_signal: int, _frame: FrameType | None) -> None:
    """The server has heard it."""
