"""What people ask for by hand: only some services now, or a new one as well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilotage.core import prose
from pilotage.core.acts import AnswerComment, CommitBranch, OpenPullRequest
from pilotage.core.choice import let_in
from pilotage.core.config.policy import Policy
from pilotage.core.decide import decide
from pilotage.core.decision import Decision, EventKind
from pilotage.core.model import Choice, Pause, Promotion, Quarantined, Refusal, State, Tick
from pilotage.core.outputs import Advice
from pilotage.core.plan import plan
from pilotage.core.snapshot import Known, MergeSeen, Snapshot
from tests.unit.core.worlds import (
    NOW,
    OTHER_HEAD,
    PRODUCTION,
    STAGING,
    act_of,
    acts_of,
    ago,
    changes,
    command,
    commanded,
    file_path,
    merged_pull_request,
    opened,
    pipeline,
    policy,
    production,
    proof,
    proofs,
    proposal,
    pull_request,
    release,
    snapshot,
    target,
    told,
    tree,
)

ONLY_API = Choice(("api",), "maria", ago(minutes=1))
API = changes({"api": "api-v9.1.1"})
NEW = {**STAGING, "new": "new-v1.0.0"}


def asked(before: Snapshot, name: str, argument: str) -> tuple[Decision, str]:
    """The decision, and what the comment is answered."""
    decision = decide(commanded(before, command(name, argument)), NOW)
    reply = act_of(decision, AnswerComment).reply
    assert reply is not None
    return decision, reply.replace("\\", "").replace("\u200b", "")


def chosen(**changed: object) -> Promotion:
    """Open for api alone, because maria asked."""
    return proposal(changes=API, choice=ONLY_API, **changed)


def with_new(
    *, let: bool = True, chosen_policy: Policy | None = None, **changed: object
) -> Snapshot:
    """Staging has a service that production lacks."""
    found = chosen_policy or policy()
    names = frozenset({"new"}) if let else frozenset[str]()
    planned = plan(
        found.pipeline, tree("staging", NEW), tree("production", PRODUCTION), asked=names
    )
    return replace(snapshot(policy=found), plan=planned, **changed)  # type: ignore[arg-type]


# a set that is smaller than what differs -------------------------------------------------------


@pytest.mark.runbook("SYRF-13")
def test_only_the_asked_service_is_proposed_in_words_of_its_own() -> None:
    decision, reply = asked(snapshot(), "promote", "api")
    assert reply == "only api is promoted now"
    (commit,) = acts_of(decision, CommitBranch)
    assert set(commit.files) == {file_path("production", "api")}
    assert commit.message.splitlines()[0] == "promote(api): v9.1.1 → production"
    assert "Asked for by maria." in commit.message
    assert act_of(decision, OpenPullRequest).title == "promote(api): v9.1.1 → production"
    assert EventKind.CHOSEN in told(decision)


@pytest.mark.parametrize(
    ("services", "title"),
    [
        ({"api": "api-v9.1.1"}, "promote(api): v9.1.1 → production"),
        (STAGING, "promote(api, web): api v9.1.1, web v5.0.1 → production"),
        ({"api": "api-v9.0.3"}, "promote(api): back to v9.0.3 → production"),
    ],
)
def test_how_it_is_titled(services: dict[str, str], title: str) -> None:
    given = proposal(changes=changes(services), choice=ONLY_API)
    assert prose.title(policy(), given) == title
    own = production(title="'Release {changes}'")
    assert prose.title(own, given).startswith("Release api")


@pytest.mark.runbook("SYRF-13")
def test_what_is_not_proven_waits_and_the_answer_says_for_what() -> None:
    soaking = proof("api", "api-v9.1.1", live_since=ago(minutes=5), proven_at=None)
    before = snapshot(target=target(proofs=(soaking, *proofs({"web": "web-v5.0.1"}))))
    decision, reply = asked(before, "promote", "api")
    assert reply == (
        "only api is promoted now; api v9.1.1 soaks in staging until 20 Nov 12:10:00 UTC"
    )
    assert acts_of(decision, CommitBranch) == []
    assert decision.target.choice == Choice(("api",), "maria", NOW)
    proven = replace(decision.target, proofs=proofs())
    later = decide(replace(before, target=proven, commands=()), NOW)
    assert set(act_of(later, CommitBranch).files) == {file_path("production", "api")}


def test_together_all_is_judged_among_the_asked_ones_only() -> None:
    aim = target(quarantine=(Quarantined("web", "web-v5.0.1", "crashed", NOW),))
    assert acts_of(decide(snapshot(target=aim), NOW), CommitBranch) == []
    decision, _ = asked(snapshot(target=aim), "promote", "api")
    assert set(act_of(decision, CommitBranch).files) == {file_path("production", "api")}


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("", "expected services, such as `promote api`"),
        ("apj", "staging has no service apj; did you mean api?"),
        ("api @everyone", "staging has no service ?everyone"),
        (
            "web",
            "web v5.0.1 is in quarantine: crashed: pilotage quarantine lift syrf/production web",
        ),
        ("pm", "production has pm v1.0.0 already, as staging does"),
        ("old", "only production has old, so there is nothing to promote"),
        ("--cancel", "nobody asked for single services here"),
    ],
)
def test_what_cannot_be_promoted_is_refused_with_the_reason(argument: str, reason: str) -> None:
    aim = target(quarantine=(Quarantined("web", "web-v5.0.1", "crashed", NOW),))
    before = snapshot(
        staging={**STAGING, "pm": "pm-v1.0.0"},
        running={**PRODUCTION, "pm": "pm-v1.0.0", "old": "old-v1.0.0"},
        target=aim,
    )
    decision, reply = asked(before, "promote", argument)
    assert reply.startswith(reason)
    assert act_of(decision, AnswerComment).reaction == "-1"
    assert decision.target.choice is None


def test_a_name_that_no_service_can_have_is_refused_as_such() -> None:
    before = snapshot()
    decision, reply = asked(
        replace(before, plan=replace(before.plan, misnamed=("c++",))), "promote", "c++"
    )
    assert reply.startswith('no service, because of the name: "c++"')
    assert decision.target.choice is None


def test_a_set_that_a_person_closed_stays_closed() -> None:
    refusal = Refusal(chosen().versions, "syrf-production-1", ago(hours=1), "li")
    decision, reply = asked(snapshot(target=target(refused=(refusal,))), "promote", "api")
    assert "li closed syrf-production-1, which had exactly this set" in reply
    assert decision.target.choice is None


def test_paused_it_is_kept_and_the_answer_says_so() -> None:
    aim = target(pause=Pause("freeze", "ops", ago(hours=1)))
    decision, reply = asked(snapshot(target=aim), "promote", "api")
    assert reply == "only api is promoted now; paused by ops: freeze"
    assert decision.target.choice is not None
    assert acts_of(decision, CommitBranch) == []


def test_one_at_a_time_stays() -> None:
    """It is opened, and its gate waits for the verdict of what was merged before."""
    busy = opened(chosen(), target=target(proposal=chosen(), release=release(id="x-1")))
    gates = {reason.subject: reason.text for reason in decide(busy, NOW).because}
    assert gates["alone"] == "production is verifying x-1"


# beside an open pull request -------------------------------------------------------------------


@pytest.mark.runbook("SYRF-13")
def test_an_untouched_larger_set_rolls_on_to_the_asked_one() -> None:
    before = opened(proposal(ticks=()))
    decision, reply = asked(before, "promote", "api")
    assert reply == "only api is promoted now; #7 rolls on to it"
    rolled = decision.target.proposal
    assert rolled is not None
    assert (rolled.pull_request, rolled.services, rolled.choice) == (
        7,
        ("api",),
        decision.target.choice,
    )
    assert rolled.superseded == ()
    act = act_of(decision, CommitBranch)
    assert (act.branch, act.expected) == (rolled.branch, before.target.proposal.branch_head)  # type: ignore[union-attr]
    page = decision.outputs[0].body
    assert page is not None
    assert page.notes == (
        "Asked for by maria 20 Nov 12:00 UTC: only api, so the other services wait.",
    )
    assert Advice("web v5.0.1 was not asked for by maria, and comes later") in page.left_out


def test_a_touched_one_stays_and_the_answer_says_what_to_do() -> None:
    ticked = proposal(ticks=(Tick("feature", "li", ago(minutes=20)),))
    decision, reply = asked(opened(ticked), "promote", "api")
    assert reply.endswith(
        "#7 is under review and stays as it is until somebody comments /pilotage roll there, "
        "merges or closes it"
    )
    kept = decision.target.proposal
    assert kept is not None
    assert (kept.services, kept.choice) == (("api", "web"), None)
    assert [change.service for change in kept.waiting] == ["api"]
    rolled = decide(commanded(opened(kept, target=decision.target), command("roll")), NOW)
    assert rolled.target.proposal is not None
    assert rolled.target.proposal.services == ("api",)


def test_a_persons_commit_on_the_branch_stays() -> None:
    theirs = Known(pull_request(head=OTHER_HEAD), NOW)
    decision, reply = asked(opened(proposal(ticks=()), pull_request=theirs), "promote", "api")
    assert "#7 has a person's commit and stays as it is: merge or close it first" in reply
    assert acts_of(decision, CommitBranch) == []


def test_a_set_that_is_open_already_only_takes_the_name() -> None:
    before = opened(proposal(changes=API), staging={**STAGING, "web": "web-v5.0.0"})
    decision, reply = asked(before, "promote", "api")
    assert reply == "only api is promoted now; #7 has exactly this set"
    assert acts_of(decision, CommitBranch) == []
    assert decision.outputs[0].title == "promote(api): v9.1.1 → production"
    assert decision.target.proposal is not None
    assert decision.target.proposal.ticks == proposal().ticks


def test_a_newer_version_of_another_service_does_not_come_in() -> None:
    """A restart changes nothing: what was asked for stands in the target's document."""
    before = opened(
        chosen(ticks=()),
        staging={**STAGING, "web": "web-v5.0.2"},
        target=target(
            proposal=chosen(ticks=()),
            choice=ONLY_API,
            proofs=(*proofs(), proof("web", "web-v5.0.2")),
        ),
    )
    decision = decide(before, NOW)
    assert decision.target.proposal is not None
    assert decision.target.proposal.services == ("api",)
    assert acts_of(decision, CommitBranch) == []
    reasons = {each.subject: each for each in decision.because}
    assert reasons["asked"].text == "maria asked for api only; web waits"
    assert reasons["asked"].next_step == "pilotage promote syrf/production --cancel"


