"""What never changes is found out once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
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
        self._making: dict[Hashable, Future[object]] = {}
        self._lock = threading.Lock()

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is remembered, or else what `make` returns. Whoever asks while another thread is at
        it waits for the same result, or gets what that raised; nothing is remembered then."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]  # type: ignore[return-value]
            mine = Future[object]()
            making = self._making.setdefault(key, mine)
        if making is not mine:
            return making.result()  # type: ignore[return-value]
        try:
            made = make()
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            self.put(key, made)
            mine.set_result(made)
            return made
        finally:
            with self._lock:
                del self._making[key]

    def get(self, key: Hashable) -> object | None:
        with self._lock:
            return self._known.get(key)

    def known(self) -> tuple[Hashable, ...]:
        """The keys of what is remembered, the newest last."""
        with self._lock:
            return tuple(self._known)

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
