"""`decide`, end to end: each state, one fact changed; and what must not be among the acts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pilotage.core.acts import (
    AnswerComment,
    ClosePullRequest,
    CommitBranch,
    Notify,
    OpenPullRequest,
    RevertCommit,
    WriteFiles,
)
from pilotage.core.application import Health
from pilotage.core.decide import decide
from pilotage.core.decision import EventKind
from pilotage.core.forge import StatusState
from pilotage.core.model import (
    Hold,
    Origin,
    Outcome,
    Pause,
    Quarantined,
    Refusal,
    Revert,
    State,
    Subject,
)
from pilotage.core.rollout.watch import Held, HoldReason, Overtaken
from pilotage.core.snapshot import Known, MergeSeen, Reading, Snapshot, Unknown
from tests.unit.core.worlds import (
    BASE,
    BY_HAND,
    HEAD,
    MERGED,
    NOW,
    OLD_HEAD,
    PRODUCTION,
    STAGING,
    act_of,
    acts_of,
    ago,
    application,
    brief,
    changes,
    command,
    commanded,
    crash_loop,
    kinds,
    merged_pull_request,
    opened,
    pending,
    pipeline,
    policy,
    production,
    proof,
    proofs,
    proposal,
    pull_request,
    ready,
    release,
    releasing,
    said,
    snapshot,
    target,
    texts,
    told,
    watch,
    written,
)

MIGRATIONS_OPEN = proposal().ticks[:1]


# observing ----------------------------------------------------------------------------------


@pytest.mark.runbook("SYRF-1")
@pytest.mark.runbook("SYRF-2")
@pytest.mark.runbook("SYRF-4")
def test_a_proven_difference_becomes_one_pull_request() -> None:
    """Nobody acts: the comparison alone commits every proven service and opens the request."""
    decision = decide(snapshot(), NOW)
    commit, opening = act_of(decision, CommitBranch), act_of(decision, OpenPullRequest)
    assert sorted(commit.files) == sorted(texts())
    assert commit.expected is None
    assert (commit.base, commit.branch) == (BASE, opening.branch)
    assert opening.branch == f"production-promotion-{snapshot().plan.source[:7]}"
    assert decision.target.proposal is not None
    assert decision.target.proposal.state is State.OPEN
    assert decision.outputs[0].labels == {"requires-review"}
    assert decision.target.last_number == decision.target.proposal.number == 1


def test_the_branch_carries_the_run_that_deployed_staging() -> None:
    decision = decide(snapshot(target=target(run_hint="18277361")), NOW)
    assert act_of(decision, OpenPullRequest).branch == "production-promotion-18277361"
    assert decision.target.run_hint is None, "it is the run of this one only"


def test_nothing_is_done_while_both_are_the_same() -> None:
    decision = decide(snapshot(running=STAGING, target=target(running=STAGING)), NOW)
    assert decision.acts == ()
    assert decision.target.proposal is None
    assert "are the same" in said(decision)


@pytest.mark.runbook("SYRF-2")
def test_one_unproven_service_keeps_all_back() -> None:
    decision = decide(snapshot(target=target(proofs=proofs({"api": "api-v9.1.1"}))), NOW)
    assert decision.acts == ()
    assert "web: web v5.0.1 has not been seen live in staging yet" in said(decision)
    assert "together: api waits for web: `together` is `all`" in said(decision)
    assert decision.target.proposal is not None
    assert decision.target.proposal.state is State.OBSERVING


def test_together_proven_promotes_what_is_proven_alone() -> None:
    alone = target(proofs=proofs({"api": "api-v9.1.1"}))
    decision = decide(snapshot(policy=pipeline(together="proven"), target=alone), NOW)
    assert decision.target.proposal is not None
    assert decision.target.proposal.services == ("api",)
    assert len(act_of(decision, CommitBranch).files) == 1


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"pause": Pause("freeze", "ops", NOW)}, "paused by ops: freeze"),
        (
            {"refused": (Refusal(proposal().versions, "syrf-production-1", NOW, "li"),)},
            "li closed syrf-production-1, which had exactly this set",
        ),
        (
            {"quarantine": (Quarantined("api", "api-v9.1.1", "crashed", NOW),)},
            "api v9.1.1 is in quarantine: crashed",
        ),
        (
            {"proofs": (proof("api", "api-v9.1.1"), proof("web", "web-v5.0.1", proven_at=None))},
            "web v5.0.1 soaks in staging until",
        ),
        (
            {
                "proposal": proposal(
                    state=State.OBSERVING, hold=Hold(Subject.PERSON, "wait", NOW, "li")
                )
            },
            "held by li: wait",
        ),
        ({"config_problem": "line 3: unknown key"}, "line 3: unknown key"),
    ],
)
def test_what_keeps_a_pull_request_from_being_opened(
    changed: dict[str, object], reason: str
) -> None:
    decision = decide(snapshot(target=target(**changed)), NOW)
    assert decision.acts == ()
    assert reason in said(decision)


def test_somebody_elses_request_of_our_pattern_blocks() -> None:
    """A team's older job: two promotions of the same must not stand side by side."""
    foreign = brief(author="ci-bot", head_branch="production-promotion-1")
    decision = decide(snapshot(foreign=foreign), NOW)
    assert not {"commit_branch", "open_pull_request"} & set(kinds(decision))
    assert "#3 by ci-bot is open from production-promotion-1" in said(decision)


