"""Bodies whose sender is not known yet: how many bytes of them are held, and for how long."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from pilotage.web.bodies import LARGEST_GITHUB, MIB
from tests.web.served import Service, serving, settings

PUSH: dict[str, Any] = {
    "ref": "refs/heads/main",
    "after": "a" * 40,
    "repository": {"full_name": "acme/gitops"},
}
LARGE = json.dumps(PUSH).encode() + b" " * (10 * MIB)
FORGED = "sha256=" + "0" * 64


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    chosen = {"body_memory": 51, "body_wait": "0.2s", "body_timeout": "5s"}
    with serving(tmp_path_factory.mktemp("service"), **chosen) as running:
        yield running


@pytest.fixture
def service(running: Service) -> Service:
    running.wipe()
    return running


@contextmanager
def _begun(service: Service, sent: bytes, *headers: str) -> Iterator[socket.socket]:
    """A delivery whose headers and first bytes are there, and whose rest is not."""
    parts = urlsplit(service.url)
    head = "\r\n".join(["POST /hooks/github HTTP/1.1", "Host: x", *headers, "", ""])
    with socket.create_connection((parts.hostname or "", parts.port or 0), 10) as line:
        line.sendall(head.encode() + sent)
        yield line


def _answer(line: socket.socket) -> bytes:
    answer = b""
    while b"\r\n\r\n" not in answer and (some := line.recv(4096)):
        answer += some
    return answer


def _stays_out(service: Service) -> bool:
    """Whether a large delivery of the real sender is told to come again."""
    answer = service.hook(LARGE)
    if answer.status_code == 202:
        return False
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert "body_memory" in answer.json()["error"]
    return True


def _until(service: Service, out: bool) -> None:
    """What was sent is read soon, and who hung up is noticed soon."""
    ends = time.monotonic() + 10
    while _stays_out(service) != out:
        assert time.monotonic() < ends, "the room that bodies take is not as expected"


@pytest.mark.parametrize("told", ["Content-Length: 26000000", "Transfer-Encoding: chunked"])
def test_bodies_that_nobody_vouches_for_have_only_so_much_room(service: Service, told: str) -> None:
    """Who does not fit is sent away soon; small ones still come in; who hangs up makes room."""
    held = b" " * (20 * MIB)
    if "chunked" in told:
        held = b"%x\r\n" % len(held) + held
    with _begun(service, held, told, f"X-Hub-Signature-256: {FORGED}"):
        _until(service, out=True)
        assert service.hook(PUSH, id_="small").status_code == 202
        assert service.client.get("/healthz").status_code == 200
    _until(service, out=False)


def test_every_end_gives_the_room_back(service: Service) -> None:
    for _ in range(3):
        assert service.hook(LARGE * 2, X_Hub_Signature_256=FORGED).status_code == 401
        assert service.hook(b"no JSON" + LARGE).status_code == 400
        assert service.hook(LARGE).status_code == 202
        with _begun(
            service, LARGE * 2, "Content-Length: 26000000", f"X-Hub-Signature-256: {FORGED}"
        ):
            pass
    _until(service, out=False)


def test_a_body_without_a_signature_is_not_even_read(service: Service) -> None:
    with _begun(service, b"", f"Content-Length: {LARGEST_GITHUB}") as line:
        assert _answer(line).startswith(b"HTTP/1.1 401 ")


def test_a_body_that_drips_ends(tmp_path: Path) -> None:
    """The time is for the whole body: another byte now and then buys none."""
    with (
        serving(tmp_path / "s", body_timeout="0.3s") as service,
        _begun(service, b"{", "Content-Length: 99", f"X-Hub-Signature-256: {FORGED}") as line,
    ):
        line.settimeout(0.02)
        answer = b""
        for _ in range(90):
            try:
                answer = line.recv(4096)
                break
            except TimeoutError:
                line.sendall(b" ")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in answer.lower()


def test_who_hangs_up_is_no_mistake_of_ours(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody can fill the log with tracebacks by leaving in the middle of a sentence."""
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            with _begun(service, b"{", "Content-Length: 9", f"X-Hub-Signature-256: {FORGED}"):
                pass
        for number in range(3):
            assert service.hook(PUSH, id_=f"d-{number}").status_code == 202
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_the_room_takes_at_least_the_largest_event(tmp_path: Path) -> None:
    """And as much again: one that trickles must not keep all others out."""
    with pytest.raises(ValidationError, match="body_memory"):
        settings(tmp_path, body_memory=49)


def test_signed_deliveries_at_once_wait_for_one_another(tmp_path: Path) -> None:
    """Those that do not fit together come in all the same, and none waits for its own neighbour."""
    with serving(tmp_path / "s", body_memory=50, body_wait="20s") as service:
        with ThreadPoolExecutor(6) as pool:
            sent = [pool.submit(service.hook, LARGE, id_=f"d-{n}") for n in range(6)]
        assert [each.result().status_code for each in sent] == [202] * 6
        assert len(service.deliveries()) == 6
