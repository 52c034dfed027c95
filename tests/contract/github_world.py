"""A served stand-in of GitHub with a few people, and real clients for it."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI
from github import Auth, Github
from github.Repository import Repository as RemoteRepository
from starlette.types import ASGIApp, Receive, Scope, Send

from pilotage.sandbox.github import GitHub, Permission, Repository, create_app
from pilotage.sandbox.serve import Server
from tests.contract.github_contract import AnswersJudged

FILES = {
    "README.md": "# Configuration\n",
    "api/production/config.yaml": 'service:\n  chartTag: "api-v1.0.0"  # kept by hand\n',
    "api/staging/config.yaml": "service:\n  chartTag: api-v1.1.0\n",
}


@dataclass
class World:
    """One repository `acme/config`; the machine user `pilotage-bot`, the people maria and li
    (write), sam (read), olga (nothing), ada (administrator)."""

    github: GitHub
    repo: Repository
    folder: Path
    tokens: dict[str, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def token(self, login: str) -> str:
        if login not in self.tokens:
            self.tokens[login] = self.github.token_for(login)
        return self.tokens[login]

    def client(self, login: str = "pilotage-bot") -> Github:
        return Github(
            auth=Auth.Token(self.token(login)),
            base_url=self.github.api_url,
            retry=None,
            seconds_between_requests=0,
            seconds_between_writes=0,
        )

    def remote(self, login: str = "pilotage-bot") -> RemoteRepository:
        return self.client(login).get_repo(self.repo.full_name)

    def branch(self, name: str, text: str = "changed\n", by: str = "pilotage-bot") -> str:
        """A branch with one new commit."""
        return self.github.commit(self.repo, name, {f"{name}.txt": text}, f"change {name}", by)

    def git(self, *args: str, login: str = "pilotage-bot", cwd: Path | None = None) -> Ran:
        url = self.github.url.replace("http://", f"http://x-access-token:{self.token(login)}@")
        done = subprocess.run(
            ["git", *[arg.replace("REMOTE", f"{url}/{self.repo.full_name}.git") for arg in args]],
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_TERMINAL_PROMPT": "0",
                "GIT_AUTHOR_NAME": login,
                "GIT_AUTHOR_EMAIL": f"{login}@example.com",
                "GIT_COMMITTER_NAME": login,
                "GIT_COMMITTER_EMAIL": f"{login}@example.com",
                "LC_ALL": "C",
            },
            timeout=60,
        )
        return Ran(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


class Stage:
    """One server for many worlds, one after the other: it costs more than a world."""

    def __init__(self) -> None:
        self.state = SimpleNamespace()
        self._idle: ASGIApp = FastAPI()
        self.world: ASGIApp = self._idle
        self.server = Server(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._idle if scope["type"] == "lifespan" else self.world
        await app(scope, receive, send)


@contextmanager
def staged_world(stage: Stage, folder: Path) -> Iterator[World]:
    with GitHub(folder / "git") as github:
        for login in ("pilotage-bot", "maria", "li", "sam", "olga", "ada"):
            github.create_user(login)
        github.create_team("acme", "platform-admins", ["maria"])
        repo = github.create_repository(
            "acme",
            "config",
            FILES,
            collaborators={
                "pilotage-bot": Permission.WRITE,
                "maria": Permission.WRITE,
                "li": Permission.WRITE,
                "sam": Permission.READ,
                "ada": Permission.ADMIN,
            },
            teams={"platform-admins": Permission.WRITE},
        )
        app = create_app(github)
        problems: list[str] = []
        seen: set[str] = set()
        app.add_middleware(AnswersJudged, problems=problems, seen=seen)
        github.served_at(stage.server.url)
        stage.world = app
        yield World(github, repo, folder, seen=seen)
        assert not problems, "\n".join(["answers that GitHub does not give:", *problems])


@dataclass(frozen=True)
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> str:
        return self.headers["x-github-event"]

    @property
    def guid(self) -> str:
        return self.headers["x-github-delivery"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Somebody who takes webhooks and keeps them in the order of arrival."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received.append(Received(headers, body))
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def events(self) -> list[str]:
        """`event.action`, or the event alone."""
        return [
            f"{r.event}.{r.json['action']}" if "action" in r.json else r.event
            for r in self.received
        ]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
