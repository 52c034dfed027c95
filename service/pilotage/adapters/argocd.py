"""Argo CD's REST API, as far as a promotion needs it.

Every call answers with a value. What the decision table calls *cannot see* (refused connections,
time-outs, 401, 403, 5xx, answers of another shape) is a `CannotSee`, never an exception. The token
goes into one header and appears nowhere else. Writes are sent once and never repeated here: a
caller that does not know how one ended looks first.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit

import httpx
from pydantic import SecretStr

from pilotage.adapters import argocd_answers as answers
from pilotage.adapters import argocd_declared as declared
from pilotage.adapters import argocd_wire as wire
from pilotage.core.application import (
    Application,
    ApplicationRef,
    CannotSee,
    Gone,
    Look,
    Refresh,
    RenderAt,
    RenderFailed,
    Rendering,
    ResourceTree,
    SyncWindows,
)
from pilotage.core.discovery.declared import Declared
from pilotage.core.rollout.watch import Requests

Answer = TypeVar("Answer")
Query: TypeAlias = list[tuple[str, str]]

_MEBIBYTE = 1024 * 1024
_JSON = "application/json"  # exactly this on every write, bodies or not: else 415


_NAMES = "items.metadata.name,items.metadata.namespace,items.spec"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds. A refresh blocks until the controller has compared, so it may take long."""

    connect: float = 5
    read: float = 15
    refresh: float = 60
    render: float = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest answers that are read, in bytes once unpacked."""

    application: int = 16 * _MEBIBYTE
    listing: int = 128 * _MEBIBYTE


@dataclass(frozen=True, slots=True)
class Listing:
    """`unreadable` says why entries were left out."""

    applications: tuple[Application, ...]
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """Argo CD took the request; what came of it is for the next look."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Argo CD understood and declined, so nothing happened."""

    status: int
    message: str


Written: TypeAlias = Done | Refused | CannotSee


