"""HTTP checks ask the release that is being judged: it may answer whatever harms who asks."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pilotage.adapters.probe import Probe
from pilotage.core.config.policy import HttpCheck

Answer = Callable[[socket.socket], object]
OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def answering(answer: Answer) -> Iterator[tuple[str, list[bytes]]]:
    """An address that answers so, and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                with line:
                    asked.append(line.recv(65_536))
                    try:
                        answer(line)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/health", asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _check(url: str, **given: object) -> HttpCheck:
    return HttpCheck.model_validate({"http": url, "timeout": "0.3s", **given})


def _dripping(first: bytes, each: bytes) -> Answer:
    def answer(line: socket.socket) -> None:
        line.sendall(first)
        for _ in range(400):
            line.sendall(each)
            time.sleep(0.05)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        _dripping(OK + b"Content-Length: 100000\r\n\r\n", b"x"),
        _dripping(OK, b"X: y\r\n"),
        _dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        _dripping(b"", b"H"),
    ],
    ids=["body", "headers", "chunks", "status"],
)
def test_an_answer_that_drips_is_none_in_time(answer: Answer) -> None:
    """The time is for the whole answer: a worker is not held by one byte now and then."""
    with answering(answer) as (url, _):
        begun = time.monotonic()
        good, text = Probe().read(_check(url))
        assert time.monotonic() - begun < 5
        assert good is None
        assert "no answer" in text


def test_a_redirect_is_the_answer_and_nobody_else_is_asked() -> None:
    with answering(lambda line: line.sendall(OK)) as (inside, asked):
        moved = f"HTTP/1.1 302 Found\r\nLocation: {inside}\r\nContent-Length: 0\r\n\r\n".encode()
        with answering(lambda line: line.sendall(moved)) as (url, _):
            assert Probe().read(_check(url)) == (False, "answered 302, expected 200")
        assert asked == []


def test_nothing_of_ours_is_told_and_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credential of the environment, and no cookie of an earlier answer."""
    monkeypatch.setenv("PILOTAGE_GITHUB__TOKEN", "ghp_0123456789abcdefghij")
    cookie = OK + b"Set-Cookie: who=you; Path=/\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    with answering(lambda line: line.sendall(cookie)) as (url, asked):
        probe = Probe()
        assert probe.read(_check(url))[0] is True
        assert probe.read(_check(url))[0] is True
    assert len(asked) == 2
    for request in asked:
        names = {line.partition(b":")[0].lower() for line in request.splitlines()[1:]}
        assert not names & {b"cookie", b"authorization", b"proxy-authorization"}


@pytest.mark.parametrize("body", [b"[" * 200_000, b"{" * 100, b'{"a": ' + b"9" * 5_000 + b"}"])
def test_json_that_is_none_is_told_as_such(body: bytes) -> None:
    head = OK + f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    with answering(lambda line: line.sendall(head + body)) as (url, _):
        check = _check(url, timeout="5s", expect={"json": {"a": 1}})
        assert Probe().read(check) == (False, "the answer is not JSON")


def test_a_packed_bomb_is_cut_off() -> None:
    bomb = gzip.compress(b" " * 40_000_000)
    head = OK + b"Content-Encoding: gzip\r\nConnection: close\r\n"
    head += f"Content-Length: {len(bomb)}\r\n\r\n".encode()
    with answering(lambda line: line.sendall(head + bomb)) as (url, _):
        check = _check(url, timeout="5s", expect={"json": {"a": 1}})
        assert Probe().read(check) == (False, "the answer is not JSON")
