"""The stream of changes over real sockets: it wakes at once, comes back, and stops when told."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from queue import Empty, Queue

import pytest
from pydantic import SecretStr

from pilotage.adapters.argocd.stream import ApplicationStream, StreamTimes
from pilotage.core.application import ApplicationKey
from tests.contract.argocd_replay import recorded
from tests.contract.argocd_server import Told

TOKEN = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.dG9rZW4"
QUICK = StreamTimes(connect=1, headers=0.3, silence=0.3, first_retry=0.02, last_retry=0.1)
WEB = ApplicationKey("main", "argocd", "web-staging")


class Running:
    """A stream in its thread: what it passed on, and why connections ended."""

    def __init__(self, told: Told, times: StreamTimes = QUICK) -> None:
        self.changes: Queue[tuple[ApplicationKey, float]] = Queue()
        self.troubles: Queue[str] = Queue()
        self.stop = threading.Event()
        token = SecretStr(TOKEN)
        self.stream = ApplicationStream(
            "main", told.url, token, times=times, on_trouble=self.troubles.put
        )
        self.thread = threading.Thread(target=self.stream.run, args=(self._changed, self.stop))
        self.thread.start()

    def _changed(self, key: ApplicationKey) -> None:
        self.changes.put((key, time.monotonic()))

    def change(self) -> tuple[ApplicationKey, float]:
        return self.changes.get(timeout=5)

    def trouble(self) -> str:
        return self.troubles.get(timeout=5)

    def end(self) -> float:
        """How long it took to stop."""
        began = time.monotonic()
        self.stop.set()
        self.thread.join(timeout=5)
        assert not self.thread.is_alive()
        return time.monotonic() - began


@contextlib.contextmanager
def running(told: Told, times: StreamTimes = QUICK) -> Iterator[Running]:
    stream = Running(told, times)
    try:
        yield stream
    finally:
        stream.end()


def streaming(*parts: bytes | Callable[[], object]) -> Callable[[BaseHTTPRequestHandler], None]:
    """Sends each part as a chunk, calls what is callable, and ends."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.flush()
        for part in parts:
            if callable(part):
                part()
                continue
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            handler.wfile.flush()
        handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = True

    return answer


def frame(name: str, kind: str = "MODIFIED", namespace: str = "argocd") -> bytes:
    metadata = {"name": name, "namespace": namespace, "resourceVersion": "1"}
    result = {"type": kind, "application": {"metadata": metadata}}
    return b"data: " + json.dumps({"result": result}).encode() + b" \n\n"


def forever(event: threading.Event) -> Callable[[], object]:
    return lambda: event.wait(10)


def waiting(event: threading.Event) -> Callable[[BaseHTTPRequestHandler], None]:
    """No headers until the event."""

    def answer(_: BaseHTTPRequestHandler) -> None:
        event.wait(10)

    return answer


def test_a_recorded_frame_wakes_its_application_however_it_is_cut(told: Told) -> None:
    """A whole one of 9 KB, as it came, in three parts; then a heart-beat and another."""
    first = recorded("stream-promotion-sse-accept")["response"]["frames"][0][1].encode()
    assert first.startswith(b"data: ")
    whole = first.strip() + b" \n\n:\n" + frame("web-staging")
    done = threading.Event()
    told.answer = streaming(whole[:100], whole[100:5000], whole[5000:], forever(done))
    with running(told) as stream:
        assert [stream.change()[0] for _ in range(2)] == [WEB] * 2
        assert stream.troubles.empty()
        done.set()
    asked = told.asked[0]
    assert asked.path == "/api/v1/stream/applications"
    assert asked.headers["accept"] == "text/event-stream"
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    fields = dict(asked.query)["fields"].split(",")
    assert "result.application.status.health" in fields
    assert not [field for field in fields if "resourceVersion" in field or "reconciled" in field]


def test_a_line_is_a_frame_where_a_proxy_has_lost_the_event_stream(told: Told) -> None:
    """Plain newline-delimited JSON, several applications in one part."""
    done = threading.Event()
    first = recorded("stream-all-projects")["response"]["frames"][0][1].encode()
    name = json.loads(first)["result"]["application"]["metadata"]["name"]
    plain = frame("b", namespace="team").removeprefix(b"data: ").strip()
    told.answer = streaming(first + b"\n" + plain + b"\n", forever(done))
    with running(told) as stream:
        assert stream.change()[0] == ApplicationKey("main", "argocd", name)
        assert stream.change()[0] == ApplicationKey("main", "team", "b")
        done.set()


