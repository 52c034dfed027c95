"""One service's files in both environments in, its change out (SYRF-2, SYRF-3)."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from pilotage import edit
from pilotage.core import places
from pilotage.core.change import (
    Difference,
    Part,
    Place,
    ServiceChange,
    Write,
    content_id,
    telling,
)
from pilotage.core.config.load import Problem
from pilotage.core.layout import WHOLE, Copied, CopiedFile, Fixed, Layout, Placed
from pilotage.core.places import FileText, Refused

_MOST_DIFFERENCES = 500
Spot: TypeAlias = tuple[str, int, str]
"""One scalar: its file, the document's index, and its path."""


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
    spots: frozenset[Spot] = frozenset()
    """What it changes in files that are not copied as a whole."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The target has what the source has."""

    version: str


@dataclass(frozen=True, slots=True)
class Unpromotable:
    """A service that cannot be promoted, and why."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class WithoutVersion:
    """It has the file, and no environment says a version in it."""


Planned: TypeAlias = ServicePlan | Unchanged | Unpromotable | WithoutVersion


@dataclass(frozen=True)
class Pair:
    """One service in both environments."""

    service: str
    theirs: Layout
    ours: Layout
    source: Mapping[str, FileText]
    target: Mapping[str, FileText]

    @property
    def key(self) -> Hashable:
        """What a plan depends on: the rules and the contents of the service's files."""
        there = tuple(_id(self.source.get(file)) for file in self.theirs.files_of(self.service))
        here = tuple(_id(self.target.get(file)) for file in self.ours.files_of(self.service))
        return self.service, self.theirs, self.ours, there, here

    def planned(self) -> Planned:
        try:
            return self._added() if self._is_new() else self._changed()
        except Refused as refused:
            return WithoutVersion() if self.has_no_version() else Unpromotable(refused.problem)

    def has_no_version(self) -> bool:
        """Nor a name as a service: folders of one shape hold a base, an identity, a policy too."""
        absent = all(places.is_absent(place, files) for place, files in self._sides)
        return absent and not self.theirs.is_named(self.service)

    def unlike(self) -> tuple[Write, ...]:
        """What the target has otherwise than the source would make it. Raises Refused."""
        after = self._after(self._source_writes())
        before = places.read(after, self.target)
        writes = (_write(place, before[place], value) for place, value in after.items())
        return tuple(write for write in writes if write.before != write.after)

    @cached_property
    def _rules(self) -> tuple[tuple[Placed, Placed], ...]:
        """Each rule as it is filled in the source, and in the target."""
        sides = (self.theirs.in_order(self.service), self.ours.in_order(self.service))
        return tuple(zip(*sides, strict=True))

    @cached_property
    def _files(self) -> tuple[tuple[str, str], ...]:
        """Each file's path in the source, and in the target."""
        sides = (self.theirs.files_of(self.service), self.ours.files_of(self.service))
        return tuple(zip(*sides, strict=True))

    @property
    def _sides(self) -> tuple[tuple[Place, Mapping[str, FileText]], ...]:
        """Where the version stands, in each environment that has the file of it."""
        sides = ((self.theirs, self.source), (self.ours, self.target))
        every = ((layout.version_rule(self.service).place, files) for layout, files in sides)
        return tuple((place, files) for place, files in every if place.file in files)

    def _is_new(self) -> bool:
        return self.ours.version_rule(self.service).place.file not in self.target

    def _changed(self) -> Planned:
        source = self._source_writes()
        after = self._after(source)
        new = self._whole.keys() - self.target.keys()
        before = places.read([place for place in after if place.file not in new], self.target)
        writes = tuple(_write(place, before.get(place), value) for place, value in after.items())
        copied = {ours.place for _, ours in self._rules if not isinstance(ours, Fixed)}
        told = telling(write for write in writes if write.place in copied)
        version = places.shown(writes[0].place, writes[0].after)
        if all(write.before == write.after for write in told):
            return Unchanged(version)
        texts = {file: self.target[file].text for _, file in self._files if file in self.target}
        files = places.written(writes, texts, self._contents)
        different, spots = self._compared(files)
        was = places.shown(writes[0].place, before[writes[0].place])
        change = ServiceChange(self.service, was, version, writes, different)
        return ServicePlan(change, texts, files, source, self._contents, spots)

    def _added(self) -> Planned:
        """Every file of its own as it is in the source, with the fixed values of the target; in
        files that the target has, shared with other services, the promoted values alone."""
        source = self._source_writes()
        shared = {ours: self.target[ours].text for _, ours in self._files if ours in self.target}
        whole, contents = self._copies()
        texts = places.written(whole, {}, contents)
        wanted = self._after(source)
        there = places.read([place for place in wanted if place.file in shared], self.target)
        new = {path: FileText(path, text) for path, text in texts.items()}
        after = places.read([place for place in wanted if place.file in new], new)
        writes = tuple(
            _write(place, there.get(place), after.get(place, value))
            for place, value in wanted.items()
        )
        kept = tuple(each for each in whole if each.place not in after)
        in_shared = [write for write in writes if write.file in shared]
        files = texts | places.written(in_shared, shared, self._contents)
        version = places.shown(writes[0].place, writes[0].after)
        change = ServiceChange(self.service, None, version, (*writes, *kept))
        return ServicePlan(change, shared, files, source, contents | self._contents)

    def _copies(self) -> tuple[list[Write], dict[str, str]]:
        """The files that the target does not have yet, and their texts by id."""
        whole, contents = [], {}
        for theirs, ours in self._files:
            if ours not in self.target:
                text = self._copy(theirs, ours)
                named = content_id(text.encode())
                contents[named] = text
                whole.append(Write(ours, WHOLE, None, named, part=Part.FILE))
        return whole, contents

    def _source_writes(self) -> tuple[Write, ...]:
        rules = [theirs.place for theirs, _ in self._rules if not isinstance(theirs, Fixed)]
        found = places.read(rules, self.source)
        return tuple(_write(place, None, value) for place, value in found.items())

    def _after(self, source: tuple[Write, ...]) -> dict[Place, str]:
        """What each place of the target is to hold."""
        values = {write.place: write.after for write in source}
        after = {}
        for theirs, ours in self._rules:
            match ours:
                case Copied(place=place):
                    after[place] = values[theirs.place]
                case Fixed(place=place):
                    after[place] = ours.written
                case CopiedFile(place=place):
                    after[place] = content_id(self._whole[place.file].encode())
        return after

    @cached_property
    def _whole(self) -> Mapping[str, str]:
        """The files that are copied as a whole, as the target gets them. Raises Refused."""
        return {
            ours.place.file: self._copy(theirs.place.file, ours.place.file)
            for theirs, ours in self._rules
            if isinstance(ours, CopiedFile)
        }

    @property
    def _contents(self) -> dict[str, str]:
        """Those files by the id that a write names."""
        return {content_id(text.encode()): text for text in self._whole.values()}

    def _copy(self, theirs: str, ours: str) -> str:
        """The source's file as the target gets it: texts replaced, fixed values set."""
        found = self.source.get(theirs)
        if found is None or found.refused is not None:
            reason = "there is no such file" if found is None else found.refused
            raise Refused(Problem(theirs, None, "", reason or ""))
        text = found.text
        fixed = []
        for _, rule in self._rules:
            match rule:
                case CopiedFile(place=place, replaced=texts) if place.file == ours:
                    text = _replaced(text, dict(texts))
                case Fixed(place=place) if place.file == ours:
                    fixed.append(_write(place, None, rule.written))
        return places.written(fixed, {ours: text}, {}).get(ours, text)

    def _compared(self, files: Mapping[str, str]) -> tuple[tuple[Difference, ...], frozenset[Spot]]:
        """Scalars that differ and stay, which is not worth refusing a promotion for; and those
        that change."""
        promoted = {rule.place.path for _, rule in self._rules}
        different: list[Difference] = []
        spots: set[Spot] = set()
        for theirs, ours in self._files:
            if ours not in self._whole:
                after = files.get(ours, self.target[ours].text)
                found = _Compared.read(self.source[theirs].text, self.target[ours], after)
                different += (each for each in found.different if each.path not in promoted)
                spots |= found.spots
        return tuple(different[:_MOST_DIFFERENCES]), frozenset(spots)


