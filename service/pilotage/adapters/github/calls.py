"""What may be asked of GitHub: one thing, a list, a write, a GraphQL query."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from requests.utils import parse_header_links

from pilotage.adapters.github import errors
from pilotage.adapters.github.answers import A, read
from pilotage.adapters.github.failures import Request, message_of, patience, refusal
from pilotage.adapters.github.paths import repository_path
from pilotage.adapters.github.sign_in import SignIn
from pilotage.adapters.github.transport import Exchanged, Params, Transport

PAGE = 100
MOST_ROWS = 3_000


class Calls:
    """Usable from several threads; each has its connections, writes of an installation queue up.

    `scope` is the repository (`owner/name`) or organisation that a call is about: it decides which
    installation of an App asks.
    """

    def __init__(self, transport: Transport, sign_in: SignIn) -> None:
        self._transport, self._sign_in = transport, sign_in
        self._lock = threading.Lock()
        self._writing: dict[int | None, threading.Lock] = {}
        self._patience: dict[int | None, datetime] = {}

    def get(self, scope: str, path: str, what: str, params: Params | None = None) -> object:
        return self._ask(scope, Request(what, "GET", path, write=False), params=params)[1]

    def get_with_headers(self, scope: str, path: str, what: str) -> Exchanged:
        return self._ask(scope, Request(what, "GET", path, write=False))

    def rows(
        self,
        scope: str,
        path: str,
        what: str,
        params: Params | None = None,
        *,
        within: str | None = None,
        limit: int = MOST_ROWS,
    ) -> Iterator[object]:
        """The rows of a list, page by page, `limit` at most; `within`: the key that holds them."""
        request = Request(what, "GET", path, write=False)
        asked: Params | None = {"per_page": min(PAGE, limit), **(params or {})}
        seen = 0
        while asked is not None and seen < limit:
            headers, body = self._ask(scope, request, params=asked)
            if within is not None and isinstance(body, Mapping):
                body = body.get(within)
            if not isinstance(body, list):
                raise errors.UnexpectedAnswer(what, request.where, "not a list", False)
            yield from body[: limit - seen]
            seen += len(body)
            asked = _next_page(headers) if body else None

    def send(
        self, scope: str, verb: str, path: str, what: str, body: Mapping[str, object] | None = None
    ) -> object:
        """One write, sent once, one after the other for each installation."""
        return self._ask(scope, Request(what, verb, path, write=True), body=body)[1]

    def query(self, scope: str, what: str, query: str, variables: Mapping[str, object]) -> object:
        """The `data` of a GraphQL query."""
        request = Request(what, "POST", "/graphql", write=False)
        payload = {"query": query, "variables": dict(variables)}
        headers, body = self._ask(scope, request, body=payload)
        if not isinstance(body, Mapping):
            raise errors.UnexpectedAnswer(what, request.where, "not an object", False)
        if complaints := body.get("errors"):
            raise self._complaint(request, headers, complaints)
        return body.get("data")

    def _ask(
        self,
        scope: str,
        request: Request,
        *,
        params: Params | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Exchanged:
        installation, requester = self._sign_in.requester(scope)
        self._be_patient(installation, request)
        try:
            if not request.write:
                return self._transport.exchange(requester, request, params=params, body=body)
            turn = self._turn(installation)
            if not turn.acquire(timeout=self._transport.timeout):
                why = "other writes have not ended in time"
                raise errors.Unreachable(request.what, request.where, why, False)
            try:
                return self._transport.exchange(requester, request, params=params, body=body)
            finally:
                turn.release()
        except errors.RateLimited as limited:
            with self._lock:
                self._patience[installation] = limited.until
            raise
        except errors.Unauthorised:
            self._sign_in.forget(scope)
            raise

    def _be_patient(self, installation: int | None, request: Request) -> None:
        """GitHub bans who goes on asking while it limits the rate: nothing is sent until then."""
        with self._lock:
            until = self._patience.get(installation)
        if until is not None and self._transport.clock() < until:
            why = "it asked for patience a while ago"
            raise errors.RateLimited(request.what, request.where, why, until)

    def _turn(self, installation: int | None) -> threading.Lock:
        with self._lock:
            return self._writing.setdefault(installation, threading.Lock())

    def _complaint(
        self, request: Request, headers: Mapping[str, str], complaints: object
    ) -> errors.GitHubError:
        """GraphQL refuses in answers that are good by their status."""
        first = complaints[0] if isinstance(complaints, list) and complaints else None
        message = message_of(first) or "no message"
        what, where, now = request.what, request.where, self._transport.clock()
        match first.get("type") if isinstance(first, Mapping) else None:
            case "RATE_LIMITED":
                return errors.RateLimited(what, where, message, patience(headers, now))
            case "NOT_FOUND":
                return refusal(request, 404, {}, first, now)
            case "FORBIDDEN" | "INSUFFICIENT_SCOPES":
                return refusal(request, 403, {}, first, now)
            case _:
                return errors.UnexpectedAnswer(what, where, f"GraphQL error: {message}", False)


@dataclass(frozen=True, slots=True)
class InRepository:
    """Calls below `/repos/{owner}/{name}`, with their answers checked."""

    calls: Calls
    repository: str

    def get(self, kind: type[A], path: str, what: str, params: Params | None = None) -> A:
        full = repository_path(self.repository) + path
        body = self.calls.get(self.repository, full, what, params)
        return read(kind, body, what, f"GET {full}")

    def rows(
        self,
        kind: type[A],
        path: str,
        what: str,
        params: Params | None = None,
        within: str | None = None,
    ) -> Iterator[A]:
        full = repository_path(self.repository) + path
        for row in self.calls.rows(self.repository, full, what, params, within=within):
            yield read(kind, row, what, f"GET {full}")

    def send(
        self, kind: type[A], verb: str, path: str, what: str, payload: Mapping[str, object]
    ) -> A:
        full = repository_path(self.repository) + path
        body = self.calls.send(self.repository, verb, full, what, payload)
        return read(kind, body, what, f"{verb} {full}", write=True)

    def do(
        self, verb: str, path: str, what: str, payload: Mapping[str, object] | None = None
    ) -> None:
        """A write whose answer tells nothing that is not known."""
        full = repository_path(self.repository) + path
        self.calls.send(self.repository, verb, full, what, payload)


def _next_page(headers: Mapping[str, Any]) -> Params | None:
    """The query of the next page; its host and path are never followed."""
    for link in parse_header_links(str(headers.get("link", ""))):
        if link.get("rel") == "next":
            return dict(parse_qsl(urlsplit(link.get("url", "")).query))
    return None
