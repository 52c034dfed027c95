"""A git server over HTTP on 127.0.0.1: `git http-backend` behind basic authentication.

It can be slow, refuse, redirect, or lose its answer after the work is done."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

USER, PASSWORD = "x-access-token", "ghs_SecretOfTheTests0123456789"


@dataclass
class GitServer:
    """Serves the bare repositories below `root`. A `fault` sees each request first, and says
    whether it has answered it."""

    root: Path
    url: str = ""
    authenticate: bool = True
    requests: list[str] = field(default_factory=list)
    authorisations: list[str | None] = field(default_factory=list)
    fault: Callable[[Handler], bool] | None = None

    def fail(self, status: int, *, on: str = "") -> None:
        """Answer every request whose line contains `on` with this status."""

        def answer(handler: Handler) -> bool:
            if on not in handler.requestline:
                return False
            handler.answer(status, {}, b"")
            return True

        self.fault = answer

    def redirect(self, to: str) -> None:
        def answer(handler: Handler) -> bool:
            handler.answer(301, {"Location": to + handler.path}, b"")
            return True

        self.fault = answer

    def lose_answer(self, *, on: str) -> None:
        """Do the work of the next matching request, then close the connection without an answer."""

        def answer(handler: Handler) -> bool:
            if on not in handler.requestline:
                return False
            self.fault = None
            handler.work()
            handler.close_connection = True
            return True

        self.fault = answer

    def stall(self, *, on: str) -> tuple[threading.Event, threading.Event]:
        """Hold matching requests. Returns (one has arrived, let them go)."""
        arrived, released = threading.Event(), threading.Event()

        def answer(handler: Handler) -> bool:
            if on not in handler.requestline:
                return False
            arrived.set()
            released.wait(60)
            return False

        self.fault = answer
        return arrived, released


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    git: GitServer

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def work(self) -> tuple[int, dict[str, str], bytes]:
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.git.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": USER,
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(
            ["git", "http-backend"],
            input=self._body,
            env=environment,
            capture_output=True,
            check=False,
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(BytesHeaderParser().parsebytes(head))
        status = int(headers.pop("Status", "200").split()[0])
        return status, headers, body

    def _respond(self) -> None:
        self._body = self._read()
        self.git.requests.append(self.requestline)
        self.git.authorisations.append(self.headers.get("Authorization"))
        try:
            if self.git.fault is not None and self.git.fault(self):
                return
            expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            given = self.headers.get("Authorization")
            if self.git.authenticate and given != f"Basic {expected}":
                self.answer(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
                return
            self.answer(*self.work())
        except OSError:  # the client was killed meanwhile
            self.close_connection = True

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        chunks = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)


@contextlib.contextmanager
def serving(root: Path) -> Iterator[GitServer]:
    git = GitServer(root)
    handler = type("BoundHandler", (Handler,), {"git": git})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    git.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield git
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
