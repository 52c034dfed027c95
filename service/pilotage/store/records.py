"""The store's own values; what they carry of a promotion is in `pilotage.core`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import JsonValue

from pilotage.core.acts import Act, Result
from pilotage.core.model import Target


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something that the outside told us, exactly as it came, not yet looked at."""

    id: str
    """Unique for ever, as the sender gives it: a delivery that comes twice is kept once."""
    kind: str
    """Who told: `github`, `argocd`, `deployment` and so on."""
    event: str
    repository: str
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that one target's next tick consumes; it stays until a tick says so."""

    target: str
    kind: str
    payload: Mapping[str, JsonValue]
    received_at: datetime
    id: int = 0
    """0 until it is stored. Mail is read in the order of its ids."""


class Happening(Protocol):
    """What can be put into the history: an `Event`, or one that `pilotage.core` decided."""

    @property
    def at(self) -> datetime: ...
    @property
    def kind(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def by(self) -> str: ...
    @property
    def promotion(self) -> str | None: ...
    @property
    def data(self) -> Mapping[str, JsonValue]: ...


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a target's history, with its evidence. It is never changed."""

    at: datetime
    kind: str
    text: str
    by: str = "pilotage"
    promotion: str | None = None
    data: Mapping[str, JsonValue] = field(default_factory=dict)
    target: str = ""
    """Filled in by the store."""
    id: int = 0
    """0 until it is stored; later events have higher ids."""


@dataclass(frozen=True, slots=True)
class Report:
    """A deployment that CI told us of."""

    id: str
    repository: str
    environment: str
    service: str
    value: str
    run: str
    run_url: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one target, until `until` and until somebody else takes it."""

    target: str
    owner: str
    fence: int
    """Rises with each lease: a write with an older one is refused."""
    until: datetime


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target without its document: enough to find it and to see who works on it."""

    id: str
    repository: str
    pipeline: str
    environment: str
    proposal: str | None
    release: str | None
    wake_at: datetime | None
    lease_owner: str | None
    lease_until: datetime | None
    fence: int
    retired_at: datetime | None


class ActState(StrEnum):
    PENDING = "pending"
    DONE = "done"
    OUTRUN = "outrun"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RecordedAct:
    """An act as it was first recorded, and what has become of it."""

    act: Act
    target: str
    state: ActState
    fence: int
    """The lease under which it was recorded or last touched."""
    created_at: datetime
    tried_at: datetime | None = None
    """When an attempt last failed."""
    attempts: int = 0
    """How many attempts failed."""
    last_error: str | None = None
    done_at: datetime | None = None
    result: Result | None = None

    @property
    def key(self) -> str:
        return self.act.key


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that a tick needs of the store."""

    target: Target
    mail: tuple[Mail, ...]
    pending: tuple[RecordedAct, ...]
    """Acts that were recorded and not finished, oldest first."""