def _replaced(text: str, texts: Mapping[str, str]) -> str:
    """All at once, the longest first: a mapping has no order, and what came in is not replaced."""
    if not texts:
        return text
    longest = sorted(texts, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest)), lambda found: texts[found[0]], text)


def _id(file: FileText | None) -> str:
    """The content, or why there is none."""
    if file is None:
        return ""
    return file.refused or file.id or content_id(file.text.encode())


def _write(place: Place, before: str | None, after: str) -> Write:
    return Write(place.file, place.path, before, after, place.document, place.part)


@dataclass(frozen=True, slots=True)
class _Compared:
    """One file of the target beside the source's: what stays different, and what changes."""

    different: tuple[Difference, ...] = ()
    spots: frozenset[Spot] = frozenset()

    @classmethod
    def read(cls, theirs: str, ours: FileText, planned: str) -> _Compared:
        try:
            source, running, after = (_scalars(text) for text in (theirs, ours.text, planned))
        except edit.EditRefused:
            return cls()
        different = (
            Difference(ours.path, at[1], source.get(at), running.get(at), at[0])
            for at in (running | source)
            if source.get(at) != running.get(at) == after.get(at)
        )
        changed = (at for at in (running | after) if running.get(at) != after.get(at))
        return cls(tuple(different), frozenset((ours.path, *at) for at in changed))


def _scalars(text: str) -> dict[tuple[int, str], str]:
    return {(found.document, found.path): found.value for found in edit.scalars(text)}
