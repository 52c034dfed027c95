"""Counts, lists and near names, worded the same in the terminal, on pages and in messages."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from difflib import get_close_matches

_NAMED = 5
"""Names in a list before the rest is counted."""


def nearest(name: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """The known name that was probably meant; `alike` is 1 for the same name, 0 for any."""
    found = get_close_matches(name, list(known), n=1, cutoff=alike)
    return found[0] if found else None


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 file`, `2,000 files`; `many` where the plural is not made with an s."""
    return f"1 {one}" if count == 1 else f"{count:,} {many or one + 's'}"


def verb(count: int, one: str, many: str) -> str:
    """`waits` of one, `wait` of several."""
    return one if count == 1 else many


def listed(names: Iterable[str], most: int = _NAMED, *, between: str = ", ") -> str:
    """`a, b, c`, or the first few and how many more."""
    every = list(names)
    shown = between.join(every[:most])
    return shown if len(every) <= most else f"{shown} and {len(every) - most} more"


def typed(*words: str) -> str:
    """A command for people to paste into a shell: a repository's word is one word there."""
    return shlex.join(words)