def test_a_frame_is_passed_on_at_once(told: Told) -> None:
    """The connection stays open and silent behind it."""
    done, sent = threading.Event(), Queue[float]()
    go = threading.Event()
    told.answer = streaming(
        frame("a"),
        lambda: go.wait(5),
        lambda: sent.put(time.monotonic()),
        frame("b"),
        forever(done),
    )
    with running(told) as stream:
        assert stream.change()[0].name == "a"
        go.set()
        key, arrived = stream.change()
        assert key.name == "b"
        assert arrived - sent.get() < 0.1
        done.set()


def test_heart_beats_keep_it_open_and_wake_nobody(told: Told) -> None:
    done = threading.Event()
    beats = [part for _ in range(4) for part in (lambda: time.sleep(0.15), b":\n")]
    told.answer = streaming(frame("a"), *beats, frame("b"), forever(done))
    with running(told) as stream:
        assert [stream.change()[0].name for _ in range(2)] == ["a", "b"]
        assert len(told.asked) == 1
        done.set()


def test_silence_ends_the_connection_and_another_is_made(told: Told) -> None:
    done = threading.Event()
    told.answer = streaming(frame("a"), forever(done))
    with running(told) as stream:
        assert stream.change()[0].name == "a"
        assert stream.trouble() == "ReadTimeout"
        assert stream.change()[0].name == "a"
        done.set()


def test_a_server_that_sends_no_headers_is_given_up_and_asked_again(told: Told) -> None:
    """As when nothing may be seen: Argo CD does not even answer."""
    done = threading.Event()
    told.answer = waiting(done)
    with running(told) as stream:
        assert stream.trouble() == "ReadTimeout"
        assert stream.trouble() == "ReadTimeout"
        done.set()


def test_it_comes_back_after_the_server_went_away(told: Told) -> None:
    told.answer = streaming(frame("a"))
    with running(told) as stream:
        for _ in range(3):
            assert stream.change()[0].name == "a"
            assert stream.trouble() == "the server ended the stream"


@pytest.mark.parametrize("name", ["stream-bad-token", "stream-bad-selector"])
def test_an_error_within_the_stream_is_told_and_tried_again(name: str, told: Told) -> None:
    ((_, text),) = recorded(name)["response"]["frames"]
    told.answer = streaming(text.encode() + b"\n")
    with running(told) as stream:
        code = str(json.loads(text)["error"]["http_code"])
        assert stream.trouble().startswith(code)
        assert stream.trouble().startswith(code)


@pytest.mark.parametrize(
    ("part", "trouble"),
    [
        (b"data: {not json\n\n", "a frame that cannot be read"),
        (b'data: {"result": 7}\n\n', "a frame that cannot be read"),
        (b'data: {"result": {"application": {"metadata": {"name": 7}}}}\n\n', "a frame that"),
        (b"x" * 9_000_000, "a frame that is too long"),
    ],
)
def test_a_frame_of_another_shape_ends_the_connection(
    part: bytes, trouble: str, told: Told
) -> None:
    told.answer = streaming(part)
    with running(told) as stream:
        assert stream.trouble().startswith(trouble)


def test_a_refused_connection_is_tried_again_with_growing_pauses(told: Told) -> None:
    """No busy loop: with pauses of 20, 40, 80 and then 100 ms, halved at the most."""
    told.status = 401
    with running(told) as stream:
        time.sleep(0.6)
        stream.stop.set()
        assert 3 <= len(told.asked) <= 16
        assert stream.trouble() == "the server answered 401"


def test_connections_that_work_for_a_moment_are_not_made_in_a_storm(told: Told) -> None:
    """A server that sends one frame and hangs up, again and again."""
    told.answer = streaming(frame("a"))
    slow = StreamTimes(connect=1, headers=0.3, silence=0.3, first_retry=0.2, last_retry=1)
    with running(told, slow) as stream:
        time.sleep(0.5)
        stream.stop.set()
    assert len(told.asked) <= 6


@pytest.mark.parametrize("silent", ["body", "headers"])
def test_a_stop_is_noticed_at_once_although_the_read_blocks(silent: str, told: Told) -> None:
    done, patient = threading.Event(), StreamTimes(headers=30, silence=30)
    told.answer = streaming(frame("a"), forever(done)) if silent == "body" else waiting(done)
    stream = Running(told, patient)
    if silent == "body":
        stream.change()
    else:
        while not told.asked:
            time.sleep(0.01)
    assert stream.end() < 3
    done.set()


def test_nothing_is_passed_on_after_the_stop(told: Told) -> None:
    done = threading.Event()
    told.answer = streaming(frame("a"), forever(done), frame("b"))
    stream = Running(told)
    stream.change()
    stream.end()
    done.set()
    with pytest.raises(Empty):
        stream.changes.get(timeout=0.1)


def test_the_token_is_not_shown(told: Told) -> None:
    stream = ApplicationStream("main", told.url, SecretStr(TOKEN))
    assert TOKEN not in repr(stream) + repr(vars(stream))
