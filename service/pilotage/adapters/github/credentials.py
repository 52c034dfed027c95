"""Who the service is on GitHub: a machine user with a token, or a GitHub App with a key."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from pydantic import SecretStr

API_MARGIN = timedelta(minutes=5)
"""How long a token must still last to be used for an API call."""


@dataclass(frozen=True, slots=True)
class MachineUser:
    """An account of its own. A person's token would hide who did what."""

    token: SecretStr


@dataclass(frozen=True, slots=True)
class App:
    """A GitHub App: `id` is its App id (or client id), the key is PEM."""

    id: int | str
    private_key: SecretStr


Credential: TypeAlias = MachineUser | App


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A token of one installation; it lasts for about an hour."""

    token: SecretStr
    expires_at: datetime


class Installations:
    """The App's installations and their tokens: each found once, each minted once an hour.

    A lock for every installation keeps two threads from minting the same token.
    """

    def __init__(
        self,
        find: Callable[[str], int],
        mint: Callable[[int], MintedToken],
        clock: Callable[[], datetime],
    ) -> None:
        self._find, self._mint, self._clock = find, mint, clock
        self._lock = threading.Lock()
        self._ids: dict[str, int] = {}
        self._tokens: dict[int, MintedToken] = {}
        self._minting: dict[int, threading.Lock] = {}

    def installation(self, scope: str) -> int:
        """The installation for `owner/name`, or for the organisation `owner`.

        An App has one installation for an owner: whatever repository led to it will do.
        """
        key = scope.lower()
        with self._lock:
            known = self._ids.get(key)
            if known is None and "/" not in key:
                owned = (held for name, held in self._ids.items() if name.startswith(f"{key}/"))
                known = next(owned, None)
        if known is None:
            known = self._find(scope)
            with self._lock:
                self._ids[key] = known
        return known

    def token(self, installation: int, lasting: timedelta) -> SecretStr:
        """A token that is good for at least `lasting`, minted only when there is none."""
        with self._lock:
            minting = self._minting.setdefault(installation, threading.Lock())
        with minting:
            minted = self._tokens.get(installation)
            if minted is None or minted.expires_at - self._clock() < lasting:
                minted = self._tokens[installation] = self._mint(installation)
            return minted.token

    def forget(self, scope: str) -> None:
        """GitHub no longer accepts the token, or the App was installed anew: find out again."""
        with self._lock:
            installation = self._ids.get(scope.lower())
            self._ids = {name: held for name, held in self._ids.items() if held != installation}
            if installation is not None:
                self._tokens.pop(installation, None)
