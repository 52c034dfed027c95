"""Deliveries, the mail that is made of them, and what CI reports."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pilotage.store import Store, UnknownTarget
from tests.store.examples import (
    HOUR,
    NOW,
    PRODUCTION,
    a_delivery,
    a_mail,
    a_report,
    add_target,
    leased,
)


def test_a_delivery_that_comes_twice_is_kept_once(store: Store) -> None:
    assert store.receive(a_delivery("d1", b"first"))
    assert not store.receive(a_delivery("d1", b"second"))
    assert store.waiting_deliveries() == (a_delivery("d1", b"first"),)


def test_a_delivery_is_on_disk_when_receive_returns(store: Store, url: str) -> None:
    """Somebody who opens the same file sees it, though the first store is never closed."""
    store.receive(a_delivery())
    with Store.open(url) as other:
        assert other.waiting_deliveries() == (a_delivery(),)


def test_deliveries_wait_in_the_order_in_which_they_came(store: Store) -> None:
    for delivery_id in ("z", "a", "m"):
        store.receive(a_delivery(delivery_id))
    assert [each.id for each in store.waiting_deliveries(limit=2)] == ["z", "a"]


def test_a_body_of_any_bytes_comes_back_unchanged(store: Store) -> None:
    body = bytes(range(256)) * 300
    store.receive(a_delivery(body=body))
    assert store.waiting_deliveries()[0].body == body


def test_a_hostile_event_name_is_kept_in_a_harmless_form(store: Store) -> None:
    """NUL and half a surrogate pair fit into no database column; they do not stop the inbox."""
    delivery = a_delivery()
    store.receive(type(delivery)("d\ud800", "github", "push\0", "a/b", b"", NOW))
    assert [(each.id, each.event) for each in store.waiting_deliveries()] == [("d?", "push\ufffd")]


def test_settling_leaves_mail_and_makes_the_target_due_at_once(store: Store) -> None:
    add_target(store, "shop/late", wake_at=NOW + HOUR)
    store.receive(a_delivery())
    late = a_mail("shop/late")
    assert store.settle("d1", "one comment", mail=[late], now=NOW)
    assert store.waiting_deliveries() == ()
    leased(store, "first")
    lease = leased(store, "second")
    assert lease.target == "shop/late"
    assert [mail.payload for mail in store.load(lease).mail] == [{"name": "hold"}]


def test_an_ignored_delivery_waits_no_longer_and_wakes_nobody(store: Store) -> None:
    store.retire_target(PRODUCTION, NOW)
    store.receive(a_delivery())
    assert store.settle("d1", "our own push", ignored=True, now=NOW)
    assert store.waiting_deliveries() == ()
    assert store.next_wake() is None


def test_a_delivery_that_two_replicas_settle_leaves_its_mail_once(store: Store) -> None:
    store.receive(a_delivery())
    assert store.settle("d1", "first", mail=[a_mail()], now=NOW)
    assert not store.settle("d1", "second", mail=[a_mail()], now=NOW)
    assert len(store.load(leased(store)).mail) == 1


def test_mail_for_an_unknown_target_settles_nothing(store: Store) -> None:
    store.receive(a_delivery())
    with pytest.raises(UnknownTarget, match="shop/nowhere") as caught:
        store.settle("d1", "x", mail=[a_mail(), a_mail("shop/nowhere")], now=NOW)
    assert caught.value.targets == ("shop/nowhere",)
    assert len(store.waiting_deliveries()) == 1
    assert store.load(leased(store)).mail == ()


def test_mail_stays_until_a_tick_says_that_it_was_consumed(store: Store) -> None:
    store.post([a_mail(text="first"), a_mail(text="second")])
    lease = leased(store)
    first, second = store.load(lease).mail
    assert [first.payload["name"], second.payload["name"]] == ["first", "second"]
    target = store.load(lease).target
    store.record(lease, target=target, consumed=[first.id], wake_at=NOW + HOUR, now=NOW)
    assert store.load(lease).mail == (second,)


def test_a_tick_cannot_consume_the_mail_of_another_target(store: Store) -> None:
    add_target(store, "shop/test", wake_at=NOW - HOUR)
    store.post([a_mail(PRODUCTION)])
    theirs = 1
    lease = leased(store)
    assert lease.target == "shop/test"
    store.record(
        lease, target=store.load(lease).target, consumed=[theirs], wake_at=NOW + HOUR, now=NOW
    )
    assert len(store.load(leased(store)).mail) == 1


def test_the_id_of_consumed_mail_is_never_given_again(store: Store) -> None:
    seen = []
    for _ in range(3):
        store.post([a_mail()])
        lease = leased(store)
        loaded = store.load(lease)
        seen += [mail.id for mail in loaded.mail]
        store.record(lease, target=loaded.target, consumed=seen, wake_at=NOW, now=NOW)
        store.release(lease)
    assert len(seen) == len(set(seen)) == 3


def test_old_bodies_are_forgotten_and_their_ids_are_not(store: Store) -> None:
    store.receive(a_delivery("settled"))
    store.receive(a_delivery("waiting"))
    store.settle("settled", "", now=NOW)
    assert store.forget_old(NOW) == 0, "the limit itself is not older than the limit"
    assert store.forget_old(NOW + timedelta(days=7)) == 1
    assert store.forget_old(NOW + timedelta(days=7)) == 0
    assert store.waiting_deliveries() == (a_delivery("waiting"),), "not settled, so kept"
    assert not store.receive(a_delivery("settled"))


def test_a_report_of_ci_is_kept_once(store: Store) -> None:
    assert store.add_report(a_report())
    assert not store.add_report(a_report())
    assert store.report("r1") == a_report()
    assert store.report("r2") is None
