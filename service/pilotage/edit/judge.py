"""Whether a changed text means what was asked for and nothing else.

Two judges. The first reads the whole new text as the old one was read (libyaml, or the strict
JSON reader): its events must be the old ones but for those that were replaced. The second is
independent, ruamel.yaml or Python's json: it must read the changed entry in the same way, and each
string as a string by YAML 1.1 and by 1.2. ruamel.yaml is fifty times slower than libyaml, so it
reads the lines of the entry only; that they are a whole entry is what the first judge has shown.
"""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import ruamel.yaml
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver

from pilotage.edit.event import MEANING, Event, Kind
from pilotage.edit.json_reader import json_difference
from pilotage.edit.refused import EditRefused
from pilotage.edit.stream import Stream
from pilotage.edit.yaml_reader import yaml_count, yaml_difference

_LINE_BREAK = re.compile(r"[\r\n]")
MAX_SECOND_READING = 1_000_000
_RESOLVERS = [VersionedResolver(version=version) for version in ((1, 1), (1, 2))]
_STRING_TAG = "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class Splice:
    """Characters `start` to `end` replaced by `text`: events `at` up to `upto` become `events`.

    `first` is where the entry begins that the second judge reads, `last` where its value begins,
    and `strings` says whether the new values must be strings.
    """

    path: str
    start: int
    end: int
    text: str
    at: int
    upto: int
    events: tuple[Event, ...]
    first: int
    last: int
    strings: bool = True


def entry_around(stream: Stream, parents: Sequence[tuple[int, int]], at: int) -> tuple[int, int]:
    """The block entry around event `at`, which can be read by itself: its first event (the key, or
    the item itself), and the event where its value begins."""
    entry = at
    for collection, begin in reversed(parents):
        if stream.events[collection].style != "{" and stream.events[entry].style != "{":
            return begin, entry
        entry = collection
    return entry, entry


def apply(stream: Stream, splices: Sequence[Splice]) -> str:
    """The text after all `splices`, judged. Raises EditRefused."""
    ordered = sorted(splices, key=lambda splice: splice.start)
    parts: list[str] = []
    expected: list[Event] = []
    characters = events = 0
    for splice in ordered:
        if splice.start < characters or splice.at < events:
            raise EditRefused("two of the edits touch the same place", path=splice.path)
        parts += (stream.text[characters : splice.start], splice.text)
        expected += stream.events[events : splice.at]
        expected += splice.events
        characters, events = splice.end, splice.upto
    new = "".join((*parts, stream.text[characters:]))
    expected += stream.events[events:]
    shift = _Shift(ordered)
    try:
        _first_judge(stream, shift, expected, new)
        if stream.language == "json":
            _json_judge(ordered, expected, new)
        else:
            _yaml_judge(stream, ordered, shift, expected, new)
    except _NotTheSameError as error:
        paths = ", ".join(splice.path for splice in ordered)
        line = stream.line(ordered[0].at)
        raise EditRefused(f"it cannot be edited safely: {error}", path=paths, line=line) from None
    return new


def judge_new(text: str, events: Sequence[Event], *, strings: bool) -> None:
    """Whether `text`, which was without any document before, is `events` to both readers.

    Raises EditRefused.
    """
    try:
        same = yaml_difference(text, events) is None and _reads_as(text, events)
        if strings:
            _check_strings(events)
    except (_NotTheSameError, EditRefused) as error:
        raise EditRefused(f"it cannot be edited safely: {error}") from None
    if not same:
        raise EditRefused("it cannot be edited safely: the result would be read differently")


class _NotTheSameError(Exception):
    """What a judge found."""


def _first_judge(stream: Stream, shift: "_Shift", expected: list[Event], new: str) -> None:
    try:
        if stream.language == "json":
            line = json_difference(new, expected)
        elif _same_in_windows(stream, shift, expected, new):
            return
        else:
            line = yaml_difference(new, expected)
    except EditRefused as error:
        raise _NotTheSameError(f"the result could not be read ({error})") from None
    if line is not None:
        raise _NotTheSameError(f"the meaning of line {line} would change with it")


