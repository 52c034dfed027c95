"""Clones for the commands that need no server: real git, in the SyRF layout."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

CONFIG = """\
version: 1
pipelines:
  syrf:
    preset: cluster-gitops
    files: syrf/environments/{environment}/{service}/config.yaml
    environments:
      staging:
      production:
        from: staging
"""
_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ana",
    "GIT_AUTHOR_EMAIL": "ana@example.org",
    "GIT_COMMITTER_NAME": "Ana",
    "GIT_COMMITTER_EMAIL": "ana@example.org",
}


def git(folder: Path, *arguments: str, given: str | None = None) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=_ENVIRONMENT,
        input=None if given is None else given.encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def file(environment: str, service: str) -> str:
    return f"syrf/environments/{environment}/{service}/config.yaml"


def values(environment: str, version: str, more: str = "") -> str:
    return f"""\
# Promoted by Pilotage; edit staging only.
envName:   {environment}      # the cluster reads this
service:
    enabled:  true
    chartTag:   "{version}"   # moved by CI
{more}"""


def a_clone(folder: Path, files: Mapping[str, str | bytes], config: str | None = CONFIG) -> Path:
    """A repository with one commit that holds these files."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "core.autocrlf", "false")
    commit(folder, files if config is None else {".pilotage.yaml": config, **files})
    return folder


def commit(folder: Path, files: Mapping[str, str | bytes]) -> str:
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "files")
    return git(folder, "rev-parse", "HEAD").strip()


def two_services() -> dict[str, str | bytes]:
    """api is newer in staging; web is the same in both."""
    return {
        file("staging", "api"): values("staging", "api-v9.1.1", "replicas: 1\n"),
        file("production", "api"): values("production", "api-v9.0.4", "replicas: 3\n"),
        file("staging", "web"): values("staging", "web-v5.0.0"),
        file("production", "web"): values("production", "web-v5.0.0"),
    }
