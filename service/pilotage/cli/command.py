"""A person's command for a target: left at the service, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import typer

from pilotage.cli.output import Exit, print_json, say
from pilotage.cli.remote import Remote, me


@dataclass(frozen=True, slots=True)
class Given:
    """One command for one target."""

    target: str
    name: str
    argument: str = ""


def give(remote: Remote, commands: Iterable[Given], wait: int, *, as_json: bool) -> None:
    """Ends with NO when one was refused, or not taken in time (it stays and will be)."""
    sent = [(each, remote.post(_path(each), _body(each))["id"]) for each in commands]
    answers = [_answer(remote, each, id_, wait) for each, id_ in sent]
    if as_json:
        print_json({"commands": answers})
    else:
        for answer in answers:
            say(f"{answer['target']}: {_told(answer, wait)}")
    open_ends = {"refused"} if wait == 0 else {"refused", "waiting"}
    if any(answer["state"] in open_ends for answer in answers):
        raise typer.Exit(int(Exit.NO))


def _path(given: Given) -> str:
    return f"targets/{given.target}/commands"


def _body(given: Given) -> dict[str, Any]:
    return {"name": given.name, "argument": given.argument, "by": me()}


def _answer(remote: Remote, given: Given, id_: str, wait: int) -> dict[str, Any]:
    state = {"state": "waiting", "text": ""} if wait == 0 else _came(remote, id_, wait)
    return {"target": given.target, "name": given.name, "id": id_, **state}


def _came(remote: Remote, id_: str, wait: int) -> dict[str, Any]:
    found = remote.get(f"commands/{id_}", wait=wait)
    return {"state": found["state"], "text": found["text"]}


def _told(answer: dict[str, Any], wait: int) -> str:
    match answer["state"]:
        case "done":
            return f"done ({answer['text']})"
        case "refused":
            return str(answer["text"])
        case _ if wait == 0:
            return "sent"
        case _:
            return f"sent, and not taken within {wait} s; it is kept and will be"
