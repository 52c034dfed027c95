"""Each gate: it passes by default, and one changed fact closes it with its reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pilotage.core.forge import Review
from pilotage.core.gates import GATES, Gate, Verdict, blockers, judge_gates
from pilotage.core.model import Hold, Pause, Quarantined, Subject
from pilotage.core.snapshot import Known, Snapshot, Unknown
from tests.unit.core.worlds import (
    HEAD,
    NOW,
    OLD_HEAD,
    STAGING,
    opened,
    production,
    proof,
    proposal,
    pull_request,
    release,
    target,
    texts,
)

APPROVERS = production(gates="{ approvers: { teams: [admins], count: 1 } }")


def judged(seen: Snapshot) -> dict[str, Gate]:
    promotion = seen.target.proposal
    assert promotion is not None
    return {gate.name: gate for gate in judge_gates(promotion, seen.target, seen)}


def review(by: str = "maria", state: Any = "approved", commit: str | None = HEAD) -> Review:
    return Review(by, state, commit, NOW)


def reviewed(*reviews: Review, **changed: Any) -> Snapshot:
    facts: dict[str, Any] = {
        "policy": APPROVERS,
        "reviews": Known(reviews, NOW),
        "approvers": Known(frozenset({"maria", "pilotage[bot]"}), NOW),
    }
    return opened(**(facts | changed))


def test_by_default_every_gate_passes() -> None:
    gates = judged(opened())
    assert len(gates) == len(GATES)
    assert [gate.name for gate in gates.values() if not gate.open] == []


def aim(**changed: Any) -> Snapshot:
    given = changed.pop("proposal", proposal())
    return opened(given, target=target(proposal=given, last_number=1, **changed))


CLOSED = [
    ("paused", Verdict.FAIL, "paused by ops: freeze", aim(pause=Pause("freeze", "ops", NOW))),
    (
        "held",
        Verdict.FAIL,
        "held by li: wait",
        aim(proposal=proposal(hold=Hold(Subject.PERSON, "wait", NOW, "li"))),
    ),
    ("contents", Verdict.WAIT, "has not been read yet", opened(versions_on_head=None)),
    (
        "contents",
        Verdict.WAIT,
        "cannot be read: gone",
        opened(versions_on_head=Unknown("gone", NOW)),
    ),
    (
        "contents",
        Verdict.FAIL,
        "the branch holds api v9.9.9, not the proven api v9.1.1",
        opened(versions_on_head=Known({**STAGING, "api": "api-v9.9.9"}, NOW)),
    ),
    (
        "contents",
        Verdict.FAIL,
        "the branch holds nothing readable, not the proven api v9.1.1",
        opened(versions_on_head=Known({"web": "web-v5.0.1"}, NOW)),
    ),
    (
        "contents",
        Verdict.FAIL,
        "the branch also sets admin to v2.0.0, not in this set",
        opened(versions_on_head=Known({**STAGING, "admin": "admin-v2.0.0"}, NOW)),
    ),
    (  # the first by name: replicas must not write each other's reason over and over
        "contents",
        Verdict.FAIL,
        "the branch also sets a to v1, not in this set",
        opened(versions_on_head=Known(STAGING | dict.fromkeys("hgfedcba", "v1"), NOW)),
    ),
    (
        "contents",
        Verdict.FAIL,
        "it goes into release, not main",
        opened(pull_request=Known(pull_request(base_branch="release"), NOW)),
    ),
    *(
        (
            "contents",
            Verdict.FAIL,
            f"{gone} is not on main any more",
            opened(edited_on_base=True, proposal_at_head={**texts(), gone: None}),
        )
        for gone in texts()
    ),
    (
        "proof",
        Verdict.FAIL,
        "api v9.1.1 is not live in staging: api-staging is degraded",
        aim(
            proofs=(
                proof(
                    "api",
                    "api-v9.1.1",
                    live_since=None,
                    proven_at=None,
                    obstacle="api-staging is degraded",
                ),
                proof("web", "web-v5.0.1"),
            )
        ),
    ),
    ("proof", Verdict.FAIL, "has not been seen live in staging yet", aim(proofs=())),
    (
        "proof",
        Verdict.FAIL,
        "web v5.0.1 is in quarantine: crashed",
        aim(quarantine=(Quarantined("web", "web-v5.0.1", "crashed", NOW),)),
    ),
    (
        "alone",
        Verdict.WAIT,
        "production is verifying syrf-production-0",
        aim(release=release(id="syrf-production-0", number=0)),
    ),
    (
        "alone",
        Verdict.WAIT,
        "held: blind",
        aim(release=release(id="old", hold=Hold(Subject.BLIND, "blind", NOW))),
    ),
    ("checklist", Verdict.WAIT, "2 boxes open", aim(proposal=proposal(ticks=()))),
    ("checklist", Verdict.WAIT, "1 box open", aim(proposal=proposal(ticks=proposal().ticks[1:]))),
    ("approvers", Verdict.WAIT, "1 approval missing", reviewed()),
    ("approvers", Verdict.WAIT, "have not been read yet", reviewed(reviews=None)),
    ("approvers", Verdict.WAIT, "cannot be read: 502", reviewed(reviews=Unknown("502", NOW))),
    ("approvers", Verdict.WAIT, "cannot be read: 403", reviewed(approvers=Unknown("403", NOW))),
    ("approvers", Verdict.WAIT, "1 approval missing", reviewed(review("stranger"))),
    ("approvers", Verdict.WAIT, "1 approval missing", reviewed(review("pilotage[bot]"))),
    ("approvers", Verdict.WAIT, "1 approval missing", reviewed(review(state="commented"))),
    ("approvers", Verdict.WAIT, "1 approval missing", reviewed(review(state="dismissed"))),
    ("approvers", Verdict.WAIT, "1 approval missing", reviewed(review(commit=OLD_HEAD))),
    ("approvers", Verdict.WAIT, "1 approval missing", reviewed(review(commit=None))),
    (
        "approvers",
        Verdict.FAIL,
        "maria asked for changes",
        reviewed(review(state="changes_requested", commit=OLD_HEAD)),
    ),
]


@pytest.mark.runbook("SYRF-6")
@pytest.mark.parametrize(("name", "verdict", "reason", "seen"), CLOSED)
def test_one_fact_closes_one_gate(name: str, verdict: Verdict, reason: str, seen: Snapshot) -> None:
    gates = judged(seen)
    assert gates[name].verdict is verdict
    assert reason in gates[name].reason
    assert [gate.name for gate in gates.values() if not gate.open] == [name]


@pytest.mark.runbook("SYRF-6")
def test_only_an_approval_of_the_chosen_people_on_this_head_counts() -> None:
    gate = judged(reviewed(review(), review("stranger")))["approvers"]
    assert (gate.verdict, gate.reason) == (Verdict.PASS, "approved by maria")


@pytest.mark.runbook("SYRF-6")
def test_as_many_approvals_as_the_policy_asks_for() -> None:
    two = production(gates="{ approvers: { users: [li, maria], count: 2 } }")
    allowed = Known(frozenset({"maria", "li"}), NOW)
    one = judged(reviewed(review(), policy=two, approvers=allowed))["approvers"]
    assert (one.verdict, one.next_step) == (Verdict.WAIT, "approved by li, maria")
    both = judged(reviewed(review(), review("li"), policy=two, approvers=allowed))["approvers"]
    assert both.open


def test_an_open_box_names_itself_and_its_owner() -> None:
    gate = judged(aim(proposal=proposal(ticks=proposal().ticks[1:])))["checklist"]
    assert gate.next_step == "tick “Feature works as expected” (platform-admins)"


def test_what_fails_is_told_before_what_waits() -> None:
    wait, fail = Gate("a", Verdict.WAIT, ""), Gate("b", Verdict.FAIL, "")
    passed = replace(wait, name="c", verdict=Verdict.PASS)
    assert blockers((wait, passed, fail)) == (fail, wait)


def test_staging_that_has_moved_on_does_not_undo_a_proof() -> None:
    newer = {"api": "api-v9.2.0", "web": "web-v5.1.0"}
    assert judged(opened(staging=newer))["proof"].open
