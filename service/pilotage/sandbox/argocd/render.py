"""From a commit to resources: the values files of a chart, or the folder's own manifests."""

import posixpath
import re
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha1
from typing import Any

import yaml

from pilotage.sandbox.argocd import manifests
from pilotage.sandbox.argocd.git import GitUnavailableError, Session, UnknownRevisionError
from pilotage.sandbox.argocd.manifests import tracking
from pilotage.sandbox.argocd.render_error import RenderError
from pilotage.sandbox.argocd.state import Application, Hook, Json, Key, Source, Target

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_VERSION = re.compile(r"(?:^|-)v(\d.*)$")
_MOST_REPLICAS = 100
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


def version_in(tag: str) -> str:
    """`api-v9.1.1` is version `9.1.1`; whatever else there is stands for itself."""
    found = _VERSION.search(tag)
    return found.group(1) if found else tag


def resolve_sources(
    git: Session,
    sources: Sequence[Source],
    missing_tags: Collection[str],
    instead: Mapping[int, str] | None = None,
) -> tuple[str, ...]:
    """The SHA of each source; `instead` names other revisions by index. Raises RenderError."""
    shas = []
    for index, source in enumerate(sources):
        revision = (instead or {}).get(index) or source.target_revision
        try:
            if not git.knows(source.repo_url) and source.path and len(sources) > 1:
                shas.append(_chart_revision(source.repo_url, revision, missing_tags))
            else:
                shas.append(git.at(source.repo_url).resolve(revision))
        except (UnknownRevisionError, GitUnavailableError) as error:
            raise RenderError(str(error), index) from error
    return tuple(shas)


def render(
    git: Session,
    app: Application,
    sources: tuple[Source, ...],
    revisions: tuple[str, ...],
    deadline: float,
) -> Target:
    """The resources at these SHAs. Raises RenderError; costs no process beyond the session's."""
    source = next(source for source in sources if source.renders)
    values: Json = {}
    try:
        sha = revisions[sources.index(source)]
        tool = _tool(git, source, sha)
        if tool is not None:
            look = git.at(source.repo_url)
            found = manifests.resources(look, sha, app, source.path, tool, deadline)
            return Target(revisions, found, tool=tool)
        for file in source.value_files:
            _merge(values, _load(git, app, sources, revisions, file))
        return Target(revisions, *_resources(app, source, values, deadline))
    except GitUnavailableError as error:
        raise RenderError(str(error)) from error
    except RecursionError as error:
        raise RenderError(f"{_helm(app, source)}Error: values refer to themselves") from error
    except KeyError as missing:
        at = source.value_files[-1] if source.value_files else source.path
        raise RenderError(
            f"{_helm(app, source)}Error: execution error at ({source.path}/templates/"
            f"deployment.yaml): {at}: required value {missing.args[0]} is missing"
        ) from missing


def _tool(git: Session, source: Source, sha: str) -> str | None:
    """None for Helm."""
    if source.value_files or not git.knows(source.repo_url):
        return None
    return manifests.tool_of(git.at(source.repo_url), sha, source.path)


def _chart_revision(url: str, tag: str, missing: Collection[str]) -> str:
    """A charts repository that nobody serves has every tag that is not said to be missing."""
    if tag in missing or not re.search(r"\d", tag):
        raise UnknownRevisionError(tag)
    return sha1(f"{url}@{tag}".encode(), usedforsecurity=False).hexdigest()


def _load(
    git: Session,
    app: Application,
    sources: tuple[Source, ...],
    revisions: tuple[str, ...],
    file: str,
) -> Json:
    source = next(source for source in sources if source.renders)
    if file.startswith("$"):
        ref, _, path = file[1:].partition("/")
        index = next((at for at, source in enumerate(sources) if source.ref == ref), None)
        if index is None:
            raise RenderError(f"failed to resolve value file: source referenced {ref!r} not found")
    else:
        index = sources.index(source)
        path = posixpath.normpath(posixpath.join(source.path, file))
    look = git.at(sources[index].repo_url)
    sha = revisions[index]
    text = look.read(sha, path)
    if text is None:
        if look.commit(sha) is None:
            raise RenderError(
                "failed to initialize repository resources: rpc error: code = Internal desc = "
                f"Failed to checkout revision {sha}: `git fetch origin {sha} --tags --force "
                "--prune` failed exit status 128: fatal: remote error: upload-pack: not our ref "
                f"{sha}"
            )
        if source.ignore_missing_value_files:
            return {}
        raise RenderError(
            _helm(app, source, path)
            + f"Error: open <path to cached source>/{path}: no such file or directory"
        )
    return _parse(text, _helm(app, source, path), path)


