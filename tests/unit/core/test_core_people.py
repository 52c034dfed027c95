"""What people did on the branch: never fought, never taken for ours, and watched like a release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pilotage.core.acts import AnswerComment, CommitBranch, OpenPullRequest, RevertCommit
from pilotage.core.change import ServiceChange
from pilotage.core.decide import decide
from pilotage.core.decision import Decision, EventKind
from pilotage.core.model import (
    CheckRecord,
    Hold,
    Origin,
    Outcome,
    Pause,
    Quarantined,
    Revert,
    State,
    Subject,
)
from pilotage.core.people import is_person
from pilotage.core.snapshot import Known, Snapshot, WrittenChanges
from tests.unit.core.worlds import (
    BASE,
    BY_HAND,
    MERGED,
    NOW,
    OLD_HEAD,
    PRODUCTION,
    STAGING,
    act_of,
    acts_of,
    ago,
    changes,
    command,
    commanded,
    crash_loop,
    opened,
    pipeline,
    policy,
    proofs,
    proposal,
    pull_request,
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


def by_hand(
    was: Mapping[str, str], now: Mapping[str, str], *, by: str = "jane", **changed: Any
) -> Snapshot:
    """Somebody pushed `now` where production ran `was`; nothing of ours is under way."""
    aim = changed.pop("target", None) or target(running=was)
    moved = {name: written(by) for name in now if was.get(name) != now[name]}
    steps: tuple[ServiceChange, ...] = changes(now, was)
    facts: dict[str, Any] = {"head_moved_by": moved, "written_changes": {BY_HAND: steps}}
    return snapshot(running=now, target=aim, **(facts | changed))


def quarantined(decision: Decision) -> list[tuple[str, str, str]]:
    return [(each.service, each.version, each.by) for each in decision.target.quarantine]


def test_a_persons_release_beside_an_observed_proposal_has_a_name_of_its_own() -> None:
    """Else the acts of both would share their keys."""
    now = {"api": "api-v9.0.5", "web": "web-v5.0.0"}
    observed = target(running=PRODUCTION, proofs=())
    decision = decide(by_hand(PRODUCTION, now, target=observed), NOW)
    assert decision.target.proposal is not None
    assert decision.target.release is not None
    assert decision.target.proposal.id != decision.target.release.id


@pytest.mark.parametrize(("last", "proposed", "number"), [(4, 4, 5), (4, 5, 6), (6, 3, 7)])
def test_a_persons_release_never_takes_a_number_that_is_taken(
    last: int, proposed: int, number: int
) -> None:
    """Neither that of the proposal beside it, nor one of what has ended."""
    beside = proposal(number=proposed, id=f"syrf-production-{proposed}")
    now = {"api": "api-v9.0.5", "web": "web-v5.0.0"}
    aim = target(running=PRODUCTION, proposal=beside, last_number=last)
    decision = decide(by_hand(PRODUCTION, now, target=aim), NOW)
    assert decision.target.release is not None
    assert decision.target.release.id == f"syrf-production-{number}"
    assert (decision.target.release.number, decision.target.last_number) == (number, number)
    assert decision.target.release.state is State.ROLLING_OUT


@pytest.mark.runbook("SYRF-11")
def test_a_persons_rollback_is_quarantined_and_not_fought() -> None:
    """Jane took api v9.1.1 back; staging still has it, proven."""
    now = {"api": "api-v9.0.4", "web": "web-v5.0.1"}
    decision = decide(by_hand(STAGING, now), NOW)
    assert quarantined(decision) == [("api", "api-v9.1.1", "jane")]
    assert EventKind.PERSON_ROLLED_BACK in told(decision)
    after = snapshot(running=now, target=replace(decision.target, release=None))
    again = decide(after, NOW)
    assert again.acts == ()


def test_a_persons_rollback_is_watched_and_never_put_back() -> None:
    now = {"api": "api-v9.0.4", "web": "web-v5.0.1"}
    decision = decide(by_hand(STAGING, now), NOW)
    watched = decision.target.release
    assert watched is not None
    assert (watched.origin, watched.services) == (Origin.PERSON, ("api",))
    failing = replace(watched, watches={"api-production": crash_loop()})
    aim = replace(decision.target, release=failing)
    then = decide(releasing(target=aim, running=now, release_at_head=texts(now)), NOW)
    assert not acts_of(then, RevertCommit)
    assert then.target.release is not None
    assert then.target.release.hold is not None
    assert "jane wrote it, so it stays" in then.target.release.hold.reason


@pytest.mark.runbook("SYRF-13")
def test_a_persons_forward_release_is_watched_and_not_quarantined() -> None:
    decision = decide(by_hand(PRODUCTION, STAGING), NOW)
    assert decision.target.release is not None
    assert decision.target.release.origin is Origin.PERSON
    assert set(decision.target.release.services) == set(STAGING)
    assert decision.target.quarantine == ()
    assert EventKind.PERSON_RELEASED in told(decision)
    assert decision.acts == ()


def test_going_forward_to_what_once_ran_is_no_rollback() -> None:
    """v9.1.1 ran, was taken back, and jane brings it again: v9.0.4 is not quarantined."""
    aim = target(running=PRODUCTION, history={"api": ("api-v9.0.4", "api-v9.1.1", "api-v9.0.4")})
    now = {"api": "api-v9.1.1", "web": "web-v5.0.0"}
    assert quarantined(decide(by_hand(PRODUCTION, now, target=aim), NOW)) == []


def test_without_semantic_versions_what_ran_before_tells_a_rollback() -> None:
    was, now = {"api": "c0ffee1"}, {"api": "4be19f2"}
    aim = target(running=was, history={"api": ("c0ffee1", "4be19f2")})
    assert quarantined(decide(by_hand(was, now, target=aim), NOW)) == [("api", "c0ffee1", "jane")]
    unknown = target(running=was, history={"api": ("c0ffee1",)})
    assert quarantined(decide(by_hand(was, now, target=unknown), NOW)) == []


def test_our_own_revert_is_not_a_persons_rollback() -> None:
    aim = target(running=STAGING, landed=(BY_HAND, MERGED))
    decision = decide(by_hand(STAGING, PRODUCTION, target=aim), NOW)
    assert quarantined(decision) == []
    assert decision.target.release is None


def test_our_revert_through_a_pull_request_is_ours_whoever_merged_it() -> None:
    """The commit on the branch is new to us; the release says that these values go back."""
    revert = Revert(("api", "web"), "crashed", "pilotage", ago(minutes=2), pull_request=9)
    under_way = release(
        state=State.REVERTING,
        outcomes=dict.fromkeys(STAGING, Outcome.REVERTING),
        reverts=(revert,),
    )
    aim = target(running=STAGING, release=under_way)
    before = by_hand(
        STAGING,
        PRODUCTION,
        by="maria",
        target=aim,
        release_policy=policy(),
        release_at_head=texts(PRODUCTION),
    )
    assert quarantined(decide(before, NOW)) == []


@pytest.mark.parametrize(
    ("by", "sha", "before", "found"),
    [
        ("jane", BY_HAND, PRODUCTION, [("api", "api-v9.1.1", "jane")]),
        ("pilotage[bot]", BY_HAND, PRODUCTION, []),
        ("maria", MERGED, PRODUCTION, []),
        ("jane", BY_HAND, {}, []),
    ],
    ids=["a person", "our name", "our merge", "it was new"],
)
def test_what_a_person_took_back_between_two_looks_is_not_proposed_again(
    by: str, sha: str, before: dict[str, str], found: list[tuple[str, str, str]]
) -> None:
    """Then and now compare equal: only the commits in between tell of it."""
    out, back = written("maria", "9" * 40), written(by, sha)
    passed = (
        WrittenChanges(out, changes({"api": "api-v9.1.1"}, before and {"api": "api-v9.0.4"})),
        WrittenChanges(back, changes({"api": "api-v9.0.4"}, before and {"api": "api-v9.1.1"})),
    )
    seen = snapshot(passed=passed, target=target(running=PRODUCTION, landed=(MERGED,)))
    assert quarantined(decide(seen, NOW)) == found


def test_the_same_step_of_another_service_is_a_persons() -> None:
    """We moved api from v1 to v2; who does the same with web is not us."""
    was, now = {"api": "v1.0.0", "web": "v1.0.0"}, {"api": "v2.0.0", "web": "v2.0.0"}
    ours = release(
        changes=changes({"api": "v2.0.0"}, {"api": "v1.0.0"}), outcomes={"api": Outcome.LIVE}
    )
    aim = target(running={**was, "api": "v2.0.0"}, release=ours, landed=(MERGED,), last_number=1)
    facts: dict[str, Any] = {"release_policy": policy(), "release_at_head": texts(now)}
    before = by_hand({**was, "api": "v2.0.0"}, now, target=aim, **facts)
    (waiting,) = decide(before, NOW).target.next_releases
    assert waiting.services == ("web",)


def test_who_wrote_several_values_at_once_is_followed_once() -> None:
    """Also by the look after, which finds the same commit again."""
    before = by_hand(PRODUCTION, STAGING)
    decision = decide(before, NOW)
    assert decision.target.release is not None
    assert decision.target.release.services == ("api", "web")
    assert decision.target.next_releases == ()
    unread = replace(decision.target, running=PRODUCTION)
    again = decide(replace(before, target=unread, release_policy=policy()), NOW)
    assert again.target.next_releases == ()


def test_a_person_who_takes_our_release_back_while_it_is_verified_wins() -> None:
    aim = target(running=STAGING, release=release(), landed=(MERGED,))
    before = by_hand(
        STAGING,
        PRODUCTION,
        target=aim,
        release_policy=policy(),
        release_at_head=texts(PRODUCTION),
    )
    decision = decide(before, NOW)
    assert {(name, version) for name, version, _ in quarantined(decision)} == set(STAGING.items())
    assert not acts_of(decision, RevertCommit)


def test_the_first_look_notices_nothing() -> None:
    """What ran before the service came is nobody's rollback."""
    decision = decide(by_hand({}, STAGING, target=target(running={})), NOW)
    assert decision.target.quarantine == ()
    assert decision.target.release is None
    assert decision.target.running == STAGING


