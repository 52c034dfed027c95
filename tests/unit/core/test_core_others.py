"""`pilotage/ready` on other people's pull requests: none of our business, or the same policy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pilotage.core.change import ServiceChange
from pilotage.core.decide import decide
from pilotage.core.forge import READY, Status, StatusState
from pilotage.core.model import Pause, Quarantined, QueueHead
from pilotage.core.snapshot import Known, OtherPullRequest
from tests.unit.core.worlds import (
    HEAD,
    NOW,
    OLD_HEAD,
    OTHER_HEAD,
    PRODUCTION,
    STAGING,
    brief,
    changes,
    opened,
    pipeline,
    policy,
    proofs,
    proposal,
    pull_request,
    ready,
    release,
    snapshot,
    target,
    texts,
)


def status(
    *found: ServiceChange, refusal: str | None = None, **changed: Any
) -> tuple[Status, dict[int, str]]:
    """What #3 with these changes shows, and the heads that are done with."""
    other = OtherPullRequest(brief(), found, refusal)
    decision = decide(snapshot(others=(other,), **changed), NOW)
    shown = [
        each.statuses[OTHER_HEAD, READY] for each in decision.outputs if each.pull_request == 3
    ]
    assert len(shown) == 1
    return shown[0], dict(decision.target.ready_for)


def test_who_touches_no_promoted_value_is_free_at_once() -> None:
    shown, done = status()
    assert (shown.state, shown.description) == (StatusState.SUCCESS, "no promoted value touched")
    assert done == {3: OTHER_HEAD}, "and is not looked at again"


def test_a_pause_does_not_keep_strangers_from_merging() -> None:
    shown, _ = status(target=target(pause=Pause("freeze", "ops", NOW)))
    assert shown.state is StatusState.SUCCESS


def test_proven_values_are_ready_and_looked_at_again() -> None:
    shown, done = status(*changes())
    assert shown.state is StatusState.SUCCESS
    assert done == {}


@pytest.mark.runbook("SYRF-15")
@pytest.mark.parametrize(
    ("found", "changed", "state", "text"),
    [
        (changes(), {"target": target(proofs=())}, StatusState.PENDING, "not been seen live"),
        (
            changes(),
            {"target": target(pause=Pause("freeze", "ops", NOW))},
            StatusState.FAILURE,
            "paused: freeze",
        ),
        (
            changes(),
            {
                "target": target(release=release(), running=STAGING),
                "release_policy": policy(),
                "release_at_head": texts(),
            },
            StatusState.PENDING,
            "production is verifying syrf-production-1",
        ),
        (
            changes(),
            {"target": target(quarantine=(Quarantined("api", "api-v9.1.1", "crashed", NOW),))},
            StatusState.PENDING,
            "is in quarantine: crashed",
        ),
        (
            changes(),
            {
                "target": target(
                    quarantine=(Quarantined("api", "api-v9.1.1", "crashed", NOW),),
                    history={"api": ("api-v9.0.4", "api-v9.1.1")},
                )
            },
            StatusState.PENDING,
            "is in quarantine: crashed",
        ),
        (
            changes({"api": "latest"}),
            {},
            StatusState.PENDING,
            "is no version that stays what it is",
        ),
    ],
)
def test_going_forward_needs_what_ours_would_need(
    found: tuple[ServiceChange, ...], changed: dict[str, Any], state: StatusState, text: str
) -> None:
    shown, _ = status(*found, **changed)
    assert shown.state is state
    assert text in shown.description


@pytest.mark.runbook("SYRF-11")
@pytest.mark.runbook("SYRF-3")
def test_a_new_service_has_to_be_let_in_before_it_can_be_proven() -> None:
    new = replace(changes()[0], service="new", before=None, after="new-v1.0.0")
    shown, _ = status(new, staging={**STAGING, "new": "new-v1.0.0"})
    assert shown.state is StatusState.PENDING
    assert shown.description == (
        "new is new: let it in first, by /pilotage add new or pilotage promote"
    )


def test_going_back_is_always_free() -> None:
    """Even without proof, and to a version that nobody remembers."""
    shown, _ = status(*changes({"api": "api-v8.0.0"}, PRODUCTION), target=target(proofs=()))
    assert shown.state is StatusState.SUCCESS


def test_what_ran_here_before_needs_no_new_proof() -> None:
    aim = target(proofs=(), history={"api": ("c0ffee1", "4be19f2")})
    shown, _ = status(*changes({"api": "4be19f2"}, {"api": "c0ffee1"}), target=aim)
    assert shown.state is StatusState.SUCCESS


def test_what_cannot_be_judged_is_refused_with_its_reason() -> None:
    shown, _ = status(refusal="edits promoted files of two targets; split it")
    assert (shown.state, shown.description) == (
        StatusState.FAILURE,
        "edits promoted files of two targets; split it",
    )


def test_in_observe_mode_nobody_is_marked_as_done() -> None:
    """Nothing was written, so it is still to be written when the mode changes."""
    other = OtherPullRequest(brief(), ())
    decision = decide(snapshot(others=(other,), policy=pipeline(mode="observe")), NOW)
    assert decision.outputs == ()
    assert decision.target.ready_for == {}


def test_only_the_newest_heads_are_remembered() -> None:
    aim = target(ready_for=dict.fromkeys(range(100, 700), "a" * 40))
    _, done = status(target=aim)
    assert len(done) == 500
    assert 699 in done


@pytest.mark.runbook("SYRF-15")
@pytest.mark.parametrize("proven", ["api", "web"])
def test_every_value_that_it_edits_is_judged(proven: str) -> None:
    shown, _ = status(*changes(), target=target(proofs=proofs({proven: STAGING[proven]})))
    assert shown.state is StatusState.PENDING
    assert "not been seen live" in shown.description


def test_a_second_pull_request_of_our_head_opens_no_gate() -> None:
    """A status belongs to the commit: what is asked of ours is asked of it, however many show it.
    Once ours is closed, the other one is judged by itself."""
    again = OtherPullRequest(brief(head=HEAD), ())
    open_box = proposal(ticks=())
    decision = decide(opened(open_box, others=(again,)), NOW)
    assert ready(decision).state is StatusState.PENDING
    assert 3 not in decision.target.ready_for
    closed = Known(pull_request(open=False, closed_by="li", closed_at=NOW), NOW)
    after = decide(opened(open_box, others=(again,), pull_request=closed), NOW)
    shown = [each.statuses[HEAD, READY] for each in after.outputs if each.pull_request == 3]
    assert [each.state for each in shown] == [StatusState.SUCCESS]


def test_a_merge_queue_hears_what_its_pull_request_hears() -> None:
    queued = (
        QueueHead(OLD_HEAD, f"refs/heads/gh-readonly-queue/main/pr-3-{OLD_HEAD}"),
        QueueHead("9" * 40, f"refs/heads/gh-readonly-queue/main/pr-4-{OLD_HEAD}"),
        QueueHead("8" * 40, f"refs/heads/gh-readonly-queue/main/pr-3-{OTHER_HEAD}"),
    )
    other = OtherPullRequest(brief(), changes())
    decision = decide(snapshot(others=(other,), queued=queued, target=target(proofs=())), NOW)
    (shown,) = [each.statuses for each in decision.outputs if each.pull_request == 3]
    assert {sha for sha, _ in shown} == {OTHER_HEAD, OLD_HEAD, "8" * 40}
    assert {each.state for each in shown.values()} == {StatusState.PENDING}