def _parse(text: str, prefix: str, path: str) -> Json:
    wrong = (
        f"{prefix}Error: failed to parse <path to cached source>/{path}: "
        "cannot unmarshal yaml document: "
    )
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, written in C
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise RenderError(
            f"{wrong}error converting YAML to JSON: yaml: {line}{error.problem or error.context}"
        ) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise RenderError(f"{wrong}error converting YAML to JSON: yaml: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise RenderError(f"{wrong}json: cannot unmarshal into Go value of type map[string]any")
    return document


def _helm(app: Application, source: Source, path: str = "") -> str:
    values = f"--values <path to cached source>/{path} " if path else ""
    return (
        "failed to execute helm template command: failed running helm: `helm template . "
        f"--name-template {source.release_name or app.service} --namespace {app.namespace} "
        f"--kube-version 1.36.1 {values}<api versions removed> --include-crds` "
        "failed exit status 1: "
    )


def _merge(into: Json, other: Json) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _value(values: Json, path: str) -> Any:
    found: Any = values
    for part in path.split("."):
        if not isinstance(found, dict) or found.get(part) is None:
            raise KeyError(path)
        found = found[part]
    if isinstance(found, dict | list):
        raise KeyError(path)
    return found


def _mapping(values: Json, key: str) -> Json:
    found = values.get(key)
    if found is not None and not isinstance(found, dict):
        raise RenderError(f"error calling include: {key}: wrong type for value; expected map")
    return found or {}


def _image(app: Application, source: Source, values: Json) -> str:
    def fill(placeholder: re.Match[str]) -> str:
        match placeholder.group(1):
            case "service":
                return str(values.get("serviceName") or app.service)
            case "version" if app.multi:
                return version_in(source.target_revision)
            case "version":
                return version_in(str(_value(values, app.chart.version)))
            case path:
                return str(_value(values, path))

    return _PLACEHOLDER.sub(fill, app.chart.image)


def _resources(
    app: Application, source: Source, values: Json, deadline: float
) -> tuple[dict[Key, Json], tuple[Hook, ...]]:
    name = source.release_name or app.service or app.name
    made = [_deployment(app, name, _image(app, source, values), values, deadline)]
    if _mapping(values, "configMap").get("enabled", True):
        made.insert(0, _config_map(app, f"{name}-config", values))
    hooks = _mapping(values, "hooks")
    return (
        {(one["kind"], one["metadata"]["name"]): one for one in made},
        tuple(
            Hook(phase, {"PreSync": "migrate", "PostSync": "smoke"}[phase], str(hooks[key]))
            for key, phase in (("preSync", "PreSync"), ("postSync", "PostSync"))
            if hooks.get(key)
        ),
    )


def _config_map(app: Application, name: str, values: Json) -> Json:
    env = values.get("env") or values.get("envName") or "none"
    data = {"env": str(env), "note": str(values.get("note", "none"))}
    data |= {
        str(key): str(value)
        for key, value in _mapping(values, "config").items()
        if isinstance(value, str | int | float)
    }
    return {
        "apiVersion": "v1",
        "data": data,
        "kind": "ConfigMap",
        "metadata": {"annotations": tracking(app, "", "ConfigMap", name), "name": name},
    }


def _deployment(app: Application, name: str, image: str, values: Json, deadline: float) -> Json:
    labels = {"app": name}
    pod_labels = labels | {
        str(key): str(value) for key, value in _mapping(values, "podLabels").items()
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "annotations": tracking(app, "apps", "Deployment", name),
            "labels": labels,
            "name": name,
        },
        "spec": {
            "paused": values.get("paused") is True,
            "progressDeadlineSeconds": max(1, round(deadline)),
            "replicas": _replicas(values),
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": pod_labels},
                "spec": {"containers": [{"image": image, "name": "app"}], "nodeName": "fake"},
            },
        },
    }


def _replicas(values: Json) -> int:
    """At the top, or below `service` as in a SYRF file; one where nothing is said."""
    replicas = values.get("replicas", _mapping(values, "service").get("replicas", 1))
    if not isinstance(replicas, int) or not 0 <= replicas <= _MOST_REPLICAS:
        raise RenderError(f"error unmarshaling spec.replicas: {replicas!r} is not a small number")
    return replicas