def _same_in_windows(stream: Stream, shift: "_Shift", expected: list[Event], new: str) -> bool:
    """Whether reading the touched entries of the root mapping is enough, and they are as expected.

    At a key in column 0 of a block mapping a reader of YAML has nothing in mind but that mapping.
    So what stands before the entry and after it, and has not changed, is read as it was; that the
    whole is still YAML, and of as many events, is checked too. False where this does not apply.
    """
    if len(shift.splices) > _MAX_WINDOWS:
        return False
    windows = {_window(stream, splice) for splice in shift.splices}
    if None in windows or yaml_count(new) != len(expected):
        return False
    for key, value, until in filter(None, windows):
        text = new[shift.start(stream.events[key].start) : shift.start(until)]
        wanted = expected[shift.event(key) : shift.event(stream.close[value] + 1)]
        try:
            if yaml_difference(text, (*_BEFORE, *wanted, *_AFTER)) is not None:
                return False
        except EditRefused:
            return False
    return True


def _window(stream: Stream, splice: Splice) -> tuple[int, int, int] | None:
    """Key and value of the root's entry around the edit, and where the text after it begins."""
    root = max(root for root in stream.roots if root <= splice.at)
    if stream.events[root][:MEANING] != _BEFORE[1][:MEANING]:
        return None
    for key, value in stream.entries(root):
        if key < splice.at and splice.upto <= stream.close[value] + 1:
            after = stream.close[value] + 1
            next_event = stream.events[after if after < stream.close[root] else after + 1]
            begin, until = stream.events[key].start, next_event.start
            is_line = next_event.column == 0 or until == len(stream.text)
            is_within = begin <= splice.start and splice.end <= until
            is_apart = stream.events[key].column == 0 and is_line and is_within
            return (key, value, until) if is_apart else None
    return None


_BEFORE = (Event(Kind.DOCUMENT), Event(Kind.MAPPING))
_AFTER = (Event(Kind.MAPPING_END), Event(Kind.DOCUMENT_END))
_MAX_WINDOWS = 100


class _Shift:
    """Where what stood somewhere before the splices stands after them."""

    def __init__(self, splices: Sequence[Splice]) -> None:
        self.splices = splices
        self._starts = [splice.start for splice in splices]
        self._ends = [splice.end for splice in splices]
        self._uptos = [splice.upto for splice in splices]
        grown = (len(splice.text) - (splice.end - splice.start) for splice in splices)
        more = (len(splice.events) - (splice.upto - splice.at) for splice in splices)
        self._grown = list(accumulate(grown, initial=0))
        self._more = list(accumulate(more, initial=0))

    def event(self, at: int) -> int:
        return at + self._more[bisect_right(self._uptos, at)]

    def start(self, at: int) -> int:
        return at + self._grown[bisect_right(self._ends, at)]

    def end(self, at: int) -> int:
        return at + self._grown[bisect_right(self._starts, at)]

    def after(self, splice: Splice) -> int:
        before = self._grown[bisect_left(self._starts, splice.start)]
        return splice.start + before + len(splice.text)


def _yaml_judge(
    stream: Stream, splices: Sequence[Splice], shift: _Shift, expected: list[Event], new: str
) -> None:
    """Each entry is read once, however many of its values have changed."""
    entries: set[tuple[int, int, int]] = set()
    for splice in splices:
        if splice.strings:
            _check_strings(splice.events)
        end = max(shift.end(stream.text_end(splice.last)), shift.after(splice))
        entries.add((splice.first, splice.last, end))
    for first, last, end in sorted(entries):
        event = stream.events[first]
        wanted = expected[shift.event(first) : shift.event(stream.close[last] + 1)]
        begin = shift.start(event.start)
        line = new[begin - event.column : begin]
        if "?" in line or not _reads_as(_whole_lines(new, begin, end, event.column), wanted):
            # It cannot stand alone (an explicit key, a tag with a handle): the whole text.
            if not _reads_as(new, expected):
                raise _NotTheSameError("a second reader, ruamel.yaml, would read it differently")
            return


