"""GitHub's published OpenAPI as a judge of requests and answers."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_EXTRACT = Path(__file__).parent / "openapi" / "github.json"

# Said everywhere, documented hardly anywhere: you have it, who are you, you may not, there is no
# such thing, come back later. (421 is the sandbox's own: not by this name.)
_GENERAL = {304, 421, 401, 403, 404, 429, 500, 502, 503, 504}

# Measured on github.com, missing in its description.
_UNDOCUMENTED = {("POST /repos/{owner}/{repo}/statuses/{sha}", 422)}

# An older address of /commits/{ref}/statuses, which PyGithub follows.
_OLDER_STATUSES = re.compile(r"^(/repos/[^/]+/[^/]+)/statuses/(.+)$")

# Parameters that may hold slashes.
_LONG = {"ref", "path", "branch", "basehead", "name"}


@functools.cache
def published() -> dict[str, Any]:
    return dict(json.loads(_EXTRACT.read_text()))


@functools.cache
def _patterns() -> list[tuple[str, re.Pattern[str], str]]:
    found = []
    for operation in published()["operations"]:
        method, template = operation.split(" ")
        regex = re.sub(
            r"\\{(\w+)\\}",
            lambda m: ".*" if m[1] in _LONG else "[^/]+",
            re.escape(template),
        )
        found.append((method, re.compile(regex), operation))
    # The most literal address first: /commits/{ref}/status before /commits/{ref}.
    found.sort(key=lambda entry: -len(re.sub(r"\{\w+\}", "", entry[2])))
    return found


def operation_of(method: str, path: str) -> str | None:
    """`GET /repos/{owner}/{repo}` for a path without `/api/v3`; None if the extract lacks it."""
    path = _OLDER_STATUSES.sub(r"\1/commits/\2/statuses", path) if method == "GET" else path
    for known_method, regex, operation in _patterns():
        if known_method == method and regex.fullmatch(path):
            return operation
    return None


@functools.cache
def _validator(operation: str, part: str, status: str = "") -> Draft202012Validator | None:
    described = published()["operations"][operation]
    schema = described["answers"].get(status) if part == "answers" else described.get(part)
    if schema is None:
        return None
    return Draft202012Validator({**schema, "components": published()["components"]})


def _problems(validator: Draft202012Validator, value: Any) -> list[str]:
    return [f"{e.json_path}: {e.message[:300]}" for e in validator.iter_errors(value)]


def check_answer(method: str, path: str, status: int, body: bytes) -> list[str]:
    """What is wrong with an answer: undocumented operation or status, wrong type, a required
    field that is missing."""
    operation = operation_of(method, path)
    if operation is None:
        return [] if status == 404 else [f"{method} {path}: not in the extract"]
    answers = published()["operations"][operation]["answers"]
    if str(status) not in answers:
        known = status in _GENERAL or (operation, status) in _UNDOCUMENTED
        return [] if known else [f"{operation}: undocumented status {status}"]
    validator = _validator(operation, "answers", str(status))
    if validator is None:
        return []
    found = _problems(validator, json.loads(body))
    return [f"{operation} {status} {problem}" for problem in found]


def check_request(method: str, path: str, body: bytes) -> list[str]:
    """What is wrong with a request's body."""
    operation = operation_of(method, path)
    if operation is None:
        return [f"{method} {path}: not in the extract"]
    validator = _validator(operation, "body")
    if validator is None or not body:
        return []
    return [f"{operation} request {problem}" for problem in _problems(validator, json.loads(body))]


class AnswersJudged:
    """Middleware that holds every REST answer against the published description."""

    def __init__(self, app: ASGIApp, problems: list[str], seen: set[str]) -> None:
        self._app, self._problems, self._seen = app, problems, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/api/v3/"):
            await self._app(scope, receive, send)
            return
        status, body = 0, bytearray()

        async def listen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                body.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, listen)
        path = scope["path"].removeprefix("/api/v3")
        self._seen.add(operation_of(scope["method"], path) or path)
        self._problems += check_answer(scope["method"], path, status, bytes(body))
