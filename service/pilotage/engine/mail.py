"""What a target finds in its mail: hints, commands of people, and edits of a body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

import structlog
from pydantic import TypeAdapter, ValidationError

from pilotage.core.model import BodyEdit, Command, QueueHead, Sha
from pilotage.store import Mail

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Hint:
    """Something happened outside; what it means is read afresh."""

    event: str
    kind: Literal["hint"] = "hint"


@dataclass(frozen=True, slots=True)
class Changed:
    """Argo CD's stream or notification named this application."""

    application: str
    kind: Literal["changed"] = "changed"


@dataclass(frozen=True, slots=True)
class Run:
    """The CI run that deployed the source environment."""

    run: str
    kind: Literal["run"] = "run"


@dataclass(frozen=True, slots=True)
class Commanded:
    command: Command
    kind: Literal["command"] = "command"


@dataclass(frozen=True, slots=True)
class Edited:
    edit: BodyEdit
    kind: Literal["edited"] = "edited"


@dataclass(frozen=True, slots=True)
class Queued:
    """A merge queue asks for `pilotage/ready` on the head that it would merge."""

    head: Sha
    ref: str
    kind: Literal["queued"] = "queued"


Letter: TypeAlias = Hint | Changed | Run | Commanded | Edited | Queued
_LETTERS: TypeAdapter[Letter] = TypeAdapter(Letter)


def posted(target: str, letter: Letter, now: datetime) -> Mail:
    return Mail(target, letter.kind, _LETTERS.dump_python(letter, mode="json"), now)


def opened(mail: Mail) -> Letter:
    return _LETTERS.validate_python(mail.payload)


@dataclass(frozen=True, slots=True)
class Post:
    """A target's whole mail, sorted."""

    commands: tuple[Command, ...] = ()
    edits: tuple[BodyEdit, ...] = ()
    run: str | None = None
    changed: frozenset[str] = frozenset()
    queued: tuple[QueueHead, ...] = ()
    newest_hint: datetime | None = None
    ids: tuple[int, ...] = ()


def sort(mail: Sequence[Mail]) -> Post:
    commands: list[Command] = []
    edits: list[BodyEdit] = []
    run: str | None = None
    changed: set[str] = set()
    queued: list[QueueHead] = []
    newest: datetime | None = None
    for item in mail:
        try:
            letter = opened(item)
        except ValidationError:
            # Written by another version: it is told of and let go, because its target goes on.
            log.warning("a letter cannot be read", kind=item.kind, received_at=item.received_at)
            continue
        match letter:
            case Commanded(command=command):
                commands.append(command)
            case Edited(edit=edit):
                edits.append(edit)
            case Run():
                run = letter.run
            case Changed(application=application):
                changed.add(application)
            case Queued(head=head, ref=ref):
                queued.append(QueueHead(head, ref))
            case Hint():
                pass
        if not isinstance(letter, Changed):
            newest = max(newest, item.received_at) if newest else item.received_at
    ids = tuple(item.id for item in mail)
    return Post(
        commands=tuple(commands),
        edits=tuple(edits),
        run=run,
        changed=frozenset(changed),
        queued=tuple(queued),
        newest_hint=newest,
        ids=ids,
    )
