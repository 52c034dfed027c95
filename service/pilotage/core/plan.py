"""Two trees of files and the rules in, the changes out (SYRF-2, SYRF-3).

Planning never fails as a whole: a service that cannot be promoted is a problem with file, line and
reason, and what that means for the others is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pilotage import edit
from pilotage.core.config import Problem
from pilotage.core.model import Difference, ServiceChange, Sha, Write
from pilotage.core.policy import CopyValue, Pipeline, SetValue

_MOST_DIFFERENCES = 50


@dataclass(frozen=True, slots=True)
class FileText:
    """One service's file in one environment; `refused` says why it could not be read."""

    path: str
    text: str
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    """What git says that an environment runs."""

    environment: str
    commit: Sha
    files: Mapping[str, FileText]


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """A change with the whole text of the target's file as it will be."""

    change: ServiceChange
    file: str
    text: str


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

    @property
    def changes(self) -> tuple[ServiceChange, ...]:
        return tuple(found.change for found in self.services.values())


class Pattern:
    """`files:` of a pipeline for one environment: which paths are files of which service."""

    def __init__(self, files: str, environment: str) -> None:
        self._template = files.replace("{environment}", environment)
        before = self._template.split("{service}", 1)[0]
        self.folder = before.rsplit("/", 1)[0] + "/" if "/" in before else ""
        """The part of the path that every file shares; ends with a slash or is empty."""
        escaped = re.escape(self._template)
        placeholder = re.escape("{service}")
        first = escaped.replace(placeholder, r"(?P<service>[A-Za-z0-9][A-Za-z0-9._-]*)", 1)
        self._expression = re.compile(first.replace(placeholder, r"(?P=service)"))

    def service(self, path: str) -> str | None:
        match = self._expression.fullmatch(path)
        return match["service"] if match else None

    def path(self, service: str) -> str:
        return self._template.replace("{service}", service)


def plan(pipeline: Pipeline, source: Tree, target: Tree) -> Plan:
    """Everything that differs, service by service in the order of their names."""
    services: dict[str, ServicePlan] = {}
    unchanged: dict[str, str] = {}
    problems: dict[str, Problem] = {}
    for service in sorted(source.files.keys() & target.files.keys()):
        try:
            found = _service(pipeline, service, source, target)
        except _RefusedError as refused:
            problems[service] = refused.problem
            continue
        match found:
            case str():
                unchanged[service] = found
            case ServicePlan():
                services[service] = found
    return Plan(
        source=source.commit,
        running=target.commit,
        services=services,
        unchanged=unchanged,
        only_in_source=tuple(sorted(source.files.keys() - target.files.keys())),
        only_in_target=tuple(sorted(target.files.keys() - source.files.keys())),
        problems=problems,
    )


class _RefusedError(Exception):
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


def _service(pipeline: Pipeline, service: str, source: Tree, target: Tree) -> ServicePlan | str:
    theirs, ours = source.files[service], target.files[service]
    copied = [rule.copy_ for rule in pipeline.promote if isinstance(rule, CopyValue)]
    fixed = {
        rule.set_: _filled(rule.to, service, target.environment)
        for rule in pipeline.promote
        if isinstance(rule, SetValue)
    }
    wanted = _values(theirs, copied)
    present = _values(ours, [*copied, *fixed])
    before, after = present[pipeline.version_path], wanted[pipeline.version_path]
    if all(wanted[path] == present[path] for path in copied):
        return after
    writes = tuple(
        Write(ours.path, path, present[path], value) for path, value in (wanted | fixed).items()
    )
    text = _edited(ours, {write.path: write.after for write in writes if _changes(write)})
    differences = _differences(theirs, ours, {*copied, *fixed})
    return ServicePlan(ServiceChange(service, before, after, writes, differences), ours.path, text)


def _changes(write: Write) -> bool:
    return write.before != write.after


def versions(pipeline: Pipeline, tree: Tree) -> dict[str, str]:
    """Service to its version in one environment; services that cannot be read are left out."""
    found: dict[str, str] = {}
    for service, file in tree.files.items():
        try:
            found[service] = _values(file, [pipeline.version_path])[pipeline.version_path]
        except _RefusedError:
            continue
    return found


def holds(writes: tuple[Write, ...], texts: Mapping[str, str | None]) -> bool:
    """Whether every promoted value stands in these files (None: the file is not there)."""
    for file in {write.file for write in writes}:
        text = texts.get(file)
        if text is None:
            return False
        paths = {write.path: write.after for write in writes if write.file == file}
        try:
            present = edit.read_values(text, list(paths))
        except edit.EditRefused:
            return False
        if any(present.get(path) != value for path, value in paths.items()):
            return False
    return True


def _filled(template: str, service: str, environment: str) -> str:
    return template.replace("{environment}", environment).replace("{service}", service)


def _values(file: FileText, paths: list[str]) -> dict[str, str]:
    if file.refused is not None:
        raise _RefusedError(Problem(file.path, None, "", file.refused))
    try:
        present = edit.read_values(file.text, paths)
    except edit.EditRefused as refused:
        raise _RefusedError(_refusal(file, refused)) from None
    values: dict[str, str] = {}
    for path in paths:
        value = present[path]
        if isinstance(value, edit.Missing):
            nearest = "" if value.nearest in ("", ".") else f"; only {value.nearest} is there"
            problem = Problem(file.path, value.line, path, f"there is no such value{nearest}")
            raise _RefusedError(problem)
        values[path] = value
    return values


def _edited(file: FileText, values: dict[str, str]) -> str:
    try:
        return edit.set_values(file.text, values)
    except edit.EditRefused as refused:
        raise _RefusedError(_refusal(file, refused)) from None


def _refusal(file: FileText, refused: edit.EditRefused) -> Problem:
    return Problem(file.path, refused.line, refused.path or "", refused.reason)


def _differences(theirs: FileText, ours: FileText, promoted: set[str]) -> tuple[Difference, ...]:
    """Scalars that differ and are not promoted; not worth refusing a promotion for."""
    try:
        source = {found.path: found.value for found in edit.scalars(theirs.text)}
        running = {found.path: found.value for found in edit.scalars(ours.text)}
    except edit.EditRefused:
        return ()
    paths = [path for path in (running | source) if path not in promoted]
    found = [
        Difference(ours.path, path, source.get(path), running.get(path))
        for path in paths
        if source.get(path) != running.get(path)
    ]
    return tuple(found[:_MOST_DIFFERENCES])
