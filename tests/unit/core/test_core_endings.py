"""How a pull request ends, and what a revert that waits in one comes to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pilotage.core.acts import ClosePullRequest, Notify, RevertCommit
from pilotage.core.decide import decide
from pilotage.core.decision import Decision, EventKind
from pilotage.core.model import (
    Hold,
    Outcome,
    Promotion,
    Refusal,
    Revert,
    State,
    Subject,
    Tick,
)
from pilotage.core.reverting import to_start
from pilotage.core.snapshot import Known, MergeSeen, RevertSeen
from tests.unit.core.worlds import (
    MERGED,
    NOW,
    OLD_HEAD,
    PRODUCTION,
    STAGING,
    act_of,
    acts_of,
    ago,
    merged_pull_request,
    opened,
    policy,
    proposal,
    pull_request,
    release,
    releasing,
    said,
    snapshot,
    target,
    texts,
    told,
)

# merged ------------------------------------------------------------------------------------------


def merged(*, into: str = "main", changes: Any = None, **aim: Any) -> Decision:
    merge = release().merge
    assert merge is not None
    went_in = proposal().changes if changes is None else changes
    before = opened(
        target=target(**({"proposal": proposal(), "last_number": 1} | aim)),
        pull_request=Known(merged_pull_request(base_branch=into), NOW),
        merged=Known(MergeSeen(merge, went_in), NOW),
        release_policy=policy(),
        release_at_head=texts(),
    )
    return decide(before, NOW)


def test_what_was_merged_into_another_branch_is_not_released() -> None:
    decision = merged(into="release")
    assert (decision.target.release, decision.target.proposal) == (None, None)
    (ended,) = decision.ended
    assert (ended.state, ended.ended_at) == (State.SUPERSEDED, NOW)
    assert ended.conclusion == "merged by maria into release, not main: nothing is released"
    assert MERGED not in decision.target.landed
    assert decision.wake_at == NOW


def test_a_merge_that_changed_no_promoted_value_is_not_released() -> None:
    decision = merged(changes=())
    assert (decision.target.release, decision.target.proposal) == (None, None)
    (ended,) = decision.ended
    assert (ended.state, ended.ended_at) == (State.SUPERSEDED, NOW)
    assert ended.merge is not None
    assert ended.conclusion.endswith("it changed no promoted value")
    assert any(each.last_word is not None for each in decision.outputs)


def test_what_was_merged_beside_a_release_is_watched_after_it() -> None:
    """One at a time: it stays where it is until the verdict, and says so."""
    other = release(id="syrf-production-0", number=0, pull_request=5)
    decision = merged(release=other)
    assert decision.target.release is not None
    assert decision.target.release.id == other.id
    assert decision.target.proposal is not None
    assert decision.ended == ()
    assert "merged while syrf-production-0 is not decided; watched after it" in said(decision)
    (word,) = [each.last_word for each in decision.outputs if each.pull_request == 7]
    assert word is not None
    assert "syrf-production-0 is not decided" in word.text


# closed, and opened again ------------------------------------------------------------------------


def test_what_we_wanted_to_close_is_closed_until_it_is() -> None:
    over = proposal(ended_at=ago(minutes=1), conclusion="nothing left to change")
    act = act_of(decide(opened(over), NOW), ClosePullRequest)
    assert (act.number, act.comment) == (7, "nothing left to change")
    again = act_of(decide(opened(replace(over, retries=1)), NOW), ClosePullRequest)
    assert again.key != act.key, "after a refusal a person asked for one more try"
    closed = Known(pull_request(open=False, closed_by="pilotage[bot]", closed_at=NOW), NOW)
    decision = decide(opened(over, pull_request=closed), NOW)
    assert [each.state for each in decision.ended] == [State.SUPERSEDED]
    assert (decision.target.proposal, decision.target.refused) == (None, ())


def reopened(newer: Promotion | None, **changed: Any) -> Decision:
    """#7 was closed by li, and is open again."""
    closed = proposal(state=State.CLOSED, ended_at=ago(minutes=5), conclusion="closed by li")
    refused = (
        Refusal(closed.versions, "syrf-production-0", NOW, "maria"),
        Refusal(closed.versions, closed.id, NOW, "li"),
    )
    aim = target(proposal=newer, refused=refused, last_number=2)
    return decide(snapshot(target=aim, reopened=(closed, pull_request()), **changed), NOW)


def test_opened_again_it_goes_on_where_it_was() -> None:
    decision = reopened(None)
    back = decision.target.proposal
    assert back is not None
    assert (back.id, back.state) == ("syrf-production-1", State.OPEN)
    assert (back.ended_at, back.conclusion) == (None, "")
    assert [each.promotion for each in decision.target.refused] == ["syrf-production-0"]
    assert EventKind.REOPENED in told(decision)
    assert decision.wake_at == NOW


def newer(**changed: Any) -> Promotion:
    facts = {"id": "syrf-production-2", "number": 2, "pull_request": 9, "ticks": ()}
    return proposal(**(facts | changed))


