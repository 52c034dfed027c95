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
from functools import reduce
from typing import TypeAlias

from pilotage import edit
from pilotage.core.application import is_commit
from pilotage.core.declared import Branch, DeclaredApplication, DeclaredSource, Tool
from pilotage.core.kustomizations import NAMES, Kustomized, Texts, follow, within
from pilotage.core.path_patterns import across_folders, covers, in_folders

_CHART_FILES = frozenset(
    {"Chart.yaml", "Chart.lock", "values.yaml", "values.schema.json"}
    | {"requirements.yaml", "requirements.lock"}
)
_CHART_FOLDERS = ("templates/", "charts/", "crds/")
_MANIFEST = re.compile(r".+\.(yaml|yml|json|jsonnet)")
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


Answer: TypeAlias = Reads | Misses


@dataclass(slots=True)
class Reader:
    """Asks of one branch. What it must still be told to be sure is added to `unread`."""

    branch: Branch
    texts: Texts
    unread: set[str] = field(default_factory=set)
    _followed: dict[tuple[str, ...], Kustomized] = field(default_factory=dict)

    def answer(self, application: DeclaredApplication, file: str) -> Answer:
        """The best of what its sources say."""
        if application.hydrated:
            return Misses("has a sourceHydrator, which is not followed", Near.ELSEWHERE)
        misses = [Misses(_elsewhere(application), Near.ELSEWHERE)]
        for source, answer in self._answers(application, file):
            checked = self._on_branch(source, answer)
            if isinstance(checked, Reads):
                return checked
            misses.append(checked)
        return max(misses, key=lambda miss: (miss.near, miss.shared))

    def _answers(
        self, application: DeclaredApplication, file: str
    ) -> Iterator[tuple[DeclaredSource, Answer]]:
        for source in application.sources:
            yield from _value_files(application, source, file)
            if source.chart or (source.ref and not source.path):
                continue
            if self.branch.is_in(source.repository):
                yield source, self._in_path(application, source, file)
            elif _inside(source, file) is not None:
                yield source, Reads(f"reads {_folder(source)}")

    def _on_branch(self, source: DeclaredSource, answer: Answer) -> Answer:
        if isinstance(answer, Misses):
            return answer
        if not self.branch.is_in(source.repository):
            why = f"{answer.why}, but in {_shown(source.repository)}"
            return Misses(why, Near.OTHER_REPOSITORY)
        if not self.branch.is_followed_by(source.revision):
            why = f"{answer.why}, but follows {_revision(source.revision)}"
            return Misses(why, Near.OTHER_BRANCH)
        return answer

    def _in_path(
        self, application: DeclaredApplication, source: DeclaredSource, file: str
    ) -> Answer:
        relative = _inside(source, file)
        if relative in (".argocd-source.yaml", f".argocd-source-{application.name}.yaml"):
            return Reads(f"takes its parameters from {file}")
        match self._tool(source):
            case Tool.HELM:
                return self._helm(source, file)
            case Tool.KUSTOMIZE:
                return self._kustomize(source, file)
            case Tool.PLUGIN:
                return _plugin(application, source, file)
            case Tool.DIRECTORY | None:
                return _directory(source, file)

    def _tool(self, source: DeclaredSource) -> Tool | None:
        """As Argo CD finds it out: a kustomization first, then a chart. None: not known yet."""
        if source.tool is not None:
            return source.tool
        base = _path(source)
        wanted = [within(base, name) or name for name in (*NAMES, "Chart.yaml")]
        missing = {path for path in wanted if path not in self.texts}
        self.unread |= missing
        *kustomizations, chart = wanted
        if any(self.texts.get(path) is not None for path in kustomizations):
            return Tool.KUSTOMIZE
        if self.texts.get(chart) is not None:
            return Tool.HELM
        return None if missing else Tool.DIRECTORY

    def _helm(self, source: DeclaredSource, file: str) -> Answer:
        for chart in self._charts(_path(source)):
            relative = file.removeprefix(f"{chart}/" if chart else "")
            inside = not chart or relative != file
            if inside and (relative in _CHART_FILES or relative.startswith(_CHART_FOLDERS)):
                return Reads(f"its chart {chart or 'at the root'} holds {file}")
        listed = ", ".join(source.files) or "none"
        return _miss(source, file, f"renders the chart {_folder(source)} with values of {listed}")

    def _charts(self, folder: str) -> list[str]:
        """The chart and those that it takes from `file://` folders beside it."""
        found = [folder]
        for chart in found:
            place = within(chart, "Chart.yaml") or "Chart.yaml"
            if place not in self.texts:
                self.unread.add(place)
            for path in _local_charts(self.texts.get(place) or ""):
                beside = within(chart, path)
                if beside is not None and beside not in found and len(found) < _MOST_CHARTS:
                    found.append(beside)
        return found

    def _kustomize(self, source: DeclaredSource, file: str) -> Answer:
        base = _path(source)
        components = [within(base, each) for each in source.components]
        folders = (base, *(each for each in components if each is not None))
        if folders not in self._followed:
            self._followed[folders] = follow(folders, self.texts)
        found = self._followed[folders]
        self.unread |= found.unread
        by = found.reads.get(file)
        if by is not None:
            return Reads(f"its {by} is {file}" if by == file else f"{by} names {file}")
        return _miss(source, file, f"no kustomization that {_folder(source)} leads to names it")