# how it ends -----------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["merged", "closed"])
def test_it_ends_with_its_pull_request(end: str) -> None:
    gone = {"merged": merged_pull_request(), "closed": pull_request(open=False, closed_by="li")}
    aim = target(proposal=chosen(), choice=ONLY_API, last_number=1)
    before = opened(chosen(), target=aim, pull_request=Known(gone[end], NOW))
    if end == "merged":
        before = replace(before, merged=Known(_merge(), NOW))
    decision = decide(before, NOW)
    assert decision.target.choice is None
    assert EventKind.CHOICE_ENDED in told(decision)
    assert decision.wake_at == NOW


def _merge() -> MergeSeen:
    merge = release().merge
    assert merge is not None
    return MergeSeen(merge, API)


def test_opened_again_it_is_only_that_again() -> None:
    closed = chosen(state=State.CLOSED, ended_at=ago(minutes=5))
    before = snapshot(reopened=(closed, pull_request()))
    assert decide(before, NOW).target.choice == ONLY_API


def test_the_merge_of_a_larger_set_does_not_end_it_while_it_differs() -> None:
    aim = target(proposal=proposal(), choice=ONLY_API, last_number=1)
    before = opened(proposal(), target=aim, pull_request=Known(merged_pull_request(), NOW))
    before = replace(before, merged=Known(_merge(), NOW))
    assert decide(before, NOW).target.choice == ONLY_API


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"running": STAGING}, "nothing of it differs any more"),
        (
            {"quarantine": (Quarantined("api", "api-v9.1.1", "crashed", NOW),)},
            "api v9.1.1 is in quarantine: crashed",
        ),
        ({"refused": (Refusal(chosen().versions, "p-1", NOW, "li"),)}, "li closed p-1"),
    ],
)
def test_it_ends_when_nothing_of_it_can_be_promoted(changed: dict[str, object], why: str) -> None:
    """Else it would keep back everything else for ever."""
    facts = dict(changed)
    running = facts.pop("running", PRODUCTION)
    before = snapshot(running=running, target=target(choice=ONLY_API, **facts))  # type: ignore[arg-type]
    decision = decide(before, NOW)
    assert decision.target.choice is None
    ended = [each for each in decision.events if each.kind is EventKind.CHOICE_ENDED]
    assert why in ended[0].text
    again = decide(replace(before, target=decision.target), NOW)
    assert bool(acts_of(again, CommitBranch)) == ("refused" in changed)