class Bearer(httpx.Auth):
    """Keeps the token out of the client's headers, which are printed and logged."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        token = self._token.get_secret_value()
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        yield request


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: bytes


class ArgoCD:
    """One server. Safe to use from several threads; `close` it, or use it with `with`.

    `url` includes the server's root path if it has one. `ca` is a file of certificates to trust
    instead of the system's; `control_plane` is the namespace that Argo CD itself lives in. Raises
    ValueError for an address or token that cannot be sent.
    """

    def __init__(
        self,
        server: str,
        url: str,
        token: SecretStr,
        *,
        ca: str | None = None,
        verify: bool = True,
        control_plane: str = "argocd",
        timeouts: Timeouts = Timeouts(),
        limits: Limits = Limits(),
    ) -> None:
        self.server = server
        self.url = checked_url(url)
        self.control_plane = control_plane
        self._timeouts, self._limits = timeouts, limits
        self._client = httpx.Client(
            auth=Bearer(checked_token(token)),
            verify=tls(ca, verify),
            headers={"Accept": _JSON},
            follow_redirects=False,
        )

    def __repr__(self) -> str:
        return f"ArgoCD({self.server!r}, {self.url!r})"

    def __enter__(self) -> ArgoCD:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def get(self, ref: ApplicationRef, refresh: Refresh | None = None) -> Look:
        """One application, read from Kubernetes; with a refresh, after the next comparison."""
        query = _about(ref)
        if refresh is not None:
            query.append(("refresh", refresh.value))
        seconds = self._timeouts.read if refresh is None else self._timeouts.refresh
        reply = self._send("GET", _path(ref), query, seconds)
        return Look(self._application(reply), refreshed=refresh)

    def look(self, ref: ApplicationRef, requests: Requests) -> Look:
        """One look with all that a watch asks for (`Watch.due`)."""
        look = self.get(ref, requests.refresh)
        if not isinstance(look.application, Application):
            return look
        return Look(
            look.application,
            look.refreshed,
            self.resource_tree(ref) if requests.tree else None,
            self.sync_windows(ref) if requests.windows else None,
            {at: self.render(ref, at) for at in requests.renders},
        )

    def list(
        self, *, projects: Iterable[str] = (), namespace: str = "", selector: str = ""
    ) -> Listing | CannotSee:
        """All that the token may see, out of Argo CD's cache: to find names, not to decide."""
        query = [("projects", project) for project in projects]
        query += [("appNamespace", namespace)] if namespace else []
        query += [("selector", selector)] if selector else []
        reply = self._send(
            "GET", "/api/v1/applications", query, self._timeouts.read, self._limits.listing
        )
        return _read(reply, lambda body: Listing(*answers.applications(body, self.server)))

    def names(self) -> tuple[ApplicationRef, ...] | CannotSee:
        """Where every application that the token may see is: a tenth of what `list` reads."""
        reply = self._send(
            "GET",
            "/api/v1/applications",
            [("fields", _NAMES)],
            self._timeouts.read,
            self._limits.listing,
        )
        return _read(reply, self._named)

    def _named(self, body: bytes) -> tuple[ApplicationRef, ...]:
        found = wire.read(wire.Names, body).items
        return tuple(
            ApplicationRef(
                self.server, each.spec.project, each.metadata.namespace, each.metadata.name
            )
            for each in found
            if each.metadata.name
        )

    def declared(self) -> Declared | CannotSee:
        """What every application is declared to read, and what ApplicationSets make of files.

        Two lists, however many there are; a third, of whole applications, only for an
        ApplicationSet that does not say which its children are, as older servers' do not.
        """
        query, path = [("fields", declared.APPLICATION_FIELDS)], "/api/v1/applications"
        reply = self._send("GET", path, query, self._timeouts.read, self._limits.listing)
        applications = _read(reply, lambda body: declared.applications(body, self.server))
        if isinstance(applications, CannotSee):
            return applications
        path = "/api/v1/applicationsets"
        reply = self._send("GET", path, [], self._timeouts.read, self._limits.listing)
        sets = _read(reply, declared.application_sets)
        if isinstance(sets, CannotSee):
            return Declared(applications, (), sets.reason)
        return self._with_children(Declared(applications, sets))

    def _with_children(self, found: Declared) -> Declared:
        if all(each.children or not each.generators for each in found.sets):
            return found
        listing = self.list()
        if isinstance(listing, CannotSee):
            return replace(found, unseen=listing.reason)
        sets = tuple(
            each if each.children else replace(each, children=_owned(listing, each.name))
            for each in found.sets
        )
        return replace(found, sets=sets)

    def resource_tree(self, ref: ApplicationRef) -> ResourceTree | CannotSee:
        reply = self._send("GET", _path(ref, "resource-tree"), _about(ref), self._timeouts.read)
        return _read(reply, answers.tree)

    def sync_windows(self, ref: ApplicationRef) -> SyncWindows | CannotSee:
        reply = self._send("GET", _path(ref, "syncwindows"), _about(ref), self._timeouts.read)
        return _read(reply, answers.windows)

    def render(self, ref: ApplicationRef, at: RenderAt) -> Rendering:
        """The manifests of any commit; the right to `get` is enough."""
        query = _about(ref)
        for position, revision in at.revisions:
            if position:
                query += [("revisions", revision), ("sourcePositions", str(position))]
            else:
                query.append(("revision", revision))
        reply = self._send("GET", _path(ref, "manifests"), query, self._timeouts.render)
        if isinstance(reply, _Reply) and reply.status == httpx.codes.INTERNAL_SERVER_ERROR:
            return RenderFailed(_message(reply))
        return _read(reply, answers.rendered)

    def sync(
        self, ref: ApplicationRef, *, prune: bool = False, infos: Mapping[str, str] | None = None
    ) -> Written:
        """Asks for a sync to `targetRevision`, the only one that automatic sync permits.

        `infos` stand in the operation afterwards, so that one can be recognised as ours.
        """
        body = {
            "appNamespace": ref.namespace,
            "project": ref.project,
            "prune": prune,
            "infos": [{"name": name, "value": value} for name, value in (infos or {}).items()],
        }
        return _written(
            self._send("POST", _path(ref, "sync"), [], self._timeouts.read, content=body)
        )

    def terminate(self, ref: ApplicationRef) -> Written:
        """Stops the running operation; it ends as Failed, "Operation terminated"."""
        path, seconds = _path(ref, "operation"), self._timeouts.read
        return _written(self._send("DELETE", path, _about(ref), seconds))

    def can_i(self, action: str, ref: ApplicationRef) -> bool | CannotSee:
        """Whether the token has a right (`get`, `sync`). Says nothing of the name's existence."""
        inside = ref.namespace in ("", self.control_plane)
        named = ref.name if inside else f"{ref.namespace}/{ref.name}"
        path = f"/api/v1/account/can-i/applications/{quote(action)}/{quote(ref.project)}/"
        reply = self._send("GET", path + quote(named), [], self._timeouts.read)
        return _read(reply, lambda body: wire.read(wire.CanI, body).value == "yes")

    def userinfo(self) -> wire.UserInfo | CannotSee:
        """Whose token it is; `logged_in` is false for one that is not valid."""
        reply = self._send("GET", "/api/v1/session/userinfo", [], self._timeouts.read)
        return _read(reply, lambda body: wire.read(wire.UserInfo, body))

    def version(self) -> str | CannotSee:
        reply = self._send("GET", "/api/version", [], self._timeouts.read)
        return _read(reply, lambda body: wire.read(wire.Version, body).version)

    def _application(self, reply: _Reply | CannotSee) -> Application | Gone | CannotSee:
        if isinstance(reply, _Reply) and reply.status == httpx.codes.NOT_FOUND:
            error = _error(reply)
            if error is not None and error.code == 5:
                return Gone(error.message or "not found")
            return CannotSee("404, and not by Argo CD: is the server's address right?")
        return _read(reply, lambda body: answers.application(body, self.server))

    def _send(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        seconds: float,
        limit: int | None = None,
        content: object = None,
    ) -> _Reply | CannotSee:
        timeout = httpx.Timeout(seconds, connect=self._timeouts.connect)
        written: dict[str, Any] = {} if method == "GET" else {"headers": {"Content-Type": _JSON}}
        if content is not None:
            written["content"] = wire.dumped(content)
        params = httpx.QueryParams(list(query))
        try:
            with self._client.stream(
                method, self.url + path, params=params, timeout=timeout, **written
            ) as response:
                return _capped(response, limit or self._limits.application, 2 * seconds)
        except httpx.TimeoutException:
            return CannotSee(f"{self.server} did not answer in time ({method} {path})")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            kind = type(error).__name__
            return CannotSee(f"{self.server} could not be reached: {kind} ({method} {path})")


