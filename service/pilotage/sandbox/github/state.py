"""The state that all parts of the stand-in share: who there is, what there is, and one lock."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pilotage.sandbox.github.errors import Refused
from pilotage.sandbox.github.faults import Faults, Limits, RequestLog
from pilotage.sandbox.github.model import (
    Account,
    App,
    Credential,
    Installation,
    Permission,
    PullRequest,
    Repository,
    Team,
)
from pilotage.sandbox.github.webhooks import Webhooks


class State:
    """Everything in memory except git. Whoever reads or writes it holds `lock`."""

    def __init__(self, root: Path, clock: Callable[[], datetime], limits: Limits) -> None:
        self.root = root
        self.clock = clock
        self.base_url = "http://127.0.0.1"
        self.lock = threading.RLock()
        self.accounts: dict[str, Account] = {}
        self.teams: dict[tuple[str, str], Team] = {}
        self.members: dict[str, set[str]] = {}  # of organizations, by lower-case login
        self.apps: dict[int, App] = {}
        self.installations: dict[int, Installation] = {}
        self.repositories: dict[str, Repository] = {}
        self.credentials: dict[str, Credential] = {}
        self.webhooks = Webhooks(clock)
        self.faults = Faults()
        self.requests = RequestLog()
        self.limits = limits
        self.mergeable_after_reads = 1
        self._last_id = 1000

    def now(self) -> datetime:
        return self.clock().astimezone(UTC).replace(microsecond=0)

    def next_id(self) -> int:
        with self.lock:
            self._last_id += 1
            return self._last_id

    @property
    def api(self) -> str:
        return f"{self.base_url}/api/v3"

    # Who ---------------------------------------------------------------------------------

    def add_account(self, login: str, type_: str = "User", name: str = "") -> Account:
        with self.lock:
            found = self.accounts.get(login.lower())
            if found is None:
                found = Account(self.next_id(), login, type_, name or login)
                self.accounts[login.lower()] = found
            return found

    def account(self, login: str) -> Account:
        found = self.accounts.get(login.lower())
        if found is None:
            raise KeyError(f"no such account: {login}")
        return found

    def credential(self, token: str) -> Credential | None:
        found = self.credentials.get(token)
        if found is None or (found.expires_at is not None and found.expires_at <= self.clock()):
            return None
        return found

    def new_token(
        self,
        account: Account,
        installation: Installation | None = None,
        expires_at: datetime | None = None,
    ) -> Credential:
        prefix = "ghs_" if installation else "ghp_"
        made = Credential(prefix + secrets.token_hex(18), account, installation, expires_at)
        self.credentials[made.token] = made
        return made

    # What --------------------------------------------------------------------------------

    def repository(self, full_name: str) -> Repository:
        """The repository, whoever may see it. Raises KeyError."""
        return self.repositories[full_name.lower()]

    def permission(self, repository: Repository, login: str) -> Permission:
        """What an account may do: as owner, collaborator or member of a team."""
        if login.lower() == repository.owner.login.lower():
            return Permission.ADMIN
        best = repository.collaborators.get(login.lower(), Permission.NONE)
        for slug, granted in repository.teams.items():
            team = self.teams.get((repository.owner.login.lower(), slug))
            if team is not None and login.lower() in team.members:
                best = max(best, granted)
        for installation in self.installations.values():
            bot = installation.app.bot.login
            if bot == login and repository.full_name in installation.repositories:
                best = max(best, Permission.WRITE)
        return best if best or repository.private else Permission.READ

    def visible(self, repository: Repository, credential: Credential) -> bool:
        if credential.installation is not None:
            names = credential.installation.repositories
            return repository.full_name in names or not repository.private
        return self.permission(repository, credential.account.login) >= Permission.READ

    def pull(self, repository: Repository, number: int) -> PullRequest:
        found = repository.pulls.get(number)
        if found is None:
            raise Refused(404, "Not Found")
        return found

    def is_member(self, organization: str, login: str) -> bool:
        return login.lower() in self.members.get(organization.lower(), set())

    def may_read_teams(self, organization: str, credential: Credential) -> bool:
        if credential.installation is not None:
            return credential.installation.reads_members
        return self.is_member(organization, credential.account.login)

    # Events ------------------------------------------------------------------------------

    def emit(
        self, repository: Repository, event: str, payload: dict[str, Any], sender: dict[str, Any]
    ) -> None:
        """Tell the repository's webhooks. `payload` lacks only what each event carries."""
        for hook in repository.hooks:
            self.webhooks.send(hook, event, payload | {"sender": sender})
