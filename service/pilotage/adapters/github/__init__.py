"""GitHub, over PyGithub: the only place that talks to it."""

from __future__ import annotations

from pilotage.adapters.github.credentials import App, Credential, MachineUser
from pilotage.adapters.github.errors import (
    BaseModified,
    Conflict,
    Forbidden,
    GitHubError,
    Moved,
    NotFound,
    NotInstalled,
    NotMergeable,
    RateLimited,
    Refused,
    Renamed,
    Unauthorised,
    UnexpectedAnswer,
    Unreachable,
)
from pilotage.adapters.github.github import GitHub
from pilotage.adapters.github.transport import Counts

__all__ = [
    "App",
    "BaseModified",
    "Conflict",
    "Counts",
    "Credential",
    "Forbidden",
    "GitHub",
    "GitHubError",
    "MachineUser",
    "Moved",
    "NotFound",
    "NotInstalled",
    "NotMergeable",
    "RateLimited",
    "Refused",
    "Renamed",
    "Unauthorised",
    "UnexpectedAnswer",
    "Unreachable",
]
