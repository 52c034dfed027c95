"""What a tick reads, what it records, and what becomes of its acts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilotage.core.acts import Committed, Done, Opened, Outrun, Refused, Result, Reverted
from pilotage.core.model import Pause, State
from pilotage.store import ActNotPending, ActState, Event, Store
from tests.store.examples import (
    HOUR,
    MINUTE,
    NOW,
    PRODUCTION,
    a_mail,
    a_notice,
    a_promotion,
    add_target,
    leased,
)


def test_a_new_target_loads_empty(store: Store) -> None:
    loaded = store.load(leased(store))
    target = loaded.target
    assert (target.id, target.repository) == (PRODUCTION, "acme/gitops")
    assert (target.pipeline, target.environment, target.wake_at) == ("shop", "production", NOW)
    assert (target.proposal, target.release, loaded.mail, loaded.pending) == (None, None, (), ())


def test_what_is_recorded_is_what_the_next_tick_loads(store: Store) -> None:
    lease = leased(store)
    proposal = a_promotion("p2", number=2, state=State.OPEN, pull_request=7)
    release = a_promotion("p1", number=1, state=State.VERIFYING, pull_request=6)
    target = replace(
        store.load(lease).target,
        proposal=proposal,
        release=release,
        last_number=2,
        pause=Pause("incident", "ada", NOW),
        running={"shop": "1.2.2"},
    )
    acts = (a_notice("first"), a_notice("second"))
    store.record(lease, target=target, acts=acts, wake_at=NOW + HOUR, now=NOW)
    expected = replace(target, wake_at=NOW + HOUR)
    loaded = store.load(lease)
    assert loaded.target == expected == store.read_target(PRODUCTION)
    assert tuple(pending.act for pending in loaded.pending) == acts
    (row,) = store.targets()
    assert (row.proposal, row.release) == ("p2", "p1")


def test_a_promotion_that_ended_stays_though_its_target_lets_go_of_it(store: Store) -> None:
    lease = leased(store)
    empty = store.load(lease).target
    open_ = a_promotion(pull_request=7)
    store.record(lease, target=replace(empty, proposal=open_), wake_at=NOW, now=NOW)
    closed = replace(open_, state=State.CLOSED, ended_at=NOW, conclusion="closed by ada")
    store.record(lease, target=empty, promotions=[closed], wake_at=NOW, now=NOW)
    assert store.load(lease).target.proposal is None
    assert store.promotion("p1") == closed
    assert store.promotions(PRODUCTION, pull_requests=[6, 7]) == (closed,)
    assert store.targets_of("acme/gitops", [6, 7]) == {7: PRODUCTION}
    assert store.targets_of("acme/other", [7]) == {}


def test_two_values_of_one_promotion_are_refused_and_nothing_is_kept(store: Store) -> None:
    lease = leased(store)
    target = replace(store.load(lease).target, proposal=a_promotion(), last_number=1)
    other = a_promotion(state=State.CLOSED)
    with pytest.raises(ValueError, match="two different values of promotion p1"):
        store.record(lease, target=target, promotions=[other], wake_at=NOW + HOUR, now=NOW)
    assert store.load(lease).target.last_number == 0
    assert store.promotion("p1") is None


def test_a_promotion_of_another_target_is_refused(store: Store) -> None:
    lease = leased(store)
    strange = a_promotion(target="shop/test")
    with pytest.raises(ValueError, match="not of target shop/production: promotion p1"):
        store.record(
            lease, target=store.load(lease).target, promotions=[strange], wake_at=NOW, now=NOW
        )


def test_promotions_are_found_by_target_and_state_newest_first(store: Store) -> None:
    add_target(store, "shop/test", wake_at=NOW)
    for name, prefix in ((PRODUCTION, "p"), ("shop/test", "t")):
        lease = leased(store)
        assert lease.target == name
        several = [
            a_promotion(
                f"{prefix}{number}",
                number=number,
                state=State.CONFIRMED if number < 3 else State.OPEN,
                target=name,
                created_at=NOW + number * MINUTE,
            )
            for number in (1, 2, 3)
        ]
        store.record(
            lease, target=store.load(lease).target, promotions=several, wake_at=None, now=NOW
        )
        store.release(lease)

    def found(**wanted: object) -> list[str]:
        return [each.id for each in store.promotions(**wanted)]  # type: ignore[arg-type]

    assert found() == ["p3", "t3", "p2", "t2", "p1", "t1"]
    assert found(target="shop/test") == ["t3", "t2", "t1"]
    assert found(states={State.OPEN}) == ["p3", "t3"]
    assert found(target=PRODUCTION, states={State.CONFIRMED}, limit=1) == ["p2"]
    assert found(states=()) == []
    assert store.targets_of("acme/gitops", [7]) == {}
    assert store.promotion("unknown") is None
    assert store.read_target("unknown") is None


def test_an_act_whose_key_exists_is_left_as_it_was_first_recorded(store: Store) -> None:
    lease = leased(store)
    target = store.load(lease).target
    store.record(lease, target=target, acts=[a_notice("k")], wake_at=NOW, now=NOW)
    store.finish_act(lease, "k", Done("sent"), NOW)
    changed = replace(a_notice("k"), text="another text")
    later = NOW + MINUTE / 2
    store.record(lease, target=target, acts=[changed, a_notice("n")], wake_at=NOW, now=later)
    recorded = store.act("k")
    assert recorded is not None
    assert (recorded.act, recorded.created_at) == (a_notice("k"), NOW)
    assert (recorded.state, recorded.result) == (ActState.DONE, Done("sent"))
    assert [each.key for each in store.load(lease).pending] == ["n"]
    assert [each.key for each in store.acts("p1")] == ["k", "n"]
    assert store.act("unknown") is None


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (Committed("a" * 40), ActState.DONE),
        (Opened(7, "https://url.example"), ActState.DONE),
        (Reverted("b" * 40), ActState.DONE),
        (Reverted(None, 8, "https://url.example", "waits for a review"), ActState.DONE),
        (Done(), ActState.DONE),
        (Outrun("the branch moved"), ActState.OUTRUN),
        (Refused("branch protection"), ActState.REFUSED),
    ],
)
def test_a_finished_act_says_how_it_ended_and_is_pending_no_more(
    store: Store, result: Result, state: ActState
) -> None:
    lease = leased(store)
    target = store.load(lease).target
    store.record(lease, target=target, acts=[a_notice("k")], wake_at=NOW, now=NOW)
    told = Event(NOW, "opened", "pull request 7", promotion="p1")
    store.finish_act(lease, "k", result, NOW + MINUTE, [told])
    recorded = store.act("k")
    assert recorded is not None
    assert (recorded.state, recorded.result) == (state, result)
    assert recorded.done_at == NOW + MINUTE
    assert store.load(lease).pending == ()
    assert [event.text for event in store.history(promotion="p1")] == ["pull request 7"]


def test_the_first_result_of_an_act_is_the_last(store: Store) -> None:
    lease = leased(store)
    target = store.load(lease).target
    store.record(lease, target=target, acts=[a_notice("k")], wake_at=NOW, now=NOW)
    store.finish_act(lease, "k", Done("first"), NOW)
    with pytest.raises(ActNotPending, match="shop/production has no pending act k"):
        store.finish_act(lease, "k", Refused("second"), NOW, [Event(NOW, "x", "never happened")])
    with pytest.raises(ActNotPending):
        store.fail_attempt(lease, "k", "late", NOW)
    recorded = store.act("k")
    assert recorded is not None
    assert (recorded.result, recorded.attempts) == (Done("first"), 0)
    assert store.history(target=PRODUCTION) == ()


def test_an_act_of_another_target_cannot_be_finished(store: Store) -> None:
    lease = leased(store)
    target = store.load(lease).target
    store.record(lease, target=target, acts=[a_notice("k")], wake_at=NOW, now=NOW)
    add_target(store, "shop/test", wake_at=NOW)
    with pytest.raises(ActNotPending):
        store.finish_act(leased(store), "k", Done(), NOW)


def test_failed_attempts_are_counted_and_the_act_stays_pending(store: Store) -> None:
    lease = leased(store)
    target = store.load(lease).target
    store.record(lease, target=target, acts=[a_notice("k")], wake_at=NOW, now=NOW)
    for attempt in (1, 2):
        store.fail_attempt(lease, "k", f"502, {attempt}", NOW + attempt * MINUTE)
    (pending,) = store.load(lease).pending
    assert (pending.attempts, pending.last_error) == (2, "502, 2")
    assert (pending.tried_at, pending.state) == (NOW + 2 * MINUTE, ActState.PENDING)


def test_an_act_left_by_a_dead_worker_is_pending_for_the_next(store: Store) -> None:
    """It also learns under which lease the act was last touched."""
    dead = leased(store)
    target = store.load(dead).target
    store.record(dead, target=target, acts=[a_notice("k")], wake_at=NOW + HOUR, now=NOW)
    lease = leased(store, "next", dead.until)
    (pending,) = store.load(lease).pending
    assert (pending.act, pending.fence) == (a_notice("k"), dead.fence)
    store.finish_act(lease, "k", Done("found done"), NOW)
    recorded = store.act("k")
    assert recorded is not None
    assert recorded.fence == lease.fence


def test_history_is_told_in_its_order_and_can_be_followed(store: Store) -> None:
    lease = leased(store)
    events = [
        Event(
            at=NOW,
            kind="observed",
            text=f"event {number} \N{ROCKET}",
            by="ada",
            promotion="p1" if number % 2 else None,
            data={"n": number, "nested": [{"a": None, "b": 1.5}]},
        )
        for number in range(6)
    ]
    target = store.load(lease).target
    store.record(lease, target=target, events=events, wake_at=NOW, now=NOW)
    told = store.history(target=PRODUCTION)
    assert [replace(event, id=0, target="") for event in told] == events
    assert {event.target for event in told} == {PRODUCTION}
    third = told[2].id
    assert store.history(target=PRODUCTION, after=third) == told[3:]
    assert store.history(target=PRODUCTION, limit=2) == told[:2]
    assert store.history(target=PRODUCTION, limit=2, newest=True) == told[4:]
    assert store.history(promotion="p1") == told[1::2]
    assert store.history(promotion="p1", target="shop/other") == ()


def test_text_that_no_column_can_hold_does_not_stop_a_tick(store: Store) -> None:
    """Half a surrogate pair in somebody's comment: unchanged as data, replaced as prose."""
    hostile = "a\ud83d\0b"
    store.post([a_mail(text=hostile)])
    lease = leased(store)
    loaded = store.load(lease)
    assert loaded.mail[0].payload == {"name": hostile}
    paused = replace(loaded.target, pause=Pause(hostile, "eve", NOW))
    event = Event(NOW, "paused", hostile, by=hostile, data={"text": hostile})
    store.record(
        lease,
        target=paused,
        acts=[replace(a_notice("k"), text=hostile)],
        events=[event],
        wake_at=NOW,
        now=NOW,
    )
    store.fail_attempt(lease, "k", hostile, NOW)
    loaded = store.load(lease)
    assert loaded.target.pause == Pause(hostile, "eve", NOW)
    assert loaded.pending[0].act == replace(a_notice("k"), text=hostile)
    (told,) = store.history(target=PRODUCTION)
    assert (told.text, told.by, told.data) == ("a?\ufffdb", "a?\ufffdb", {"text": hostile})
