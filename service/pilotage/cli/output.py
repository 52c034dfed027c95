"""How commands speak: answers on stdout, errors as a sentence on stderr, documented exit codes."""

from __future__ import annotations

import json
import sys
from enum import IntEnum
from typing import Annotated, Any, NoReturn

import typer

from pilotage.terminal import escaped, shown

__all__ = [
    "AsJson",
    "Exit",
    "expect_json",
    "fail",
    "owes_json",
    "print_json",
    "say",
    "shown",
    "table",
]

_owed = False
"""Whether a program waits on stdout for one JSON document, and has none yet."""


def expect_json(as_json: bool) -> bool:
    global _owed
    _owed = as_json
    return as_json


AsJson = Annotated[
    bool,
    typer.Option("--json", callback=expect_json, is_eager=True, help="Print one JSON document."),
]


class Exit(IntEnum):
    """What the shell is told."""

    FINE = 0
    NO = 1
    """The answer is no, or something is wrong with what was checked."""
    USAGE = 2
    """Used wrongly, or a setting is missing."""
    UNREACHABLE = 3


def say(text: str) -> None:
    typer.echo(shown(text))


def owes_json() -> bool:
    """Whether the command was asked for a document and has not printed it."""
    return _owed


def print_json(value: Any) -> None:
    global _owed
    _owed = False
    typer.echo(escaped(json.dumps(value, indent=2, ensure_ascii=not _speaks_unicode())))


def _speaks_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def fail(message: str, code: Exit) -> NoReturn:
    """End with a sentence for the person, and for a program the same as `{"error": …}`."""
    if owes_json():
        print_json({"error": message})
    typer.echo(f"pilotage: {shown(message)}", err=True)
    raise typer.Exit(int(code))


def table(heads: list[str], rows: list[list[str]]) -> None:
    """Columns that fold in a narrow terminal and stay whole in a pipe."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=False)
    drawn = Table(*heads, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in drawn.columns:
        column.overflow = "fold"
    for row in rows:
        drawn.add_row(*[Text(shown(cell)) for cell in row])
    if console.is_terminal:
        console.print(drawn)
        return
    console.width = 1_000
    with console.capture() as captured:
        console.print(drawn)
    for line in captured.get().splitlines():
        typer.echo(line.rstrip())
