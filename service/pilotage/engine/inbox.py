"""Turns what came in into mail for the targets that it concerns.

An event is a hint, never a fact: whom it concerns and that it came is all that is taken from it.
Only who said or ticked something is kept, because nothing else tells that as well.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

import structlog

from pilotage.adapters.git import RemoteError, UnknownCommit
from pilotage.adapters.github import GitHubError
from pilotage.core.config.load import ConfigError
from pilotage.core.config.policy import Config, Pipeline
from pilotage.core.model import BodyEdit, Command
from pilotage.engine import events
from pilotage.engine.events import (
    Deployment,
    DeploymentStatus,
    GitHubEvent,
    IssueComment,
    MergeGroup,
    NotExpected,
    Ping,
    PullRequestEvent,
    Push,
    ReviewEvent,
    WorkflowRun,
)
from pilotage.engine.mail import Changed, Commanded, Edited, Hint, Letter, Queued, Run, posted
from pilotage.engine.outside import Outside
from pilotage.engine.trees import NoConfigError
from pilotage.store import Delivery, Store, StoreUnavailable, TargetRow

log = structlog.get_logger()

_COMMAND = "/pilotage"
_COMMANDS_OF_A_COMMENT = 10
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class _Settled:
    note: str
    letters: tuple[tuple[str, Letter], ...] = ()
    """Target and what it gets."""

    @property
    def ignored(self) -> bool:
        return not self.letters


class Inbox:
    def __init__(
        self,
        outside: Outside,
        store: Store,
        attentive: Callable[[str], Iterable[str]] = lambda name: (),
    ) -> None:
        self._outside = outside
        self._store = store
        self._attentive = attentive
        self._lock = threading.Lock()
        self._asked = False

    def settle(self, now: datetime) -> bool:
        """Settles what waits, oldest first. False when nothing did.

        One thread at a time: for who comes meanwhile, the one who settles looks again.
        """
        some = False
        self._asked = True
        while self._asked and self._lock.acquire(blocking=False):
            try:
                self._asked = False
                some |= self._settle_some(now)
            finally:
                self._lock.release()
        return some

    def _settle_some(self, now: datetime) -> bool:
        deliveries = self._store.waiting_deliveries(_AT_ONCE)
        for delivery in deliveries:
            try:
                self._settle_one(delivery, self._settled(delivery), now)
            except StoreUnavailable:
                raise
            except Exception as error:
                # A hint that we stumble over is lost, and costs time; the others must not wait.
                log.exception("a delivery could not be settled", id=delivery.id)
                mistake = _Settled(f"a mistake of the service: {type(error).__name__}")
                self._settle_one(delivery, mistake, now)
        return bool(deliveries)

    def _settle_one(self, delivery: Delivery, settled: _Settled, now: datetime) -> None:
        mail = [posted(target, letter, now) for target, letter in settled.letters]
        self._store.settle(delivery.id, settled.note, ignored=settled.ignored, mail=mail, now=now)
        log.info("delivery", id=delivery.id, event_name=delivery.event, note=settled.note)

    def _settled(self, delivery: Delivery) -> _Settled:
        try:
            match delivery.kind:
                case "github":
                    event = events.read_github(delivery.event, delivery.body)
                    return self._github(delivery, event)
                case "argocd":
                    return self._argocd(events.read_argocd(delivery.body).app)
                case "deployment":
                    return self._deployment(events.read_deployment(delivery.body))
                case other:
                    return _Settled(f"unknown kind {other}")
        except NotExpected as error:
            return _Settled(f"not of the expected shape: {error}")

    def _github(self, delivery: Delivery, event: GitHubEvent | None) -> _Settled:
        if event is None:
            return _Settled(f"events of type {delivery.event} are not used")
        if isinstance(event, Ping):
            return _Settled("ping")
        if event.sender is not None and self._is_own(event.sender.login):
            return _Settled("caused by our own write")
        name = event.repository.full_name
        ours = self._ours(name)
        if ours is None:
            return self._of_application(name, event)
        rows = self._store.targets(ours)
        match event:
            case ReviewEvent():
                return _Settled("hint", self._hints(rows, delivery.event))
            case Push() | WorkflowRun() | DeploymentStatus():
                letters = self._hints(rows, delivery.event)
                return _Settled("hint", (*letters, *self._runs(rows, event)))
            case PullRequestEvent():
                return self._pull_request(rows, event)
            case IssueComment():
                return self._comment(rows, event)
            case MergeGroup():
                return self._merge_group(rows, event)
            case _ as never:
                assert_never(never)

    def _ours(self, repository: str) -> str | None:
        """As the settings write it."""
        names = self._outside.settings.repositories
        return next((name for name in names if _is_same(name, repository)), None)

    def _is_own(self, login: str) -> bool:
        try:
            return login == self._outside.github.identity()
        except GitHubError:
            return False

    def _hints(self, rows: Sequence[TargetRow], event: str) -> tuple[tuple[str, Letter], ...]:
        return tuple((row.id, Hint(event)) for row in rows)

    def _runs(
        self, rows: Sequence[TargetRow], event: Push | WorkflowRun | DeploymentStatus
    ) -> list[tuple[str, Letter]]:
        """A CI run in the GitOps repository itself that deployed the source environment."""
        match event:
            case DeploymentStatus() if event.run and event.deployment_status.state == "success":
                return [
                    (row.id, Run(event.run))
                    for row, _, source in self._sources(rows)
                    if source == event.deployment.environment
                ]
            case _:
                return []

    def _pull_request(self, rows: Sequence[TargetRow], event: PullRequestEvent) -> _Settled:
        letters: list[tuple[str, Letter]] = list(self._hints(rows, "pull_request"))
        before = event.changes.body
        if event.action == "edited" and before is not None and event.sender is not None:
            edit = BodyEdit(
                pull_request=event.number,
                editor=event.sender.login,
                at=event.pull_request.updated_at,
                before=before.was,
                after=event.pull_request.body or "",
            )
            letters += [(row.id, Edited(edit)) for row in self._owners(rows, event.number)]
        return _Settled(f"pull request {event.number} {event.action}", tuple(letters))

    def _owners(self, rows: Sequence[TargetRow], number: int) -> list[TargetRow]:
        """The target, of one repository's, that has had a promotion with this pull request."""
        found = self._store.targets_of(rows[0].repository, [number]) if rows else {}
        return [row for row in rows if row.id == found.get(number)]

    def _comment(self, rows: Sequence[TargetRow], event: IssueComment) -> _Settled:
        said = spoken(event.comment.body) if event.action == "created" else []
        if not said:
            return _Settled("no command")
        if event.issue.pull_request is None:
            return _Settled("a comment on an issue")
        owners = self._owners(rows, event.issue.number)
        letters: tuple[tuple[str, Letter], ...] = tuple(
            (row.id, Commanded(_command(event, part, words)))
            for row in owners[:1]
            for part, words in enumerate(said, 1)
        )
        names = ", ".join(words[0] for words in said)
        return _Settled(f"command {names}" if letters else "no promotion has it", letters)

    def _merge_group(self, rows: Sequence[TargetRow], event: MergeGroup) -> _Settled:
        if event.action != "checks_requested":
            return _Settled(f"merge group {event.action}")
        queued = Queued(event.merge_group.head_sha, event.merge_group.head_ref)
        return _Settled("merge queue", tuple((row.id, queued) for row in rows))

    def _of_application(self, repository: str, event: GitHubEvent) -> _Settled:
        """An event of a service's own repository: that is where a team's CI runs."""
        found: list[tuple[str, Letter]] = []
        for name in self._outside.settings.repositories:
            for row, pipeline, source in self._sources(self._store.targets(name)):
                if not self._concerns(pipeline, source, repository, event):
                    continue
                found.append((row.id, Hint("application")))
                run = _run_of(event)
                if run is not None:
                    found.append((row.id, Run(run)))
        if found:
            return _Settled(f"deployed from {repository}", tuple(found))
        return _Settled(f"{repository}: no pipeline goes by this event")

    def _concerns(
        self, pipeline: Pipeline, source: str, repository: str, event: GitHubEvent
    ) -> bool:
        known = pipeline.services.values()
        services = [each for each in known if _is_same(each.repository, repository)]
        if not services:
            return False
        match event:
            case DeploymentStatus():
                right = event.deployment.environment == source
                return right and event.deployment_status.state == "success"
            case WorkflowRun():
                run = event.workflow_run
                if event.action != "completed" or run.conclusion != "success":
                    return False
                file = (run.path or "").partition("@")[0].rsplit("/", 1)[-1]
                names = {each.workflow for each in services}
                return None in names or bool(names & {file, run.name})
            case _:
                return False

    def _sources(self, rows: Sequence[TargetRow]) -> list[tuple[TargetRow, Pipeline, str]]:
        """Each target with its pipeline and the name of the environment that it promotes from."""
        found = []
        for row in rows:
            config = self._config(row.repository) if row.pipeline else None
            pipeline = config.pipelines.get(row.pipeline) if config else None
            environment = pipeline.environments.get(row.environment) if pipeline else None
            if pipeline is not None and environment is not None and environment.from_ is not None:
                found.append((row, pipeline, environment.from_))
        return found

    def _config(self, repository: str) -> Config | None:
        """As last fetched; nothing is asked of the network here."""
        try:
            trees = self._outside.repository(repository).trees
            head = trees.head()
            return trees.config(head) if head is not None else None
        except (ConfigError, NoConfigError, RemoteError, UnknownCommit):
            return None

    def _argocd(self, application: str) -> _Settled:
        attentive = tuple(self._attentive(application))
        if attentive:
            letters = tuple((target, Changed(application)) for target in attentive)
            return _Settled(f"{application} changed", letters)
        rows = [row for row in self._store.targets() if row.pipeline]
        return _Settled(f"{application} changed", self._hints(rows, "argocd"))

    def _deployment(self, told: Deployment) -> _Settled:
        letters: list[tuple[str, Letter]] = []
        known_at_all = False
        for name in self._outside.settings.repositories:
            for row, pipeline, source in self._sources(self._store.targets(name)):
                known = pipeline.services.get(told.service)
                names = (name, known.repository if known else None)
                right = any(_is_same(each, told.repository) for each in names)
                known_at_all |= right
                if not right or source != told.environment:
                    continue
                letters.append((row.id, Hint("deployment")))
                if told.run:
                    letters.append((row.id, Run(told.run)))
        if letters:
            return _Settled(f"{told.service} {told.value} deployed", tuple(letters))
        if known_at_all:
            return _Settled(f"no pipeline promotes {told.service} from {told.environment}")
        return _Settled(
            f"{told.repository} is neither a GitOps repository of this service nor the one "
            f"that a `.pilotage.yaml` names for {told.service}"
        )


