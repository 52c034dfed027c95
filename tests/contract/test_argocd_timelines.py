"""Recorded rollouts of a real Argo CD, and what must be said of them at each moment.

The expected verdicts were written by hand from what was done in each story (the marks of the
recording) and from the decision table; they are not the output of the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import pytest

from pilotage.core.application import Gone
from pilotage.core.rollout.watch import (
    Failed,
    FailureReason,
    Held,
    HoldReason,
    Live,
    Overtaken,
    Pending,
    State,
    Terminate,
)
from tests.contract.argocd_replay import RECORDINGS, Replay, Story

# The stories read better in few lines.
# fmt: off

S = State
Verdict: TypeAlias = State | FailureReason | HoldReason | type
"""A state: it waits there. A reason: failed or held for it. A type: that outcome."""


@dataclass(frozen=True, slots=True)
class Expected:
    story: Story
    moments: tuple[tuple[float, Verdict], ...]

    def __str__(self) -> str:
        return f"{self.story.timeline}-{self.story.commit}"


def told(
    timeline: str, commit: str, begin: float, *moments: tuple[float, Verdict], **more: object
) -> Expected:
    return Expected(Story(timeline, commit, begin, **more), moments)  # type: ignore[arg-type]


NORMAL = [
    told(
        "promotion-helm-auto", "a0bb56f2", 0.833,
        (3.9, S.NOT_SEEN), (4.21, S.SYNCING), (4.42, S.ROLLING_OUT), (4.61, S.ROLLING_OUT),
        (6.42, S.LIVE), (7.45, Live),
    ),
    # OutOfSync, Healthy, Succeeded at the new commit: the health of the old pods.
    told(
        "promotion-kustomize", "f0df729a", 0.83,
        (1.0, S.NOT_SEEN), (1.22, S.SETTLING), (1.41, S.ROLLING_OUT), (3.42, S.LIVE), (4.5, Live),
    ),
    told(
        "promotion-plain-hard-refresh", "e3e3853d", 0.829,
        (1.02, S.NOT_SEEN), (1.22, S.SYNCING), (1.41, S.ROLLING_OUT), (4.45, Live),
    ),
    # Another commit moves the revision while it rolls out.
    told(
        "promotion-presync-hook", "a7558a31", 0.864,
        (1.22, S.SYNCING), (3.43, S.SYNCING), (6.83, S.ROLLING_OUT), (7.02, S.ROLLING_OUT),
        (10.05, Live),
    ),
    told(
        "promotion-webhook", "2de7b80b", 0.833,
        (1.1, S.NOT_SEEN), (1.22, S.SYNCING), (1.42, S.ROLLING_OUT), (4.7, Live),
    ),
    told(
        "promotion-multisource-values", "e009d65d", 0.832,
        (1.1, S.NOT_SEEN), (1.22, S.SYNCING), (1.62, S.ROLLING_OUT), (3.62, S.LIVE), (4.7, Live),
    ),
    # Only the chart's repository changes: ours stays live, after one more sync.
    told(
        "promotion-multisource-chart", "e009d65d", 0,
        (0.1, S.LIVE), (1.21, S.SYNCING), (1.41, S.LIVE), (2.45, Live),
    ),
    told("unrelated-commit", "e3e3853d", 0, (0.1, S.LIVE), (1.2, Live), (1.42, Live)),
    told("other-app-only-commit", "6b2b3e11", 0, (1.1, Live), (1.25, Live)),
    told("webhook-unrelated-path-no-annotation", "6b2b3e11", 0, (1.1, Live), (1.21, Live)),
    told("webhook-unrelated-path-with-annotation", "2de7b80b", 0, (1.1, Live), (6.1, Live)),
]

NOBODY_REFRESHES = [
    told(
        "natural-polling-auto-annotated", "8784d015", 2.456,
        (150, S.NOT_SEEN), (152.55, S.SYNCING), (153.05, S.ROLLING_OUT), (156.1, Live),
        asks_refresh=False,
    ),
    # Synced, Progressing and Running at once: rolling out.
    told(
        "natural-polling-auto-multisource", "8784d015", 3.258,
        (190, S.NOT_SEEN), (197.56, S.ROLLING_OUT), (198.1, S.ROLLING_OUT), (201.1, Live),
        asks_refresh=False,
    ),
    told(
        "natural-polling-manual", "8784d015", 4.058,
        (180, S.NOT_SEEN), (185.6, S.WAITS_FOR_SOMEONE),
        asks_refresh=False,
    ),
]

APPLICATION_SET = [
    told(
        "appset-promotion-refresh-only", "e2d3216a", 0.834,
        (1.0, S.NOT_SEEN),
        (1.21, S.STALE),  # spec has the new tag, compared with the old one
        (1.41, S.SYNCING), (1.62, S.ROLLING_OUT), (3.62, S.LIVE), (4.7, Live),
    ),
    # The false live: Synced, Healthy, Succeeded and our commit, with the old chart, for 6 s here
    # and without limit as long as the ApplicationSet controller does not run.
    told(
        "appset-controller-down", "689a3f20", 0.931,
        (1.0, S.NOT_SEEN), (1.21, S.WAITING_FOR_APPLICATION_SET),
        (3.0, S.WAITING_FOR_APPLICATION_SET), (7.2, S.WAITING_FOR_APPLICATION_SET),
        (7.22, S.SYNCING), (7.42, S.ROLLING_OUT), (9.62, S.LIVE), (10.7, Live),
        spec_tags=((0, "api-v1.5.0", "api-v1.5.0"), (7.212, "api-v1.2.0", "api-v1.2.0")),
    ),
    told(
        "appset-promotion-webhook", "82ff826a", 0.838,
        (1.22, S.WAITING_FOR_APPLICATION_SET), (1.6, S.WAITING_FOR_APPLICATION_SET),
        (1.61, S.SYNCING), (2.02, S.ROLLING_OUT), (4.02, S.LIVE), (5.1, Live),
        spec_tags=((0, "api-v1.2.0", "api-v1.2.0"), (1.609, "api-v1.3.0", "api-v1.3.0")),
    ),
    told(
        "appset-natural-polling", "30dd121b", 0.83,
        (300, S.NOT_SEEN), (323.61, S.SYNCING), (324.1, S.ROLLING_OUT), (327.2, Live),
        asks_refresh=False,
        spec_tags=((0, "api-v1.4.0", "api-v1.4.0"), (323.6, "api-v1.5.0", "api-v1.5.0")),
    ),
    # A tag that does not exist: nothing is known of it, and the old chart goes on.
    told(
        "appset-promotion-unknown-tag", "94cf507f", 0.83,
        (1.3, S.NOT_SEEN), (6.0, S.NOT_SEEN), (7.42, Overtaken),
        spec_tags=((0, "api-v1.3.0", "api-v1.3.0"), (1.207, "api-v9.9.9", "api-v9.9.9")),
    ),
    told(
        "appset-promotion-unknown-tag", "d40c3ed9", 6.921,
        (7.1, S.NOT_SEEN), (7.42, S.SYNCING), (7.62, S.ROLLING_OUT), (10.7, Live),
        spec_tags=(
            (0, "api-v1.3.0", "api-v1.3.0"),
            (1.207, "api-v9.9.9", "api-v9.9.9"),
            (7.411, "api-v1.4.0", "api-v1.4.0"),
        ),
    ),
]

BAD_VERSIONS = [
    # One restart so far: Degraded is no failure yet. Then somebody reverted it.
    told(
        "bad-image", "2f79fbad", 0.838,
        (1.21, S.SYNCING), (1.61, S.ROLLING_OUT), (12.3, S.ROLLING_OUT), (12.42, S.DEGRADED),
        (14.5, S.DEGRADED), (15.83, Overtaken),
        tree="resource-tree-degraded",
    ),
    told(
        "bad-image", "b52b84b0", 15.499,
        (15.83, S.SYNCING), (16.43, S.HOOKS_RUNNING), (16.63, S.LIVE), (17.7, Live),
        revert=True,
    ),
    told(
        "imagepullbackoff-then-newer-good-commit", "2996b6d6", 0.835,
        (1.21, S.SYNCING), (1.41, S.ROLLING_OUT), (5.5, S.ROLLING_OUT), (6.42, Overtaken),
    ),
    told(
        "imagepullbackoff-then-newer-good-commit", "85112697", 6.097,
        (6.2, S.NOT_SEEN), (6.42, S.SYNCING), (6.62, S.ROLLING_OUT), (8.82, S.LIVE), (9.9, Live),
    ),
    # A slow start passes through Degraded and recovers by itself.
    told(
        "slow-image-deadline10", "2b1ca876", 0.841,
        (1.44, S.SETTLING), (1.62, S.ROLLING_OUT), (12.22, S.DEGRADED), (21.5, S.DEGRADED),
        (21.63, S.LIVE), (22.65, Live),
    ),
    told(
        "slow-image-deadline60", "adde9a73", 0.837,
        (1.41, S.ROLLING_OUT), (20, S.ROLLING_OUT), (21.52, S.LIVE), (22.55, Live),
    ),
    told(
        "paused-deployment", "75d86705", 0.83,
        (1.22, S.SYNCING), (1.42, S.SUSPENDED), (4.0, S.SUSPENDED),
        (4.82, S.SYNCING), (5.03, S.ROLLING_OUT), (8.3, Live),
    ),
]

NO_NEWS = [
    told(
        "broken-yaml", "d3b1ef7e", 0.839,
        (1.3, S.NOT_SEEN), (5.0, S.NOT_SEEN), (6.42, Overtaken),
        whole_file=True,
    ),
    told(
        "broken-yaml", "3cbdb9c8", 6.112,
        (6.3, S.NOT_SEEN), (6.42, S.LIVE), (7.5, Live),
        whole_file=True,
    ),
    told(
        "helm-template-error", "48a6b265", 0.833,
        (1.3, S.NOT_SEEN), (5.0, S.NOT_SEEN), (6.42, Overtaken),
        whole_file=True,
    ),
    told(
        "helm-template-error", "a157914d", 6.104,
        (6.3, S.NOT_SEEN), (6.42, S.LIVE), (7.5, Live),
        whole_file=True,
    ),
    told(
        "git-server-down", "215a00ad", 0.932,
        (1.1, S.NOT_SEEN), (12.3, S.NOT_SEEN), (12.45, S.SYNCING), (12.63, S.SETTLING),
        (12.83, S.ROLLING_OUT), (15.9, Live),
    ),
    told(
        "repo-server-down", "10575fd3", 0.935,
        (2.0, S.NOT_SEEN), (3.1, S.NOT_SEEN), (10.63, S.SYNCING), (10.83, S.ROLLING_OUT),
        (14.1, Live),
    ),
    told(
        "controller-down", "da05f859", 0.931,
        (10, S.NOT_SEEN), (22.5, S.NOT_SEEN), (22.84, S.SYNCING), (23.23, S.ROLLING_OUT),
        (26.5, Live),
    ),
]

OPERATIONS = [
    # A is at work when B comes: B waits, and A is never B's failure.
    told(
        "newer-commit-during-running-sync", "3a8c8c7f", 0.83,
        (1.05, S.SYNCING), (5.0, S.SYNCING), (7.5, Overtaken),
    ),
    told(
        "newer-commit-during-running-sync", "6a2b1e48", 7.037,
        (7.3, S.BLOCKED), (25, S.BLOCKED), (29.45, S.SYNCING), (29.63, S.SYNCING),
        (34.84, S.SETTLING), (35.04, S.ROLLING_OUT), (38.1, Live),
    ),
    told("two-commits-before-refresh", "308b1fc9", 0.835, (1.42, Overtaken), (4.9, Overtaken)),
    told(
        "two-commits-before-refresh", "948e9cae", 1.161,
        (1.42, S.SYNCING), (1.63, S.SETTLING), (1.82, S.ROLLING_OUT), (4.85, Live),
    ),
    told(
        "two-commits-rapid-refresh", "6b2b3e11", 1.252,
        (1.42, S.NOT_SEEN), (1.82, S.SYNCING), (2.02, S.ROLLING_OUT), (5.05, Live),
    ),
    told(
        "two-commits-during-two-long-hooks", "4df844d7", 0.837,
        (3.3, S.SYNCING), (28.3, S.SYNCING), (29.64, S.ROLLING_OUT), (31.84, S.HOOKS_RUNNING),
        (33, Overtaken),
        heads=((0, "56d05c4f"), (32.165, "eb1fbc94")),
    ),
    told(
        "two-commits-during-two-long-hooks", "eb1fbc94", 32.165,
        (32.44, S.BLOCKED), (57, S.BLOCKED), (58.05, S.SYNCING), (60.3, S.SYNCING),
        (63.66, S.ROLLING_OUT), (65.66, S.LIVE), (66.7, Live),
    ),
    told(
        "terminate-operation", "bbe526e5", 0.839,
        (3.5, S.SYNCING), (6.25, HoldReason.STOPPED_BY_PERSON), (11, HoldReason.STOPPED_BY_PERSON),
        (12.62, Overtaken),
    ),
    told(
        "terminate-operation", "a5e51faa", 12.29,
        (12.62, S.SYNCING), (16.03, S.ROLLING_OUT), (18.03, S.LIVE), (19.1, Live),
    ),
    # The retries of an older bad commit block what came after it.
    told("configmap-only-change", "fec172d9", 0.83, (1.01, S.BLOCKED), (30, S.BLOCKED)),
    told(
        "schema-invalid-unknown-field", "b79abb91", 0.836,
        (1.21, S.BLOCKED), (8.5, S.BLOCKED), (9.42, Overtaken),
        whole_file=True,
    ),
    told(
        "schema-invalid-unknown-field", "56d05c4f", 9.039,
        (9.42, S.BLOCKED), (96, S.BLOCKED),
        whole_file=True, revert=True,
    ),
]

FAILED_SYNCS = [
    told(
        "invalid-manifest-clean", "8784d015", 1.655,
        (2.1, S.SYNCING), (2.25, S.SYNC_FAILING), (12.3, S.SYNC_FAILING), (32.2, S.SYNC_FAILING),
        (32.3, FailureReason.SYNC_FAILED), (150, FailureReason.SYNC_FAILED),
        whole_file=True,
    ),
    # Synced and Healthy at the fix, and the retries could still apply the bad commit over it.
    told(
        "invalid-manifest-clean", "9527f38d", 222.824,
        (223.2, S.BLOCKED), (226, S.BLOCKED), (228.4, Overtaken),
        whole_file=True, revert=True,
    ),
    told(
        "invalid-manifest-clean", "2f57ea74", 228.028,
        (228.4, S.BLOCKED), (239, S.BLOCKED), (240.35, S.SYNCING), (240.56, S.SETTLING),
        (240.75, S.ROLLING_OUT), (242.76, S.LIVE), (243.8, Live),
    ),
    told(
        "invalid-manifest-sync-fails", "a92d4c30", 0.839,
        (1.3, S.SYNCING), (1.62, S.SYNC_FAILING), (11.3, S.SYNC_FAILING), (12.64, Overtaken),
        whole_file=True,
    ),
    told(
        "invalid-manifest-sync-fails", "1201eae9", 12.4,
        (12.64, S.BLOCKED), (31.3, S.BLOCKED), (71.3, S.BLOCKED),
        whole_file=True, revert=True,
    ),
    told(
        "presync-hook-fails-clean", "8784d015", 0.853,
        (1.3, S.SYNCING), (3.5, S.SYNCING), (6.62, S.SYNC_FAILING), (35, S.SYNC_FAILING),
        (41.3, FailureReason.SYNC_FAILED), (200, FailureReason.SYNC_FAILED),
    ),
    # The revert is live although the operation says Failed for ever.
    told(
        "presync-hook-fails-clean", "60f85ed5", 204.749,
        (205.0, S.NOT_SEEN), (205.14, S.LIVE), (206.2, Live),
        revert=True,
    ),
    # Unrelated commits restart Argo CD's counter; ours goes on: the third failed attempt.
    told(
        "presync-hook-fails", "d89eaded", 0.841,
        (1.3, S.SYNCING), (6.62, S.SYNC_FAILING), (15.9, S.SYNC_FAILING), (18.1, S.SYNC_FAILING),
        (41.1, S.SYNCING), (46.4, S.SYNCING), (46.5, FailureReason.SYNC_FAILED),
    ),
    told(
        "presync-hook-fails", "79b555a2", 67.161,
        (67.5, S.BLOCKED), (78, S.BLOCKED), (81.1, S.LIVE), (82.2, Live),
        revert=True,
    ),
    # Synced and Healthy for 25 s before the smoke test ends, and still after it has failed.
    told(
        "postsync-hook-slow-then-fails", "2cbd3d57", 0.832,
        (1.25, S.SYNCING), (6.62, S.ROLLING_OUT), (8.62, S.HOOKS_RUNNING), (30, S.HOOKS_RUNNING),
        (35.5, S.HOOK_FAILING), (36.04, FailureReason.HOOK_FAILED),
    ),
    told(
        "postsync-hook-slow-then-fails", "b878da8a", 39.989,
        (40.1, S.NOT_SEEN), (40.24, S.LIVE), (41.3, Live),
    ),
]

DRIFT = [
    told(
        "drift-selfheal-off", "b28078af", 0,
        (0.01, S.SYNCING), (0.21, S.ROLLING_OUT), (3.45, Live), (3.82, S.SETTLING),
        (10.0, S.DRIFT), (12.6, S.DRIFT), (12.83, S.SYNCING), (13.02, S.SETTLING), (13.22, S.LIVE),
        (14.3, Live),
    ),
    told(
        "drift-selfheal-on", "666cc048", 0,
        (0.1, S.SYNCING), (0.42, S.ROLLING_OUT), (3.45, Live), (3.62, S.SYNCING),
        (3.82, S.LIVE), (4.85, Live),
    ),
    told("pod-deleted", "666cc048", 0, (0.5, S.LIVE), (1.02, S.ROLLING_OUT), (4.1, Live)),
    # The Deployment is deleted and the application stays Healthy.
    told(
        "missing-resources", "972ee853", 0,
        (0.1, S.LIVE), (1.02, S.SETTLING), (7, S.DRIFT), (17.5, S.DRIFT), (18.03, S.SYNCING),
        (18.23, S.SETTLING), (18.43, S.ROLLING_OUT), (21.5, Live),
    ),
    told(
        "force-push-back", "6ab7c1a7", 0.834,
        (1.21, S.SYNCING), (1.41, S.ROLLING_OUT), (3.42, S.LIVE), (3.62, HoldReason.WITHDRAWN),
        heads=((0, "6ab7c1a7"), (3.457, "da05f859")),
    ),
    told(
        "app-deleted", "3cf5cf74", 0,
        (0.1, S.LIVE), (1.02, Gone), (2.3, Gone),
    ),
]

BY_HAND = [
    told(
        "manual-app-full", "c10e8236", 1.64,
        (2.1, S.WAITS_FOR_SOMEONE),
        (6.7, S.WAITS_FOR_SOMEONE),  # a dry run Succeeded at our commit, and nothing happened
        (9.64, S.SYNCING), (9.84, S.ROLLING_OUT), (10.84, S.ROLLING_OUT), (12.04, S.LIVE),
        (13.1, Live),
    ),
    told(
        "manual-sync-default-head", "319ca0c5", 0,
        (0.5, S.WAITS_FOR_SOMEONE), (1.02, S.SYNCING), (1.22, S.ROLLING_OUT), (4.3, Live),
        partial=(0, 1.0),
    ),
    # Only the ConfigMap was synced: Succeeded at our commit, with the old Deployment.
    told(
        "sync-selected-resources", "319ca0c5", 0.832,
        (1.0, S.NOT_SEEN), (1.3, S.WAITS_FOR_SOMEONE), (6.2, S.WAITS_FOR_SOMEONE),
        partial=(1.1, 99),
    ),
    # Somebody goes back to an older revision after us: never fought.
    told(
        "manual-sync-older-revision", "c10e8236", 0,
        (0.5, S.LIVE), (1.1, S.BLOCKED), (1.22, HoldReason.OLDER_REVISION_CHOSEN),
        (7.1, HoldReason.OLDER_REVISION_CHOSEN),
    ),
    told(
        "rollback-manual-app", "c10e8236", 0,
        (0.1, HoldReason.OLDER_REVISION_CHOSEN), (1.02, S.SYNCING), (1.22, S.ROLLING_OUT),
        (3.22, S.LIVE), (4.25, Live),
    ),
    told(
        "prune-not-done", "9d7d49d9", 0.832,
        (1.22, S.WAITS_FOR_SOMEONE), (1.62, S.SYNCING), (1.83, S.SETTLING), (2.02, S.SETTLING),
        (5.5, S.SETTLING), (5.82, S.SYNCING), (6.02, S.LIVE), (7.05, Live),
    ),
    told(
        "sync-window-deny-auto", "31ed0d6a", 0.83,
        (1.1, S.NOT_SEEN), (1.3, S.WAITING_FOR_SYNC), (2.5, S.WINDOW), (7, S.WINDOW),
        (15.23, S.SYNCING), (15.43, S.ROLLING_OUT), (17.63, S.LIVE), (18.7, Live),
        windows=((0, "syncwindows-deny"), (7.066, "syncwindows-none")),
    ),
    told(
        "sync-window-deny-manual", "972ee853", 0.831,
        (1.1, S.NOT_SEEN), (1.3, S.WAITS_FOR_SOMEONE), (2.5, S.WINDOW), (60, S.WINDOW),
        windows=((0, "syncwindows-deny"),),
    ),
]

EVERY = [
    *NORMAL, *NOBODY_REFRESHES, *APPLICATION_SET, *BAD_VERSIONS, *NO_NEWS, *OPERATIONS,
    *FAILED_SYNCS, *DRIFT, *BY_HAND,
]

# fmt: on


def verdict(replay: Replay) -> Verdict:
    outcome = replay.watch.outcome
    match outcome:
        case Pending(state=state):
            return state
        case Failed(reason=failure):
            return failure
        case Held(reason=hold):
            return hold
        case _:
            return type(outcome)


@pytest.mark.runbook("SYRF-8")
@pytest.mark.parametrize("expected", EVERY, ids=str)
def test_what_is_said_of_a_recorded_rollout_at_each_moment(expected: Expected) -> None:
    replay = Replay(expected.story)
    for seconds, wanted in expected.moments:
        watch = replay.run_until(seconds)
        said = f"at {seconds}: row {watch.row}, {watch.state}, {watch.outcome}"
        assert verdict(replay) == wanted, said


@pytest.mark.parametrize("expected", APPLICATION_SET, ids=str)
def test_the_false_live_of_an_application_set_is_never_live(expected: Expected) -> None:
    """Looked at every 50 ms: live only once the new chart is the one that is compared."""
    replay = Replay(expected.story)
    ended = expected.moments[-1][0]
    seconds = ended - 12 if ended > 300 else expected.story.begin
    while seconds < ended:
        watch = replay.run_until(seconds)
        seen = watch.application
        if seen is not None and watch.state is State.LIVE:
            (wanted,) = {seen.sources[0].target_revision, seen.compared_to[0].target_revision}
            assert wanted == replay.value(replay.ours)
        seconds += 0.05


@pytest.mark.parametrize("expected", [each for each in EVERY if each.story.revert], ids=str)
def test_a_revert_that_is_blocked_asks_for_the_older_operation_to_be_stopped(
    expected: Expected,
) -> None:
    replay = Replay(expected.story)
    for seconds, wanted in expected.moments:
        watch = replay.run_until(seconds)
        stops = [wish for wish in watch.wishes if isinstance(wish, Terminate)]
        assert bool(stops) is (wanted is State.BLOCKED)
        assert all(stop.for_revert for stop in stops)


def test_no_application_in_a_deny_window_is_ever_synced() -> None:
    for expected in BY_HAND:
        if expected.story.windows:
            replay = Replay(expected.story)
            for tenth in range(9, 70):
                assert replay.run_until(tenth / 10).wishes == ()


def test_every_timeline_is_played() -> None:
    names = {path.stem.removeprefix("timeline-") for path in RECORDINGS.glob("timeline-*.json")}
    assert names == {expected.story.timeline for expected in EVERY}
