"""A pull request that is open while the world goes on: what is written to its branch, and what
never is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pilotage.core.acts import CommitBranch, Notify
from pilotage.core.application import (
    Application,
    CannotSee,
    Gone,
    Operation,
    Phase,
)
from pilotage.core.decide import decide
from pilotage.core.decision import Draft
from pilotage.core.forge import Review
from pilotage.core.model import Hold, Pause, Refusal, Subject, Tick
from pilotage.core.picture import picture
from pilotage.core.rolling import touched
from pilotage.core.snapshot import Known, Snapshot, Unknown
from tests.unit.core.test_core_proof import looked
from tests.unit.core.worlds import (
    BY_HAND,
    HEAD,
    NOW,
    OLD_HEAD,
    PRODUCTION,
    STAGING,
    act_of,
    acts_of,
    ago,
    application,
    opened,
    pipeline,
    production,
    proofs,
    proposal,
    pull_request,
    said,
    target,
    texts,
)

NEWER = {"api": "api-v9.2.0", "web": "web-v5.0.1"}
REVIEW = Review("maria", "approved", HEAD, NOW)


def newer(given: Any = None, aim: dict[str, Any] | None = None, **changed: Any) -> Snapshot:
    """Staging has proven a newer set; nobody has touched the one that is open."""
    promotion = given or proposal(ticks=())
    facts = {"proposal": promotion, "proofs": proofs(NEWER) + proofs(), "last_number": 1}
    known = target(**(facts | (aim or {})))
    return opened(promotion, staging=NEWER, target=known, **changed)


def edited(given: Any = None, **changed: Any) -> Snapshot:
    """The set is the same, and somebody edited one of its files on main."""
    there = texts(PRODUCTION)
    return opened(given, edited_on_base=True, proposal_at_head=there, **changed)


# who has touched it ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ticks", "reviews", "is_touched"),
    [
        ((), Known((), NOW), False),
        ((), None, False),
        ((), Unknown("502", NOW), True),
        ((), Known((replace(REVIEW, state="commented"),), NOW), False),
        ((), Known((replace(REVIEW, state="commented"), REVIEW), NOW), True),
        ((), Known((replace(REVIEW, state="changes_requested"),), NOW), True),
        ((Tick("feature", "li", NOW),), None, True),
    ],
)
def test_a_tick_or_a_review_is_a_persons_work(
    ticks: tuple[Tick, ...], reviews: Any, is_touched: bool
) -> None:
    """What cannot be read may be somebody's."""
    given = proposal(ticks=ticks)
    assert touched(Draft(opened(given, reviews=reviews), NOW), given) is is_touched


@pytest.mark.parametrize(
    ("roll", "reviewed", "asked", "rolls"),
    [
        ("always", True, False, True),
        ("never", False, False, False),
        ("never", False, True, True),
        ("until-touched", False, False, True),
        ("until-touched", True, False, False),
        ("until-touched", True, True, True),
    ],
)
def test_when_a_newer_set_comes_in(roll: str, reviewed: bool, asked: bool, rolls: bool) -> None:
    given = proposal(ticks=(), roll_asked=asked)
    reviews = Known((REVIEW,) if reviewed else (), NOW)
    decision = decide(newer(given, policy=production(roll=roll), reviews=reviews), NOW)
    assert bool(acts_of(decision, CommitBranch)) is rolls
    after = decision.target.proposal
    assert after is not None
    assert dict(after.versions) == (NEWER if rolls else STAGING)
    assert {each.after for each in after.waiting} == (set() if rolls else set(NEWER.values()))


# what is written ---------------------------------------------------------------------------------


def test_each_set_is_written_once_under_a_key_of_its_own() -> None:
    """On the same base: else the act would be known already, and never done."""
    first = decide(newer(), NOW)
    one = first.target.proposal
    assert one is not None
    assert (one.generation, one.ticks, one.waiting, one.roll_asked) == (2, (), (), False)
    pending = frozenset({act_of(first, CommitBranch).key})
    meanwhile = decide(newer(one, pending=pending), NOW)
    assert not acts_of(meanwhile, CommitBranch), "the next one goes on top of its result"
    back = replace(one, branch_head=OLD_HEAD)
    on_head = Known(pull_request(head=OLD_HEAD), NOW)
    again = decide(opened(back, pull_request=on_head), NOW)
    assert act_of(again, CommitBranch).key not in pending
    assert act_of(again, CommitBranch).expected == OLD_HEAD


