"""Manifests as text, and what is wanted next to what is there."""

import json

from pilotage.sandbox.argocd.state import Application, Json, Target


def manifest_texts(target: Target) -> list[str]:
    """What `GET …/manifests` lists: each manifest, and each hook as a Job."""
    hooks: list[Json] = [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "annotations": {"argocd.argoproj.io/hook": hook.phase},
                "name": hook.name,
            },
            "spec": {
                "template": {
                    "spec": {
                        "containers": [{"image": hook.image, "name": hook.name}],
                        "restartPolicy": "Never",
                    }
                }
            },
        }
        for hook in target.hooks
    ]
    return [_text(manifest) for manifest in [*target.resources.values(), *hooks]]


def managed_resources(app: Application) -> Json:
    """`GET …/managed-resources`; a state that is not there is the text `null`."""
    wanted = app.target.resources if app.target else {}
    items = []
    for key in sorted({*wanted, *app.workloads.live}):
        kind, name = key
        live = app.workloads.live.get(key)
        group = str((live or wanted[key])["apiVersion"]).rpartition("/")[0]
        item: Json = {"group": group} if group else {}
        items.append(
            item
            | {
                "kind": kind,
                "namespace": app.namespace,
                "name": name,
                "targetState": _text(wanted.get(key)),
                "liveState": _text(live),
                "normalizedLiveState": _text(live),
                "predictedLiveState": _text(wanted.get(key)),
                "resourceVersion": str(app.resource_version),
            }
        )
    return {"items": items} if items else {}


def _text(manifest: Json | None) -> str:
    return json.dumps(manifest, separators=(",", ":"), sort_keys=True)
