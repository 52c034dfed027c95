"""The web application on a real port, over a real SQLite store; the engine only counts pokes."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import event, select

from pilotage.core.model import Promotion, Target
from pilotage.sandbox.serve import Server
from pilotage.settings import Settings
from pilotage.store import Event, Store
from pilotage.store.schema import delivery, metadata
from pilotage.web.app import create_app

SECRET = "the-webhook-secret"
OPERATOR = "the-operator-token"
DEPLOYMENTS = "the-deployments-token"
ARGOCD = "the-argocd-hook-token"


NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
BEFORE = NOW - timedelta(hours=1)


class Poked:
    """Stands where the engine would: what the web does with it can be counted."""

    def __init__(self) -> None:
        self.alive = True
        self.times = 0
        self.on_poke: Callable[[], None] = lambda: None

    def poke(self) -> None:
        self.times += 1
        self.on_poke()


@dataclass
class Service:
    url: str
    store: Store
    engine: Poked
    client: httpx.Client
    settings: Settings
    stopping: threading.Event

    def hook(
        self, body: Any, event: str = "push", id_: str | None = "d-1", **headers: str
    ) -> httpx.Response:
        """Deliver as GitHub does; headers given here replace those that it would send."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": id_ or "",
            "X-Hub-Signature-256": sign(raw),
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        kept = {name: value for name, value in sent.items() if value}
        return self.client.post("/hooks/github", content=raw, headers=kept)

    def know(
        self,
        target: Target,
        *promotions: Promotion,
        events: Sequence[Event] = (),
        wake_at: datetime = NOW,
    ) -> None:
        """Record what a tick of this target would have recorded."""
        self.store.ensure_target(
            target.id,
            repository=target.repository,
            pipeline=target.pipeline,
            environment=target.environment,
            wake_at=BEFORE,
        )
        self.store.wake([target.id], BEFORE)
        lease = self.store.lease("test", NOW, timedelta(minutes=1))
        assert lease is not None
        assert lease.target == target.id, "another target was due as well"
        self.store.record(
            lease, target=target, promotions=promotions, events=events, wake_at=wake_at, now=NOW
        )
        self.store.release(lease)

    def wipe(self) -> None:
        with self.store._database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        self.engine.times = 0
        self.engine.alive = True
        self.engine.on_poke = lambda: None

    def deliveries(self) -> list[tuple[str, str, bytes | None]]:
        """Id, event and body of everything that was kept."""
        columns = delivery.c
        with self.store._database.read() as connection:
            rows = connection.execute(select(columns.id, columns.event, columns.body))
            return [(row.id, row.event, row.body) for row in rows]


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def settings(folder: Path, **changed: Any) -> Settings:
    given: dict[str, Any] = {
        "repositories": ("acme/gitops",),
        "data": folder,
        "github": {"token": "a-machine-users-token", "webhook_secret": SECRET},
        "operator_token": SecretStr(OPERATOR),
        "deployments_token": SecretStr(DEPLOYMENTS),
        "argocd_hook_token": SecretStr(ARGOCD),
        **changed,
    }
    return Settings(**given)


@cache
def _migrated() -> bytes:
    """An empty database of today's schema; migrating one for each test would be slow."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        Store.open(f"sqlite:///{file}").close()
        return file.read_bytes()


@contextmanager
def serving(folder: Path, **changed: Any) -> Iterator[Service]:
    folder.mkdir(exist_ok=True)
    chosen = settings(folder, **changed)
    (folder / "pilotage.db").write_bytes(_migrated())
    engine = Poked()
    with Store.open(chosen.database_url) as store:
        app = create_app(chosen, store, engine)
        with Server(app) as server, httpx.Client(base_url=server.url, timeout=20) as client:
            yield Service(server.url, store, engine, client, chosen, app.state.stopping)
            app.state.stopping.set()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def counted(service: Service) -> Iterator[list[str]]:
    """The SQL statements of the block, transactions' own left out."""
    engine = service.store._database.engine
    statements: list[str] = []

    def count(*told: Any) -> None:
        if not told[2].startswith("BEGIN"):
            statements.append(told[2])

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", count)