def _whole_lines(text: str, begin: int, end: int, column: int) -> str:
    if text[end - 1 : end] not in ("\r", "\n"):
        found = _LINE_BREAK.search(text, end)
        end = found.start() if found else len(text)
    return " " * column + text[begin:end]


def _reads_as(text: str, wanted: Sequence[Event]) -> bool:
    if len(text) > MAX_SECOND_READING:
        raise _NotTheSameError("what would have to be read a second time is too large")
    core = [_plainly(event.kind.name, event.value, event.anchor) for event in wanted]
    core = [item for item in core if not item[0].startswith("DOCUMENT")]
    # A tab that separates ends ruamel.yaml's reading. One within a value does not pass as a space.
    for shown in (text, text.replace("\t", " ")) if "\t" in text else (text,):
        try:
            read = list(_ruamel_events(shown))
        except (ruamel.yaml.error.YAMLError, ValueError):
            continue
        return core in (read, read[1:-1])
    return False


def _plainly(kind: str, value: str, anchor: str | None) -> tuple[str, str, str]:
    return kind, value, anchor or ""


_RUAMEL_KINDS = {
    "ScalarEvent": "SCALAR",
    "AliasEvent": "ALIAS",
    "MappingStartEvent": "MAPPING",
    "MappingEndEvent": "MAPPING_END",
    "SequenceStartEvent": "SEQUENCE",
    "SequenceEndEvent": "SEQUENCE_END",
}


def _ruamel_events(text: str) -> Iterator[tuple[str, str, str]]:
    for event in ruamel.yaml.YAML(typ="safe", pure=True).parse(text):
        if kind := _RUAMEL_KINDS.get(type(event).__name__):
            yield _plainly(kind, getattr(event, "value", None) or "", getattr(event, "anchor", ""))


def _check_strings(events: Sequence[Event]) -> None:
    for event in events:
        if event.kind is not Kind.SCALAR or event.style or event.tag:
            continue
        for resolver in _RESOLVERS:
            tag = resolver.resolve(ScalarNode, event.value, (True, False))
            if str(tag) not in (_STRING_TAG, f"Tag('{_STRING_TAG}')"):
                raise _NotTheSameError(f"{event.value[:40]!r} would not be a string")


def _json_judge(splices: Sequence[Splice], expected: Sequence[Event], new: str) -> None:
    for splice in splices:
        if splice.strings and any(
            each.kind is Kind.SCALAR and not each.style for each in splice.events
        ):
            raise _NotTheSameError("the value would not be a string")
    ends = (Kind.MAPPING_END, Kind.SEQUENCE_END, Kind.DOCUMENT, Kind.DOCUMENT_END)
    wanted = [event.value for event in expected if event.kind not in ends]
    read = json.loads(
        new, object_pairs_hook=_Pairs, parse_int=str, parse_float=str, parse_constant=str
    )
    if list(_json_values(read)) != wanted:
        raise _NotTheSameError("a second reader, Python's json, would read it differently")


class _Pairs(list[tuple[str, Any]]):
    """An object of JSON with its keys in order, twice if they stand twice."""


_LITERALS = {None: "null", True: "true", False: "false"}


def _json_values(read: Any) -> Iterator[str]:
    rest = [read]
    while rest:
        value = rest.pop()
        if isinstance(value, list):
            yield ""
            flat = [each for pair in value for each in pair] if isinstance(value, _Pairs) else value
            rest.extend(reversed(flat))
        else:
            yield value if isinstance(value, str) else _LITERALS[value]
