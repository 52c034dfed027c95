"""A real HTTP server on loopback that answers as it is told, and keeps what it was asked."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.contract.argocd_replay import recorded


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Told:
    """What the next requests are answered with; `answer` may also write the response itself."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    answer: Callable[[BaseHTTPRequestHandler], None] | None = None
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def answer_anew(self) -> None:
        new = Told()
        self.status, self.body, self.headers = new.status, new.body, new.headers
        self.answer, self.asked = None, []

    def as_recorded(self, name: str) -> None:
        response = recorded(name)["response"]
        body = response["body"]
        self.status = response["status"]
        self.body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.headers = {"Content-Type": response["headers"].get("Content-Type", "text/plain")}


@contextmanager
def serving(told: Told, tls: ssl.SSLContext | None = None) -> Iterator[Told]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms for an ACK

        def respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            parts = urlsplit(self.path)
            told.asked.append(
                Asked(
                    self.command,
                    parts.path,
                    tuple(parse_qsl(parts.query, keep_blank_values=True)),
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(length),
                )
            )
            if told.answer is not None:
                told.answer(self)
                return
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        do_GET = do_POST = do_DELETE = respond  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Quiet."""

        def handle(self) -> None:
            try:
                super().handle()
            except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
                return  # the client hung up, as some tests mean it to

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    told.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
