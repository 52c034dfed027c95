"""`pilotage explain`: why a target or a promotion stands where it stands."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pilotage.cli.output import AsJson, print_json, say
from pilotage.cli.remote import LOCAL, Remote, TokenFile, Url, connect, targets

_EVENTS = 15


def explain(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A pipeline, a target, or the id of a promotion.",
            show_default=False,
        ),
    ],
    url: Url = LOCAL,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Say what is waited for, and what to do next."""
    remote = connect(url, token_file)
    found = _found(remote, name)
    if as_json:
        print_json({"explanations": found})
        return
    for index, each in enumerate(found):
        if index:
            say("")
        _show(each)


def _found(remote: Remote, name: str) -> list[dict[str, Any]]:
    exact = remote.find(f"explain/{name}")
    if exact is not None:
        return [exact]
    return [remote.get(f"explain/{each['id']}") for each in targets(remote, name)]


def _show(found: dict[str, Any]) -> None:
    say(f"{found['subject']}: {_state(found)}")
    for reason in found["reasons"]:
        say(f"  {reason['subject']}: {reason['text']}")
        if reason["next_step"]:
            say(f"    next: {reason['next_step']}")
    if not found["reasons"]:
        say("  nothing stands in the way")
    for event in found["history"][-_EVENTS:]:
        said = event["by"] == "pilotage" or event["text"].startswith(f"{event['by']}: ")
        by = "" if said else f" ({event['by']})"
        say(f"  {event['at']}  {event['kind'].replace('_', ' ')}  {event['text']}{by}")


def _state(found: dict[str, Any]) -> str:
    if found["promotion"]:
        return str(found["promotion"]["state"]).replace("_", " ")
    target = found["target"]
    ways = [way for way in (target["release"], target["proposal"]) if way]
    if not ways:
        return f"nothing is on its way{_last(target['last_release'])}"
    return "; ".join(f"{way['id']} is {way['state'].replace('_', ' ')}" for way in ways)


def _last(release: dict[str, Any] | None) -> str:
    if release is None:
        return ""
    return f"; {release['id']} was released last, {release['state']} at {release['ended_at']}"
