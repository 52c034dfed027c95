"""The stand-in goes through the same states, in the same order, as a real Argo CD did."""

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.contract.argocd_shape import recorded_application
from tests.contract.argocd_world import (
    RECORDINGS,
    Step,
    World,
    config,
    make_world,
    recording,
    values,
)

STAGING = "helm-values/staging.yaml"
API = "syrf/environments/staging/api/config.yaml"
STAYS = 0.9  # seconds: what lasted that long in the recording must be seen here as well


@pytest.fixture
def argo(tmp_path: Path) -> World:
    return make_world(tmp_path)


def recorded_steps(name: str) -> list[tuple[float, Step]]:
    """Each state of the recorded stream and when it began, none twice in a row."""
    steps: list[tuple[float, Step]] = []
    for at, _kind, _version, *state in recording(f"timeline-{name}")["stream"]:
        sync, revision, health, phase, result, *_ = state
        step = (sync, frozen(revision), health, phase, frozen(result))
        if not steps or steps[-1][1] != step:
            steps.append((at, step))
    return steps


def frozen(revision: Any) -> Any:
    return tuple(revision) if isinstance(revision, list) else revision


def aliased(steps: list[Step]) -> list[Step]:
    """Revisions by the order in which they first appear; a branch's name stays."""
    names: dict[str, str] = {}

    def alias(revision: Any) -> Any:
        if isinstance(revision, tuple):
            return tuple(alias(one) for one in revision)
        if revision is None or revision == "main":
            return revision
        return names.setdefault(revision, f"r{len(names)}")

    return [
        (sync, alias(revision), health, phase, alias(result))
        for sync, revision, health, phase, result in steps
    ]


def lasting(steps: list[tuple[float, Step]]) -> list[bool]:
    ends = [*(at for at, _ in steps[1:]), float("inf")]
    return [end - at > STAYS for (at, _), end in zip(steps, ends, strict=False)]


@cache
def recorded_transitions() -> frozenset[tuple[Step, ...]]:
    """From which state to which any recording ever went, passing states left out or not."""
    found = set()
    for path in RECORDINGS.glob("timeline-*.json"):
        steps = recorded_steps(path.stem.removeprefix("timeline-"))
        stay = lasting(steps)
        for start in range(len(steps)):
            for end in range(start + 1, len(steps)):
                found.add(tuple(aliased([steps[start][1], steps[end][1]])))
                if stay[end]:
                    break
    return frozenset(found)


def promotion(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=5)


def racing_promotion(argo: World) -> None:
    argo.argocd.faults.self_heal_races = True
    promotion(argo)


def unrelated(argo: World) -> None:
    argo.plain()
    argo.commit({"README.md": "docs only\n"})
    argo.refresh("api-staging", then=5)


def old_operation(argo: World) -> None:
    """Begin with a revision that is newer than the one last synced."""
    argo.plain()
    argo.commit({"docs.md": "x"})
    argo.refresh("api-staging", then=5)
    argo.begin("api-staging")


