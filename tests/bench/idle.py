"""1,000 waiting targets: what they cost while nothing happens.

`pilotage serve`, with the settings that it has by default, watches 4 repositories of 50 pipelines
on the sandbox, each of which promotes from staging to 5 environments. One target in ten waits for
people with its pull request open; the others have nothing to promote. Then it is started again, as
after an upgrade. What is measured is that process and the git processes that it starts, over more
than one whole interval of comparison.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pilotage.core.model import State
from pilotage.sandbox.argocd import ApplicationSet, ArgoCD, Timings
from pilotage.sandbox.argocd import create_app as argocd_app
from pilotage.sandbox.github import GitHub, Limits, Permission
from pilotage.sandbox.github import create_app as github_app
from pilotage.sandbox.serve import Server
from pilotage.store import Store, StoreError
from tests.bench.figure import Figure

OWNER = "acme"
REPOSITORIES, PIPELINES, OPEN = 4, 50, 5
REGIONS = ("africa", "america", "asia", "europe", "oceania")
TARGETS = REPOSITORIES * PIPELINES * len(REGIONS)
SECONDS = 330
"""A little more than the default interval of comparison, so that each target is looked at."""


WARM = 330
"""After the start: each target's first look reads what later ones remember, which is no waiting."""


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="pilotage-bench-") as folder:
        return _measured(Path(folder))


def _measured(folder: Path) -> list[Figure]:
    plenty = Limits(primary_per_hour=10**9, content_per_minute=10**9, content_per_hour=10**9)
    github = GitHub(folder / "github", limits=plenty)
    github.create_user("pilotage-bot", machine=True)
    names = [f"r{number}" for number in range(REPOSITORIES)]
    for name in names:
        rights = {"pilotage-bot": Permission.WRITE}
        github.create_repository(OWNER, name, _files(name), collaborators=rights)
    github_server = Server(github_app(github))
    urls = {
        f"{github_server.url}/{OWNER}/{name}.git": folder / "github" / OWNER / f"{name}.git"
        for name in names
    }
    # Argo CD's own interval; the sandbox's usual one is that of a demo.
    argocd = ArgoCD(urls, Timings(polling=150, applicationset_polling=180))
    for name, url in zip(names, urls, strict=True):
        files = "teams/*/*/*/config.yaml"
        argocd.add_application_set(ApplicationSet(name, url, f"{url}-charts", files=files))
    argocd_server = Server(argocd_app(argocd))
    try:
        config = _settings(folder, github, github_server.url, argocd, argocd_server.url, names)
        with _serving(config) as process:
            _until_open(process, folder)
        with _serving(config) as process:
            return _watched(process)
    finally:
        argocd.close()
        argocd_server.stop()
        github.stop()
        github_server.stop()


def _files(repository: str) -> dict[str, str]:
    lines = ["version: 1", "pipelines:"]
    files = {}
    for number in range(PIPELINES):
        lines += [
            f"  {repository}-p{number}:",
            "    preset: cluster-gitops",
            f"    files: teams/t{number}/{{environment}}/{{service}}/config.yaml",
            "    environments:",
            "      staging: { budgets: { dwell: 1s } }",
            *(f"      {region}: {{ from: staging, gates: {{ soak: 1s }} }}" for region in REGIONS),
        ]
        service = f"{repository}x{number}"
        for environment in ("staging", *REGIONS):
            patch = 1 if environment == "staging" and number < OPEN else 0
            files[f"teams/t{number}/{environment}/{service}/config.yaml"] = (
                f"serviceName: {service}\nenvName: {environment}\n"
                f"service:\n  enabled: true\n  chartTag: {service}-v1.0.{patch}\n"
            )
    files[".pilotage.yaml"] = "\n".join(lines) + "\n"
    return files


def _settings(
    folder: Path,
    github: GitHub,
    github_url: str,
    argocd: ArgoCD,
    argocd_url: str,
    names: list[str],
) -> Path:
    config = folder / "pilotage.toml"
    repositories = ", ".join(f'"{OWNER}/{name}"' for name in names)
    config.write_text(
        f"""\
repositories = [{repositories}]
data = "{folder / "data"}"
port = 0
allow_insecure_git = true
[github]
url = "{github.api_url}"
git_url = "{github_url}"
token = "{github.token_for("pilotage-bot")}"
[argocd.main]
url = "{argocd_url}"
token = "{argocd.accounts.token("pilotage")}"
""",
        encoding="utf-8",
    )
    return config


@contextmanager
def _serving(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    pilotage = Path(sys.executable).with_name("pilotage")
    log = (config.parent / "serve.log").open("wb")
    process = subprocess.Popen([pilotage, "serve", "--config", config], stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)
        log.close()


def _watched(process: subprocess.Popen[bytes]) -> list[Figure]:
    print(f"{TARGETS} targets wait; measuring for {SECONDS} s", file=sys.stderr)
    time.sleep(WARM)
    before, begun = _processor_seconds(process.pid), time.monotonic()
    time.sleep(SECONDS)
    used = _processor_seconds(process.pid) - before
    share = 100 * used / (time.monotonic() - begun)
    return [
        Figure("processor, git included", share, "% of a core", most=2),
        Figure("memory", _megabytes(process.pid), "MB", most=150),
    ]


def _until_open(process: subprocess.Popen[bytes], folder: Path) -> None:
    """All pull requests that there will be are open, and every target was looked at."""
    database = folder / "data" / "pilotage.db"
    wanted, end = REPOSITORIES * OPEN * len(REGIONS), time.monotonic() + 600
    while time.monotonic() < end and process.poll() is None:
        time.sleep(2)
        if not _migrated(database):
            continue
        with Store.open(f"sqlite:///{database}", migrate=False) as store:
            opened = [
                found
                for found in store.promotions(states=[State.OPEN], limit=2_000)
                if found.ready is not None
            ]
            targets = len(store.targets())
        if sys.stderr.isatty():
            print(f"\r{targets} targets, {len(opened)} of {wanted} open", end="", file=sys.stderr)
        if len(opened) >= wanted and targets >= TARGETS:
            return
    log = (folder / "serve.log").read_text(errors="replace")[-2000:]
    raise SystemExit(f"the targets did not come to rest:\n{log}")


def _migrated(database: Path) -> bool:
    if not database.exists():
        return False
    try:
        Store.open(f"sqlite:///{database}", migrate=False).close()
    except StoreError:
        return False
    return True


def _processor_seconds(pid: int) -> float:
    """User and system time of the process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(int(value) for value in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def _megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this machine does not say how much memory a process has")
