"""GitHub, as far as a promotion service needs it."""

from pilotage.sandbox.github.app import create_app
from pilotage.sandbox.github.control import GitHub
from pilotage.sandbox.github.errors import Refused
from pilotage.sandbox.github.faults import Limits
from pilotage.sandbox.github.model import (
    MergeMethod,
    Permission,
    Protection,
    ProtectionKind,
    PullRequest,
    Repository,
    RequiredContext,
)

__all__ = [
    "GitHub",
    "Limits",
    "MergeMethod",
    "Permission",
    "Protection",
    "ProtectionKind",
    "PullRequest",
    "Refused",
    "Repository",
    "RequiredContext",
    "create_app",
]
