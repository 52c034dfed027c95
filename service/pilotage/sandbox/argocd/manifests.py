"""Plain manifests and kustomizations: the files of the folder that a source names."""

import json
import posixpath
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from pilotage.edit import EditRefused, image
from pilotage.sandbox.argocd.git import Look
from pilotage.sandbox.argocd.render_error import RenderError
from pilotage.sandbox.argocd.state import Application, Json, Key

DIRECTORY, KUSTOMIZE = "Directory", "Kustomize"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KUSTOMIZATION = "kustomization.yaml"
_KNOWN = {"apiVersion", "kind", "resources", "images"}
_OF_AN_IMAGE = {"name", "newName", "newTag", "digest"}
_NOT_SIMULATED = {"CronJob", "DaemonSet", "Job", "Pod", "ReplicaSet", "Rollout", "StatefulSet"}
_DEEPEST = 10
_ENDINGS = ("yaml", "yml", "json")


def tool_of(look: Look, sha: str, path: str) -> str | None:
    """What Argo CD would make the folder's manifests with; None for a chart.

    A folder that is not there stands for a chart that nobody wrote.
    """
    if look.read(sha, posixpath.join(path, "Chart.yaml")) is not None:
        return None
    if look.read(sha, posixpath.join(path, _KUSTOMIZATION)) is not None:
        return KUSTOMIZE
    return DIRECTORY if _manifest_files(look, sha, path) else None


def resources(
    look: Look, sha: str, app: Application, path: str, tool: str, deadline: float
) -> dict[Key, Json]:
    """Every resource of the folder, as it is applied. Raises RenderError."""
    if tool == KUSTOMIZE:
        found = _built(look, sha, path.strip("/"))
    else:
        files = _manifest_files(look, sha, path)
        found = [one for file in files for one in _documents(look, sha, file, _plain(file))]
    made: dict[Key, Json] = {}
    for manifest in found:
        key = (manifest["kind"], manifest["metadata"]["name"])
        if key in made:
            raise RenderError(f"Resource {'/'.join(key)} appeared 2 times among the manifests")
        made[key] = _applied(app, manifest, deadline)
    return made


def tracking(app: Application, group: str, kind: str, name: str) -> Json:
    """How Argo CD marks what is its own."""
    tracked = f"{app.name}:{group}/{kind}:{app.namespace}/{name}"
    return {"argocd.argoproj.io/tracking-id": tracked}


def refusal(manifest: Json) -> str:
    """Why the API server would refuse a manifest; empty if it would not."""
    if manifest["kind"] != "Deployment":
        return ""
    name, spec = manifest["metadata"]["name"], manifest["spec"]
    invalid = f'error when patching "/dev/shm/1": Deployment.apps "{name}" is invalid: '
    labels = _at(spec, "template", "metadata", "labels")
    selector = _at(spec, "selector", "matchLabels")
    if not isinstance(selector, dict) or not selector:
        return f"{invalid}spec.selector: Required value"
    if not isinstance(labels, dict) or not selector.items() <= labels.items():
        shown = json.dumps(labels, separators=(",", ":"))
        return (
            f"{invalid}spec.template.metadata.labels: Invalid value: {shown}: "
            "`selector` does not match template `labels`"
        )
    return ""


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _manifest_files(look: Look, sha: str, path: str) -> list[str]:
    found = [look.glob(sha, posixpath.join(path.strip("/"), f"*.{end}")) for end in _ENDINGS]
    return sorted(file for files in found for file in files)


def _plain(file: str) -> Callable[[str], RenderError]:
    return lambda why: RenderError(f'Failed to unmarshal "{posixpath.basename(file)}": {why}')


def _kustomize(path: str) -> Callable[[str], RenderError]:
    command = f"`kustomize build <path to cached source>/{path}` failed exit status 1: Error: "
    return lambda why: RenderError(f"{command}{why}")


def _documents(look: Look, sha: str, file: str, wrong: Callable[[str], RenderError]) -> list[Json]:
    text = look.read(sha, file)
    if text is None:
        raise wrong(f"open {file}: no such file or directory")
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise wrong(f"yaml: {error}") from error
    return [_checked(each, file, wrong) for each in documents if each is not None]


