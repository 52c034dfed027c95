"""Paths into a document: `a.b[0].c`, `containers[name=app].image`, `labels["app.io/name"]`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pilotage.edit.refused import EditRefused

ROOT = "."
LONGEST = 4096

_QUOTED = r'"(?:[^"\\]|\\.)*"|' + r"'(?:[^'\\]|\\.)*'"
_STEP = re.compile(
    rf"""
    (?P<dot>\.)?(?P<key>[^.\[\]"'=\s](?:[^.\[\]=]*[^.\[\]=\s])?)
  | \[(?P<index>[0-9]+)\]
  | \[(?P<quoted>{_QUOTED})\]
  | \[(?P<match>[^\[\]"'=\s]+)=(?P<value>{_QUOTED}|[^\[\]"']+)\]
    """,
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


_NEGATIVE = re.compile(r"\[-\d+\]")


@dataclass(frozen=True, slots=True)
class Key:
    """The value of this key in a mapping."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """The item at this place in a sequence, from 0."""

    at: int


@dataclass(frozen=True, slots=True)
class Match:
    """The one item of a sequence of mappings in which the value at `keys` is `value`."""

    keys: tuple[str, ...]
    value: str


Step = Key | Index | Match


@lru_cache(maxsize=1024)
def parse_path(path: str) -> tuple[Step, ...]:
    """The steps of `path`; "." is the document itself.

    A key that has dots, brackets, quotes, "=" or spaces at its ends stands in `["..."]`, with
    `\\"` and `\\\\` for the quote and the backslash. Raises EditRefused for anything else.
    """
    if path == ROOT:
        return ()
    if not path or len(path) > LONGEST:
        raise EditRefused(
            f'a path has 1 to {LONGEST} characters, and "." is the document itself', path=path[:80]
        )
    steps: list[Step] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if not found or (found["key"] is not None and (found["dot"] is None) != (at == 0)):
            how = 'write a.b[0].c, a[name=value].b, or a["a key with dots"]'
            if _NEGATIVE.match(path, at):
                how = "items are counted from the first, which is [0]"
            raise EditRefused(
                f"the path cannot be read from {path[at : at + 20]!r} on: {how}", path=path
            )
        steps.append(_step(found))
        at = found.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    if found["key"] is not None:
        return Key(found["key"])
    if found["index"] is not None:
        return Index(int(found["index"][:12]))
    if found["quoted"] is not None:
        return Key(_unquote(found["quoted"]))
    return Match(tuple(found["match"].split(".")), _unquote(found["value"]))


def _unquote(text: str) -> str:
    return _ESCAPED.sub(r"\1", text[1:-1]) if text[0] in "\"'" else text


def format_path(steps: Sequence[Step]) -> str:
    """The path that `parse_path` reads as `steps`."""
    text = ""
    for step in steps:
        match step:
            case Key(name):
                found = _STEP.fullmatch(name)
                if found and found["key"] and not found["dot"]:
                    text += f".{name}" if text else name
                else:
                    text += f"[{_quote(name)}]"
            case Index(at):
                text += f"[{at}]"
            case Match(keys, value):
                text += f"[{'.'.join(keys)}={_quote(value)}]"
    return text or ROOT


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
