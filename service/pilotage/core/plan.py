"""Two trees of files and the rules in, the changes out (SYRF-2, SYRF-3).

Planning never fails as a whole: a service that cannot be promoted is a problem with file, line and
reason, and what that means for the others is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar, assert_never

from pilotage.core import places
from pilotage.core.change import Difference, ServiceChange, Write
from pilotage.core.config.load import Problem
from pilotage.core.config.policy import NewServices, Pipeline, RemovedServices
from pilotage.core.layout import layout_of
from pilotage.core.model import Sha
from pilotage.core.places import FileText, Refused
from pilotage.core.service_plan import (
    Pair,
    Planned,
    ServicePlan,
    Unchanged,
    Unpromotable,
    WithoutVersion,
)

T = TypeVar("T")

_MOST_DIFFERENCES = 50


@dataclass(frozen=True, slots=True)
class Tree:
    """What git says that an environment runs: its files by path."""

    environment: str
    commit: Sha
    files: Mapping[str, FileText]
    since: Sha = ""
    """A commit that has the same files; two trees with the same one need no comparison."""
    misnamed: Mapping[str, str] = field(default_factory=dict)
    """Paths that would be a service's file, to what they call it: no name of a service."""


class Remember(Protocol):
    """What `make` returns, or what it returned before for this key."""

    def __call__(self, key: Hashable, make: Callable[[], T], /) -> T: ...


def _afresh(_: Hashable, make: Callable[[], T], /) -> T:
    return make()


@dataclass(frozen=True, slots=True)
class Plan:
    """What promoting everything that differs would do."""

    source: Sha
    running: Sha
    services: Mapping[str, ServicePlan]
    unchanged: Mapping[str, str]
    """Service to the version that both environments have."""
    only_in_source: tuple[str, ...]
    only_in_target: tuple[str, ...]
    problems: Mapping[str, Problem]
    """Service to why it cannot be promoted."""
    without_version: tuple[str, ...] = ()
    """What has such a file in one environment or both, and no version in any."""
    misnamed: tuple[str, ...] = ()
    """What is no service because of its name alone."""

    @property
    def changes(self) -> tuple[ServiceChange, ...]:
        return tuple(found.change for found in self.services.values())

    @property
    def versions_in_target(self) -> dict[str, str]:
        """What the target's files say now, service to version."""
        before = {name: found.change.before for name, found in self.services.items()}
        return {**self.unchanged, **{name: found for name, found in before.items() if found}}

    def only(self, services: Collection[str]) -> Plan:
        """What promoting these alone would do."""
        return replace(
            self,
            services={name: each for name, each in self.services.items() if name in services},
            problems={name: each for name, each in self.problems.items() if name in services},
        )

    @property
    def contents(self) -> dict[str, str]:
        """The texts of whole files, by the id that a write names."""
        found: dict[str, str] = {}
        for planned in self.services.values():
            found |= planned.contents
        return found


def plan(
    pipeline: Pipeline,
    source: Tree,
    target: Tree,
    *,
    asked: frozenset[str] = frozenset(),
    remember: Remember = _afresh,
) -> Plan:
    """Everything that differs, service by service in the order of their names.

    `asked` are new services that a person wants to have. `remember` may give back what it was
    given before for the same key: a service's plan depends on nothing but its files.
    """
    theirs, ours = layout_of(pipeline, source.environment), layout_of(pipeline, target.environment)
    there = theirs.services(source.files)
    here = frozenset(ours.services(target.files))
    alone = here.symmetric_difference(there) - _added(pipeline, there, here, asked)
    found = _Found()
    for service in sorted(here.union(there)):
        pair = Pair(service, theirs, ours, source.files, target.files)
        if service not in alone:
            found.note(service, remember(pair.key, pair.planned))
        elif remember(("alone", pair.key), pair.has_no_version):
            found.without_version.append(service)
    told_new, told_removed = _told(pipeline, alone.difference(found.without_version), here)
    return Plan(
        source=source.commit,
        running=target.commit,
        services=_said_once(found.services),
        unchanged=found.unchanged,
        only_in_source=told_new,
        only_in_target=told_removed,
        problems=found.problems,
        without_version=tuple(found.without_version),
        misnamed=tuple(sorted({*source.misnamed.values(), *target.misnamed.values()})),
    )


@dataclass(slots=True)
class _Found:
    """The services by what was found of each."""

    services: dict[str, ServicePlan] = field(default_factory=dict)
    unchanged: dict[str, str] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)
    without_version: list[str] = field(default_factory=list)

    def note(self, service: str, found: Planned) -> None:
        match found:
            case ServicePlan():
                self.services[service] = found
            case Unchanged(version=version):
                self.unchanged[service] = version
            case Unpromotable(problem=problem):
                self.problems[service] = problem
            case WithoutVersion():
                self.without_version.append(service)
            case _:
                assert_never(found)


def _added(
    pipeline: Pipeline, there: Sequence[str], here: frozenset[str], asked: frozenset[str]
) -> frozenset[str]:
    new = frozenset(there) - here
    return new if pipeline.new_services is NewServices.ADD else new & asked


def _told(
    pipeline: Pipeline, alone: frozenset[str], here: frozenset[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What only the source has, and only the target, as far as the team wants to hear of it."""
    new = () if pipeline.new_services is NewServices.IGNORE else sorted(alone - here)
    removed = () if pipeline.removed_services is RemovedServices.IGNORE else sorted(alone & here)
    return tuple(new), tuple(removed)


def _said_once(services: Mapping[str, ServicePlan]) -> dict[str, ServicePlan]:
    """What differs in a file that several services share is said of the first of them, if it is
    none that another one promotes."""
    promoted = {spot for found in services.values() for spot in found.spots}
    known: set[Difference] = set()
    said = {}
    for name, found in services.items():
        rest = [
            each
            for each in found.change.differences
            if each not in known and (each.file, each.document, each.path) not in promoted
        ][:_MOST_DIFFERENCES]
        known.update(rest)
        said[name] = replace(found, change=replace(found.change, differences=tuple(rest)))
    return said


def unlike(pipeline: Pipeline, service: str, source: Tree, target: Tree) -> tuple[Write, ...]:
    """What the target has otherwise than promoting from the source would make it now.

    Raises Refused.
    """
    theirs, ours = layout_of(pipeline, source.environment), layout_of(pipeline, target.environment)
    return Pair(service, theirs, ours, source.files, target.files).unlike()


def joined(chosen: Sequence[ServicePlan]) -> dict[str, str]:
    """The whole texts of the files that change when these go together: some may share a file."""
    texts: dict[str, str] = {}
    for found in chosen:
        before = {**found.running, **texts}
        texts |= places.written(found.change.writes, before, found.contents)
    return texts


def versions(pipeline: Pipeline, tree: Tree) -> dict[str, str]:
    """Service to its version in one environment; services that cannot be read are left out."""
    layout = layout_of(pipeline, tree.environment)
    found: dict[str, str] = {}
    for service in layout.services(tree.files):
        place = layout.version_rule(service).place
        try:
            found[service] = places.shown(place, places.read([place], tree.files)[place])
        except Refused:
            continue
    return found