def test_observe_mode_decides_and_writes_nothing() -> None:
    decision = decide(snapshot(policy=pipeline(mode="observe")), NOW)
    assert (decision.acts, decision.outputs) == ((), ())
    assert "would open a pull request: api v9.1.1, web v5.0.1" in said(decision)


@pytest.mark.runbook("SYRF-15")
def test_an_older_version_is_not_proposed() -> None:
    decision = decide(
        snapshot(
            staging={"api": "api-v9.0.3"}, target=target(proofs=proofs({"api": "api-v9.0.3"}))
        ),
        NOW,
    )
    assert decision.acts == ()
    assert "is older than v9.0.4, which production runs" in said(decision)


@pytest.mark.runbook("SYRF-15")
def test_an_older_version_is_proposed_where_that_is_allowed() -> None:
    known = (*proofs({"api": "api-v9.0.3"}), *proofs({"api": "api-v9.0.4"}))
    decision = decide(
        snapshot(
            policy=pipeline(versions="{ backwards: allow }"),
            staging={"api": "api-v9.0.3"},
            target=target(proofs=known),
        ),
        NOW,
    )
    assert "open_pull_request" in kinds(decision)
    assert "api v9.0.4 to v9.0.3: back (-1 patch)" in said(decision)


def test_the_next_look_is_never_in_the_past_and_never_never() -> None:
    decision = decide(snapshot(), NOW)
    assert NOW <= decision.wake_at <= NOW + timedelta(minutes=5)


def test_a_soak_that_is_over_leaves_no_busy_loop() -> None:
    """The wake-up at the end of the soak proves it, even if no look at Argo CD is due then."""
    live = {"api-staging": watch()}
    soaked = proof("api", "api-v9.1.1", live_since=ago(minutes=15), proven_at=None, watches=live)
    decision = decide(snapshot(staging={"api": "api-v9.1.1"}, target=target(proofs=(soaked,))), NOW)
    assert "open_pull_request" in kinds(decision)


# open ---------------------------------------------------------------------------------------


def test_with_every_gate_open_the_merge_is_free() -> None:
    decision = decide(opened(), NOW)
    assert ready(decision).state is StatusState.SUCCESS
    assert kinds(decision) == ["notify"]


@pytest.mark.runbook("SYRF-6")
@pytest.mark.runbook("SYRF-7")
def test_an_open_box_keeps_the_merge_closed_and_says_which() -> None:
    decision = decide(opened(proposal(ticks=MIGRATIONS_OPEN)), NOW)
    status = ready(decision)
    assert status.state is StatusState.PENDING
    assert status.description.startswith("1 box open; tick “Database migrations successful")