def test_a_file_that_cannot_be_read_for_a_while_hides_no_rollback() -> None:
    broken = snapshot(running=STAGING, target=target(running=STAGING))
    plan = broken.plan
    problem = snapshot(staging={"api": "x: [\n"}).plan.problems["api"]
    unchanged = {name: each for name, each in plan.unchanged.items() if name != "api"}
    blind = replace(broken, plan=replace(plan, unchanged=unchanged, problems={"api": problem}))
    decision = decide(blind, NOW)
    assert decision.target.running == STAGING
    now = {"api": "api-v9.0.4", "web": "web-v5.0.1"}
    then = decide(by_hand(STAGING, now, target=decision.target), NOW)
    assert quarantined(then) == [("api", "api-v9.1.1", "jane")]


def test_a_version_already_in_quarantine_is_not_put_there_twice() -> None:
    held = (Quarantined("api", "api-v9.1.1", "crashed", NOW),)
    aim = target(running=STAGING, quarantine=held)
    now = {"api": "api-v9.0.4", "web": "web-v5.0.1"}
    assert decide(by_hand(STAGING, now, target=aim), NOW).target.quarantine == held


def test_the_history_keeps_the_last_versions_newest_first() -> None:
    aim = target(running=STAGING, history={"api": tuple(f"v{n}" for n in range(10))})
    decision = decide(snapshot(running=STAGING, target=aim), NOW)
    assert decision.target.history["api"][:2] == ("api-v9.1.1", "v0")
    assert len(decision.target.history["api"]) == 10
    again = decide(snapshot(running=STAGING, target=decision.target), NOW)
    assert again.target.history == decision.target.history


