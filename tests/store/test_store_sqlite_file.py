"""What can happen to the SQLite file while it is in use: said with what to do, and nothing lost."""

from __future__ import annotations

import shutil
import sqlite3
from collections import namedtuple
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from pilotage.store import Store, StoreUnavailable, database
from tests.store.examples import NOW, PRODUCTION, a_delivery, add_target


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pilotage.db"


def refused(store: Store, number: str = "refused") -> StoreUnavailable:
    with pytest.raises(StoreUnavailable) as caught:
        store.receive(a_delivery(number))
    return caught.value


def kept(store: Store) -> list[str]:
    return [delivery.id for delivery in store.waiting_deliveries()]


@pytest.mark.parametrize("use", ["write", "read"])
def test_a_file_that_was_moved_away_is_not_used_until_it_is_back(
    store: Store, path: Path, use: str
) -> None:
    """What SQLite would still write into it, after an answer 202, nobody would find again; and a
    new connection would make an empty one."""
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(StoreUnavailable, match="moved or removed") as caught:
        store.receive(a_delivery("lost")) if use == "write" else store.next_wake()
    assert "move it back and the service goes on" in str(caught.value)
    assert not path.exists()
    path.with_name("elsewhere").rename(path)
    assert store.receive(a_delivery())
    assert kept(store) == [a_delivery().id]


def test_another_file_in_its_place_is_not_mixed_with_it(store: Store, path: Path) -> None:
    """A backup that was put back under a running service."""
    backup = path.with_name("backup")
    shutil.copy(path, backup)
    backup.replace(path)
    before = path.read_bytes()
    assert "remove what lies beside the file (-wal, -shm)" in str(refused(store))
    with pytest.raises(StoreUnavailable, match="another file was put in its place"):
        store.demand_writes()
    assert path.read_bytes() == before


def test_a_connection_that_was_opened_while_nothing_could_be_written_is_not_kept(
    store: Store,
) -> None:
    """SQLite opens a file that is read-only for a while for reading, and that for ever."""
    engine = store._database.engine
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")  # as such a connection answers
    assert "let the service write to it" in str(refused(store))
    assert store.receive(a_delivery())


@contextmanager
def _full(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def no_page_more(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    def enough(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA max_page_count = 1000000")

    usage = namedtuple("usage", "total used free")
    engine = store._database.engine
    event.listen(engine, "checkout", no_page_more)
    event.listen(engine, "checkin", enough)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 4096))
        yield
    event.remove(engine, "checkout", no_page_more)
    event.remove(engine, "checkin", enough)


def test_a_full_disk_is_one_until_there_is_room_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write of one page may fit into what the one that failed has left: that proves nothing."""
    store.demand_writes()
    with _full(store, monkeypatch):
        large = a_delivery("large", body=b"x" * 100_000)
        with pytest.raises(StoreUnavailable, match=r"disk is full; make room on its disk"):
            store.receive(large)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="make room"):
                store.demand_writes()
        assert store.next_wake() == NOW, "what is there can be read"
    store.demand_writes()
    assert store.receive(large)
    assert kept(store) == ["large"]


def test_a_lock_that_somebody_else_holds_is_named_as_one(
    url: str, path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    with Store.open(url) as impatient, closing(sqlite3.connect(path)) as shell:
        shell.execute("BEGIN EXCLUSIVE")
        assert "end what holds its lock" in str(refused(impatient))
        shell.execute("ROLLBACK")
        assert impatient.receive(a_delivery())


def _damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


def test_a_damaged_file_is_said_with_what_brings_the_service_back(url: str, path: Path) -> None:
    with Store.open(url) as store:
        add_target(store, PRODUCTION, wake_at=NOW)
    _damage(path)
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match=r"malformed; .* put a backup in its place"):
        Store.open(url)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_said_with_what_brings_the_service_back(
    url: str, path: Path
) -> None:
    path.write_text("notes of somebody else\n" * 100)
    with pytest.raises(StoreUnavailable, match=r"not a database; .* move the file .* away"):
        Store.open(url)
