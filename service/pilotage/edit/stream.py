"""A text as the flat list of its events, each with the characters that it covers.

YAML is read by libyaml and JSON by a reader of its own (libyaml stumbles over tabs, long keys and
surrogate escapes in JSON); both give the same events, so that all else is written once. Events
are flat and read in a loop: no depth of nesting can exhaust the stack, and an alias is an event
like any other and is never expanded.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from json.decoder import scanstring
from typing import Literal

from yaml import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    Mark,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    YAMLError,
)
from yaml.cyaml import CParser  # libyaml; PyYAML built without it cannot serve, and says so here

from .refused import EditRefused

MAX_CHARACTERS = 4_000_000
MAX_DEPTH = 200
MAX_EVENTS = 400_000
BOM = "\ufeff"

Language = Literal["yaml", "json"]


@dataclass(frozen=True, slots=True)
class Stream:
    """The events of `text`, which has no byte order mark (libyaml does not count it).

    `close[i]` is where the value that begins at event `i` ends: at `i` itself for a scalar or an
    alias, else at its end event. `roots` are the events where the documents' values begin.
    """

    text: str
    language: Language
    events: list[Event]
    close: list[int]
    roots: list[int]

    def line(self, at: int) -> int:
        """The line of event `at`, from 1."""
        return int(self.events[at].start_mark.line) + 1


def read(text: str, language: Language | None = None) -> Stream:
    """The events of `text` without its byte order mark. Raises EditRefused."""
    text = text.removeprefix(BOM)
    if len(text) > MAX_CHARACTERS:
        raise EditRefused(f"the text is too large: more than {MAX_CHARACTERS:,} characters")
    if language == "json" or (language is None and text.lstrip(" \t\r\n")[:1] in ("{", "[")):
        try:
            return _collect(text, "json", json_events(text))
        except _NotJsonError as error:
            if language == "json":
                raise EditRefused(error.args[0], line=error.args[1]) from None
    return _collect(text, "yaml", yaml_events(text))


def events_of(text: str, language: Language) -> Iterator[Event]:
    """The same, one event after the other, for a second reading that need not be kept."""
    return json_events(text) if language == "json" else yaml_events(text)


def _collect(text: str, language: Language, source: Iterator[Event]) -> Stream:
    events: list[Event] = []
    close: list[int] = []
    roots: list[int] = []
    open_at: list[int] = []
    for at, event in enumerate(source):
        events.append(event)
        close.append(at)
        kind = type(event)
        if kind is ScalarEvent or kind is AliasEvent:
            continue
        if kind is MappingStartEvent or kind is SequenceStartEvent:
            open_at.append(at)
            if len(open_at) > MAX_DEPTH:
                raise EditRefused(
                    f"the text is nested too deeply: more than {MAX_DEPTH} levels",
                    line=event.start_mark.line + 1,
                )
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            close[open_at.pop()] = at
        elif kind is DocumentStartEvent:
            roots.append(at + 1)
        if at > MAX_EVENTS:
            raise EditRefused(f"the text is too large: more than {MAX_EVENTS:,} keys and values")
    return Stream(text, language, events, close, roots)


def yaml_events(text: str) -> Iterator[Event]:
    try:
        parser = CParser(text)
        get = parser.get_event
        while (event := get()) is not None:
            yield event
    except YAMLError as error:
        raise _not_yaml(text, error) from None
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise EditRefused("the text has half of a surrogate pair", line=line) from None


def _not_yaml(text: str, error: YAMLError) -> EditRefused:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        problem = getattr(error, "problem", None) or "a syntax error"
        return EditRefused(f"not YAML: {problem}", line=mark.line + 1)
    position = getattr(error, "position", None)
    line = text.encode()[:position].count(b"\n") + 1 if isinstance(position, int) else None
    return EditRefused(f"not YAML: {getattr(error, 'reason', 'it cannot be read')}", line=line)


class _NotJsonError(Exception):
    """What was expected, and the line."""


class _Expect(Enum):
    VALUE = "a value"
    FIRST_VALUE = "a value or ]"
    KEY = "a key in quotes"
    FIRST_KEY = "a key in quotes or }"
    COLON = "a colon"
    NEXT = "a comma or the end"
    NOTHING = "nothing more"


_TOKEN = re.compile(
    r"[ \t\n\r]*(?:([{}\[\],:])|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
    r'|true|false|null)|(")|$)'
)


def json_events(text: str) -> Iterator[Event]:
    """Strict JSON (RFC 8259), with the marks that libyaml would give."""
    at, line, counted = 0, 0, 0
    inside: list[str] = []
    expect = _Expect.VALUE

    def mark(index: int) -> Mark:
        nonlocal line, counted
        line += text.count("\n", counted, index)
        counted = index
        return Mark("", index, line, 0, None, None)

    begin = mark(0)
    yield DocumentStartEvent(begin, begin)
    while True:
        found = _TOKEN.match(text, at)
        sign, literal, quote = found.groups() if found else ("?", None, None)
        at = found.end() if found else at
        start = mark(at - len(sign or literal or quote or ""))
        if sign is None and literal is None and quote is None:
            sign = "end"
        if quote or literal:
            value = literal or ""
            if quote:
                try:
                    value, at = scanstring(text, at, True)
                except json.JSONDecodeError as error:
                    raise _NotJsonError(f"not JSON: {error.msg}", error.lineno) from None
            is_key = expect in _KEYS
            if not (expect in _VALUES or (is_key and quote)):
                raise _NotJsonError(f"not JSON: expected {expect.value}", start.line + 1)
            end = mark(at)
            style = '"' if quote else ""
            yield ScalarEvent(None, None, (not quote, bool(quote)), value, start, end, style=style)
            expect = _Expect.COLON if is_key else _after(inside)
            continue
        end = mark(at)
        match sign, expect:
            case "{", e if e in _VALUES:
                inside.append("{")
                yield MappingStartEvent(None, None, True, start, end, flow_style=True)
                expect = _Expect.FIRST_KEY
            case "[", e if e in _VALUES:
                inside.append("[")
                yield SequenceStartEvent(None, None, True, start, end, flow_style=True)
                expect = _Expect.FIRST_VALUE
            case "}", (_Expect.FIRST_KEY | _Expect.NEXT) if inside[-1] == "{":
                inside.pop()
                yield MappingEndEvent(start, end)
                expect = _after(inside)
            case "]", (_Expect.FIRST_VALUE | _Expect.NEXT) if inside[-1] == "[":
                inside.pop()
                yield SequenceEndEvent(start, end)
                expect = _after(inside)
            case ":", _Expect.COLON:
                expect = _Expect.VALUE
            case ",", _Expect.NEXT:
                expect = _Expect.KEY if inside[-1] == "{" else _Expect.VALUE
            case "end", _Expect.NOTHING:
                return
            case _:
                raise _NotJsonError(f"not JSON: expected {expect.value}", start.line + 1)


_KEYS = (_Expect.KEY, _Expect.FIRST_KEY)
_VALUES = (_Expect.VALUE, _Expect.FIRST_VALUE)


def _after(inside: list[str]) -> _Expect:
    return _Expect.NEXT if inside else _Expect.NOTHING
