"""Whether an application reads a file of the repository, with the reason in words.

The rules are those of Argo CD's repository server, read without rendering anything: helm reads its
chart and the values files that it is told, kustomize what its kustomizations name, and a plain
directory its manifests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from pilotage import edit
from pilotage.core.application import is_commit
from pilotage.core.discovery.declared import Branch, DeclaredApplication, DeclaredSource, Tool
from pilotage.core.discovery.kustomizations import NAMES, Kustomized, Texts, follow, within
from pilotage.core.discovery.path_patterns import across_folders, covers, in_folders

_CHART_FILES = frozenset(
    {"Chart.yaml", "Chart.lock", "values.yaml", "values.schema.json"}
    | {"requirements.yaml", "requirements.lock"}
)
_CHART_FOLDERS = ("templates/", "charts/", "crds/")
_MANIFEST = re.compile(r".+\.(yaml|yml|json|jsonnet)")
_GLOB = re.compile(r"[*?\[{]")
_MOST_CHARTS = 20


class Near(IntEnum):
    """How near a miss is: how little would have to be different."""

    ELSEWHERE = 0
    SAME_REPOSITORY = 1
    SAME_FOLDER = 2
    OTHER_REPOSITORY = 3
    OTHER_BRANCH = 4


@dataclass(frozen=True, slots=True)
class Reads:
    why: str


@dataclass(frozen=True, slots=True)
class Misses:
    why: str
    near: Near
    shared: int = 0
    """How many leading folders the file shares with what the application reads."""
    elsewhere: str = ""
    """The other branch, or the other repository."""


Answer: TypeAlias = Reads | Misses


@dataclass(frozen=True, slots=True)
class _Place:
    """One source, with what need not be worked out again for every file."""

    source: DeclaredSource
    base: str
    """Its path, normal; "" is the repository's root."""
    here: bool
    """Whether it is of the branch's repository."""
    follows: bool
    renders: bool
    """Whether it is a folder of manifests at all, instead of a chart or a lender of files."""
    tool: Tool | None

    @property
    def folder(self) -> str:
        return self.base or "the repository's root"

    def inside(self, file: str) -> str | None:
        """The file's path below the source's; None outside of it."""
        if not self.base:
            return file
        return file[len(self.base) + 1 :] if file.startswith(f"{self.base}/") else None

    def miss(self, file: str, why: str) -> Misses:
        near = Near.SAME_FOLDER if self.inside(file) is not None else Near.SAME_REPOSITORY
        return Misses(why, near, _shared(self.base, file))


@dataclass(frozen=True, slots=True)
class _ValuesFile:
    holder: _Place
    path: str
    written: str


@dataclass(frozen=True, slots=True)
class _Prepared:
    places: tuple[_Place, ...]
    values: tuple[_ValuesFile, ...]


