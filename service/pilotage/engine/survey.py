"""A repository's own look: which targets its configuration has, and whether it can be used.

It also answers for the pull requests that edit no promoted file of any target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from pilotage.adapters.git import RemoteError
from pilotage.adapters.github import GitHubError, RateLimited
from pilotage.core.config.load import FILE, ConfigError
from pilotage.core.config.policy import Config, Mode, policy_for
from pilotage.core.forge import READY, PullRequestBrief, Status, StatusState
from pilotage.core.model import Sha, Target
from pilotage.core.outputs import Outputs
from pilotage.engine.mail import Post
from pilotage.engine.observe import CannotObserve
from pilotage.engine.outside import Asked, Outside, Repository
from pilotage.engine.touched import touched_targets
from pilotage.engine.trees import NoConfigError
from pilotage.store import Store

log = structlog.get_logger()

CONFIG = "pilotage/config"
_UNTOUCHED = Status(StatusState.SUCCESS, "no promoted file touched")


@dataclass(frozen=True, slots=True)
class Surveyed:
    """The repository's own target after a look, and what should be readable because of it."""

    target: Target
    outputs: tuple[Outputs, ...]


class Survey:
    def __init__(self, outside: Outside, store: Store) -> None:
        self._outside = outside
        self._store = store

    def look(self, target: Target, post: Post, now: datetime) -> Surveyed:
        """Raises CannotObserve when git or GitHub is out of reach."""
        repository = self._outside.repository(target.repository)
        trees = repository.trees
        try:
            trees.refresh(now, self._outside.settings.fetch, post.newest_hint)
            head = trees.head()
        except RemoteError as error:
            raise CannotObserve(str(error)) from None
        if head is None:
            raise CannotObserve(f"{target.repository} has no branch {trees.base_branch}")
        try:
            config = trees.config(head)
        except NoConfigError as error:
            outputs = self._meanwhile(target, repository, str(error), post, now)
            return Surveyed(replace(target, config_problem=str(error)), outputs)
        except ConfigError as error:
            brief = error.problems[0].brief
            told = _said(head, CONFIG, Status(StatusState.FAILURE, brief))
            outputs = self._meanwhile(target, repository, brief, post, now)
            return Surveyed(replace(target, config_problem=str(error)), (told, *outputs))
        problem = self._register(target, config, now)
        mended = self._config_mended(target, head, problem)
        looked = replace(target, config_problem=problem, blind=None)
        if all(found.mode is Mode.OBSERVE for found in config.pipelines.values()):
            return Surveyed(looked, ())
        return self._others(looked, repository, config, post, now, mended)

    def _meanwhile(
        self, target: Target, repository: Repository, problem: str, post: Post, now: datetime
    ) -> tuple[Outputs, ...]:
        """Nothing can be judged: what is proposed waits, and only what mends it gets through."""
        if not any(row.pipeline for row in self._store.targets(target.repository)):
            return ()
        closed = Status(StatusState.FAILURE, f"the configuration cannot be used: {problem}")
        outputs = []
        asked = Asked(now, self._outside.settings.compare, post.newest_hint)
        try:
            rows = repository.pull_requests(asked)
            opened = self._opened(target, rows)
            for row in rows:
                if row.number in opened:
                    outputs.append(_said(row.head, READY, closed))
                elif repository.changed_files(row.number, row.head) == frozenset({FILE}):
                    outputs.append(_said(row.head, READY, _UNTOUCHED))
        except GitHubError as error:
            log.warning("pull requests cannot be read", reason=str(error))
        return tuple(outputs)

    def _opened(self, target: Target, rows: Sequence[PullRequestBrief]) -> Mapping[int, str]:
        """By number, the targets that pull requests of ours were opened for, retired ones too."""
        own = self._outside.github.identity()
        numbers = [row.number for row in rows if row.author == own]
        return self._store.targets_of(target.repository, numbers) if numbers else {}

    def _register(self, target: Target, config: Config, now: datetime) -> str | None:
        """Makes the store's targets those of the configuration."""
        wanted = {
            f"{name}/{environment}": (name, environment)
            for name, pipeline in config.pipelines.items()
            for environment in pipeline.targets
        }
        known = {row.id: row for row in self._store.targets(retired=True)}
        problems = []
        for id_, (pipeline, environment) in wanted.items():
            row = known.get(id_)
            if row is not None and row.repository != target.repository:
                problems.append(f"pipeline {pipeline} is already promoted in {row.repository}")
                continue
            if row is None or row.retired_at is not None:
                self._store.ensure_target(
                    id_,
                    repository=target.repository,
                    pipeline=pipeline,
                    environment=environment,
                    wake_at=now,
                )
        for id_, row in known.items():
            gone = row.repository == target.repository and row.pipeline and id_ not in wanted
            if gone and row.retired_at is None and row.release is None:
                self._store.retire_target(id_, now)
        return "; ".join(problems) or None

    def _config_mended(self, target: Target, head: Sha, problem: str | None) -> tuple[Outputs, ...]:
        """The status is only there while something is or was wrong."""
        if problem is not None:
            status = Status(StatusState.FAILURE, problem)
        elif target.config_problem is not None:
            status = Status(StatusState.SUCCESS, "the configuration can be used")
        else:
            return ()
        return (_said(head, CONFIG, status),)

    def _others(
        self,
        target: Target,
        repository: Repository,
        config: Config,
        post: Post,
        now: datetime,
        outputs: tuple[Outputs, ...],
    ) -> Surveyed:
        """`pilotage/ready` for everybody whose pull request is none of our business."""
        asked = Asked(now, self._outside.settings.compare, post.newest_hint)
        try:
            rows = repository.pull_requests(asked)
            judged: dict[int, Sha] = {}
            opened = self._opened(target, rows)
            for row in rows:
                orphaned = _orphaned(opened.get(row.number), config)
                if orphaned is not None:
                    outputs = (*outputs, _said(row.head, READY, orphaned))
                elif target.ready_for.get(row.number) == row.head:
                    judged[row.number] = row.head
                elif not touched_targets(config, repository.changed_files(row.number, row.head)):
                    outputs = (*outputs, _said(row.head, READY, _UNTOUCHED))
                    judged[row.number] = row.head
        except GitHubError as error:
            until = error.until if isinstance(error, RateLimited) else None
            raise CannotObserve(str(error), until) from None
        for queued in post.queued:
            if queued.pull_request in judged:
                outputs = (*outputs, _said(queued.sha, READY, _UNTOUCHED))
        return Surveyed(replace(target, ready_for=judged), outputs)


def _said(sha: Sha, context: str, status: Status) -> Outputs:
    """One status alone, of no promotion: one that cannot be written keeps no other back."""
    return Outputs("", statuses={(sha, context): status})


def _orphaned(of: str | None, config: Config) -> Status | None:
    """Nobody would watch the merge: the target that it was opened for is gone."""
    pipeline, _, environment = (of or "").partition("/")
    if of is None or policy_for(config, pipeline, environment, "") is not None:
        return None
    return Status(StatusState.FAILURE, f"{of} is not promoted any more; close this one")
