"""Between merge and verdict: only what every application and every check has shown is confirmed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pilotage.core.acts import RevertCommit
from pilotage.core.decide import decide
from pilotage.core.decision import Decision, EventKind
from pilotage.core.model import Hold, Outcome, Promotion, Revert, State, Subject
from pilotage.core.rollout.watch import Held, HoldReason, Overtaken, Watch
from pilotage.core.snapshot import Reading
from tests.unit.core.worlds import (
    BASE,
    BY_HAND,
    NOW,
    OLD_HEAD,
    PRODUCTION,
    STAGING,
    act_of,
    acts_of,
    ago,
    crash_loop,
    pending,
    pipeline,
    production,
    release,
    releasing,
    said,
    texts,
    told,
    watch,
)

REGIONS = production(applications='["{service}-europe", "{service}-asia"]')
SITES = ("europe", "asia")
OVER = ago(minutes=31)
"""When it went live, if its verification is over now."""


def watched(**found: Watch) -> dict[str, Watch]:
    """Both services in both regions, live but for what is `found` of api there."""
    live = {f"{service}-{site}": watch() for service in STAGING for site in SITES}
    return live | {f"api-{site}": each for site, each in found.items()}


def seen(**changed: Any) -> Decision:
    return decide(releasing(release(**changed), policy=REGIONS), NOW)


def current(decision: Decision) -> Promotion:
    assert decision.target.release is not None, "it ended"
    return decision.target.release


# every application --------------------------------------------------------------------------


@pytest.mark.runbook("SYRF-8")
@pytest.mark.parametrize("site", SITES)
def test_a_service_is_live_once_each_of_its_applications_is(site: str) -> None:
    rolling = dict.fromkeys(STAGING, Outcome.ROLLING_OUT)
    fresh: dict[str, Any] = {"state": State.ROLLING_OUT, "outcomes": rolling, "live_at": None}
    waiting = current(seen(**fresh, watches=watched(**{site: pending()})))
    assert waiting.outcomes == {"api": Outcome.ROLLING_OUT, "web": Outcome.LIVE}
    assert (waiting.state, waiting.live_at) == (State.ROLLING_OUT, None)
    everywhere = current(seen(**fresh, watches=watched()))
    assert everywhere.outcomes == dict.fromkeys(STAGING, Outcome.LIVE)
    assert everywhere.live_at == NOW


@pytest.mark.runbook("SYRF-10")
@pytest.mark.parametrize("site", SITES)
def test_one_application_that_fails_fails_its_service(site: str) -> None:
    good = release().picture["api-production"]
    picture = dict.fromkeys(watched(), good)
    decision = seen(watches=watched(**{site: crash_loop()}), picture=picture)
    assert act_of(decision, RevertCommit).services == ("api", "web")


@pytest.mark.parametrize("site", SITES)
def test_what_was_not_good_in_one_region_is_not_gone_back_to(site: str) -> None:
    good = release().picture["api-production"]
    picture = {name: good for name in watched() if name != f"api-{site}"}
    decision = seen(watches=watched(europe=crash_loop()), picture=picture)
    assert not acts_of(decision, RevertCommit)
    assert f"api-{site} was never seen before the merge" in said(decision)


@pytest.mark.parametrize("name", list(watched()))
def test_what_cannot_be_seen_now_is_not_confirmed(name: str) -> None:
    """It was live when it was last seen: that says nothing of the time since."""
    decision = seen(live_at=OVER, watches=watched() | {name: watch(blind_since=ago(minutes=2))})
    assert decision.ended == ()
    assert f"the time is over, but {name} cannot be seen" in said(decision)


def test_who_is_not_judged_any_more_need_not_be_seen() -> None:
    outcomes = {"api": Outcome.OVERTAKEN, "web": Outcome.LIVE}
    unseen = watched(europe=watch(blind_since=ago(minutes=2)))
    (ended,) = seen(live_at=OVER, outcomes=outcomes, watches=unseen).ended
    assert ended.outcomes == {"api": Outcome.OVERTAKEN, "web": Outcome.CONFIRMED}
    assert ended.state is State.CONFIRMED


def test_nothing_is_confirmed_while_a_service_rolls_out_again() -> None:
    """It was live everywhere once; what was confirmed would not be watched any more."""
    decision = seen(live_at=OVER, watches=watched(asia=pending()))
    assert current(decision).outcomes == {"api": Outcome.ROLLING_OUT, "web": Outcome.LIVE}
    assert current(decision).state is State.VERIFYING


def test_what_is_held_is_confirmed_only_once_a_person_says_so() -> None:
    hold = Hold(Subject.PERSON, "the fair", NOW, "li")
    assert current(seen(live_at=OVER, hold=hold, watches=watched())).state is State.VERIFYING


# every check --------------------------------------------------------------------------------

CHECKS = production(verification="{ checks: [{ http: 'https://a/' }, { http: 'https://b/' }] }")


def checked(a: bool | None, b: bool | None, **changed: Any) -> Decision:
    """Three answers of each: good, wrong, or none."""
    readings = tuple(
        Reading(f"https://{name}/", good, "told", ago(seconds=3 - index))
        for name, good in (("a", a), ("b", b))
        for index in range(3)
    )
    before = releasing(release(**changed), policy=CHECKS, readings=readings)
    return decide(before, NOW)


@pytest.mark.runbook("SYRF-9")
def test_every_check_has_to_be_good() -> None:
    assert [each.state for each in checked(True, True, live_at=OVER).ended] == [State.CONFIRMED]
    for one, other in ((True, False), (False, True)):
        assert acts_of(checked(one, other, live_at=OVER), RevertCommit)
    for first, second in ((True, None), (None, True)):
        assert current(checked(first, second, live_at=OVER)).hold is None
        held = current(checked(first, second, live_at=ago(minutes=61))).hold
        assert held is not None
        assert held.reason == f"no verdict of https://{'b' if first else 'a'}/ in time"


# what failed --------------------------------------------------------------------------------


def test_a_failed_value_that_a_person_changed_is_theirs() -> None:
    """It was held because nobody might put it back; when it is gone, the others go on."""
    now = {"api": "api-v9.1.2", "web": "web-v5.0.1"}
    failed = release(
        outcomes={"api": Outcome.FAILED, "web": Outcome.LIVE},
        reasons={"api": "crashed"},
        hold=Hold(Subject.PICTURE, "crashed", NOW, "pilotage"),
    )
    before = releasing(failed, running=now, release_at_head=texts(now))
    decision = decide(before, NOW)
    assert current(decision).outcomes == {"api": Outcome.OVERTAKEN, "web": Outcome.LIVE}
    assert current(decision).reasons["api"].startswith(f"{BASE[:7]} no longer holds it")
    assert not acts_of(decision, RevertCommit)


def test_what_failed_while_it_is_held_waits_for_the_person() -> None:
    """Both what a hold is about and what happens beside it."""
    hold = Hold(Subject.BLIND, "web-production: nothing could be learnt", NOW, "pilotage")
    watches = {"api-production": crash_loop(), "web-production": watch()}
    decision = decide(releasing(release(hold=hold, watches=watches)), NOW)
    assert not acts_of(decision, RevertCommit)
    assert current(decision).hold == hold
    assert current(decision).outcomes["api"] is Outcome.FAILED
    assert [each.version for each in decision.target.quarantine] == ["api-v9.1.1"]


def test_each_that_failed_goes_back_and_into_quarantine() -> None:
    both = {f"{service}-production": crash_loop() for service in STAGING}
    decision = decide(releasing(release(watches=both), policy=pipeline(together="proven")), NOW)
    assert act_of(decision, RevertCommit).services == ("api", "web")
    found = {each.service: each.version for each in decision.target.quarantine}
    assert found == STAGING


# back again ---------------------------------------------------------------------------------


def put_back(watches: dict[str, Watch], **changed: Any) -> Decision:
    revert = Revert(
        ("api", "web"),
        "crashed",
        "pilotage",
        ago(minutes=2),
        sha=OLD_HEAD,
        landed_at=ago(minutes=1),
        watches=watches,
    )
    facts: dict[str, Any] = {
        "state": State.REVERTING,
        "outcomes": dict.fromkeys(STAGING, Outcome.REVERTING),
        "reasons": dict.fromkeys(STAGING, "crashed"),
        "watches": {},
        "reverts": (revert,),
    }
    before = releasing(
        release(**(facts | changed)),
        policy=REGIONS,
        running=PRODUCTION,
        release_at_head=texts(PRODUCTION),
    )
    return decide(before, NOW)


@pytest.mark.runbook("SYRF-10")
@pytest.mark.parametrize("site", SITES)
def test_a_service_is_back_once_each_of_its_applications_is(site: str) -> None:
    waiting = put_back(watched(**{site: pending()}))
    assert current(waiting).outcomes == {"api": Outcome.REVERTING, "web": Outcome.REVERTED}
    assert current(waiting).state is State.REVERTING
    assert [each.state for each in put_back(watched()).ended] == [State.REVERTED]


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize(
    "bad", [crash_loop(), watch(Held(HoldReason.BLIND, "nothing could be learnt"))]
)
def test_a_revert_that_goes_wrong_anywhere_asks_a_person(site: str, bad: Watch) -> None:
    held = current(put_back(watched(**{site: bad})))
    assert held.hold is not None
    assert held.hold.subject is Subject.REVERT
    assert held.outcomes["api"] is Outcome.REVERTING


def test_who_replaced_the_old_value_meanwhile_is_judged_and_not_we() -> None:
    decision = put_back(watched(asia=watch(Overtaken(BY_HAND))))
    (ended,) = decision.ended
    assert ended.outcomes == {"api": Outcome.OVERTAKEN, "web": Outcome.REVERTED}
    assert EventKind.OVERTAKEN in told(decision)


def test_what_was_overtaken_keeps_no_revert_from_going_on() -> None:
    """One of its services is over: the other one's putting-back has still to be made."""
    outcomes = {"api": Outcome.OVERTAKEN, "web": Outcome.REVERTING}
    asked = Revert(("api", "web"), "crashed", "pilotage", ago(minutes=2))
    now = {"api": "api-v9.1.2", "web": "web-v5.0.1"}
    waiting = release(state=State.REVERTING, outcomes=outcomes, reverts=(asked,))
    before = releasing(waiting, running=now, release_at_head=texts(now))
    assert act_of(decide(before, NOW), RevertCommit).services == ("web",)


def test_what_is_on_its_way_back_is_not_begun_again() -> None:
    asked = Revert(("api", "web"), "crashed", "pilotage", ago(minutes=2))
    outcomes = dict.fromkeys(STAGING, Outcome.REVERTING)
    before = releasing(release(state=State.REVERTING, outcomes=outcomes, reverts=(asked,)))
    act = act_of(decide(before, NOW), RevertCommit)
    again = decide(replace(before, pending=frozenset({act.key})), NOW)
    assert not acts_of(again, RevertCommit)
    assert current(again).outcomes == outcomes


def test_a_landed_revert_keeps_the_target_awake_until_it_is_live() -> None:
    """Also the second one, of what failed later."""
    soon = ago(seconds=-1)
    first = Revert(("web",), "crashed", "pilotage", ago(minutes=9), sha=OLD_HEAD)
    later = replace(first, services=("api",), watches=watched(asia=watch(look_again_at=soon)))
    outcomes = {"api": Outcome.REVERTING, "web": Outcome.REVERTED}
    slow = {name: replace(each, outcome=pending().outcome) for name, each in later.watches.items()}
    later = replace(later, watches=slow)
    assert put_back({}, outcomes=outcomes, reverts=(first, later)).wake_at == soon
