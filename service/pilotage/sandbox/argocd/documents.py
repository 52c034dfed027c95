"""What the API says about an Application, in the recorded shape: empty fields are left out."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from pilotage.sandbox.argocd.cluster import Pod, ReplicaSet
from pilotage.sandbox.argocd.state import (
    Application,
    Deployed,
    Json,
    Operation,
    OperationState,
    Source,
)

CONTROL_PLANE = "argocd"
_RETRY = {"duration": "5s", "factor": 2, "maxDuration": "1m"}


def stamp(seconds: float) -> str:
    """RFC 3339 in whole seconds, cut off, as Kubernetes writes times."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def application_document(app: Application) -> Json:
    """The whole Application as `GET /api/v1/applications/{name}` answers it."""
    operation = {"operation": operation_document(app, app.operation)} if app.operation else {}
    return {
        "metadata": _metadata(app),
        "spec": _spec(app),
        "status": _status(app),
        **operation,
    }


def _metadata(app: Application) -> Json:
    metadata: Json = {
        "name": app.name,
        "namespace": CONTROL_PLANE,
        "uid": app.uid,
        "resourceVersion": str(app.resource_version),
        "generation": app.generation,
        "creationTimestamp": stamp(app.created_at),
    }
    if app.deleted_at is not None:
        metadata["deletionTimestamp"] = stamp(app.deleted_at)
    if app.labels:
        metadata["labels"] = dict(app.labels)
    annotations = dict(app.annotations)
    if app.refresh:
        annotations["argocd.argoproj.io/refresh"] = app.refresh
    if annotations:
        metadata["annotations"] = annotations
    if app.owner:
        metadata["ownerReferences"] = [
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "ApplicationSet",
                "name": app.owner,
                "uid": app.owner_uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
        metadata["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
    return metadata


def _spec(app: Application) -> Json:
    policy: Json = {}
    if app.policy.automated:
        policy["automated"] = {"prune": app.policy.prune, "selfHeal": app.policy.self_heal}
    policy["syncOptions"] = ["CreateNamespace=false"]
    if app.policy.retry_limit is not None:
        policy["retry"] = {"limit": app.policy.retry_limit, "backoff": _RETRY}
    spec: Json = {
        "destination": _destination(app),
        "project": app.project,
        "syncPolicy": policy,
    }
    if app.multi:
        spec["sources"] = [source_document(source) for source in app.sources]
    else:
        spec["source"] = source_document(app.sources[0])
    return spec


def _destination(app: Application) -> Json:
    return {"server": app.server, "namespace": app.namespace}


def source_document(source: Source) -> Json:
    """One source; `helm` only where there is something to say."""
    helm: Json = {}
    if source.value_files:
        helm["valueFiles"] = list(source.value_files)
    if source.release_name:
        helm["releaseName"] = source.release_name
    if source.ignore_missing_value_files:
        helm["ignoreMissingValueFiles"] = True
    document: Json = {"repoURL": source.repo_url}
    if source.path:
        document["path"] = source.path
    document["targetRevision"] = source.target_revision
    if helm:
        document["helm"] = helm
    if source.ref:
        document["ref"] = source.ref
    return document


def _sources(app: Application, sources: tuple[Source, ...], *, blank: bool = True) -> Json:
    """`source`, or `sources` next to the blank `source` that Argo CD writes there."""
    if not app.multi:
        return {"source": source_document(sources[0])}
    documents: Json = {"sources": [source_document(source) for source in sources]}
    return documents | ({"source": {"repoURL": ""}} if blank else {})


def _revisions(app: Application, revisions: tuple[str, ...]) -> Json:
    if app.multi:
        return {"revisions": list(revisions)} if revisions else {}
    return {"revision": revisions[0]} if revisions else {}


def _status(app: Application) -> Json:
    status: Json = {}
    if app.resources:
        status["resources"] = app.resources
    status["sync"] = _sync(app)
    status["health"] = (
        {"status": app.health, "lastTransitionTime": stamp(app.health_since)} if app.health else {}
    )
    if app.history:
        status["history"] = [_deployed(app, entry) for entry in app.history]
    if app.conditions:
        status["conditions"] = app.conditions
    if app.reconciled_at is not None:
        status["reconciledAt"] = stamp(app.reconciled_at)
    if app.operation_state is not None:
        status["operationState"] = _operation_state(app, app.operation_state)
    if app.target is not None:
        status |= _source_type(app, app.target.tool)
    status["summary"] = {"images": list(app.images)} if app.images else {}
    if app.sync.status is not None:
        status["resourceHealthSource"] = "appTree"
        status["controllerNamespace"] = CONTROL_PLANE
    status["sourceHydrator"] = {}
    return status


def _source_type(app: Application, tool: str) -> Json:
    if app.multi:
        return {"sourceTypes": [tool if source.renders else "" for source in app.sources]}
    return {"sourceType": tool}


def _sync(app: Application) -> Json:
    if app.sync.status is None:
        return {"status": "", "comparedTo": {"source": {"repoURL": ""}, "destination": {}}}
    return {
        "status": str(app.sync.status),
        "comparedTo": {**_sources(app, app.sync.compared), "destination": _destination(app)},
        **_revisions(app, app.sync.revisions),
    }


def _initiator(username: str) -> Json:
    return {"username": username} if username else {"automated": True}


def _deployed(app: Application, entry: Deployed) -> Json:
    return {
        **_revisions(app, entry.revisions),
        "deployedAt": stamp(entry.deployed_at),
        "id": entry.number,
        **_sources(app, entry.sources),
        "deployStartedAt": stamp(entry.started_at),
        "initiatedBy": _initiator(entry.username),
    }


def operation_document(app: Application, operation: Operation) -> Json:
    """`operation`, and `operationState.operation`."""
    sync: Json = _revisions(app, operation.revisions)
    if operation.prune:
        sync["prune"] = True
    if operation.dry_run:
        sync["dryRun"] = True
    if operation.strategy is not None:
        sync["syncStrategy"] = operation.strategy
    if operation.resources:
        sync["resources"] = list(operation.resources)
    sync |= _sources(app, operation.sources, blank=False)
    sync["syncOptions"] = ["CreateNamespace=false"]
    if operation.auto_heal_attempts:
        sync["autoHealAttemptsCount"] = operation.auto_heal_attempts
    retry: Json = {"limit": operation.retry_limit} if operation.retry_limit else {}
    if operation.automated and app.policy.retry_limit is not None:
        retry["backoff"] = _RETRY
    document: Json = {
        "sync": sync,
        "initiatedBy": _initiator(operation.username),
        "retry": retry,
    }
    if operation.infos:
        document["info"] = list(operation.infos)
    return document


def _operation_state(app: Application, state: OperationState) -> Json:
    document: Json = {
        "operation": operation_document(app, state.operation),
        "phase": str(state.phase),
    }
    if state.message:
        document["message"] = state.message
    if state.results is not None:
        result: Json = _revisions(app, state.operation.revisions)
        if app.multi:
            result["revision"] = ""
        if state.results:
            result["resources"] = [dict(one) for one in state.results.values()]
        document["syncResult"] = result | _sources(app, state.operation.sources)
    document["startedAt"] = stamp(state.started_at)
    if state.finished_at is not None:
        document["finishedAt"] = stamp(state.finished_at)
    if state.retry_count:
        document["retryCount"] = state.retry_count
    return document


def resource_tree(app: Application, now: float) -> Json:
    """`GET …/resource-tree`: resources, ReplicaSets and pods, with why a pod does not come up."""
    nodes: list[Json] = []
    for (kind, name), live in app.workloads.live.items():
        created = app.workloads.created[kind, name]
        node = _node(app, live["apiVersion"], kind, name, created)
        if kind == "Deployment":
            rollout = app.workloads.rollouts.get(name)
            node |= {"info": _rev(rollout.replica_sets[-1:] if rollout else [])}
            node |= _healthy(*app.workloads.health(name, now))
        nodes.append(node)
    for owner, rollout in app.workloads.rollouts.items():
        for replica_set in rollout.replica_sets:
            nodes.append(_replica_set(app, replica_set, owner, now))
            there = [pod for pod in replica_set.pods if pod.exists(now)]
            nodes += [_pod(app, replica_set, pod, owner, now) for pod in there]
    return {"nodes": nodes, "hosts": [_HOST]}


def _node(app: Application, api_version: str, kind: str, name: str, created: float) -> Json:
    group, _, version = api_version.rpartition("/")
    return {
        **({"group": group} if group else {}),
        "version": version,
        "kind": kind,
        "namespace": app.namespace,
        "name": name,
        "uid": uid_of(app, kind, name),
        "resourceVersion": str(app.resource_version),
        "createdAt": stamp(created),
    }


def uid_of(app: Application, kind: str, name: str) -> str:
    """A uid that stays the same for one object of one application."""
    digest = hashlib.sha256(f"{app.uid}/{kind}/{name}".encode()).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))


