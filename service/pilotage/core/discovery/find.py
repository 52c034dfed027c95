"""Which applications read a service's promoted files: `applications: auto`.

For every service the names, each with its reason; and where there are none, what came nearest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pilotage.core.discovery.app_of_apps import declared_by
from pilotage.core.discovery.declared import ApplicationSet, Branch, Declared, DeclaredApplication
from pilotage.core.discovery.generators import Made, made_of, matching
from pilotage.core.discovery.kustomizations import Texts
from pilotage.core.discovery.path_patterns import covers
from pilotage.core.discovery.reading import Misses, Near, Reader, Reads

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


def wanted(
    files: Iterable[str], declared: Declared, branch: Branch, texts: Texts
) -> frozenset[str]:
    """The paths whose texts are needed for `discover` to be certain, and are not among `texts`.

    Each answer leads to the next: ask until nothing is wanted. `files` are all that the pipeline
    has, in all environments.
    """
    reader = Reader(branch, texts)
    for application in declared.applications:
        if not application.hydrated:
            reader.prepare(application)
    reader.unread.update(files)
    return frozenset(reader.unread - texts.keys())


def discover(
    services: Mapping[str, tuple[str, ...]],
    known: Iterable[str],
    declared: Declared,
    branch: Branch,
    texts: Texts,
) -> dict[str, Found]:
    """The readers of every service's files.

    `known` are the files of the pipeline in all environments: an ApplicationSet may make
    applications of any of them. `texts` holds what was `wanted`; None where there is no file.
    """
    search = _Search(declared, Reader(branch, texts), tuple(known))
    return {service: search.service(service, files) for service, files in services.items()}


def nearest_miss(
    application: DeclaredApplication, files: Iterable[str], branch: Branch, texts: Texts
) -> Misses | None:
    """Why an application reads none of these files; None when it reads one."""
    reader = Reader(branch, texts)
    nearest: Misses | None = None
    for file in files:
        answer = reader.answer(application, file)
        if isinstance(answer, Reads):
            return None
        if nearest is None or (answer.near, answer.shared) > (nearest.near, nearest.shared):
            nearest = answer
    return nearest


@dataclass(frozen=True, slots=True)
class _Search:
    declared: Declared
    reader: Reader
    known: tuple[str, ...]

    def service(self, service: str, files: tuple[str, ...]) -> Found:
        made = {file: list(self._made(file)) for file in files}
        by_file = {file: self._all(file, made[file]) for file in files}
        matches = tuple(match for each in by_file.values() for match in each)
        if matches:
            unread = tuple(file for file, each in by_file.items() if not each)
            return Found(matches, (), unread, "", _uncovered(matches, self.declared))
        misses = [miss for file in files for miss in self._misses(file, made[file])]
        misses.sort(key=lambda each: (-each[0].near, -each[0].shared, each[1].application))
        near = tuple(each for miss, each in misses if miss.near > Near.ELSEWHERE)[:_MOST_NEAR]
        reason = _reason(service, files, near, self.declared, self.reader.branch)
        return Found((), near, files, reason)

    def _all(self, file: str, made: list[tuple[ApplicationSet, Made]]) -> list[Match]:
        """Those that read it, those that are made of it, and, where it is applied at all, those
        that it declares."""
        read = list(self._matches(file))
        declares = list(self._declared(file)) if read else []
        return _once([*read, *_children(file, made), *declares])

    def _declared(self, file: str) -> Iterator[Match]:
        for name, what in declared_by(self.reader.texts.get(file) or "", self.declared):
            yield Match(name, file, f"{file} declares its {what}")

    def _matches(self, file: str) -> Iterator[Match]:
        for application in self.declared.applications:
            answer = self.reader.answer(application, file)
            if isinstance(answer, Reads):
                yield Match(application.name, file, answer.why)

    def _made(self, file: str) -> Iterator[tuple[ApplicationSet, Made]]:
        """What ApplicationSets make of a file, whatever it is that their children read."""
        branch, texts = self.reader.branch, self.reader.texts
        for each in self.declared.sets:
            if matching(each.generators, branch, file) is not None:
                yield each, made_of(each, branch, file, self.known, texts)

    def _misses(
        self, file: str, made: list[tuple[ApplicationSet, Made]]
    ) -> Iterator[tuple[Misses, NearMiss]]:
        """Asked for only where nothing was found."""
        for application in self.declared.applications:
            answer = self.reader.answer(application, file)
            if isinstance(answer, Misses):
                yield answer, NearMiss(application.name, file, answer.why)
        for match in self._declared(file):
            why = "is declared by it, but no application applies it"
            yield Misses(why, Near.SAME_FOLDER), NearMiss(match.application, file, why)
        for each, found in made:
            why = found.unsure or "makes no application of it"
            label = f"ApplicationSet {each.name}"
            yield Misses(why, Near.OTHER_BRANCH), NearMiss(label, file, why)


def _children(file: str, made: list[tuple[ApplicationSet, Made]]) -> Iterator[Match]:
    for each, found in made:
        for child in found.children:
            yield Match(child, file, f"ApplicationSet {each.name} makes it from {file}")


def _once(matches: Iterable[Match]) -> list[Match]:
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


def _uncovered(matches: Iterable[Match], declared: Declared) -> tuple[Match, ...]:
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
