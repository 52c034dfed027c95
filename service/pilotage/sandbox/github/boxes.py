"""The task-list boxes of a body: which lines they are on, and a body with one of them set."""

from __future__ import annotations

import re

_BOX = re.compile(r"^(\s*(?:>\s*)*(?:[-*+]|\d+[.)])\s+\[)([ xX])(\](?=\s))")
_FENCE = re.compile(r"^\s*(```|~~~)")


def box_lines(body: str) -> list[int]:
    """The numbers of the lines that have a box, those in code fences left out."""
    found, fenced = [], False
    for number, line in enumerate(body.splitlines()):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and _BOX.match(line):
            found.append(number)
    return found


def find_box(body: str, item: str) -> int:
    """The line of the box that carries `<!-- item:ITEM -->` or else contains the text. Raises
    KeyError."""
    lines, boxes = body.splitlines(), box_lines(body)
    marker = re.compile(rf"<!--\s*item:{re.escape(item)}\s*-->")
    found = [line for line in boxes if marker.search(lines[line])] or [
        line for line in boxes if item in lines[line]
    ]
    if not found:
        raise KeyError(f"no box {item!r} in the body")
    return found[0]


def with_box(body: str, line: int, checked: bool) -> str:
    """The body with the box of that line ticked or open; nothing else changes."""
    lines = body.splitlines(keepends=True)
    mark = "x" if checked else " "
    lines[line] = _BOX.sub(lambda m: m[1] + mark + m[3], lines[line], count=1)
    return "".join(lines)