def bad_image(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.3.0-bad")})
    argo.refresh("api-staging", then=0.25)
    argo.commit({"README.md": "somebody else's commit\n"})
    argo.argocd.advance(14)
    argo.commit({STAGING: values("1.0.0")})
    argo.refresh("api-staging", then=5)


def bad_image_without_another_commit(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.3.0-bad")})
    argo.refresh("api-staging", then=14)


def appset(argo: World) -> None:
    argo.commit({API: config("api", "staging", "api-v1.0.0")})
    argo.set()
    argo.commit({API: config("api", "staging", "api-v1.1.0")})
    argo.refresh("api-staging", then=5)


def appset_unknown_tag(argo: World) -> None:
    argo.argocd.faults.missing_tags.add("api-v9.9.9")
    argo.commit({API: config("api", "staging", "api-v1.0.0")})
    argo.set()
    argo.commit({API: config("api", "staging", "api-v9.9.9")})
    argo.argocd.application_sets.wake("syrf-set")
    argo.argocd.advance(3)
    argo.commit({API: config("api", "staging", "api-v1.1.0")})
    argo.argocd.application_sets.wake("syrf-set")
    argo.argocd.advance(5)


def invalid_manifest(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.1.0", podLabels={"app": "other"})})
    argo.refresh("api-staging", then=220)
    argo.commit({STAGING: values("1.0.0")})
    argo.refresh("api-staging", then=5)
    argo.commit({STAGING: values("1.2.0")})
    argo.refresh("api-staging", then=3)
    argo.argocd.terminate("api-staging")
    argo.argocd.advance(5)


def postsync_fails(argo: World) -> None:
    argo.plain(retry_limit=2)
    argo.commit({STAGING: values("0.9.0", hooks={"preSync": "migrate:1-fail"})})
    argo.refresh("api-staging", then=60)
    argo.commit({STAGING: values("1.0.0")})
    argo.refresh("api-staging", then=5)
    argo.begin("api-staging")
    hooks = {"preSync": "migrate:1.0.0", "postSync": "smoke:1.0.0-longjob-fail"}
    argo.commit({STAGING: values("1.1.0", hooks=hooks)})
    argo.refresh("api-staging", then=35)
    argo.argocd.terminate("api-staging")
    argo.argocd.advance(2)
    argo.refresh("api-staging", then=2)
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=5)


def broken_yaml(argo: World) -> None:
    old_operation(argo)
    argo.commit({STAGING: "image: [not, closed\n"})
    argo.refresh("api-staging", then=5)
    argo.commit({STAGING: values("1.0.0")})
    argo.refresh("api-staging", then=5)


def manual(argo: World) -> None:
    argo.plain(automated=False)
    argo.commit({"docs.md": "x"})
    argo.refresh("api-staging", then=2)
    argo.begin("api-staging")
    argo.commit({"docs.md": "y"})
    argo.refresh("api-staging", then=2)
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=5)
    argo.argocd.sync("api-staging", dry_run=True)
    argo.argocd.advance(3)
    argo.argocd.sync("api-staging")
    argo.argocd.advance(0.5)
    argo.commit({"docs.md": "z"})
    argo.refresh("api-staging", then=5)


def terminate(argo: World) -> None:
    old_operation(argo)
    argo.commit({STAGING: values("1.1.0", hooks={"preSync": "migrate:1-longjob"})})
    argo.refresh("api-staging", then=5)
    argo.argocd.terminate("api-staging")
    argo.argocd.advance(2)
    argo.refresh("api-staging", then=4)
    argo.commit({STAGING: values("1.2.0", hooks={"preSync": "migrate:1.2.0"})})
    argo.refresh("api-staging", then=10)


def presync_fails(argo: World) -> None:
    argo.plain(retry_limit=2)
    argo.commit({STAGING: values("1.1.0", hooks={"preSync": "migrate:1-fail"})})
    argo.refresh("api-staging", then=60)
    argo.refresh("api-staging", then=10)
    argo.commit({STAGING: values("1.0.0")})
    argo.refresh("api-staging", then=10)


def presync(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.1.0", hooks={"preSync": "migrate:1.1.0"})})
    argo.refresh("api-staging", then=4.6)
    argo.commit({"README.md": "another\n"})
    argo.refresh("api-staging", then=5)


def drift_healed(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=0.22)
    argo.begin("api-staging")
    argo.argocd.advance(5)
    argo.argocd.scale("api-staging", 2)
    argo.argocd.advance(5)


def drift_left(argo: World) -> None:
    argo.plain(self_heal=False)
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=0.22)
    argo.begin("api-staging")
    argo.argocd.advance(5)
    argo.argocd.scale("api-staging", 2)
    argo.argocd.advance(7)
    argo.refresh("api-staging", then=2)
    argo.commit({"README.md": "unrelated\n"})
    argo.refresh("api-staging", then=5)


def pod_deleted(argo: World) -> None:
    argo.plain()
    argo.argocd.delete_pods("api-staging")
    argo.argocd.advance(5)


def newer_commit(argo: World) -> None:
    argo.plain(retry_limit=0)
    argo.commit({STAGING: values("0.9.0", hooks={"preSync": "migrate:1-fail"})})
    argo.refresh("api-staging", then=60)
    argo.commit({STAGING: values("1.0.0")})
    argo.refresh("api-staging", then=5)
    argo.begin("api-staging")
    argo.commit({STAGING: values("1.1.0", hooks={"preSync": "migrate:1-longjob"})})
    argo.refresh("api-staging", then=6)
    argo.commit({STAGING: values("1.2.0", hooks={"preSync": "migrate:1.2.0"})})
    argo.refresh("api-staging", then=5)
    argo.commit({"README.md": "nobody asks for a refresh\n"})
    argo.argocd.advance(25)


def paused(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.1.0", paused=True)})
    argo.refresh("api-staging", then=4)
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=5)


def git_down(argo: World) -> None:
    argo.plain()
    argo.argocd.faults.git_down = True
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=5)
    argo.argocd.faults.git_down = False
    argo.refresh("api-staging", then=5)


