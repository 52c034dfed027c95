"""`pilotage serve` as an operator starts it: a process of its own, signals, and its logs."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Run
from tests.cli.serving import TOKEN, serve_settings, serving_process
from tests.web.served import SECRET, sign


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, how: signal.Signals) -> None:
    body = json.dumps({"zen": "x"}).encode()
    with serving_process(serve_settings(tmp_path)) as process:
        assert httpx.get(f"{process.url}/healthz").status_code == 200
        assert httpx.get(f"{process.url}/readyz").status_code == 200
        answer = httpx.post(
            f"{process.url}/hooks/github",
            content=body,
            headers={
                "X-GitHub-Event": "ping",
                "X-GitHub-Delivery": "d-1",
                "X-Hub-Signature-256": sign(body),
            },
        )
        assert answer.json() == {"id": "d-1", "stored": True}
        assert process.stop(how) == 0
    assert (tmp_path / "data" / "pilotage.db").stat().st_mode & 0o077 == 0
    assert TOKEN not in process.raw
    assert SECRET not in process.raw


def test_what_was_kept_is_known_after_a_kill(tmp_path: Path) -> None:
    """The answer 202 means that it is on disk."""
    file = serve_settings(tmp_path)
    body = json.dumps({"zen": "x"}).encode()
    headers = {"X-GitHub-Event": "ping", "X-GitHub-Delivery": "d-1", "X-Hub-Signature-256": ""}
    headers["X-Hub-Signature-256"] = sign(body)
    with serving_process(file) as process:
        hook = f"{process.url}/hooks/github"
        assert httpx.post(hook, content=body, headers=headers).json()["stored"] is True
        process.kill()
    with serving_process(file) as process:
        hook = f"{process.url}/hooks/github"
        assert httpx.post(hook, content=body, headers=headers).json()["stored"] is False


class TestItDoesNotStart:
    def test_without_settings(self, run: Run) -> None:
        ran = run("serve")
        assert ran.code == 2
        assert "PILOTAGE_REPOSITORIES" in ran.err
        assert "Traceback" not in ran.err

    def test_with_a_file_that_is_missing_or_no_toml(self, run: Run, tmp_path: Path) -> None:
        file = tmp_path / "settings.toml"
        assert "cannot be read" in run("serve", "--config", file).err
        file.write_text("repositories = [")
        ran = run("serve", "--config", file)
        assert (ran.code, "is not TOML" in ran.err) == (2, True)

    def test_and_a_wrong_value_is_named_without_being_shown(self, run: Run, tmp_path: Path) -> None:
        ran = run("serve", "--config", serve_settings(tmp_path, operator_tokn='"very-secret"'))
        assert ran.code == 2
        assert "operator_tokn" in ran.err
        assert "very-secret" not in ran.err

    def test_on_a_port_that_is_taken(self, run: Run, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            ran = run("serve", "--config", serve_settings(tmp_path, port=port))
        assert ran.code == 2
        assert f"port {port} of 127.0.0.1 cannot be used" in ran.err

    def test_on_a_database_that_it_cannot_use(self, run: Run, tmp_path: Path) -> None:
        ran = run("serve", "--config", serve_settings(tmp_path, database='"mysql://u:p4ss@h/d"'))
        assert ran.code == 1
        assert "expected sqlite or postgresql" in ran.err
        assert "p4ss" not in ran.err

    def test_on_an_older_database_when_it_may_not_migrate(self, run: Run, tmp_path: Path) -> None:
        ran = run("serve", "--config", serve_settings(tmp_path), "--no-migrate")
        assert ran.code == 1
        assert "no schema yet" in ran.err
