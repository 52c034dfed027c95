"""What the parts of one look share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pilotage.adapters.github import GitHub, GitHubError, RateLimited
from pilotage.core.config.policy import Config, People, Policy
from pilotage.core.model import (
    Sha,
    Target,
)
from pilotage.core.plan import Plan
from pilotage.core.snapshot import (
    Known,
    Seen,
    Unknown,
)
from pilotage.engine.mail import Post
from pilotage.engine.outside import Asked, Outside, Repository
from pilotage.engine.readers import Readers
from pilotage.engine.sights import (
    Sights,
)
from pilotage.store import Store

T = TypeVar("T")


class CannotObserve(Exception):
    """Nothing can be decided now. `until` is when to try again, if the outside said so.

    `configuration`: it will be so until somebody mends the file.
    """

    def __init__(
        self, reason: str, until: datetime | None = None, *, configuration: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason, self.until, self.configuration = reason, until, configuration


class NotPromoted(Exception):
    """The configuration does not promote to this target (any more)."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one target: what the parts below share."""

    outside: Outside
    store: Store
    repository: Repository
    target: Target
    post: Post
    now: datetime
    base_branch: str
    base: Sha
    """Its head."""
    config: Config
    policy: Policy
    problem: str | None
    """Why today's configuration cannot be used, while a release needs that of its merge."""
    plan: Plan
    sights: Sights
    readers: Readers
    own: str

    @property
    def asked(self) -> Asked:
        return Asked(self.now, self.outside.settings.compare, self.post.newest_hint)


def until_of(error: Exception) -> datetime | None:
    return error.until if isinstance(error, RateLimited) else None


def seen(look: Look, read: Callable[[GitHub], T]) -> Seen[T]:
    """A reading of GitHub; what goes wrong is a value."""
    try:
        return Known(read(look.outside.github), look.now)
    except GitHubError as error:
        return Unknown(str(error), look.now, until_of(error))


def logins(look: Look, people: People) -> frozenset[str]:
    organization = look.target.repository.partition("/")[0]
    logins = set(people.users)
    for team in people.teams:
        logins |= look.outside.github.team_members(organization, team)
    return frozenset(logins)


def is_due(look: Look, name: str, again: datetime, proven: bool) -> bool:
    if name in look.post.changed:
        return True
    if proven:
        return look.now - again >= look.outside.settings.look
    return look.now >= again
