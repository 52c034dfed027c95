"""Finds the applications that read a service's files, for one look at one target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pilotage.adapters.git import InvalidName
from pilotage.core.application import CannotSee
from pilotage.core.config.policy import Policy
from pilotage.core.discovery.declared import Branch, Declared
from pilotage.core.discovery.find import Found, discover, wanted
from pilotage.core.model import Sha
from pilotage.engine.outside import Repository
from pilotage.engine.sights import Applications
from pilotage.engine.trees import Trees

_MOST_ROUNDS = 12
"""How deep kustomizations are followed: each round reads what the one before it named."""


@dataclass(frozen=True, slots=True)
class Readers:
    """Costs nothing until it is asked; then two lists of Argo CD a minute, and what git has not
    been asked for yet at this commit."""

    repository: Repository
    applications: Mapping[str, Applications]
    now: datetime
    changed: frozenset[str]
    """The applications that events have named since the last look."""

    def find(
        self, server: str, policy: Policy, services: Mapping[str, Iterable[str]], commit: Sha
    ) -> dict[str, Found]:
        """Services with their files, to the applications of the server that read one of them."""
        if not services:
            return {}
        files = {service: tuple(sorted(set(each))) for service, each in services.items()}
        applications = self.applications.get(server)
        if applications is None:
            return _unknown(files, f"the settings know no Argo CD named {server}")
        declared = applications.declared(self.now, self.changed)
        if isinstance(declared, CannotSee):
            return _unknown(files, declared.reason)
        known = self._known(policy, commit)
        trees = self.repository.trees
        branch = Branch(self.repository.normalised, trees.base_branch)
        key = (branch, commit, tuple(files.items()), known)

        def search() -> dict[str, Found]:
            texts = read_for(files, known, declared, branch, trees, commit)
            return discover(files, known, declared, branch, texts)

        return applications.found.once((id(declared), *key), search)

    def _known(self, policy: Policy, commit: Sha) -> tuple[str, ...]:
        """The files of both environments: an ApplicationSet may make something of each."""
        trees, pipeline = self.repository.trees, policy.pipeline
        names = (policy.source_name, policy.environment_name)
        files = [trees.tree(pipeline, name, commit).files for name in names]
        return tuple(sorted({path for each in files for path in each}))


def read_for(
    files: Mapping[str, tuple[str, ...]],
    known: tuple[str, ...],
    declared: Declared,
    branch: Branch,
    trees: Trees,
    commit: Sha,
) -> dict[str, str | None]:
    """The texts that discovering needs, of this commit."""
    every = sorted({*known, *(file for each in files.values() for file in each)})
    texts: dict[str, str | None] = {}
    for _ in range(_MOST_ROUNDS):
        more = wanted(every, declared, branch, texts)
        if not more:
            break
        texts |= _texts(trees, commit, sorted(more))
    return texts


def _texts(trees: Trees, commit: Sha, paths: list[str]) -> dict[str, str | None]:
    """A path that git must not be given is no file; it keeps nothing from the others."""
    try:
        return trees.texts(commit, paths)
    except InvalidName:
        if len(paths) == 1:
            return {paths[0]: None}
        half = len(paths) // 2
        return _texts(trees, commit, paths[:half]) | _texts(trees, commit, paths[half:])


def _unknown(files: Mapping[str, tuple[str, ...]], reason: str) -> dict[str, Found]:
    return {service: Found(unread=each, reason=reason) for service, each in files.items()}