def test_a_pause_turns_ready_red_and_starts_nothing() -> None:
    paused = target(proposal=proposal(), pause=Pause("freeze", "ops", NOW), last_number=1)
    decision = decide(opened(target=paused), NOW)
    assert ready(decision).state is StatusState.FAILURE
    assert not {"commit_branch", "revert_commit", "open_pull_request"} & set(kinds(decision))


def test_a_newer_proven_set_replaces_an_untouched_one() -> None:
    newer = {"api": "api-v9.2.0", "web": "web-v5.0.1"}
    given = proposal(ticks=())
    before = opened(
        given,
        staging=newer,
        target=target(proposal=given, proofs=proofs(newer), last_number=1),
    )
    decision = decide(before, NOW)
    commit = act_of(decision, CommitBranch)
    rolled = decision.target.proposal
    assert rolled is not None
    assert (commit.expected, commit.branch) == (HEAD, given.branch)
    assert dict(rolled.versions) == newer
    assert [old.version for old in rolled.superseded] == ["api-v9.1.1"]
    assert ready(decision).state is StatusState.PENDING, "the head still holds the old set"
    assert "take back the commit" not in ready(decision).description, "nobody wrote one"
    assert not acts_of(decision, OpenPullRequest)
    again = replace(before, target=decision.target, pending=frozenset([commit.key]))
    assert ready(decide(again, NOW)).state is StatusState.PENDING, "it is not pushed yet"


def test_a_newer_set_waits_once_a_person_has_ticked() -> None:
    newer = {"api": "api-v9.2.0", "web": "web-v5.0.1"}
    before = opened(
        staging=newer, target=target(proposal=proposal(), proofs=proofs(newer) + proofs())
    )
    decision = decide(before, NOW)
    assert not acts_of(decision, CommitBranch)
    assert decision.target.proposal is not None
    assert [each.after for each in decision.target.proposal.waiting] == ["api-v9.2.0", "web-v5.0.1"]
    assert ready(decision).state is StatusState.SUCCESS, "the set under review still stands"
    asked = decide(commanded(replace(before, target=decision.target), command("roll")), NOW)
    assert act_of(asked, CommitBranch).expected == HEAD


def test_a_persons_commit_on_the_branch_is_never_overwritten() -> None:
    newer = {"api": "api-v9.2.0", "web": "web-v5.0.1"}
    given = proposal(ticks=(), roll_asked=True)
    before = opened(
        given,
        staging=newer,
        target=target(proposal=given, proofs=proofs(newer) + proofs()),
        pull_request=Known(pull_request(head=BY_HAND), NOW),
    )
    decision = decide(before, NOW)
    assert not acts_of(decision, CommitBranch)
    assert "a person's commit is on the branch" in said(decision)
    body = decision.outputs[0].body
    assert body is not None
    assert any("commit" in note for note in body.notes), "the reviewer is told of it"


def test_nothing_left_to_change_closes_the_request() -> None:
    before = opened(running=STAGING, target=target(proposal=proposal(), running=STAGING))
    decision = decide(before, NOW)
    assert act_of(decision, ClosePullRequest).number == 7
    assert "nothing left to change" in act_of(decision, ClosePullRequest).comment


@pytest.mark.parametrize("there", ["api", "web"])
def test_what_is_left_to_change_keeps_the_request_open(there: str) -> None:
    """Somebody brought a part of the set to production: the rest is still proposed."""
    now = {**PRODUCTION, there: STAGING[there]}
    before = opened(running=now, target=target(proposal=proposal(), running=now))
    assert not acts_of(decide(before, NOW), ClosePullRequest)


def test_closed_by_a_person_stays_closed_and_refuses_exactly_this_set() -> None:
    closed = pull_request(open=False, closed_by="li", closed_at=NOW)
    before = opened(pull_request=Known(closed, NOW))
    decision = decide(before, NOW)
    assert decision.target.proposal is None
    assert decision.ended[0].state is State.CLOSED
    again = decide(snapshot(target=decision.target), NOW)
    assert again.acts == ()
    newer = {"api": "api-v9.2.0", "web": "web-v5.0.1"}
    other = snapshot(staging=newer, target=replace(decision.target, proofs=proofs(newer)))
    assert acts_of(decide(other, NOW), OpenPullRequest)