def test_it_can_be_taken_back() -> None:
    before = opened(chosen(ticks=()), target=target(proposal=chosen(ticks=()), choice=ONLY_API))
    decision, reply = asked(before, "promote", "--cancel")
    assert reply == "everything that differs is in question again"
    rolled = decision.target.proposal
    assert rolled is not None
    assert (rolled.services, rolled.choice) == (("api", "web"), None)


def test_asking_again_replaces_what_was_asked() -> None:
    before = snapshot(target=target(choice=ONLY_API))
    decision, _ = asked(before, "promote", "web, api")
    assert decision.target.choice == Choice(("web", "api"), "maria", NOW)


# new services ----------------------------------------------------------------------------------


@pytest.mark.runbook("SYRF-3")
@pytest.mark.parametrize("how", ["add", "promote"])
def test_a_new_service_is_let_in_by_name(how: str) -> None:
    decision, _ = asked(with_new(let=False), how, "new")
    assert let_in(decision.target) == {"new"}
    known = (*proofs(), proof("new", "new-v1.0.0"))
    aim = replace(decision.target, proofs=known, proposal=None)
    before = with_new(target=aim)
    later = decide(before, NOW)
    files = set(act_of(later, CommitBranch).files)
    assert file_path("production", "new") in files
    assert len(files) == (3 if how == "add" else 1)
    page = later.outputs[0].body
    assert page is not None
    assert ("new", None, "new-v1.0.0") in [
        (row.service, row.before, row.after) for row in page.rows
    ]
    assert all(each.command == "" for each in page.left_out)


