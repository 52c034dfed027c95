"""One request to GitHub and what became of it: an answer, or an error with a type.

PyGithub's requester carries authentication, connections, time-outs and repetition. Its record
classes are left aside on purpose: a missing attribute makes them fetch themselves again behind the
caller's back, and they trust what they are told. Here a call is one request, and answers are
checked in `answers`.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakSet

import requests
import structlog
from github import Auth, Github
from github.Requester import Requester
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util import Retry

from pilotage.adapters.github import errors
from pilotage.adapters.github.failures import Request, refusal

Params = Mapping[str, str | int]
Exchanged = tuple[Mapping[str, str], object]
"""Headers, with lower-case names, and the body as JSON."""

# At its debug level PyGithub logs whole answers, and the answer to minting is a token.
logging.getLogger("github.Requester").setLevel(logging.WARNING)
_log = structlog.get_logger("pilotage.github")


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls so far: what only looked, what wrote, and what an App did to get its tokens."""

    reads: int = 0
    writes: int = 0
    authentication: int = 0


class Transport:
    """`timeout` is in seconds, for connecting and again for the answer."""

    def __init__(self, base_url: str, timeout: int, clock: Callable[[], datetime]) -> None:
        self.base_url, self.timeout, self.clock = base_url, timeout, clock
        self._open: WeakSet[Requester] = WeakSet()
        self._lock = threading.Lock()
        self._counts = Counts()

    @property
    def counts(self) -> Counts:
        return self._counts

    def requester(self, auth: Auth.Auth) -> Requester:
        """For one thread only: PyGithub's requester has unguarded state."""
        made = Github(
            auth=auth,
            base_url=self.base_url,
            timeout=self.timeout,
            user_agent="pilotage",
            retry=_reads_once_more(),
            seconds_between_requests=0,
            seconds_between_writes=0,
            lazy=True,
        ).requester
        with self._lock:
            self._open.add(made)
        return made

    def close(self) -> None:
        """Close every thread's connections."""
        with self._lock:
            made = list(self._open)
        for requester in made:
            requester.close()

    def exchange(
        self,
        requester: Requester,
        request: Request,
        *,
        params: Params | None = None,
        body: Mapping[str, object] | None = None,
        authenticating: bool = False,
    ) -> Exchanged:
        """Raises the errors of `errors`."""
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
    ) -> Exchanged | errors.GitHubError:
        url = requester.graphql_url if request.path == "/graphql" else request.path
        try:
            status, headers, text = requester.requestJson(
                request.verb, url, parameters=dict(params or {}), input=body
            )
        except requests.exceptions.RetryError:
            return _unreachable(request, "GitHub answered with a passing fault, twice")
        except requests.exceptions.Timeout as error:
            sent = not _never_connected(error)
            why = f"no answer within {self.timeout} s" if sent else "no connection in time"
            return _unreachable(request, why, sent=sent)
        except (requests.exceptions.RequestException, HTTPError, OSError) as error:
            why = f"the connection failed ({type(error).__name__})"
            return _unreachable(request, why, sent=not _never_connected(error))
        except Exception as error:  # whatever PyGithub stumbles over in an answer
            why = f"the answer could not be understood ({type(error).__name__})"
            return errors.UnexpectedAnswer(request.what, request.where, why, request.write)
        return self._judge(request, status, headers, text)

    def _judge(
        self, request: Request, status: int, headers: Mapping[str, str], text: str
    ) -> Exchanged | errors.GitHubError:
        good = 200 <= status < 300
        try:
            answer = json.loads(text) if text else None
        except (ValueError, RecursionError):
            if good:
                why = "the answer is not JSON"
                return errors.UnexpectedAnswer(request.what, request.where, why, request.write)
            answer = None
        return (
            (headers, answer) if good else refusal(request, status, headers, answer, self.clock())
        )

    def _count(self, request: Request, authenticating: bool) -> None:
        with self._lock:
            old = self._counts
            self._counts = Counts(
                old.reads + (not request.write and not authenticating),
                old.writes + (request.write and not authenticating),
                old.authentication + authenticating,
            )


def _unreachable(request: Request, why: str, *, sent: bool = True) -> errors.Unreachable:
    return errors.Unreachable(request.what, request.where, why, request.write and sent)


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