def test_github_unreadable_changes_nothing_and_says_so() -> None:
    later = NOW + timedelta(minutes=2)
    decision = decide(opened(pull_request=Unknown("rate limited", NOW, later)), NOW)
    assert decision.target.proposal == proposal()
    assert decision.acts == ()
    assert "#7 cannot be read: rate limited" in said(decision)


# merged -------------------------------------------------------------------------------------


def merged_seen(parent: str = BASE) -> Known[MergeSeen]:
    merge = release().merge
    assert merge is not None
    return Known(MergeSeen(replace(merge, parent=parent), changes()), NOW)


def test_a_merge_starts_the_release_with_what_really_went_in() -> None:
    before = opened(
        pull_request=Known(merged_pull_request(), NOW),
        merged=Known(MergeSeen(merged_seen().value.merge, changes()[:1]), NOW),
    )
    decision = decide(before, NOW)
    started = decision.target.release
    assert started is not None
    assert decision.target.proposal is None
    assert started.state is State.ROLLING_OUT
    assert started.services == ("api",), "the merge says it, not the plan"
    assert MERGED in decision.target.landed


def test_a_merge_that_git_knew_before_github_is_watched_to_its_end() -> None:
    """The values stood in production, so nothing was left to change and the pull request was to be
    closed; then it was seen to be merged."""
    before = opened(running=STAGING, target=target(proposal=proposal(), running=STAGING))
    closing = decide(before, NOW).target
    merged = opened(
        running=STAGING,
        target=closing,
        pull_request=Known(merged_pull_request(), NOW),
        merged=merged_seen(),
    )
    started = decide(merged, NOW).target.release
    assert started is not None
    assert (started.ended_at, started.conclusion) == (None, "")
    watched = decide(replace(merged, target=decide(merged, NOW).target), NOW)
    assert watched.target.release is not None, "it has only begun"


@pytest.mark.parametrize("merged", [None, Unknown("the commit is not fetched yet", NOW)])
def test_our_merge_is_not_taken_for_a_persons_release(merged: Unknown | None) -> None:
    """The branch shows the new values before the merge commit could be read."""
    before = opened(
        running=STAGING,
        pull_request=Known(merged_pull_request(), NOW),
        merged=merged,
        head_moved_by={name: written("maria", MERGED) for name in STAGING},
        written_changes={MERGED: changes()},
    )
    decision = decide(before, NOW)
    assert decision.target.release is None
    assert decision.target.proposal is not None
    assert EventKind.PERSON_RELEASED not in told(decision)
    then = decide(
        replace(before, target=decision.target, merged=merged_seen()), NOW + timedelta(seconds=5)
    )
    assert then.target.release is not None
    assert then.target.release.origin is Origin.SERVICE


def test_our_merge_is_not_a_persons_release_while_github_cannot_be_read() -> None:
    before = opened(
        running=STAGING,
        pull_request=Unknown("502", NOW),
        head_moved_by={name: written("maria", MERGED) for name in STAGING},
        written_changes={MERGED: changes()},
    )
    decision = decide(before, NOW)
    assert decision.target.release is None
    assert EventKind.PERSON_RELEASED not in told(decision)


def test_a_merge_past_a_closed_gate_is_recorded_and_announced() -> None:
    given = proposal(ready="1 box open")
    before = opened(given, pull_request=Known(merged_pull_request(), NOW), merged=merged_seen())
    decision = decide(before, NOW)
    assert decision.target.release is not None
    assert decision.target.release.merge is not None
    assert decision.target.release.merge.outside_gate == "1 box open"
    assert decision.target.release.hold is None
    assert act_of(decision, Notify).event == "outside_gate"


