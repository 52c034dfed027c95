"""Which target is due, who may write it, and what becomes of one whose worker died."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import ClauseElement
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import StatementError

from pilotage.core.acts import Done
from pilotage.store import Event, LeaseLost, Store
from pilotage.store.targets import IN_ORDER, PASS_OVER
from tests.store.examples import (
    HOUR,
    MINUTE,
    NOW,
    PRODUCTION,
    a_notice,
    a_promotion,
    add_target,
    leased,
)

POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
INDIA = timezone(timedelta(hours=5, minutes=30))


def test_a_known_target_is_neither_changed_nor_woken_by_the_next_look_at_the_configuration(
    store: Store,
) -> None:
    assert not store.ensure_target(
        PRODUCTION,
        repository="acme/gitops",
        pipeline="shop",
        environment="production",
        wake_at=NOW - HOUR,
    )
    assert store.next_wake() == NOW


def test_targets_are_listed_by_repository(store: Store) -> None:
    add_target(store, "blog/production", wake_at=NOW, repository="acme/blog")
    assert [row.id for row in store.targets()] == ["blog/production", PRODUCTION]
    (row,) = store.targets("acme/blog")
    assert (row.pipeline, row.environment, row.wake_at) == ("blog", "production", NOW)
    assert (row.lease_owner, row.lease_until, row.retired_at) == (None, None, None)


def test_a_target_that_is_not_due_yet_is_not_leased(store: Store) -> None:
    assert store.lease("worker", NOW - timedelta(microseconds=1), MINUTE) is None
    assert store.lease("worker", NOW, MINUTE) is not None


def test_moments_of_another_zone_are_the_same_moments(store: Store) -> None:
    store.wake([PRODUCTION], datetime.fromisoformat("2026-11-21T02:00:00+05:30"))
    early = datetime.fromisoformat("2026-11-20T20:30:00+00:00")
    assert store.next_wake() == early
    lease = leased(store, now=early)
    target = store.load(lease).target
    store.record(lease, target=target, wake_at=NOW.astimezone(INDIA), now=early)
    assert store.targets()[0].wake_at == NOW
    store.release(lease, wake_at=early.astimezone(INDIA))
    assert store.next_wake() == early
    store.retire_target(PRODUCTION, NOW)
    add_target(store, PRODUCTION, wake_at=NOW.astimezone(INDIA))
    assert store.next_wake() == NOW


def test_a_moment_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(StatementError, match="needs its zone"):
        store.wake([PRODUCTION], datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_one_that_has_waited_longest_is_leased_first(store: Store) -> None:
    """Targets that are due again at once, for ever, cannot starve each other."""
    others = ["shop/3", "shop/2", "shop/1"]
    for name in others:
        add_target(store, name, wake_at=NOW - int(name[-1]) * MINUTE)
    order = []
    for seconds in range(12):
        now = NOW + timedelta(seconds=seconds)
        lease = leased(store, now=now)
        order.append(lease.target)
        store.record(lease, target=store.load(lease).target, wake_at=now, now=now)
        store.release(lease)
    assert order == [*others, PRODUCTION] * 3


def test_a_leased_target_is_not_leased_again_before_the_end_of_its_lease(store: Store) -> None:
    lease = leased(store, "first")
    assert store.lease("second", NOW, MINUTE) is None
    assert store.lease("second", lease.until - timedelta(microseconds=1), MINUTE) is None
    taken = store.lease("second", lease.until, MINUTE)
    assert taken is not None
    assert taken.fence == lease.fence + 1


def test_the_row_says_who_works_on_a_target_and_until_when(store: Store) -> None:
    lease = leased(store, "first")
    (row,) = store.targets()
    assert (row.lease_owner, row.lease_until, row.fence) == ("first", NOW + MINUTE, lease.fence)


def test_waiting_for_a_leased_target_ends_with_its_lease(store: Store) -> None:
    """Otherwise every other worker would spin on a wake-up that lies in the past."""
    lease = leased(store)
    assert store.next_wake() == lease.until


def test_a_renewed_lease_is_kept_longer(store: Store) -> None:
    lease = store.renew(leased(store), NOW + MINUTE / 2, HOUR)
    assert lease.until == NOW + MINUTE / 2 + HOUR
    assert store.lease("second", NOW + MINUTE, MINUTE) is None
    store.load(lease)


def test_a_released_target_is_due_when_its_record_said(store: Store) -> None:
    lease = leased(store)
    store.record(lease, target=store.load(lease).target, wake_at=NOW + HOUR, now=NOW)
    store.release(lease)
    assert store.next_wake() == NOW + HOUR


def test_a_tick_that_failed_is_tried_again_when_its_release_says(store: Store) -> None:
    store.release(leased(store), wake_at=NOW + 5 * MINUTE)
    assert store.next_wake() == NOW + 5 * MINUTE


def test_a_lease_given_back_untouched_leaves_the_target_due(store: Store) -> None:
    store.release(leased(store))
    assert store.next_wake() == NOW


def test_a_wake_is_never_later_than_it_was(store: Store) -> None:
    store.wake([PRODUCTION], NOW + HOUR)
    assert store.next_wake() == NOW
    store.wake([PRODUCTION, "shop/unknown"], NOW - HOUR)
    assert store.next_wake() == NOW - HOUR
    store.wake([], NOW - 2 * HOUR)
    assert store.next_wake() == NOW - HOUR


@pytest.mark.parametrize("moment", ["before the record", "after the record"])
def test_a_wake_during_a_lease_outlives_the_record_of_its_holder(store: Store, moment: str) -> None:
    """A webhook that arrives while its target is looked at leads to another look."""
    lease = leased(store)
    loaded = store.load(lease)
    if moment == "before the record":
        store.wake([PRODUCTION], NOW)
    assert store.next_wake() == lease.until, "the holder keeps it all the same"
    store.record(lease, target=loaded.target, wake_at=NOW + HOUR, now=NOW)
    if moment == "after the record":
        store.wake([PRODUCTION], NOW)
    store.release(lease)
    assert store.next_wake() == NOW
    again = leased(store)
    store.record(again, target=loaded.target, wake_at=NOW + HOUR, now=NOW)
    store.release(again)
    assert store.next_wake() == NOW + HOUR, "and to one only"


def test_a_wake_during_a_tick_that_fails_outlives_its_release(store: Store) -> None:
    lease = leased(store)
    store.wake([PRODUCTION], NOW + MINUTE)
    store.release(lease, wake_at=NOW + HOUR)
    assert store.next_wake() == NOW + MINUTE


def test_a_wake_during_the_lease_of_a_dead_worker_leads_to_one_more_look(store: Store) -> None:
    """Whoever takes the target over has had that look."""
    dead = leased(store)
    store.wake([PRODUCTION], NOW)
    lease = leased(store, "next", dead.until)
    target = store.load(lease).target
    store.record(lease, target=target, wake_at=NOW + HOUR, now=dead.until)
    store.release(lease)
    assert store.next_wake() == NOW + HOUR


def test_a_target_without_a_wake_sleeps_until_it_is_woken(store: Store) -> None:
    lease = leased(store)
    store.record(lease, target=store.load(lease).target, wake_at=None, now=NOW)
    store.release(lease)
    assert store.next_wake() is None
    store.wake([PRODUCTION], NOW + HOUR)
    assert store.next_wake() == NOW + HOUR


def test_a_late_writer_loses_everything_that_it_would_have_written(store: Store) -> None:
    late = leased(store, "late")
    target = store.load(late).target
    store.record(late, target=target, acts=[a_notice()], wake_at=NOW, now=NOW)
    after = late.until
    taken = leased(store, "next", after)

    with pytest.raises(LeaseLost, match=r"late .* shop/production \(fence 1\)"):
        store.record(
            late,
            target=target,
            promotions=[a_promotion()],
            acts=[a_notice("another")],
            events=[Event(NOW, "opened", "late")],
            consumed=[1],
            wake_at=after + HOUR,
            now=after,
        )
    for attempt in (
        lambda: store.load(late),
        lambda: store.renew(late, after, MINUTE),
        lambda: store.release(late),
        lambda: store.finish_act(late, a_notice().key, Done(), after, [Event(NOW, "x", "y")]),
        lambda: store.fail_attempt(late, a_notice().key, "error", after),
    ):
        with pytest.raises(LeaseLost):
            attempt()
    assert store.promotion("p1") is None
    assert store.act("another") is None
    assert store.history(target=PRODUCTION) == ()
    (pending,) = store.load(taken).pending
    assert (pending.attempts, pending.last_error) == (0, None)


def test_a_lease_that_was_given_back_writes_nothing_more(store: Store) -> None:
    lease = leased(store)
    target = store.load(lease).target
    store.release(lease)
    with pytest.raises(LeaseLost):
        store.record(lease, target=target, wake_at=NOW, now=NOW)


def test_a_holder_that_is_late_and_was_not_replaced_may_still_write(store: Store) -> None:
    """What it saw is older, but nobody else has decided anything since."""
    lease = leased(store)
    late = lease.until + HOUR
    store.record(lease, target=store.load(lease).target, wake_at=late, now=late)


def test_a_retired_target_is_gone_and_its_holder_too(store: Store) -> None:
    lease = leased(store)
    assert store.retire_target(PRODUCTION, NOW)
    assert not store.retire_target(PRODUCTION, NOW)
    with pytest.raises(LeaseLost):
        store.load(lease)
    store.wake([PRODUCTION], NOW)
    assert store.lease("second", NOW + HOUR, MINUTE) is None
    assert store.targets() == ()
    assert [row.retired_at for row in store.targets(retired=True)] == [NOW]


def test_a_target_that_returns_to_the_configuration_goes_on_where_it_was(store: Store) -> None:
    lease = leased(store)
    store.record(lease, target=store.load(lease).target, wake_at=NOW, now=NOW)
    before = store.read_target(PRODUCTION)
    store.retire_target(PRODUCTION, NOW)
    add_target(store, PRODUCTION, wake_at=NOW)
    assert store.read_target(PRODUCTION) == before
    assert leased(store).fence > lease.fence


def test_eight_workers_do_two_hundred_jobs_once_each(store: Store) -> None:
    store.retire_target(PRODUCTION, NOW)
    jobs = [f"shop/{number}" for number in range(200)]
    for job in jobs:
        add_target(store, job, wake_at=NOW)

    def work(worker: int) -> list[str]:
        done = []
        while (lease := store.lease(f"worker {worker}", NOW, MINUTE)) is not None:
            loaded = store.load(lease)
            assert loaded.target.id == lease.target
            store.record(
                lease,
                target=loaded.target,
                events=[Event(NOW, "seen", f"by {worker}")],
                wake_at=None,
                now=NOW,
            )
            store.release(lease)
            done.append(lease.target)
        return done

    with ThreadPoolExecutor(8) as pool:
        done = Counter(job for jobs in pool.map(work, range(8)) for job in jobs)
    assert done == Counter(jobs)
    assert len(store.history(limit=1000)) == 200


def on_postgresql(statement: ClauseElement) -> str:
    return " ".join(str(statement.compile(dialect=POSTGRESQL)).split())


def test_on_postgresql_workers_pass_over_a_row_that_another_one_is_taking() -> None:
    """Not over one that mail is just being left for, which locks its key only."""
    words = on_postgresql(PASS_OVER)
    assert "ORDER BY target.due_at LIMIT" in words
    assert words.endswith("FOR NO KEY UPDATE SKIP LOCKED")


def test_on_postgresql_those_who_wake_the_same_targets_take_them_in_the_same_order() -> None:
    """Else each has what the other one waits for, and PostgreSQL ends one of them."""
    assert on_postgresql(IN_ORDER).endswith("ORDER BY target.id FOR NO KEY UPDATE")


def test_who_knows_that_all_others_are_dead_takes_their_targets_at_once(store: Store) -> None:
    """The lease of a process that was killed holds nobody up; should it live, it is fenced off."""
    lease = store.lease("dead", NOW, timedelta(hours=1))
    assert lease is not None
    assert store.lease("new", NOW, timedelta(hours=1)) is None
    assert store.free_leases(NOW) == 1
    taken = store.lease("new", NOW, timedelta(hours=1))
    assert taken is not None
    assert taken.fence > lease.fence
    with pytest.raises(LeaseLost):
        store.release(lease)


def test_after_the_clock_was_put_back_all_is_due_and_no_lease_lasts_longer_than_a_new_one(
    store: Store,
) -> None:
    """The rows were written by a clock that was an hour ahead."""
    ahead = NOW + HOUR
    add_target(store, "blog/production", wake_at=ahead + MINUTE)
    lease = store.lease("dead", ahead, 5 * MINUTE)
    assert lease is not None
    assert lease.target == PRODUCTION
    now = NOW.astimezone(INDIA)
    assert store.bring_forward(now, later_than=now, lease_for=5 * MINUTE) == 2
    taken = store.lease("new", NOW, 5 * MINUTE)
    assert taken is not None
    assert taken.target == "blog/production"
    assert store.lease("new", NOW, 5 * MINUTE) is None
    assert store.lease("new", NOW + 5 * MINUTE, 5 * MINUTE) is not None


def test_what_is_due_soon_or_never_is_not_brought_forward(store: Store) -> None:
    add_target(store, "blog/production", wake_at=NOW + MINUTE)
    store.retire_target(PRODUCTION, NOW)
    assert store.bring_forward(NOW, later_than=NOW + MINUTE, lease_for=MINUTE) == 0
    assert store.next_wake() == NOW + MINUTE
