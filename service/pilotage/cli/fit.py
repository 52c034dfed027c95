"""Whether a configuration fits the files of a clone: paths, values, services, who writes what."""

from __future__ import annotations

import re
from os.path import commonpath
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pilotage.cli.clone import Clone, Target
from pilotage.core.version import cut
from pilotage.core.wording import counted, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pilotage.adapters.git.values import Entry
    from pilotage.core.change import Place
    from pilotage.core.config.load import Problem
    from pilotage.core.plan import Plan

_MOST_PATHS = 5000
"""Compared with a path that no file has: the comparison costs a while for each."""
_DATA = (".yaml", ".yml", ".json")


def misfits(clone: Clone, target: Target, found: Plan) -> list[Problem]:
    """Why there is nothing to promote although it looks as if all were well."""
    return [*_missing(clone, target), *_silent(clone, target, found)]


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Each once, as they stand in the files."""
    return sorted(set(problems), key=lambda each: (each.file, each.line or 0, str(each)))


def _missing(clone: Clone, target: Target) -> list[Problem]:
    """An environment without any file: the path is wrong, or the environment's name is."""
    from pilotage.core.config.load import Problem
    from pilotage.core.layout import layout_of

    name = target.name
    problems = []
    for environment in (target.source, target.environment):
        layout = layout_of(target.pipeline, environment)
        if layout.services(clone.trees.tree(target.pipeline, environment, clone.commit).files):
            continue
        own = target.pipeline.environments[environment].files is not None
        where = ("pipelines", name, *(("environments", environment) if own else ()), "files")
        expected = f"no file of {environment} at {clone.commit[:7]} matches {layout.files}"
        entries = clone.trees.git.list_files(clone.commit, [""])
        expected += _on_the_way(entries, layout.files)
        near = _nearest_file(entries, layout.files)
        problems.append(Problem(clone.file, clone.line(*where), ".".join(where), expected, near))
    return problems


def _silent(clone: Clone, target: Target, found: Plan) -> list[Problem]:
    """Files without any version: the path of the value is wrong."""
    from pilotage.core.config.load import Problem
    from pilotage.core.layout import layout_of

    if not found.without_version or found.problems or _any_version(clone, target):
        return []
    name = target.name
    place = layout_of(target.pipeline, target.source).version_rule(found.without_version[0]).place
    expected = f"no file of {target.source} or {target.environment} has {place.path}"
    where = ("pipelines", name, "promote")
    example = f"{expected}; {place.file} has not, for one"
    near = _nearest_value(clone, target, place.file, place.path)
    return [Problem(clone.file, clone.line(*where), ".".join(where), example, near)]


def _nearest_value(clone: Clone, target: Target, file: str, path: str) -> str | None:
    """The path of a value in this file that is most like this one."""
    from pilotage import edit

    trees = (
        clone.trees.tree(target.pipeline, each, clone.commit).files
        for each in (target.source, target.environment)
    )
    text = next((tree[file].text for tree in trees if file in tree), "")
    try:
        return nearest(path, [each.path for each in edit.scalars(text)])
    except edit.EditRefused:
        return None


def _any_version(clone: Clone, target: Target) -> bool:
    from pilotage.core.plan import versions

    sides = (target.source, target.environment)
    trees = (clone.trees.tree(target.pipeline, side, clone.commit) for side in sides)
    return any(versions(target.pipeline, tree) for tree in trees)


def _on_the_way(entries: Sequence[Entry], pattern: str) -> str:
    """A link or a submodule where the path needs a folder."""
    found = (entry for entry in entries if pattern.startswith(f"{entry.path}/"))
    return "".join(f"; {entry.path} is a {entry.kind}, which is never followed" for entry in found)


def _nearest_file(entries: Sequence[Entry], pattern: str) -> str | None:
    """The file whose path is most like this one; in a large repository of those nearby."""
    ends = {"." + pattern.rpartition(".")[2], *_DATA}
    alike = [entry.path for entry in entries if PurePosixPath(entry.path).suffix in ends]
    if len(alike) > _MOST_PATHS:
        alike.sort(key=lambda path: len(commonpath((path, pattern))), reverse=True)
    return nearest(pattern, alike[:_MOST_PATHS], 0.5)


def own_builds(target: Target, found: Plan) -> list[str]:
    """Versions that name the environment that they come from: some teams build one for each, and
    then what `dev-4be19f2` names in one registry may not be there in another."""
    word = re.compile(rf"(?<![^\W_]){re.escape(target.source)}(?![^\W_])", re.IGNORECASE)
    named = [each for each in found.changes if word.search(each.after)]
    if not named:
        return []
    example = f"{named[0].service} {cut(named[0].after)}"
    more = f" and {counted(len(named) - 1, 'more service')}" if named[1:] else ""
    return [
        f"{example}{more}: the version names {target.source}; is that the build which "
        f"{target.environment} is to run?"
    ]


def unknown_services(clone: Clone) -> list[Problem]:
    """Names below `services:` that no file has."""
    from pilotage.core.config.load import Problem
    from pilotage.core.layout import layout_of

    problems = []
    for name, pipeline in clone.config.pipelines.items() if clone.config else ():
        known = {
            service
            for environment in pipeline.environments
            for service in layout_of(pipeline, environment).services(
                clone.trees.tree(pipeline, environment, clone.commit).files
            )
        }
        for service in sorted(set(pipeline.services) - known) if known else ():
            line = clone.line("pipelines", name, "services", service)
            where = f"pipelines.{name}.services.{service}"
            expected = f"no environment has a file of {service}"
            problems.append(Problem(clone.file, line, where, expected, nearest(service, known)))
    return problems


def written_twice(clone: Clone) -> list[Problem]:
    """Targets that promote into the same value: their pull requests would take turns."""
    from pilotage.core.config.load import Problem

    owners: dict[Place, Target] = {}
    problems: dict[tuple[str, str], Problem] = {}
    for target in clone.targets():
        for place in _promoted(clone, target):
            owner = owners.setdefault(place, target)
            if owner is not target and (owner.id, target.id) not in problems:
                where = ("pipelines", target.name, "files")
                expected = f"{owner.id} promotes {place.path} of {place.file} already"
                problems[owner.id, target.id] = Problem(
                    clone.file, clone.line(*where), ".".join(where), expected
                )
    return [*problems.values()]


def _promoted(clone: Clone, target: Target) -> Iterator[Place]:
    from pilotage.core.layout import Fixed, layout_of

    layout = layout_of(target.pipeline, target.environment)
    files = clone.trees.tree(target.pipeline, target.environment, clone.commit).files
    for service in layout.services(files):
        for rule in layout.placed(service):
            if not isinstance(rule, Fixed):
                yield rule.place