def test_what_was_added_after_the_last_look_was_not_judged() -> None:
    """Every gate was open, but for the set that was shown."""
    more = changes(STAGING | {"admin": "admin-v2.0.0"}, PRODUCTION | {"admin": "admin-v1.0.0"})
    for went_in, outside in ((changes(), None), (more, "admin")):
        merge = Known(MergeSeen(merged_seen().value.merge, went_in), NOW)
        before = opened(pull_request=Known(merged_pull_request(), NOW), merged=merge)
        release_ = decide(before, NOW).target.release
        assert release_ is not None
        assert release_.merge is not None
        found = release_.merge.outside_gate
        assert found is None if outside is None else found is not None and "admin v2.0.0" in found


def test_outside_gate_may_hold() -> None:
    given = proposal(ready="1 box open")
    before = opened(
        given,
        policy=production(outside_gate="hold"),
        pull_request=Known(merged_pull_request(), NOW),
        merged=merged_seen(),
    )
    held = decide(before, NOW).target.release
    assert held is not None
    assert held.hold is not None
    assert held.hold.subject is Subject.OUTSIDE_GATE


# rolling out and verifying ------------------------------------------------------------------


@pytest.mark.runbook("SYRF-8")
def test_live_everywhere_begins_the_verification() -> None:
    fresh = release(
        state=State.ROLLING_OUT,
        outcomes=dict.fromkeys(STAGING, Outcome.ROLLING_OUT),
        live_at=None,
    )
    decision = decide(releasing(fresh), NOW)
    assert decision.target.release is not None
    assert decision.target.release.state is State.VERIFYING
    assert decision.target.release.live_at == NOW
    assert decision.acts == ()


def test_the_end_of_the_verification_is_told_with_its_day() -> None:
    """It may last for days: a time of day alone would be taken for today's."""
    fresh = release(
        state=State.ROLLING_OUT,
        outcomes=dict.fromkeys(STAGING, Outcome.ROLLING_OUT),
        live_at=None,
    )
    events = {event.kind: event.text for event in decide(releasing(fresh), NOW).events}
    assert events[EventKind.VERIFYING] == "live everywhere; verifying until 20 Nov 12:30:00 UTC"


def _one_failed(**changed: Any) -> Snapshot:
    fresh = release(
        state=State.ROLLING_OUT,
        outcomes=dict.fromkeys(STAGING, Outcome.ROLLING_OUT),
        live_at=None,
        watches={"api-production": crash_loop(), "web-production": watch()},
    )
    return releasing(fresh, **changed)


def test_what_goes_back_together_is_not_told_as_verified_before() -> None:
    """That it is live everywhere would be false, and nothing waits for a verification."""
    decision = decide(_one_failed(), NOW)
    assert EventKind.VERIFYING not in {event.kind for event in decision.events}
    assert act_of(decision, RevertCommit).services == ("api", "web")


def test_beside_a_failed_one_only_what_is_live_is_told_to_be_verified() -> None:
    decision = decide(_one_failed(policy=pipeline(together="proven")), NOW)
    events = {event.kind: event.text for event in decision.events}
    assert events[EventKind.VERIFYING] == "web is live; verifying until 20 Nov 12:30:00 UTC"
    assert act_of(decision, RevertCommit).services == ("api",)


def test_one_pending_application_keeps_it_rolling_out() -> None:
    fresh = release(
        state=State.ROLLING_OUT,
        outcomes=dict.fromkeys(STAGING, Outcome.ROLLING_OUT),
        live_at=None,
        watches={"api-production": watch(), "web-production": pending()},
    )
    decision = decide(releasing(fresh), NOW)
    assert decision.target.release is not None
    assert decision.target.release.state is State.ROLLING_OUT
    assert decision.target.release.outcomes["api"] is Outcome.LIVE


@pytest.mark.runbook("SYRF-17")
def test_thirty_quiet_minutes_confirm_it() -> None:
    decision = decide(releasing(release(live_at=ago(minutes=30))), NOW)
    assert decision.target.release is None
    assert decision.ended[0].state is State.CONFIRMED
    assert act_of(decision, Notify).event == "confirmed"
    before = decide(releasing(release(live_at=ago(minutes=29, seconds=59))), NOW)
    assert before.ended == ()


