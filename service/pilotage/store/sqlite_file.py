"""The one file of SQLite: how it is opened, whether it is still the same, and what to do when it
cannot be used."""

from __future__ import annotations

import os
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from pilotage.store.errors import StoreUnavailable

_ROOM = 1024 * 1024
"""What a disk that was full has to have before it counts as not full: a small write may always fit
into what a larger one that failed has left."""

_DAMAGED = (
    "stop the service, move the file and those beside it (-wal, -shm) away, put a backup in its "
    "place, and start the service"
)
_GOES_ON = "a running service goes on by itself"
_ADVICE = {
    "SQLITE_BUSY": (
        f"end what holds its lock (a shell, a backup by other means than .backup); {_GOES_ON}"
    ),
    "SQLITE_FULL": f"make room on its disk; {_GOES_ON}",
    # Made beside a file that is read-only, the two others are so for good.
    "SQLITE_READONLY": (
        "let the service write to it, to the files beside it (-wal, -shm), to its folder and to "
        f"their disk; {_GOES_ON}"
    ),
    "SQLITE_CANTOPEN": f"let the service open it and write to its folder; {_GOES_ON}",
    "SQLITE_IOERR": f"see in the system's log what its disk reports; {_GOES_ON}",
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": _DAMAGED,
}
"""By the beginning of SQLite's own names (sqlite.org/rescode.html)."""
_STAYS_WITH_THE_CONNECTION = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR")


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """SQLite itself goes on writing to a file that was removed, and what it writes is lost."""

    path: Path
    shown: str
    device: int
    inode: int

    def demand(self) -> None:
        """
        Raises:
            StoreUnavailable: at its path there is no file, or another one.
        """
        try:
            found = self.path.stat()
        except OSError as error:
            reason = f"its file was moved or removed while it was in use ({error.strerror})"
            advice = (
                "nothing is written any more: move it back and the service goes on, or stop the "
                "service, put a backup there, and start it"
            )
            raise StoreUnavailable(self.shown, reason, advice) from error
        if (found.st_dev, found.st_ino) != (self.device, self.inode):
            reason = "another file was put in its place while it was in use"
            advice = (
                "nothing is written any more: stop the service, remove what lies beside the file "
                "(-wal, -shm), which belongs to the old one, and start the service"
            )
            raise StoreUnavailable(self.shown, reason, advice)

    def demand_room(self) -> None:
        """
        Raises:
            StoreUnavailable: its disk is as good as full.
        """
        if shutil.disk_usage(self.path.parent).free < _ROOM:
            raise StoreUnavailable(self.shown, "its disk is full", _ADVICE["SQLITE_FULL"])


def advice(error: BaseException | None) -> str:
    """What to do about an error of SQLite; empty when its own words have to do."""
    name = _name(error)
    return next((text for start, text in _ADVICE.items() if name.startswith(start)), "")


def stays(error: BaseException | None) -> bool:
    """A connection that was opened to a read-only file never writes, whatever becomes of that."""
    return _name(error).startswith(_STAYS_WITH_THE_CONNECTION)


def _name(error: BaseException | None) -> str:
    return getattr(error, "sqlite_errorname", "") if isinstance(error, sqlite3.Error) else ""


def opened(url: URL, shown: str, busy: float) -> tuple[Engine, SqliteFile]:
    """`busy`: how many seconds a lock of somebody else is waited for.

    Raises:
        StoreUnavailable: there is no such file and none can be made.
    """
    if not url.database or url.database == ":memory:":
        raise StoreUnavailable(shown, "a file is needed, such as sqlite:///pilotage.db")
    path = Path(url.database).absolute()
    try:
        # It holds what private repositories say. SQLite gives its other files the same mode.
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        advice = "let the user that the service runs as read and write it, and its folder"
        raise StoreUnavailable(shown, error.strerror or str(error), advice) from error
    found = os.fstat(handle)
    os.close(handle)
    return _engine(url, busy), SqliteFile(path, shown, found.st_dev, found.st_ino)


def _engine(url: URL, busy: float) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": busy})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # Without this the driver opens transactions by itself, and too late.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later fails at once when another one wrote in
        # between, whatever the time-out: a writer takes its lock at the beginning.
        reads_only = connection.get_execution_options().get("reads_only")
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute("BEGIN" if reads_only else "BEGIN IMMEDIATE")

    return engine
