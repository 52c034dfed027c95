"""`GET /api/v1/stream/applications`: changes as they happen, plain or as server-sent events."""

import asyncio
import json
from collections import deque
from types import TracebackType
from typing import Any, Self

from fastapi import Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from pilotage.sandbox.argocd.accounts import Account, UnauthenticatedError
from pilotage.sandbox.argocd.answers import selected
from pilotage.sandbox.argocd.stand_in import ArgoCD
from pilotage.sandbox.argocd.state import Application, Json

Change = tuple[str, Application, Json]


class Changes:
    """What is published from now on, for one coroutine. `next` gives None when it is cut."""

    def __init__(self, argocd: ArgoCD) -> None:
        self._argocd = argocd
        self._found: deque[Change | None] = deque(maxlen=1000)
        self._there = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        self._end = self._argocd.store.subscribe(
            lambda *change: self._put(change), lambda: self._put(None)
        )
        if self._argocd.closed:
            self._put(None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _put(self, change: Change | None) -> None:
        self._found.append(change)
        try:
            self._loop.call_soon_threadsafe(self._there.set)
        except RuntimeError:  # the loop has been closed meanwhile
            return

    async def ended(self) -> None:
        """Return when it is cut."""
        while await self.next() is not None:
            pass

    async def next(self) -> Change | None:
        while not self._found:
            self._there.clear()
            if not self._found:
                await self._there.wait()
        return self._found.popleft()


class FrameStream(Response):
    """Headers go out with the first frame and not before, as in Argo CD: for an application that
    is missing or may not be seen there is never any answer."""

    def __init__(self, argocd: ArgoCD, request: Request) -> None:
        super().__init__()
        self._argocd = argocd
        self._query = request.query_params
        self._authorization = request.headers.get("authorization", "")
        self._events = "text/event-stream" in request.headers.get("accept", "")
        self._started = False
        self._last: dict[str, Json] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._send = send
        try:
            account = self._argocd.accounts.authenticate(self._authorization)
        except UnauthenticatedError as error:
            await self._refuse(401, 16, str(error), "Unauthorized")
            return
        try:
            for app in tuple(self._argocd.store.applications.values()):
                selected(app, self._query.get("selector", ""))
        except ValueError as error:
            wrong = f"error parsing labels with selectors: {error}"
            await self._refuse(500, 2, wrong, "Internal Server Error")
            return
        gone = asyncio.ensure_future(_disconnected(receive))
        frames = asyncio.ensure_future(self._frames(account))
        await asyncio.wait((gone, frames), return_when=asyncio.FIRST_COMPLETED)
        for task in (gone, frames):
            task.cancel()
        await asyncio.gather(gone, frames, return_exceptions=True)

    async def _frames(self, account: Account) -> None:
        with Changes(self._argocd) as changes:
            for app, document in self._present(account):
                await self._frame("ADDED", app, document)
            while True:
                try:
                    async with asyncio.timeout(self._argocd.timings.heartbeat):
                        change = await changes.next()
                except TimeoutError:
                    await self._beat()
                    continue
                if change is None:
                    await self._finish()
                    return
                if self._wanted(account, change[1]):
                    await self._frame(*change)

    def _present(self, account: Account) -> list[tuple[Application, Json]]:
        """The state at the start: of a named application always, of all only without a version."""
        if not self._query.get("name") and self._query.get("resourceVersion"):
            return []
        with self._argocd.store.lock:
            return [
                (app, self._argocd.store.document(app.name))
                for app in self._argocd.store.applications.values()
                if self._wanted(account, app)
            ]

    def _wanted(self, account: Account, app: Application) -> bool:
        query = self._query
        projects = query.getlist("projects") + query.getlist("project")
        version = query.get("resourceVersion", "")
        return (
            account.can("applications", "get", f"{app.project}/{app.name}")
            and query.get("name") in (None, "", app.name)
            and query.get("appNamespace") in (None, "", "argocd")
            and (not projects or app.project in projects)
            and selected(app, query.get("selector", ""))
            and not (version.isdecimal() and app.resource_version < int(version))
        )

    async def _frame(self, kind: str, app: Application, document: Json) -> None:
        frame: Json = {"result": {"type": kind, "application": document}}
        if fields := self._query.get("fields"):
            frame = mask(frame, fields.split(","))
            if self._last.get(app.name) == frame:
                return
            self._last[app.name] = frame
        text = json.dumps(frame, separators=(",", ":"))
        await self._write(f"data: {text} \n\n\n" if self._events else f"{text}\n")

    async def _beat(self) -> None:
        if self._events and self._started:
            await self._write(":\n")

    async def _write(self, text: str) -> None:
        if not self._started:
            kind = b"text/event-stream" if self._events else b"application/json"
            await self._start(200, kind)
        await self._send({"type": "http.response.body", "body": text.encode(), "more_body": True})

    async def _start(self, status: int, kind: bytes) -> None:
        self._started = True
        headers = [(b"content-type", kind)]
        if status == 200:
            headers.append((b"grpc-metadata-content-type", b"application/grpc"))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _finish(self) -> None:
        if not self._started:
            await self._start(503, b"text/plain; charset=utf-8")
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _refuse(self, status: int, code: int, message: str, name: str) -> None:
        error = {"grpc_code": code, "http_code": status, "message": message, "http_status": name}
        await self._start(status, b"application/json")
        body = json.dumps({"error": error}, separators=(",", ":")).encode()
        await self._send({"type": "http.response.body", "body": body, "more_body": False})


def mask(document: Json, fields: list[str]) -> Json:
    """Only these dotted fields, with everything below them."""
    masked: Json = {}
    for field in fields:
        source: Any = document
        into = masked
        *way, last = field.split(".")
        for part in way:
            source = source.get(part) if isinstance(source, dict) else None
        if not isinstance(source, dict) or last not in source:
            continue
        for part in way:
            into = into.setdefault(part, {})
        into[last] = source[last]
    return masked


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