@pytest.mark.runbook("SYRF-10")
def test_a_crash_loop_puts_all_back_and_quarantines_what_failed() -> None:
    failed = release(watches={"api-production": crash_loop(), "web-production": watch()})
    decision = decide(releasing(failed), NOW)
    act = act_of(decision, RevertCommit)
    assert act.services == ("api", "web")
    assert act.contents == WriteFiles(texts(PRODUCTION))
    assert act.base == BASE
    assert act.title.startswith("rollback(api, web): revert production to api v9.0.4, web v5.0.0")
    assert [found.version for found in decision.target.quarantine] == ["api-v9.1.1"]
    assert decision.target.release is not None
    assert decision.target.release.state is State.REVERTING


@pytest.mark.runbook("SYRF-10")
def test_together_proven_puts_back_the_failed_one_alone() -> None:
    failed = release(watches={"api-production": crash_loop(), "web-production": watch()})
    decision = decide(releasing(failed, policy=pipeline(together="proven")), NOW)
    act = act_of(decision, RevertCommit)
    assert act.services == ("api",)
    assert act.title.startswith("rollback(api): revert production to v9.0.4 due to")
    assert decision.target.release is not None
    assert decision.target.release.outcomes["web"] is Outcome.LIVE


@pytest.mark.parametrize(
    ("changed", "subject"),
    [
        ({"picture": {}}, Subject.PICTURE),
        ({"origin": Origin.PERSON}, Subject.FAILURE),
    ],
)
def test_what_is_held_rather_than_put_back(changed: dict[str, object], subject: Subject) -> None:
    failed = release(watches={"api-production": crash_loop(), "web-production": watch()}, **changed)
    decision = decide(releasing(failed), NOW)
    assert not acts_of(decision, RevertCommit)
    assert decision.target.release is not None
    assert decision.target.release.hold is not None
    assert decision.target.release.hold.subject is subject


def test_on_failure_hold_only_asks() -> None:
    failed = release(watches={"api-production": crash_loop(), "web-production": watch()})
    decision = decide(releasing(failed, policy=production(on_failure="hold")), NOW)
    assert not acts_of(decision, RevertCommit)
    assert act_of(decision, Notify).event == "held"


def test_degraded_before_the_merge_is_not_gone_back_to() -> None:
    sick = application("api-production", health=Health.DEGRADED)
    failed = release(
        watches={"api-production": crash_loop(), "web-production": watch()},
        picture={**release().picture, "api-production": sick},
    )
    decision = decide(releasing(failed), NOW)
    assert not acts_of(decision, RevertCommit)


def test_paused_nothing_is_put_back() -> None:
    failed = release(watches={"api-production": crash_loop(), "web-production": watch()})
    paused = target(release=failed, pause=Pause("freeze", "ops", NOW), running=STAGING)
    decision = decide(releasing(target=paused), NOW)
    assert not acts_of(decision, RevertCommit)


def test_blindness_asks_a_person_and_never_reverts() -> None:
    blind = watch(Held(HoldReason.BLIND, "nothing could be learnt for 30 min"))
    decision = decide(
        releasing(release(watches={"api-production": blind, "web-production": watch()})), NOW
    )
    assert kinds(decision) == ["notify"]
    assert decision.target.release is not None
    assert decision.target.release.hold is not None
    assert decision.target.release.hold.subject is Subject.BLIND


def test_a_hold_is_told_once() -> None:
    blind = watch(Held(HoldReason.BLIND, "nothing could be learnt for 30 min"))
    first = releasing(release(watches={"api-production": blind, "web-production": watch()}))
    decision = decide(first, NOW)
    again = decide(replace(first, target=decision.target), NOW + timedelta(minutes=1))
    assert again.acts == ()


def test_a_value_that_somebody_replaced_is_overtaken_not_reverted() -> None:
    overtaken = {name: watch(Overtaken(BY_HAND)) for name in ("api-production", "web-production")}
    decision = decide(releasing(release(watches=overtaken)), NOW)
    assert not acts_of(decision, RevertCommit)
    assert decision.ended[0].state is State.SUPERSEDED


CHECKED = "{ checks: [{ http: 'https://api.example/health' }] }"