def spoken(body: str) -> list[tuple[str, str]]:
    """Name and argument of each command of a comment that begins with one.

    Each begins a line; what follows belongs to it, up to the next. What is quoted or stands in a
    code block is not said by whoever wrote the comment.
    """
    found: list[list[str]] = []
    fenced = False
    for line in body.strip().splitlines():
        fenced ^= line.startswith(("```", "~~~"))
        begins = line.split(maxsplit=1)[:1] if not fenced and line[:1] == _COMMAND[0] else []
        if [word.lower() for word in begins] == [_COMMAND]:
            found.append([])
            line = line[len(_COMMAND) :]
        elif not found:
            return []
        found[-1] += line.split()
    return [
        (words[0].lower() if words else "", " ".join(words[1:]))
        for words in found[:_COMMANDS_OF_A_COMMENT]
    ]


def _command(event: IssueComment, part: int, words: tuple[str, str]) -> Command:
    comment, (name, argument) = event.comment, words
    return Command(
        id=f"comment-{comment.id}" if part == 1 else f"comment-{comment.id}-{part}",
        name=name,
        argument=argument,
        by=comment.user.login,
        at=comment.created_at,
        comment=comment.id,
        pull_request=event.issue.number,
    )


def _is_same(known: str | None, told: str) -> bool:
    """GitHub tells names as their owners write them, and takes them in any case."""
    return known is not None and known.lower() == told.lower()


def _run_of(event: GitHubEvent) -> str | None:
    match event:
        case WorkflowRun():
            return str(event.workflow_run.id)
        case DeploymentStatus():
            return event.run
        case _:
            return None
