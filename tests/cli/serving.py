"""`pilotage serve` as a process of its own, whose GitHub does not answer; its log is read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ports import free_port
from tests.web.served import SECRET

TOKEN = "a-machine-users-token"


def serve_settings(folder: Path, **more: str) -> Path:
    """Settings of a service whose GitHub does not answer: nobody listens on that port."""
    nobody = f"http://127.0.0.1:{free_port()}"
    lines = {
        "repositories": '["acme/gitops"]',
        "data": json.dumps(str(folder / "data")),
        "port": "0",
        "workers": "1",
        "json_logs": "true",
        "allow_insecure_git": "true",
        **more,
    }
    text = "".join(f"{name} = {value}\n" for name, value in lines.items())
    text += f'[github]\nurl = "{nobody}"\ngit_url = "{nobody}"\ntoken = "{TOKEN}"\n'
    file = folder / "settings.toml"
    file.write_text(text + f'webhook_secret = "{SECRET}"\n')
    return file


class Process:
    """One `pilotage serve`; its log lines are read as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.lines: list[dict[str, Any]] = []
        self.raw = ""
        self.url = str(self.until("serving")["url"])

    def until(self, event: str) -> dict[str, Any]:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.raw += line
            self.lines.append(json.loads(line))
            if self.lines[-1]["event"] == event:
                return self.lines[-1]
        raise AssertionError(f"it ended without {event}: {self.raw}")

    def stop(self, how: signal.Signals) -> int:
        self._process.send_signal(how)
        self.until("stopped")
        return self._process.wait(timeout=30)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def serving_process(file: Path) -> Iterator[Process]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PILOTAGE_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "pilotage", "serve", "--config", str(file)],
        env=kept,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Process(process)
        finally:
            if process.poll() is None:
                process.kill()
