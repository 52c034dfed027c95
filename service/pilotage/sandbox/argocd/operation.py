"""Sync operations: hooks, applying, pruning, retries with backoff, termination."""

from collections.abc import Callable
from datetime import UTC, datetime

from pilotage.sandbox.argocd.cluster import Failure, Pace, Reason, containers_of, failure_of, tag_of
from pilotage.sandbox.argocd.events import record
from pilotage.sandbox.argocd.faults import Faults
from pilotage.sandbox.argocd.manifests import refusal
from pilotage.sandbox.argocd.render_error import RenderError
from pilotage.sandbox.argocd.state import (
    Application,
    Deployed,
    Hook,
    Json,
    Operation,
    OperationState,
    Phase,
    Target,
)
from pilotage.sandbox.argocd.store import Store

_UNSUCCESSFUL = "one or more synchronization tasks completed unsuccessfully"
_KEPT = 10  # entries of status.history


class OperationInProgressError(Exception):
    """Another operation is requested or runs."""


class NothingToTerminateError(Exception):
    """No operation runs, or it is terminating already."""


class Operations:
    """Runs requested operations in steps; each step is due at a time and drops itself when the
    operation has ended meanwhile. `look_again(app, resolve)` has the application compared,
    `ended` is told of each operation's end."""

    def __init__(
        self,
        store: Store,
        faults: Faults,
        target_at: Callable[[Application, Operation], Target],
        look_again: Callable[[Application, bool], None],
        ended: Callable[[Application, Operation], None],
    ) -> None:
        self._store = store
        self._faults = faults
        self._target_at = target_at
        self._look_again = look_again
        self._ended = ended

    def request(self, app: Application, operation: Operation) -> None:
        """Queue an operation: `operation` is set and operationState is gone until it starts."""
        if app.busy:
            raise OperationInProgressError
        app.operation = operation
        app.operation_state = None
        self._store.publish(app)
        delay = self._store.timings.operation_start * app.slowness
        self._store.at(delay, lambda: self._begin(app, operation))

    def terminate(self, app: Application) -> None:
        state = app.operation_state
        if app.operation is None or state is None or state.phase is not Phase.RUNNING:
            raise NothingToTerminateError
        state.phase = Phase.TERMINATING
        self._store.publish(app)
        self._store.at(self._store.timings.terminate, lambda: self._terminated(app, state))

    def pace(self, app: Application) -> Pace:
        timings, slow = self._store.timings, app.slowness
        return Pace(
            timings.pod_ready * slow,
            timings.slow_pod_ready * slow,
            timings.old_pods,
            timings.progress_deadline,
            timings.restart,
        )

    def _after(
        self, app: Application, state: OperationState, delay: float, step: Callable[[], None]
    ) -> None:
        def due() -> None:
            if (
                self._store.has(app)
                and app.operation_state is state
                and state.phase is Phase.RUNNING
            ):
                step()

        self._store.at(delay * app.slowness, due)

    def _begin(self, app: Application, operation: Operation) -> None:
        if not self._store.has(app) or app.operation is not operation or app.operation_state:
            return
        state = OperationState(operation, self._store.clock())
        app.operation_state = state
        shas = ", ".join(operation.revisions)
        by = f"{operation.username} initiated" if operation.username else "Initiated automated"
        record(app, self._store.clock(), "OperationStarted", f"{by} sync to '{shas}'")
        self._store.publish(app)
        self._after(app, state, self._store.timings.apply, lambda: self._attempt(app, state))

    def _attempt(self, app: Application, state: OperationState) -> None:
        try:
            target = self._target_at(app, state.operation)
        except RenderError as error:
            state.results = {}
            self._failed(app, state, f"ComparisonError: Failed to load target state: {error}")
            return
        if state.operation.dry_run:
            self._dry_run(app, state, target)
            return
        hooks = () if state.operation.resources else target.hooks
        pre = next((hook for hook in hooks if hook.phase == "PreSync"), None)
        if pre is None:
            state.results = {}
            self._apply(app, state, target)
            return
        self._create_hook(app, state, pre, lambda: self._apply(app, state, target))

    def _create_hook(
        self, app: Application, state: OperationState, hook: Hook, then: Callable[[], None]
    ) -> None:
        timings = self._store.timings
        if app.hooks.pop(hook.name, None) is not None:
            self._look_again(app, False)

        def create() -> None:
            self._hook_runs(app, state, hook)
            duration = timings.slow_hook if "longjob" in hook.image else timings.hook
            self._after(app, state, duration, lambda: self._hook_ends(app, state, hook, then))

        self._after(app, state, timings.hook_create, create)

    def _hook_runs(self, app: Application, state: OperationState, hook: Hook) -> None:
        app.hooks[hook.name] = {"health": {"status": "Progressing"}, "image": hook.image}
        results = {} if state.results is None else state.results
        results["Job", hook.name] = {
            "group": "batch",
            "version": "v1",
            "kind": "Job",
            "namespace": app.namespace,
            "name": hook.name,
            "status": "Synced",
            "message": f"job.batch/{hook.name} created",
            "hookType": hook.phase,
            "hookPhase": "Running",
            "syncPhase": hook.phase,
            "images": [hook.image],
        }
        state.results = results
        state.message = f"waiting for completion of hook batch/Job/{hook.name}"
        self._store.publish(app)
        self._look_again(app, False)

    def _hook_ends(
        self, app: Application, state: OperationState, hook: Hook, then: Callable[[], None]
    ) -> None:
        failed = "fail" in hook.image
        message = (
            "Job has reached the specified backoff limit"
            if failed
            else "Reached expected number of succeeded pods"
        )
        app.hooks[hook.name] = {
            "health": {"status": "Degraded" if failed else "Healthy", "message": message},
            "image": hook.image,
        }
        assert state.results is not None
        state.results["Job", hook.name] |= {
            "message": message,
            "hookPhase": "Failed" if failed else "Succeeded",
        }
        self._look_again(app, False)
        if failed:
            self._failed(app, state, _UNSUCCESSFUL)
        else:
            then()

    def _chosen(self, state: OperationState, kind: str, name: str) -> bool:
        chosen = state.operation.resources
        return not chosen or any(one["kind"] == kind and one["name"] == name for one in chosen)

    def _dry_run(self, app: Application, state: OperationState, target: Target) -> None:
        state.results = {}
        for key, manifest in target.resources.items():
            live = app.workloads.live.get(key)
            verb = "created" if live is None else "unchanged" if live == manifest else "configured"
            state.results[key] = result_of(app, manifest, f"{verb} (dry run)", "Succeeded")
        self._done(app, state, Phase.SUCCEEDED, "successfully synced (no more tasks)")

    def _apply(self, app: Application, state: OperationState, target: Target) -> None:
        assert state.results is not None
        now = self._store.clock()
        post = () if state.operation.resources else target.hooks
        waits = any(hook.phase == "PostSync" for hook in post)
        refused = ""
        for key, manifest in target.resources.items():
            if not self._chosen(state, *key):
                continue
            failure = self._failure(app, manifest)
            reason = refusal(manifest)
            if failure and failure.reason is Reason.REFUSED:
                reason = failure.message or "admission webhook denied the request"
            if reason:
                refused = reason
                state.results[key] = result_of(app, manifest, reason, "Failed", "SyncFailed")
                continue
            verb = app.workloads.apply(manifest, now, self.pace(app), failure)
            state.results[key] = result_of(app, manifest, verb, "Running")
        self._prune(app, state, target, now)
        if refused:
            self._failed(app, state, f"{_UNSUCCESSFUL}, reason: {refused}")
        elif waits:
            self._await_health(app, state, next(each for each in post if each.phase == "PostSync"))
            self._after(app, state, self._store.timings.settle, lambda: self._look_again(app, True))
        else:
            self._done(app, state, Phase.SUCCEEDED, "successfully synced (all tasks run)")

    def _failure(self, app: Application, manifest: Json) -> Failure | None:
        """What befalls the pods of a manifest; a failure meant for the next deployment is used up
        by the first Deployment that differs from what runs."""
        if manifest["kind"] != "Deployment":
            return None
        live = app.workloads.deployments.get(manifest["metadata"]["name"])
        planned = None
        new = live is None or live["spec"]["template"] != manifest["spec"]["template"]
        meant = self._faults.next_deployment.get(app.name)
        if new and meant is not None and meant.befalls(containers_of(manifest).values()):
            planned = self._faults.next_deployment.pop(app.name)
        if planned is not None and planned.reason is not Reason.REFUSED:
            return planned
        if planned is not None:  # refused again at each attempt
            known = set(containers_of(live).values()) if live else set()
            for image in set(containers_of(manifest).values()) - known:
                self._faults.bad_versions[tag_of(image)] = planned
        return failure_of(tuple(containers_of(manifest).values()), self._faults.bad_versions)

    def _prune(self, app: Application, state: OperationState, target: Target, now: float) -> None:
        assert state.results is not None
        for key in [key for key in app.workloads.live if key not in target.resources]:
            if not self._chosen(state, *key):
                continue
            manifest = app.workloads.live[key]
            if state.operation.prune:
                app.workloads.remove(key, now)
                state.results[key] = result_of(app, manifest, "", "Succeeded", "Pruned", "pruned")
            else:
                state.results[key] = result_of(
                    app, manifest, "", "Succeeded", "PruneSkipped", "ignored (requires pruning)"
                )

    def _await_health(self, app: Application, state: OperationState, hook: Hook) -> None:
        now = self._store.clock()
        found = {name: app.workloads.health(name, now)[0] for name in app.workloads.deployments}
        behind = next((name for name, status in found.items() if status != "Healthy"), "")
        if found and not behind:
            self._mark_succeeded(state)
            done = lambda: self._done(  # noqa: E731
                app, state, Phase.SUCCEEDED, "successfully synced (all tasks run)"
            )
            self._create_hook(app, state, hook, done)
        elif "Degraded" in found.values():
            self._failed(app, state, _UNSUCCESSFUL)
        else:
            state.message = f"waiting for healthy state of apps/Deployment/{behind}"
            self._store.publish(app)
            change = app.workloads.next_change(now)
            if change is not None:
                self._store.at(change - now, lambda: self._again(app, state, hook))

    def _again(self, app: Application, state: OperationState, hook: Hook) -> None:
        self._after(app, state, 0.0, lambda: self._await_health(app, state, hook))

    @staticmethod
    def _mark_succeeded(state: OperationState) -> None:
        for result in (state.results or {}).values():
            if result["hookPhase"] == "Running":
                result["hookPhase"] = "Succeeded"

    def _failed(self, app: Application, state: OperationState, message: str) -> None:
        now = self._store.clock()
        if state.retry_count >= state.operation.retry_limit:
            self._done(app, state, Phase.FAILED, message)
            return
        state.retry_count += 1
        state.finished_at = now
        timings = self._store.timings
        wait = min(timings.retry_backoff * 2**state.retry_count, timings.retry_longest)
        at = datetime.fromtimestamp(now + wait, UTC).strftime("%I:%M%p").lstrip("0")
        state.message = f"{message}. Retrying attempt #{state.retry_count} at {at}."
        self._store.publish(app)
        self._look_again(app, False)
        self._after(app, state, wait, lambda: self._retry(app, state))

    def _retry(self, app: Application, state: OperationState) -> None:
        state.message = f"Retrying operation. Attempt #{state.retry_count}"
        state.finished_at = None
        self._store.publish(app)
        self._look_again(app, True)
        self._after(app, state, self._store.timings.apply, lambda: self._attempt(app, state))

    def _terminated(self, app: Application, state: OperationState) -> None:
        if not self._store.has(app) or app.operation_state is not state or state.done:
            return
        for (_, name), result in (state.results or {}).items():
            if result.get("hookType") and result["hookPhase"] == "Running":
                result |= {"message": "Terminated", "hookPhase": "Failed"}
                app.hooks.pop(name, None)
        self._done(app, state, Phase.FAILED, "Operation terminated")

    def _done(self, app: Application, state: OperationState, phase: Phase, message: str) -> None:
        operation, now = state.operation, self._store.clock()
        state.phase, state.finished_at = phase, now
        retried = f" (retried {state.retry_count} times)." if state.retry_count else ""
        state.message = message + (retried if phase is Phase.FAILED else "")
        app.operation = None
        if phase is Phase.SUCCEEDED and not operation.dry_run and not operation.resources:
            entry = Deployed(
                app.deployments,
                operation.revisions,
                operation.sources,
                state.started_at,
                now,
                operation.username,
            )
            app.history = [*app.history, entry][-_KEPT:]
            app.deployments += 1
        ended = "succeeded" if phase is Phase.SUCCEEDED else f"failed: {state.message}"
        shas = ", ".join(operation.revisions)
        record(app, now, "OperationCompleted", f"Sync operation to {shas} {ended}")
        self._store.publish(app)
        self._ended(app, operation)


def result_of(
    app: Application,
    manifest: Json,
    verb: str,
    hook_phase: str,
    status: str = "Synced",
    message: str = "",
) -> Json:
    """An entry of `syncResult.resources`; with SyncFailed `verb` is the whole message."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    group, _, version = manifest["apiVersion"].rpartition("/")
    resource = f"{kind.lower()}{'.' + group if group else ''}/{name}"
    if status == "SyncFailed":
        message = verb
    result: Json = {
        "group": group,
        "version": version,
        "kind": kind,
        "namespace": app.namespace,
        "name": name,
        "status": status,
        "message": message or f"{resource} {verb}",
        "hookPhase": hook_phase,
        "syncPhase": "Sync",
    }
    if kind == "Deployment":
        result["images"] = list(containers_of(manifest).values())
    return result
