"""What an act's result does to the target: each act and each way to end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pilotage.core.acts import (
    Act,
    ClosePullRequest,
    CommitBranch,
    Committed,
    Done,
    Opened,
    OpenPullRequest,
    Outrun,
    Refused,
    Result,
    RevertCommit,
    Reverted,
    TerminateOperation,
    WriteFiles,
)
from pilotage.core.decide import decide
from pilotage.core.model import Outcome, Promotion, Revert, State, Subject, Target
from pilotage.core.results import apply, is_stale, told
from tests.unit.core.worlds import (
    BASE,
    HEAD,
    NOW,
    OLD_HEAD,
    STAGING,
    act_of,
    ago,
    proposal,
    release,
    snapshot,
    target,
    texts,
)

NAME = "syrf-production-1"


def unopened(**changed: Any) -> Promotion:
    facts = {"pull_request": None, "pull_request_url": "", "opened_at": None, "branch_head": None}
    return proposal(**(facts | changed))


def commit(branch: str = proposal().branch) -> CommitBranch:
    return CommitBranch("k", NAME, branch, BASE, None, texts(), "why", NOW)


def opening(branch: str = proposal().branch) -> OpenPullRequest:
    return OpenPullRequest("k", NAME, branch, "main", "Promote", "marker")


CLOSE = ClosePullRequest("k", NAME, 7, "over")
STOP = TerminateOperation("k", NAME, "api-production", "at noon")


def revert(index: int = 1, attempt: int = 1) -> RevertCommit:
    side, key = f"side-{index}", f"{NAME}/revert/{index}/{attempt}"
    contents = WriteFiles(texts())
    return RevertCommit(
        key, NAME, ("api",), BASE, "main", side, contents, "title", "why", NOW, False
    )


def reverting() -> Promotion:
    """web is back; api is on its way."""
    first = Revert(("web",), "slow", "li", ago(minutes=9), sha=OLD_HEAD)
    second = Revert(("api",), "crashed", "pilotage", ago(minutes=1))
    return release(
        state=State.REVERTING,
        outcomes={"api": Outcome.REVERTING, "web": Outcome.REVERTED},
        reverts=(first, second),
    )


def after(before: Promotion, act: Act, result: Result) -> Promotion:
    """Beside it something else is under way, which no result of its own acts touches."""
    is_release = before.merge is not None
    other = release(id="other") if not is_release else proposal(id="other")
    both = {"release": before, "proposal": other} if is_release else {"release": other}
    aim = target(**({"proposal": before} | both))
    found = apply(aim, act, result, NOW)
    after, beside = (
        (found.release, found.proposal) if is_release else (found.proposal, found.release)
    )
    assert beside == other
    assert after is not None
    return after


AGAIN = {
    "state": State.OBSERVING,
    "run": "18277361-1",
    "branch": "",
    "branch_head": None,
}
"""It is proposed anew, under another name."""


@pytest.mark.parametrize(
    ("before", "act", "result", "changed"),
    [
        (unopened(), commit(), Committed(OLD_HEAD), {"branch_head": OLD_HEAD}),
        (unopened(), commit(), Outrun("taken"), AGAIN),
        (unopened(), commit("an-older-one"), Outrun("taken"), {}),
        (proposal(), commit(), Outrun("a person's commit is there"), {}),
        (
            unopened(branch_head=HEAD),
            opening(),
            Opened(9, "https://9"),
            {"pull_request": 9, "pull_request_url": "https://9", "opened_at": NOW},
        ),
        (unopened(branch_head=HEAD), opening(), Outrun("somebody's is open"), AGAIN),
        (unopened(branch_head=HEAD), opening("an-older-one"), Outrun("taken"), {}),
        (unopened(), opening(), Outrun("there is no branch"), {}),
        (proposal(), CLOSE, Done(), {"ended_at": NOW}),
        (proposal(ended_at=ago(hours=1)), CLOSE, Done(), {}),
        (release(), STOP, Done(), {"terminated": ("at noon",)}),
        (release(), STOP, Outrun("it is over"), {}),
        (release(), STOP, Refused("403"), {}),
    ],
)
def test_what_comes_of_an_act(
    before: Promotion, act: Act, result: Result, changed: dict[str, Any]
) -> None:
    assert after(before, act, result) == replace(before, **changed)


@pytest.mark.parametrize("act", [commit(), opening(), CLOSE])
def test_a_refusal_is_held_for_a_person_and_told_with_the_next_look(act: Act) -> None:
    hold = after(proposal(), act, Refused("403")).hold
    assert hold is not None
    assert (hold.subject, hold.reason, hold.told) == (Subject.ACT, "403", False)
    held = proposal().held(Subject.PERSON, "the fair", NOW, "li")
    assert after(held, act, Refused("403")) == held, "what was held before stays so"


def test_a_revert_that_landed_is_known_as_ours() -> None:
    """Not as a person's rollback; and the other putting-back stays what it is."""
    before = reverting()
    found = apply(target(release=before), revert(2), Reverted("8" * 40, 12), NOW)
    assert found.landed == ("8" * 40,)
    assert found.release is not None
    done = replace(before.reverts[1], sha="8" * 40, branch="side-2", pull_request=12, landed_at=NOW)
    assert found.release.reverts == (before.reverts[0], done)


