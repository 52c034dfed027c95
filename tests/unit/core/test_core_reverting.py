"""How what goes back gets to the branch: by value or by merge, and what people are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pilotage.core.acts import (
    Notify,
    Refused,
    ReverseMerge,
    RevertCommit,
    Reverted,
)
from pilotage.core.change import Part, ServiceChange, Write
from pilotage.core.decide import decide
from pilotage.core.model import Outcome, Pause, Promotion, Revert, State, Subject
from pilotage.core.results import apply
from pilotage.core.revert import Reverse, ReverseConflict, ReverseTree
from pilotage.core.reverting import to_start
from pilotage.core.rollout.watch import Held, HoldReason
from pilotage.core.snapshot import Known, RevertSeen, Seen, Snapshot, Unknown
from tests.unit.core.worlds import (
    BASE,
    MERGED,
    NOW,
    OLD_HEAD,
    PRODUCTION,
    STAGING,
    act_of,
    acts_of,
    ago,
    changes,
    crash_loop,
    file_path,
    release,
    releasing,
    said,
    target,
    watch,
)

API = file_path("production", "api")
TREE = "7" * 40


def new_api() -> tuple[ServiceChange, ...]:
    """The merge added api as a whole, and moved web on."""
    api, web = changes()
    writes = tuple(replace(write, before=None) for write in api.writes)
    edited_since = Write(API, ".", None, "0" * 40, part=Part.FILE)
    return replace(api, before=None, writes=(*writes, edited_since)), web


def reverting(*, asked_at: Any = None, **changed: Any) -> Promotion:
    revert = Revert(("api", "web"), "crashed", "pilotage", asked_at or ago(minutes=2), **changed)
    return release(
        state=State.REVERTING,
        changes=new_api(),
        outcomes=dict.fromkeys(STAGING, Outcome.REVERTING),
        reasons=dict.fromkeys(STAGING, "crashed"),
        reverts=(revert,),
    )


def looked(reverse: Seen[Reverse] | None, **changed: Any) -> Snapshot:
    return releasing(reverting(**changed), reverse=reverse)


def test_the_reverse_is_waited_for_by_looking_again_at_once() -> None:
    """It costs nothing until it is needed: the look that found that out comes without it."""
    decision = decide(looked(None), NOW)
    assert decision.acts == ()
    assert decision.wake_at == NOW
    assert f"not by value, api: {API} has changed since it went along as a whole" in said(decision)
    assert decision.target.release is not None
    assert len(to_start(decision.target.release)) == 1


def test_the_whole_merge_goes_back_as_the_tree_that_was_read() -> None:
    decision = decide(looked(Known(ReverseTree(TREE), NOW)), NOW)
    act = act_of(decision, RevertCommit)
    assert act.contents == ReverseMerge(MERGED, BASE, TREE)
    assert act.services == ("api", "web")
    assert act.base == BASE
    assert "api: api-v9.1.1 -> nothing" in act.message
    assert f"This reverts commit {MERGED}." in act.message
    again = decide(looked(Known(ReverseTree(TREE), NOW)), NOW + timedelta(minutes=1))
    assert act_of(again, RevertCommit).key == act.key


def test_a_reverse_that_cannot_be_read_is_waited_for_and_then_a_person_is_asked() -> None:
    unread: Seen[Reverse] = Unknown("git did not answer", NOW, NOW + timedelta(seconds=3))
    waiting = decide(looked(unread), NOW)
    assert waiting.acts == ()
    assert waiting.wake_at == NOW + timedelta(seconds=3)
    assert waiting.target.release is not None
    assert waiting.target.release.hold is None
    late = decide(looked(unread, asked_at=ago(hours=1)), NOW)
    assert late.target.release is not None
    assert late.target.release.hold is not None
    assert "git did not answer" in late.target.release.hold.reason
    assert f"git revert -m 1 {MERGED}" in late.target.release.hold.reason


def test_a_conflict_is_held_with_the_paths_and_the_commands() -> None:
    decision = decide(looked(Known(ReverseConflict((API,)), NOW)), NOW)
    assert not acts_of(decision, RevertCommit)
    message = act_of(decision, Notify)
    assert message.event == "held"
    assert f"later work on {API} conflicts" in message.text
    assert f"git revert -m 1 {MERGED}; mend the files; git add -- {API}" in message.text
    held = decision.target.release
    assert held is not None
    assert held.hold is not None
    assert held.hold.subject is Subject.REVERT
    assert to_start(held) == (), "nothing is read for what a person has to do"


def test_paused_the_merge_does_not_go_back() -> None:
    paused = target(release=reverting(), pause=Pause("freeze", "ops", NOW), running=STAGING)
    before = releasing(target=paused, reverse=Known(ReverseTree(TREE), NOW))
    assert not acts_of(decide(before, NOW), RevertCommit)


@pytest.mark.parametrize("whole", [True, False])
def test_a_new_service_needs_no_picture_from_before_the_merge(whole: bool) -> None:
    """Nothing ran that could have been good or bad; of an old one nobody knows."""
    failed = release(
        changes=new_api() if whole else changes(),
        watches={"api-production": crash_loop(), "web-production": watch()},
        picture={"web-production": release().picture["web-production"]},
    )
    decision = decide(releasing(failed), NOW)
    assert decision.target.release is not None
    hold = decision.target.release.hold
    if whole:
        assert hold is None
        assert decision.target.release.state is State.REVERTING
    else:
        assert hold is not None
        assert hold.subject is Subject.PICTURE


def test_a_new_service_is_back_when_its_application_is_gone() -> None:
    """For an old one that is a matter for a person."""
    gone = watch(Held(HoldReason.GONE, "the application is gone"))
    landed = {"sha": OLD_HEAD, "landed_at": ago(minutes=1)}
    watches = {"api-production": gone, "web-production": watch()}
    before = releasing(reverting(**landed, watches=watches), running=PRODUCTION)
    (ended,) = decide(before, NOW).ended
    assert ended.outcomes == dict.fromkeys(STAGING, Outcome.REVERTED)
    assert "api is taken out again (crashed)" in ended.conclusion
    watches = {"api-production": watch(), "web-production": gone}
    before = releasing(reverting(**landed, watches=watches), running=PRODUCTION)
    held = decide(before, NOW).target.release
    assert held is not None
    assert held.hold is not None


# What was refused ---------------------------------------------------------------------------


def revert_act() -> RevertCommit:
    return act_of(decide(looked(Known(ReverseTree(TREE), NOW)), NOW), RevertCommit)


def test_a_refused_revert_says_why_and_how_to_do_it_by_hand() -> None:
    aim = target(release=reverting(), running=STAGING)
    held = apply(aim, revert_act(), Refused("the push to main was refused: GH013"), NOW).release
    assert held is not None
    assert held.hold is not None
    assert held.hold.reason == (
        "cannot put back api, web: the push to main was refused: GH013. "
        f"By hand: git revert -m 1 {MERGED} && git push"
    )
    message = act_of(decide(releasing(held), NOW), Notify)
    assert "GH013" in message.text


def test_what_stays_is_kept_by_the_commands() -> None:
    aim = target(release=reverting(), running=STAGING)
    act = replace(revert_act(), services=("api",))
    held = apply(aim, act, Refused("no"), NOW).release
    assert held is not None
    assert held.hold is not None
    assert f"--source=HEAD -- {file_path('production', 'web')} &&" in held.hold.reason


def test_a_revert_that_waits_in_a_pull_request_says_what_refused_it() -> None:
    """The rule that refused the push, and the one that refused the merge."""
    why = "the push to main was refused: GH006; the merge was refused: 1 approval is missing"
    aim = target(release=reverting(), running=STAGING)
    waiting = apply(aim, revert_act(), Reverted(None, 9, "", why), NOW).release
    assert waiting is not None
    before = releasing(waiting, revert_request=Known(RevertSeen(None, True), NOW))
    decision = decide(before, NOW)
    text, _, step = act_of(decision, Notify).text.partition("\n")
    assert text == f"merge #9 to put production back ({why})"
    assert step == "It goes on when somebody comments /pilotage resume"


@pytest.mark.parametrize("is_open", [True, False])
def test_a_revert_in_a_pull_request_names_its_own_environment(is_open: bool) -> None:
    aim = target(release=reverting(), running=STAGING, environment="europe")
    waiting = apply(aim, revert_act(), Reverted(None, 9, ""), NOW)
    assert waiting.release is not None
    revert_request = Known(RevertSeen(None, is_open), NOW)
    before = releasing(waiting.release, target=waiting, revert_request=revert_request)
    told = act_of(decide(before, NOW), Notify).text
    assert "europe" in told
    assert "production" not in told
