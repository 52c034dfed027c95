"""What in an answer of Argo CD speaks of our change: resources, pods, images, messages."""

from __future__ import annotations

import re

from pilotage.core.application import Application, Operation, Pod, ResourceResult, ResourceTree
from pilotage.core.rollout.case import STAMP_TOLERANCE, Case
from pilotage.core.rollout.watch import Image

_PULL_ERRORS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
)
_CRASH_LOOP = "CrashLoopBackOff"
_OUT_OF_MEMORY = "OOMKilled"
_SHORTEST_VALUE = 3
"""A shorter value than this would be found in any message by chance."""


def worst_result(operation: Operation) -> tuple[str, str]:
    """The first resource or hook that failed, and why; else the operation's own message."""
    for result in operation.results:
        if result.failed:
            return str(result.key), result.message or operation.message
    return "", operation.message or f"the sync operation is {operation.phase.value}"


def stopped(operation: Operation) -> bool:
    """Somebody ended it."""
    return operation.message.startswith(
        ("Operation terminated", "Operation termination had errors")
    )


def undeleted(result: ResourceResult) -> bool:
    """A hook that ran when its operation was stopped: Argo CD calls it failed."""
    return result.message.startswith("Failed to delete")


def unhealthy(case: Case) -> tuple[str, str]:
    """The resource that gives the application its health, and its message."""
    application = case.application
    for resource in application.resources:
        if not resource.hook and resource.health is application.health is not None:
            return str(resource.key), resource.health_message or application.health_message
    return application.ref.name, application.health_message


def failing_pod(case: Case) -> Pod | None:
    """A pod that came with the merge and shows why it does not come up; no hook's."""
    tree = case.look.tree
    if not isinstance(tree, ResourceTree):
        return None
    since = case.expectation.since - STAMP_TOLERANCE
    for pod in tree.pods:
        new = pod.created_at is not None and pod.created_at >= since
        if new and not case.is_hooks(pod) and _cause(pod, case.budgets.restarts):
            return pod
    return None


def _cause(pod: Pod, restarts: int) -> bool:
    reason = pod.reason.removeprefix("Init:")
    crashes = reason == _CRASH_LOOP and pod.restarts >= restarts
    return crashes or reason in _PULL_ERRORS or reason == _OUT_OF_MEMORY


def image_is_there(image: str, name: str, application: Application) -> bool:
    """Old and new stand there together until the old pods are gone: "contains" is the question."""
    return any(_is_image(reference, image, name) for reference in application.images)


def image_workload(image: Image, tree: ResourceTree, case: Case) -> bool:
    """A workload that is no hook has pods with this image, the old one or the new."""
    return any(
        _is_image(reference, wanted, image.name)
        for pod in tree.pods
        if not case.is_hooks(pod)
        for reference in pod.images
        for wanted in (image.new, image.old)
        if wanted
    )


def image_parts(reference: str) -> tuple[str, str, str]:
    """Repository, tag and digest, whatever a cluster or a specification calls an image; empty
    where there is none."""
    tagged, _, digest = reference.partition("@")
    repository, colon, tag = tagged.rpartition(":")
    return (repository, tag, digest) if colon and "/" not in tag else (tagged, "", digest)


def _is_image(reference: str, wanted: str, name: str) -> bool:
    repository, tag, digest = image_parts(reference)
    named = not name or repository == name or repository.endswith(f"/{name}")
    return named and wanted in (reference, reference.partition("@")[0], tag, digest)


def names_ours(message: str, case: Case) -> bool:
    """The message names a file that holds our value, or the value; a repository is neither."""
    for source in case.application.sources:
        if source.repository:
            message = message.replace(source.repository, " ")
    return any(re.search(pattern, message) for pattern in _ours(case))


def _ours(case: Case) -> list[str]:
    patterns = []
    for value in case.expectation.values:
        patterns.append(rf"(?<![\w.-]){re.escape(value.file)}(?![\w/-])")
        for source in case.application.sources:
            if source.path and value.file.startswith(f"{source.path}/"):
                inside = value.file.removeprefix(f"{source.path}/")
                patterns.append(rf"(?<![\w./-]){re.escape(inside)}(?![\w/-])")
        if len(value.new) >= _SHORTEST_VALUE:
            patterns.append(rf"(?<![\w.-]){re.escape(value.new)}(?![\w-]|\.\w)")
    return patterns
