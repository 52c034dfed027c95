"""The cluster behind one Application: what is applied, and the pods that come of it.

The state of pods is a pure function of what was applied, when, and the present time.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class Reason(StrEnum):
    """Why a version does not come up."""

    CRASH_LOOP = "crash-loop"
    IMAGE_PULL = "image-pull"
    OUT_OF_MEMORY = "out-of-memory"
    NEVER_READY = "never-ready"
    SLOW = "slow"  # comes up, after the progress deadline
    REFUSED = "refused"  # the API server refuses the manifest: the sync fails


STATUS = {
    Reason.CRASH_LOOP: "CrashLoopBackOff",
    Reason.IMAGE_PULL: "ImagePullBackOff",
    Reason.OUT_OF_MEMORY: "OOMKilled",
}
# What the recordings' simulated kubelet does with such a tag.
_MARKS = {
    "-bad": Reason.CRASH_LOOP,
    "-nopull": Reason.IMAGE_PULL,
    "-oom": Reason.OUT_OF_MEMORY,
    "-slow": Reason.SLOW,
}


@dataclass(frozen=True, slots=True)
class Failure:
    reason: Reason
    message: str = ""
    tag: str = ""
    """Of the image that it waits for, where it does not befall whatever comes next."""

    def befalls(self, images: Iterable[str]) -> bool:
        return not self.tag or self.tag in map(tag_of, images)


def failure_of(images: Sequence[str], bad_versions: dict[str, Failure]) -> Failure | None:
    """Which failure the tags stand for: one of `bad_versions`, or a telling ending."""
    tags = [tag_of(image) for image in images]
    for tag in tags:
        if tag in bad_versions:
            return bad_versions[tag]
    for mark, reason in _MARKS.items():
        if any(tag.endswith(mark) for tag in tags):
            return Failure(reason)
    return None


def tag_of(image: str) -> str:
    """`r:5000/api:v1@sha256:...` has the tag `v1`; without one, the digest is its name."""
    tagged, _, digest = image.partition("@")
    _, colon, tag = tagged.rpartition("/")[2].rpartition(":")
    return tag if colon else digest


@dataclass(slots=True, eq=False)
class Pod:
    name: str
    containers: dict[str, str]  # name to image
    created: float
    ready: float | None  # None: never
    gone: float | None = None
    failure: Failure | None = None
    restart_every: float = 1.0

    @property
    def images(self) -> str:
        return ", ".join(self.containers.values())

    def exists(self, now: float) -> bool:
        return self.gone is None or now < self.gone

    def is_ready(self, now: float) -> bool:
        return self.ready is not None and now >= self.ready and self.exists(now)

    @property
    def restarts_forever(self) -> bool:
        return self.failure is not None and self.failure.reason in (
            Reason.CRASH_LOOP,
            Reason.OUT_OF_MEMORY,
        )

    def restarts(self, now: float) -> int:
        if not self.restarts_forever:
            return 0
        return int(max(0.0, now - self.created) / self.restart_every)

    def status(self, now: float) -> tuple[str, str, str]:
        """Status Reason, health and its message, as the resource tree shows them."""
        if self.is_ready(now):
            return "Running", "Healthy", ""
        reason = self.failure.reason if self.failure else None
        if reason in STATUS and now > self.created:
            return STATUS[reason], "Degraded", self._why(reason)
        if reason is None and now - self.created < 0.1 * self.restart_every:
            return "ContainerCreating", "Progressing", ""
        return "Running", "Progressing", ""

    def _why(self, reason: Reason) -> str:
        if self.failure and self.failure.message:
            return self.failure.message
        name = next(iter(self.containers))
        match reason:
            case Reason.IMAGE_PULL:
                return f'Back-off pulling image "{self.containers[name]}"'
            case Reason.OUT_OF_MEMORY:
                return f"container {name} was killed: out of memory"
            case _:
                return f"back-off 10s restarting failed container={name} pod={self.name}"


@dataclass(slots=True, eq=False)
class ReplicaSet:
    name: str
    digest: str
    revision: int
    created: float
    pods: list[Pod] = field(default_factory=list)

    def available(self, now: float) -> int:
        return sum(pod.is_ready(now) for pod in self.pods)


@dataclass(frozen=True, slots=True)
class Pace:
    """The durations that matter here, already stretched for a slow application."""

    pod_ready: float
    slow_pod_ready: float
    old_pods: float
    progress_deadline: float
    restart: float


def containers_of(deployment: Json) -> dict[str, str]:
    """Name to image."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return {str(each["name"]): str(each["image"]) for each in containers}


