"""Whole recorded answers, judged alone: what each must not be taken for.

The verdicts are written by hand from the notes of the recordings and the decision table. Each
answer is seen for the time given, long enough for what only settles or is looked at twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from pilotage.core.application import (
    Application,
    CannotSee,
    Look,
    Rendered,
    RenderFailed,
    Rendering,
)
from pilotage.core.rollout.judge import judge, revisions_to_place
from pilotage.core.rollout.watch import (
    Budgets,
    Expectation,
    Failed,
    FailureReason,
    HeadFacts,
    Held,
    HoldReason,
    Live,
    Pending,
    RevisionFacts,
    State,
    ThroughSpec,
    Value,
    Watch,
)
from tests.contract.argocd_replay import (
    REPOSITORY,
    application,
    commits,
    full,
    parent,
    recorded,
    relation,
)


@dataclass(frozen=True, slots=True)
class Seen:
    answer: str
    commit: str
    row: int
    verdict: object
    seconds: float = 0
    changes: Mapping[str, object] = field(default_factory=dict)
    """What else is expected of the commit, as fields of `Expectation`."""

    def __str__(self) -> str:
        return f"{self.answer}-{self.commit}"


CHART_TAG = Value("syrf/environments/staging/api/config.yaml", "", "api-v1.5.0", "api-v1.2.0")
BY_SPEC = {"route": ThroughSpec(0, "api-v1.2.0"), "values": (CHART_TAG,)}

ANSWERS = [
    # Synced, Healthy, Succeeded, our commit among the revisions: and the old chart.
    Seen("app-appset-false-live", "689a3f20", 9, State.WAITING_FOR_APPLICATION_SET, 30, BY_SPEC),
    Seen("app-appset-live", "e2d3216a", 15, Live, 1, BY_SPEC),
    Seen("app-appset-unknown-tag", "94cf507f", 6, State.NOT_SEEN, 600),
    Seen("appset-promotion-refresh-only-stage2", "e2d3216a", 7, State.STALE, 1),
    Seen("app-after-unrelated-commit", "e3e3853d", 15, Live, 1),
    Seen("app-annotated-after-unrelated", "2de7b80b", 15, Live, 1),
    Seen("app-after-dryrun", "c10e8236", 26, State.WAITS_FOR_SOMEONE, 10),
    Seen("app-outofsync-manual", "c10e8236", 26, State.WAITS_FOR_SOMEONE, 10),
    Seen("app-after-partial-sync", "319ca0c5", 26, State.WAITS_FOR_SOMEONE, 10),
    Seen("app-after-older-sync", "c10e8236", 24, HoldReason.OLDER_REVISION_CHOSEN, 0),
    Seen("app-needs-prune", "9d7d49d9", 15, Live, 6),
    Seen("app-needs-prune", "9d7d49d9", 23, HoldReason.NOT_PRUNED, 6, {"revert": True}),
    Seen("app-drift-selfheal-off", "b28078af", 23, State.DRIFT, 6),
    Seen("app-suspended", "75d86705", 18, State.SUSPENDED, 60),
    Seen("app-postsync-failed", "2cbd3d57", 13, FailureReason.HOOK_FAILED, 0),
    Seen("app-postsync-failed-retrying", "2cbd3d57", 12, State.HOOK_FAILING, 5),
    Seen("app-hook-failed", "8784d015", 22, FailureReason.SYNC_FAILED, 0),
    Seen("app-reverted-after-failed-sync", "60f85ed5", 15, Live, 1),
    Seen("app-retry-in-progress", "a92d4c30", 21, State.SYNC_FAILING, 0),
    Seen("app-sync-retrying", "8784d015", 21, FailureReason.SYNC_FAILED, 0),
    Seen("app-newer-commit-blocked-by-retry", "2f57ea74", 10, State.BLOCKED, 60),
    Seen("app-terminated", "bbe526e5", 22, HoldReason.STOPPED_BY_PERSON, 0),
    Seen("app-terminating", "bbe526e5", 20, State.SYNCING, 0),
    Seen("app-blocked-by-window", "31ed0d6a", 27, State.WAITING_FOR_SYNC, 10),
    Seen("app-comparisonerror-first", "f6b0fa47", 6, State.NOT_SEEN, 10),
    Seen("app-comparisonerror-after-live", "48a6b265", 6, State.NOT_SEEN, 10),
    Seen("app-git-down", "215a00ad", 6, State.NOT_SEEN, 900),
    Seen("app-reposerver-down", "10575fd3", 6, State.NOT_SEEN, 900),
    Seen("app-unknown-reposerver-down-never-synced", "f6b0fa47", 6, State.NOT_SEEN, 900),
    Seen("app-controller-down", "da05f859", 8, State.NOT_SEEN, 20),
    Seen("app-operation-pending-no-controller", "da05f859", 8, State.NOT_SEEN, 20),
    Seen("app-get-multi-history", "a0bb56f2", 15, Live, 1),
]


def facts(seen: Application, ours: str) -> Expectation:
    """What git says, asked of the recorded history; the head is our commit."""
    named = revisions_to_place(seen, REPOSITORY)
    return Expectation(
        sha=ours,
        parent=parent(ours),
        since=datetime.fromisoformat(commits()[ours]["date"]),
        repository=REPOSITORY,
        head=HeadFacts(ours, contains=True, holds=True),
        revisions={each: RevisionFacts(relation(each, ours), True) for each in named},
    )


def look_for(
    seen: Application, expected: Expectation, seconds: float, rendering: Rendering
) -> Watch:
    """Looks each second from the moment of the recorded comparison on."""
    begin = seen.reconciled_at or expected.since
    watch, now = Watch.begin(begin), begin
    while now <= begin + timedelta(seconds=seconds):
        fresh = replace(seen, reconciled_at=now)
        renders = dict.fromkeys(watch.due(now).renders, rendering)
        watch = judge(watch, Look(fresh, renderings=renders), expected, Budgets(), now)
        now += timedelta(seconds=1)
    return watch


@pytest.mark.parametrize("seen", ANSWERS, ids=str)
def test_what_a_whole_answer_is_taken_for(seen: Seen) -> None:
    whole = application(seen.answer)
    ours = full(seen.commit, {"entries": []})
    expected = replace(facts(whole, ours), **seen.changes)  # type: ignore[arg-type]
    watch = look_for(whole, expected, seen.seconds, CannotSee("not recorded"))
    said = f"row {watch.row}, {watch.state}, {watch.outcome}"
    assert watch.row == seen.row, said
    match watch.outcome:
        case Pending(state=state):
            assert state is seen.verdict, said
        case Failed(reason=reason):
            assert reason is seen.verdict, said
        case Held(reason=held):
            assert held is seen.verdict, said
        case other:
            assert isinstance(other, seen.verdict), said  # type: ignore[arg-type]


def test_a_commit_that_the_generator_refuses_cannot_render() -> None:
    """The recorded comparison error and the recorded answer of rendering that commit."""
    whole = application("app-comparisonerror-after-live")
    ours = full("48a6b265", {"entries": []})
    broken = recorded("manifests-broken-values")["response"]["body"]["message"]
    value = Value("helm-values/staging.yaml", "image.tag", "1.9.1", "1.9.2")
    expected = replace(facts(whole, ours), values=(value,))
    begin = whole.reconciled_at
    assert begin is not None
    watch = look_for(whole, expected, 300, CannotSee("not yet"))
    at_ours, at_parent = watch.requests.renders
    renders: dict[object, Rendering] = {at_ours: RenderFailed(broken), at_parent: Rendered({})}
    look = Look(whole, renderings=renders)  # type: ignore[arg-type]
    watch = judge(watch, look, expected, Budgets(), begin + timedelta(seconds=301))
    assert isinstance(watch.outcome, Failed)
    assert watch.outcome.reason is FailureReason.CANNOT_RENDER
    assert "helm-values/staging.yaml" in watch.outcome.message


@pytest.mark.parametrize("answer", ["app-git-down", "app-reposerver-down"])
def test_a_server_that_is_down_never_leads_to_rendering_or_failure(answer: str) -> None:
    """Its message names the repository's address, which is neither our file nor our value."""
    whole = application(answer)
    value = Value("plain/web/deployment.yaml", "image", "syrf-web:3.5.215", "syrf-web:4.0.0")
    expected = replace(facts(whole, full("215a00ad", {"entries": []})), values=(value,))
    watch = look_for(whole, expected, 900, RenderFailed("failed to fetch"))
    assert watch.requests.renders == ()
    assert isinstance(watch.outcome, Pending)
