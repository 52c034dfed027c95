"""Whatever the world looks like: `decide` answers, and keeps its promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pilotage.core.acts import (
    Act,
    CommitBranch,
    OpenPullRequest,
    ReverseMerge,
    RevertCommit,
    SyncApplication,
    TerminateOperation,
    WriteFiles,
)
from pilotage.core.change import Part, Write
from pilotage.core.decide import decide
from pilotage.core.forge import READY, Review, StatusState
from pilotage.core.model import (
    ENDED,
    PROPOSED,
    RELEASING,
    Hold,
    Outcome,
    Pause,
    Promotion,
    Quarantined,
    Refusal,
    Revert,
    State,
    Subject,
    Target,
)
from pilotage.core.revert import MergedMore, MergeWithdrawn, ReverseConflict, ReverseTree
from pilotage.core.rollout.watch import Held, HoldReason, Overtaken, Watch
from pilotage.core.snapshot import (
    Known,
    MergeSeen,
    OtherPullRequest,
    Reading,
    RevertSeen,
    Snapshot,
    Unknown,
)
from pilotage.rendering import render_body, render_story
from tests.unit.core.worlds import (
    BY_HAND,
    HEAD,
    MERGED,
    NOW,
    OLD_HEAD,
    PRODUCTION,
    STAGING,
    ago,
    brief,
    changes,
    command,
    crash_loop,
    merged_pull_request,
    pending,
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
    texts,
    watch,
    written,
)

STARTS = CommitBranch | OpenPullRequest | RevertCommit | SyncApplication | TerminateOperation
NEWER = {"api": "api-v9.2.0", "web": "web-v5.0.1"}
CHECKED = "{ checks: [{ http: 'https://api.example/health' }] }"
POLICIES = (
    policy(),
    pipeline(together="proven"),
    pipeline(mode="observe"),
    production(roll="always"),
    production(roll="never"),
    production(on_failure="hold"),
    production(on_failure="revert-pull-request"),
    production(outside_gate="revert"),
    production(verification=CHECKED),
    production(gates="{ approvers: { teams: [admins] } }"),
)
COMMANDS = ["hold", "resume", "roll", "tick", "rollback", "retry", "explain", "nonsense"]
COMMANDS += ["pause", "unpause", "quarantine", "lift"]
TARGETS, ACTS = TypeAdapter(Target), TypeAdapter(list[Act])
HOLD = Hold(Subject.PERSON, "wait", NOW, "li")
unknown = st.just(Unknown("502", NOW))
running = st.sampled_from(
    [PRODUCTION, STAGING, NEWER, {"api": "api-v9.0.4"}, {"api": "api-v8.0.0"}]
)


def watches() -> st.SearchStrategy[Watch]:
    return st.sampled_from(
        [
            watch(),
            pending(),
            crash_loop(),
            watch(Held(HoldReason.BLIND, "nothing could be learnt")),
            watch(Overtaken(BY_HAND)),
        ]
    )


def proposals() -> st.SearchStrategy[Promotion | None]:
    return st.none() | st.builds(
        proposal,
        state=st.sampled_from([State.OBSERVING, State.OPEN]),
        ticks=st.sampled_from([(), proposal().ticks[:1], proposal().ticks]),
        hold=st.none() | st.just(HOLD),
        pull_request=st.sampled_from([None, 7]),
        branch_head=st.sampled_from([None, HEAD]),
        ready=st.sampled_from([None, "", "1 box open"]),
        roll_asked=st.booleans(),
        waiting=st.sampled_from([(), changes(NEWER)]),
        ended_at=st.none() | st.just(NOW),
    ).map(lambda found: replace(found, ended_at=None) if found.state is State.OBSERVING else found)


@st.composite
def releases(draw: st.DrawFn) -> Promotion | None:
    if draw(st.booleans()):
        return None
    state = draw(st.sampled_from(sorted(RELEASING)))
    back = state is State.REVERTING
    outcome = st.sampled_from(
        [Outcome.REVERTING, Outcome.REVERTED, Outcome.OVERTAKEN, Outcome.LIVE]
        if back
        else [Outcome.ROLLING_OUT, Outcome.LIVE, Outcome.OVERTAKEN]
    )
    outcomes = {name: draw(outcome) for name in STAGING}
    landed = draw(st.booleans())
    found = {name: draw(watches()) for name in ("api-production", "web-production")}
    reverts: tuple[Revert, ...] = ()
    if back:
        outcomes["api"] = Outcome.REVERTING
        reverts = (
            Revert(
                ("api", "web"),
                "crashed",
                "pilotage",
                ago(minutes=2),
                sha=OLD_HEAD if landed else None,
                landed_at=ago(minutes=1) if landed else None,
                pull_request=draw(st.sampled_from([None, 9])),
                watches=found if landed else {},
            ),
        )
    api, web = changes()
    edited_since = Write(api.writes[0].file, ".", None, "0" * 40, part=Part.FILE)
    added = replace(api, before=None, writes=(*api.writes, edited_since))
    return release(
        id="syrf-production-0",
        number=0,
        changes=draw(st.sampled_from([(api, web), (added, web)])),
        state=state,
        outcomes=outcomes,
        reasons=dict.fromkeys(STAGING, "crashed"),
        reverts=reverts,
        watches=found,
        live_at=draw(st.sampled_from([None, ago(minutes=5), ago(minutes=40)]))
        if state is not State.VERIFYING
        else draw(st.sampled_from([ago(minutes=5), ago(minutes=40)])),
        hold=draw(st.none() | st.just(HOLD)),
    )


@st.composite
def targets(draw: st.DrawFn) -> Target:
    return target(
        proposal=draw(proposals()),
        release=draw(releases()),
        last_number=1,
        pause=draw(st.none() | st.just(Pause("freeze", "ops", NOW))),
        quarantine=draw(st.sampled_from([(), (Quarantined("api", "api-v9.1.1", "crashed", NOW),)])),
        refused=draw(
            st.sampled_from([(), (Refusal(proposal().versions, "syrf-production-0", NOW, "li"),)])
        ),
        proofs=draw(
            st.sampled_from(
                [
                    (),
                    proofs(),
                    proofs() + proofs({"api": "api-v9.2.0"}),
                    (proof("api", "api-v9.1.1", proven_at=None), proof("web", "web-v5.0.1")),
                ]
            )
        ),
        running=draw(st.just({}) | running),
        history={"api": ("api-v9.0.4", "api-v8.0.0")},
        landed=draw(st.sampled_from([(), (MERGED,)])),
    )


def pull_requests() -> st.SearchStrategy[Any]:
    shapes = [
        pull_request(),
        pull_request(head=BY_HAND),
        pull_request(open=False, closed_by="li", closed_at=NOW),
        merged_pull_request(),
    ]
    return unknown | st.sampled_from(shapes).map(lambda found: Known(found, NOW))


@st.composite
def worlds(draw: st.DrawFn) -> Snapshot:
    aim = draw(targets())
    chosen = draw(st.sampled_from(POLICIES))
    now_running = draw(running)
    opened = aim.proposal is not None and aim.proposal.pull_request is not None
    merge = release().merge
    assert merge is not None
    seen = MergeSeen(merge, draw(st.sampled_from([(), changes()])))
    reviews = (Review("maria", "approved", HEAD, NOW),)
    asked = draw(
        st.lists(
            st.builds(
                command,
                st.sampled_from(COMMANDS),
                st.sampled_from(["", "api", "feature", "api api-v9.1.1 slow"]),
                comment=st.sampled_from([None, 11]),
                pull_request=st.sampled_from([None, 7]),
            ),
            max_size=1,
        )
    )
    return snapshot(
        staging=draw(st.sampled_from([STAGING, NEWER, {**STAGING, "new": "new-v1.0.0"}])),
        running=now_running,
        target=aim,
        policy=chosen,
        commands=tuple(asked),
        permitted=frozenset(each.id for each in asked if draw(st.booleans())),
        pull_request=draw(pull_requests()) if opened else None,
        versions_on_head=draw(st.none() | unknown | st.just(Known(dict(proposal().versions), NOW))),
        reviews=draw(st.none() | unknown | st.sampled_from([(), reviews]).map(_known)),
        approvers=draw(st.none() | unknown | st.just(Known(frozenset({"maria"}), NOW))),
        merged=draw(st.none() | unknown | st.just(Known(seen, NOW))),
        edited_on_base=draw(st.booleans()),
        proposal_at_head=draw(st.sampled_from([{}, texts(now_running)])),
        foreign=draw(st.none() | st.just(brief())),
        others=draw(st.sampled_from([(), (OtherPullRequest(brief(), changes()),)])),
        release_policy=chosen if aim.release and draw(st.booleans()) else None,
        release_at_head=draw(st.sampled_from([{}, texts(now_running)])),
        reverse=draw(
            st.none()
            | unknown
            | st.sampled_from(
                [
                    ReverseTree(OLD_HEAD),
                    ReverseConflict(("a",)),
                    MergedMore(("a",)),
                    MergeWithdrawn(),
                ]
            ).map(_known)
        ),
        revert_request=draw(
            st.none()
            | unknown
            | st.sampled_from(
                [RevertSeen(None, True), RevertSeen(OLD_HEAD, False), RevertSeen(None, False)]
            ).map(_known)
        ),
        head_moved_by=draw(st.sampled_from([{}, {name: written() for name in STAGING}])),
        written_changes=draw(st.sampled_from([{}, {BY_HAND: changes()}])),
        readings=draw(
            st.lists(
                st.sampled_from([True, False, None]).map(
                    lambda good: Reading("https://api.example/health", good, "200", NOW)
                ),
                max_size=4,
            ).map(tuple)
        ),
        last_release=draw(st.none() | st.just(release(id="syrf-production-0", number=0))),
    )


def _known(value: Any) -> Known[Any]:
    return Known(value, NOW)


@given(worlds())
def test_every_world_is_decided_and_the_promises_are_kept(seen: Snapshot) -> None:
    decision = decide(seen, NOW)
    after = decision.target
    assert decide(seen, NOW) == decision, "the same snapshot and time, the same decision"
    assert NOW <= decision.wake_at <= NOW + timedelta(minutes=5)
    assert after.wake_at == decision.wake_at
    assert after.proposal is None or after.proposal.state in PROPOSED
    assert after.release is None or after.release.state in RELEASING
    assert all(ended.state in ENDED and ended.ended_at for ended in decision.ended)
    keys = [act.key for act in decision.acts]
    assert len(keys) == len(set(keys)), "an act is started once"
    names = [each.id for each in (after.proposal, after.release, *decision.ended) if each]
    assert len(names) == len(set(names)), "two promotions never share a name"


@given(worlds())
def test_nothing_is_started_while_paused_or_observing(seen: Snapshot) -> None:
    decision = decide(seen, NOW)
    if seen.policy.pipeline.mode == "observe":
        assert (decision.acts, decision.outputs) == ((), ())
    if decision.target.pause is not None and seen.target.pause is not None:
        assert not [act for act in decision.acts if isinstance(act, STARTS)]


@given(worlds())
def test_ready_is_green_only_with_every_gate_open(seen: Snapshot) -> None:
    """And never while the target is paused, held or between another merge and its verdict."""
    decision = decide(seen, NOW)
    after = decision.target
    for output in decision.outputs:
        for (_, context), status in output.statuses.items():
            if context != READY or not output.promotion:
                continue
            if status.state is StatusState.SUCCESS:
                assert after.pause is None
                assert after.release is None
                assert after.proposal is not None
                assert after.proposal.hold is None
                assert after.proposal.ready == ""


@given(worlds())
def test_every_page_can_be_rendered(seen: Snapshot) -> None:
    for output in decide(seen, NOW).outputs:
        if output.body is not None:
            assert render_body(output.body)
        if output.story is not None:
            assert render_story(output.story)


@given(worlds())
def test_a_decision_can_be_stored_and_read_back(seen: Snapshot) -> None:
    decision = decide(seen, NOW)
    assert TARGETS.validate_json(TARGETS.dump_json(decision.target)) == decision.target
    acts = list(decision.acts)
    assert ACTS.validate_json(ACTS.dump_json(acts)) == acts


@given(worlds())
def test_only_what_a_person_asked_for_or_saw_fail_is_put_back(seen: Snapshot) -> None:
    """No revert without a failed watch, a failed check, a command, a gate, or one under way."""
    decision = decide(seen, NOW)
    reverts = [act for act in decision.acts if isinstance(act, RevertCommit)]
    if not reverts:
        return
    before = seen.target.release
    asked = any(each.name == "rollback" and each.id in seen.permitted for each in seen.commands)
    under_way = before is not None and before.state is State.REVERTING
    failed = before is not None and any(
        found.outcome.kind == "failed" for found in before.watches.values()
    )
    checks = len([each for each in seen.readings if each.good is False]) >= 3
    assert asked or under_way or failed or checks
    for act in reverts:
        assert set(act.services) <= set(STAGING)
        match act.contents:
            case WriteFiles(files=files):
                assert files
            case ReverseMerge(tree=tree):
                assert seen.reverse == Known(ReverseTree(tree), NOW)
                assert before is not None
                writes = [write for each in before.changes for write in each.writes]
                assert any(write.part is Part.FILE for write in writes)


@given(worlds())
def test_a_world_that_stands_still_comes_to_rest(seen: Snapshot) -> None:
    """Look after look at the same facts, the same acts: nothing is counted up, nothing repeated."""
    seen = replace(seen, commands=(), readings=(), edited_on_base=False)
    for _ in range(5):
        seen = replace(seen, target=decide(seen, NOW).target)
    rested = decide(seen, NOW)
    again = decide(replace(seen, target=rested.target), NOW)
    assert again.target == rested.target
    assert [act.key for act in again.acts] == [act.key for act in rested.acts]
    assert again.events == ()
