"""Strict JSON (RFC 8259) as events. libyaml cannot serve: it stumbles over tabs after a colon,
keys of more than 1,024 characters and surrogate escapes."""

import json
import re
from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import zip_longest

from pilotage.edit.event import MEANING, Event, Kind
from pilotage.edit.refused import EditRefused


class NotJsonError(EditRefused):
    """The text is not JSON; it may be YAML."""


class _Expect(Enum):
    VALUE = "a value"
    FIRST_ITEM = "a value or ]"
    KEY = "a key in quotes"
    FIRST_KEY = "a key in quotes or }"
    COLON = "a colon"
    NEXT_ITEM = "a comma or ]"
    NEXT_KEY = "a comma or }"
    END = "nothing more after the first value"


# A token is a sign, "s" for a string, "l" for a literal, "$" for the end, "?" for anything else.
_ACCEPTED = {
    _Expect.VALUE: "{[sl",
    _Expect.FIRST_ITEM: "{[sl]",
    _Expect.KEY: "s",
    _Expect.FIRST_KEY: "s}",
    _Expect.COLON: ":",
    _Expect.NEXT_ITEM: ",]",
    _Expect.NEXT_KEY: ",}",
    _Expect.END: "$",
}
_TOKEN = re.compile(
    r"""
    [ \t\n\r]* (?:
        (?P<sign> [{}\[\],:] )
      | (?P<string> "(?: [^"\\\x00-\x1f] | \\(?: ["\\/bfnrt] | u[0-9a-fA-F]{4} ) )*+" )
      | (?P<literal> -?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)? | true | false | null )
      | (?P<end> \Z )
    )
    """,
    re.VERBOSE,
)


_SPACE = re.compile(r"[ \t\n\r]*")


def json_events(text: str) -> Iterator[Event]:
    """The events of `text`. Raises NotJsonError."""
    inside: list[str] = []
    expect = _Expect.VALUE
    yield Event(Kind.DOCUMENT)
    for sign, value, start, end, line in _tokens(text):
        if sign not in _ACCEPTED[expect]:
            what = _told(text, sign, start, expect)
            raise NotJsonError(f"not JSON: {what}", line=line + 1)
        if sign == ":":
            expect = _Expect.VALUE
        elif sign == ",":
            expect = _Expect.KEY if inside[-1] == "{" else _Expect.VALUE
        elif sign in "sl":
            style = '"' if sign == "s" else ""
            yield Event(Kind.SCALAR, value, style, None, None, start, end, line)
            is_key = expect in (_Expect.KEY, _Expect.FIRST_KEY)
            expect = _Expect.COLON if is_key else _next(inside)
        elif sign in "{[":
            inside.append(sign)
            kind = Kind.MAPPING if sign == "{" else Kind.SEQUENCE
            yield Event(kind, "", "{", None, None, start, end, line)
            expect = _Expect.FIRST_KEY if sign == "{" else _Expect.FIRST_ITEM
        elif sign in "}]":
            inside.pop()
            kind = Kind.MAPPING_END if sign == "}" else Kind.SEQUENCE_END
            yield Event(kind, "", "", None, None, start, end, line)
            expect = _next(inside)
    yield Event(Kind.DOCUMENT_END)


def _told(text: str, sign: str, at: int, expect: _Expect) -> str:
    """What is wrong at `at`; what editors' own dialects of JSON allow is called by its name."""
    if sign == "?" and text.startswith(("//", "/*", "#"), at):
        return "it has a comment, and JSON has none"
    if sign in "}]" and expect in (_Expect.KEY, _Expect.VALUE):
        return f"a comma stands before {sign}"
    return f"expected {expect.value}"


def json_difference(text: str, wanted: Sequence[Event]) -> int | None:
    """The line, from 1, of the first event of `text` that does not mean what is wanted."""
    for want, got in zip_longest(wanted, json_events(text)):
        if want is None or got is None or want[:MEANING] != got[:MEANING]:
            return ((got or want).line if got or want else 0) + 1
    return None


def _next(inside: list[str]) -> _Expect:
    if not inside:
        return _Expect.END
    return _Expect.NEXT_KEY if inside[-1] == "{" else _Expect.NEXT_ITEM


def _tokens(text: str) -> Iterator[tuple[str, str, int, int, int]]:
    """(token, value, start, end, line from 0), until the end or what is no token."""
    at = line = counted = 0
    while True:
        found = _TOKEN.match(text, at)
        name = found.lastgroup if found else None
        if not found or not name:
            at = _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing too
            yield "?", "", at, at, line + text.count("\n", counted, at)
            return
        start, at = found.span(name)
        line += text.count("\n", counted, start)
        counted = start
        if name == "end":
            yield "$", "", start, at, line
            return
        raw = found[name]
        if name == "string":
            yield "s", json.loads(raw) if "\\" in raw else raw[1:-1], start, at, line
        else:
            yield raw if name == "sign" else "l", raw, start, at, line
