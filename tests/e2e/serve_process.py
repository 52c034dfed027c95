"""The service as a process of its own, to be killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pilotage.core.model import ENDED, Promotion, State
from pilotage.sandbox.world import World
from pilotage.settings import Settings
from pilotage.store import Store
from tests.ports import free_port

_PATIENCE = 60.0
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["pilotage.cli.serve", "pilotage.web.app", "uvicorn"])


def _serve(config: Path, log: Path) -> None:
    """What `pilotage serve --config` runs, in a process that has the imports behind it."""
    from pilotage.cli.serve import serve

    into = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(into, 1)
    os.dup2(into, 2)
    serve(config=config, migrate=True)


def settings_toml(settings: Settings) -> str:
    """What `pilotage serve --config` reads, with the secrets spelled out."""
    github, argocd, shared = settings.github, settings.argocd["main"], settings.database
    assert github.token is not None
    assert github.webhook_secret is not None

    def line(name: str, value: Any) -> str:
        return f"{name} = {json.dumps(value)}"

    return "\n".join(
        [
            line("repositories", list(settings.repositories)),
            line("data", str(settings.data)),
            line("port", settings.port),
            *([line("database", shared.get_secret_value())] if shared else []),
            line("allow_insecure_git", True),
            line("look", "0.5s"),
            line("compare", "1s"),
            line("fetch", "0.3s"),
            "[github]",
            line("url", str(github.url)),
            line("git_url", str(github.git_url)),
            line("token", github.token.get_secret_value()),
            line("webhook_secret", github.webhook_secret.get_secret_value()),
            "[argocd.main]",
            line("url", str(argocd.url)),
            line("token", argocd.token.get_secret_value()),
            line("refresh_timeout", "2s"),
            "",
        ]
    )


@dataclass(slots=True)
class ServiceProcess:
    """`with ServiceProcess(world, folder) as process:`. Starts it; `kill` and `start` again."""

    world: World
    folder: Path
    database: str | None = None
    """What it shares with others; else it has one of its own."""
    store: Store = field(init=False)
    _config: Path = field(init=False)
    _port: int = field(init=False)
    _process: ForkServerProcess | None = field(init=False, default=None)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __enter__(self) -> Self:
        data = self.folder / "data"
        data.mkdir(parents=True)
        self._port = free_port()
        settings = self.world.settings(data, port=self._port, database=self.database)
        self._config = self.folder / "pilotage.toml"
        self._config.write_text(settings_toml(settings))
        self.store = Store.open(settings.database_url)
        self.world.hook(f"http://127.0.0.1:{self._port}")
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self.store.close()

    def start(self) -> None:
        """Runs it, and waits until it answers."""
        process = _CONTEXT.Process(target=_serve, args=(self._config, self.folder / "serve.log"))
        process.start()
        self._process = process
        self.until(self._answers, "the process answers")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.is_alive(), self.log()
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """As the kernel does it when memory is short: no last word. May come from any thread."""
        with self._lock:
            if self._process is None:
                return
            self._process.kill()
            self._process.join()
            self._process = None

    def stop(self) -> None:
        """As an orchestrator does it: what it is at is finished."""
        with self._lock:
            assert self._process is not None
            self._process.terminate()
            self._process.join(_PATIENCE)
            assert self._process.exitcode is not None, self.log()
            self._process = None

    @property
    def alive(self) -> bool:
        with self._lock:
            return self._process is not None

    def restart(self) -> None:
        """At once: nobody waits for the leases of the dead one."""
        self.kill()
        self.start()

    def log(self) -> str:
        return (self.folder / "serve.log").read_text(errors="replace")[-6000:]

    def until(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + _PATIENCE
        pause = threading.Event()
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"waited {_PATIENCE:g} s until {what}\n{self.log()}")
            pause.wait(0.05)

    def until_dead(self, what: str) -> None:
        self.until(lambda: not self.alive, f"it was killed while {what}")

    def promotion(self) -> Promotion | None:
        return self.store.promotion("syrf-production-1")

    def until_state(self, *states: State) -> Promotion:
        wanted = states or tuple(ENDED)

        def there() -> bool:
            found = self.promotion()
            return found is not None and found.state in wanted

        self.until(there, f"the promotion is {' or '.join(wanted)}")
        found = self.promotion()
        assert found is not None
        return found
