"""How many statements things take, whatever there is to read or write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pilotage.core.acts import Done
from pilotage.core.model import State
from pilotage.store import Event, Lease, Store
from pilotage.store.database import connect
from tests.store.counting import counted
from tests.store.examples import (
    HOUR,
    MINUTE,
    NOW,
    a_delivery,
    a_mail,
    a_notice,
    a_promotion,
    add_target,
    leased,
)


def tick(store: Store, size: int) -> Lease:
    """Everything that a tick can write, `size` times."""
    lease = leased(store)
    loaded = store.load(lease)
    proposal = a_promotion("open", number=1000)
    ended = [a_promotion(f"p{n}", number=n, state=State.CLOSED) for n in range(size)]
    store.record(
        lease,
        target=replace(loaded.target, proposal=proposal),
        promotions=ended,
        acts=[a_notice(f"k{n}") for n in range(size)],
        events=[Event(NOW, "closed", str(n)) for n in range(size)],
        consumed=[mail.id for mail in loaded.mail],
        wake_at=NOW + HOUR,
        now=NOW,
    )
    return lease


@pytest.mark.parametrize("size", [1, 60])
def test_a_whole_tick_takes_eleven_statements_however_much_it_writes(
    store: Store, size: int
) -> None:
    """Lease 2, load 3, record 5, release 1."""
    store.post([a_mail(text=str(n)) for n in range(size)])
    with counted() as statements:
        store.release(tick(store, size))
    assert len(statements) == 11, "\n\n".join(statements)


def test_a_tick_in_which_nothing_happened_takes_seven(store: Store) -> None:
    with counted() as statements:
        lease = leased(store)
        store.record(lease, target=store.load(lease).target, wake_at=NOW + HOUR, now=NOW)
        store.release(lease)
    assert len(statements) == 7, "\n\n".join(statements)


def test_other_calls_take_few_statements(store: Store) -> None:
    lease = tick(store, 2)
    for allowed, call in (
        (1, lambda: store.receive(a_delivery())),
        (1, lambda: store.next_wake()),
        (1, lambda: store.lease("second", NOW, MINUTE)),
        (1, lambda: store.renew(lease, NOW, MINUTE)),
        (3, lambda: store.finish_act(lease, "k0", Done(), NOW, [Event(NOW, "a", "b")])),
        (2, lambda: store.fail_attempt(lease, "k1", "502", NOW)),
        (4, lambda: store.settle("d1", "", mail=[a_mail(), a_mail()], now=NOW)),
        (1, lambda: store.promotions()),
        (1, lambda: store.targets_of("acme/gitops", [7, 8])),
    ):
        with counted() as statements:
            call()
        assert len(statements) == allowed, "\n\n".join(statements)


def test_an_idle_worker_reads_one_entry_of_an_index(store: Store, url: str) -> None:
    for number in range(50):
        add_target(store, f"shop/{number}", wake_at=NOW + HOUR)
    with counted() as statements:
        store.next_wake()
        assert store.lease("worker", NOW - HOUR, MINUTE) is None
    assert len(statements) == 2
    database = connect(url)
    with database.read() as connection:
        for statement, values in zip(statements, ((), (str(NOW), 1, 0)), strict=True):
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            plan = [row[3] for row in rows]
            assert len(plan) == 1, plan
            assert "SEARCH" in plan[0], plan
            assert "COVERING INDEX ix_target_due_at" in plan[0] or "ix_target_due_at" in plan[0]
    database.close()


def test_a_promotion_that_did_not_change_is_not_written_anew(store: Store, url: str) -> None:
    """Its version counts changes, not ticks."""
    database = connect(url)

    def row() -> tuple[Any, ...]:
        with database.read() as connection:
            found = connection.exec_driver_sql("SELECT version, updated_at FROM promotion")
            return tuple(found.one())

    lease = leased(store)
    target = replace(store.load(lease).target, proposal=a_promotion())
    store.record(lease, target=target, wake_at=NOW, now=NOW)
    first = row()
    store.record(lease, target=target, wake_at=NOW, now=NOW + HOUR)
    assert row() == first
    changed = replace(target, proposal=a_promotion(pull_request=7))
    store.record(lease, target=changed, wake_at=NOW, now=NOW + HOUR)
    assert row() == (2, str(NOW + HOUR).replace("+00:00", ".000000"))
    database.close()
