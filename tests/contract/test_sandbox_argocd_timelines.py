"""The stand-in goes through the same states, in the same order, as a real Argo CD did."""

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.contract.argocd_shape import recorded_application
from tests.contract.argocd_stories import STORIES
from tests.contract.argocd_world import (
    RECORDINGS,
    Step,
    World,
    make_world,
    recording,
)

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
