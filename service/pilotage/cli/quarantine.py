"""`pilotage quarantine`: versions that are not proposed until somebody lifts them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pilotage.cli.command import Given, give
from pilotage.cli.output import AsJson, Exit, fail, print_json, say, table
from pilotage.cli.remote import (
    LOCAL,
    PATIENCE,
    Anywhere,
    Remote,
    TokenFile,
    Url,
    Wait,
    Where,
    connect,
    one_target,
    targets,
)

app = typer.Typer(
    help="Versions that are not proposed again.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Service = Annotated[str, typer.Argument(metavar="SERVICE", show_default=False)]
Version = Annotated[
    str,
    typer.Argument(
        metavar="VERSION",
        help="As it stands in the file, or as it is told: v9.1.1 of api-v9.1.1.",
        show_default=False,
    ),
]


@app.command("list")
def show(
    where: Anywhere = None,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what is in quarantine, why, and since when."""
    found = [
        {"target": each["id"], **entry}
        for each in targets(connect(url, token_file), where)
        for entry in each["quarantine"]
    ]
    if as_json:
        print_json({"quarantine": found})
    elif not found:
        say("nothing is in quarantine")
    else:
        table(
            ["Target", "Service", "Version", "Since", "By", "Reason"],
            [_row(each) for each in found],
        )


def _row(entry: dict[str, Any]) -> list[str]:
    return [str(entry[name]) for name in ("target", "service", "version", "since", "by", "reason")]


@app.command("add")
def add(
    where: Where,
    service: Service,
    version: Version,
    reason: Annotated[str, typer.Option(help="Why.")] = "no reason given",
    wait: Wait = PATIENCE,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Never propose this version, until it is lifted."""
    argument = f"{_word(service)} {_word(version)} {reason}"
    _ask(connect(url, token_file), where, "quarantine", argument, wait, as_json=as_json)


@app.command("lift")
def lift(
    where: Where,
    service: Service,
    version: Version,
    wait: Wait = PATIENCE,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Let this version be proposed again."""
    argument = f"{_word(service)} {_word(version)}"
    _ask(connect(url, token_file), where, "lift", argument, wait, as_json=as_json)


def _ask(
    remote: Remote, where: str, command: str, argument: str, wait: int, *, as_json: bool
) -> None:
    given = Given(one_target(remote, where)["id"], command, argument)
    give(remote, [given], wait, as_json=as_json)


def _word(text: str) -> str:
    if len(text.split()) != 1:
        fail(f"expected one word, found `{text}`", Exit.USAGE)
    return text.strip()
