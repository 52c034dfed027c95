"""A worker outlives whatever it meets: what one row or event does to it, the others do not feel."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select, text, update

from pilotage.clock import utc_now
from pilotage.engine import worker
from pilotage.engine.outside import Outside
from pilotage.engine.worker import Engine
from pilotage.store import Delivery, Store, StoreUnavailable, UnreadableDocument, database
from pilotage.store.database import Database
from pilotage.store.schema import delivery as deliveries
from pilotage.store.schema import target as targets
from tests.web.promoted import PRODUCTION, a_target, an_open
from tests.web.served import settings

PULL_REQUEST = json.dumps(
    {
        "action": "opened",
        "number": 7,
        "pull_request": {"number": 7, "body": "", "updated_at": "2026-11-21T08:00:00Z"},
        "changes": {"body": {"from": ""}},
        "repository": {"full_name": "acme/gitops"},
        "sender": {"login": "maria"},
    }
).encode()
HOUR = timedelta(hours=1)
NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    github = {"token": "a-machine-users-token", "url": NOBODY, "git_url": NOBODY, "timeout": 1}
    outside = Outside(settings(tmp_path, github=github, allow_insecure_git=True, workers=1))
    yield outside
    outside.close()


@pytest.fixture
def store(outside: Outside) -> Iterator[Store]:
    with Store.open(outside.settings.database_url) as store:
        yield store


def test_many_that_hang_do_not_keep_it_from_stopping(tmp_path: Path) -> None:
    """The time to finish is one for all: whoever stops the process counts in seconds."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        names = tuple(f"acme/gitops-{number}" for number in range(3))
        github = {"token": "a-machine-users-token", "url": url, "git_url": url, "timeout": 1}
        given = settings(
            tmp_path, github=github, repositories=names, allow_insecure_git=True, workers=3
        )
        outside = Outside(given)
        with Store.open(given.database_url) as store, ExitStack() as asked:
            engine = Engine(outside, store)
            engine.start()
            for _ in names:
                asked.enter_context(silent.accept()[0])
            began = time.monotonic()
            engine.stop(1)
            assert time.monotonic() - began < 2
            asked.close()
            _until(lambda: not any(each.is_alive() for each in engine._threads), "they end")
        outside.close()


def _know(store: Store) -> None:
    target = a_target(proposal=an_open())
    names = {"repository": "acme/gitops", "pipeline": "shop", "environment": "production"}
    store.ensure_target(target.id, **names, wake_at=utc_now())
    lease = store.lease("test", utc_now(), utc_now() - utc_now())
    assert lease is not None
    store.record(lease, target=target, wake_at=None, now=utc_now(), done=True)


def _spoil(store: Store, table: Table) -> None:
    """As a version of the service left it that this one does not understand."""
    with store._database.write() as connection:
        connection.execute(update(table).where(table.c.id != "").values(document='{"odd": 1}'))


@contextmanager
def _running(engine: Engine) -> Iterator[Engine]:
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


def _until(holds: Callable[[], bool], what: str) -> None:
    pause, ends = threading.Event(), time.monotonic() + 20
    while not holds():
        assert time.monotonic() < ends, what
        pause.wait(0.02)


def _notes(store: Store) -> dict[str, str]:
    with store._database.read() as connection:
        rows = connection.execute(select(deliveries).where(deliveries.c.state != "new"))
        return {row.id: row.note for row in rows}


def test_an_event_for_what_cannot_be_read_keeps_no_other_waiting(
    outside: Outside, store: Store
) -> None:
    _know(store)
    with store._database.write() as connection:
        connection.execute(text("UPDATE target SET wake_at = 'soon', due_at = NULL"))
    for id_, body in (("d-1", PULL_REQUEST), ("d-2", b"{}")):
        event = "pull_request" if id_ == "d-1" else "ping"
        store.receive(Delivery(id_, "github", event, "acme/gitops", body, utc_now()))
    with _running(Engine(outside, store)) as engine:
        _until(lambda: len(_notes(store)) == 2, "both are settled")
        assert engine.alive
    assert _notes(store) == {"d-1": "a mistake of the service: ValueError", "d-2": "ping"}


