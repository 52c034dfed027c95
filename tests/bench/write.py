"""One promotion written: files read at the base, edited, committed and pushed over HTTP.

What is measured is what the service does (`adapters/git`, on a bare store that has fetched), to
repositories of 1,000 and of 100,000 files, for 1 and for 50 services; the runs take turns, and the
median counts. The alternative, in the same run, is a shallow clone, the cheapest possible edit, a
commit and a push. The files are as large as those of public GitOps repositories (516 bytes in the
middle, 2 KB on average), and the server holds them packed as servers do. How long a clone takes
is mostly the disk, and so is by how much it is slower: from below 6 to 35 seconds on one and the
same machine within an hour, and the quickest a write of 0.09 seconds beats by 63 times only. The
median of all clones is held against ours, the quickest is told. What grows with the repository is
the server's own check of a push (`git rev-list --objects --not --all`), so its time is told: the
service lists folders on the way to its files, and git sends what is new.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pilotage.adapters.git import File, GitStore, Identity
from pilotage.edit import set_value
from tests.bench.figure import Figure
from tests.bench.repository import GitServer, git, make_repository, served, service_file

SMALL, LARGE, SERVICES = 1_000, 100_000, 50
ROUNDS, CLONES = 41, 5
_BOT = Identity("Pilotage", "pilotage@example.org")
_PATH = "service.chartTag"


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="pilotage-bench-") as name:
        folder = Path(name)
        for files in (SMALL, LARGE):
            path = folder / "git" / f"{files}.git"
            make_repository(path, files=files, services=SERVICES, newer=SERVICES)
        os.sync()  # the disk is not busy any more with what was made
        with served(folder / "git") as server:
            return _measured(folder, server)


def _measured(folder: Path, server: GitServer) -> list[Figure]:
    url = server.url
    stores = {files: _store(folder, f"{url}/{files}.git", files) for files in (SMALL, LARGE)}
    cases = [(SMALL, 1), (LARGE, 1), (LARGE, SERVICES)]
    times: dict[tuple[int, int], list[float]] = {case: [] for case in cases}
    theirs: dict[tuple[int, int], list[float]] = {case: [] for case in cases}
    for turn in range(ROUNDS):
        for files, services in cases:
            took, busy = _written(stores[files], services, turn, server)
            times[files, services].append(took)
            theirs[files, services].append(busy)
    small, one, many = (statistics.median(times[case]) for case in cases)
    small_server, server_alone, _ = (statistics.median(theirs[case]) for case in cases)
    own_small, own = small - small_server, one - server_alone
    clones = [_cloned(folder / f"clone-{turn}", f"{url}/{LARGE}.git") for turn in range(CLONES)]
    clone = statistics.median(clones)
    return [
        Figure(f"{LARGE:,} files: 1 service written", one, "s"),
        Figure("of that, the git server at work", server_alone, "s"),
        Figure(f"the git server at work with {SMALL:,} files", small_server, "s"),
        Figure(f"{LARGE:,} files: clone, edit, commit, push", clone, "s"),
        Figure(f"the quickest of {CLONES} such clones", min(clones), "s"),
        Figure("faster than a clone", clone / one, "times", least=100),
        Figure(f"{LARGE:,} files against {SMALL:,}", one / small, "times", most=1.5),
        Figure("the same without the git server's time", own / own_small, "times"),
        Figure(f"{SERVICES} services against 1", many / one, "times", most=1.5),
    ]


def _store(folder: Path, url: str, files: int) -> GitStore:
    store = GitStore.open(folder / f"store-{files}", url, allow_protocols=("http",))
    store.fetch()
    return store


def _written(store: GitStore, services: int, turn: int, server: GitServer) -> tuple[float, float]:
    """Seconds in all, and those of them in which the server was at work."""
    began, busy = time.perf_counter(), server.busy
    base = store.heads()["main"]
    names = [f"service-{number}" for number in range(services)]
    read = store.read_files(base, [service_file(name, "production") for name in names])
    files: Mapping[str, bytes | None] = {
        path: set_value(found.text, _PATH, f"v2.{turn}.0").encode()
        for path, found in read.items()
        if isinstance(found, File)
    }
    sha = store.write_commit(
        base,
        files,
        message=f"Promote {services} services",
        author=_BOT,
        committer=_BOT,
        when=datetime(2026, 11, 21, 12, 0, turn, tzinfo=UTC),
    )
    store.push(sha, f"promote/{services}-{turn}", None)
    took, busy = time.perf_counter() - began, server.busy - busy
    if len(files) != services or store.remote_head(f"promote/{services}-{turn}") != sha:
        raise SystemExit("the promotion was not written")
    return took, busy


def _cloned(folder: Path, url: str) -> float:
    began = time.perf_counter()
    git(folder.parent, "clone", "--quiet", "--depth", "1", url, folder.name)
    file = folder / service_file("service-0", "production")
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("service-0-v1.0.0", "service-0-v2.0.0"), encoding="utf-8")
    git(folder, "commit", "--quiet", "--all", "--message", "Promote")
    git(folder, "push", "--quiet", "origin", f"HEAD:refs/heads/{folder.name}")
    return time.perf_counter() - began
