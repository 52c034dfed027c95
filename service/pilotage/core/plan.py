"""Two trees of files and the rules in, the changes out (SYRF-2, SYRF-3).

Planning never fails as a whole: a service that cannot be promoted is a problem with file, line and
reason, and what that means for the others is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from pilotage import edit
from pilotage.core import places
from pilotage.core.config.load import Problem
from pilotage.core.config.policy import NewServices, Pipeline, RemovedServices
from pilotage.core.layout import WHOLE, Copied, CopiedFile, Fixed, Layout, Placed, layout_of
from pilotage.core.model import Difference, Part, Place, ServiceChange, Sha, Write, telling
from pilotage.core.places import FileText, Refused

_MOST_DIFFERENCES = 50


@dataclass(frozen=True, slots=True)
class Tree:
    """What git says that an environment runs: its files by path."""

    environment: str
    commit: Sha
    files: Mapping[str, FileText]
    since: Sha = ""
    """A commit that has the same files; two trees with the same one need no comparison."""


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """One service's change, and the whole texts of the files that it alone would change."""

    change: ServiceChange
    running: Mapping[str, str]
    """The files as they are."""
    files: Mapping[str, str]
    source: tuple[Write, ...]
    """What the source environment's files hold where the target takes it from."""
    contents: Mapping[str, str] = field(default_factory=dict)
    """The texts of whole files, by the id that a write names."""


@dataclass(frozen=True, slots=True)
class Unplanned:
    """One service that is not to be changed: its version, or why it cannot be promoted.

    Neither: it has the file, and neither environment says a version in it."""

    version: str | None = None
    problem: Problem | None = None


Planned: TypeAlias = ServicePlan | Unplanned
Remember: TypeAlias = Callable[[Hashable, Callable[[], Planned]], Planned]


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
    """What has such a file in both environments and a version in neither."""

    @property
    def changes(self) -> tuple[ServiceChange, ...]:
        return tuple(found.change for found in self.services.values())

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
    remember: Remember = lambda _, make: make(),
) -> Plan:
    """Everything that differs, service by service in the order of their names.

    `asked` are new services that a person wants to have. `remember` may give back what it was
    given before for the same key: a service's plan depends on nothing but its files.
    """
    theirs, ours = layout_of(pipeline, source.environment), layout_of(pipeline, target.environment)
    there = theirs.services(source.files)
    here = frozenset(ours.services(target.files))
    added = _added(pipeline, there, here, asked)
    services: dict[str, ServicePlan] = {}
    unchanged: dict[str, str] = {}
    problems: dict[str, Problem] = {}
    without_version: list[str] = []
    for service in there:
        if service not in here and service not in added:
            continue
        pair = _Pair(service, theirs, ours, source.files, target.files)
        found = remember(pair.key, pair.planned)
        if isinstance(found, ServicePlan):
            services[service] = found
        elif found.problem is not None:
            problems[service] = found.problem
        elif found.version is not None:
            unchanged[service] = found.version
        else:
            without_version.append(service)
    return Plan(
        source=source.commit,
        running=target.commit,
        services=_said_once(services),
        unchanged=unchanged,
        only_in_source=_only(there, here | added, pipeline.new_services is NewServices.IGNORE),
        only_in_target=_only(
            sorted(here), frozenset(there), pipeline.removed_services is RemovedServices.IGNORE
        ),
        problems=problems,
        without_version=tuple(without_version),
    )


def _added(
    pipeline: Pipeline, there: Sequence[str], here: frozenset[str], asked: frozenset[str]
) -> frozenset[str]:
    new = frozenset(there) - here
    return new if pipeline.new_services is NewServices.ADD else new & asked


def _only(there: Sequence[str], here: frozenset[str], ignored: bool) -> tuple[str, ...]:
    return () if ignored else tuple(name for name in there if name not in here)


