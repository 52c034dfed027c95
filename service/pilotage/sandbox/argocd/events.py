"""Kubernetes events about an Application: what `GET …/events` lists."""

from pilotage.sandbox.argocd.documents import CONTROL_PLANE, stamp, uid_of
from pilotage.sandbox.argocd.state import Application, Json

_KEPT = 100


def record(app: Application, now: float, reason: str, message: str) -> None:
    """Add one event to the application's list; the oldest beyond a hundred are dropped."""
    name = f"{app.name}.{int(now * 1e9):x}{len(app.events) % 100:02d}"
    event: Json = {
        "metadata": {
            "name": name,
            "namespace": CONTROL_PLANE,
            "uid": uid_of(app, "Event", name),
            "resourceVersion": str(app.resource_version),
            "creationTimestamp": stamp(now),
        },
        "involvedObject": {
            "kind": "Application",
            "namespace": CONTROL_PLANE,
            "name": app.name,
            "uid": app.uid,
            "apiVersion": "argoproj.io/v1alpha1",
            "resourceVersion": str(app.resource_version),
        },
        "reason": reason,
        "message": message,
        "source": {"component": "argocd-application-controller"},
        "firstTimestamp": stamp(now),
        "lastTimestamp": stamp(now),
        "count": 1,
        "type": "Normal",
        "eventTime": None,
    }
    app.events = [*app.events, event][-_KEPT:]
