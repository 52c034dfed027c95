"""Argo CD in memory: applications that follow the branch, sync, roll out, and may fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from pilotage.adapters.argocd import Done, Refused, Written
from pilotage.core.application import (
    Application,
    ApplicationRef,
    CannotSee,
    Gone,
    Health,
    Look,
    Operation,
    Phase,
    Pod,
    Refresh,
    Rendered,
    Resource,
    ResourceKey,
    ResourceTree,
    Source,
    Sync,
    SyncWindows,
    Window,
)
from pilotage.core.rollout.watch import Requests
from tests.engine.chaos import Chaos
from tests.engine.simulated_git import URL, Server

_COMPARES = timedelta(minutes=3)
_SYNC = timedelta(seconds=4)
_ROLLOUT = timedelta(seconds=20)


class Temper(StrEnum):
    """How a version behaves once it runs somewhere."""

    GOOD = "good"
    SLOW = "slow"
    CRASHES = "crashes"
    DOES_NOT_SYNC = "does not sync"
    FLAPS = "flaps"
    """Degraded for a while without a pod that says why, then healthy for good."""


@dataclass(slots=True)
class Running:
    """One application and the value that it has in the cluster."""

    name: str
    service: str
    environment: str
    file: str
    value: str
    live_at: datetime
    compared: str
    compared_at: datetime
    operation: Operation | None = None
    wanted: str = ""
    ends_at: datetime | None = None
    automated: bool = True
    born: int = 1
    gone_until: datetime | None = None


class Cluster:
    """What really runs. `temper(service, environment, value)` says how a value behaves."""

    def __init__(self, chaos: Chaos, git: Server, version: Callable[[str, str, str], str]) -> None:
        self.chaos, self.git, self._version = chaos, git, version
        self.running: dict[str, Running] = {}
        self.tempers: dict[tuple[str, str], Temper] = {}
        """Environment and value to how it behaves; good when nothing is said."""
        self.blind_until = chaos.now
        self.stuck_until = chaos.now
        self.closed_until = chaos.now
        """A sync window of production denies until then."""
        self.application_set = chaos.random.choice(("", "syrf"))
        self.seen_bad: set[tuple[str, str]] = set()
        """Service and value that the service was shown as failing in production."""

    def add(self, service: str, environment: str, file: str) -> None:
        main = self.git.main()
        value = self._version(main.sha, environment, service)
        now = self.chaos.now - timedelta(hours=5)
        name = f"{service}-{environment}"
        self.running[name] = Running(
            name, service, environment, file, value, now, main.sha, self.chaos.now, None, value
        )

    def temper(self, app: Running, value: str) -> Temper:
        return self.tempers.get((app.environment, value), Temper.GOOD)

    def advance(self, app: Running, refresh: bool) -> None:
        now = self.chaos.now
        if app.ends_at is not None and app.ends_at <= now:
            self._finish(app, app.ends_at)
        if now < self.stuck_until:
            return
        if refresh or now - app.compared_at >= _COMPARES:
            app.compared, app.compared_at = self.git.main().sha, now
        desired = self._version(app.compared, app.environment, app.service)
        idle = app.ends_at is None
        tried = app.operation is not None and app.operation.revisions == (app.compared,)
        closed = self.is_closed(app)
        if idle and desired != app.value and not tried and app.automated and not closed:
            self.start(app)

    def is_closed(self, app: Running) -> bool:
        return app.environment == "production" and self.chaos.now < self.closed_until

    def windows(self, app: Running) -> SyncWindows:
        if not self.is_closed(app):
            return SyncWindows()
        window = Window("deny", "0 12 * * 5", "1h")
        return SyncWindows((window,), (window,), False)

    def start(self, app: Running) -> None:
        now = self.chaos.now
        app.wanted = self._version(app.compared, app.environment, app.service)
        app.ends_at = now + _SYNC
        app.operation = Operation(
            Phase.RUNNING,
            "syncing",
            (app.compared,),
            automated=app.automated,
            started_at=now.replace(microsecond=0),
        )

    def born_again(self, app: Running, after: timedelta) -> None:
        """It is deleted, and an ApplicationSet makes it anew."""
        app.born, app.gone_until = app.born + 1, self.chaos.now + after
        app.operation, app.ends_at = None, None

    def _finish(self, app: Running, at: datetime) -> None:
        assert app.operation is not None
        app.ends_at = None
        stamp = at.replace(microsecond=0)
        if self.temper(app, app.wanted) is Temper.DOES_NOT_SYNC:
            app.operation = replace(
                app.operation,
                phase=Phase.FAILED,
                message="one or more objects failed to apply",
                finished_at=stamp,
            )
            return
        app.operation = replace(
            app.operation, phase=Phase.SUCCEEDED, message="synced", finished_at=stamp
        )
        app.value, app.live_at = app.wanted, at

    def health(self, app: Running) -> Health:
        age = self.chaos.now - app.live_at
        match self.temper(app, app.value):
            case Temper.CRASHES:
                return Health.PROGRESSING if age < _ROLLOUT else Health.DEGRADED
            case Temper.SLOW:
                return Health.PROGRESSING if age < 6 * _ROLLOUT else Health.HEALTHY
            case Temper.FLAPS if 3 * _ROLLOUT <= age < 5 * _ROLLOUT:
                return Health.DEGRADED
            case _:
                return Health.PROGRESSING if age < _ROLLOUT else Health.HEALTHY

    def application(self, app: Running) -> Application:
        desired = self._version(app.compared, app.environment, app.service)
        synced = app.ends_at is None and desired == app.value
        health = self.health(app)
        failed = app.operation is not None and app.operation.phase is Phase.FAILED
        if app.environment == "production":
            if health is Health.DEGRADED:
                self.seen_bad.add((app.service, app.value))
            if failed:
                self.seen_bad.add((app.service, app.wanted))
        folder = app.file.rpartition("/")[0]
        source = Source(URL, "main", folder, whole=f"{URL} main {folder}")
        key = ResourceKey("apps", "Deployment", app.environment, app.service)
        sync = Sync.SYNCED if synced else Sync.OUT_OF_SYNC
        message = "containers restart" if health is Health.DEGRADED else ""
        return Application(
            ref=ApplicationRef("main", "default", "argocd", app.name),
            uid=f"uid-{app.name}-{app.born}",
            sources=(source,),
            compared_to=(source,),
            sync=sync,
            revisions=(app.compared,),
            health=health,
            last_operation=app.operation,
            reconciled_at=app.compared_at.replace(microsecond=0),
            resources=(Resource(key, sync, health, message),),
            automated=app.automated,
            application_set=self.application_set,
        )

    def is_there(self, app: Running) -> bool:
        return app.gone_until is None or app.gone_until <= self.chaos.now

    def tree(self, app: Running) -> ResourceTree:
        crashes = self.temper(app, app.value) is Temper.CRASHES
        key = ResourceKey("", "Pod", app.environment, f"{app.service}-{app.value}")
        bad = crashes and self.health(app) is Health.DEGRADED
        reason, restarts = ("CrashLoopBackOff", 5) if bad else ("Running", 0)
        return ResourceTree((Pod(key, reason, restarts, created_at=app.live_at),))


class Client:
    """The part of `ArgoCD` that the engine uses. It never raises but for a crash."""

    server = "main"

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._chaos = cluster.chaos

    def _blind(self) -> CannotSee | None:
        if self._chaos.now < self._cluster.blind_until:
            return CannotSee("main could not be reached: ConnectError")
        if self._chaos.chance(self._chaos.odds.lost):
            return CannotSee("502: bad gateway")
        return None

    def names(self) -> tuple[ApplicationRef, ...] | CannotSee:
        def do() -> tuple[ApplicationRef, ...] | CannotSee:
            blind = self._blind()
            if blind is not None:
                return blind
            cluster = self._cluster
            there = [app for app in cluster.running.values() if cluster.is_there(app)]
            return tuple(cluster.application(app).ref for app in there)

        return self._chaos.around("list applications", do)

    def look(self, ref: ApplicationRef, requests: Requests) -> Look:
        def do() -> Look:
            blind, cluster = self._blind(), self._cluster
            app = cluster.running.get(ref.name)
            if blind is not None or app is None or not cluster.is_there(app):
                return Look(blind or Gone("not found"), requests.refresh)
            cluster.advance(app, requests.refresh is not None)
            return Look(
                cluster.application(app),
                requests.refresh,
                cluster.tree(app) if requests.tree else None,
                cluster.windows(app) if requests.windows else None,
                {at: Rendered({}) for at in requests.renders},
            )

        return self._chaos.around(f"look at {ref.name}", do)

    def get(self, ref: ApplicationRef, refresh: Refresh | None = None) -> Look:
        return self.look(ref, Requests(refresh))

    def sync(
        self, ref: ApplicationRef, *, prune: bool = False, infos: Mapping[str, str] | None = None
    ) -> Written:
        def do() -> Written:
            blind, app = self._blind(), self._cluster.running[ref.name]
            if blind is not None:
                return blind
            if app.ends_at is not None:
                return Refused(400, "another operation is already in progress")
            if self._cluster.is_closed(app):
                return Refused(403, "cannot sync: blocked by sync window")
            app.operation = None
            self._cluster.advance(app, True)
            if app.operation is None:
                self._cluster.start(app)
            return Done()

        return self._chaos.around(f"sync {ref.name}", do, write=True)

    def terminate(self, ref: ApplicationRef) -> Written:
        def do() -> Written:
            blind, app = self._blind(), self._cluster.running[ref.name]
            if blind is not None:
                return blind
            if app.ends_at is None or app.operation is None:
                return Refused(400, "no operation is in progress")
            app.ends_at = None
            stamp = self._chaos.now.replace(microsecond=0)
            app.operation = replace(
                app.operation,
                phase=Phase.FAILED,
                message="Operation terminated",
                finished_at=stamp,
            )
            return Done()

        return self._chaos.around(f"terminate {ref.name}", do, write=True)
