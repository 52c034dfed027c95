"""One conversation with GitHub's API: who asks, how often, how long, and what became of it.

PyGithub's requester carries authentication, connections, time-outs and retries. Its record classes
are left aside on purpose: a missing attribute makes them fetch themselves again behind the
caller's back, and they trust what they are told. Here a call is one request, and answers are
checked in `answers`.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never
from urllib.parse import parse_qsl, quote, urlsplit
from weakref import WeakSet

import requests
import structlog
from github import Auth, Github
from github.Requester import Requester
from pydantic import SecretStr
from requests.utils import parse_header_links
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util import Retry

from pilotage.adapters.github import errors
from pilotage.adapters.github.answers import Found, Minted, read
from pilotage.adapters.github.credentials import (
    API_MARGIN,
    App,
    Credential,
    Installations,
    MachineUser,
    MintedToken,
)
from pilotage.adapters.github.failures import Request, message_of, patience, refusal

PAGE = 100
MOST_ROWS = 3_000
Params = Mapping[str, str | int]

# At its debug level PyGithub logs whole answers, and the answer to minting is a token.
logging.getLogger("github.Requester").setLevel(logging.WARNING)
_log = structlog.get_logger("pilotage.github")


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls so far: what only looked, what wrote, and what an App did to get its tokens."""

    reads: int = 0
    writes: int = 0
    authentication: int = 0


def utc_now() -> datetime:
    return datetime.now(UTC)


def segment(value: str) -> str:
    """A name as one segment of a path: nothing in it can leave its place."""
    if value in ("", ".", ".."):
        raise ValueError(f"not a name: {value!r}")
    return quote(value, safe="")


def repository_path(repository: str) -> str:
    """`/repos/owner/name`. Raises ValueError for anything else."""
    owner, slash, name = repository.partition("/")
    if not slash or "/" in name:
        raise ValueError(f"not a repository, expected owner/name: {repository!r}")
    return f"/repos/{segment(owner)}/{segment(name)}"


