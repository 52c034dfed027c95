"""Which applications read a service's promoted files: `applications: auto`.

For every service the names, each with its reason; and where there are none, what came nearest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from pilotage.core.declared import Branch, Declared, DeclaredApplication
from pilotage.core.generators import made_of, matching
from pilotage.core.kustomizations import Texts
from pilotage.core.path_patterns import covers
from pilotage.core.reading import Misses, Near, Reader, Reads

_MOST_NEAR = 3
_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Match:
    """An application that a file reaches, and why."""

    application: str
    file: str
    why: str

    def __str__(self) -> str:
        return f"{self.application}: {self.why}"


@dataclass(frozen=True, slots=True)
class NearMiss:
    application: str
    file: str
    why: str

    def __str__(self) -> str:
        return f"{self.application} {self.why}"


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of one service. Nothing found is unknown, never live."""

    matches: tuple[Match, ...] = ()
    near: tuple[NearMiss, ...] = ()
    unread: tuple[str, ...] = ()
    """Files of the service that no application reads, while others are read."""
    reason: str = ""
    """Why there is no application, for people; empty when there is one."""
    uncovered: tuple[Match, ...] = ()
    """Applications that read a file which their `manifest-generate-paths` does not name, so that
    Argo CD does not notice a change of it by itself."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted({match.application for match in self.matches}))


@dataclass(frozen=True, slots=True)
class Discovered:
    """`unread` are paths whose text is wanted, read or missing; until then nothing is certain."""

    services: Mapping[str, Found]
    unread: frozenset[str] = frozenset()


def discover(
    services: Mapping[str, tuple[str, ...]],
    known: Iterable[str],
    declared: Declared,
    branch: Branch,
    texts: Texts,
) -> Discovered:
    """The readers of every service's files.

    `known` are the files of the pipeline in all environments: an ApplicationSet may make
    applications of any of them. Ask again with `texts` of what comes back as `unread`, as long as
    there is any.
    """
    reader = Reader(branch, texts)
    search = _Search(declared, reader, tuple(known))
    found = {service: search.service(service, files) for service, files in services.items()}
    return Discovered(found, frozenset(reader.unread - texts.keys()))


@dataclass(frozen=True, slots=True)
class _Search:
    declared: Declared
    reader: Reader
    known: tuple[str, ...]

    def service(self, service: str, files: tuple[str, ...]) -> Found:
        matches: list[Match] = []
        misses: list[tuple[Misses, NearMiss]] = []
        unread: list[str] = []
        for file in files:
            seen = [*self._readers(file), *self._children(file)]
            here = [each for each in seen if isinstance(each, Match)]
            misses += [each for each in seen if not isinstance(each, Match)]
            matches += _once(here)
            unread += [] if here else [file]
        if matches:
            uncovered = _uncovered(matches, self.declared)
            return Found(tuple(matches), (), tuple(unread), "", uncovered)
        misses.sort(key=lambda each: (-each[0].near, -each[0].shared, each[1].application))
        near = tuple(each for miss, each in misses if miss.near > Near.ELSEWHERE)[:_MOST_NEAR]
        reason = _reason(service, files, near, self.declared, self.reader.branch)
        return Found((), near, tuple(files), reason)

    def _readers(self, file: str) -> Iterator[Match | tuple[Misses, NearMiss]]:
        for application in self.declared.applications:
            match self.reader.answer(application, file):
                case Reads(why=why):
                    yield Match(application.name, file, why)
                case Misses(why=why) as miss:
                    yield miss, NearMiss(application.name, file, why)
                case _ as never:
                    assert_never(never)

    def _children(self, file: str) -> Iterator[Match | tuple[Misses, NearMiss]]:
        """The applications that ApplicationSets make of a file, whatever they read."""
        reader = self.reader
        for each in self.declared.sets:
            if matching(each.generators, reader.branch, file) is None:
                continue
            reader.unread.update(
                other
                for other in (file, *self.known)
                if matching(each.generators, reader.branch, other)
            )
            made = made_of(each, reader.branch, file, self.known, reader.texts)
            label = f"ApplicationSet {each.name}"
            for child in made.children:
                yield Match(child, file, f"{label} makes it from {file}")
            if not made.children:
                why = made.unsure or "makes no application of it"
                yield Misses(why, Near.OTHER_BRANCH), NearMiss(label, file, why)


def _once(matches: list[Match]) -> list[Match]:
    """One reason for each application and file: that it reads it, before that it is made of it."""
    first: dict[tuple[str, str], Match] = {}
    for match in matches:
        first.setdefault((match.application, match.file), match)
    return list(first.values())


def _reason(
    service: str,
    files: tuple[str, ...],
    near: tuple[NearMiss, ...],
    declared: Declared,
    branch: Branch,
) -> str:
    if not files:
        return f"{service} has no file to look for"
    shown = ", ".join(files[:_MOST_SHOWN])
    text = f"no application on {branch.name} reads {shown}"
    if near:
        text += f"; nearest: {', '.join(str(each) for each in near)}"
    elif declared.applications:
        read = {name for each in declared.applications for name in _repositories(each)}
        text += f"; none of the {len(declared.applications)} that are shown reads this repository"
        text += f", but {', '.join(sorted(read)[:_MOST_SHOWN])}" if read else ""
    if declared.unseen:
        text += f"; ApplicationSets cannot be seen: {declared.unseen}"
    return text


def _repositories(application: DeclaredApplication) -> set[str]:
    return {source.repository.rpartition("@")[2] for source in application.sources}


def _uncovered(matches: list[Match], declared: Declared) -> tuple[Match, ...]:
    by_name = {each.name: each for each in declared.applications}
    return tuple(
        match
        for match in matches
        if match.application in by_name and not _covered(by_name[match.application], match.file)
    )


def _covered(application: DeclaredApplication, file: str) -> bool:
    patterns = application.generate_paths
    if patterns is None:
        return True
    return any(
        covers(pattern, source.path, file) for pattern in patterns for source in application.sources
    )