def test_a_file_that_was_edited_on_the_base_is_built_upon() -> None:
    decision = decide(edited(), NOW)
    act = act_of(decision, CommitBranch)
    assert (act.expected, act.files) == (HEAD, texts())
    after = decision.target.proposal
    assert after is not None
    assert after.generation == 2
    assert after.ticks == proposal().ticks, "it is the set that was ticked"
    known = decide(opened(), NOW).target.proposal
    assert known is not None
    assert known.generation == 1, "otherwise the branch stays as it is"


def test_a_set_whose_commit_was_refused_is_written_when_somebody_resumes() -> None:
    older = Known(PRODUCTION, NOW)
    act = act_of(decide(opened(versions_on_head=older), NOW), CommitBranch)
    assert (act.expected, act.files) == (HEAD, texts())
    held = proposal(hold=Hold(Subject.ACT, "403", NOW, "pilotage"))
    assert not acts_of(decide(opened(held, versions_on_head=older), NOW), CommitBranch)


def test_a_newer_set_that_a_person_closed_does_not_come_in() -> None:
    refused = Refusal(tuple(sorted(NEWER.items())), "syrf-production-0", NOW, "li")
    other = Refusal((("api", "api-v9.1.9"),), "syrf-production-9", NOW, "li")
    decision = decide(newer(aim={"refused": (other, refused)}), NOW)
    assert not acts_of(decision, CommitBranch)
    assert decision.target.proposal is not None
    assert decision.target.proposal.waiting == ()


@pytest.mark.parametrize("world", [newer, edited])
@pytest.mark.parametrize(
    ("given", "aim", "changed"),
    [
        ({}, {}, {"pull_request": Known(pull_request(head=BY_HAND), NOW)}),
        ({"branch_head": None}, {}, {}),
        ({"hold": Hold(Subject.PERSON, "the fair", NOW, "li")}, {}, {}),
        ({}, {"pause": Pause("freeze", "ops", NOW)}, {}),
        ({}, {"config_problem": "line 3: unknown key"}, {}),
        ({}, {}, {"policy": pipeline(mode="observe")}),
    ],
    ids=["a person's commit", "no commit of ours", "held", "paused", "bad policy", "observing"],
)
def test_what_keeps_the_branch_as_it_is(
    world: Any, given: dict[str, Any], aim: dict[str, Any], changed: dict[str, Any]
) -> None:
    promotion = proposal(ticks=(), **given)
    known = {"proposal": promotion, "last_number": 1} | aim
    if world is newer:
        before = newer(promotion, aim, **changed)
    else:
        before = edited(promotion, target=target(**known), **changed)
    decision = decide(before, NOW)
    assert not acts_of(decision, CommitBranch), said(decision)
    assert decision.target.proposal is not None
    assert decision.target.proposal.versions == promotion.versions


# the picture from before the merge ---------------------------------------------------------------


def running(phase: Phase) -> Application:
    operation = Operation(phase, started_at=ago(minutes=1))
    return application("api-production", uid="newer", last_operation=operation)


@pytest.mark.parametrize(
    ("found", "is_taken"),
    [
        (application("api-production", uid="newer"), True),
        (running(Phase.SUCCEEDED), True),
        (running(Phase.RUNNING), False),
        (application("api-production", uid="newer", being_deleted=True), False),
        (Gone("no such application"), False),
        (CannotSee("connection refused"), False),
    ],
)
def test_a_picture_is_of_what_stands_still(
    found: Application | Gone | CannotSee, is_taken: bool
) -> None:
    """What cannot be told now stays as it was seen last; what is under way tells nothing."""
    before = proposal().picture
    after = picture(proposal(), {"api-production": looked(found)})
    newest = {"api-production": found} if is_taken else {}
    assert after == {**before, **newest}


def test_the_picture_is_taken_at_each_look_that_saw_something() -> None:
    old = proposal(pictured_at=ago(minutes=5))
    found = application("api-production", uid="newer")
    seen = decide(opened(old, sights={"api-production": looked(found)}), NOW).target.proposal
    assert seen is not None
    assert seen.picture["api-production"] == found
    assert seen.pictured_at == NOW
    unseen = decide(opened(old), NOW).target.proposal
    assert unseen is not None
    assert unseen.pictured_at == ago(minutes=5)


# what people hear --------------------------------------------------------------------------------


def test_each_channel_gets_its_message_whatever_becomes_of_the_other() -> None:
    both = production(notify="[ops, crew]")
    sent = acts_of(decide(opened(policy=both), NOW), Notify)
    assert [each.channels for each in sent] == [("ops",), ("crew",)]
    assert len({each.key for each in sent}) == 2
    alone = act_of(decide(opened(policy=production(notify="[ops]")), NOW), Notify)
    assert alone.channels == ("ops",)
