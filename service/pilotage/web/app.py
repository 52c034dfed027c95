"""The one ASGI application of `pilotage serve`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pilotage.clock import utc_now
from pilotage.settings import Settings
from pilotage.store import Store, StoreError, StoreUnavailable
from pilotage.web import api, health, hooks, pages
from pilotage.web.backend import Backend, Engine

log = structlog.get_logger()

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_TOLD = (401, 408, 503)
"""Refusals of which the sender may never tell us: a secret that was changed on one side only."""


def create_app(
    settings: Settings,
    store: Store,
    engine: Engine,
    clock: Callable[[], datetime] = utc_now,
) -> FastAPI:
    """Everything that is served. `app.state.stopping` (an Event) ends what waits for an answer,
    `app.state.bodies.stop()` (in the event loop) what waits for the rest of a body."""
    backend = Backend(settings, store, engine, clock)
    app = FastAPI(
        title="Pilotage",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.stopping = backend.stopping
    app.state.bodies = backend.bodies
    app.include_router(hooks.routes(backend))
    app.include_router(api.routes(backend))
    app.include_router(health.routes(backend))
    app.include_router(pages.routes(backend))
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(StoreError, _unavailable)
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(_Guarded)
    return app


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code in _TOLD:
        sender = request.client.host if request.client else ""
        path = request.url.path[:200]
        log.warning("refused", path=path, sender=sender, status=error.status_code, why=error.detail)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    """Nothing was kept, so the sender must come again; why is for the log, not for strangers."""
    log.error("the database failed", reason=str(error))
    if isinstance(error, StoreUnavailable):
        again = {"Retry-After": "15"}
        return JSONResponse({"error": "the database cannot be used now"}, 503, headers=again)
    return JSONResponse({"error": "what is stored cannot be read; see the log"}, 500)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    log.error("a request failed", path=request.url.path, exc_info=error)
    return JSONResponse({"error": "this is a mistake of the service; see its log"}, 500)


class _Guarded:
    """The same headers on every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, guarded if scope["type"] == "http" else send)