@dataclass(slots=True, eq=False)
class Rollout:
    """The ReplicaSets and pods of one Deployment."""

    replica_sets: list[ReplicaSet] = field(default_factory=list)  # the current one last
    deadline: float = 0.0
    _pods_made: int = 0

    def pods(self, now: float) -> Iterator[Pod]:
        for replica_set in self.replica_sets:
            yield from (pod for pod in replica_set.pods if pod.exists(now))

    def remove(self, now: float) -> None:
        for pod in self.pods(now):
            pod.gone = now
        self.replica_sets.clear()

    def delete_pods(self, now: float, pace: Pace) -> None:
        current = self.replica_sets[-1]
        for pod in [pod for pod in current.pods if pod.exists(now)]:
            pod.gone = now
            current.pods.append(self._pod(current.name, pod.containers, now, pace, pod.failure))
        self.deadline = now + pace.progress_deadline

    def health(self, deployment: Json, now: float) -> tuple[str, str]:
        """Health and its message."""
        if deployment["spec"].get("paused"):
            return "Suspended", "Deployment is paused"
        wanted, name = deployment["spec"]["replicas"], deployment["metadata"]["name"]
        available = self.replica_sets[-1].available(now) if self.replica_sets else 0
        if available >= wanted:
            return "Healthy", ""
        if now >= self.deadline:
            return "Degraded", f'Deployment "{name}" exceeded its progress deadline'
        return "Progressing", (
            f"Waiting for rollout to finish: {available} out of {wanted} "
            "new replicas are available..."
        )

    def moments(self) -> Iterator[float]:
        """When the health or the set of pods may change by itself."""
        yield self.deadline
        for replica_set in self.replica_sets:
            for pod in replica_set.pods:
                yield from (moment for moment in (pod.ready, pod.gone) if moment is not None)

    def roll(self, manifest: Json, now: float, pace: Pace, failure: Failure | None) -> None:
        digest = _digest(manifest["spec"]["template"])
        current = next((rs for rs in self.replica_sets if rs.digest == digest), None)
        number = 1 + max((rs.revision for rs in self.replica_sets), default=0)
        if current is None:
            name = f"{manifest['metadata']['name']}-{digest}"
            current = ReplicaSet(name, digest, number, now)
        elif current is not self.replica_sets[-1]:
            current.revision = number
            self.replica_sets.remove(current)
        if current not in self.replica_sets:
            self.replica_sets.append(current)
        self._scale(current, manifest, now, pace, failure)
        self._retire(now, pace, manifest["spec"]["replicas"])

    def _scale(
        self, to: ReplicaSet, manifest: Json, now: float, pace: Pace, failure: Failure | None
    ) -> None:
        wanted = manifest["spec"]["replicas"]
        there = [pod for pod in to.pods if pod.exists(now)]
        for pod in there:  # a rollout that is undone keeps the pods that had not gone yet
            pod.gone = None
        for pod in there[wanted:]:
            pod.gone = now
        if wanted > len(there):
            self.deadline = now + pace.progress_deadline
        containers = containers_of(manifest)
        for _ in range(wanted - len(there)):
            to.pods.append(self._pod(to.name, containers, now, pace, failure))

    def _retire(self, now: float, pace: Pace, wanted: int) -> None:
        """Old pods go when the new ones are ready; pods that never came up go at once."""
        current = self.replica_sets[-1]
        readies = sorted(pod.ready for pod in current.pods if pod.exists(now) and pod.ready)
        done = None if len(readies) < wanted else readies[wanted - 1] if wanted else now
        for replica_set in self.replica_sets[:-1]:
            for pod in (pod for pod in replica_set.pods if pod.exists(now)):
                if not pod.is_ready(now):
                    pod.gone = now
                else:
                    pod.gone = max(done, now) + pace.old_pods if done is not None else None
        self.replica_sets = [rs for rs in self.replica_sets[-4:-1] if rs.pods] + self.replica_sets[
            -1:
        ]

    def _pod(
        self,
        owner: str,
        containers: dict[str, str],
        now: float,
        pace: Pace,
        failure: Failure | None,
    ) -> Pod:
        self._pods_made += 1
        suffix = hashlib.sha256(f"{owner}/{self._pods_made}".encode()).hexdigest()[:5]
        match failure.reason if failure else None:
            case None | Reason.REFUSED:
                ready: float | None = now + pace.pod_ready
            case Reason.SLOW:
                ready = now + pace.slow_pod_ready
            case _:
                ready = None
        return Pod(f"{owner}-{suffix}", containers, now, ready, None, failure, pace.restart)


@dataclass(slots=True, eq=False)
class Workloads:
    """Live manifests of one Application, and the rollout of each of its Deployments, by name."""

    live: dict[tuple[str, str], Json] = field(default_factory=dict)
    created: dict[tuple[str, str], float] = field(default_factory=dict)
    rollouts: dict[str, Rollout] = field(default_factory=dict)

    @property
    def deployments(self) -> dict[str, Json]:
        return {name: live for (kind, name), live in self.live.items() if kind == "Deployment"}

    def apply(self, manifest: Json, now: float, pace: Pace, failure: Failure | None) -> str:
        """Apply one manifest; `created`, `configured` or `unchanged`.

        `failure` befalls the pods, if new ones are made."""
        key = (manifest["kind"], manifest["metadata"]["name"])
        before = self.live.get(key)
        if before == manifest:
            return "unchanged"
        self.live[key] = manifest
        self.created.setdefault(key, now)
        if manifest["kind"] == "Deployment" and not manifest["spec"].get("paused"):
            rollout = self.rollouts.setdefault(manifest["metadata"]["name"], Rollout())
            rollout.roll(manifest, now, pace, failure)
        return "configured" if before is not None else "created"

    def remove(self, key: tuple[str, str], now: float) -> None:
        self.live.pop(key, None)
        self.created.pop(key, None)
        if key[0] == "Deployment" and key[1] in self.rollouts:
            self.rollouts[key[1]].remove(now)

    def pods(self, now: float) -> Iterator[Pod]:
        for rollout in self.rollouts.values():
            yield from rollout.pods(now)

    def images(self, now: float) -> set[str]:
        return {image for pod in self.pods(now) for image in pod.containers.values()}

    def delete_pods(self, now: float, pace: Pace) -> None:
        """As `kubectl delete pod`: new ones take their place."""
        for rollout in self.rollouts.values():
            if rollout.replica_sets:
                rollout.delete_pods(now, pace)

    def health(self, name: str, now: float) -> tuple[str, str]:
        """Health of one Deployment that is live, and its message."""
        return self.rollouts.get(name, Rollout()).health(self.deployments[name], now)

    def next_change(self, now: float) -> float | None:
        """When the health or the set of pods changes next by itself."""
        moments = (moment for rollout in self.rollouts.values() for moment in rollout.moments())
        return min((moment for moment in moments if moment > now), default=None)


def _digest(template: Json) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
