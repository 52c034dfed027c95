"""Where the promoted values of each service stand in one environment's files (SYRF-3, VAPORA-5).

A layout is a pipeline's `files` and `promote` with the environment's name filled in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TypeAlias

from pilotage.core.change import Part, Place
from pilotage.core.config.policy import Pipeline
from pilotage.core.config.rules import CopyFile, CopyImage, Rule, SetValue, path_of
from pilotage.core.wording import listed
from pilotage.edit import Plain
from pilotage.edit.path import Key, Match, Step, format_path, parse_path

WHOLE = "."
"""The path of a whole file."""
_SERVICE = "{service}"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_ANY_NAME = r"[^/]+"
"""What people call folders; what is no `_NAME` stands in no command, label or address."""


@dataclass(frozen=True, slots=True)
class Copied:
    """The target gets what stands at the same rule's place in the source environment."""

    place: Place


@dataclass(frozen=True, slots=True)
class Fixed:
    """The target gets this value; a `plain` one is no string, but a number or a boolean."""

    place: Place
    value: str
    plain: bool = False

    @property
    def written(self) -> str:
        return Plain(self.value) if self.plain else self.value


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """The target gets the source's whole file, with these texts replaced."""

    place: Place
    replaced: tuple[tuple[str, str], ...] = ()


Placed: TypeAlias = Copied | Fixed | CopiedFile


@dataclass(frozen=True)
class Layout:
    """One environment of one pipeline. `{service}` is still to be filled in."""

    environment: str
    files: str
    rules: tuple[Placed, ...]
    own: tuple[tuple[str, tuple[Placed, ...]], ...] = ()
    """Services with rules of their own."""
    named: tuple[str, ...] | None = None
    """The services, where `files` does not tell."""
    others: tuple[str, ...] = ()
    """The paths in the pipeline's other environments: each file is one environment's alone."""

    def placed(self, service: str) -> tuple[Placed, ...]:
        """The service's rules."""
        rules = next((rules for name, rules in self.own if name == service), self.rules)
        return tuple(_filled(rule, service) for rule in rules)

    def version_rule(self, service: str) -> Copied | CopiedFile:
        """The first that copies a value; where none does, that of the whole file."""
        return next(rule for rule in self.in_order(service) if not isinstance(rule, Fixed))

    def in_order(self, service: str) -> tuple[Placed, ...]:
        """Values first, then whole files, then what is fixed."""
        order = (Copied, CopiedFile, Fixed)
        return tuple(sorted(self.placed(service), key=lambda rule: order.index(type(rule))))

    def is_named(self, service: str) -> bool:
        """Whether somebody wrote the service down; else it is one because it has such a file."""
        return self.named is not None or any(name == service for name, _ in self.own)

    def files_of(self, service: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(rule.place.file for rule in self.placed(service)))

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The folders (ending with a slash; "" is everything) and paths that hold its files."""
        folders = {_folder(pattern) for pattern in self._patterns}
        return tuple(sorted(one for one in folders if not _below(one, folders - {one})))

    def has(self, path: str) -> bool:
        """Whether this is a file of one of the services."""
        length = _shortest(self._readings, path)
        return length is not None and not self._is_elsewhere(path, length)

    def misnamed(self, path: str) -> str | None:
        """The name that this file's service would have, if services could be called so."""
        if self.named is not None or self.has(path):
            return None
        match = _expression(self.files, _ANY_NAME).fullmatch(path)
        if match is None or self._is_elsewhere(path, len(match["service"])):
            return None
        return match["service"]

    def services(self, paths: Iterable[str]) -> tuple[str, ...]:
        """The services that have the file of their version among these."""
        present = frozenset(paths)
        found = set(self.named or ())
        if self.named is None:
            expression = _expression(self.files)
            found |= {
                match["service"]
                for path in present
                if (match := expression.fullmatch(path))
                and not self._is_elsewhere(path, len(match["service"]))
            }
        found |= {name for name, _ in self.own}
        return tuple(sorted(each for each in found if self._version_file(each) in present))

    def _is_elsewhere(self, path: str, length: int) -> bool:
        """Whether another environment has a longer name in this path, which leaves less of it for
        the service: `api-pre-staging` is `api` in `pre-staging`, not `api-pre` in `staging`."""
        other = _shortest(self._readings_elsewhere, path)
        return other is not None and other < length

    def _version_file(self, service: str) -> str:
        return self.version_rule(service).place.file

    @cached_property
    def _readings(self) -> tuple[re.Pattern[str], ...]:
        return tuple(_expression(pattern) for pattern in self._patterns)

    @cached_property
    def _readings_elsewhere(self) -> tuple[re.Pattern[str], ...]:
        return tuple(_expression(pattern) for pattern in self.others)

    @property
    def _patterns(self) -> tuple[str, ...]:
        rules = (self.rules, *(rules for _, rules in self.own))
        placed = (rule.place.file for each in rules for rule in each)
        return tuple(dict.fromkeys((self.files, *placed)))


