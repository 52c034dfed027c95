"""An Argo CD on a socket, for tests that meet it as a client does."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import httpx

from pilotage.sandbox.argocd import (
    ArgoCD,
    Source,
    Timings,
    create_app,
)
from pilotage.sandbox.serve import Server
from tests.contract.argocd_world import (
    CONFIG_URL,
    Repository,
    quiet,
    values,
)

STAGING = "helm-values/staging.yaml"
API = "syrf/environments/staging/api/config.yaml"
FAST = quiet(Timings().scaled(0.03))
JSON = {"Content-Type": "application/json"}


@dataclass
class Served:
    """An Argo CD on a socket, in real time, thirty times faster than the demo."""

    repository: Repository
    argocd: ArgoCD
    client: httpx.Client

    def plain(self, name: str = "api-staging", **more: Any) -> None:
        source = Source(
            CONFIG_URL, path="charts/svc", value_files=("../../helm-values/staging.yaml",)
        )
        self.argocd.add_application(name, "syrf-staging", sources=[source], **more)

    def get(self, path: str, **query: str) -> httpx.Response:
        return self.client.get(f"/api/v1/applications/{path}", params=query)

    def live(self, name: str, revision: str) -> bool:
        """Wait until it is synced and healthy at a commit."""

        def there() -> bool:
            status = self.argocd.document(name)["status"]
            sync = status["sync"]
            shas = sync.get("revisions") or [sync.get("revision")]
            healthy = status["health"]["status"] == "Healthy"
            return bool(healthy and sync["status"] == "Synced" and shas[-1] == revision)

        return self.argocd.wait_until(there)

    def image(self, name: str, image: str) -> bool:
        def only() -> bool:
            shown = self.argocd.document(name)["status"]["summary"].get("images")
            return bool(shown == [image])

        return self.argocd.wait_until(only)


def served(folder: Path, timings: Timings = FAST, secret: str = "") -> Iterator[Served]:
    repository = Repository(folder / "cluster-gitops.git")
    repository.commit({"README.md": "configuration\n", STAGING: values("1.0.0")})
    argocd = ArgoCD({CONFIG_URL: repository.path}, timings, webhook_secret=secret)
    headers = {"Authorization": f"Bearer {argocd.accounts.token('pilotage')}"}
    with (
        Server(create_app(argocd)) as server,
        httpx.Client(base_url=server.url, headers=headers, timeout=5, verify=False) as client,
    ):
        yield Served(repository, argocd, client)
        argocd.close()


class Frames:
    """Reads a stream in a thread; `next` gives type and application, or fails after two seconds."""

    def __init__(self, cd: Served, *, sse: bool = True, **query: str) -> None:
        self._found: SimpleQueue[Any] = SimpleQueue()
        headers = {"Accept": "text/event-stream"} if sse else {}
        self._thread = Thread(target=self._read, args=(cd, headers, query), daemon=True)
        self._thread.start()

    def _read(self, cd: Served, headers: dict[str, str], query: dict[str, str]) -> None:
        path = "/api/v1/stream/applications"
        with (
            httpx.Client(
                base_url=cd.client.base_url, headers=cd.client.headers, verify=False
            ) as client,
            client.stream("GET", path, params=query, headers=headers, timeout=5) as answer,
        ):
            self._found.put(answer.headers["content-type"])
            for line in filter(None, answer.iter_lines()):
                self._found.put(line)
        self._found.put(None)

    def next(self) -> Any:
        return self._found.get(timeout=2)

    def frame(self) -> tuple[str, Any]:
        while (line := self.next()) == ":":
            pass
        result = json.loads(line.removeprefix("data: "))["result"]
        return result["type"], result["application"]

    def silent(self) -> bool:
        try:
            self._found.get(timeout=0.15)
        except Empty:
            return True
        return False


class Receiver:
    """Takes notifications; refuses the first `failing` with 500."""

    def __init__(self, failing: int = 0) -> None:
        self.bodies: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                nonlocal failing
                raw = self.rfile.read(int(self.headers["content-length"]))
                failing -= 1
                self.send_response(500 if failing >= 0 else 202)
                self.send_header("content-length", "0")
                self.end_headers()
                if failing < 0:
                    receiver.bodies.put((self.headers["authorization"], json.loads(raw)))

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks/argocd"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def until(self, **wanted: Any) -> Any:
        """The first notification in which these dotted values stand."""
        while True:
            authorization, body = self.bodies.get(timeout=5)
            assert authorization == "Bearer sesame"
            if all(at(body, path.split("__")) == value for path, value in wanted.items()):
                return body


def at(body: Any, path: list[str]) -> Any:
    for part in path:
        body = (body or {}).get(part)
    return body