def _checked(document: Any, file: str, wrong: Callable[[str], RenderError]) -> Json:
    """What every resource has. Raises RenderError."""
    if not isinstance(document, dict):
        raise wrong("json: cannot unmarshal into Go value of type map[string]any")
    for keys in (("apiVersion",), ("kind",), ("metadata", "name")):
        if not isinstance(_at(document, *keys), str):
            raise wrong(f"Object '{'.'.join(keys)}' is missing in {file}")
    if document["kind"] in _NOT_SIMULATED:
        raise wrong(f"{file}: the pods of a {document['kind']} are not simulated here")
    if document["kind"] == "Deployment":
        _check_containers(document, wrong)
    return document


def _check_containers(deployment: Json, wrong: Callable[[str], RenderError]) -> None:
    where = f"Deployment {deployment['metadata']['name']}: spec.template.spec.containers"
    containers = _at(deployment, "spec", "template", "spec", "containers")
    if not isinstance(containers, list) or not containers:
        raise wrong(f"{where}: Required value")
    for each in containers:
        if not isinstance(_at(each, "name"), str) or not isinstance(_at(each, "image"), str):
            raise wrong(f"{where}: name and image are required")
        try:
            image.parse(each["image"])
        except EditRefused as refused:
            raise wrong(f"{where}: {refused.reason}") from refused


def _built(look: Look, sha: str, path: str, depth: int = 0) -> list[Json]:
    """What the folder's kustomization names, with its images. Raises RenderError."""
    wrong = _kustomize(path)
    text = look.read(sha, posixpath.join(path, _KUSTOMIZATION))
    if text is None or depth > _DEEPEST:
        raise wrong(f"unable to find one of '{_KUSTOMIZATION}' in '{path}'")
    try:
        kustomization = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise wrong(f"invalid Kustomization: {error}") from error
    if not isinstance(kustomization, dict) or kustomization.keys() - _KNOWN:
        raise wrong(f"invalid Kustomization: only {', '.join(sorted(_KNOWN))} are understood here")
    found: list[Json] = []
    for named in _list(kustomization, "resources", wrong):
        at = posixpath.normpath(posixpath.join(path, str(named)))
        if look.read(sha, at) is not None:
            found += _documents(look, sha, at, wrong)
        else:
            found += _built(look, sha, at, depth + 1)
    for entry in _list(kustomization, "images", wrong):
        _rename(found, entry, wrong)
    return found


def _list(kustomization: Json, key: str, wrong: Callable[[str], RenderError]) -> list[Any]:
    found = kustomization.get(key) or []
    if not isinstance(found, list):
        raise wrong(f"invalid Kustomization: {key} must be a list")
    return found


def _rename(found: list[Json], entry: Any, wrong: Callable[[str], RenderError]) -> None:
    """One entry of `images`, where that image is named."""
    strings = isinstance(entry, dict) and all(isinstance(each, str) for each in entry.values())
    if not strings or "name" not in entry or entry.keys() - _OF_AN_IMAGE:
        raise wrong(f"invalid Kustomization: {entry!r} is no entry of images")
    for deployment in (one for one in found if one["kind"] == "Deployment"):
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            if image.parse(container["image"]).repository == entry["name"]:
                container["image"] = _renamed(container["image"], entry)


def _renamed(reference: str, entry: Mapping[str, str]) -> str:
    name = entry.get("newName", entry["name"])
    if "newTag" not in entry and "digest" not in entry:
        return reference.replace(entry["name"], name, 1)
    tag = f":{entry['newTag']}" if "newTag" in entry else ""
    digest = f"@{entry['digest']}" if "digest" in entry else ""
    return f"{name}{tag}{digest}"


def _applied(app: Application, manifest: Json, deadline: float) -> Json:
    """With Argo CD's mark, and what the API server fills in."""
    group = manifest["apiVersion"].rpartition("/")[0]
    metadata = manifest["metadata"]
    annotations = metadata.get("annotations") or {}
    mark = tracking(app, group, manifest["kind"], metadata["name"])
    made = {**manifest, "metadata": {**metadata, "annotations": {**annotations, **mark}}}
    if manifest["kind"] == "Deployment":
        filled = {"replicas": 1, "progressDeadlineSeconds": max(1, round(deadline))}
        made["spec"] = {**filled, **manifest["spec"]}
    return made
