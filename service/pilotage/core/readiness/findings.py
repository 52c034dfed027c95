"""Whether everything outside is as a configuration needs it: the words, and the clone itself.

Facts go in, findings come out: `forge` judges the account and the people, `branch` the rules,
`argocd` the applications.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pilotage.core.config.policy import Config, Environment, Mode
from pilotage.core.model import Sha
from pilotage.core.wording import listed, nearest

MOST_NAMED = 5


class Level(StrEnum):
    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: how it stands with something, and what to do next where that is needed."""

    level: Level
    about: str
    text: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """What could not be learnt, and why; `missing`: it is not there, or may not be seen."""

    reason: str
    next_step: str = ""
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked: a file of a commit, or one that is not committed."""

    file: str
    commit: Sha
    text: str


@dataclass(frozen=True, slots=True)
class GitFacts:
    """`origin` is shown without credentials, and empty where the clone has none."""

    origin: str
    repository: str | None
    """The one of the settings that the origin is; None when it is none of them."""
    repositories: tuple[str, ...]
    checked: Checked
    branch: str = ""
    head: Sha | Unknown | None = None
    """Of the base branch, as git tells it with the service's credentials."""
    pushed: str | Unknown | None = None
    """The configuration at that head; None where there is none."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a pipeline promotes to; `acts` is false while it only observes."""

    id: str
    environment: Environment
    acts: bool

    @property
    def failing(self) -> Level:
        """How bad it is when an act of this target would fail."""
        return Level.PROBLEM if self.acts else Level.NOTE


def targets_of(config: Config) -> tuple[Target, ...]:
    return tuple(
        Target(
            f"{name}/{environment}",
            pipeline.environments[environment],
            pipeline.mode is Mode.PROPOSE,
        )
        for name, pipeline in config.pipelines.items()
        for environment in pipeline.targets
    )


def judge_channels(known: frozenset[str], config: Config) -> Iterator[Finding]:
    """Who would be told: a channel with a name that is not right is heard by nobody."""
    for target in targets_of(config):
        named = target.environment.notify
        for name in named:
            if name not in known:
                near = nearest(name, known)
                step = f"did you mean {near}?" if near else f"add [channels.{name}] to the settings"
                text = f"the settings have no channel {name} for its messages"
                yield Finding(target.failing, target.id, text, step)
        if named and known.issuperset(named):
            yield Finding(Level.OK, target.id, f"messages go to {listed(named)}")


def judge_git(facts: GitFacts) -> Iterator[Finding]:
    yield _origin(facts)
    if facts.branch:
        yield from _pushed(facts)


def _origin(facts: GitFacts) -> Finding:
    names = listed(facts.repositories)
    if not facts.origin:
        return Finding(Level.NOTE, "git", f"the clone has no origin; the settings name {names}")
    if facts.repository is None:
        text = f"origin is {facts.origin}, and the settings name {names}"
        step = "check a clone of one of these, or add this one to `repositories`"
        return Finding(Level.PROBLEM, "git", text, step)
    return Finding(Level.OK, "git", f"origin is {facts.repository} of the settings")


def _pushed(facts: GitFacts) -> Iterator[Finding]:
    checked, branch = facts.checked, facts.branch
    match facts.head:
        case Unknown() as unknown:
            text = f"git cannot read the repository: {unknown.reason}"
            yield Finding(Level.PROBLEM, "git", text, unknown.next_step)
            return
        case None:
            yield Finding(Level.PROBLEM, "git", f"the repository has no branch {branch}")
            return
        case head:
            where = f"{branch} at {head[:7]}"
    same = f"{checked.file} at {checked.commit[:7]} was checked"
    step = "the service goes by what is on the branch: push, or check that"
    match facts.pushed:
        case Unknown() as unknown:
            text = f"the configuration of {where} cannot be read: {unknown.reason}"
            yield Finding(Level.PROBLEM, "git", text, unknown.next_step)
        case None:
            yield Finding(Level.NOTE, "git", f"{where} has no .pilotage.yaml; {same}", step)
        case text if text == checked.text:
            yield Finding(Level.OK, "git", f"{where} has the configuration that was checked")
        case _:
            yield Finding(Level.NOTE, "git", f"{where} has another .pilotage.yaml; {same}", step)