@dataclass(slots=True)
class Reader:
    """Asks of one branch. `unread` is what it must still be told of to be sure."""

    branch: Branch
    texts: Texts
    unread: set[str] = field(default_factory=set)
    _prepared: dict[int, _Prepared] = field(default_factory=dict)
    """By the identity of the application: there are thousands, and each is asked of every file."""
    _followed: dict[tuple[str, ...], Kustomized] = field(default_factory=dict)
    _charts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def prepare(self, application: DeclaredApplication) -> None:
        """Work out all that no file changes, and with it what must be read."""
        for place in self._prepare(application).places:
            if place.here and place.renders and place.tool is Tool.HELM:
                self._charts_of(place.base)
            elif place.here and place.renders and place.tool is Tool.KUSTOMIZE:
                self._kustomized(place)

    def answer(self, application: DeclaredApplication, file: str) -> Answer:
        """The best of what its sources say."""
        if application.hydrated:
            return Misses("has a sourceHydrator, which is not followed", Near.ELSEWHERE)
        nearest: Misses | None = None
        for place, answer in self._answers(application, file):
            checked = _on_branch(place, answer)
            if isinstance(checked, Reads):
                return checked
            if nearest is None or (checked.near, checked.shared) > (nearest.near, nearest.shared):
                nearest = checked
        return nearest or Misses(_elsewhere(application), Near.ELSEWHERE)

    def _answers(
        self, application: DeclaredApplication, file: str
    ) -> Iterator[tuple[_Place, Answer]]:
        prepared = self._prepare(application)
        for values in prepared.values:
            yield values.holder, _values_file(values, file)
        for place in prepared.places:
            if not place.renders:
                continue
            if place.here:
                yield place, self._in_path(application, place, file)
            elif place.inside(file) is not None:
                yield place, Reads(f"reads {place.folder}")

    def _prepare(self, application: DeclaredApplication) -> _Prepared:
        known = self._prepared.get(id(application))
        if known is None:
            places = tuple(self._place(source) for source in application.sources)
            values = tuple(_values_files(application, places))
            known = self._prepared[id(application)] = _Prepared(places, values)
        return known

    def _place(self, source: DeclaredSource) -> _Place:
        base = within("", source.path.strip("/")) or ""
        here = self.branch.is_in(source.repository)
        renders = not source.chart and not (source.ref and not source.path)
        return _Place(
            source,
            base,
            here,
            self.branch.is_followed_by(source.revision),
            renders,
            self._tool(source, base) if here and renders else source.tool,
        )

    def _in_path(self, application: DeclaredApplication, place: _Place, file: str) -> Answer:
        relative = place.inside(file)
        if relative in (".argocd-source.yaml", f".argocd-source-{application.name}.yaml"):
            return Reads(f"takes its parameters from {file}")
        match place.tool:
            case Tool.HELM:
                return self._helm(place, file)
            case Tool.KUSTOMIZE:
                return self._kustomize(place, file)
            case Tool.PLUGIN:
                return _plugin(application, place, file)
            case Tool.DIRECTORY | None:
                return _directory(place, file)

    def _tool(self, source: DeclaredSource, base: str) -> Tool | None:
        """As Argo CD finds it out: a kustomization first, then a chart. None: not known yet."""
        if source.tool is not None:
            return source.tool
        wanted = [within(base, name) or name for name in (*NAMES, "Chart.yaml")]
        missing = {path for path in wanted if path not in self.texts}
        self.unread |= missing
        *kustomizations, chart = wanted
        if any(self.texts.get(path) is not None for path in kustomizations):
            return Tool.KUSTOMIZE
        if self.texts.get(chart) is not None:
            return Tool.HELM
        return None if missing else Tool.DIRECTORY

    def _helm(self, place: _Place, file: str) -> Answer:
        for chart in self._charts_of(place.base):
            relative = file.removeprefix(f"{chart}/" if chart else "")
            inside = not chart or relative != file
            if inside and (relative in _CHART_FILES or relative.startswith(_CHART_FOLDERS)):
                return Reads(f"its chart {chart or 'at the root'} holds {file}")
        listed = ", ".join(place.source.files) or "none"
        return place.miss(file, f"renders the chart {place.folder} with values of {listed}")

    def _charts_of(self, folder: str) -> tuple[str, ...]:
        """The chart and those that it takes from `file://` folders beside it."""
        if folder not in self._charts:
            found = [folder]
            for chart in found:
                place = within(chart, "Chart.yaml") or "Chart.yaml"
                if place not in self.texts:
                    self.unread.add(place)
                for path in _local_charts(self.texts.get(place) or ""):
                    beside = within(chart, path)
                    if beside is not None and beside not in found and len(found) < _MOST_CHARTS:
                        found.append(beside)
            self._charts[folder] = tuple(found)
        return self._charts[folder]

    def _kustomize(self, place: _Place, file: str) -> Answer:
        by = self._kustomized(place).reads.get(file)
        if by is not None:
            return Reads(f"its {by} is {file}" if by == file else f"{by} names {file}")
        return place.miss(file, f"no kustomization that {place.folder} leads to names it")

    def _kustomized(self, place: _Place) -> Kustomized:
        components = [within(place.base, each) for each in place.source.components]
        folders = (place.base, *(each for each in components if each is not None))
        if folders not in self._followed:
            self._followed[folders] = follow(folders, self.texts)
            self.unread |= self._followed[folders].unread
        return self._followed[folders]


def _on_branch(place: _Place, answer: Answer) -> Answer:
    if isinstance(answer, Misses):
        return answer
    if not place.here:
        why = f"{answer.why}, but in {_shown(place.source.repository)}"
        return Misses(why, Near.OTHER_REPOSITORY, elsewhere=_shown(place.source.repository))
    if not place.follows:
        revision = _revision(place.source.revision)
        why = f"{answer.why}, but follows {revision}"
        return Misses(why, Near.OTHER_BRANCH, elsewhere=revision)
    return answer


