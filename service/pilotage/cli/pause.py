"""`pilotage pause`: stop acts, and go on looking and telling."""

from __future__ import annotations

from typing import Annotated

import typer

from pilotage.cli.command import Given, give
from pilotage.cli.output import AsJson, Exit, fail
from pilotage.cli.remote import LOCAL, PATIENCE, Anywhere, TokenFile, Url, Wait, connect, targets


def pause(
    where: Anywhere = None,
    reason: Annotated[str, typer.Option(help="Why, for everybody who meets a red gate.")] = "",
    wait: Wait = PATIENCE,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Stop every act, until `pilotage resume`.

    No branch, merge or revert is made. Statuses stay true: `pilotage/ready` turns red
    with the reason.
    """
    remote = connect(url, token_file)
    chosen = targets(remote, where)
    if not chosen:
        fail("the service knows no target yet, so there is nothing to pause", Exit.NO)
    give(
        remote,
        [Given(each["id"], "pause", reason) for each in chosen],
        wait,
        as_json=as_json,
    )
