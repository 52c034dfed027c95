"""Bring the schema to what this version needs, once, whoever starts first."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from pilotage.store.errors import SchemaNewer, SchemaOlder

_SCRIPTS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x70696C6F74616765


def newest() -> str:
    """The schema that this version of the service needs."""
    head = ScriptDirectory(str(_SCRIPTS)).get_current_head()
    assert head is not None, "the package lacks its migrations"
    return head


def migrate(connection: Connection) -> None:
    """Upgrade inside the caller's transaction; the others that start now wait for it.

    Raises:
        SchemaNewer: a newer version was here; nothing is changed.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    # On SQLite the transaction itself holds the one write lock.
    found = current(connection)
    if found == newest():
        return
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
    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory(str(_SCRIPTS)).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaNewer(found, newest())
    return found
