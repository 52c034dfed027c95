"""The connection to SQLite or PostgreSQL, set up so that the same statements are right on both."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from pilotage.store.errors import StoreUnavailable

Insert = SqliteInsert | PostgresqlInsert
_BUSY_SECONDS = 15


class Database:
    """One engine, with transactions that read and transactions that write."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reader = engine.execution_options(reads_only=True)
        self.refuses = False
        """Whether the last transaction that was to write could not."""

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed and on disk at the end, or nothing of it kept."""
        try:
            with _told(self.engine), self.engine.begin() as connection:
                yield connection
        except StoreUnavailable:
            self.refuses = True
            raise
        self.refuses = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One transaction that takes no write lock; on SQLite all its statements see one state."""
        with _told(self.engine), self._reader.begin() as connection:
            yield connection

    def close(self) -> None:
        self.engine.dispose()


def connect(url: str) -> Database:
    """Set up the engine; nothing is opened yet.

    Raises:
        StoreUnavailable: the URL is not one of a database that we can use.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreUnavailable("(database URL)", "this is not a database URL") from None
    shown = parsed.render_as_string(hide_password=True)
    match parsed.get_backend_name():
        case "sqlite":
            return Database(_sqlite(parsed, shown))
        case "postgresql":
            try:
                # hide_parameters: an error's text must not show what was stored.
                return Database(create_engine(parsed, hide_parameters=True, pool_pre_ping=True))
            except (ImportError, NoSuchModuleError) as error:
                raise StoreUnavailable(shown, f"its driver is not installed: {error}") from error
        case other:
            raise StoreUnavailable(shown, f"expected sqlite or postgresql, not {other}")


def _sqlite(url: URL, shown: str) -> Engine:
    if not url.database or url.database == ":memory:":
        raise StoreUnavailable(shown, "a file is needed, such as sqlite:///pilotage.db")
    path = Path(url.database)
    try:
        # It holds what private repositories say. SQLite gives its other files the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailable(shown, error.strerror or str(error)) from error
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": _BUSY_SECONDS})

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


@contextmanager
def _told(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeoutError, sqlite3.Error) as error:
        reason = _first_line(error.orig if isinstance(error, DBAPIError) else error)
        if isinstance(error, DBAPIError) and _is_our_mistake(error, engine):
            _forget_values(error, reason)
            raise
        raise StoreUnavailable(engine.url.render_as_string(), reason) from error


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().partition("\n")[0]


def _is_our_mistake(error: DBAPIError, engine: Engine) -> bool:
    """Waiting does not cure it. On PostgreSQL a right or a table that is missing is a
    `ProgrammingError` too, which somebody may put right."""
    if isinstance(error, ProgrammingError):
        return engine.dialect.name != "postgresql"
    return isinstance(error, (IntegrityError, DataError))


def _forget_values(error: DBAPIError, reason: str) -> None:
    """PostgreSQL's further lines quote the row; a log must not, and it shows the cause as well."""
    if error.orig is not None:
        error.orig.args = (reason,)
    error.args = (reason,)


def insert(connection: Connection, table: Table) -> Insert:
    """An INSERT with `on_conflict_…`, which both databases have under the same words."""
    if connection.dialect.name == "postgresql":
        return PostgresqlInsert(table)
    return SqliteInsert(table)
