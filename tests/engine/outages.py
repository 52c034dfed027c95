"""A database that cannot be used for a while, and says so as SQLite does through SQLAlchemy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from pilotage.store.database import Database
from tests.engine.chaos import Chaos

_BUSY = timedelta(seconds=15)


class Outage(StrEnum):
    """What SQLite says; what it still does differs."""

    LOCKED = "database is locked"
    """Somebody else writes all the time: after a wait nothing is written, and all can be read."""
    FULL = "database or disk is full"
    """A transaction goes well until it is to be on disk."""
    GONE = "disk I/O error"
    """Nothing can be read either."""


class FailingDatabase(Database):
    """The same database as another one's, while nothing is wrong with it."""

    def __init__(self, known: Database, chaos: Chaos) -> None:
        super().__init__(known.engine)
        self._chaos = chaos
        self.outage: Outage | None = None

    def fail(self, outage: Outage, after: timedelta) -> None:
        self._chaos.note(f"the database: {outage}, for {after}")
        self.outage = outage
        self._chaos.plan(after, self.recover)

    def recover(self) -> None:
        self._chaos.note("the database can be used")
        self.outage = None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        if self.outage is Outage.LOCKED:
            self._chaos.go_to(self._chaos.now + _BUSY)
        with super().write() as connection:
            self._refuse(Outage.LOCKED, Outage.GONE)
            yield connection
            self._refuse(Outage.FULL)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with super().read() as connection:
            self._refuse(Outage.GONE)
            yield connection

    def _refuse(self, *outages: Outage) -> None:
        if self.outage in outages:
            raise OperationalError("", None, sqlite3.OperationalError(self.outage.value))