def misnamed_text(names: Iterable[str]) -> str:
    """Why these are no services; the names in quotes, whatever is in them."""
    quoted = listed((json.dumps(each[:100], ensure_ascii=False) for each in names), 10)
    return (
        f"no service, because of the name: {quoted}; it must be of the letters a to z and A to Z, "
        "digits and . _ -, and begin with a letter or a digit"
    )


def layout_of(pipeline: Pipeline, environment: str) -> Layout:
    """Made once: it is part of what every plan of this pipeline is remembered by."""
    if environment not in pipeline.layouts:
        pipeline.layouts[environment] = _layout(pipeline, environment)
    return pipeline.layouts[environment]


def _layout(pipeline: Pipeline, environment: str) -> Layout:
    alone = _alone(pipeline, environment)
    paths = (_alone(pipeline, each)._patterns for each in pipeline.environments)
    others = (path for each in paths for path in each if path not in alone._patterns)
    return replace(alone, others=tuple(dict.fromkeys(others)))


def _alone(pipeline: Pipeline, environment: str) -> Layout:
    own = pipeline.environments[environment].files
    files = (own or pipeline.files).replace("{environment}", environment)

    def placed(rules: tuple[Rule, ...]) -> tuple[Placed, ...]:
        return tuple(_placed(rule, files, environment) for rule in rules)

    named = {
        name: placed(service.promote)
        for name, service in pipeline.services.items()
        if service.promote is not None
    }
    return Layout(
        environment=environment,
        files=files,
        rules=placed(pipeline.promote),
        own=tuple(named.items()),
        named=None if pipeline.discovers else tuple(pipeline.services),
    )


def _placed(rule: Rule, files: str, environment: str) -> Placed:
    def filled(text: str) -> str:
        return text.replace("{environment}", environment)

    file = files if rule.in_ is None else filled(rule.in_)
    if isinstance(rule, CopyFile):
        texts = tuple((old, filled(new)) for old, new in rule.replace.items())
        return CopiedFile(Place(file, WHOLE, part=Part.FILE), texts)
    document = filled(rule.document) if isinstance(rule.document, str) else rule.document
    part = Part.IMAGE if isinstance(rule, CopyImage) else Part.VALUE
    path = _path_filled(path_of(rule), "{environment}", environment)
    place = Place(file, path, document, part)
    if isinstance(rule, SetValue):
        return Fixed(place, filled(rule.to), isinstance(rule.to, Plain))
    return Copied(place)


def _filled(rule: Placed, service: str) -> Placed:
    def filled(text: str) -> str:
        return text.replace(_SERVICE, service)

    place, document = rule.place, rule.place.document
    place = replace(
        place,
        file=filled(place.file),
        path=_path_filled(place.path, _SERVICE, service),
        document=filled(document) if isinstance(document, str) else document,
    )
    match rule:
        case Copied():
            return Copied(place)
        case Fixed(value=value, plain=plain):
            return Fixed(place, filled(value), plain)
        case CopiedFile(replaced=texts):
            return CopiedFile(place, tuple((old, filled(new)) for old, new in texts))


def _path_filled(path: str, placeholder: str, name: str) -> str:
    """A name is one key, or part of one, even if it has a dot."""
    if "." not in name or placeholder not in path:
        return path.replace(placeholder, name)

    def filled(step: Step) -> Step:
        match step:
            case Key(key):
                return Key(key.replace(placeholder, name))
            case Match(keys, value):
                return Match(keys, value.replace(placeholder, name))
            case _:
                return step

    return format_path([filled(step) for step in parse_path(path)])


def _shortest(readings: Iterable[re.Pattern[str]], path: str) -> int | None:
    """The length of the service's name in the reading that leaves least for it; None for no
    reading, 0 where the path names no service."""
    found = (reading.fullmatch(path) for reading in readings)
    return min((len(each.groupdict().get("service", "")) for each in found if each), default=None)


@lru_cache(maxsize=8192)  # the layouts of one pipeline share theirs
def _expression(pattern: str, name: str = _NAME) -> re.Pattern[str]:
    escaped, placeholder = re.escape(pattern), re.escape(_SERVICE)
    first = escaped.replace(placeholder, f"(?P<service>{name})", 1)
    return re.compile(first.replace(placeholder, r"(?P=service)"))


def _folder(pattern: str) -> str:
    before, found, _ = pattern.partition(_SERVICE)
    if not found:
        return pattern
    return before.rsplit("/", 1)[0] + "/" if "/" in before else ""


def _below(path: str, folders: set[str]) -> bool:
    return any(path.startswith(folder) for folder in folders if folder == "" or folder[-1] == "/")
