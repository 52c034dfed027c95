"""A repository's own look: which targets its configuration has, and whether it can be used.

It also answers for the pull requests that edit no promoted file of any target.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from pilotage.adapters.git import RemoteError
from pilotage.adapters.github import GitHubError, RateLimited
from pilotage.core.config.load import ConfigError
from pilotage.core.config.policy import Config, Mode
from pilotage.core.forge import READY, Status, StatusState
from pilotage.core.model import Sha, Target
from pilotage.core.outputs import Outputs
from pilotage.engine.mail import Post
from pilotage.engine.observe import CannotObserve
from pilotage.engine.outside import Asked, Outside, Repository
from pilotage.engine.touched import touched_targets
from pilotage.engine.trees import NoConfigError
from pilotage.store import Store

CONFIG = "pilotage/config"


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
            return Surveyed(replace(target, config_problem=str(error)), ())
        except ConfigError as error:
            status = Status(StatusState.FAILURE, error.problems[0].brief)
            outputs = Outputs(promotion="", statuses={(head, CONFIG): status})
            return Surveyed(replace(target, config_problem=str(error)), (outputs,))
        problem = self._register(target, config, now)
        mended = self._config_mended(target, head, problem)
        looked = replace(target, config_problem=problem, blind=None)
        if all(found.mode is Mode.OBSERVE for found in config.pipelines.values()):
            return Surveyed(looked, ())
        return self._others(looked, repository, config, post, now, mended)

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
        return (Outputs(promotion="", statuses={(head, CONFIG): status}),)

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
            status = Status(StatusState.SUCCESS, "no promoted file touched")
            for row in rows:
                if target.ready_for.get(row.number) == row.head:
                    judged[row.number] = row.head
                elif not touched_targets(config, repository.changed_files(row.number, row.head)):
                    found = Outputs(promotion="", statuses={(row.head, READY): status})
                    outputs = (*outputs, found)
                    judged[row.number] = row.head
        except GitHubError as error:
            until = error.until if isinstance(error, RateLimited) else None
            raise CannotObserve(str(error), until) from None
        for queued in post.queued:
            if queued.pull_request in judged:
                found = Outputs(promotion="", statuses={(queued.sha, READY): status})
                outputs = (*outputs, found)
        return Surveyed(replace(target, ready_for=judged), outputs)
