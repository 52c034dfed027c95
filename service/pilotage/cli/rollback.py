"""`pilotage rollback`: put the last release back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pilotage.cli.command import Given, give
from pilotage.cli.output import AsJson, Exit, fail
from pilotage.cli.remote import LOCAL, PATIENCE, TokenFile, Url, Wait, Where, connect, one_target
from pilotage.core.wording import nearest


def rollback(
    where: Where,
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="SERVICE", help="Which of its services; else all of them."),
    ] = None,
    reason: Annotated[
        str, typer.Option(help="Why: it stands in the commit and in the quarantine.")
    ] = ...,  # type: ignore[assignment]
    wait: Wait = PATIENCE,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Put the last release back.

    What ran before is restored by a commit, and the versions go to quarantine. Answers when
    the service has begun; `pilotage status` tells when it runs again.
    """
    if not reason.strip():
        fail("--reason must say why", Exit.USAGE)
    remote = connect(url, token_file)
    target = one_target(remote, where)
    told = remote.get(f"explain/{target['id']}")["target"]
    release = told["release"] or told["last_release"]
    if release is None:
        fail(f"nothing was promoted to {target['id']} that could be put back", Exit.NO)
    promoted = [change["service"] for change in release["changes"]]
    chosen = _chosen(services or promoted, promoted, release)
    argument = " ".join([*chosen, _set_apart(reason, promoted)])
    give(remote, [Given(target["id"], "rollback", argument)], wait, as_json=as_json)


def _chosen(services: list[str], promoted: list[str], release: dict[str, Any]) -> list[str]:
    """A service that the release does not have must never become part of the reason."""
    for name in services:
        if name not in promoted:
            near = nearest(name, promoted)
            hint = f" (did you mean `{near}`?)" if near else ""
            known = ", ".join(promoted)
            fail(f"{release['id']} promoted {known}, and no {name}{hint}", Exit.USAGE)
    return list(dict.fromkeys(services))


def _set_apart(reason: str, promoted: list[str]) -> str:
    """A reason that begins with a service's name must not choose that service."""
    words = reason.split()
    return " ".join(["reason:", *words] if words[0].rstrip(",") in promoted else words)