def test_a_revert_that_waits_for_its_pull_request_has_not_landed() -> None:
    before = reverting()
    found = apply(target(release=before), revert(2), Reverted(None, 12, "", "GH006"), NOW)
    assert found.landed == ()
    assert found.release is not None
    waiting = found.release.reverts[1]
    assert (waiting.sha, waiting.landed_at) == (None, None)
    assert (waiting.pull_request, waiting.why_waiting) == (12, "GH006")


def test_a_revert_that_was_outrun_is_made_anew_under_a_new_key() -> None:
    before = reverting()
    again = after(before, revert(2), Outrun("main has moved on"))
    assert [each.attempt for each in again.reverts] == [1, 2]
    assert after(again, revert(2), Outrun("it is told twice")) == again
    assert after(again, revert(2), Reverted("8" * 40)) == again, "another attempt counts by now"
    assert after(again, revert(2, 2), Reverted("8" * 40)).reverts[1].sha == "8" * 40


def test_an_act_of_what_has_left_changes_nothing() -> None:
    for aim in (target(), target(proposal=proposal(id="other"), release=release(id="more"))):
        assert apply(aim, commit(), Committed(OLD_HEAD), NOW) == aim


@pytest.mark.parametrize(
    ("aim", "act", "stale"),
    [
        (target(proposal=unopened(branch_head=HEAD)), opening(), False),
        (target(proposal=unopened(branch_head=HEAD)), opening("an-older-one"), True),
        (target(proposal=unopened()), opening(), True),
        (target(), opening(), False),
        (target(proposal=unopened()), commit("an-older-one"), False),
        (target(proposal=proposal()), CLOSE, False),
    ],
)
def test_no_pull_request_is_opened_from_a_branch_that_is_not_ours(
    aim: Target, act: Act, stale: bool
) -> None:
    assert is_stale(aim, act) is stale


@pytest.mark.parametrize(
    ("act", "result", "text", "data"),
    [
        (opening("b"), Opened(9, "https://9"), "opened #9 from b", {"url": "https://9"}),
        (revert(), Reverted("8" * 40), "api put back by 8888888", {"commit": "8" * 40}),
        (revert(), Reverted(None, 12, "", "GH006"), "the revert waits in #12: GH006", {}),
        (commit(), Refused("403"), "commit_branch: 403", {}),
        (commit(), Committed(OLD_HEAD), None, {}),
        (opening(), Outrun("taken"), None, {}),
    ],
)
def test_what_history_says_of_it(
    act: Act, result: Result, text: str | None, data: dict[str, str]
) -> None:
    events = told(act, result, NOW)
    assert [each.text for each in events] == ([] if text is None else [text])
    assert [each.promotion for each in events] == ([] if text is None else [NAME])
    assert all(each.data == data for each in events)


def test_what_was_taken_is_proposed_again_under_a_key_of_its_own() -> None:
    first = decide(snapshot(), NOW)
    taken = apply(first.target, act_of(first, CommitBranch), Outrun("taken"), NOW)
    again = decide(snapshot(target=taken), NOW)
    assert act_of(again, CommitBranch).key != act_of(first, CommitBranch).key
    assert act_of(again, OpenPullRequest).branch != act_of(first, OpenPullRequest).branch
    assert act_of(again, OpenPullRequest).key != act_of(first, OpenPullRequest).key
    assert set(STAGING) == set(again.target.proposal.services if again.target.proposal else ())
