"""Argo CD's REST API, as far as a promotion needs it.

Every call answers with a value. What the decision table calls *cannot see* (refused connections,
time-outs, 401, 403, 5xx, answers of another shape) is a `CannotSee`, never an exception. The token
goes into one header and appears nowhere else. Writes are sent once and never repeated here: a
caller that does not know how one ended looks first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from pilotage.adapters.argocd import answers, declared, wire
from pilotage.adapters.argocd.connection import Connection, Limits, Reply, Timeouts
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

_TIMEOUTS, _LIMITS = Timeouts(), Limits()
_NAMES = "items.metadata.name,items.metadata.namespace,items.spec"


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
        timeouts: Timeouts = _TIMEOUTS,
        limits: Limits = _LIMITS,
    ) -> None:
        self.server = server
        self.control_plane = control_plane
        self._timeouts, self._limits = timeouts, limits
        self._connection = Connection(
            server, url, token, ca=ca, verify=verify, timeouts=timeouts, limits=limits
        )
        self.url = self._connection.url

    def __repr__(self) -> str:
        return f"ArgoCD({self.server!r}, {self.url!r})"

    def __enter__(self) -> ArgoCD:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def get(self, ref: ApplicationRef, refresh: Refresh | None = None) -> Look:
        """One application, read from Kubernetes; with a refresh, after the next comparison."""
        query = _about(ref)
        if refresh is not None:
            query.append(("refresh", refresh.value))
        seconds = self._timeouts.read if refresh is None else self._timeouts.refresh
        reply = self._connection.send("GET", _path(ref), query, seconds=seconds)
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

    def list(self) -> Listing | CannotSee:
        """All that the token may see, out of Argo CD's cache: to find names, not to decide."""
        reply = self._listed("applications", [])
        return _read(reply, lambda body: Listing(*answers.applications(body, self.server)))

    def names(self) -> tuple[ApplicationRef, ...] | CannotSee:
        """Where every application that the token may see is: a tenth of what `list` reads."""
        return _read(self._listed("applications", [("fields", _NAMES)]), self._named)

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
        reply = self._listed("applications", [("fields", declared.APPLICATION_FIELDS)])
        applications = _read(reply, lambda body: declared.applications(body, self.server))
        if isinstance(applications, CannotSee):
            return applications
        sets = _read(self._listed("applicationsets", []), declared.application_sets)
        if isinstance(sets, CannotSee):
            return Declared(applications, (), sets.reason)
        return self._with_children(Declared(applications, sets))

    def _listed(self, what: str, query: Query) -> Reply | CannotSee:
        return self._connection.send("GET", f"/api/v1/{what}", query, limit=self._limits.listing)

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
        reply = self._connection.send("GET", _path(ref, "resource-tree"), _about(ref))
        return _read(reply, answers.tree)

    def sync_windows(self, ref: ApplicationRef) -> SyncWindows | CannotSee:
        reply = self._connection.send("GET", _path(ref, "syncwindows"), _about(ref))
        return _read(reply, answers.windows)

    def render(self, ref: ApplicationRef, at: RenderAt) -> Rendering:
        """The manifests of any commit; the right to `get` is enough."""
        query = _about(ref)
        for position, revision in at.revisions:
            if position:
                query += [("revisions", revision), ("sourcePositions", str(position))]
            else:
                query.append(("revision", revision))
        reply = self._connection.send(
            "GET", _path(ref, "manifests"), query, seconds=self._timeouts.render
        )
        if isinstance(reply, Reply) and reply.status == httpx.codes.INTERNAL_SERVER_ERROR:
            return RenderFailed(reply.message)
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
        return _written(self._connection.send("POST", _path(ref, "sync"), content=body))

    def terminate(self, ref: ApplicationRef) -> Written:
        """Stops the running operation; it ends as Failed, "Operation terminated"."""
        return _written(self._connection.send("DELETE", _path(ref, "operation"), _about(ref)))

    def can_i(self, action: str, ref: ApplicationRef) -> bool | CannotSee:
        """Whether the token has a right (`get`, `sync`). Says nothing of the name's existence."""
        inside = ref.namespace in ("", self.control_plane)
        named = ref.name if inside else f"{ref.namespace}/{ref.name}"
        path = f"/api/v1/account/can-i/applications/{quote(action)}/{quote(ref.project)}/"
        reply = self._connection.send("GET", path + quote(named))
        return _read(reply, lambda body: wire.read(wire.CanI, body).value == "yes")

    def userinfo(self) -> wire.UserInfo | CannotSee:
        """Whose token it is; `logged_in` is false for one that is not valid."""
        reply = self._connection.send("GET", "/api/v1/session/userinfo")
        return _read(reply, lambda body: wire.read(wire.UserInfo, body))

    def version(self) -> str | CannotSee:
        reply = self._connection.send("GET", "/api/version")
        return _read(reply, lambda body: wire.read(wire.Version, body).version)

    def _application(self, reply: Reply | CannotSee) -> Application | Gone | CannotSee:
        if isinstance(reply, Reply) and reply.status == httpx.codes.NOT_FOUND:
            error = reply.error
            if error is not None and error.code == 5:
                return Gone(error.message or "not found")
            return CannotSee("404, and not by Argo CD: is the server's address right?")
        return _read(reply, lambda body: answers.application(body, self.server))


def _owned(listing: Listing, application_set: str) -> tuple[str, ...]:
    return tuple(
        each.ref.name for each in listing.applications if each.application_set == application_set
    )


def _about(ref: ApplicationRef) -> Query:
    """Without a project a missing application is a 403, and without the namespace any is."""
    query = [("project", ref.project)]
    return [*query, ("appNamespace", ref.namespace)] if ref.namespace else query


def _path(ref: ApplicationRef, *more: str) -> str:
    return "/".join(["/api/v1/applications", quote(ref.name, safe=""), *more])


def _read(reply: Reply | CannotSee, parse: Callable[[bytes], Answer]) -> Answer | CannotSee:
    if isinstance(reply, CannotSee):
        return reply
    if reply.status != httpx.codes.OK:
        unauthorised = reply.status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
        return CannotSee(f"{reply.status}: {reply.message}", unauthorised)
    try:
        return parse(reply.body)
    except wire.UnreadableError as error:
        return CannotSee(f"an answer that cannot be read: {error}")


def _written(reply: Reply | CannotSee) -> Written:
    if isinstance(reply, CannotSee):
        return reply
    if reply.status == httpx.codes.OK:
        return Done()
    if reply.status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return CannotSee(f"{reply.status}: {reply.message}")
    if reply.status == httpx.codes.UNAUTHORIZED:
        return CannotSee(f"{reply.status}: {reply.message}", unauthorised=True)
    return Refused(reply.status, reply.message)
