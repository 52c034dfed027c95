"""The connection to SQLite or PostgreSQL, set up so that the same statements are right on both."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, Table, create_engine, make_url
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
from pilotage.store.sqlite_file import SqliteFile, advice, opened, stays

Insert = SqliteInsert | PostgresqlInsert
_BUSY_SECONDS = 15


class Database:
    """One engine, with transactions that read and transactions that write."""

    def __init__(self, engine: Engine, file: SqliteFile | None = None) -> None:
        self.engine = engine
        self._file = file
        self._reader = engine.execution_options(reads_only=True)
        self.refuses = False
        """Whether the last transaction that was to write could not."""

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed and on disk at the end, or nothing of it kept."""
        try:
            self._demand_file()
            with _told(self.engine), self.engine.begin() as connection:
                yield connection
        except StoreUnavailable:
            self.refuses = True
            raise
        self.refuses = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One transaction that takes no write lock; on SQLite all its statements see one state."""
        self._demand_file()
        with _told(self.engine), self._reader.begin() as connection:
            yield connection

    def demand_room(self) -> None:
        """
        Raises:
            StoreUnavailable: what is written next has no room on the disk of an SQLite file.
        """
        if self._file is not None:
            self._file.demand_room()

    def _demand_file(self) -> None:
        if self._file is not None:
            self._file.demand()

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
            return Database(*opened(parsed, shown, _BUSY_SECONDS))
        case "postgresql":
            try:
                # hide_parameters: an error's text must not show what was stored.
                return Database(create_engine(parsed, hide_parameters=True, pool_pre_ping=True))
            except (ImportError, NoSuchModuleError) as error:
                raise StoreUnavailable(shown, f"its driver is not installed: {error}") from error
        case other:
            raise StoreUnavailable(shown, f"expected sqlite or postgresql, not {other}")


@contextmanager
def _told(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeoutError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        reason = _first_line(cause)
        if isinstance(error, DBAPIError) and _is_our_mistake(error, engine):
            _forget_values(error, reason)
            raise
        if stays(cause):
            engine.dispose()
        raise StoreUnavailable(engine.url.render_as_string(), reason, advice(cause)) from error


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
