"""Something happens at GitHub between two of the service's requests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase

from pilotage.sandbox.github.faults import Fault, Faults
from pilotage.sandbox.world import World


class _Meanwhile(Faults):
    """Does `act` once, just before a request that fits is answered."""

    def __init__(
        self, method: str, path: str, act: Callable[[], object], when: Callable[[], bool]
    ) -> None:
        super().__init__()
        self._method, self._path, self._act, self._when = method, path, act, when
        self._once = threading.Lock()
        self.happened = threading.Event()

    def take(self, method: str, path: str) -> Fault | None:
        fits = fnmatchcase(method, self._method) and fnmatchcase(path, self._path)
        if fits and self._when() and self._once.acquire(blocking=False):
            self._act()
            self.happened.set()
        return super().take(method, path)


@contextmanager
def meanwhile(
    world: World,
    method: str,
    path: str,
    act: Callable[[], object],
    when: Callable[[], bool] = lambda: True,
) -> Iterator[threading.Event]:
    """Within the block the first request that fits, `when` that holds, finds `act` done.

    The event tells that it is.
    """
    before = world.github.state.faults
    hooked = world.github.state.faults = _Meanwhile(method, path, act, when)
    try:
        yield hooked.happened
    finally:
        world.github.state.faults = before
