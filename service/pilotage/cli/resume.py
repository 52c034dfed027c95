"""`pilotage resume`: let acts go on."""

from __future__ import annotations

from typing import Annotated

import typer

from pilotage.cli.command import Given, give
from pilotage.cli.output import AsJson, print_json, say
from pilotage.cli.remote import LOCAL, PATIENCE, Anywhere, TokenFile, Url, Wait, connect, targets


def resume(
    where: Anywhere = None,
    held: Annotated[
        bool, typer.Option("--held", help="Also take away holds: what is under way goes on.")
    ] = False,
    wait: Wait = PATIENCE,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """End a pause. A hold asks for a person's decision, so it stays unless `--held` is given."""
    remote = connect(url, token_file)
    chosen = targets(remote, where)
    commands = [Given(each["id"], "unpause") for each in chosen if each["pause"]]
    if held:
        commands += [Given(each["id"], "resume") for each in chosen if _is_held(each)]
    if commands:
        give(remote, commands, wait, as_json=as_json)
    elif as_json:
        print_json({"commands": []})
    else:
        say("nothing is paused" + (" or held" if held else ""))


def _is_held(target: dict[str, object]) -> bool:
    ways = (target["release"], target["proposal"])
    return any(isinstance(way, dict) and way["hold"] for way in ways)