class Calls:
    """Usable from several threads; each has its connections, writes of an installation queue up.

    `scope` is the repository (`owner/name`) or organisation that a call is about: it decides which
    installation of an App asks.
    """

    def __init__(
        self,
        credential: Credential,
        *,
        base_url: str,
        timeout: int,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._credential, self._base_url, self._timeout = credential, base_url, timeout
        self._clock = clock
        self._local = threading.local()
        self._open: WeakSet[Requester] = WeakSet()
        self._lock = threading.Lock()
        self._writing: dict[object, threading.Lock] = {}
        self._counts = Counts()
        self._installations = Installations(self._find_installation, self._mint, clock)

    @property
    def counts(self) -> Counts:
        return self._counts

    @property
    def credential(self) -> Credential:
        return self._credential

    def now(self) -> datetime:
        return self._clock()

    def close(self) -> None:
        """Close every thread's connections."""
        for requester in list(self._open):
            requester.close()

    # Asking ------------------------------------------------------------------------------

    def get(self, scope: str, path: str, what: str, params: Params | None = None) -> object:
        request = Request(what, "GET", path, write=False)
        return self._ask(scope, request, params=params)[1]

    def get_with_headers(
        self, scope: str, path: str, what: str
    ) -> tuple[Mapping[str, str], object]:
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
            raise self._graphql_error(request, headers, complaints)
        return body.get("data")

    def app(self, path: str, what: str) -> object:
        """What an App asks as itself, not as one of its installations."""
        request = Request(what, "GET", path, write=False)
        return self._exchange(self._app_requester(), request, authenticating=True)[1]

    def token(self, scope: str, lasting: timedelta) -> SecretStr:
        match self._credential:
            case MachineUser(token=token):
                return token
            case App():
                return self._installation_token(scope, lasting)[1]
            case other:
                assert_never(other)

    # Exchanging --------------------------------------------------------------------------

    def _ask(
        self,
        scope: str,
        request: Request,
        *,
        params: Params | None = None,
        body: Mapping[str, object] | None = None,
    ) -> tuple[Mapping[str, str], object]:
        key, token = self._authority(scope)
        requester = self._requester(key, token)
        try:
            if not request.write:
                return self._exchange(requester, request, params=params, body=body)
            with self._writing_lock(key):
                return self._exchange(requester, request, params=params, body=body)
        except errors.Unauthorised:
            self._installations.forget(scope)
            raise

    def _exchange(
        self,
        requester: Requester,
        request: Request,
        *,
        params: Params | None = None,
        body: Mapping[str, object] | None = None,
        authenticating: bool = False,
    ) -> tuple[Mapping[str, str], object]:
        self._count(request, authenticating)
        begun = time.monotonic()
        outcome = self._attempt(requester, request, params, body)
        _log.debug(
            "github call",
            verb=request.verb,
            path=request.path,
            milliseconds=round((time.monotonic() - begun) * 1000),
            outcome=type(outcome).__name__ if isinstance(outcome, Exception) else "answered",
        )
        # Raised here and not where it was caught: requests' own errors hold the whole request,
        # credentials included, and would stay attached as the context.
        if isinstance(outcome, errors.GitHubError):
            raise outcome
        return outcome

    def _attempt(
        self,
        requester: Requester,
        request: Request,
        params: Params | None,
        body: Mapping[str, object] | None,
    ) -> tuple[Mapping[str, str], object] | errors.GitHubError:
        url = requester.graphql_url if request.path == "/graphql" else request.path
        try:
            status, headers, text = requester.requestJson(
                request.verb, url, parameters=dict(params or {}), input=body
            )
        except requests.exceptions.RetryError:
            return self._unreachable(request, "GitHub answered with a passing fault, twice")
        except requests.exceptions.Timeout as error:
            sent = not _never_connected(error)
            why = f"no answer within {self._timeout} s" if sent else "no connection in time"
            return self._unreachable(request, why, sent=sent)
        except (requests.exceptions.RequestException, HTTPError, OSError) as error:
            why = f"the connection failed ({type(error).__name__})"
            return self._unreachable(request, why, sent=not _never_connected(error))
        except Exception as error:  # whatever PyGithub stumbles over in an answer
            why = f"the answer could not be understood ({type(error).__name__})"
            return errors.UnexpectedAnswer(request.what, request.where, why, request.write)
        try:
            answer = json.loads(text) if text else None
        except (ValueError, RecursionError):
            answer = None
            if 200 <= status < 300:
                why = "the answer is not JSON"
                return errors.UnexpectedAnswer(request.what, request.where, why, request.write)
        if not 200 <= status < 300:
            return refusal(request, status, headers, answer, self._clock())
        return headers, answer

    def _unreachable(self, request: Request, why: str, *, sent: bool = True) -> errors.Unreachable:
        return errors.Unreachable(request.what, request.where, why, request.write and sent)

    def _graphql_error(
        self, request: Request, headers: Mapping[str, str], complaints: object
    ) -> errors.GitHubError:
        first = complaints[0] if isinstance(complaints, list) and complaints else None
        kind = first.get("type") if isinstance(first, Mapping) else None
        message = message_of(first) or "no message"
        what, where = request.what, request.where
        match kind:
            case "RATE_LIMITED":
                return errors.RateLimited(what, where, message, patience(headers, self._clock()))
            case "NOT_FOUND":
                return refusal(request, 404, {}, first, self._clock())
            case "FORBIDDEN" | "INSUFFICIENT_SCOPES":
                return refusal(request, 403, {}, first, self._clock())
            case _:
                return errors.UnexpectedAnswer(what, where, f"GraphQL error: {message}", False)

    def _count(self, request: Request, authenticating: bool) -> None:
        with self._lock:
            old = self._counts
            self._counts = Counts(
                old.reads + (not request.write and not authenticating),
                old.writes + (request.write and not authenticating),
                old.authentication + authenticating,
            )

    # Authenticating ----------------------------------------------------------------------

    def _authority(self, scope: str) -> tuple[object, SecretStr]:
        """The installation that asks (None for a machine user) and a token of it."""
        match self._credential:
            case MachineUser(token=token):
                return None, token
            case App():
                return self._installation_token(scope, API_MARGIN)
            case other:
                assert_never(other)

    def _installation_token(self, scope: str, lasting: timedelta) -> tuple[int, SecretStr]:
        held = self._installations
        installation = held.installation(scope)
        try:
            return installation, held.token(installation, lasting)
        except errors.NotFound:
            held.forget(scope)  # installed anew, it has another number
        installation = held.installation(scope)
        return installation, held.token(installation, lasting)

    def _writing_lock(self, key: object) -> threading.Lock:
        with self._lock:
            return self._writing.setdefault(key, threading.Lock())

    def _requester(self, key: object, token: SecretStr) -> Requester:
        """This thread's requester. PyGithub's has unguarded state, so that none is shared."""
        mine: dict[object, tuple[SecretStr, Requester]] = self._local.__dict__.setdefault(
            "mine", {}
        )
        held = mine.get(key)
        if held is None or held[0] != token:
            held = mine[key] = token, self._new_requester(Auth.Token(token.get_secret_value()))
        return held[1]

    def _new_requester(self, auth: Auth.Auth) -> Requester:
        made = Github(
            auth=auth,
            base_url=self._base_url,
            timeout=self._timeout,
            user_agent="pilotage",
            retry=_reads_once_more(),
            seconds_between_requests=0,
            seconds_between_writes=0,
            lazy=True,
        ).requester
        self._open.add(made)
        return made

    def _app_requester(self) -> Requester:
        assert isinstance(self._credential, App)
        key = self._credential.private_key.get_secret_value()
        try:
            return self._signing_requester(self._credential.id, key)
        except Exception as error:
            why = f"the App's private key cannot sign ({type(error).__name__})"
            failure = errors.Unauthorised(
                "signing in as the GitHub App",
                self._base_url,
                why,
                "Give the private key as PEM, as GitHub let you download it.",
            )
        raise failure

    def _signing_requester(self, app: int | str, key: str) -> Requester:
        auth = Auth.AppAuth(app, key)
        auth.create_jwt()  # a bad key fails here, and not inside a request
        return self._new_requester(auth)

    def _find_installation(self, scope: str) -> int:
        path = (
            f"{repository_path(scope)}/installation"
            if "/" in scope
            else f"/orgs/{segment(scope)}/installation"
        )
        what = f"finding the App's installation on {scope}"
        try:
            return read(Found, self.app(path, what), what, path).id
        except errors.NotFound as error:
            step = f"Install the App on {scope}, or add the repository to its installation."
            failure = errors.NotInstalled(what, error.where, "the App is not installed there", step)
        raise failure

    def _mint(self, installation: int) -> MintedToken:
        path = f"/app/installations/{installation}/access_tokens"
        request = Request("getting a token of the App", "POST", path, write=False)
        _, body = self._exchange(self._app_requester(), request, authenticating=True)
        minted = read(Minted, body, request.what, path)
        return MintedToken(minted.token, minted.expires_at)


def _reads_once_more() -> Retry:
    """A GET that met a 5xx is asked once more, at once; time-outs are not, lest they add up.

    PyGithub's own `GithubRetry` also repeats POST, and sleeps when GitHub limits the rate; both
    would undo what the callers rely upon. 202 is among the statuses because PyGithub sleeps on it.
    """
    return Retry(
        total=None,
        connect=0,
        read=False,
        redirect=0,
        status=1,
        other=0,
        backoff_factor=0,
        status_forcelist=(202, 500, 502, 503, 504),
        allowed_methods=frozenset({"GET"}),
        respect_retry_after_header=False,
    )


def _never_connected(error: Exception) -> bool:
    """Nothing was sent, so that nothing can have taken hold."""
    cause = error.args[0] if error.args else None
    return isinstance(error, requests.exceptions.ConnectTimeout) or isinstance(
        getattr(cause, "reason", None), NewConnectionError
    )


def _next_page(headers: Mapping[str, Any]) -> Params | None:
    """The query of the next page; its host and path are never followed."""
    for link in parse_header_links(str(headers.get("link", ""))):
        if link.get("rel") == "next":
            return dict(parse_qsl(urlsplit(link.get("url", "")).query))
    return None
