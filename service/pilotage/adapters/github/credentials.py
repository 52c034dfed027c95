"""Who the service is on GitHub: a machine user with a token, or a GitHub App with a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from pydantic import SecretStr


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
