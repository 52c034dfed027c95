"""Bring the schema to what this version needs, once, whoever starts first.

Alembic is loaded only where there is something to migrate: a service that starts again does without
its 11 MB.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from pilotage.store.errors import SchemaNewer, SchemaOlder

_SCRIPTS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x70696C6F74616765


def revisions() -> list[str]:
    """The schemas that this version knows, oldest first: `v0001_first_tables.py` makes `0001`."""
    scripts = (_SCRIPTS / "versions").glob("v*_*.py")
    return sorted(path.name[1:].partition("_")[0] for path in scripts)


def newest() -> str:
    """The schema that this version of the service needs."""
    return revisions()[-1]


def migrate(connection: Connection) -> None:
    """Upgrade inside the caller's transaction; the others that start now wait for it.

    Raises:
        SchemaNewer: a newer version was here; nothing is changed.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    # On SQLite the transaction itself holds the one write lock.
    if current(connection) == newest():
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def demand(connection: Connection) -> None:
    """Check only.

    Raises:
        SchemaNewer, SchemaOlder: it is not the schema of this version.
    """
    found, known = current(connection), newest()
    if found != known:
        raise SchemaOlder(found, known)


def current(connection: Connection) -> str | None:
    """The schema that the database has; None when it has none.

    Raises:
        SchemaNewer: it is not one that this version knows.
    """
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if found is not None and found not in revisions():
        raise SchemaNewer(found, newest())
    return found
