"""Adding the entries of a path that does not exist yet."""

import re
from dataclasses import dataclass

from pilotage.edit.event import MEANING, Event, Kind
from pilotage.edit.find import Lost
from pilotage.edit.judge import Splice, entry_around, judge_new
from pilotage.edit.path import Key, parse_path
from pilotage.edit.refused import EditRefused
from pilotage.edit.scalar import Plain, write
from pilotage.edit.stream import Stream

_BREAK = re.compile(r"\r\n|\r|\n")
_PLAIN = Event(Kind.SCALAR)
_NULL = _PLAIN[:MEANING]
_STEP = 2


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is added: keys, each within the one before, and the value of the last."""

    keys: tuple[str, ...]
    value: str
    is_json: bool

    @property
    def strings(self) -> bool:
        return not isinstance(self.value, Plain)

    def block(self, indent: int, step: int, newline: str) -> str:
        lines = [
            " " * (indent + step * depth) + self._write(key, flow=False) + ":"
            for depth, key in enumerate(self.keys)
        ]
        lines[-1] += f" {self._write(self.value, flow=False)}".rstrip(" ")
        return newline.join(lines)

    def flow(self, colon: str) -> str:
        text = self._write(self.value, flow=True)
        for depth, key in enumerate(reversed(self.keys)):
            inner = "{" + text + "}" if depth else text
            text = self._write(key, flow=True) + colon + inner
        return text

    def _write(self, value: str, *, flow: bool) -> str:
        return write(value, _PLAIN, flow=flow, is_json=self.is_json)

    def events(self, *, flow: bool) -> tuple[Event, ...]:
        """What the entry means."""
        style = "{" if flow else ""
        events: list[Event] = []
        for key in self.keys[:-1]:
            events += (self._scalar(key, flow=flow), Event(Kind.MAPPING, style=style))
        events += (self._scalar(self.keys[-1], flow=flow), self._scalar(self.value, flow=flow))
        return (*events, *(Event(Kind.MAPPING_END) for _ in self.keys[:-1]))

    def _scalar(self, value: str, *, flow: bool) -> Event:
        written = self._write(value, flow=flow)
        return Event(Kind.SCALAR, str(value), written[:1] if written[:1] == '"' else "")


def create_entry(stream: Stream, lost: Lost, value: str) -> Splice:
    """The edit that adds a path with `value` at the end of the nearest mapping that exists.

    Raises EditRefused unless the missing part is made of keys only, and that mapping can grow.
    """
    try:
        return _grow(stream, lost, value)
    except EditRefused as error:
        raise EditRefused(
            error.reason, path=lost.path, line=lost.line, nearest=lost.nearest
        ) from None


def begin_document(stream: Stream, path: str, value: str) -> str:
    """The text of a stream without any document, such as one of comments, with this path in it.

    Raises EditRefused.
    """
    steps = parse_path(path)
    keys = tuple(step.name for step in steps if isinstance(step, Key))
    if not keys or len(keys) != len(steps) or stream.language == "json":
        raise EditRefused("the text is empty", path=path)
    entry = _Entry(keys, value, is_json=False)
    newline = _newline(stream.text)
    before = stream.text
    if before and before[-1] not in "\r\n":
        before += newline
    text = before + entry.block(0, _STEP, newline) + newline
    mapping = (Event(Kind.MAPPING), *entry.events(flow=False), Event(Kind.MAPPING_END))
    judge_new(
        text,
        (Event(Kind.DOCUMENT), *mapping, Event(Kind.DOCUMENT_END)),
        strings=entry.strings,
    )
    return text


def _grow(stream: Stream, lost: Lost, value: str) -> Splice:
    missing = parse_path(lost.path)[lost.steps :]
    keys = tuple(step.name for step in missing if isinstance(step, Key))
    if not lost.certain:
        raise EditRefused("it could be created in several documents: say in which")
    if len(keys) != len(missing):
        raise EditRefused("only keys can be created, not items of a sequence")
    entry = _Entry(keys, value, stream.language == "json")
    event = stream.events[lost.at]
    if event.kind is Kind.MAPPING:
        return _into_flow(stream, lost, entry) if event.style else _into(stream, lost, entry)
    if event[:MEANING] == _NULL:
        return _into_nothing(stream, lost, entry)
    raise EditRefused(f"{lost.nearest} is a {event.kind.value}, not a mapping")


def _into_flow(stream: Stream, lost: Lost, entry: _Entry) -> Splice:
    pairs = list(stream.entries(lost.at))
    close = stream.close[lost.at]
    at = stream.events[close].end - 1
    colon, comma = ": ", ""
    if pairs:
        key, value = pairs[-1]
        at = stream.text_end(value)
        between = stream.text[stream.text_end(key) : stream.events[value].start]
        colon = between if entry.is_json and re.fullmatch(r"\s*:\s*", between) else ": "
        comma = _comma(stream, lost.at, pairs)
    text = comma + entry.flow(colon)
    around = entry_around(stream, lost.parents, lost.at)
    return Splice(
        lost.path, at, at, text, close, close, entry.events(flow=True), *around, entry.strings
    )


def _comma(stream: Stream, mapping: int, pairs: list[tuple[int, int]]) -> str:
    """What stands between two entries, or before the only one."""
    events = stream.events
    if len(pairs) > 1:
        before = events[stream.close[pairs[-2][1]]].end
        between = stream.text[before : events[pairs[-1][0]].start]
        return between if re.fullmatch(r"\s*,\s*", between) else ", "
    lead = stream.text[events[mapping].end : events[pairs[0][0]].start]
    return "," + (lead if lead.isspace() and "\n" in lead else " ")


def _into(stream: Stream, lost: Lost, entry: _Entry) -> Splice:
    """Into a block mapping."""
    first = stream.events[lost.at + 1]
    if "?" in stream.text[first.start - first.column : first.start]:
        raise EditRefused("its mapping is written with explicit keys (?)")
    text = entry.block(first.column, _indentation(stream, lost.at), _newline(stream.text))
    close = stream.close[lost.at]
    return _lines(stream, lost, entry, text, close, close, entry.events(flow=False))


def _into_nothing(stream: Stream, lost: Lost, entry: _Entry) -> Splice:
    """Under a key without a value."""
    start = stream.events[lost.at].start
    if not lost.parents or stream.text[start - 1 : start] != ":":
        raise EditRefused(f"a mapping cannot be begun at {lost.nearest}")
    if any(stream.events[parent].style for parent, _ in lost.parents):
        raise EditRefused(f"a mapping cannot be begun at {lost.nearest}, in a flow collection")
    mapping, key = lost.parents[-1]
    step = _indentation(stream, mapping)
    text = entry.block(stream.events[key].column + step, step, _newline(stream.text))
    events = (Event(Kind.MAPPING), *entry.events(flow=False), Event(Kind.MAPPING_END))
    return _lines(stream, lost, entry, text, lost.at, lost.at + 1, events)


def _lines(
    stream: Stream,
    lost: Lost,
    entry: _Entry,
    text: str,
    at: int,
    upto: int,
    events: tuple[Event, ...],
) -> Splice:
    """`text` as lines of its own after the lines of the value at which the path was lost."""
    newline = _newline(stream.text)
    place = stream.text_end(lost.at)
    if not place or stream.text[place - 1] not in "\r\n":
        found = _BREAK.search(stream.text, place)
        place = found.end() if found else len(stream.text)
    ended = place and stream.text[place - 1] in "\r\n"
    text = text + newline if ended else newline + text
    around = entry_around(stream, lost.parents, lost.at)
    return Splice(lost.path, place, place, text, at, upto, events, *around, entry.strings)


def _newline(text: str) -> str:
    found = _BREAK.search(text)
    return found[0] if found else "\n"


def _indentation(stream: Stream, mapping: int) -> int:
    """By how much a mapping within `mapping` is indented, as its first one is; or else by 2."""
    column = stream.events[mapping + 1].column
    for _, value in stream.entries(mapping):
        event = stream.events[value]
        if event.kind is Kind.MAPPING and not event.style:
            return max(stream.events[value + 1].column - column, 1)
    return _STEP
