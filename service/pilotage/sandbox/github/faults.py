"""What goes wrong with requests, by switch; and what was asked, counted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any


@dataclass(slots=True)
class Fault:
    """The next `times` requests of `method` whose path fits `path` (a shell pattern, `/api/v3`
    left out). `after`: the write takes hold and only its answer is lost."""

    kind: str  # answer, hang, stale, then
    method: str
    path: str
    times: int
    status: int = 502
    after: bool = False
    seconds: float = 0.0
    message: str = "Server Error"
    headers: dict[str, str] = field(default_factory=dict)
    then: Callable[[], None] | None = None

    def fits(self, method: str, path: str) -> bool:
        return fnmatchcase(method, self.method) and fnmatchcase(path, self.path)


class Faults:
    """The switches. The first fault that fits a request is used up by it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[Fault] = []

    def answer(
        self,
        status: int,
        method: str = "*",
        path: str = "*",
        *,
        times: int = 1,
        after: bool = False,
        message: str = "Server Error",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer `status` instead, before the write or `after` it took hold."""
        self._add(
            Fault("answer", method, path, times, status, after, 0.0, message, dict(headers or {}))
        )

    def hang(self, seconds: float, method: str = "*", path: str = "*", *, times: int = 1) -> None:
        """Say nothing for `seconds`, then answer as always."""
        self._add(Fault("hang", method, path, times, seconds=seconds))

    def then(
        self, do: Callable[[], None], method: str = "*", path: str = "*", *, times: int = 1
    ) -> None:
        """Call `do` when the request has taken hold, and only then answer: whoever asked may have
        died meanwhile."""
        self._add(Fault("then", method, path, times, then=do))

    def stale(self, path: str, *, times: int = 1) -> None:
        """Answer a GET with what the same address answered the last time."""
        self._add(Fault("stale", "GET", path, times))

    def secondary_limit(
        self,
        retry_after: int = 60,
        method: str = "*",
        path: str = "*",
        *,
        times: int = 1,
        status: int = 403,
    ) -> None:
        """github.com says 403 or 429."""
        message = (
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try "
            "again."
        )
        self.answer(
            status,
            method,
            path,
            times=times,
            message=message,
            headers={"retry-after": str(retry_after)},
        )

    def primary_limit(
        self,
        reset: datetime,
        method: str = "*",
        path: str = "*",
        *,
        times: int = 1,
    ) -> None:
        """Until `reset` nothing is left, says the answer."""
        headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(reset.timestamp()))}
        message = "API rate limit exceeded."
        self.answer(403, method, path, times=times, message=message, headers=headers)

    def base_was_modified(self, *, times: int = 1) -> None:
        """The transient 405 of a merge."""
        message = "Base branch was modified. Review and try the merge again."
        self.answer(405, "PUT", "*/merge", times=times, message=message)

    def clear(self) -> None:
        with self._lock:
            self._active.clear()

    def take(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self._active:
                if fault.fits(method, path):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._active.remove(fault)
                    return fault
        return None

    def active(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                {"kind": each.kind, "method": each.method, "path": each.path, "times": each.times}
                for each in self._active
            ]

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self._active.append(fault)


@dataclass(frozen=True, slots=True)
class Limits:
    """github.com's figures. `content_*` count the writes of one credential."""

    primary_per_hour: int = 5000
    content_per_minute: int = 80
    content_per_hour: int = 500


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    status: int
    login: str
    at: datetime

    @property
    def is_write(self) -> bool:
        return self.method not in ("GET", "HEAD") and not self.path.endswith(
            ("/git-upload-pack", "/graphql")
        )


class RequestLog:
    """What was asked over HTTP, oldest first; `/api/v3` is left out of the paths."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Asked] = []

    def add(self, asked: Asked) -> None:
        with self._lock:
            self._entries.append(asked)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def entries(self, method: str = "*", path: str = "*", login: str = "*") -> list[Asked]:
        with self._lock:
            return [
                asked
                for asked in self._entries
                if fnmatchcase(asked.method, method)
                and fnmatchcase(asked.path, path)
                and fnmatchcase(asked.login, login)
            ]

    def writes(self, path: str = "*", login: str = "*") -> list[Asked]:
        """What changed or tried to change something: POST, PUT, PATCH, DELETE and git pushes."""
        return [asked for asked in self.entries(path=path, login=login) if asked.is_write]

    def reads(self, path: str = "*", login: str = "*") -> list[Asked]:
        return [asked for asked in self.entries(path=path, login=login) if not asked.is_write]
