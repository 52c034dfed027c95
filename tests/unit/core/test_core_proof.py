"""When a version counts as proven, what undoes it, and what may then be proposed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pilotage.core.application import Application, CannotSee, Gone, Health, Look
from pilotage.core.config.policy import Policy
from pilotage.core.model import Proof, Quarantined
from pilotage.core.proof import find, next_look, obstacle, prove, select
from pilotage.core.rollout.watch import Expectation, Relation, RevisionFacts, ThroughFiles
from pilotage.core.rollout.watch import State as WatchState
from pilotage.core.snapshot import Sight, Snapshot
from tests.unit.core.worlds import (
    NOW,
    OLD_HEAD,
    SOURCE,
    STAGING,
    ago,
    application,
    changes,
    pipeline,
    policy,
    proof,
    proofs,
    snapshot,
    target,
    watch,
)

SECOND = timedelta(seconds=1)
API = {"api": "api-v9.1.1"}


def sight(name: str = "api-staging", *, without: Relation | None = None, **changed: Any) -> Sight:
    """The application is live; `without`: at a commit, so related, that lacks the value."""
    revision = SOURCE if without is None else OLD_HEAD
    found = application(name, revisions=(revision,), reconciled_at=NOW, **changed)
    return looked(found, without)


def looked(found: Application | Gone | CannotSee, without: Relation | None = None) -> Sight:
    expectation = Expectation(
        sha=SOURCE,
        parent=SOURCE,
        since=ago(hours=2),
        repository="github.com/acme/gitops",
        revisions={OLD_HEAD: RevisionFacts(without, holds=False)} if without else {},
        route=ThroughFiles(),
    )
    return Sight(Look(found), expectation)


def world(
    *known: Proof, sights: dict[str, Sight] | None = None, chosen: Policy | None = None
) -> Snapshot:
    """Only api differs; `sights` are of its applications in staging."""
    return snapshot(
        staging=API,
        policy=chosen,
        target=target(proofs=known),
        proof_sights={"api": sights} if sights is not None else {},
    )


def api(proofs_: tuple[Proof, ...]) -> Proof:
    found = find(proofs_, "api", "api-v9.1.1")
    assert found is not None
    return found


def after_looks(before: Snapshot, looks: int, step: timedelta = 2 * SECOND) -> Proof:
    """The proof after some looks in a row that bring the same."""
    now = NOW
    for _ in range(looks):
        before = replace(before, target=replace(before.target, proofs=prove(before, now)))
        now += step
    return api(before.target.proofs)


@pytest.mark.runbook("SYRF-1")
def test_live_at_a_commit_that_holds_the_value_then_soaked() -> None:
    before = world(sights={"api-staging": sight()})
    live = after_looks(before, 3)
    assert live.live_since is not None
    assert not live.proven, "it soaks for 15 minutes first"
    seen = world(live, sights={"api-staging": sight()})
    assert not api(prove(seen, live.live_since + timedelta(minutes=14, seconds=59))).proven
    assert api(prove(seen, live.live_since + timedelta(minutes=15))).proven


def test_two_looks_must_agree() -> None:
    assert after_looks(world(sights={"api-staging": sight()}), 1).live_since is None


def test_without_a_soak_being_live_proves_it() -> None:
    chosen = policy_without_soak()
    before = world(sights={"api-staging": sight()}, chosen=chosen)
    assert after_looks(before, 3).proven


def policy_without_soak() -> Policy:
    text = policy().environment.model_copy(
        update={"gates": policy().environment.gates.model_copy(update={"soak": timedelta()})}
    )
    return policy().model_copy(update={"environment": text})


@pytest.mark.parametrize(
    "seen",
    [
        sight(without=Relation.ANCESTOR),
        sight(without=Relation.DESCENDANT),
        sight(without=Relation.DIVERGED),
        sight(without=Relation.UNKNOWN),
        sight(health=Health.PROGRESSING),
        looked(Gone("no such application")),
        looked(CannotSee("connection refused")),
        sight(being_deleted=True),
    ],
)
def test_what_is_not_live_is_not_proven(seen: Sight) -> None:
    before = world(sights={"api-staging": seen}, chosen=policy_without_soak())
    found = after_looks(before, 4)
    assert not found.proven
    assert found.obstacle


def test_blindness_does_not_let_a_soak_pass() -> None:
    """It was live, and since then nothing could be learnt: unknown waits."""
    live = {"api-staging": watch()}
    soaking = proof("api", "api-v9.1.1", live_since=ago(hours=1), proven_at=None, watches=live)
    seen = world(soaking, sights={"api-staging": looked(CannotSee("connection refused"))})
    found = api(prove(seen, NOW))
    assert not found.proven
    assert "cannot be seen" in str(found.obstacle)


def test_blindness_does_not_undo_a_proof() -> None:
    known = proof("api", "api-v9.1.1", watches={"api-staging": watch()})
    seen = world(known, sights={"api-staging": looked(CannotSee("connection refused"))})
    assert api(prove(seen, NOW)).proven


def test_degraded_undoes_a_proof_and_says_why() -> None:
    known = proof("api", "api-v9.1.1", watches={"api-staging": watch()})
    seen = world(known, sights={"api-staging": sight(health=Health.DEGRADED)})
    found = api(prove(seen, NOW))
    assert (found.proven, found.live_since) == (False, None)
    assert "api-staging is degraded" in str(found.obstacle)


def test_progressing_does_not_undo_a_proof() -> None:
    known = proof("api", "api-v9.1.1", watches={"api-staging": watch()})
    seen = world(known, sights={"api-staging": sight(health=Health.PROGRESSING)})
    assert api(prove(seen, NOW)).proven


def test_after_being_degraded_it_soaks_anew() -> None:
    degraded = proof("api", "api-v9.1.1", live_since=None, proven_at=None, obstacle="degraded")
    found = after_looks(world(degraded, sights={"api-staging": sight()}), 3)
    assert found.live_since is not None
    assert found.live_since >= NOW
    assert (found.proven, found.obstacle) == (False, None)


TWO = pipeline().model_copy(
    update={
        "source": pipeline().source.model_copy(
            update={"applications": ("{service}-{environment}", "{service}-jobs")}
        )
    }
)


def test_every_application_of_the_service_must_be_live() -> None:
    before = world(sights={"api-staging": sight()}, chosen=TWO)
    found = after_looks(before, 4)
    assert found.live_since is None
    assert "api-jobs has not been looked at yet" in str(found.obstacle)


def test_an_application_that_is_not_due_keeps_its_last_look() -> None:
    watches = {"api-staging": watch(), "api-jobs": watch()}
    known = proof("api", "api-v9.1.1", live_since=ago(minutes=15), proven_at=None, watches=watches)
    seen = world(known, sights={"api-staging": sight()}, chosen=TWO)
    found = api(prove(seen, NOW))
    assert set(found.watches) == {"api-staging", "api-jobs"}
    assert found.proven


def test_a_soak_ends_without_a_fresh_look() -> None:
    known = proof(
        "api",
        "api-v9.1.1",
        live_since=ago(minutes=15),
        proven_at=None,
        watches={"api-staging": watch()},
    )
    assert api(prove(world(known), NOW)).proven


def test_staging_moved_on_keeps_what_is_proven_and_forgets_what_is_not() -> None:
    older = proof("api", "api-v9.1.0")
    unproven = proof("api", "api-v9.0.9", proven_at=None)
    found = prove(world(older, unproven), NOW)
    assert find(found, "api", "api-v9.1.0") == replace(older, watches={})
    assert find(found, "api", "api-v9.0.9") is None


def test_only_the_last_few_proven_versions_are_kept() -> None:
    many = [proof("api", f"api-v8.{n}.0", first_seen=ago(days=100 - n)) for n in range(20)]
    found = [each.version for each in prove(world(*many), NOW) if each.version != "api-v9.1.1"]
    assert found == [f"api-v8.{n}.0" for n in (19, 18, 17, 16, 15)]


def test_the_next_look_is_the_earliest_of_its_applications() -> None:
    early, late = watch(look_again_at=NOW), watch(look_again_at=NOW + SECOND)
    assert next_look(proof("api", "v", watches={"a": late, "b": early})) == NOW
    assert next_look(proof("api", "v")) is None


# obstacles and selection ----------------------------------------------------------------------


def hindrance(version: str = "api-v9.1.1", before: str = "api-v9.0.4", **changed: Any) -> str:
    change = changes({"api": version}, {"api": before})[0]
    aim = target(**({"proofs": (proof("api", version),)} | changed))
    found = obstacle(change, policy(), aim)
    return found.reason if found else ""


def test_a_proven_version_has_no_obstacle() -> None:
    assert hindrance() == ""


@pytest.mark.runbook("SYRF-15")
@pytest.mark.parametrize(
    ("reason", "changed"),
    [
        ("has not been seen live in staging yet", {"proofs": ()}),
        (
            "is not live in staging: api-staging: 1 of 3 updated",
            {
                "proofs": (
                    proof(
                        "api",
                        "api-v9.1.1",
                        live_since=None,
                        proven_at=None,
                        obstacle="api-staging: 1 of 3 updated",
                    ),
                )
            },
        ),
        (
            "soaks in staging until 20 Nov 12:14:00 UTC",
            {"proofs": (proof("api", "api-v9.1.1", live_since=ago(minutes=1), proven_at=None),)},
        ),
        (
            "is in quarantine: crashed",
            {"quarantine": (Quarantined("api", "api-v9.1.1", "crashed", NOW),)},
        ),
        ("is older than v9.2.0", {"before": "api-v9.2.0"}),
        ("is no version that stays what it is", {"version": "latest"}),
    ],
)
def test_why_a_version_may_not_go_out(reason: str, changed: dict[str, Any]) -> None:
    assert reason in hindrance(**changed)


@pytest.mark.runbook("SYRF-15")
def test_a_going_back_of_staging_goes_out_where_it_is_allowed() -> None:
    """Staging ran what production runs and left it; else production was brought forward by hand."""
    change = changes({"api": "api-v9.1.1"}, {"api": "api-v9.2.0"})[0]
    rules = pipeline(versions="{ backwards: allow }")
    both = (proof("api", "api-v9.1.1"), proof("api", "api-v9.2.0"))
    assert obstacle(change, rules, target(proofs=both)) is None
    found = obstacle(change, rules, target(proofs=both[:1]))
    assert found is not None
    assert "staging was never seen to run" in found.reason
    unproven = obstacle(change, rules, target(proofs=both[1:]))
    assert unproven is not None
    assert "has not been seen live in staging yet" in unproven.reason


def test_quarantine_is_for_one_version_of_one_service() -> None:
    other = (
        Quarantined("api", "api-v9.1.0", "crashed", NOW),
        Quarantined("web", "api-v9.1.1", "crashed", NOW),
    )
    assert hindrance(quarantine=other) == ""
    assert "crashed too" in hindrance(
        quarantine=(*other, Quarantined("api", "api-v9.1.1", "crashed too", NOW))
    )


def test_a_proof_is_of_one_service() -> None:
    """Where versions are bare, that of another service proves nothing."""
    change = replace(changes()[0], after="v9.1.1")
    other, own = proof("web", "v9.1.1"), proof("api", "v9.1.1")
    found = obstacle(change, policy(), target(proofs=(other,)))
    assert found is not None
    assert "has not been seen live in staging yet" in found.reason
    assert obstacle(change, policy(), target(proofs=(other, own))) is None


def test_the_end_of_a_soak_is_known_beforehand() -> None:
    soaking = proof("api", "api-v9.1.1", live_since=ago(minutes=1), proven_at=None)
    found = obstacle(changes(API)[0], policy(), target(proofs=(soaking,)))
    assert found is not None
    assert found.until == NOW + timedelta(minutes=14)


@pytest.mark.runbook("SYRF-2")
def test_together_all_is_all_or_nothing() -> None:
    seen = snapshot(target=target(proofs=proofs(API)))
    found = select(seen, seen.target)
    assert found.changes == ()
    assert [each.service for each in found.obstacles] == ["web"]
    every = snapshot()
    assert {each.service for each in select(every, every.target).changes} == set(STAGING)


def test_together_proven_leaves_out_and_names() -> None:
    seen = snapshot(policy=pipeline(together="proven"), target=target(proofs=proofs(API)))
    found = select(seen, seen.target)
    assert [each.service for each in found.changes] == ["api"]
    assert [each.service for each in found.obstacles] == ["web"]


@pytest.mark.parametrize(("together", "chosen"), [("all", set()), ("proven", {"web"})])
def test_a_file_that_cannot_be_edited_is_an_obstacle(together: str, chosen: set[str]) -> None:
    seen = snapshot(policy=pipeline(together=together))
    planned = seen.plan
    problem = snapshot(staging={"api": "x: [\n"}).plan.problems["api"]
    services = {name: each for name, each in planned.services.items() if name != "api"}
    seen = replace(seen, plan=replace(planned, services=services, problems={"api": problem}))
    found = select(seen, seen.target)
    assert {each.service for each in found.changes} == chosen
    assert found.obstacles[0].next_step == "mend the file"
    assert found.obstacles[0].reason.startswith("syrf/environments/staging/api/config.yaml:")


def test_a_state_is_told_in_words() -> None:
    """What the service says of a version that is not live comes from the decision table."""
    found = after_looks(world(sights={"api-staging": sight(health=Health.PROGRESSING)}), 2)
    assert found.watches["api-staging"].state is WatchState.ROLLING_OUT
    assert str(found.obstacle).startswith("api-staging: ")
