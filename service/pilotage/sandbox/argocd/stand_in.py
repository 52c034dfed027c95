"""The stand-in as one object: what Python code, the control endpoint and the pages act upon."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pilotage.sandbox.argocd.accounts import Account, Accounts, default_accounts
from pilotage.sandbox.argocd.applicationset import ApplicationSet, ApplicationSetController
from pilotage.sandbox.argocd.cluster import Failure, Reason, Workloads
from pilotage.sandbox.argocd.controller import Controller
from pilotage.sandbox.argocd.documents import resource_tree
from pilotage.sandbox.argocd.faults import Faults
from pilotage.sandbox.argocd.notifications import Notifications
from pilotage.sandbox.argocd.operation import Operations
from pilotage.sandbox.argocd.state import (
    Application,
    Chart,
    Json,
    Operation,
    Source,
    SyncPolicy,
    SyncWindow,
    Timings,
)
from pilotage.sandbox.argocd.store import Clock, ManualClock, Store, new_uid, system_clock

_REMEMBERED = 2_000


class ArgoCD:
    """A stateful Argo CD. `start()` runs its controller in a thread; with a ManualClock there is
    none and `advance` plays what is due. All methods may be called from any thread.

    `repositories`: URL as Applications spell it, to the path of a bare repository; more may be
    added to the attribute of that name at any time.
    `webhook_secret`: of GitHub's webhook; without one any push is believed, as in Argo CD."""

    def __init__(
        self,
        repositories: Mapping[str, Path],
        timings: Timings | None = None,
        *,
        clock: Clock | None = None,
        webhook_secret: str = "",
        accounts: tuple[Account, ...] | None = None,
    ) -> None:
        self.timings = timings or Timings()
        self.repositories = dict(repositories)
        self.webhook_secret = webhook_secret
        self.faults = Faults()
        self.store = Store(clock or system_clock(), self.timings)
        self.accounts = Accounts(accounts or default_accounts(), self.store.clock())
        self.controller = Controller(self.store, self.repositories, self.faults)
        self.application_sets = ApplicationSetController(self.store, self.controller, self.faults)
        self.asked: deque[str] = deque(maxlen=_REMEMBERED)
        """The API's newest requests: method, path and query."""
        self.closed = False
        self.notifications: Notifications | None = None
        self._thread: threading.Thread | None = None

    @property
    def operations(self) -> Operations:
        return self.controller.operations

    # Its life

    def start(self) -> Self:
        if self._thread is None and not isinstance(self.store.clock, ManualClock):
            self._thread = threading.Thread(target=self._run, name="argocd", daemon=True)
            self._thread.start()
        return self

    def close(self) -> None:
        with self.store.lock:
            self.closed = True
            self.store.wake.notify_all()
            self.store.published.notify_all()
        self.store.cut_streams()
        if self.notifications is not None:
            self.notifications.close()
            self.notifications = None
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def notify(self, url: str, token: str) -> None:
        """Post a notification to `url` from now on, with `token` as the bearer."""
        if self.notifications is not None:
            self.notifications.close()
        self.notifications = Notifications(self.store, url, token)

    def _run(self) -> None:
        with self.store.lock:
            while not self.closed:
                due = self._step()
                now = self.store.clock()
                self.store.wake.wait(None if due is None else max(0.0, due - now))

    def _step(self) -> float | None:
        try:
            return self.controller.step()
        except Exception:  # one odd application must not stop the others
            logging.getLogger(__name__).exception("a step of the sandbox's Argo CD failed")
            return self.store.next_due()

    def advance(self, seconds: float) -> None:
        """Move a ManualClock on and play, in order, everything that is due until then."""
        clock = self.store.clock
        assert isinstance(clock, ManualClock), "advance needs a ManualClock"
        until = clock.now + seconds
        while (due := self.controller.step()) is not None and due <= until:
            clock.now = max(clock.now, due)
        clock.now = until

    def wait_until(self, condition: Callable[[], bool], timeout: float = 10.0) -> bool:
        """Wait, without polling, until `condition` holds after some change of an application."""
        with self.store.lock:
            return self.store.published.wait_for(condition, timeout)

    # Applications

    def add_application(
        self,
        name: str,
        project: str = "default",
        *,
        sources: Sequence[Source],
        namespace: str = "",
        service: str = "",
        chart: Chart | None = None,
        automated: bool = True,
        self_heal: bool = True,
        prune: bool = True,
        retry_limit: int | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        live: bool = True,
    ) -> Application:
        """Add an Application. With `live` it is born synced and healthy at the present commit, if
        that can be rendered; otherwise it starts from nothing."""
        app = Application(
            name=name,
            project=project,
            namespace=namespace or project,
            sources=tuple(sources),
            multi=len(sources) > 1,
            chart=chart or Chart(),
            policy=SyncPolicy(automated, prune, self_heal, retry_limit),
            uid=new_uid(),
            created_at=self.store.clock(),
            workloads=Workloads(),
            service=service or name.rpartition("-")[0] or name,
            labels=dict(labels or {}),
            annotations=dict(annotations or {}),
        )
        with self.store.lock:
            self.controller.add(app, live=live)
        return app

    def add_application_set(self, definition: ApplicationSet) -> None:
        """Add a set; its Applications exist, and are live, when this returns."""
        with self.store.lock:
            self.application_sets.add(definition, live=True)

    def application(self, name: str) -> Application:
        """Raises KeyError."""
        return self.store.applications[name]

    @property
    def names(self) -> tuple[str, ...]:
        with self.store.lock:
            return tuple(sorted(self.store.applications))

    def document(self, name: str) -> Json:
        """What `GET /api/v1/applications/{name}` answers now."""
        with self.store.lock:
            return self.store.document(name)

    def resource_tree(self, name: str) -> Json:
        with self.store.lock:
            return resource_tree(self.application(name), self.store.clock())

    def refresh(self, name: str, kind: str = "normal") -> None:
        """Ask for a refresh; it has happened when the annotation is gone again."""
        with self.store.lock:
            self.controller.refresh(self.application(name), kind)

    def sync(
        self,
        name: str,
        *,
        username: str = "admin",
        revision: str = "",
        prune: bool = False,
        dry_run: bool = False,
        kinds: Sequence[str] = (),
    ) -> None:
        """As somebody's click: to the target revision or another, all of it or only some kinds.
        Raises RenderError, and OperationInProgressError."""
        with self.store.lock:
            app = self.application(name)
            with self.controller.git() as opened:
                instead = {0: revision} if revision else None
                revisions = self.controller.resolve(opened, app.sources, instead)
            chosen = tuple(
                {"group": one.get("group", ""), "kind": one["kind"], "name": one["name"]}
                for one in app.resources
                if one["kind"] in kinds
            )
            self.operations.request(
                app,
                Operation(
                    revisions,
                    app.sources,
                    prune=prune,
                    dry_run=dry_run,
                    resources=chosen,
                    username=username,
                ),
            )

    def terminate(self, name: str) -> None:
        """Raises NothingToTerminateError."""
        with self.store.lock:
            self.operations.terminate(self.application(name))

    def delete(self, name: str) -> None:
        with self.store.lock:
            self.controller.delete(self.application(name))

    def pushed(self, repository_urls: frozenset[str], changed: frozenset[str] | None) -> None:
        """A push webhook: refresh what reads these repositories, except where an application's
        manifest-generate-paths are not touched by `changed`; None means unknown, so all."""
        with self.store.lock:
            for app in self.store.applications.values():
                reads = any(source.repo_url in repository_urls for source in app.sources)
                if reads and _concerned(app, changed):
                    self.controller.refresh(app, "normal")
            self.application_sets.wake_for(repository_urls)

    # Making things happen in the cluster

    def fail_next_deployment(
        self,
        name: str,
        reason: Reason | str = Reason.CRASH_LOOP,
        message: str = "",
        tag: str = "",
    ) -> None:
        """The next new version of this application does not come up, or the one with this image
        tag; an undone one does."""
        with self.store.lock:
            self.application(name)
            self.faults.next_deployment[name] = Failure(Reason(reason), message, tag)

    def bad_version(
        self, tag: str, reason: Reason | str = Reason.CRASH_LOOP, message: str = ""
    ) -> None:
        """Every deployment of an image with this tag fails."""
        with self.store.lock:
            self.faults.bad_versions[tag] = Failure(Reason(reason), message)

    def scale(self, name: str, replicas: int) -> None:
        """Drift, as by `kubectl scale`."""
        with self.store.lock:
            app = self.application(name)
            live = _deployment(app)
            changed = {**live, "spec": {**live["spec"], "replicas": replicas}}
            now = self.store.clock()
            app.workloads.apply(changed, now, self.operations.pace(app), None)
            self.controller.observe(app)

    def set_image(self, name: str, image: str) -> None:
        """Drift, as by `kubectl set image` or `kubectl rollout undo`."""
        with self.store.lock:
            app = self.application(name)
            live = _deployment(app)
            spec = {**live["spec"]["template"]["spec"], "containers": [
                {**live["spec"]["template"]["spec"]["containers"][0], "image": image}]}  # fmt: skip
            template = {**live["spec"]["template"], "spec": spec}
            changed = {**live, "spec": {**live["spec"], "template": template}}
            now = self.store.clock()
            app.workloads.apply(changed, now, self.operations.pace(app), None)
            self.controller.observe(app)

    def delete_pods(self, name: str) -> None:
        with self.store.lock:
            app = self.application(name)
            app.workloads.delete_pods(self.store.clock(), self.operations.pace(app))
            self.controller.observe(app)

    def break_pods(
        self, name: str, reason: Reason | str = Reason.CRASH_LOOP, message: str = ""
    ) -> None:
        """The pods that run begin to fail; those of another version, or new ones, do not."""
        with self.store.lock:
            app = self.application(name)
            failure = Failure(Reason(reason), message)
            for pod in app.workloads.pods(self.store.clock()):
                pod.ready, pod.failure = None, failure
            self.controller.observe(app)

    def delete_resource(self, name: str, kind: str) -> None:
        """As by `kubectl delete`, of the application's one resource of that kind."""
        with self.store.lock:
            app = self.application(name)
            key = next(key for key in app.workloads.live if key[0] == kind)
            app.workloads.remove(key, self.store.clock())
            self.controller.observe(app)

    def set_window(self, name: str, window: SyncWindow | None) -> None:
        """A sync window, or none; neither starts nor ends an operation by itself."""
        with self.store.lock:
            self.application(name).window = window

    def set_slowness(self, name: str, factor: float) -> None:
        """Everything of this application takes `factor` times as long."""
        with self.store.lock:
            self.application(name).slowness = factor

    # Breaking Argo CD itself

    def stop_controller(self) -> None:
        with self.store.lock:
            self.faults.controller_down = True

    def start_controller(self) -> None:
        with self.store.lock:
            self.faults.controller_down = False
            self.store.at(0.0, self.controller.resume)

    def stop_application_sets(self) -> None:
        """False live without limit: chart tags in git no longer reach the Applications."""
        with self.store.lock:
            self.faults.applicationset_down = True

    def start_application_sets(self) -> None:
        with self.store.lock:
            self.faults.applicationset_down = False
            self.application_sets.resume()

    def unreachable(self, seconds: float, *, hang: bool = False) -> None:
        """For so long every request is answered with 503, or not at all with `hang`."""
        with self.store.lock:
            self.faults.unreachable_until = self.store.clock() + seconds
            self.faults.hang = hang

    def cut_streams(self) -> None:
        """End every open stream; what happens before they are opened again is not told."""
        self.store.cut_streams()


def _deployment(app: Application) -> Json:
    """The application's one Deployment."""
    found = tuple(app.workloads.deployments.values())
    assert len(found) == 1, f"{app.name} has {len(found)} Deployments, not one"
    return found[0]


def _concerned(app: Application, changed: frozenset[str] | None) -> bool:
    paths = app.annotations.get("argocd.argoproj.io/manifest-generate-paths")
    if not paths or changed is None:
        return True
    roots = [path.strip("/") for path in paths.split(";")]
    return any(file == root or file.startswith(f"{root}/") for file in changed for root in roots)
