"""The command `pilotage`: one file for each of its commands.

Heavy modules are imported inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated

import typer

from pilotage.cli import (
    check,
    explain,
    init,
    pause,
    plan,
    promote,
    quarantine,
    resume,
    rollback,
    serve,
    status,
    version,
)
from pilotage.cli import set as set_command
from pilotage.cli.output import Exit, expect_json, owes_json, print_json

_EPILOG = (
    "Exit codes: 0 fine; 1 the answer is no, or something is wrong with what was checked; "
    "2 used wrongly, or a setting is missing; 3 the service cannot be reached."
)


def _said_version(asked: bool) -> None:
    if asked:
        version.version()
        raise typer.Exit


def _whole(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_said_version, is_eager=True, help="Say which version this is."
        ),
    ] = False,
) -> None:
    """Brings a proven version from staging to production, and back if it fails."""


def build() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="pilotage",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback(epilog=_EPILOG)(_whole)
    app.command()(serve.serve)
    _tryout(app)
    app.command()(init.init)
    app.command()(check.check)
    app.command()(plan.plan)
    app.command("set")(set_command.set_one)
    app.command()(status.status)
    app.command()(explain.explain)
    app.command()(promote.promote)
    app.command()(rollback.rollback)
    app.command()(pause.pause)
    app.command()(resume.resume)
    app.add_typer(quarantine.app, name="quarantine")
    app.command()(version.version)
    return app


def _tryout(app: typer.Typer) -> None:
    for name in ("demo", "sandbox"):
        if find_spec(f"pilotage.cli.{name}") is not None:
            module = import_module(f"pilotage.cli.{name}")
            app.command()(getattr(module, name))


def main() -> None:
    """The entry point of the wheel."""
    expect_json("--json" in sys.argv)
    try:
        build()()
    except SystemExit as ended:
        if ended.code == Exit.USAGE and owes_json():
            print_json({"error": "used wrongly; stderr says how"})
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the end of Python tries it once more
        typer.echo(f"pilotage: what it says cannot be written: {error.strerror}", err=True)
        sys.exit(1)