def readings(*good: bool | None) -> tuple[Reading, ...]:
    name = "https://api.example/health"
    return tuple(
        Reading(name, each, "500" if each is False else "200", ago(seconds=60 - index))
        for index, each in enumerate(good)
    )


@pytest.mark.runbook("SYRF-9")
@pytest.mark.parametrize(
    ("seen", "reverts"),
    [
        ((False, False, False), True),
        ((False, False, True), False),
        ((False, False, None), False),
        ((None,) * 10, False),
        ((True,), False),
    ],
)
def test_only_wrong_answers_in_a_row_put_it_back(
    seen: tuple[bool | None, ...], reverts: bool
) -> None:
    before = releasing(policy=production(verification=CHECKED), readings=readings(*seen))
    assert bool(acts_of(decide(before, NOW), RevertCommit)) is reverts


def test_a_check_without_a_verdict_is_not_a_confirmation() -> None:
    late = release(live_at=ago(minutes=45))
    decision = decide(releasing(late, policy=production(verification=CHECKED)), NOW)
    assert decision.ended == ()
    assert decision.target.release is not None
    much_later = decide(
        releasing(release(live_at=ago(minutes=61)), policy=production(verification=CHECKED)), NOW
    )
    assert much_later.target.release is not None
    assert much_later.target.release.hold is not None


def test_a_check_that_went_blind_does_not_confirm() -> None:
    """Good at first, and without an answer ever since: unknown waits, and then asks."""
    late = release(live_at=ago(minutes=31))
    went_blind = readings(True, *[None] * 5)
    spread = tuple(
        replace(each, at=NOW - timedelta(seconds=30) * (5 - index))
        for index, each in enumerate(went_blind)
    )
    checked = production(verification=CHECKED)
    waiting = decide(releasing(late, policy=checked, readings=spread), NOW)
    assert waiting.ended == ()
    assert waiting.acts == ()
    later = release(live_at=ago(minutes=61))
    held = decide(releasing(later, policy=checked, readings=spread), NOW)
    assert act_of(held, Notify).event == "held"
    assert held.ended == ()


# reverting ----------------------------------------------------------------------------------


def reverting_release(**changed: object) -> object:
    revert = Revert(("api", "web"), "crashed", "pilotage", ago(minutes=2), **changed)  # type: ignore[arg-type]
    return release(
        state=State.REVERTING,
        outcomes=dict.fromkeys(STAGING, Outcome.REVERTING),
        reasons=dict.fromkeys(STAGING, "crashed"),
        reverts=(revert,),
    )


def test_back_and_live_ends_as_reverted() -> None:
    landed = {"sha": OLD_HEAD, "landed_at": ago(minutes=1)}
    back = {"api-production": watch(), "web-production": watch()}
    before = releasing(reverting_release(**landed, watches=back), running=PRODUCTION)  # type: ignore[arg-type]
    decision = decide(before, NOW)
    assert decision.ended[0].state is State.REVERTED
    assert decision.ended[0].outcomes == dict.fromkeys(STAGING, Outcome.REVERTED)
    assert act_of(decision, Notify).event == "reverted"


def test_a_revert_that_does_not_come_up_is_held_never_reverted() -> None:
    landed = {"sha": OLD_HEAD, "landed_at": ago(minutes=1)}
    back = {"api-production": crash_loop(), "web-production": watch()}
    before = releasing(reverting_release(**landed, watches=back), running=PRODUCTION)  # type: ignore[arg-type]
    decision = decide(before, NOW)
    assert not acts_of(decision, RevertCommit)
    assert decision.target.release is not None
    assert decision.target.release.hold is not None


def test_values_that_are_gone_already_are_not_put_back() -> None:
    before = releasing(reverting_release(), running=PRODUCTION, release_at_head=texts(PRODUCTION))  # type: ignore[arg-type]
    decision = decide(before, NOW)
    assert not acts_of(decision, RevertCommit)
    assert decision.ended[0].state is State.SUPERSEDED


