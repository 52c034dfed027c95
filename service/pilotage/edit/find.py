"""Where a path leads in a stream of events."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from pilotage.edit.event import Kind
from pilotage.edit.path import Index, Key, Match, Step, format_path, parse_path
from pilotage.edit.refused import EditRefused
from pilotage.edit.stream import Stream

Document = Mapping[str, str] | str | int


@dataclass(frozen=True, slots=True)
class Found:
    """The value at event `at`; `parents` are the collections around it and its entry in each.

    A parent is (event of the collection, event where the entry begins: its key, or the item).
    """

    at: int
    parents: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """Nothing is there. `nearest` is the longest part of the path that is; false in a condition."""

    path: str
    nearest: str
    line: int

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing is there. The path led to event `at` with its first `steps` steps, and no further.

    `certain` is false if it led as far in several documents.
    """

    path: str
    steps: int
    at: int
    parents: tuple[tuple[int, int], ...]
    line: int
    certain: bool = True

    @property
    def nearest(self) -> str:
        return format_path(parse_path(self.path)[: self.steps])

    def public(self) -> Missing:
        return Missing(self.path, self.nearest, self.line)


def find(stream: Stream, path: str, document: Document | None) -> Found | Lost:
    """Where `path` leads. Raises EditRefused where it is not certain, or not safe, to say."""
    steps = parse_path(path)
    results = [_walk(stream, root, steps, path) for root in _documents(stream, document, path)]
    found = [result for result in results if isinstance(result, Found)]
    if len(found) > 1:
        raise EditRefused(
            f"{len(found)} documents of the text have it: say which, by index or by a match such"
            " as kind=Deployment",
            path=path,
            line=stream.line(found[1].at),
        )
    if found:
        return found[0]
    lost = [result for result in results if isinstance(result, Lost)]
    furthest = max(result.steps for result in lost)
    nearest, *others = (result for result in lost if result.steps == furthest)
    return replace(nearest, certain=not others)


def _documents(stream: Stream, document: Document | None, path: str) -> list[int]:
    roots = stream.roots
    if not roots:
        raise EditRefused("the text is empty", path=path)
    match document:
        case None:
            return roots
        case int(index):
            if not 0 <= index < len(roots):
                raise EditRefused(
                    f"there is no document {index}: the text has {len(roots)}, from 0", path=path
                )
            return [roots[index]]
        case str():
            wanted = read_match(document)
        case _:
            wanted = dict(document)
    chosen = [root for root in roots if _matches(stream, root, wanted)]
    if len(chosen) != 1:
        said = ",".join(f"{name}={value}" for name, value in wanted.items())
        raise EditRefused(
            f"{len(chosen) or 'none'} of the {len(roots)} documents match {said}", path=path
        )
    return chosen


def read_match(text: str) -> dict[str, str]:
    """What a document must hold, by path. Raises EditRefused where it cannot be read so."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(name and sign for name, sign, _ in pairs):
        raise EditRefused(f"a document is selected by name=value,name=value, not by {text[:80]!r}")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _matches(stream: Stream, root: int, wanted: Mapping[str, str]) -> bool:
    return all(_value_is(stream, root, parse_path(name), wanted[name]) for name in wanted)


def _value_is(stream: Stream, root: int, steps: tuple[Step, ...], value: str) -> bool:
    result = _walk(stream, root, steps, "")
    event = stream.events[result.at] if isinstance(result, Found) else None
    return event is not None and event.kind is Kind.SCALAR and event.value == value


def _walk(stream: Stream, root: int, steps: tuple[Step, ...], path: str) -> Found | Lost:
    at = root
    parents: list[tuple[int, int]] = []
    for count, step in enumerate(steps):
        event = stream.events[at]
        if event.kind is Kind.ALIAS:
            raise EditRefused(
                f"{format_path(steps[:count])} is the alias *{event.anchor}; name the path where"
                " its anchor stands",
                path=path,
                line=stream.line(at),
            )
        entry = None
        if isinstance(step, Key) and event.kind is Kind.MAPPING:
            entry = _entry(stream, at, step, path)
        elif isinstance(step, Index) and event.kind is Kind.SEQUENCE:
            entry = _item(stream, at, step)
        elif isinstance(step, Match) and event.kind is Kind.SEQUENCE:
            entry = _matching_item(stream, at, step, path)
        if entry is None:
            return Lost(path, count, at, tuple(parents), stream.line(at))
        parents.append((at, entry[0]))
        at = entry[1]
    return Found(at, tuple(parents))


def _entry(stream: Stream, mapping: int, step: Key, path: str) -> tuple[int, int] | None:
    found: tuple[int, int] | None = None
    merged: int | None = None
    for key, value in stream.entries(mapping):
        event = stream.events[key]
        if event.kind is not Kind.SCALAR:
            continue
        if event.value == step.name:
            if found is not None:
                raise EditRefused(
                    f"the key {step.name!r} stands twice in its mapping, first on line"
                    f" {stream.line(found[0])}",
                    path=path,
                    line=stream.line(key),
                )
            found = key, value
        if event.value == "<<" and not event.style:
            merged = key
    if merged is not None and (found is None or found[0] == merged):
        raise EditRefused(
            f"{step.name!r} is not in its mapping itself and may come from the merge key <<",
            path=path,
            line=stream.line(merged),
        )
    return found


def _item(stream: Stream, sequence: int, step: Index) -> tuple[int, int] | None:
    for place, item in enumerate(stream.items(sequence)):
        if place == step.at:
            return item, item
    return None


def _matching_item(stream: Stream, sequence: int, step: Match, path: str) -> tuple[int, int] | None:
    keys = tuple(Key(name) for name in step.keys)
    found = [
        item
        for item in stream.items(sequence)
        if stream.events[item].kind is Kind.MAPPING and _value_is(stream, item, keys, step.value)
    ]
    for first, second in pairwise(found):
        raise EditRefused(
            f"two items have {'.'.join(step.keys)}={step.value}, the first on line"
            f" {stream.line(first)}",
            path=path,
            line=stream.line(second),
        )
    return (found[0], found[0]) if found else None
