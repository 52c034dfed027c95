"""Unified diffs that `git apply` takes, byte for byte, and that a terminal shows in colour."""

from __future__ import annotations

import difflib

_CONTEXT = 3
_NO_NEWLINE = "\\ No newline at end of file\n"


def unified(path: str, before: str | None, after: str) -> str:
    """Lines end at `\\n` only: a `\\r` before it belongs to the line, as git sees it.

    None before: the file is new.
    """
    old = f"a/{path}" if before is not None else "/dev/null"
    lines = difflib.unified_diff(_lines(before or ""), _lines(after), old, f"b/{path}", n=_CONTEXT)
    return "".join(line if line.endswith("\n") else f"{line}\n{_NO_NEWLINE}" for line in lines)


def _lines(text: str) -> list[str]:
    parts = text.split("\n")
    whole = [part + "\n" for part in parts[:-1]]
    return [*whole, parts[-1]] if parts[-1] else whole


def print_diff(text: str) -> None:
    """In colour where there is a terminal; elsewhere exactly as it is."""
    import sys

    if not sys.stdout.isatty():
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    from rich.console import Console
    from rich.text import Text

    from pilotage.cli.output import shown

    console = Console(highlight=False, soft_wrap=True)
    for line in text.splitlines():
        console.print(Text(shown(line), style=_style(line)))


def _style(line: str) -> str:
    match line[:1]:
        case "+" if not line.startswith("+++ "):
            return "green"
        case "-" if not line.startswith("--- "):
            return "red"
        case "@":
            return "cyan"
        case "+" | "-":
            return "bold"
        case _:
            return ""
