"""One request to an Argo CD: its bounds in time and size, and whatever was answered.

The token goes into one header and appears nowhere else.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from pilotage.adapters.argocd import wire
from pilotage.core.application import CannotSee

_MEBIBYTE = 1024 * 1024
_JSON = "application/json"  # exactly this on every write, bodies or not: else 415


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
class Reply:
    status: int
    body: bytes

    @property
    def error(self) -> wire.ErrorAnswer | None:
        """What Argo CD says of it; None where something else answered."""
        try:
            return wire.read(wire.ErrorAnswer, self.body)
        except wire.UnreadableError:
            return None

    @property
    def message(self) -> str:
        error = self.error
        return (error.message or error.error) if error is not None else f"HTTP {self.status}"


class Connection:
    """To one server, for several threads. Raises ValueError for what cannot be sent."""

    def __init__(
        self,
        server: str,
        url: str,
        token: SecretStr,
        *,
        ca: str | None,
        verify: bool,
        timeouts: Timeouts,
        limits: Limits,
    ) -> None:
        self.server = server
        self.url = checked_url(url)
        self._timeouts, self._limits = timeouts, limits
        self._client = httpx.Client(
            auth=Bearer(checked_token(token)),
            verify=tls(ca, verify),
            headers={"Accept": _JSON},
            follow_redirects=False,
        )

    def close(self) -> None:
        self._client.close()

    def send(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        *,
        seconds: float | None = None,
        limit: int | None = None,
        content: object = None,
    ) -> Reply | CannotSee:
        """Once. `seconds` and `limit` are those of reading one application, unless given."""
        seconds = seconds or self._timeouts.read
        try:
            with self._client.stream(
                method,
                self.url + path,
                params=httpx.QueryParams(list(query)),
                headers=None if method == "GET" else {"Content-Type": _JSON},
                content=None if content is None else wire.dumped(content),
                timeout=httpx.Timeout(seconds, connect=self._timeouts.connect),
            ) as response:
                return _capped(response, limit or self._limits.application, 2 * seconds)
        except httpx.TimeoutException:
            return CannotSee(f"{self.server} did not answer in time ({method} {path})")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            kind = type(error).__name__
            return CannotSee(f"{self.server} could not be reached: {kind} ({method} {path})")


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


def _capped(response: httpx.Response, limit: int, seconds: float) -> Reply | CannotSee:
    """The time-outs of the client are for each read; this one is for all of them."""
    body, deadline = bytearray(), time.monotonic() + seconds
    for part in response.iter_bytes():
        body += part
        if len(body) > limit:
            return CannotSee(f"an answer of more than {limit} bytes was not read")
        if time.monotonic() > deadline:
            return CannotSee(f"an answer was not complete after {seconds:g} s")
    return Reply(response.status_code, bytes(body))