def test_the_answer_says_what_comes_of_it() -> None:
    _, reply = asked(with_new(let=False), "promote", "new")
    assert reply == (
        "only new is promoted now; new is new, and is looked at in staging from now on"
    )
    _, reply = asked(with_new(let=False), "add", "new")
    assert reply == "new is let in, once proven in staging"


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("", "expected services, such as `add api`"),
        ("newer", "staging has no service newer; did you mean new?"),
        ("api", "production has api already"),
        ("--cancel new", "new was not let in by anybody"),
    ],
)
def test_who_cannot_be_let_in(argument: str, reason: str) -> None:
    decision, reply = asked(with_new(let=False), "add", argument)
    assert reply.startswith(reason)
    assert decision.target.admitted == ()


def test_ignored_services_are_not_let_in() -> None:
    before = with_new(let=False, chosen_policy=pipeline(new_services="ignore"))
    _, reply = asked(before, "add", "new")
    assert reply == "staging has no service new that is promoted (`new_services: ignore`)"


def test_who_was_let_in_is_left_out_again_when_asked() -> None:
    decision, reply = asked(with_new(target=target(admitted=("new",))), "add", "--cancel new")
    assert (decision.target.admitted, reply) == ((), "new is left out again")


@pytest.mark.parametrize(
    ("staging", "running", "kept"),
    [
        (NEW, PRODUCTION, True),
        (NEW, {**PRODUCTION, "new": "new-v1.0.0"}, False),
        (STAGING, PRODUCTION, False),
    ],
)
def test_who_was_let_in_is_forgotten_once_there_or_gone(
    staging: dict[str, str], running: dict[str, str], kept: bool
) -> None:
    planned = plan(
        policy().pipeline,
        tree("staging", staging),
        tree("production", running),
        asked=frozenset({"new"}),
    )
    before = replace(snapshot(), plan=planned, target=target(admitted=("new",)))
    assert decide(before, NOW).target.admitted == (("new",) if kept else ())


def test_who_waits_to_be_let_in_is_explained() -> None:
    because = {each.subject: each for each in decide(with_new(let=False), NOW).because}
    assert because["new"].text == "only staging has it"
    assert because["new"].next_step == "pilotage promote syrf/production new"
