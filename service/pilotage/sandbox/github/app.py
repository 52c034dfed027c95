"""The stand-in as one web application: REST, GraphQL, git and pages."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from pilotage.sandbox.github import (
    graphql,
    pages,
    rest_accounts,
    rest_branches,
    rest_contents,
    rest_git,
    rest_issues,
    rest_pulls,
    rest_records,
    sandbox_api,
)
from pilotage.sandbox.github.control import GitHub
from pilotage.sandbox.github.errors import Refused
from pilotage.sandbox.github.gate import Gate, refusal
from pilotage.sandbox.github.git_route import GitRoute
from pilotage.sandbox.github.state import State


def create_app(github: GitHub, routers: Sequence[APIRouter] = ()) -> FastAPI:
    """REST below `/api/v3`, git at `/{owner}/{name}.git`, pages elsewhere, as on a GitHub of
    one's own; `routers` are pages of a world's own. Serve it with `pilotage.sandbox.serve`."""
    app = FastAPI(title="GitHub stand-in", openapi_url=None)
    app.state.on_serving = github.served_at
    app.state.github = github.state
    app.state.control = github
    app.mount("/api", Gate(_rest(github.state), github.state))
    app.include_router(sandbox_api.router)
    for router in routers:
        app.include_router(router)
    app.include_router(pages.router)
    app.add_exception_handler(Refused, _refused_page)
    app.add_middleware(_GitFirst, git=GitRoute(github.state))
    app.add_middleware(OnlyLoopback)
    return app


def _rest(state: State) -> FastAPI:
    rest = FastAPI(openapi_url=None)
    rest.state.github = state
    for module in (
        rest_accounts,
        rest_branches,
        rest_pulls,
        rest_issues,
        rest_git,
        rest_contents,
        rest_records,
    ):
        rest.include_router(module.router, prefix="/v3")
    rest.include_router(graphql.router)
    rest.add_exception_handler(Refused, _refused)
    rest.add_exception_handler(RequestValidationError, _malformed)
    rest.add_exception_handler(HTTPException, _unknown)
    return rest


def _response(refused: Refused) -> Response:
    answer = refusal(refused)
    return Response(answer.body, answer.status, dict(answer.headers))


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return _response(error)


def _refused_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return pages.refused_page(request, error)


def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = "Not Found" if error.status_code in (404, 405) else str(error.detail)
    return _response(Refused(404 if error.status_code == 405 else error.status_code, message))


def _malformed(request: Request, error: Exception) -> Response:
    """GitHub's two ways: 400 for what is no JSON, 422 for what has the wrong shape."""
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return _response(Refused(400, "Problems parsing JSON"))
    if any(problem["loc"][0] == "path" for problem in problems):
        return _response(Refused(404, "Not Found"))
    return _response(Refused(422, "Invalid request.\n\n" + _sentence(problems[0])))


def _sentence(problem: Any) -> str:
    field = "/".join(str(part) for part in problem["loc"][1:])
    if problem["type"] == "missing":
        return f'"{field}" wasn\'t supplied.'
    return f"For 'properties/{field}', {problem['input']!r} is not valid: {problem['msg']}."


class _GitFirst:
    """git's addresses have no fixed beginning, so they are told apart before the routes."""

    def __init__(self, app: ASGIApp, git: ASGIApp) -> None:
        self._app, self._git = app, git

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_git = scope["type"] == "http" and ".git/" in scope["path"]
        is_git = is_git and not scope["path"].startswith("/api/")
        await (self._git if is_git else self._app)(scope, receive, send)


class OnlyLoopback:
    """Refuses a Host that is not this machine: a web page elsewhere may have its own name
    resolve to 127.0.0.1 and so talk to the sandbox."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_loopback(Request(scope).url.hostname or ""):
            refused = PlainTextResponse("This sandbox answers to 127.0.0.1 only.\n", 421)
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
