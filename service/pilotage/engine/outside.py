"""The outside systems of one installation, opened once and shared by the workers."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr

from pilotage.adapters.argocd import ArgoCD
from pilotage.adapters.argocd import Timeouts as ArgoCDTimeouts
from pilotage.adapters.git import GitCredentials, GitStore, StoreDamaged, Timeouts
from pilotage.adapters.github import App, Credential, GitHub, MachineUser
from pilotage.adapters.messages import Channel, Messages
from pilotage.adapters.probe import Probe
from pilotage.clock import age
from pilotage.core import manifests
from pilotage.core.application import CannotSee, normalised_repository
from pilotage.core.comparing import MOST
from pilotage.core.comparison import Answer as ComparisonAnswer
from pilotage.core.comparison import NotCompared, Span
from pilotage.core.forge import PullRequest, PullRequestBrief, Review
from pilotage.core.manifests import NotSeen, Question
from pilotage.core.model import Sha
from pilotage.engine.artifacts import Judge
from pilotage.engine.asking import Asking
from pilotage.engine.memory import Memory
from pilotage.engine.trees import Trees
from pilotage.resources import presets
from pilotage.settings import ArgoCDSettings, Settings

T = TypeVar("T")

_RENDERED_AT_ONCE = 4
"""Renderings by all Argo CDs together: each may take their repository servers a while."""
_SETTLED = timedelta(seconds=5)
"""GitHub's times have whole seconds: what was read this soon after a change may be outdated."""


@dataclass(frozen=True, slots=True)
class Asked:
    """When somebody looks, how old an answer may be, and which hint it must be newer than."""

    now: datetime
    at_most: timedelta
    newer_than: datetime | None = None

    def is_met_by(self, at: datetime) -> bool:
        """Whether an answer of that moment will do."""
        late = self.newer_than is not None and at <= self.newer_than
        return age(at, self.now) < self.at_most and not late


@dataclass(frozen=True, slots=True)
class _Listing:
    at: datetime
    into: str
    rows: tuple[PullRequestBrief, ...]


class Repository:
    """One GitOps repository: its git, and what is read once for all of its targets."""

    def __init__(self, name: str, url: str, trees: Trees, github: GitHub) -> None:
        self.name = name
        self.normalised = normalised_repository(url)
        self.trees = trees
        self._github = github
        self._listing: _Listing | None = None
        self._lock = threading.Lock()
        self._files = Memory(2_000)
        self._pulls = Memory(2_000)
        self.judge = Judge()

    def pull_requests(self, asked: Asked) -> tuple[PullRequestBrief, ...]:
        """Open pull requests into the base branch: one list for all targets."""
        with self._lock:
            known = self._listing
            base = self.trees.base_branch
            if known is not None and known.into == base and asked.is_met_by(known.at):
                return known.rows
            rows = self._github.open_pull_requests(self.name, base)
            self._listing = _Listing(asked.now, base, rows)
            return rows

    def pull_request(self, number: int, asked: Asked) -> PullRequest:
        """One pull request; read again only when the list says that it has changed."""
        return self._unless_changed(
            "pull", number, asked, lambda: self._github.pull_request(self.name, number)
        )

    def reviews(self, number: int, asked: Asked) -> tuple[Review, ...]:
        return self._unless_changed(
            "reviews", number, asked, lambda: self._github.reviews(self.name, number)
        )

    def _unless_changed(self, what: str, number: int, asked: Asked, read: Callable[[], T]) -> T:
        row = next((row for row in self.pull_requests(asked) if row.number == number), None)
        if row is None or asked.now - row.updated_at < _SETTLED:
            return read()
        return self._pulls.once((what, number, row.updated_at, row.head), read)

    def wrote(self) -> None:
        """We changed a pull request ourselves, and no event will tell of it."""
        with self._lock:
            self._listing = None

    def misread(self) -> None:
        """What was remembered is not what stands there: GitHub's copies were behind each other."""
        with self._lock:
            self._listing = None
            self._pulls = Memory(2_000)

    def changed_files(self, number: int, head: Sha) -> frozenset[str] | None:
        """What a pull request touches; None when there are more files than GitHub lists."""

        def read() -> frozenset[str] | None:
            found = self._github.changed_files(self.name, number)
            return found.paths if found.complete else None

        return self._files.once((number, head), read)


