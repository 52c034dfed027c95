"""`pilotage promote`: only these services, now."""

from __future__ import annotations

from typing import Annotated

import typer

from pilotage.cli.command import Given, give
from pilotage.cli.output import AsJson, Exit, fail
from pilotage.cli.remote import LOCAL, PATIENCE, TokenFile, Url, Wait, Where, connect, one_target

_CANCEL = "--cancel"


def promote(
    where: Where,
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="SERVICE", help="The services that are wanted, and no other."),
    ] = None,
    cancel: Annotated[
        bool, typer.Option(_CANCEL, help="Take back what was asked: everything counts again.")
    ] = False,
    wait: Wait = PATIENCE,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Promote only these services now.

    Their versions are those that the source environment runs; what is not proven there
    yet is waited for, and the answer says so. A new service is let in. The others wait
    until this promotion is merged or closed.
    """
    if cancel == bool(services):
        fail(f"give either the services, or {_CANCEL}", Exit.USAGE)
    for name in services or ():
        if name.startswith("-") or len(name.split()) != 1:
            fail(f"`{name}` is no name of a service", Exit.USAGE)
    remote = connect(url, token_file)
    target = one_target(remote, where)
    argument = _CANCEL if cancel else " ".join(services or ())
    give(remote, [Given(target["id"], "promote", argument)], wait, as_json=as_json)
