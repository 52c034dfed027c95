"""The schema is made and checked at the start, and never taken back a version."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import pilotage.store
from pilotage.store import SchemaNewer, SchemaOlder, Store, StoreUnavailable
from pilotage.store.database import connect
from pilotage.store.migrate import newest, revisions
from pilotage.store.schema import metadata
from tests.store.examples import NOW, PRODUCTION, a_delivery, add_target


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pilotage.db"


def dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def execute(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    try:
        connection.execute(statement)
        connection.commit()
    finally:
        connection.close()


def test_the_migrations_make_exactly_the_tables_that_the_code_expects(url: str) -> None:
    """Whoever changes `schema.py` writes the migration for it."""
    with Store.open(url):
        pass
    database = connect(url)
    with database.read() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
    database.close()


def test_a_store_that_is_opened_again_keeps_what_it_has(url: str, path: Path) -> None:
    with Store.open(url) as store:
        store.receive(a_delivery())
    before = dump(path)
    with Store.open(url) as store:
        assert store.waiting_deliveries() == (a_delivery(),)
    assert dump(path) == before


def test_a_newer_schema_is_refused_and_left_alone(url: str, path: Path) -> None:
    with Store.open(url) as store:
        add_target(store, PRODUCTION, wake_at=NOW)
    execute(path, "UPDATE alembic_version SET version_num = '9999'")
    before = dump(path)
    for migrate in (True, False):
        with pytest.raises(SchemaNewer) as caught:
            Store.open(url, migrate=migrate)
        assert (caught.value.found, caught.value.known) == ("9999", newest())
        assert "start the newer version again" in str(caught.value)
    assert dump(path) == before


def test_an_empty_database_is_not_touched_when_migrating_is_not_wanted(
    url: str, path: Path
) -> None:
    with pytest.raises(SchemaOlder, match="has no schema yet"):
        Store.open(url, migrate=False)
    assert dump(path) == ["BEGIN TRANSACTION;", "COMMIT;"]


def test_a_migrated_database_opens_without_migrating(url: str) -> None:
    Store.open(url).close()
    with Store.open(url, migrate=False) as store:
        assert store.receive(a_delivery())


def test_a_migration_that_breaks_off_leaves_nothing(url: str, path: Path) -> None:
    """Tables of somebody else are in the way of the last one: not even the first one stays."""
    execute(path, "CREATE TABLE report (something TEXT)")
    before = dump(path)
    with pytest.raises(StoreUnavailable, match="table report already exists"):
        Store.open(url)
    assert dump(path) == before


def test_those_who_start_at_once_migrate_once(url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        stores = list(pool.map(lambda _: Store.open(url), range(6)))
    assert [store.receive(a_delivery(str(number))) for number, store in enumerate(stores)] == [
        True
    ] * 6
    for store in stores:
        store.close()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: f"sqlite:///{path}", "Is a directory"),
        (lambda path: f"sqlite:///{path}/none/pilotage.db", "No such file or directory"),
        (lambda path: "sqlite://", "a file is needed"),
        (lambda path: "sqlite:///:memory:", "a file is needed"),
        (lambda path: "mysql://ada:s3cret@127.0.0.1/x", "expected sqlite or postgresql"),
        (lambda path: "postgresql+none://ada:s3cret@127.0.0.1/x", "driver is not installed"),
        (lambda path: "s3cret", "not a database URL"),
    ],
)
def test_a_url_that_cannot_be_used_is_explained_without_its_password(
    tmp_path: Path, make: Callable[[Path], str], reason: str
) -> None:
    with pytest.raises(StoreUnavailable, match=reason) as caught:
        Store.open(make(tmp_path))
    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused_and_left_alone(url: str, path: Path) -> None:
    path.write_text("notes of somebody else\n" * 100)
    with pytest.raises(StoreUnavailable, match="file is not a database"):
        Store.open(url)
    assert path.read_text().startswith("notes of somebody else")


def test_only_its_owner_may_read_the_file(url: str, path: Path) -> None:
    """Deliveries quote private repositories."""
    with Store.open(url) as store:
        store.receive(a_delivery())
        assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


def test_the_migrations_lie_inside_the_package_so_that_the_wheel_has_them() -> None:
    folder = Path(pilotage.store.__file__).parent / "migrations"
    assert (folder / "env.py").is_file()
    assert list((folder / "versions").glob("*.py"))


def test_the_names_of_the_scripts_are_what_alembic_reads_in_them() -> None:
    scripts = ScriptDirectory(str(Path(pilotage.store.__file__).parent / "migrations"))
    known = [script.revision for script in scripts.walk_revisions()]
    assert revisions() == sorted(known)
    assert newest() == scripts.get_current_head()


def test_a_schema_that_is_there_needs_no_alembic(tmp_path: Path) -> None:
    """It costs memory that a service which waits would keep."""
    url = f"sqlite:///{tmp_path / 'pilotage.db'}"
    Store.open(url).close()
    code = (
        "import sys; from pilotage.store import Store; Store.open(sys.argv[1]).close();"
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, url], check=False).returncode == 0