class Outside:
    """Everything that is not us. `close` ends the connections."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.github = GitHub(
            _credential(settings),
            base_url=str(settings.github.url).rstrip("/"),
            timeout=settings.github.timeout,
        )
        self.argocd: Mapping[str, ArgoCD] = {
            name: _argocd(name, found) for name, found in settings.argocd.items()
        }
        self.comparisons: Asking[Span, ComparisonAnswer] = Asking(
            "compare",
            self.github.compare,
            NotCompared("it could not be asked for; the log says why"),
            at_once=MOST,
        )
        self.renders: Asking[Question, manifests.Answer] = Asking(
            "render",
            self._render,
            NotSeen("it could not be asked for; the log says why"),
            at_once=_RENDERED_AT_ONCE,
        )
        self.probe = Probe()
        self.messages = Messages(
            {
                name: Channel(found.kind, found.url, found.secret)
                for name, found in settings.channels.items()
            }
        )
        self._presets = presets()
        self._repositories: dict[str, Repository] = {}
        self._lock = threading.Lock()

    def repository(self, name: str) -> Repository:
        with self._lock:
            known = self._repositories.get(name)
            if known is None:
                known = self._repositories[name] = self._opened(name)
            return known

    def reopen(self, name: str, fault: Exception) -> None:
        """Its store did not work: the next look opens it again, which removes the locks of killed
        processes, and a damaged one, which is only a cache, is fetched anew."""
        with self._lock:
            known = self._repositories.pop(name, None)
            if known is not None and isinstance(fault, StoreDamaged):
                path = known.trees.git.path
                aside = path.with_suffix(".damaged")
                shutil.rmtree(aside, ignore_errors=True)
                with suppress(OSError):  # another worker did it
                    path.rename(aside)

    def _opened(self, name: str) -> Repository:
        settings = self.settings
        url = f"{str(settings.github.git_url).rstrip('/')}/{name}.git"
        timeout = settings.git_timeout.total_seconds()

        def credentials() -> GitCredentials:
            token: SecretStr = self.github.token(name)
            return GitCredentials("x-access-token", token)

        store = GitStore.open(
            _folder(settings.data, name),
            url,
            credentials,
            allow_protocols=("https", "http") if settings.allow_insecure_git else ("https",),
            timeouts=Timeouts(network=timeout),
        )
        return Repository(name, url, Trees(store, self._presets), self.github)

    def _render(self, question: Question) -> manifests.Answer:
        """The base too: Argo CD has mostly rendered it by itself, and keeps what it rendered."""
        server = self.argocd[question.application.server]
        head = server.render(question.application, question.head)
        if isinstance(head, CannotSee):
            return manifests.answer(head, head)
        return manifests.answer(head, server.render(question.application, question.base))

    def close(self) -> None:
        self.comparisons.close()
        self.renders.close()
        self.github.close()
        for server in self.argocd.values():
            server.close()
        self.messages.close()


def _argocd(name: str, settings: ArgoCDSettings) -> ArgoCD:
    return ArgoCD(
        name,
        str(settings.url),
        settings.token,
        ca=str(settings.ca) if settings.ca else None,
        verify=settings.verify,
        control_plane=settings.control_plane,
        timeouts=ArgoCDTimeouts(refresh=settings.refresh_timeout.total_seconds()),
    )


def _credential(settings: Settings) -> Credential:
    github = settings.github
    if github.app_id is not None:
        assert github.private_key is not None
        return App(github.app_id, github.private_key)
    assert github.token is not None
    return MachineUser(github.token)


def _folder(data: Path, repository: str) -> Path:
    """One folder for each repository, whatever characters its name has."""
    digest = hashlib.sha256(repository.lower().encode()).hexdigest()[:12]
    return data / "git" / f"{repository.replace('/', '-')}-{digest}.git"