def _owned(listing: Listing, application_set: str) -> tuple[str, ...]:
    return tuple(
        each.ref.name for each in listing.applications if each.application_set == application_set
    )


def checked_url(url: str) -> str:
    """Raises ValueError unless it is an http or https address without credentials."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the address of an Argo CD begins with https:// or http://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("the address of an Argo CD holds no credentials, query or fragment")
    return url.rstrip("/")


def checked_token(token: SecretStr) -> SecretStr:
    """Without the line feed that files end with. Raises ValueError, which does not repeat it."""
    text = token.get_secret_value().strip()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("the token of an Argo CD holds characters that no token has")
    return SecretStr(text)


def tls(ca: str | None, verify: bool) -> ssl.SSLContext | bool:
    return ssl.create_default_context(cafile=ca) if ca and verify else verify


def _about(ref: ApplicationRef) -> Query:
    """Without a project a missing application is a 403, and without the namespace any is."""
    query = [("project", ref.project)]
    return [*query, ("appNamespace", ref.namespace)] if ref.namespace else query


def _path(ref: ApplicationRef, *more: str) -> str:
    return "/".join(["/api/v1/applications", quote(ref.name, safe=""), *more])


def _capped(response: httpx.Response, limit: int, seconds: float) -> _Reply | CannotSee:
    """The time-outs of the client are for each read; this one is for all of them."""
    body, deadline = bytearray(), time.monotonic() + seconds
    for part in response.iter_bytes():
        body += part
        if len(body) > limit:
            return CannotSee(f"an answer of more than {limit} bytes was not read")
        if time.monotonic() > deadline:
            return CannotSee(f"an answer was not complete after {seconds:g} s")
    return _Reply(response.status_code, bytes(body))


def _error(reply: _Reply) -> wire.ErrorAnswer | None:
    try:
        return wire.read(wire.ErrorAnswer, reply.body)
    except wire.UnreadableError:
        return None


def _message(reply: _Reply) -> str:
    error = _error(reply)
    return (error.message or error.error) if error is not None else f"HTTP {reply.status}"


def _read(reply: _Reply | CannotSee, parse: Callable[[bytes], Answer]) -> Answer | CannotSee:
    if isinstance(reply, CannotSee):
        return reply
    if reply.status != httpx.codes.OK:
        unauthorised = reply.status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
        return CannotSee(f"{reply.status}: {_message(reply)}", unauthorised)
    try:
        return parse(reply.body)
    except wire.UnreadableError as error:
        return CannotSee(f"an answer that cannot be read: {error}")


def _written(reply: _Reply | CannotSee) -> Written:
    if isinstance(reply, CannotSee):
        return reply
    if reply.status == httpx.codes.OK:
        return Done()
    if reply.status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return CannotSee(f"{reply.status}: {_message(reply)}")
    if reply.status == httpx.codes.UNAUTHORIZED:
        return CannotSee(f"{reply.status}: {_message(reply)}", unauthorised=True)
    return Refused(reply.status, _message(reply))
