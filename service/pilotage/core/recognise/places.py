"""Where a file says a version: `image.tag`, `newTag`, an image string, a chart's dependency.

A place is a value whose key is called as versions are, and whose value looks like one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from pilotage import edit
from pilotage.core.recognise.words import (
    DEPENDENCIES,
    ENCRYPTION,
    OTHER_VERSION_KEYS,
    TAG_KEYS,
    VERSION_KEYS,
    WITHOUT_VERSIONS,
    WORKLOADS,
)
from pilotage.edit import image as image_reference
from pilotage.edit.path import Index, Key, Step, parse_path

_MOST_SCALARS = 5_000
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}|sha(?:256|384|512):[0-9a-f]{64,128}")
_TAG_PARAMETER = re.compile(r"\[name=(?:[^\]]*[._])?(?:\w*[tT]ag|digest)\]\.value$")
_VERSION_LIST = re.compile(r"version|tags|images|releases", re.IGNORECASE)
_VERSION_ALONE = re.compile(r"[A-Za-z_-]*\d+(?:\.\d+)+(?:[-+._]\S*)?|sha256:\S+|[0-9a-f]{7,40}")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = re.compile(r"[^\[\]\"'=,\s{}]+")


class FileKind(Enum):
    """What a file is, as far as it matters for what is promoted in it."""

    KUSTOMIZATION = "kustomization"
    WORKLOAD = "manifests"
    CHART = "chart"
    APPLICATION = "Argo CD application"
    RELEASE = "Flux release"
    OTHER_OBJECT = "objects"
    VALUES = "values"


class Rank(Enum):
    """How surely a place is what a team promotes; the lowest of a file counts."""

    CERTAIN = 0
    LIKELY = 1
    POSSIBLE = 2


@dataclass(frozen=True, slots=True)
class Place:
    """One value of a file, as a rule of `promote:` names it."""

    path: str
    is_image: bool = False
    """A tag inside an image string, not a whole value."""
    document: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A place in one file, and the version that stands there."""

    place: Place
    value: str
    rank: Rank
    settled: bool
    """False for a name that moves, such as `latest` or `main`: that is no version."""
    indexed: str
    """The place's path with indexes instead of names: `images[0].newTag`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One text: what it is, and its places in order. A text that cannot be read has none."""

    kind: FileKind
    found: tuple[Found, ...]


Values = Mapping[str, str]
"""Path to value, of one document."""


def read(path: str, text: str) -> Reading | None:
    """None when it is neither YAML nor JSON, such as a template."""
    try:
        scalars = edit.scalars(text)
    except edit.EditRefused:
        return None
    documents: dict[int, dict[str, str]] = {}
    for scalar in scalars[:_MOST_SCALARS]:
        documents.setdefault(scalar.document, {})[scalar.path] = scalar.value
    several = len(documents) > 1
    found: list[Found] = []
    kinds = []
    for values in documents.values():
        kind = _kind(path, values)
        kinds.append(kind)
        document = _selector(values) if several else None
        if not several or document is not None:
            found += _of_document(kind, values, document)
    if kinds == [FileKind.VALUES] and not found and _VERSION_LIST.search(path):
        found = [*_of_list(*documents.values())]
    kind = min(kinds, key=lambda each: [*FileKind].index(each), default=FileKind.VALUES)
    return Reading(kind, tuple(_once(found)))


def _once(found: Iterable[Found]) -> Iterator[Found]:
    """Two documents of one name cannot be told apart, so neither can be edited."""
    listed = list(found)
    places = [each.place for each in listed]
    return (each for each in listed if places.count(each.place) == 1)


def _kind(path: str, values: Values) -> FileKind:
    kind, group = values.get("kind", ""), values.get("apiVersion", "")
    name = path.rsplit("/", 1)[-1].lower()
    if name in ("kustomization.yaml", "kustomization.yml") or group.startswith("kustomize.config"):
        return FileKind.KUSTOMIZATION
    if name in ("chart.yaml", "chart.yml"):
        return FileKind.CHART
    if kind in WORKLOADS:
        return FileKind.WORKLOAD
    if kind == "Application" and group.startswith("argoproj.io/"):
        return FileKind.APPLICATION
    if kind == "HelmRelease":
        return FileKind.RELEASE
    return FileKind.OTHER_OBJECT if kind and group else FileKind.VALUES


def _selector(values: Values) -> str | None:
    kind, name = values.get("kind", ""), values.get("metadata.name", "")
    if _PLAIN.fullmatch(kind) and _PLAIN.fullmatch(name):
        return f"kind={kind},metadata.name={name}"
    return None


def _of_document(kind: FileKind, values: Values, document: str | None) -> Iterator[Found]:
    if values.get("kind") in WITHOUT_VERSIONS:
        return
    for path, value in values.items():
        steps = parse_path(path)
        ranked = _ranked(kind, steps, value)
        named = _named(steps, values) if ranked is not None else None
        if ranked is None or named is None:
            continue
        rank, is_image = ranked
        if named.endswith("].value") and not _TAG_PARAMETER.search(named):
            continue
        version = _version_of(value) if is_image else value
        yield Found(Place(named, is_image, document), version, rank, is_settled(version), path)


