"""Repositories of any size, and a git server for them, for the rows that need real git."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from pilotage.sandbox.git_http import backend, body_of
from pilotage.sandbox.serve import Server

ENVIRONMENTS = ("staging", "production")
FILES = "environments/{environment}/{service}/config.yaml"
_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Ana",
    "GIT_AUTHOR_EMAIL": "ana@example.org",
    "GIT_COMMITTER_NAME": "Ana",
    "GIT_COMMITTER_EMAIL": "ana@example.org",
}
_SERVICE = """\
# {service} in {environment}: moved by Pilotage
serviceName: {service}
envName:     {environment}
service:
    enabled:  true
    chartTag: "{version}"   # promoted
    chartRepository: https://charts.example.org
ingress:
  hosts: [{service}.{environment}.example.org]
resources: {{limits: {{cpu: 500m, memory: 1Gi}}, requests: {{cpu: 100m, memory: 256Mi}}}}
env:
  - name: LOG_LEVEL
    value: info
"""
_OTHER = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: config-{number}
  namespace: team-{folder}
  labels: {{app.kubernetes.io/name: config-{number}, app.kubernetes.io/part-of: team-{folder}}}
data:
"""
_SIZES = (200, 250, 300, 400, 450, 550, 700, 1_200, 3_000, 13_000)
"""Bytes. In 38 public repositories the YAML and JSON files have 516 in the middle (the median of
the repositories' medians) and 2,137 on average (the median of their means)."""


def git(folder: Path, *arguments: str, given: bytes | None = None) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=_ENVIRONMENT,
        input=given,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"git {arguments[0]}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode().strip()


def service_text(service: str, environment: str, version: str) -> str:
    return _SERVICE.format(service=service, environment=environment, version=version)


def service_file(service: str, environment: str) -> str:
    return FILES.format(service=service, environment=environment)


def make_repository(path: Path, *, files: int, services: int, newer: int) -> Path:
    """A bare repository with one commit of so many files, 500 in a folder. Two environments have
    the services; the first `newer` of them have a newer version in staging. It is packed as a
    server packs what it holds: deltas are searched for, and bitmaps written. Such a server does not
    tidy up while somebody waits for a push."""
    path.mkdir(parents=True)
    git(path, "init", "--bare", "--quiet", "--initial-branch=main")
    git(path, "config", "receive.autogc", "false")
    commit(path, dict(_contents(files, services, newer)))
    git(path, "repack", "-a", "-d", "-f", "-q", "--write-bitmap-index")
    return path


def _contents(files: int, services: int, newer: int) -> Iterator[tuple[str, str]]:
    for number in range(services):
        name = f"service-{number}"
        for environment in ENVIRONMENTS:
            minor = 1 if number < newer and environment == "staging" else 0
            text = service_text(name, environment, f"{name}-v1.{minor}.0")
            yield service_file(name, environment), text
    for number in range(files - services * len(ENVIRONMENTS)):
        folder = number // 500
        yield f"teams/t{folder}/c{number}.yaml", _other(number, folder)


def _other(number: int, folder: int) -> str:
    """A manifest of which no two are alike: settings of words and numbers."""
    text = _OTHER.format(number=number, folder=folder)
    size, line = _SIZES[number % len(_SIZES)], 0
    while len(text) < size:
        value = hashlib.sha256(f"{number} {line}".encode()).hexdigest()[:8]
        text += f"  SERVICE_{line}_URL: https://{value}.team-{folder}.example.org/v1\n"
        line += 1
    return text


def commit(path: Path, files: Mapping[str, str], branch: str = "main") -> str:
    """A commit on the bare repository's own branch, as if somebody had pushed it."""
    heads = git(path, "for-each-ref", f"refs/heads/{branch}")
    parts = [f"commit refs/heads/{branch}\ncommitter Ana <ana@example.org> now\ndata 1\nx\n"]
    parts += [f"from refs/heads/{branch}^0\n"] if heads else []
    for name, text in files.items():
        parts.append(f"M 100644 inline {name}\ndata {len(text.encode())}\n{text}\n")
    stream = "".join(parts).encode()
    git(path, "fast-import", "--quiet", "--force", "--date-format=now", given=stream)
    return git(path, "rev-parse", f"refs/heads/{branch}")


@dataclass(slots=True)
class GitServer:
    """`url` is that of the folder with the repositories; `busy` how many seconds it has spent on
    its requests."""

    url: str = ""
    busy: float = 0.0


@contextmanager
def served(root: Path) -> Iterator[GitServer]:
    """The bare repositories below `root` over HTTP, for reading and pushing."""
    found = GitServer()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        name, _, rest = scope["path"].strip("/").partition("/")
        began = time.perf_counter()
        await backend(
            scope, body_of(receive), send, repository=root / name, path_info=f"/{rest}", user="ana"
        )
        found.busy += time.perf_counter() - began

    with Server(Starlette(routes=[Mount("/", app)])) as server:
        found.url = server.url
        yield found
