"""Connections of strangers to a real `pilotage serve`: they cost it nothing that it needs."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.cli.serving import Process, serve_settings, serving_process
from tests.web.served import bearer

TOKEN = "the-deployments-token"
DEPLOYED = {
    "repository": "acme/gitops",
    "environment": "staging",
    "service": "api",
    "value": "api-v1.2.3",
}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    file = serve_settings(
        tmp_path_factory.mktemp("service"),
        connections="20",
        body_timeout='"0.5s"',
        deployments_token=json.dumps(TOKEN),
    )
    with serving_process(file) as process:
        yield process
        process.stop(signal.SIGTERM)
        told = [each["event"] for each in process.lines]
        assert told.count("too many connections") <= 1, "the log is not for strangers to fill"
        assert "Traceback" not in process.raw


@contextmanager
def _connected(process: Process, patience: float = 10) -> Iterator[socket.socket]:
    parts = urlsplit(process.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), patience) as line:
        yield line


def _hung_up(line: socket.socket) -> bool:
    try:
        return line.recv(4096) == b""
    except ConnectionResetError:
        return True


def test_idle_connections_make_room(process: Process) -> None:
    """Those beyond the limit are hung up on at once, the others when no request comes."""
    with ExitStack() as open_ones:
        lines = [open_ones.enter_context(_connected(process)) for _ in range(60)]
        assert all(_hung_up(line) for line in lines[20:])
        assert all(_hung_up(line) for line in lines[:20])
        assert httpx.get(f"{process.url}/healthz").status_code == 200
    process.until("too many connections")


@pytest.mark.parametrize("before", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_a_head_that_drips_ends(process: Process, before: bytes) -> None:
    """The first one of a connection, and one after an answer."""
    with _connected(process) as line:
        line.sendall(before + b"GET / HTTP/1.1\r\n")
        line.settimeout(0.1)
        ends = time.monotonic() + 10
        while time.monotonic() < ends:
            with suppress(TimeoutError):
                if _hung_up(line):
                    return
            with suppress(OSError):
                line.sendall(b"X: y\r\n")
    raise AssertionError("it may drip for ever")


def test_who_waits_for_an_answer_is_waited_for(process: Process) -> None:
    """Longer than a head may take."""
    with httpx.Client(base_url=process.url, headers=bearer(TOKEN)) as client:
        id_ = client.post("/api/v1/deployments", json=DEPLOYED).json()["id"]
        begun = time.monotonic()
        answer = client.get(f"/api/v1/deployments/{id_}?wait=2")
        assert answer.json()["settled"] is False
        assert time.monotonic() - begun >= 2


def test_a_body_that_is_half_there_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    """Anybody can begin one: it is told to come again, and the process ends."""
    head = (
        "POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n"
        "X-Hub-Signature-256: sha256=0\r\n\r\n{"
    )
    with serving_process(serve_settings(tmp_path)) as process, _connected(process) as line:
        line.sendall(head.encode())
        assert httpx.get(f"{process.url}/healthz").status_code == 200
        begun = time.monotonic()
        assert process.stop(signal.SIGTERM) == 0
        assert time.monotonic() - begun < 6, "the grace of what is verified is 10 s"
        answer = line.recv(4096)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"stopping" in answer
        assert "Traceback" not in process.raw
