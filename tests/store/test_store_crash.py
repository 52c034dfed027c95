"""A process that is killed leaves either all of a transaction or nothing of it."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy.exc import IntegrityError

from pilotage.store import Store, StoreUnavailable, database
from tests.store.examples import NOW, PRODUCTION, a_delivery, a_mail, a_notice, a_promotion, leased

_DIES_WHILE_RECORDING = """
import os, signal, sys
from dataclasses import replace
from pilotage.store import Event, Store, journal
from tests.store.examples import NOW, a_notice, a_promotion, leased

store = Store.open(sys.argv[1])
lease = leased(store, "doomed")
loaded = store.load(lease)

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "before the commit":
    journal.append = die
store.record(
    lease,
    target=replace(loaded.target, proposal=a_promotion(), last_number=1),
    acts=[a_notice()],
    events=[Event(NOW, "opened", "by the doomed")],
    consumed=[mail.id for mail in loaded.mail],
    wake_at=None,
    now=NOW,
)
die()
"""


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
def test_a_worker_killed_at_its_record_leaves_all_of_it_or_nothing(
    store: Store, url: str, moment: str
) -> None:
    store.post([a_mail()])
    killed = subprocess.run(
        [sys.executable, "-c", _DIES_WHILE_RECORDING, url, moment],
        check=False,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -9, killed.stderr
    until = store.next_wake()
    assert until is not None
    assert until > NOW, "its lease still runs"
    loaded = store.load(leased(store, "next", until))
    if moment == "before the commit":
        assert (loaded.target.proposal, loaded.target.last_number) == (None, 0)
        assert (loaded.pending, store.history(target=PRODUCTION)) == ((), ())
        assert [mail.payload for mail in loaded.mail] == [a_mail().payload]
    else:
        assert (loaded.target.proposal, loaded.target.last_number) == (a_promotion(), 1)
        assert [act.act for act in loaded.pending] == [a_notice()]
        assert [event.text for event in store.history(target=PRODUCTION)] == ["by the doomed"]
        assert loaded.mail == ()


@contextmanager
def _somebody_else_writing(url: str) -> Iterator[None]:
    other = database.connect(url)
    with other.write():
        yield
    other.close()


def test_reading_does_not_wait_for_a_writer(store: Store, url: str) -> None:
    """Pages and idle workers go on while somebody writes, however long that takes."""
    with _somebody_else_writing(url):
        assert store.next_wake() == NOW
        assert store.waiting_deliveries() == ()
        assert store.lease("worker", NOW.replace(year=2020), NOW - NOW) is None


def test_a_database_that_stays_locked_is_an_error_of_ours_and_nothing_is_kept(
    url: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    with Store.open(url) as impatient:
        with (
            _somebody_else_writing(url),
            pytest.raises(StoreUnavailable, match="database is locked"),
        ):
            impatient.receive(a_delivery())
        assert impatient.waiting_deliveries() == ()
        assert impatient.receive(a_delivery())


def test_an_error_does_not_show_what_was_to_be_stored(store: Store) -> None:
    """A defect of ours must not put a repository's contents into a log."""
    lease = leased(store)
    target = store.load(lease).target
    twins = [a_promotion("p1", number=1), a_promotion("p2", number=1)]
    with pytest.raises(Exception, match="UNIQUE constraint failed") as caught:
        store.record(lease, target=target, promotions=twins, wake_at=NOW, now=NOW)
    assert PRODUCTION not in str(caught.value)
    assert store.promotions() == ()
    assert store.act(a_notice().key) is None


def test_the_further_lines_of_an_error_are_not_shown(store: Store, url: str) -> None:
    """PostgreSQL names the row in them: `DETAIL:  Key (target, number)=(shop/production, 1) …`."""
    other = database.connect(url)
    with other.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON delivery"
            f" BEGIN SELECT RAISE(ABORT, 'duplicate key\nDETAIL: {PRODUCTION}'); END"
        )
    other.close()
    with pytest.raises(IntegrityError, match="duplicate key") as caught:
        store.receive(a_delivery())
    shown = "".join(traceback.format_exception(caught.value))
    assert "INSERT INTO delivery" in shown, "which statement it was"
    assert PRODUCTION not in shown


def test_a_commit_waits_for_the_disk_and_readers_do_not_wait_for_it(url: str) -> None:
    """In WAL mode anything below FULL may lose the last commits when the power fails."""
    opened = database.connect(url)
    with opened.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    opened.close()