def _rev(replica_sets: list[ReplicaSet]) -> list[Json]:
    return [{"name": "Revision", "value": f"Rev:{one.revision}"} for one in replica_sets]


def _healthy(status: str, message: str) -> Json:
    return {"health": {"status": status} | ({"message": message} if message else {})}


def _parent(app: Application, kind: str, name: str) -> Json:
    return {
        "parentRefs": [
            {
                "group": "apps",
                "version": "v1",
                "kind": kind,
                "namespace": app.namespace,
                "name": name,
                "uid": uid_of(app, kind, name),
            }
        ]
    }


def _replica_set(app: Application, replica_set: ReplicaSet, owner: str, now: float) -> Json:
    pods = [pod for pod in replica_set.pods if pod.exists(now)]
    available = replica_set.available(now)
    health = (
        ("Healthy", "")
        if available == len(pods)
        else (
            "Progressing",
            f"Waiting for rollout to finish: {available} out of {len(pods)} new replicas are "
            "available...",
        )
    )
    return {
        **_node(app, "apps/v1", "ReplicaSet", replica_set.name, replica_set.created),
        **_parent(app, "Deployment", owner),
        "info": _rev([replica_set]),
        **_healthy(*health),
    }


def _pod(app: Application, replica_set: ReplicaSet, pod: Pod, owner: str, now: float) -> Json:
    reason, status, message = pod.status(now)
    restarts = pod.restarts(now)
    info: list[dict[str, Any]] = [
        {"name": "Status Reason", "value": reason},
        {"name": "Node", "value": "fake"},
        {"name": "Containers", "value": "1/1" if pod.is_ready(now) else "0/1"},
        *([{"name": "Restart Count", "value": str(restarts)}] if restarts else []),
        {"name": "cpu", "value": "0"},
        {"name": "memory", "value": "0"},
    ]
    return {
        **_node(app, "v1", "Pod", pod.name, pod.created),
        **_parent(app, "ReplicaSet", replica_set.name),
        "info": info,
        "networkingInfo": {"labels": {"app": owner, "pod-template-hash": replica_set.digest}},
        "images": list(pod.containers.values()),
        **_healthy(status, message),
    }


_SYSTEM = (
    "machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion",
    "kubeletVersion", "kubeProxyVersion", "operatingSystem", "architecture",
)  # fmt: skip
_HOST: Json = {
    "name": "fake",
    "resourcesInfo": [
        {"resourceName": "cpu", "capacity": 8000},
        {"resourceName": "memory", "capacity": 34359738368000},
    ],
    "systemInfo": dict.fromkeys(_SYSTEM, ""),
}
