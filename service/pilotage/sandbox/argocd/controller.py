"""The application controller: compares, decides whether to sync by itself, keeps the status."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pilotage.sandbox.argocd import comparison
from pilotage.sandbox.argocd.documents import stamp
from pilotage.sandbox.argocd.events import record
from pilotage.sandbox.argocd.faults import GIT_REFUSES, REPO_SERVER_REFUSES, Faults
from pilotage.sandbox.argocd.git import Memory, Session, session
from pilotage.sandbox.argocd.operation import Operations, result_of
from pilotage.sandbox.argocd.render import render, resolve_sources
from pilotage.sandbox.argocd.render_error import RenderError
from pilotage.sandbox.argocd.state import (
    Application,
    Deployed,
    Json,
    Operation,
    OperationState,
    Phase,
    Source,
    Sync,
    SyncStatus,
    Target,
)
from pilotage.sandbox.argocd.store import Store

_DEFAULT_RETRIES = 5
_CACHED = 500


class Controller:
    """All of it runs under the store's lock, in the thread that calls `step`."""

    def __init__(self, store: Store, repositories: Mapping[str, Path], faults: Faults) -> None:
        self._store = store
        self._faults = faults
        self._repositories = repositories
        self._rendered: dict[tuple[object, ...], Target] = {}
        self._watched: dict[str, float] = {}
        self._session: Session | None = None
        self._memory = Memory()
        self.operations = Operations(
            store, faults, self.target_of, self._look_again, self._operation_ended
        )
        self.refreshed: list[Callable[[Application], None]] = []  # told of each full comparison
        store.at(store.timings.polling, self._poll)

    def step(self) -> float | None:
        """Do what is due; returns when the next thing is, in the clock's seconds."""
        with self._store.lock:
            if self._faults.controller_down:
                return None
            for action in self._store.take_due(self._store.clock()):
                action()
            return self._store.next_due()

    def refresh(self, app: Application, kind: str) -> None:
        """Ask for a comparison, as the annotation does; it stays until the comparison is done."""
        if app.refresh:
            return
        app.refresh = kind
        self._store.publish(app)
        delay = self._store.timings.reconcile * app.slowness
        self._store.at(delay, lambda: self._refresh_due(app))

    def resume(self) -> None:
        """The controller is back: everything is compared."""
        for app in tuple(self._store.applications.values()):
            self._look_again(app, True)

    def look_again(self, app: Application) -> None:
        """Compare completely, soon: the specification has changed, or somebody pushed."""
        delay = self._store.timings.reconcile * app.slowness
        self._store.at(delay, lambda: self._look_again(app, True))

    def observe(self, app: Application) -> None:
        """Look at the cluster only, at once: something live has changed."""
        self._store.at(0.0, lambda: self._look_again(app, False))

    def add(self, app: Application, *, live: bool) -> None:
        """A new application; with `live` as if it had been synced an hour ago."""
        if live:
            try:
                self._adopt(app)
            except RenderError:
                live = False
        self._store.add(app)
        if live:
            self._look_again(app, True)
        else:
            self.look_again(app)

    def delete(self, app: Application) -> None:
        """With its resources, as the finalizer has it."""
        now = self._store.clock()
        app.deleted_at, app.refresh = now, ""
        self._store.publish(app)

        def gone() -> None:
            if not self._store.has(app):
                return
            for key in tuple(app.workloads.live):
                app.workloads.remove(key, self._store.clock())
            self._look_again(app, False)
            self._store.remove(app)

        self._store.at(self._store.timings.delete, gone)

    # Comparing

    def _refresh_due(self, app: Application) -> None:
        if app.refresh:
            self._look_again(app, True)

    def _poll(self) -> None:
        with self.git() as opened:
            for app in tuple(self._store.applications.values()):
                self._compare(app, opened)
        self._store.at(self._store.timings.polling, self._poll)

    def _look_again(self, app: Application, resolve: bool) -> None:
        if not self._store.has(app):
            return
        if resolve:
            with self.git() as opened:
                self._compare(app, opened)
        else:
            self._conclude(app, app.target, None)

    def _operation_ended(self, app: Application, operation: Operation) -> None:
        """The cluster's news come late: a first look still sees what was there before."""
        settle = self._store.timings.settle * app.slowness
        if operation.automated:
            self._store.at(settle / 2, lambda: self._stale_look(app, operation))
        self._store.at(settle, lambda: self._look_again(app, True))

    def _stale_look(self, app: Application, ended: Operation) -> None:
        """What it may lead to: the next commit is synced at once, or the same one once more."""
        if not self._store.has(app) or app.busy or app.sync.status is not SyncStatus.OUT_OF_SYNC:
            return
        try:
            with self.git() as opened:
                revisions = self.resolve(opened, app.sources)
                target = self.render(opened, app, app.sources, revisions)
                applied = self.render(opened, app, ended.sources, ended.revisions)
        except RenderError:
            return
        again = target.revisions == applied.revisions
        if not (self._faults.self_heal_races if again else target.resources != applied.resources):
            return
        seen = comparison.Comparison(SyncStatus.OUT_OF_SYNC, app.resources)
        self._synchronise(app, target, seen)
        if app.operation is not None:
            app.target = target
            app.sync = Sync(SyncStatus.OUT_OF_SYNC, target.revisions, app.sources)
            app.reconciled_at = self._store.clock()
            self._store.publish(app)

    def _compare(self, app: Application, opened: Session) -> None:
        """Resolve, render, compare, decide, write the status: in one patch, as Argo CD does."""
        if not self._store.has(app) or app.deleted_at is not None:
            return
        compared = app.sources
        started = self._store.clock()
        try:
            revisions = self.resolve(opened, app.sources)
            target: Target | None = self.render(opened, app, app.sources, revisions)
            error = None
        except RenderError as problem:
            target, error = None, problem
        self._conclude(app, target, error, started, compared)
        for told in self.refreshed:
            told(app)

    def _conclude(
        self,
        app: Application,
        target: Target | None,
        error: RenderError | None,
        started: float | None = None,
        compared: tuple[Source, ...] = (),
    ) -> None:
        """`started` is set for a full comparison; without it only the cluster was looked at."""
        if started is None and app.sync.status is None:
            return
        now = self._store.clock()
        found = comparison.compare(app, target, now)
        conditions: list[tuple[str, str]] = []
        if started is not None:
            if error is not None:
                conditions.append(("ComparisonError", _comparison_error(app, error)))
        else:
            conditions = [(each["type"], each["message"]) for each in app.conditions
                          if each["type"] == "ComparisonError"]  # fmt: skip
        if target is not None and app.deleted_at is None:
            failed = self._synchronise(app, target, found)
            if failed:
                conditions.append(("SyncError", failed))
        before = app.sync.status
        if started is not None:
            app.target = target
            app.refresh = ""
            app.reconciled_at = started
            app.sync = Sync(found.status, _shown(app, target), compared)
        elif app.target is not None:
            app.sync = Sync(found.status, app.sync.revisions, app.sync.compared)
        app.resources = found.resources
        jobs = {str(hook["image"]) for hook in app.hooks.values()}
        app.images = tuple(sorted(app.workloads.images(now) | jobs))
        app.conditions = _conditions(app, conditions, now)
        self._settle_health(app, comparison.health(app, found), before, now)
        self._store.publish(app)
        self._watch(app, now)

    def _settle_health(
        self, app: Application, health: str, before: SyncStatus | None, now: float
    ) -> None:
        if before != app.sync.status:
            message = f"Updated sync status: {before or ''} -> {app.sync.status}"
            record(app, now, "ResourceUpdated", message)
        if app.health != health:
            record(app, now, "ResourceUpdated", f"Updated health status: {app.health} -> {health}")
            app.health, app.health_since = health, now

    def _watch(self, app: Application, now: float) -> None:
        """Be there when the pods change next; once for each moment."""
        change = app.workloads.next_change(now)
        known = self._watched.get(app.uid)
        if change is None or (known is not None and now < known <= change):
            return
        self._watched[app.uid] = change

        def due() -> None:
            if self._watched.get(app.uid) == change:
                del self._watched[app.uid]
            self._look_again(app, False)

        self._store.at(change - now, due)

    def _adopt(self, app: Application) -> None:
        now = self._store.clock()
        with self.git() as opened:
            revisions = self.resolve(opened, app.sources)
            target = self.render(opened, app, app.sources, revisions)
        born = now - 3600
        pace = self.operations.pace(app)
        for manifest in target.resources.values():
            app.workloads.apply(manifest, born, pace, None)
        operation = Operation(revisions, app.sources, prune=app.policy.prune,
                              retry_limit=_DEFAULT_RETRIES)  # fmt: skip
        state = OperationState(operation, born, Phase.SUCCEEDED)
        state.message, state.finished_at = "successfully synced (all tasks run)", born
        state.results = {
            key: result_of(app, manifest, "created", "Running")
            for key, manifest in target.resources.items()
        }
        app.operation_state = state
        app.history = [Deployed(0, revisions, app.sources, born, born, "")]
        app.deployments, app.created_at, app.health_since = 1, born, born
        app.health = "Healthy"

    # Automated sync

    def _synchronise(self, app: Application, target: Target, found: comparison.Comparison) -> str:
        """Request an operation where auto-sync would; returns the text of a SyncError, if any."""
        if not _may_synchronise(app, found):
            return ""
        policy = app.policy
        if policy.prune and _would_wipe_out(found):
            shas = ", ".join(target.revisions)
            return f"Skipping sync attempt to {shas}: auto-sync will wipe out all resources"
        resources: tuple[Json, ...] = ()
        attempt = _attempt(app, target)
        if attempt is not None:
            if attempt.phase is not Phase.SUCCEEDED:
                shas = " ".join(target.revisions)
                return f"Failed last sync attempt to [{shas}]: {attempt.message}"
            if not policy.self_heal:
                return ""
            resources = tuple(
                {"group": one.get("group", ""), "kind": one["kind"], "name": one["name"]}
                for one in found.out_of_sync
            )
        self.operations.request(
            app,
            Operation(
                target.revisions,
                app.sources,
                prune=policy.prune,
                resources=resources,
                retry_limit=_DEFAULT_RETRIES if policy.retry_limit is None else policy.retry_limit,
                auto_heal_attempts=1 if resources else 0,
            ),
        )
        return ""

    # Git

    @contextmanager
    def git(self) -> Iterator[Session]:
        """A session over all repositories, to be held under the lock; inside another one, that
        one is used again."""
        if self._session is not None:
            yield self._session
            return
        refused = GIT_REFUSES if self._faults.git_down else ""
        with session(self._repositories, self._memory, refused) as self._session:
            try:
                yield self._session
            finally:
                self._session = None

    def resolve(
        self,
        opened: Session,
        sources: tuple[Source, ...],
        instead: Mapping[int, str] | None = None,
    ) -> tuple[str, ...]:
        """The SHA of each source. Raises RenderError."""
        if self._faults.repo_server_down:
            raise RenderError(REPO_SERVER_REFUSES, unavailable=True)
        return resolve_sources(opened, sources, self._faults.missing_tags, instead)

    def render(
        self,
        opened: Session,
        app: Application,
        sources: tuple[Source, ...],
        revisions: tuple[str, ...],
    ) -> Target:
        """The manifests at these SHAs, from the cache where they were made before."""
        if self._faults.repo_server_down:
            raise RenderError(REPO_SERVER_REFUSES, unavailable=True)
        if app.name in self._faults.cannot_render:
            raise RenderError(self._faults.cannot_render[app.name])
        key = (app.uid, sources, revisions)
        if key not in self._rendered:
            if len(self._rendered) >= _CACHED:
                self._rendered.pop(next(iter(self._rendered)))
            deadline = self._store.timings.progress_deadline
            self._rendered[key] = render(opened, app, sources, revisions, deadline)
        return self._rendered[key]

    def target_of(self, app: Application, operation: Operation) -> Target:
        """What an operation is to apply. Raises RenderError."""
        with self.git() as opened:
            return self.render(opened, app, operation.sources, operation.revisions)


