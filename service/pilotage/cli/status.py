"""`pilotage status`: what runs, what is on its way, and what needs a person."""

from __future__ import annotations

from typing import Any

import typer

from pilotage.cli.output import AsJson, Exit, print_json, say, table
from pilotage.cli.remote import LOCAL, Anywhere, TokenFile, Url, connect, targets


def status(
    where: Anywhere = None,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Show every target, and what is on its way.

    Exit code 1: something is held, or a configuration cannot be used.
    """
    remote = connect(url, token_file)
    chosen = targets(remote, where)
    repositories = [] if where else remote.get("targets")["repositories"]
    if as_json:
        print_json({"targets": chosen, "repositories": repositories})
    else:
        _show(chosen, repositories)
    if any(_needs_a_person(each) for each in chosen) or any(
        each["problem"] for each in repositories
    ):
        raise typer.Exit(int(Exit.NO))


def _show(chosen: list[dict[str, Any]], repositories: list[dict[str, Any]]) -> None:
    for repository in repositories:
        if repository["problem"]:
            say(f"{repository['repository']}: {repository['problem']}")
    if not chosen:
        say("no target is known yet")
        return
    rows = [row for each in chosen for row in _rows(each)]
    table(["Target", "State", "Promotion", "Services", "Why"], rows)


def _rows(target: dict[str, Any]) -> list[list[str]]:
    ways = [way for way in (target["release"], target["proposal"]) if way]
    if not ways:
        return [[target["id"], _state(target, None), "", _runs(target), _why(target, None)]]
    return [
        [target["id"], _state(target, way), _reference(way), _changes(way), _why(target, way)]
        for way in ways
    ]


def _state(target: dict[str, Any], way: dict[str, Any] | None) -> str:
    nothing = "not proposed" if target["problem"] or _obstacle(target) else "up to date"
    parts = [way["state"].replace("_", " ") if way else nothing]
    if target["blind"]:
        parts = ["blind", *parts] if way else ["blind"]
    if way and way["hold"]:
        parts.append("held")
    if target["pause"]:
        parts.append("paused")
    if target["choice"]:
        parts.append(f"only {', '.join(target['choice']['services'])}")
    return ", ".join(parts)


def _reference(way: dict[str, Any]) -> str:
    return str(way["pull_request_url"] or way["id"])


def _runs(target: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in target["running"].items())


def _changes(way: dict[str, Any]) -> str:
    return ", ".join(f"{each['service']} {each['after']}" for each in way["changes"])


def _why(target: dict[str, Any], way: dict[str, Any] | None) -> str:
    if target["problem"]:
        return str(target["problem"])
    if way and way["hold"]:
        return str(way["hold"]["reason"])
    if target["pause"]:
        return f"paused by {target['pause']['by']}: {target['pause']['reason']}"
    if target["blind"] or target["unwritten"]:
        return str(target["blind"] or target["unwritten"])
    if way is None or (way["state"] == "observing" and not way["ready"]):
        return _obstacle(target)
    return str(way["ready"] or way["conclusion"] or "")


def _obstacle(target: dict[str, Any]) -> str:
    """Why the first service that differs is not proposed, as the last look saw it."""
    known = {*target["running"], *_differing(target)}
    reasons = (each["text"] for each in target["because"] if each["subject"] in known)
    return next(reasons, "")


def _differing(target: dict[str, Any]) -> set[str]:
    proposal = target["proposal"]
    return {each["service"] for each in proposal["changes"]} if proposal else set()


def _needs_a_person(target: dict[str, Any]) -> bool:
    ways = (target["release"], target["proposal"])
    return bool(target["problem"]) or any(way and way["hold"] for way in ways)