def _of_list(values: Values) -> Iterator[Found]:
    """A file that is nothing but services and their versions."""
    if all(
        _PLAIN_KEY.fullmatch(path) and _VERSION_ALONE.fullmatch(values[path]) for path in values
    ):
        for path, value in values.items():
            yield Found(Place(path), value, Rank.LIKELY, is_settled(value), path)


def _ranked(kind: FileKind, steps: tuple[Step, ...], value: str) -> tuple[Rank, bool] | None:
    """How surely this is a version, and whether it is inside an image string."""
    keys = [step.name for step in steps if isinstance(step, Key)]
    if kind is FileKind.APPLICATION and keys[-2:] == ["kustomize", "images"]:
        return Rank.POSSIBLE, True
    last = keys[-1] if keys and isinstance(steps[-1], Key) else ""
    if last.isupper():
        last = last.lower()
    if (
        not last
        or keys[0] in ENCRYPTION
        or last in OTHER_VERSION_KEYS
        or {"labels", "annotations", "metadata"} & set(keys[:-1])
    ):
        return None
    if kind is FileKind.KUSTOMIZATION:
        return _of_kustomization(keys, last)
    if kind is FileKind.CHART:
        return _of_chart(keys)
    if last == "image" or last.endswith("Image") or keys[-2:-1] == ["images"]:
        return _of_image(kind, keys, value)
    if kind is FileKind.APPLICATION:
        return _of_application(keys, last, value)
    if kind is FileKind.OTHER_OBJECT or kind is FileKind.WORKLOAD:
        return None
    if not _VERSION.fullmatch(value):
        return None
    if kind is FileKind.RELEASE and keys == ["spec", "chart", "spec", "version"]:
        return Rank.LIKELY, False
    return _of_key(keys, last)


def _of_application(keys: list[str], last: str, value: str) -> tuple[Rank, bool] | None:
    """What stands in its `helm` may be a version as well; what Argo CD follows is one."""
    if keys[:2] != ["spec", "source"] and "sources" not in keys:
        return None
    if last == "targetRevision":
        return Rank.CERTAIN, False
    if not _VERSION.fullmatch(value):
        return None
    is_parameter = keys[-3:] == ["helm", "parameters", "value"]
    return (Rank.POSSIBLE, False) if is_parameter or _of_key(keys, last) else None


def _of_kustomization(keys: list[str], last: str) -> tuple[Rank, bool] | None:
    if keys[0] == "images" and last in ("newTag", "digest"):
        return Rank.CERTAIN, False
    return (Rank.LIKELY, False) if keys == ["helmCharts", "version"] else None


def _of_chart(keys: list[str]) -> tuple[Rank, bool] | None:
    if keys == ["dependencies", "version"]:
        return Rank.CERTAIN, False
    return (Rank.POSSIBLE, False) if keys in (["version"], ["appVersion"]) else None


def _of_image(kind: FileKind, keys: list[str], value: str) -> tuple[Rank, bool] | None:
    if _version_of(value) == "":
        return None
    if kind is FileKind.WORKLOAD:
        return (Rank.CERTAIN if "containers" in keys else Rank.POSSIBLE), True
    doubtful = kind is FileKind.OTHER_OBJECT or _is_dependency(keys)
    return (Rank.POSSIBLE if doubtful else Rank.LIKELY), True


def _is_dependency(keys: list[str]) -> bool:
    return not DEPENDENCIES.isdisjoint(keys[:-1])


def _of_key(keys: list[str], last: str) -> tuple[Rank, bool] | None:
    if keys in (["image", "tag"], ["service", "chartTag"]):
        return Rank.CERTAIN, False
    if last in TAG_KEYS or last.endswith(("Tag", "_tag")):
        return (Rank.POSSIBLE if _is_dependency(keys) else Rank.LIKELY), False
    if last in VERSION_KEYS or last.endswith(("Version", "_version")):
        return Rank.POSSIBLE, False
    return None


def _version_of(value: str) -> str:
    """The tag, or the digest, or both, of an image string; empty when it has none."""
    try:
        found = image_reference.parse(value)
    except edit.EditRefused:
        return ""
    digest = f"@{found.digest}" if found.digest else ""
    return f"{found.tag or ''}{digest}".removeprefix("@")


def is_settled(value: str) -> bool:
    """Whether it stays what it is: it has a digit, and is no range."""
    if not any(part.isdigit() for part in value) or value.startswith(
        ("~", "^", ">", "<", "=", "*")
    ):
        return False
    return re.search(r"(?:^|\.)[xX*](?:\.|$)", value) is None and "||" not in value


def _named(steps: tuple[Step, ...], values: Values) -> str | None:
    """The path with names for indexes where the items have one: `images[name=api].newTag`."""
    text, written = "", ""
    for step in steps:
        match step:
            case Key(name):
                if re.fullmatch(r"[A-Za-z0-9_-]+", name) is None:
                    return None
                dot = "." if text else ""
                text, written = f"{text}{dot}{name}", f"{written}{dot}{name}"
            case Index(at):
                text = f"{text}[{at}]"
                name = values.get(f"{text}.name", "")
                known = _PLAIN.fullmatch(name) is not None
                written += f"[name={name}]" if known else f"[{at}]"
            case _:
                return None
    return written
