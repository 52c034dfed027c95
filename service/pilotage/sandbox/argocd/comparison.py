"""What git asks for against what the cluster holds: sync status, resources and health."""

from dataclasses import dataclass

from pilotage.sandbox.argocd.state import Application, Json, Key, SyncStatus, Target

_WORST = ("Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown")


@dataclass(frozen=True, slots=True)
class Comparison:
    status: SyncStatus
    resources: list[Json]

    @property
    def out_of_sync(self) -> list[Json]:
        return [one for one in self.resources if one.get("status") == SyncStatus.OUT_OF_SYNC]


def compare(app: Application, target: Target | None, now: float) -> Comparison:
    """Without a target nothing is known, and everything live seems to want pruning."""
    wanted = target.resources if target else {}
    live = app.workloads.live
    resources = []
    for key in sorted({*wanted, *live}):
        if target is None:
            status, prune = SyncStatus.UNKNOWN, True
        else:
            status = (
                SyncStatus.SYNCED if wanted.get(key) == live.get(key) else SyncStatus.OUT_OF_SYNC
            )
            prune = key not in wanted
        manifest = wanted.get(key) or live[key]
        resources.append(_resource(app, key, manifest, status, now, prune=prune))
    statuses = {one["status"] for one in resources}
    resources += [_job(app, name) for name in sorted(app.hooks)]
    if target is None:
        return Comparison(SyncStatus.UNKNOWN, resources)
    behind = SyncStatus.OUT_OF_SYNC in statuses
    return Comparison(SyncStatus.OUT_OF_SYNC if behind else SyncStatus.SYNCED, resources)


def health(app: Application, comparison: Comparison) -> str:
    """The worst of the children; single missing ones do not count while others are there."""
    found = [one["health"]["status"] for one in comparison.resources
             if "health" in one and not one.get("hook")]  # fmt: skip
    if comparison.resources and not app.workloads.live:
        return "Missing" if comparison.status is not SyncStatus.UNKNOWN else "Healthy"
    return max(
        (status for status in found if status != "Missing"), key=_WORST.index, default="Healthy"
    )


def _resource(
    app: Application, key: Key, manifest: Json, status: SyncStatus, now: float, *, prune: bool
) -> Json:
    kind, name = key
    group, _, version = str(manifest["apiVersion"]).rpartition("/")
    resource: Json = {"group": group} if group else {}
    resource |= {
        "version": version,
        "kind": kind,
        "namespace": app.namespace,
        "name": name,
        "status": str(status),
    }
    if key not in app.workloads.live:
        resource["health"] = {"status": "Missing"}
    elif kind == "Deployment":
        state, message = app.workloads.health(name, now)
        resource["health"] = {"status": state} | ({"message": message} if message else {})
    elif kind == "Service":
        resource["health"] = {"status": "Healthy"}
    if prune:
        resource["requiresPruning"] = True
    return resource


def _job(app: Application, name: str) -> Json:
    return {
        "group": "batch",
        "version": "v1",
        "kind": "Job",
        "namespace": app.namespace,
        "name": name,
        "health": app.hooks[name]["health"],
        "hook": True,
        "requiresPruning": True,
    }