def test_a_service_that_was_replaced_meanwhile_does_not_keep_the_revert_waiting() -> None:
    """Somebody moved web on: api goes back, and web is theirs."""
    now = {"api": "api-v9.1.1", "web": "web-v6.0.0"}
    before = releasing(reverting_release(), running=now, release_at_head=texts(now))  # type: ignore[arg-type]
    decision = decide(before, NOW)
    assert act_of(decision, RevertCommit).services == ("api",)
    assert decision.target.release is not None
    assert decision.target.release.outcomes["web"] is Outcome.OVERTAKEN


def test_the_same_revert_keeps_its_key() -> None:
    """A retry replays the act; it never plans another."""
    before = releasing(reverting_release())  # type: ignore[arg-type]
    first = act_of(decide(before, NOW), RevertCommit)
    again = act_of(
        decide(replace(before, target=decide(before, NOW).target), NOW + timedelta(minutes=1)),
        RevertCommit,
    )
    assert first.key == again.key


# commands -----------------------------------------------------------------------------------


def test_a_command_of_a_stranger_is_refused_and_does_nothing() -> None:
    before = replace(opened(), commands=(command("hold", "no"),))
    decision = decide(before, NOW)
    assert act_of(decision, AnswerComment).reaction == "-1"
    assert decision.target.proposal is not None
    assert decision.target.proposal.hold is None


def test_a_hold_closes_the_gate_until_it_is_taken_away() -> None:
    held = decide(commanded(opened(), command("hold", "wait for CRQ")), NOW)
    assert ready(held).state is StatusState.FAILURE
    assert "wait for CRQ" in ready(held).description
    resumed = decide(commanded(opened(target=held.target), command("resume")), NOW)
    assert ready(resumed).state is StatusState.SUCCESS


def test_an_unknown_command_names_those_there_are() -> None:
    decision = decide(commanded(opened(), command("rolback")), NOW)
    reply = act_of(decision, AnswerComment).reply
    assert reply is not None
    assert "tick, promote, add, rollback, retry and explain" in reply


def test_explain_answers_with_every_gate() -> None:
    decision = decide(commanded(opened(proposal(ticks=MIGRATIONS_OPEN)), command("explain")), NOW)
    reply = act_of(decision, AnswerComment).reply
    assert reply is not None
    assert "1 box open" in reply


@pytest.mark.runbook("SYRF-10")
def test_rollback_by_comment_puts_back_and_quarantines() -> None:
    decision = decide(commanded(releasing(), command("rollback", "api too slow")), NOW)
    act = act_of(decision, RevertCommit)
    assert act.services == ("api",)
    assert act.title == "rollback(api): revert production to v9.0.4 due to too slow"
    assert [found.service for found in decision.target.quarantine] == ["api"]
    assert "Asked for by maria." in act.message


# others at the same time --------------------------------------------------------------------


def test_a_proposal_beside_a_release_waits_for_its_verdict() -> None:
    other = release(id="syrf-production-0", number=0)
    before = opened(
        target=target(proposal=proposal(), release=other, last_number=1),
        release_policy=policy(),
        release_at_head=texts(),
    )
    decision = decide(before, NOW)
    assert ready(decision).state is not StatusState.SUCCESS
    assert "production is verifying syrf-production-0" in ready(decision).description


def test_an_application_that_was_not_looked_at_this_time_keeps_its_next_look() -> None:
    """A wake for another reason must not postpone the second look that confirms live."""
    soon = NOW + timedelta(seconds=1)
    waiting = {f"{name}-production": watch(look_again_at=soon) for name in ("api", "web")}
    decision = decide(releasing(release(watches=waiting), sights={}), NOW)
    assert decision.wake_at == soon


def test_what_no_longer_counts_keeps_nobody_awake() -> None:
    """The watch of a service that was overtaken is over, whenever its next look was to be."""
    soon = NOW + timedelta(seconds=1)
    outcomes = {"api": Outcome.OVERTAKEN, "web": Outcome.ROLLING_OUT}
    watches = {"api-production": watch(look_again_at=soon), "web-production": pending()}
    decision = decide(releasing(release(watches=watches, outcomes=outcomes), sights={}), NOW)
    assert decision.wake_at > soon
