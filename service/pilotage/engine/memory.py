"""What never changes is found out once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

T = TypeVar("T")


class Memory:
    """The newest results of what never changes; shared by the threads that serve a repository.

    `limit` bounds the sum of what `cost` says of each result.
    """

    def __init__(self, limit: int, cost: Callable[[object], int] = lambda _: 1) -> None:
        self._limit = limit
        self._cost = cost
        self._held = 0
        self._known: OrderedDict[Hashable, object] = OrderedDict()
        self._lock = threading.Lock()

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]  # type: ignore[return-value]
        made = make()
        self.put(key, made)
        return made

    def get(self, key: Hashable) -> object | None:
        with self._lock:
            return self._known.get(key)

    def forget(self, key: Hashable) -> None:
        with self._lock:
            self._drop(key)

    def put(self, key: Hashable, made: object) -> None:
        with self._lock:
            self._drop(key)
            self._known[key] = made
            self._held += self._cost(made)
            while self._held > self._limit and len(self._known) > 1:
                self._drop(next(iter(self._known)))

    def _drop(self, key: Hashable) -> None:
        if key in self._known:
            self._held -= self._cost(self._known.pop(key))