def test_a_tick_that_fails_when_its_target_is_somebody_elses_ends_no_worker(
    outside: Outside, store: Store
) -> None:
    """It cannot give back what it does not have any more."""
    _know(store)
    _spoil(store, targets)
    store.wake([PRODUCTION], utc_now())
    taken = threading.Event()

    def clock() -> datetime:
        """When it is read after the failure, another replica has taken the target over."""
        if isinstance(sys.exception(), UnreadableDocument) and not taken.is_set():
            taken.set()
            store.free_leases(utc_now())
        return utc_now()

    with _running(Engine(outside, store, clock)) as engine:
        _until(taken.is_set, "the target was taken away")
        store.receive(Delivery("d-3", "github", "ping", "", b"{}", utc_now()))
        engine.poke()
        _until(lambda: "d-3" in _notes(store), "what comes later is settled")
        assert engine.alive


def test_workers_go_on_by_themselves_once_the_database_can_be_written_again(
    outside: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody copies it, or the disk is full: nothing is lost, and nobody has to restart them."""
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    monkeypatch.setattr(worker, "_AFTER_ERROR", timedelta(seconds=0.1))
    url = f"sqlite:///{tmp_path / 'locked.db'}"
    somebody = database.connect(url)
    with Store.open(url) as store:
        engine = Engine(outside, store)
        engine.register()
        store.receive(Delivery("d-4", "github", "ping", "", b"{}", utc_now()))
        with ExitStack() as running:
            with somebody.write():
                running.enter_context(_started(engine))
                _until(lambda: store._database.refuses, "a worker could not write")
                assert engine.alive
                assert not _notes(store)
            _until(lambda: _notes(store) == {"d-4": "ping"}, "what had come is settled")
            assert engine.alive
    somebody.close()


@contextmanager
def _started(engine: Engine) -> Iterator[None]:
    """Its workers alone: what `start` writes first could not be written."""
    engine._begin("worker-0", engine._work)
    try:
        yield
    finally:
        engine.stop()


def test_a_worker_whose_clock_is_put_back_takes_what_would_be_due_much_later(
    outside: Outside, store: Store
) -> None:
    """Running on, and started anew: nobody tells it of anything."""
    ahead = [HOUR]
    engine = Engine(outside, store, lambda: utc_now() + ahead[0])
    engine.register()
    assert engine.turn("worker")[0]
    assert _due_in(store) > HOUR / 2
    ahead[0] = timedelta()
    assert engine.turn("worker")[0]
    assert _due_in(store) < HOUR / 2
    ahead[0] = HOUR
    assert engine.turn("worker")[0]
    assert Engine(outside, store).turn("worker")[0]


def _due_in(store: Store) -> timedelta:
    due = store.next_wake()
    assert due is not None
    return due - utc_now()


class _Interrupted(Store):
    """While `by` is set, somebody else writes whenever a look would write what it found."""

    by: Database | None = None

    def record(self, *given: Any, **named: Any) -> None:
        with self.by.write() if self.by else nullcontext():
            super().record(*given, **named)

    def release(self, *given: Any, **named: Any) -> None:
        with self.by.write() if self.by else nullcontext():
            super().release(*given, **named)


def test_a_look_that_the_database_broke_off_is_taken_again_once_it_can_be_written(
    outside: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when its lease ends: a release would go unwatched for that long."""
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    url = f"sqlite:///{tmp_path / 'locked.db'}"
    Store.open(url).close()
    with (
        closing(database.connect(url)) as somebody,
        _Interrupted(database.connect(url)) as store,
    ):
        engine = Engine(outside, store)
        engine.register()
        store.by = somebody
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="database is locked"):
                engine.turn("worker")
        store.by = None
        assert engine.turn("worker")[0]
        assert not engine.turn("worker")[0], "once"
