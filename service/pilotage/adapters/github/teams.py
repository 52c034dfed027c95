"""Who is in a team: asked for every tick and review, and remembered for a few minutes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from pilotage.adapters.github.answers import Login, read
from pilotage.adapters.github.calls import Calls
from pilotage.adapters.github.paths import segment
from pilotage.clock import age

_REMEMBERED = timedelta(minutes=5)


class Teams:
    """For several threads."""

    def __init__(self, calls: Calls, clock: Callable[[], datetime]) -> None:
        self._calls = calls
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[datetime, frozenset[str]]] = {}

    def members(self, organization: str, team: str) -> frozenset[str]:
        """Logins. Raises a GitHubError, which is not remembered."""
        key = organization.lower(), team.lower()
        now = self._clock()
        with self._lock:
            at, members = self._known.get(key, (None, frozenset[str]()))
        if at is not None and age(at, now) < _REMEMBERED:
            return members
        path = f"/orgs/{segment(organization)}/teams/{segment(team)}/members"
        what = f"reading the members of {organization}/{team}"
        rows = self._calls.rows(organization, path, what)
        members = frozenset(read(Login, row, what, path).login for row in rows)
        with self._lock:
            self._known[key] = now, members
        return members
