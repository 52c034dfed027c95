"""The stand-in over HTTP: the API, GitHub's webhook, the control endpoint and the pages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from pilotage.sandbox.argocd import actions, control, pages, rest
from pilotage.sandbox.argocd.answers import ApiError, on_api_error, on_http_error, text
from pilotage.sandbox.argocd.stand_in import ArgoCD
from pilotage.sandbox.argocd.stream import Changes

_LOOPBACK = ("127.0.0.1", "localhost", "::1", "testserver")
_LONGEST_HANG = 60.0
_READS = ("GET", "HEAD", "OPTIONS")


def create_app(argocd: ArgoCD) -> FastAPI:
    """The ASGI application; its lifespan starts and closes `argocd`."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        argocd.start()
        yield
        argocd.close()

    app = FastAPI(
        openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan
    )
    app.state.argocd = argocd
    app.add_exception_handler(ApiError, on_api_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.include_router(rest.router)
    app.include_router(actions.router)
    app.include_router(control.router)
    app.include_router(pages.router)
    app.add_api_route("/healthz", lambda: text(200, "ok"))
    app.add_middleware(Gate, argocd=argocd)
    return app


class Gate:
    """What is refused before anything is looked at: foreign hosts, wrong content types, and
    everything while a fault is on."""

    def __init__(self, app: ASGIApp, argocd: ArgoCD) -> None:
        self._app = app
        self._argocd = argocd

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._refusal(scope) if scope["type"] == "http" else None
        if answer is not None:
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Response | None:
        headers, path, method = Headers(scope=scope), scope["path"], scope["method"]
        if _host(headers.get("host", "")) not in _LOOPBACK:
            return PlainTextResponse("This Argo CD answers on loopback only.\n", 421)
        if path.startswith("/api/"):
            query = scope["query_string"].decode("latin-1")
            self._argocd.asked.append(f"{method} {path}{'?' if query else ''}{query}")
            if (fault := await self._fault()) is not None:
                return fault
            kind = headers.get("content-type")
            gateway = path != "/api/webhook"
            if gateway and method not in _READS and kind != "application/json":
                return text(415, "Invalid content type")
        elif method not in _READS and not _own(headers):
            return PlainTextResponse("Only this site's own pages may do that.\n", 403)
        return None

    async def _fault(self) -> Response | None:
        faults, store = self._argocd.faults, self._argocd.store
        left = faults.unreachable_until - store.clock()
        if left > 0:
            if faults.hang:
                with Changes(self._argocd) as changes, suppress(TimeoutError):
                    await asyncio.wait_for(changes.ended(), min(left, _LONGEST_HANG))
            return text(503, "Service Unavailable")
        with store.lock:
            if faults.server_errors > 0:
                faults.server_errors -= 1
                message = "rpc error: code = Unknown desc = an error of the sandbox's own making"
                body = {"error": message, "code": 2, "message": message}
                return JSONResponse(body, 500)
        return None


def _host(header: str) -> str:
    return urlsplit(f"//{header}").hostname or ""


def _own(headers: Headers) -> bool:
    """Not sent by a page of somebody else's."""
    origin = headers.get("origin")
    if origin in (None, "null"):
        return headers.get("sec-fetch-site") in (None, "same-origin", "none")
    return urlsplit(origin).netloc == headers.get("host")