@pytest.mark.parametrize(
    ("login", "person"),
    [("li", True), ("pilotage[bot]", False), ("dependabot[bot]", False), ("", False)],
)
def test_who_is_a_person(login: str, person: bool) -> None:
    assert is_person(login, "pilotage[bot]") is person


# commands -------------------------------------------------------------------------------------


def answer(before: Snapshot, name: str, argument: str = "") -> tuple[Decision, AnswerComment]:
    decision = decide(commanded(before, command(name, argument)), NOW)
    return decision, act_of(decision, AnswerComment)


@pytest.mark.parametrize(
    ("name", "argument", "before", "reply"),
    [
        ("hold", "", snapshot(running=STAGING), "nothing is on its way that could be held"),
        ("resume", "", opened(), "it is not held"),
        ("resume", "", snapshot(running=STAGING), "nothing is on its way"),
        ("roll", "", opened(), "no newer set is waiting"),
        ("tick", "feature", releasing(), "no pull request is open"),
        ("rollback", "why", opened(), "nothing was promoted here that could be put back"),
        ("pause", "", opened(), "at the terminal: `pilotage pause syrf/production`"),
        ("unpause", "", opened(), "at the terminal: `pilotage resume syrf/production`"),
        ("lift", "api v1", opened(), "`pilotage quarantine lift syrf/production`"),
        ("", "", opened(), "which command? there are hold,"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    name: str, argument: str, before: Snapshot, reply: str
) -> None:
    decision, said = answer(before, name, argument)
    assert said.reaction == "-1"
    assert reply in str(said.reply)
    assert EventKind.REFUSED in told(decision)
    assert not acts_of(decision, RevertCommit)
    assert not acts_of(decision, OpenPullRequest) or before.target.proposal is None


@pytest.mark.parametrize(
    ("put", "taken"), [("v9.1.1", "api-v9.1.1"), ("api-v9.1.1", "v9.1.1"), ("v9.1.1", "v9.1.1")]
)
def test_a_version_is_quarantined_and_lifted_as_people_say_it(put: str, taken: str) -> None:
    """Every page says `api v9.1.1`: taken literally, it would keep nothing away."""
    kept = decide(
        commanded(snapshot(), command("quarantine", f"api {put} slow", comment=None)), NOW
    )
    assert not acts_of(kept, CommitBranch)
    assert "api v9.1.1 is in quarantine: slow" in said(kept)
    again = decide(
        commanded(
            snapshot(target=kept.target), command("quarantine", f"api {taken}", comment=None)
        ),
        NOW,
    )
    assert len(again.target.quarantine) == 1
    lifted = decide(
        commanded(snapshot(target=kept.target), command("lift", f"api {taken}", comment=None)), NOW
    )
    assert lifted.target.quarantine == ()
    assert acts_of(lifted, CommitBranch)


NEWER = {**STAGING, "api": "api-v9.2.0"}


def _waiting(**changed: Any) -> Snapshot:
    """Ticked, and a newer set is proven."""
    ticked = proposal(**changed)
    aim = target(proposal=ticked, proofs=proofs(NEWER) + proofs(), last_number=1)
    before = opened(ticked, staging=NEWER, target=aim)
    return replace(before, target=decide(before, NOW).target)


def test_a_roll_that_a_hold_keeps_out_says_so_and_is_kept() -> None:
    """A thumb alone would let the person wait for what does not come."""
    decision, said = answer(_waiting(hold=Hold(Subject.PERSON, "legal", NOW, by="maria")), "roll")
    assert said.reaction == "+1"
    assert said.reply == "it goes in once this is no longer held: /pilotage resume"
    assert not acts_of(decision, CommitBranch)
    assert decision.target.proposal is not None
    assert decision.target.proposal.roll_asked


def test_a_roll_during_a_pause_says_what_ends_it() -> None:
    before = _waiting()
    paused = replace(before.target, pause=Pause("freeze", "li", NOW))
    _, said = answer(replace(before, target=paused), "roll")
    assert said.reply == "it goes in once the pause is over: pilotage resume syrf/production"


def test_a_roll_over_somebodys_commit_is_refused() -> None:
    """It would never be done: their commit stays."""
    before = _waiting()
    theirs = Known(pull_request(head=BY_HAND), NOW)
    decision, said = answer(replace(before, pull_request=theirs), "roll")
    assert said.reaction == "-1"
    assert "somebody's commit is on the branch" in str(said.reply)
    assert decision.target.proposal is not None
    assert not decision.target.proposal.roll_asked


def test_a_service_that_was_meant_is_named_harmlessly() -> None:
    _, said = answer(releasing(), "rollback", "@api broken")
    assert said.reply == "there is no service ?api in syrf-production-1; did you mean api?"


@pytest.mark.parametrize(
    ("name", "argument", "before", "reason"),
    [
        ("unpause", "", opened(), "it is not paused"),
        ("quarantine", "api", opened(), "expected a service, a version and a reason"),
        ("quarantine", "apii v1 x", opened(), "staging has no service apii; did you mean api?"),
        ("quarantine", "apii v1 x", releasing(), "staging has no service apii; did you mean api?"),
        ("lift", "api v1", opened(), "api v1 is not in quarantine"),
    ],
)
def test_what_an_operator_cannot_have_is_refused_with_the_reason(
    name: str, argument: str, before: Snapshot, reason: str
) -> None:
    decision = decide(commanded(before, command(name, argument, comment=None)), NOW)
    texts = [event.text for event in decision.events if event.kind is EventKind.REFUSED]
    assert any(reason in text for text in texts)


def test_pause_and_unpause_by_the_operator() -> None:
    paused = decide(commanded(snapshot(), command("pause", "freeze", comment=None)), NOW)
    assert paused.target.pause == Pause("freeze", "maria", NOW)
    assert paused.acts == ()
    again = decide(commanded(snapshot(target=paused.target), command("unpause", comment=None)), NOW)
    assert acts_of(again, OpenPullRequest)


def test_quarantine_and_lift_by_the_operator() -> None:
    put = decide(
        commanded(
            snapshot(), command("quarantine", "api api-v9.1.1 slow under load", comment=None)
        ),
        NOW,
    )
    assert quarantined(put) == [("api", "api-v9.1.1", "maria")]
    assert put.target.quarantine[0].reason == "slow under load"
    assert not acts_of(put, CommitBranch)
    lift = command("lift", "api api-v9.1.1", comment=None)
    lifted = decide(commanded(snapshot(target=put.target), lift), NOW)
    assert lifted.target.quarantine == ()
    assert acts_of(lifted, CommitBranch)


@pytest.mark.runbook("SYRF-10")
@pytest.mark.parametrize(
    ("argument", "services", "reason"),
    [
        ("api too slow", ("api",), "too slow"),
        ("api, web broken", ("api", "web"), "broken"),
        ("broken", ("api", "web"), "broken"),
        ("", ("api", "web"), "a person asked"),
    ],
)
def test_rollback_names_services_and_a_reason(
    argument: str, services: tuple[str, ...], reason: str
) -> None:
    decision, _ = answer(releasing(), "rollback", argument)
    act = act_of(decision, RevertCommit)
    assert act.services == services
    assert act.title.endswith(f"due to {reason}")
    assert {name for name, _, _ in quarantined(decision)} == set(services)


def test_rollback_goes_on_while_it_is_held() -> None:
    """A hold waits for a person, and this is one."""
    held = release(hold=Hold(Subject.BLIND, "nothing could be learnt", NOW))
    decision, _ = answer(releasing(held), "rollback", "enough")
    assert act_of(decision, RevertCommit).services == ("api", "web")


def test_resume_gives_a_failed_release_whole_budgets_again() -> None:
    """The time for which it has to stay live and its checks have to hold begins again, too."""
    held = release(
        live_at=ago(hours=2),
        hold=Hold(Subject.FAILURE, "crashed", NOW),
        outcomes={"api": Outcome.FAILED, "web": Outcome.LIVE},
        watches={"api-production": crash_loop(), "web-production": watch()},
        checks={"health": CheckRecord("health", bad_in_row=3)},
    )
    decision, said = answer(releasing(held), "resume")
    assert said.reaction == "+1"
    assert decision.target.release is not None
    assert decision.target.release.hold is None
    assert decision.target.release.watches == {}
    assert decision.target.release.live_at is None
    assert decision.target.release.checks == {}
    assert decision.target.release.retries == 1
    assert decision.target.release.outcomes["api"] is Outcome.ROLLING_OUT
    assert not acts_of(decision, RevertCommit)


def test_resume_begins_each_putting_back_anew() -> None:
    """What has landed is only watched afresh; the others are made again, under new keys."""
    landed = Revert(("web",), "slow", "li", ago(minutes=9), sha=OLD_HEAD, watches={"w": watch()})
    refused = Revert(("api",), "crashed", "pilotage", ago(minutes=1))
    held = release(
        state=State.REVERTING,
        outcomes=dict.fromkeys(STAGING, Outcome.REVERTING),
        reverts=(landed, refused),
        hold=Hold(Subject.REVERT, "403", NOW),
    )
    before = releasing(held)
    decision, _ = answer(before, "resume")
    assert decision.target.release is not None
    assert decision.target.release.reverts == (
        replace(landed, watches={}),
        replace(refused, attempt=2),
    )
    assert act_of(decision, RevertCommit).key == "syrf-production-1/revert/2/2"


@pytest.mark.parametrize("under_way", [True, False])
def test_resume_proposes_anew_what_was_refused_unless_it_is_still_under_way(
    under_way: bool,
) -> None:
    """An act that has ended is never done again; one that has not is not done twice."""
    facts = {"pull_request": None, "branch_head": None, "hold": Hold(Subject.ACT, "403", NOW)}
    given = proposal(**facts)
    pending = frozenset({f"{given.id}/commit/1/18277361/{BASE[:12]}"} if under_way else ())
    ours = replace(snapshot(), target=target(proposal=given, last_number=1), pending=pending)
    asked = command("resume", pull_request=None, comment=None)
    decision = decide(replace(ours, commands=(asked,), permitted=frozenset({asked.id})), NOW)
    assert decision.target.proposal is not None
    assert decision.target.proposal.hold is None
    acts = [act.key for act in acts_of(decision, CommitBranch)]
    acts += [act.key for act in acts_of(decision, OpenPullRequest)]
    assert (acts == []) is under_way
    assert not pending & set(acts)
    assert decision.target.proposal.generation == (1 if under_way else 2)


def test_a_command_without_a_comment_is_answered_by_what_it_does() -> None:
    decision = decide(commanded(opened(), command("hold", "wait", comment=None)), NOW)
    assert not acts_of(decision, AnswerComment)
    assert decision.target.proposal is not None
    assert decision.target.proposal.hold is not None


def test_explain_shows_hostile_values_as_text() -> None:
    bad = {"api": "@acme/all <!-- pilotage:promotion:x -->", "web": "web-v5.0.1"}
    before = snapshot(staging=bad, policy=pipeline(together="proven"))
    before = replace(before, target=target(proofs=proofs({"web": "web-v5.0.1"})))
    _, said = answer(before, "explain")
    assert "<!--" not in str(said.reply)
    assert "@acme" not in str(said.reply)


def test_both_a_proposal_and_a_release_are_addressed_by_their_own_request() -> None:
    other = release(id="syrf-production-0", number=0, pull_request=5)
    before = opened(
        target=target(proposal=proposal(), release=other, last_number=1),
        release_policy=policy(),
        release_at_head=texts(),
    )
    held, _ = answer(before, "hold", "wait")
    assert held.target.proposal is not None
    assert held.target.proposal.hold is not None
    assert held.target.release is not None
    assert held.target.release.hold is None


def test_head_is_where_the_next_look_starts_from() -> None:
    assert decide(snapshot(target=target(running_at=OLD_HEAD)), NOW).target.running_at == BASE


def test_a_rollback_of_what_runs_no_more_is_refused() -> None:
    """Else what a person asked about would stay, and a version that is gone be quarantined."""
    ended = release(
        state=State.CONFIRMED,
        outcomes=dict.fromkeys(STAGING, Outcome.CONFIRMED),
        ended_at=NOW,
        pull_request=command("rollback").pull_request,
    )
    newer = STAGING | {"api": "api-v9.2.0"}
    before = replace(snapshot(staging=newer, running=newer), last_release=ended)
    decision, said = answer(before, "rollback", "api slow")
    assert said.reaction == "-1"
    assert "production runs api v9.2.0 by now, not what" in (said.reply or "")
    assert not decision.target.quarantine
    decision, said = answer(before, "rollback", "slow")
    assert said.reaction == "+1"
    assert [each.service for each in decision.target.quarantine] == ["web"]