def repo_server_down(argo: World) -> None:
    argo.plain()
    argo.argocd.faults.repo_server_down = True
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=5)
    argo.argocd.faults.repo_server_down = False
    argo.refresh("api-staging", then=5)


def controller_down(argo: World) -> None:
    argo.plain()
    argo.argocd.stop_controller()
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=20)
    argo.argocd.start_controller()
    argo.argocd.advance(5)


def slow(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.4.0-slow")})
    argo.refresh("api-staging", then=30)


def window(argo: World) -> None:
    from pilotage.sandbox.argocd import SyncWindow

    old_operation(argo)
    argo.argocd.set_window("api-staging", SyncWindow("deny"))
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=6)
    argo.argocd.set_window("api-staging", None)
    argo.argocd.advance(8)
    argo.refresh("api-staging", then=5)


def unpruned(argo: World) -> None:
    argo.plain(automated=False)
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=5)
    argo.begin("api-staging")
    argo.commit({STAGING: values("1.1.0", configMap={"enabled": False})})
    argo.refresh("api-staging", then=1)
    argo.argocd.sync("api-staging")
    argo.argocd.advance(5)
    argo.argocd.sync("api-staging", prune=True)
    argo.argocd.advance(5)


def deployment_deleted(argo: World) -> None:
    argo.plain(automated=False)
    argo.argocd.delete_resource("api-staging", "Deployment")
    argo.argocd.advance(15)
    argo.commit({"README.md": "another\n"})
    argo.argocd.sync("api-staging")
    argo.argocd.advance(5)


STORIES: dict[str, Callable[[World], None]] = {
    "promotion-helm-auto": racing_promotion,
    "unrelated-commit": unrelated,
    "bad-image": bad_image,
    "appset-promotion-refresh-only": appset,
    "appset-promotion-unknown-tag": appset_unknown_tag,
    "invalid-manifest-clean": invalid_manifest,
    "postsync-hook-slow-then-fails": postsync_fails,
    "broken-yaml": broken_yaml,
    "manual-app-full": manual,
    "terminate-operation": terminate,
    "presync-hook-fails-clean": presync_fails,
    "promotion-presync-hook": presync,
    "drift-selfheal-on": drift_healed,
    "drift-selfheal-off": drift_left,
    "pod-deleted": pod_deleted,
    "newer-commit-during-running-sync": newer_commit,
    "paused-deployment": paused,
    "git-server-down": git_down,
    "repo-server-down": repo_server_down,
    "controller-down": controller_down,
    "slow-image-deadline10": slow,
    "sync-window-deny-auto": window,
    "prune-not-done": unpruned,
    "missing-resources": deployment_deleted,
}


@pytest.mark.parametrize("name", STORIES)
def test_states_follow_in_the_recorded_order(name: str, argo: World) -> None:
    """What lasted in the recording is gone through, in that order; between two states there is
    no step that no real Argo CD was seen to take. After each change the Application has no key
    that a real one never had, and none of another JSON type."""
    STORIES[name](argo)
    shape = recorded_application()
    odd = {one for document in argo.documents["api-staging"] for one in shape.violations(document)}
    assert not odd
    recorded = recorded_steps(name)
    every = aliased([step for _, step in recorded])
    wanted = [step for step, stays in zip(every, lasting(recorded), strict=True) if stays]
    seen = aliased(argo.steps["api-staging"])
    listing = "\n".join(map(str, seen))
    rest = iter(seen)
    left_out = [step for step in wanted if step not in rest]
    assert not left_out, f"not in this order, or not at all:\n{listing}"
    invented = [pair for pair in pairwise(seen)
                if tuple(aliased(list(pair))) not in recorded_transitions()]  # fmt: skip
    assert not invented, f"in\n{listing}"