def _values_files(
    application: DeclaredApplication, places: tuple[_Place, ...]
) -> Iterator[_ValuesFile]:
    by_ref = {place.source.ref: place for place in places if place.source.ref}
    for place in places:
        for written in place.source.files:
            ref, _, rest = written.removeprefix("$").partition("/")
            if written.startswith("$") and ref in by_ref:
                holder, path = by_ref[ref], within("", rest)
            else:
                filled = _environment(application, place.source, written)
                base = "" if filled.startswith("/") else place.base
                holder, path = place, within(base, filled.lstrip("/"))
            if not holder.source.chart and "://" not in written and path is not None:
                yield _ValuesFile(holder, path, written)


def _values_file(values: _ValuesFile, file: str) -> Answer:
    if values.path == file or (_GLOB.search(values.path) and in_folders(values.path, file)):
        return Reads(f"reads {file} as a values file ({values.written})")
    return Misses(f"reads {values.path}", Near.SAME_REPOSITORY, _shared(values.path, file))


def _environment(application: DeclaredApplication, source: DeclaredSource, text: str) -> str:
    """Argo CD fills its build environment into these."""
    known = {
        "ARGOCD_APP_NAME": application.name,
        "ARGOCD_APP_PROJECT_NAME": application.ref.project,
        "ARGOCD_APP_NAMESPACE": application.destination,
        "ARGOCD_APP_SOURCE_PATH": source.path,
        "ARGOCD_APP_SOURCE_TARGET_REVISION": source.revision,
    }

    def value(found: re.Match[str]) -> str:
        return known.get(found[1] or found[2], found[0])

    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, text)


def _directory(place: _Place, file: str) -> Answer:
    relative, rules = place.inside(file), place.source.directory
    if any(file.startswith(f"{library.strip('/')}/") for library in rules.libraries):
        return Reads(f"{file} is in one of its jsonnet libraries")
    if relative is None:
        return place.miss(file, f"reads the manifests in {place.folder}")
    if _MANIFEST.fullmatch(relative) is None:
        return place.miss(file, f"reads {place.folder}, where this is no manifest")
    if "/" in relative and not rules.recurse:
        return place.miss(file, f"reads {place.folder} without directory.recurse")
    if rules.exclude and across_folders(rules.exclude, relative):
        return place.miss(file, f"reads {place.folder} and excludes {rules.exclude}")
    if rules.include and not across_folders(rules.include, relative):
        return place.miss(file, f"reads of {place.folder} only {rules.include}")
    return Reads(f"{file} is a manifest in {place.folder}")


def _plugin(application: DeclaredApplication, place: _Place, file: str) -> Answer:
    """What a plugin reads is its own affair: its folder, and what the annotation names."""
    if place.inside(file) is not None:
        return Reads(f"its plugin renders {place.folder}")
    for pattern in application.generate_paths or ():
        if covers(pattern, place.base, file):
            return Reads(f"its manifest-generate-paths names {file}")
    return place.miss(file, f"its plugin renders {place.folder}")


def _local_charts(text: str) -> Iterator[str]:
    try:
        found = edit.scalars(text)
    except edit.EditRefused:
        return
    for scalar in found:
        local = scalar.value.startswith("file://")
        if local and re.fullmatch(r"dependencies\[\d+\]\.repository", scalar.path):
            yield scalar.value.removeprefix("file://")


def _shared(one: str, other: str) -> int:
    pairs = zip(one.split("/"), other.split("/"), strict=False)
    count = 0
    for left, right in pairs:
        if left != right:
            break
        count += 1
    return count


def _revision(revision: str) -> str:
    return revision[:7] if is_commit(revision) else revision


def _elsewhere(application: DeclaredApplication) -> str:
    named = sorted({_shown(each.repository) for each in application.sources}) or ["nothing"]
    return f"reads {', '.join(named)}"


def _shown(repository: str) -> str:
    """Without what an address may hold before its host."""
    scheme, found, rest = repository.rpartition("://")
    return f"{scheme}{found}{rest.rpartition('@')[2]}"