def _said_once(services: Mapping[str, ServicePlan]) -> dict[str, ServicePlan]:
    """What differs in a file that several services share is said of the first of them."""
    known: set[Difference] = set()
    said = {}
    for name, found in services.items():
        rest = tuple(each for each in found.change.differences if each not in known)
        known.update(rest)
        said[name] = replace(found, change=replace(found.change, differences=rest))
    return said


def unlike(pipeline: Pipeline, service: str, source: Tree, target: Tree) -> tuple[Write, ...]:
    """What the target has otherwise than promoting from the source would make it now.

    Raises Refused.
    """
    theirs, ours = layout_of(pipeline, source.environment), layout_of(pipeline, target.environment)
    return _Pair(service, theirs, ours, source.files, target.files).unlike()


@dataclass(frozen=True, slots=True)
class _Pair:
    """One service in both environments."""

    service: str
    theirs: Layout
    ours: Layout
    source: Mapping[str, FileText]
    target: Mapping[str, FileText]

    @property
    def key(self) -> Hashable:
        there = tuple(_id(self.source.get(file)) for file in self.theirs.files_of(self.service))
        here = tuple(_id(self.target.get(file)) for file in self.ours.files_of(self.service))
        return self.service, self.theirs, self.ours, there, here

    @property
    def rules(self) -> list[tuple[Placed, Placed]]:
        """Each rule as it is filled in the source, and in the target."""
        sides = (self.theirs.in_order(self.service), self.ours.in_order(self.service))
        return list(zip(*sides, strict=True))

    def planned(self) -> Planned:
        try:
            return self._added() if self._is_new() else self._changed()
        except Refused as refused:
            return Unplanned() if self._says_nothing() else Unplanned(None, refused.problem)

    def _says_nothing(self) -> bool:
        """Folders of one shape hold more than services: a base, an identity, a policy."""
        theirs, ours = (each.version_rule(self.service).place for each in (self.theirs, self.ours))
        absent = places.is_absent(theirs, self.source) and places.is_absent(ours, self.target)
        return absent and not self.theirs.is_named(self.service)

    def unlike(self) -> tuple[Write, ...]:
        after = self._after(self._source_writes())
        before = places.read(after, self.target)
        writes = (_write(place, before[place], value) for place, value in after.items())
        return tuple(write for write in writes if write.before != write.after)

    def _is_new(self) -> bool:
        return self.ours.version_rule(self.service).place.file not in self.target

    def _changed(self) -> Planned:
        source = self._source_writes()
        contents = self._contents()
        after = self._after(source)
        new = {rule.place.file for _, rule in self.rules if isinstance(rule, CopiedFile)}
        new -= self.target.keys()
        before = places.read([place for place in after if place.file not in new], self.target)
        writes = tuple(_write(place, before.get(place), value) for place, value in after.items())
        copied = {ours.place for _, ours in self.rules if not isinstance(ours, Fixed)}
        told = telling(write for write in writes if write.place in copied)
        version = places.shown(writes[0].place, writes[0].after)
        if all(write.before == write.after for write in told):
            return Unplanned(version)
        texts = {file: self.target[file].text for file in self._files if file in self.target}
        files = places.written(writes, texts, contents)
        change = ServiceChange(
            self.service,
            places.shown(writes[0].place, before[writes[0].place]),
            version,
            writes,
            self._differences(files),
        )
        return ServicePlan(change, texts, files, source, contents)

    def _added(self) -> Planned:
        """Every file of the service as it is in the source, with the fixed values of the target."""
        source = self._source_writes()
        contents: dict[str, str] = {}
        moved = zip(
            self.theirs.files_of(self.service), self.ours.files_of(self.service), strict=True
        )
        whole = []
        for theirs, ours in moved:
            if ours in self.target:
                raise Refused(Problem(ours, None, "", f"{self.service} is not in this file"))
            text = self._copied_text(theirs, ours)
            contents[places.content_id(text)] = text
            whole.append(Write(ours, WHOLE, None, places.content_id(text), part=Part.FILE))
        files = places.written(whole, {}, contents)
        texts = {path: FileText(path, text) for path, text in files.items()}
        after = places.read([ours.place for _, ours in self.rules], texts)
        writes = tuple(_write(place, None, value) for place, value in after.items())
        kept = tuple(each for each in whole if each.place not in after)
        version = places.shown(writes[0].place, writes[0].after)
        change = ServiceChange(self.service, None, version, (*writes, *kept))
        return ServicePlan(change, {}, files, source, contents)

    def _source_writes(self) -> tuple[Write, ...]:
        rules = [theirs.place for theirs, _ in self.rules if not isinstance(theirs, Fixed)]
        found = places.read(rules, self.source)
        return tuple(_write(place, None, value) for place, value in found.items())

    def _after(self, source: tuple[Write, ...]) -> dict[Place, str]:
        """What each place of the target is to hold."""
        values = {write.place: write.after for write in source}
        after = {}
        for theirs, ours in self.rules:
            match ours:
                case Copied(place=place):
                    after[place] = values[theirs.place]
                case Fixed(place=place, value=value):
                    after[place] = value
                case CopiedFile(place=place):
                    after[place] = places.content_id(
                        self._copied_text(theirs.place.file, place.file)
                    )
        return after

    def _contents(self) -> dict[str, str]:
        texts = [
            self._copied_text(theirs.place.file, ours.place.file)
            for theirs, ours in self.rules
            if isinstance(ours, CopiedFile)
        ]
        return {places.content_id(text): text for text in texts}

    def _copied_text(self, theirs: str, ours: str) -> str:
        """The source's file as the target gets it: texts replaced, fixed values set."""
        found = self.source.get(theirs)
        if found is None or found.refused is not None:
            reason = "there is no such file" if found is None else found.refused
            raise Refused(Problem(theirs, None, "", reason or ""))
        text = found.text
        for _, rule in self.rules:
            if isinstance(rule, CopiedFile) and rule.place.file == ours:
                for old, new in rule.replaced:
                    text = text.replace(old, new)
        fixed = [
            _write(rule.place, None, rule.value)
            for _, rule in self.rules
            if isinstance(rule, Fixed) and rule.place.file == ours
        ]
        return places.written(fixed, {ours: text}, {}).get(ours, text)

    @property
    def _files(self) -> tuple[str, ...]:
        return self.ours.files_of(self.service)

    def _differences(self, files: Mapping[str, str]) -> tuple[Difference, ...]:
        """Scalars that differ and are not promoted; not worth refusing a promotion for."""
        whole = {ours.place.file for _, ours in self.rules if isinstance(ours, CopiedFile)}
        found: list[Difference] = []
        for theirs, ours in zip(self.theirs.files_of(self.service), self._files, strict=True):
            if ours not in whole:
                found += _differences(
                    self.source[theirs].text,
                    self.target[ours],
                    files.get(ours, self.target[ours].text),
                    {rule.place.path for _, rule in self.rules},
                )
        return tuple(found[:_MOST_DIFFERENCES])


def _id(file: FileText | None) -> str:
    """What a plan depends on: the content, or why there is none."""
    if file is None:
        return ""
    return file.refused or file.id or places.content_id(file.text)


def _write(place: Place, before: str | None, after: str) -> Write:
    return Write(place.file, place.path, before, after, place.document, place.part)


def _differences(theirs: str, ours: FileText, planned: str, promoted: set[str]) -> list[Difference]:
    """What stays different once the promoted values are written."""
    try:
        source, running, after = (_scalars(text) for text in (theirs, ours.text, planned))
    except edit.EditRefused:
        return []
    return [
        Difference(ours.path, path, source.get(at), running.get(at))
        for at in (running | source)
        if source.get(at) != running.get(at) == after.get(at) and (path := at[1]) not in promoted
    ]


def _scalars(text: str) -> dict[tuple[int, str], str]:
    return {(found.document, found.path): found.value for found in edit.scalars(text)}


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