def _value_files(
    application: DeclaredApplication, source: DeclaredSource, file: str
) -> Iterator[tuple[DeclaredSource, Answer]]:
    by_ref = {each.ref: each for each in application.sources if each.ref}
    for written in source.files:
        ref, _, rest = written.removeprefix("$").partition("/")
        if written.startswith("$") and ref in by_ref:
            holder, path = by_ref[ref], within("", rest)
        else:
            filled = _environment(application, source, written)
            absolute = filled.startswith("/")
            holder = source
            path = within("" if absolute else _path(source), filled.lstrip("/"))
        if holder.chart or "://" in written or path is None:
            continue
        if path == file or in_folders(path, file):
            yield holder, Reads(f"reads {file} as a values file ({written})")
        else:
            why = f"reads {path}"
            yield holder, Misses(why, Near.SAME_REPOSITORY, _shared(path, file))


def _environment(application: DeclaredApplication, source: DeclaredSource, text: str) -> str:
    """Argo CD fills its build environment into these."""
    known = {
        "ARGOCD_APP_NAME": application.name,
        "ARGOCD_APP_PROJECT_NAME": application.ref.project,
        "ARGOCD_APP_NAMESPACE": application.destination,
        "ARGOCD_APP_SOURCE_PATH": source.path,
        "ARGOCD_APP_SOURCE_TARGET_REVISION": source.revision,
    }
    return reduce(
        lambda filled, name: re.sub(rf"\$(?:{{{name}}}|{name}\b)", lambda _: known[name], filled),
        known,
        text,
    )


def _directory(source: DeclaredSource, file: str) -> Answer:
    relative, rules = _inside(source, file), source.directory
    if any(file.startswith(f"{library.strip('/')}/") for library in rules.libraries):
        return Reads(f"{file} is in one of its jsonnet libraries")
    if relative is None:
        return _miss(source, file, f"reads the manifests in {_folder(source)}")
    if _MANIFEST.fullmatch(relative) is None:
        return _miss(source, file, f"reads {_folder(source)}, where this is no manifest")
    if "/" in relative and not rules.recurse:
        return _miss(source, file, f"reads {_folder(source)} without directory.recurse")
    if rules.exclude and across_folders(rules.exclude, relative):
        return _miss(source, file, f"reads {_folder(source)} and excludes {rules.exclude}")
    if rules.include and not across_folders(rules.include, relative):
        return _miss(source, file, f"reads of {_folder(source)} only {rules.include}")
    return Reads(f"{file} is a manifest in {_folder(source)}")


def _plugin(application: DeclaredApplication, source: DeclaredSource, file: str) -> Answer:
    """What a plugin reads is its own affair: its folder, and what the annotation names."""
    if _inside(source, file) is not None:
        return Reads(f"its plugin renders {_folder(source)}")
    for pattern in application.generate_paths or ():
        if covers(pattern, _path(source), file):
            return Reads(f"its manifest-generate-paths names {file}")
    return _miss(source, file, f"its plugin renders {_folder(source)}")


def _local_charts(text: str) -> Iterator[str]:
    try:
        found = edit.scalars(text)
    except edit.EditRefused:
        return
    for scalar in found:
        local = scalar.value.startswith("file://")
        if local and re.fullmatch(r"dependencies\[\d+\]\.repository", scalar.path):
            yield scalar.value.removeprefix("file://")


def _miss(source: DeclaredSource, file: str, why: str) -> Misses:
    near = Near.SAME_FOLDER if _inside(source, file) is not None else Near.SAME_REPOSITORY
    return Misses(why, near, _shared(_path(source), file))


def _path(source: DeclaredSource) -> str:
    return within("", source.path.strip("/")) or ""


def _folder(source: DeclaredSource) -> str:
    return _path(source) or "the repository's root"


def _inside(source: DeclaredSource, file: str) -> str | None:
    """The file's path below the source's; None outside of it."""
    base = _path(source)
    if not base:
        return file
    return file.removeprefix(f"{base}/") if file.startswith(f"{base}/") else None


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