def _may_synchronise(app: Application, found: comparison.Comparison) -> bool:
    """Whether auto-sync is on, nothing forbids it now, and there is something that it may do."""
    if not app.policy.automated or found.status is not SyncStatus.OUT_OF_SYNC or app.busy:
        return False
    if app.window is not None and app.window.kind == "deny":
        return False
    return app.policy.prune or not all(one.get("requiresPruning") for one in found.out_of_sync)


def _would_wipe_out(found: comparison.Comparison) -> bool:
    return all(one.get("requiresPruning") for one in found.resources if not one.get("hook"))


def _attempt(app: Application, target: Target) -> OperationState | None:
    """The last operation, if it was to bring just this."""
    state = app.operation_state
    if state is None or state.operation.sources != app.sources:
        return None
    return state if state.operation.revisions == target.revisions else None


def _shown(app: Application, target: Target | None) -> tuple[str, ...]:
    """What stands in sync.revision(s): after an error the branch's name, or nothing at all."""
    if target is not None:
        return target.revisions
    return () if app.multi else (app.sources[0].target_revision,)


def _comparison_error(app: Application, error: RenderError) -> str:
    return (
        "Failed to load target state: failed to generate manifest for source "
        f"{error.source + 1} of {len(app.sources)}: {error.rpc()}"
    )


def _conditions(app: Application, found: list[tuple[str, str]], now: float) -> list[Json]:
    """Conditions keep the time at which they first appeared with that text."""
    since = {(each["type"], each["message"]): each["lastTransitionTime"] for each in app.conditions}
    return [
        {"type": kind, "message": text, "lastTransitionTime": since.get((kind, text), stamp(now))}
        for kind, text in found
    ]
