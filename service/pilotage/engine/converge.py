"""Makes what is readable outside equal to what was decided: compare, then write the difference.

What was written or seen lately is remembered for a while, so that a wake that changes nothing
costs nothing; after that it is compared again, and what somebody broke is mended.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from pilotage.adapters.github import GitHub
from pilotage.clock import age
from pilotage.core.forge import PullRequest, Status, hidden
from pilotage.core.model import Sha
from pilotage.core.outputs import DeploymentRecord, LastWord, Outputs, StoryPage
from pilotage.rendering import render_body, render_story, with_last_word


@dataclass(frozen=True, slots=True)
class Converged:
    """What was written; `stale` when the body changed under our hands and was left alone.

    `pull_request`: something that the pull request itself shows was written.
    """

    body: bool = False
    stale: bool = False
    pull_request: bool = False
    writes: int = 0


@dataclass(frozen=True, slots=True)
class _Told:
    """A comment as it was last written: its text, what matters of it, and when."""

    body: str
    gist: tuple[object, ...]
    at: datetime


class Mirror:
    """What is known to stand outside, by key, with the moment of knowing."""

    def __init__(self, keep: timedelta) -> None:
        self._keep = keep
        self._known: dict[tuple[str, ...], tuple[datetime, object]] = {}
        self._lock = threading.Lock()

    def get(
        self, key: tuple[str, ...], now: datetime, since: datetime | None = None
    ) -> object | None:
        """None when it is not known, or from before `since`: others may have written since."""
        with self._lock:
            found = self._known.get(key)
        if found is None or age(found[0], now) >= self._keep:
            return None
        return found[1] if since is None or found[0] >= since else None

    def forget(self, key: tuple[str, ...]) -> None:
        """About to be written: should the answer be lost, nobody knows what stands there."""
        with self._lock:
            self._known.pop(key, None)

    def put(self, key: tuple[str, ...], value: object, now: datetime) -> None:
        with self._lock:
            self._known[key] = (now, value)
            if len(self._known) > 20_000:
                oldest = sorted(self._known, key=lambda each: self._known[each][0])
                for each in oldest[:5_000]:
                    del self._known[each]


class Convergence:
    """Writes outputs, for all workers. Raises GitHubError.

    The rollout's comment is written at once when its state changes; what changes of single
    applications in between goes in at most every `calm`, however many there are.
    """

    def __init__(
        self, github: GitHub, mirror: Mirror, calm: timedelta = timedelta(seconds=30)
    ) -> None:
        self._github = github
        self._mirror = mirror
        self._calm = calm

    def converge(
        self,
        repository: str,
        outputs: Outputs,
        current: PullRequest | None,
        now: datetime,
        alone_since: datetime | None = None,
    ) -> Converged:
        """`alone_since`: what is remembered from before it may have been written by another
        replica meanwhile, and is read again."""
        done = Converged()
        if current is not None and current.open:
            done = self._pull_request(repository, outputs, current)
        writes = done.writes + self._statuses(repository, outputs, now, alone_since)
        if outputs.story is not None and outputs.pull_request is not None:
            number, story = outputs.pull_request, outputs.story
            writes += self._story(repository, number, story, now, alone_since)
        if outputs.deployment is not None:
            writes += self._deployment(repository, outputs.deployment, now, alone_since)
        if outputs.last_word is not None and outputs.pull_request is not None:
            number, word = outputs.pull_request, outputs.last_word
            writes += self._last_word(repository, number, word, now, alone_since)
        return Converged(done.body, done.stale, done.writes > 0, writes)

    def _pull_request(self, repository: str, outputs: Outputs, current: PullRequest) -> Converged:
        number, writes = current.number, 0
        missing = outputs.labels - current.labels
        if missing:
            self._github.add_labels(repository, number, missing)
            writes += 1
        assignees = outputs.assignees - current.assignees
        if assignees:
            self._github.add_assignees(repository, number, assignees)
            writes += 1
        writes += self._reviewers(repository, outputs, current)
        title = outputs.title if outputs.title != current.title else None
        body = render_body(outputs.body) if outputs.body is not None else None
        if body is None or _same(body, current.body):
            body = None
        if title is None and body is None:
            return Converged(writes=writes)
        if body is not None:
            latest = self._github.pull_request(repository, number)
            if latest.body != current.body or not latest.open:
                return Converged(stale=True, writes=writes)
        self._github.edit_pull_request(repository, number, title=title, body=body)
        return Converged(body=body is not None, writes=writes + 1)

    def _reviewers(self, repository: str, outputs: Outputs, current: PullRequest) -> int:
        """Asked for once: somebody who was asked and has reviewed is no longer listed."""
        asked = ("reviewers", repository, str(current.number))
        wanted = (outputs.reviewers - {current.author}, outputs.teams)
        there = (current.requested_reviewers, current.requested_teams)
        if not any(wanted) or any(there):
            return 0
        if self._mirror.get(asked, current.updated_at) is not None:
            return 0
        self._github.request_reviewers(
            repository,
            current.number,
            author=current.author,
            reviewers=wanted[0],
            teams=wanted[1],
        )
        self._mirror.put(asked, True, current.updated_at)
        return 1

    def _statuses(
        self, repository: str, outputs: Outputs, now: datetime, since: datetime | None
    ) -> int:
        writes = 0
        for sha in dict.fromkeys(found for found, _ in outputs.statuses):
            wanted = {
                context: status for (at, context), status in outputs.statuses.items() if at == sha
            }
            writes += self._statuses_at(repository, sha, wanted, now, since)
        return writes

    def _statuses_at(
        self,
        repository: str,
        sha: Sha,
        wanted: dict[str, Status],
        now: datetime,
        since: datetime | None,
    ) -> int:
        keys = {context: ("status", repository, sha, context) for context in wanted}
        known = {context: self._mirror.get(keys[context], now, since) for context in wanted}
        if known == wanted:
            return 0
        there = self._github.statuses(repository, sha)
        writes = 0
        for context, status in wanted.items():
            if there.get(context) != status:
                self._mirror.forget(keys[context])
                self._github.set_status(repository, sha, context, status)
                writes += 1
            self._mirror.put(keys[context], status, now)
        return writes

    def _story(
        self,
        repository: str,
        number: int,
        page: StoryPage,
        now: datetime,
        since: datetime | None,
    ) -> int:
        body = render_story(page)
        key = ("story", repository, str(number))
        gist = (page.heading, page.lead, page.lines, page.advice)
        known = self._mirror.get(key, now, since)
        if isinstance(known, _Told):
            calm = known.gist == gist and age(known.at, now) < self._calm
            if calm or known.body == body:
                return 0
        self._mirror.forget(key)
        mine = [
            comment
            for comment in self._github.comments(repository, number)
            if hidden(page.marker) in comment.body
        ]
        writes = 0
        for double in mine[1:]:
            self._github.delete_comment(repository, double.id)
            writes += 1
        if not mine:
            self._github.create_comment(repository, number, body)
            writes += 1
        elif not _same(mine[0].body, body):
            self._github.edit_comment(repository, mine[0].id, body)
            writes += 1
        self._mirror.put(key, _Told(body, gist, now), now)
        return writes

    def _last_word(
        self, repository: str, number: int, word: LastWord, now: datetime, since: datetime | None
    ) -> int:
        key = ("last word", repository, str(number))
        if self._mirror.get(key, now, since) == word:
            return 0
        latest = self._github.pull_request(repository, number)
        if latest.open:
            return 0  # GitHub is behind, or a person has opened it again: the next look sees it
        body = with_last_word(latest.body, word)
        told = _same(body, latest.body)
        if not told:
            self._github.edit_pull_request(repository, number, body=body)
        self._mirror.put(key, word, now)
        return 0 if told else 1

    def _deployment(
        self, repository: str, wanted: DeploymentRecord, now: datetime, since: datetime | None
    ) -> int:
        key = ("deployment", repository, wanted.sha, wanted.environment)
        if self._mirror.get(key, now, since) == wanted.state:
            return 0
        self._mirror.forget(key)
        found = self._github.deployment(repository, wanted.sha, wanted.environment)
        writes = 0
        if found is None:
            found = self._github.create_deployment(
                repository,
                wanted.sha,
                wanted.environment,
                production=wanted.production,
                description=wanted.description,
            )
            writes += 1
        if found.state != wanted.state:
            self._github.set_deployment_state(
                repository, found.id, wanted.state, description=wanted.description
            )
            writes += 1
        self._mirror.put(key, wanted.state, now)
        return writes


def _same(ours: str, theirs: str) -> bool:
    """GitHub's web editor writes CRLF, and the API drops white space at the end."""
    return ours.replace("\r\n", "\n").rstrip() == theirs.replace("\r\n", "\n").rstrip()