@pytest.mark.parametrize(
    ("other", "wins", "closes"),
    [
        (newer(), True, True),
        (newer(ticks=(Tick("feature", "li", NOW),)), False, False),
        (newer(pull_request=None), False, False),
        (newer(state=State.OBSERVING, pull_request=None), True, False),
    ],
    ids=["untouched", "touched", "being opened", "only observed"],
)
def test_a_newer_one_gives_way_unless_somebody_works_on_it(
    other: Promotion, wins: bool, closes: bool
) -> None:
    decision = reopened(other)
    now = decision.target.proposal
    assert now is not None
    assert now.id == ("syrf-production-1" if wins else other.id)
    assert [each.number for each in acts_of(decision, ClosePullRequest)] == [9] * closes
    ended = [(each.id, each.state) for each in decision.ended]
    assert ended == ([(other.id, State.SUPERSEDED)] if closes else [])
    assert (len(decision.target.refused) == 2) is not wins


# a refusal is told once --------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["proposal", "release"])
def test_what_is_held_because_an_act_was_refused_is_told_once(which: str) -> None:
    if which == "proposal":
        before = opened(proposal().held(Subject.ACT, "403", NOW, told=False))
    else:
        before = releasing(release().held(Subject.ACT, "403", NOW, told=False))
    first = decide(before, NOW)
    assert "held" in [each.event for each in acts_of(first, Notify)]
    again = decide(replace(before, target=first.target), NOW)
    assert "held" not in [each.event for each in acts_of(again, Notify)]


# a revert in a pull request ----------------------------------------------------------------------


def waiting(hold: Hold | None = None) -> Promotion:
    revert = Revert(("api", "web"), "crashed", "pilotage", ago(minutes=2), pull_request=9)
    return release(
        state=State.REVERTING,
        outcomes=dict.fromkeys(STAGING, Outcome.REVERTING),
        reasons=dict.fromkeys(STAGING, "crashed"),
        reverts=(revert,),
        hold=hold,
    )


ASKED = Hold(Subject.REVERT, "merge #9 to put production back", NOW, "pilotage")
FAIR = Hold(Subject.PERSON, "the fair", NOW, "li")


@pytest.mark.parametrize(("hold", "kept"), [(None, None), (ASKED, None), (FAIR, FAIR)])
def test_the_merge_of_a_revert_is_watched_as_ours(hold: Hold | None, kept: Hold | None) -> None:
    """What was asked of a person is done; another hold stays."""
    seen = Known(RevertSeen(OLD_HEAD, False), NOW)
    before = releasing(waiting(hold), revert_request=seen, release_at_head=texts(PRODUCTION))
    decision = decide(before, NOW)
    found = decision.target.release
    assert found is not None
    assert (found.reverts[0].sha, found.reverts[0].landed_at) == (OLD_HEAD, NOW)
    assert found.hold == kept
    assert OLD_HEAD in decision.target.landed
    assert EventKind.REVERT_LANDED in told(decision)
    assert decision.wake_at == NOW


@pytest.mark.parametrize("is_open", [True, False])
def test_a_revert_that_somebody_made_needless_is_closed(is_open: bool) -> None:
    seen = Known(RevertSeen(None, is_open), NOW)
    before = releasing(waiting(), revert_request=seen, release_at_head=texts(PRODUCTION))
    decision = decide(before, NOW)
    closed = acts_of(decision, ClosePullRequest)
    key = "syrf-production-1/close-revert/1"
    assert [(each.number, each.promotion, each.key) for each in closed] == [(9, "", key)] * is_open
    (ended,) = decision.ended
    assert ended.outcomes == dict.fromkeys(STAGING, Outcome.OVERTAKEN)


@pytest.mark.parametrize(("hold", "reason"), [(ASKED, "was closed"), (FAIR, "the fair")])
def test_a_revert_that_a_person_closed_is_not_asked_for_again(hold: Hold, reason: str) -> None:
    seen = Known(RevertSeen(None, False), NOW)
    decision = decide(releasing(waiting(hold), revert_request=seen), NOW)
    found = decision.target.release
    assert found is not None
    assert found.hold is not None
    assert reason in found.hold.reason
    assert decision.acts == ()


def test_each_putting_back_goes_its_own_way() -> None:
    """A person asked for web; then api failed as well."""
    web = Revert(("web",), "slow", "maria", ago(minutes=2))
    api = Revert(("api",), "crashed", "pilotage", ago(minutes=1))
    both = replace(waiting(), reverts=(web, api))
    assert to_start(both) == (web, api)
    acts = acts_of(decide(releasing(both), NOW), RevertCommit)
    assert [each.services for each in acts] == [("web",), ("api",)]
    assert len({each.key for each in acts} | {each.side_branch for each in acts}) == 4
    for begun in (replace(web, pull_request=9), replace(web, sha=OLD_HEAD)):
        assert to_start(replace(both, reverts=(begun, api))) == (api,)


def test_who_was_overtaken_is_not_put_back_with_the_others() -> None:
    """Not even where the promoted value stands there again: it is somebody's by now."""
    web = Revert(("web",), "slow", "maria", ago(minutes=2))
    api = Revert(("api",), "crashed", "pilotage", ago(minutes=1))
    outcomes = {"api": Outcome.REVERTING, "web": Outcome.OVERTAKEN}
    both = replace(waiting(), reverts=(web, api), outcomes=outcomes)
    assert act_of(decide(releasing(both), NOW), RevertCommit).services == ("api",)
    assert to_start(both) == (api,)
