"""Which targets want to hear of which of Argo CD's applications.

A frame costs what its application concerns, however many targets wait.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Attention:
    """What a target wants to hear of: names of Argo CD's applications.

    A change in `applications` is looked at at once; one in `others`, where nothing is under way,
    not before `others_from`.
    """

    target: str
    applications: frozenset[str]
    others: frozenset[str]
    others_from: datetime


class Listening:
    """Who listens for what, and what was heard that no look has taken up yet."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._by_target: dict[str, Attention] = {}
        self._now: defaultdict[str, set[str]] = defaultdict(set)
        """Application to the targets that want to hear of it at once."""
        self._later: defaultdict[str, set[str]] = defaultdict(set)
        """Application to the targets among whose `others` it is."""
        self._changed: dict[str, set[str]] = {}
        self._heard: dict[str, datetime] = {}
        """Application to when it was last heard of, by whatever way."""

    def heard(self, application: str) -> list[str]:
        """The targets that wait for this application, which was heard of just now."""
        with self._lock:
            self._heard[application] = self._clock()
            return sorted(self._now.get(application, ()))

    def changed(self, application: str) -> list[tuple[str, datetime]]:
        """Which targets to look at because of a frame, and when.

        Frames of applications that nobody waits for are many: one of them asks for one look.
        """
        with self._lock:
            now = self._heard[application] = self._clock()
            wakes = []
            for target in self._now.get(application, ()):
                known = self._changed.setdefault(target, set())
                if application not in known:
                    known.add(application)
                    wakes.append((target, now))
            for target in tuple(self._later.get(application, ())):
                found = self._by_target[target]
                self._replace(replace(found, others=frozenset()))
                wakes.append((target, max(now, found.others_from)))
            return wakes

    def take(self, target: str) -> frozenset[str]:
        """The applications that changed since the last look, for the look that begins now."""
        with self._lock:
            return frozenset(self._changed.pop(target, ()))

    def attend(self, attention: Attention, began: datetime) -> bool:
        """From now on. True when the target has to be looked at once more: what was heard since
        its look began, of an application that it did not wait for before, may be newer than what
        was seen of it."""
        with self._lock:
            before = self._by_target.get(attention.target)
            self._replace(attention)
            new = attention.applications - (before.applications if before else frozenset())
            missed = {name for name in new if name in self._heard and self._heard[name] >= began}
            if missed:
                self._changed.setdefault(attention.target, set()).update(missed)
            return bool(missed)

    def _replace(self, attention: Attention) -> None:
        target = attention.target
        before = self._by_target.get(target)
        self._by_target[target] = attention
        nothing: frozenset[str] = frozenset()
        _move(self._now, target, before.applications if before else nothing, attention.applications)
        _move(self._later, target, before.others if before else nothing, attention.others)


def _move(
    index: defaultdict[str, set[str]], target: str, before: frozenset[str], after: frozenset[str]
) -> None:
    for name in before - after:
        index[name].discard(target)
    for name in after - before:
        index[name].add(target)
