"""2,000 services planned from staging to production, in a repository of 100,000 files.

Planned as the service plans (`engine/trees.py`, on a store that has fetched): for the first time,
again at the same commit, after a commit that touches none of these files, and after one that
changes one of them. The fetch is not counted. The same services in a repository of 10,000 files
show what grows with the repository.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from pilotage.adapters.git import GitStore
from pilotage.core.config.load import load_config
from pilotage.engine.trees import Trees
from pilotage.resources import presets
from tests.bench.figure import Figure
from tests.bench.repository import (
    FILES,
    commit,
    make_repository,
    served,
    service_file,
    service_text,
)

SMALL, LARGE, SERVICES, NEWER = 10_000, 100_000, 2_000, 20
ROUNDS = 41
_CONFIG = f"""\
version: 1
pipelines:
  shop:
    preset: cluster-gitops
    files: {FILES}
    environments:
      staging:
      production: {{ from: staging }}
"""


@dataclass
class _Repository:
    """One repository with its store, and how long each kind of planning took there, in seconds."""

    origin: Path
    store: GitStore
    trees: Trees
    times: dict[str, list[float]] = field(default_factory=dict)
    turn: int = 0

    def plan(self, kind: str, changes: int) -> None:
        pipeline = load_config(_CONFIG, presets()).pipelines["shop"]
        head = self.store.heads()["main"]
        began = time.perf_counter()
        plan = self.trees.plan(pipeline, "staging", "production", head)
        self.times.setdefault(kind, []).append(time.perf_counter() - began)
        if len(plan.services) != changes or len(plan.unchanged) != SERVICES - changes:
            raise SystemExit(f"{kind}: {len(plan.services)} changes, not {changes}")

    def push(self, file: str, text: str) -> None:
        """Somebody else's commit, and the fetch that brings it."""
        commit(self.origin, {file: text})
        self.store.fetch()

    def round(self) -> None:
        self.turn += 1
        self.plan("warm", NEWER)
        self.push(f"teams/t0/new-{self.turn}.yaml", f"turn: {self.turn}\n")
        self.plan("unrelated", NEWER)
        version = f"service-0-v1.{self.turn + 1}.0"
        name = service_file("service-0", "staging")
        self.push(name, service_text("service-0", "staging", version))
        self.plan("one changed", NEWER)


def measure() -> list[Figure]:
    with (
        tempfile.TemporaryDirectory(prefix="pilotage-bench-") as name,
        served(Path(name)) as server,
    ):
        small, large = (_repository(Path(name), server.url, files) for files in (SMALL, LARGE))
        small.plan("cold", NEWER)
        large.plan("cold", NEWER)
        for _ in range(ROUNDS):
            small.round()
            large.round()
    growth = _median(large, "unrelated") / _median(small, "unrelated")
    what = f"{SERVICES:,} services: "
    return [
        Figure(what + "planned for the first time", _median(large, "cold"), "s"),
        Figure(what + "again, nothing new", _median(large, "warm"), "s", most=2),
        Figure(what + "after an unrelated commit", _median(large, "unrelated"), "s", most=2),
        Figure(what + "after one file changed", _median(large, "one changed"), "s", most=2),
        Figure(f"unrelated: {LARGE:,} files against {SMALL:,}", growth, "times", most=1.5),
    ]


def _repository(folder: Path, url: str, files: int) -> _Repository:
    name = f"{files}.git"
    origin = make_repository(folder / name, files=files, services=SERVICES, newer=NEWER)
    store = GitStore.open(folder / f"store-{files}", f"{url}/{name}", allow_protocols=("http",))
    store.fetch()
    return _Repository(origin, store, Trees(store, presets()))


def _median(repository: _Repository, kind: str) -> float:
    return statistics.median(repository.times[kind])
