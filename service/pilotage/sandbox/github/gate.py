"""What every request to the REST API passes: identity, limits, faults, the log, ETags."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import jwt
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pilotage.sandbox.github.errors import Refused
from pilotage.sandbox.github.faults import Asked, Fault
from pilotage.sandbox.github.model import App, Credential
from pilotage.sandbox.github.state import State

Identity = Credential | App
LONGEST_HANG = 60.0  # seconds
DOCUMENTATION = "https://docs.github.com/rest"


def identify(state: State, authorization: str) -> Identity:
    """Who asks, by token, basic password or App JWT. Raises Refused (401)."""
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    if not value:
        raise Refused(401, "Requires authentication")
    if scheme.lower() == "basic":
        value = _basic_password(value)
    elif scheme.lower() == "bearer" and value.count(".") == 2:
        return _app_of(state, value)
    elif scheme.lower() not in ("bearer", "token"):
        raise Refused(401, "Bad credentials")
    found = state.credential(value)
    if found is None:
        raise Refused(401, "Bad credentials")
    return found


def _basic_password(value: str) -> str:
    """The token of `user:TOKEN` or `x-access-token:TOKEN`."""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _app_of(state: State, token: str) -> App:
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
        app = state.apps[int(str(issuer))]
    except (jwt.PyJWTError, ValueError, KeyError) as error:
        raise Refused(401, "A JSON web token could not be decoded") from error
    try:
        claims = jwt.decode(
            token,
            app.public_key,
            algorithms=["RS256"],
            options={"require": ["exp", "iat", "iss"], "verify_exp": False, "verify_iat": False},
        )
    except jwt.PyJWTError as error:
        raise Refused(401, "A JSON web token could not be decoded") from error
    now = state.clock().timestamp()
    if not now < float(claims["exp"]) <= now + 660:
        message = "'Expiration time' claim ('exp') is in the past or too far in the future"
        raise Refused(401, message)
    if float(claims["iat"]) > now + 60:
        raise Refused(401, "'Issued at' claim ('iat') must be an Integer in the past")
    return app


@dataclass(slots=True)
class _Usage:
    """What one credential has used of its hour."""

    since: datetime
    used: int = 0
    writes: list[datetime] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Gate:
    """ASGI middleware around the REST API. Answers are small and held whole, so that a write can
    take hold and its answer be lost."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state
        self._usage: dict[str, _Usage] = {}
        self._last: dict[str, Answer] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        path = scope["path"].removeprefix("/api").removeprefix("/v3")
        login, answer = await self._answer(request, path, receive)
        asked = Asked(request.method, path, answer.status, login, self._state.clock())
        self._state.requests.add(asked)
        await _send(answer, send)

    async def _answer(self, request: Request, path: str, receive: Receive) -> tuple[str, Answer]:
        fault = self._state.faults.take(request.method, path)
        if fault is not None and fault.kind == "hang":
            await asyncio.sleep(min(fault.seconds, LONGEST_HANG))
        if fault is not None and fault.kind == "answer" and not fault.after:
            return "", _faulty(fault)
        try:
            who = await run_in_threadpool(
                identify, self._state, request.headers.get("authorization", "")
            )
        except Refused as refused:
            return "", refusal(refused)
        login = who.slug if isinstance(who, App) else who.account.login
        try:
            limits = self._spend(request.method, path, login)
        except Refused as refused:
            return login, self._limited(refused, login)
        usage = self._usage[login]
        request.scope["identity"] = who
        request.scope["used"] = usage.used
        request.scope["reset"] = int(limits["x-ratelimit-reset"])
        answer = await self._inner(request.scope, receive)
        if fault is not None and fault.kind == "answer":
            return login, _faulty(fault)
        if fault is not None and fault.then is not None:
            await run_in_threadpool(fault.then)
        return login, self._conditional(request, answer, limits, login, fault)

    async def _inner(self, scope: Scope, receive: Receive) -> Answer:
        status, headers, body = 500, dict[str, str](), bytearray()

        async def collect(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                for name, value in message["headers"]:
                    headers[name.decode().lower()] = value.decode()
            else:
                body.extend(message.get("body", b""))

        await self._app(scope, receive, collect)
        return Answer(status, headers, bytes(body))

    def _conditional(
        self,
        request: Request,
        answer: Answer,
        limits: dict[str, str],
        login: str,
        fault: Fault | None,
    ) -> Answer:
        """Adds limits and ETag; answers 304, free of charge, to who has it already."""
        if request.method != "GET" or answer.status != 200:
            return Answer(answer.status, {**answer.headers, **limits}, answer.body)
        key = f"{login} {request.url.path}?{request.url.query}"
        if fault is not None and fault.kind == "stale":
            answer = self._last.get(key, answer)
        self._last[key] = answer
        etag = f'W/"{hashlib.sha256(answer.body).hexdigest()}"'
        if request.headers.get("if-none-match") == etag:
            usage = self._usage[login]
            usage.used -= 1
            limits = self._limit_headers(usage)
            return Answer(304, {**limits, "etag": etag}, b"")
        headers = {**answer.headers, **limits, "etag": etag}
        return Answer(200, headers, answer.body)

    # Limits ------------------------------------------------------------------------------

    def _spend(self, method: str, path: str, login: str) -> dict[str, str]:
        now, limits = self._state.clock(), self._state.limits
        usage = self._usage.setdefault(login, _Usage(now))
        if now - usage.since >= timedelta(hours=1):
            usage.since, usage.used = now, 0
        if path == "/rate_limit":
            return self._limit_headers(usage)
        if usage.used >= limits.primary_per_hour:
            raise Refused(403, f"API rate limit exceeded for user {login}.")
        if method in ("POST", "PUT", "PATCH", "DELETE"):
            usage.writes = [at for at in usage.writes if now - at < timedelta(hours=1)]
            minute = sum(now - at < timedelta(minutes=1) for at in usage.writes)
            too_many = (
                minute >= limits.content_per_minute or len(usage.writes) >= limits.content_per_hour
            )
            if too_many:
                raise Refused(403, "You have exceeded a secondary rate limit.")
            usage.writes.append(now)
        usage.used += 1
        return self._limit_headers(usage)

    def _limited(self, refused: Refused, login: str) -> Answer:
        answer = refusal(refused)
        headers = dict(answer.headers) | self._limit_headers(self._usage[login])
        if "secondary" in refused.message:
            headers["retry-after"] = "60"
        return Answer(answer.status, headers, answer.body)

    def _limit_headers(self, usage: _Usage) -> dict[str, str]:
        limit = self._state.limits.primary_per_hour
        return {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(max(0, limit - usage.used)),
            "x-ratelimit-used": str(usage.used),
            "x-ratelimit-reset": str(int((usage.since + timedelta(hours=1)).timestamp())),
            "x-ratelimit-resource": "core",
        }


def refusal(refused: Refused) -> Answer:
    body: dict[str, Any] = {"message": refused.message}
    if refused.errors:
        body["errors"] = refused.errors
    if refused.status != 202:
        body |= {"documentation_url": DOCUMENTATION, "status": str(refused.status)}
    return Answer(refused.status, {"content-type": "application/json"}, json.dumps(body).encode())


def _faulty(fault: Fault) -> Answer:
    answer = refusal(Refused(fault.status, fault.message))
    return Answer(answer.status, {**answer.headers, **fault.headers}, answer.body)


async def _send(answer: Answer, send: Send) -> None:
    headers = [
        (name.encode(), value.encode())
        for name, value in answer.headers.items()
        if name != "content-length"
    ]
    if answer.status not in (204, 304):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
