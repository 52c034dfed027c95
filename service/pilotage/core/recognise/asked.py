"""A layout that a person describes: the pattern of the files, and perhaps where the version is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from pilotage import edit
from pilotage.core.recognise.environments import Names
from pilotage.core.recognise.families import family_of
from pilotage.core.recognise.findings import Findings
from pilotage.core.recognise.groups import (
    MOST_PATHS,
    Group,
    Misses,
    Reader,
    ReadGroup,
    chosen,
    grouped,
    read,
)
from pilotage.core.recognise.places import FileKind, Place, Rank, is_settled
from pilotage.core.wording import nearest
from pilotage.edit import image

_ENVIRONMENT, _SERVICE = "{environment}", "{service}"
_MOST_COMPARED = 5_000
_NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"


@dataclass(frozen=True, slots=True)
class Unordered:
    """These environments have such files, and nothing tells which comes first."""

    environments: tuple[str, ...]


def recognise_asked(
    paths: Sequence[str], reader: Reader, names: Names, files: str, promote: Sequence[str]
) -> Findings | Unordered:
    """The findings for this pattern only. Without `promote` the version's place is looked for."""
    by_key = _matching(islice(paths, MOST_PATHS), files)
    seen = {name for _, group in by_key.values() for name in group}
    known = names.among(seen)
    if len(seen) > 1 and not names.side_by_side(known):
        return Unordered(tuple(sorted(seen)))
    every = [
        (service, Group(key, {name: path for name, path in found.items() if name in known}))
        for key, (service, found) in sorted(by_key.items())
    ]
    groups = [group for _, group in every if names.side_by_side(group.files)]
    some, skipped = chosen(groups)
    given = _Given(tuple(promote), {group.key: service for service, group in every})
    found, misses = given.read(some, reader, names) if promote else read(some, reader, names)
    others = read(some, reader, names)[0] if promote and not found else []
    places = (place for each in others for place in (*each.places, *each.also))
    services = {given.services[each.group.key]: each for each in found}
    silent = {given.services[group.key] for group in misses.silent}
    family = family_of(files, services, silent) if services else None
    return Findings(
        files=len(paths),
        looked_at=min(len(paths), MOST_PATHS),
        side_by_side=sum(len(group.files) for group in groups),
        read=sum(len(group.files) for group in some),
        skipped=skipped,
        families=(family,) if family is not None else (),
        misses=misses,
        names=names,
        suggested=tuple(dict.fromkeys(place.path for place in places)),
        nearest=None if groups else _nearest(paths, names, files),
    )


def _nearest(paths: Sequence[str], names: Names, files: str) -> str | None:
    """With `{service}` where the person has it, if the pattern is as deep."""
    keys = [group.key for group in grouped(paths, names)][:_MOST_COMPARED]
    found = nearest(files, keys, 0.5)
    if found is None:
        return None
    pairs = tuple(zip(files.split("/"), found.split("/"), strict=False))
    if files.count("/") == found.count("/"):
        found = "/".join(asked if asked == _SERVICE else part for asked, part in pairs)
    return found


def _matching(paths: Iterable[str], files: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Key to its service and its paths by environment."""
    pattern = re.escape(files)
    for word, group in ((_ENVIRONMENT, "environment"), (_SERVICE, "service")):
        pattern = pattern.replace(re.escape(word), f"(?P<{group}>{_NAME})", 1)
        pattern = pattern.replace(re.escape(word), f"(?P={group})")
    expression = re.compile(pattern)
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for path in paths:
        match = expression.fullmatch(path)
        if match is not None:
            service = match.groupdict().get("service", "")
            key = files.replace(_SERVICE, service)
            found.setdefault(key, (service, {}))[1][match["environment"]] = path
    return found


@dataclass(frozen=True, slots=True)
class _Given:
    """The places that a person names."""

    promote: tuple[str, ...]
    services: Mapping[str, str]
    """Key of a group to its service."""

    def read(
        self, groups: Sequence[Group], reader: Reader, names: Names
    ) -> tuple[list[ReadGroup], Misses]:
        texts = reader(sorted({path for group in groups for path in group.files.values()}))
        good: list[ReadGroup] = []
        moving, silent = [], []
        for group in groups:
            found = {
                name: values
                for name, path in group.files.items()
                if (values := self._values(texts.get(path), self.services[group.key]))
            }
            settled = {name: each for name, each in found.items() if _are_settled(each)}
            if not names.side_by_side(found):
                silent.append(group)
            elif names.side_by_side(settled):
                good.append(_read(group, settled, found))
            else:
                place = next(iter(next(iter(found.values()))))
                moving.append((group, place, {name: each[place] for name, each in found.items()}))
        return good, Misses(moving=tuple(moving), silent=tuple(silent))

    def _values(self, text: str | None, service: str) -> dict[Place, str]:
        """Empty unless all of the places are there."""
        if text is None:
            return {}
        paths = [each.replace(_SERVICE, service) for each in self.promote]
        try:
            found = edit.read_values(text, paths)
        except edit.EditRefused:
            return {}
        values = [_placed(path, each) for path, each in found.items() if isinstance(each, str)]
        return dict(values) if len(values) == len(found) else {}


def _are_settled(values: Mapping[Place, str]) -> bool:
    return all(map(is_settled, values.values()))


def _read(
    group: Group,
    settled: Mapping[str, Mapping[Place, str]],
    found: Mapping[str, Mapping[Place, str]],
) -> ReadGroup:
    places = tuple(next(iter(settled.values())))
    moving = {
        name: next(value for value in values.values() if not is_settled(value))
        for name, values in found.items()
        if name not in settled
    }
    return ReadGroup(
        group=group,
        kind=FileKind.VALUES,
        places=places,
        rank=Rank.CERTAIN,
        also=(),
        versions=settled,
        indexed={place: place.path for place in places},
        moving=moving,
    )


def _placed(path: str, value: str) -> tuple[Place, str]:
    """An image string's version is its tag and digest."""
    try:
        parts = image.parse(value)
    except edit.EditRefused:
        return Place(path), value
    if parts.tag is None and parts.digest is None:
        return Place(path), value
    digest = f"@{parts.digest}" if parts.digest else ""
    return Place(path, is_image=True), f"{parts.tag or ''}{digest}"
