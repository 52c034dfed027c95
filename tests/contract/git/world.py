"""A repository on a server, as other people and machines see it, and the store under test."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from pilotage.adapters.git import GitCredentials, GitStore, Identity, Sha, Timeouts
from tests.contract.git.server import PASSWORD, USER, GitServer

BOT = Identity("Pilotage", "pilotage@example.org")
PERSON = Identity("Ada Lovelace", "ada@example.org")
NOON = datetime(2026, 11, 3, 12, 0, 0, tzinfo=UTC)


@dataclass
class World:
    """`origin` is the bare repository on the server; `work` is a person's clone of it."""

    server: GitServer
    root: Path
    stores: int = 0
    minted: list[int] = field(default_factory=list)

    @property
    def origin(self) -> Path:
        return self.server.root / "team" / "config.git"

    @property
    def url(self) -> str:
        return f"{self.server.url}/team/config.git"

    @property
    def work(self) -> Path:
        return self.root / "work"

    def store(self, *, password: str | None = PASSWORD, network: float = 60) -> GitStore:
        """A new store of our own, over HTTP; nothing is fetched yet."""
        self.stores += 1

        def mint() -> GitCredentials | None:
            self.minted.append(len(self.minted))
            return None if password is None else GitCredentials(USER, SecretStr(password))

        return GitStore.open(
            self.root / f"store-{self.stores}",
            self.url,
            mint,
            allow_protocols=("http",),
            timeouts=Timeouts(local=30, network=network, first_fetch=network),
        )

    def git(self, *arguments: str, at: Path | None = None) -> str:
        """What a person does by hand."""
        return git(*arguments, at=at or self.work)

    def commit(self, files: Mapping[str, str | bytes | None], message: str = "Change") -> Sha:
        """Commit to main as a person, and push."""
        for path, content in files.items():
            target = self.work / path
            if content is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def on_server(self, branch: str) -> Sha | None:
        found = self.git(
            "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}", at=self.origin
        )
        return found or None

    def hook(self, name: str, script: str) -> None:
        hook = self.origin / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\n{script}\n")
        hook.chmod(0o755)


def git(*arguments: str, at: Path) -> str:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": PERSON.name,
        "GIT_AUTHOR_EMAIL": PERSON.email,
        "GIT_COMMITTER_NAME": PERSON.name,
        "GIT_COMMITTER_EMAIL": PERSON.email,
    }
    done = subprocess.run(
        ["git", *arguments], cwd=at, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"git {arguments} failed: {done.stderr}"
    return done.stdout.strip()


def make_template(root: Path) -> None:
    """What every test starts from: a server with one repository, and a person's clone of it."""
    world = World(GitServer(root / "server"), root)
    world.origin.mkdir(parents=True)
    git("init", "--bare", "--quiet", "--initial-branch=main", at=world.origin)
    git("config", "http.receivepack", "true", at=world.origin)
    git("clone", "--quiet", str(world.origin), str(world.work), at=root)
    world.git("checkout", "--quiet", "-B", "main")
    world.commit(
        {
            "README.md": "# Configuration\n",
            "services/orders/production/values.yaml": "image:\n  tag: v1\n",
            "services/orders/staging/values.yaml": "image:\n  tag: v2\n",
        },
        "Start",
    )


def copy_of(template: Path, server: GitServer, root: Path) -> World:
    world = World(server, root)
    for name in ("server", "work"):
        shutil.copytree(template / name, root / name, symlinks=True, dirs_exist_ok=True)
    config = world.work / ".git" / "config"
    config.write_text(config.read_text().replace(str(template), str(root)))
    return world
