"""The tables. A change here needs a migration in `migrations/versions`; a test compares them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """An aware moment, kept in UTC. SQLite keeps no zone; a naive one is a mistake anywhere."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment needs its zone: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text of any origin: what no database can hold (NUL, half a surrogate pair) is replaced."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


_Serial = BigInteger().with_variant(Integer(), "sqlite")

delivery = Table(
    "delivery",
    metadata,
    Column("number", _Serial, primary_key=True),
    Column("id", Words, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("event", Words, nullable=False),
    Column("repository", Words, nullable=False),
    Column("body", LargeBinary),  # null once it is forgotten
    Column("received_at", Moment, nullable=False),
    Column("state", String(20), nullable=False),
    Column("note", Words, nullable=False),
    Column("settled_at", Moment),
    UniqueConstraint("id"),
    Index(None, "state", "number"),
    sqlite_autoincrement=True,
)

target = Table(
    "target",
    metadata,
    Column("id", Words, primary_key=True),
    Column("repository", Words, nullable=False),
    Column("pipeline", Words, nullable=False),
    Column("environment", Words, nullable=False),
    Column("document", Text),  # null before the first tick
    # No foreign keys: `promotion` already has one to this table, and one writer keeps both right.
    Column("proposal_id", Words),
    Column("release_id", Words),
    Column("wake_at", Moment),  # null: only a message wakes it
    Column("woken_at", Moment),  # the earliest wake asked for while a lease runs
    Column("due_at", Moment),  # when it may be leased: `wake_at`, or the end of a running lease
    Column("lease_owner", Words),
    Column("fence", Integer, nullable=False),
    Column("retired_at", Moment),
    Index(None, "due_at"),
    Index(None, "repository"),
)

promotion = Table(
    "promotion",
    metadata,
    Column("id", Words, primary_key=True),
    Column("target", Words, ForeignKey(target.c.id), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("pull_request", Integer),
    Column("document", Text, nullable=False),
    Column("version", Integer, nullable=False),  # counts the changes of `document`
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("target", "number"),
    Index(None, "target", "pull_request"),
    Index(None, "state", "created_at"),
    Index(None, "created_at"),
)

act = Table(
    "act",
    metadata,
    Column("number", _Serial, primary_key=True),
    Column("key", Words, nullable=False),
    Column("promotion", Words, nullable=False),
    Column("target", Words, ForeignKey(target.c.id), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("tried_at", Moment),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Words),
    Column("done_at", Moment),
    Column("result", Text),
    UniqueConstraint("key"),
    Index(None, "target", "state"),
    Index(None, "promotion"),
    sqlite_autoincrement=True,
)

mail = Table(
    "mail",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("target", Words, ForeignKey(target.c.id), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("payload", Text, nullable=False),
    Column("received_at", Moment, nullable=False),
    Index(None, "target", "id"),
    sqlite_autoincrement=True,  # a consumed id must never be given again
)

event = Table(
    "event",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("target", Words, ForeignKey(target.c.id), nullable=False),
    Column("promotion", Words),
    Column("at", Moment, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("by", Words, nullable=False),
    Column("text", Words, nullable=False),
    Column("data", Text, nullable=False),
    Index(None, "target", "id"),
    Index(None, "promotion", "id"),
    sqlite_autoincrement=True,
)

report = Table(
    "report",
    metadata,
    Column("id", Words, primary_key=True),
    Column("repository", Words, nullable=False),
    Column("environment", Words, nullable=False),
    Column("service", Words, nullable=False),
    Column("value", Words, nullable=False),
    Column("run", Words, nullable=False),
    Column("run_url", Words, nullable=False),
    Column("received_at", Moment, nullable=False),
)
