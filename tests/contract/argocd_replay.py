"""Plays a recorded timeline of a real Argo CD to the judge: its answers, its times, its git.

The recordings poll every 200 ms and keep what changed. Each change is a look (as the stream would
cause it); between changes the watch looks when it asks to. Git's part is asked of the recorded
repository itself.
"""

from __future__ import annotations

import atexit
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from pilotage.adapters.argocd import answers
from pilotage.core.application import (
    Application,
    CannotSee,
    Look,
    ResourceTree,
    SyncWindows,
)
from pilotage.core.rollout.judge import judge, revisions_to_place, route_of
from pilotage.core.rollout.watch import (
    Budgets,
    Expectation,
    HeadFacts,
    Relation,
    RevisionFacts,
    Value,
    Watch,
)

RECORDINGS = Path(__file__).parent / "recordings" / "argocd"
REPOSITORY = "127.0.0.1:13000/cluster-gitops"
FORCE_PUSHED = "6ab7c1a7"

# Where each application's promoted value stands.
VALUES: dict[str, tuple[str, str]] = {
    "api-staging": ("helm-values/staging.yaml", r"tag: *(\S+)"),
    "api-production": ("helm-values/production.yaml", r"tag: *(\S+)"),
    "multi-staging": ("helm-values/multi.yaml", r"tag: *(\S+)"),
    "web-staging": ("plain/web/deployment.yaml", r"image: *(\S+)"),
    "worker-staging": ("hooks/worker/deployment.yaml", r"image: *(\S+)"),
    "pm-staging": ("kustomize/pm/overlays/staging/kustomization.yaml", r"newTag: *(\S+)"),
    "set-api-staging": ("syrf/environments/staging/api/config.yaml", r"chartTag: *(\S+)"),
    "temp-app": ("plain/web/deployment.yaml", r"image: *(\S+)"),
}
WHOLE_FILE = r"(?s)(.*)"


def recorded(name: str) -> Any:
    return json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))


def body(name: str) -> bytes:
    return json.dumps(recorded(name)["response"]["body"]).encode()


def application(name: str) -> Application:
    return answers.application(body(name), "main")


@dataclass(frozen=True, slots=True)
class Story:
    """One timeline, watched for one of its commits from the moment of its push."""

    timeline: str
    commit: str
    begin: float
    revert: bool = False
    whole_file: bool = False
    asks_refresh: bool = True
    partial: tuple[float, float] = (0, 0)
    """When the last operation was a partial one, which the timeline's fields do not tell."""
    spec_tags: tuple[tuple[float, str, str], ...] = ()
    """For the ApplicationSet: from when on which tag stood in `spec` and in `comparedTo`."""
    windows: tuple[tuple[float, str], ...] = ()
    tree: str = ""
    heads: tuple[tuple[float, str], ...] = ()
    budgets: Budgets = field(default_factory=Budgets)


@cache
def commits() -> dict[str, dict[str, Any]]:
    return {each["sha"]: each for each in recorded("commits")["cluster-gitops"]}


@cache
def pushes() -> tuple[tuple[datetime, str], ...]:
    return tuple((datetime.fromisoformat(each["date"]), sha) for sha, each in commits().items())


@cache
def stages(timeline: str) -> tuple[tuple[float, Application], ...]:
    """The whole answers that were kept of a timeline, by its time."""
    paths = RECORDINGS.glob(f"{timeline}-stage*.json")
    return tuple((recorded(path.stem)["t"], application(path.stem)) for path in paths)


@cache
def clone() -> Path:
    place = Path(mkdtemp(prefix="recorded-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    bundle = RECORDINGS / "cluster-gitops.bundle"
    subprocess.run(["git", "clone", "-q", "--bare", str(bundle), str(place)], check=True)
    return place


@cache
def text_at(sha: str, file: str) -> str:
    shown = subprocess.run(
        ["git", "-C", str(clone()), "show", f"{sha}:{file}"], capture_output=True, text=True
    )
    return shown.stdout


def full(short: str, timeline: Mapping[str, Any]) -> str:
    for sha in commits():
        if sha.startswith(short):
            return sha
    for entry in timeline["entries"]:
        revision = entry.get("changed", {}).get("sync.revision") or ""
        if revision.startswith(short):
            return str(revision)
    raise LookupError(short)


def parent(sha: str) -> str:
    if sha in commits():
        return str(commits()[sha]["parent"])
    return next(known for known in commits() if known.startswith("da05f859"))


def history(sha: str) -> Iterator[str]:
    while sha:
        yield sha
        sha = parent(sha)


def relation(revision: str, ours: str) -> Relation:
    if revision == ours:
        return Relation.SAME
    if revision not in commits() and not revision.startswith(FORCE_PUSHED):
        return Relation.UNKNOWN
    if revision in history(ours):
        return Relation.ANCESTOR
    return Relation.DESCENDANT if ours in history(revision) else Relation.DIVERGED


class Replay:
    """Runs a story; `watch` is the memory after `run_until`, a time of the timeline in seconds."""

    def __init__(self, story: Story) -> None:
        self.story, self.timeline = story, recorded(f"timeline-{story.timeline}")
        self.begin = datetime.fromisoformat(self.timeline["t0"])
        self.ours = full(story.commit, self.timeline)
        self.name = self.timeline["app"]
        file, pattern = VALUES[self.name]
        self.file, self.pattern = file, WHOLE_FILE if story.whole_file else pattern
        self.now, self.next = story.begin, 0
        self.watch = Watch.begin(self.at(story.begin))
        self.seen: Application | CannotSee = CannotSee("not yet")
        self.states = list(self._states())
        self.picture = self._application(-1)

    def at(self, seconds: float) -> datetime:
        return self.begin + timedelta(seconds=seconds)

    def run_until(self, seconds: float) -> Watch:
        while True:
            due = (self.watch.look_again_at - self.begin).total_seconds()
            pause = 0.25 if self.story.asks_refresh else 1.0  # what is overdue stays so there
            due = max(due, self.now + pause if self.watch.looked_at else self.story.begin)
            changes = [time for time, _ in self.states if self.now < time <= seconds]
            time = min([due, *changes])
            if time > seconds:
                return self.watch
            self.now = time
            self._look(time)

    def _look(self, seconds: float) -> None:
        requests = self.watch.due(self.at(seconds))
        look = Look(
            self._application(seconds),
            requests.refresh if self.story.asks_refresh else None,
            self._tree() if requests.tree else None,
            self._windows(seconds) if requests.windows else None,
            {at: CannotSee("not recorded") for at in requests.renders},
        )
        expected = self._expectation(look, seconds)
        self.watch = judge(self.watch, look, expected, self.story.budgets, self.at(seconds))

    def _states(self) -> Iterator[tuple[float, dict[str, Any]]]:
        """The fields at each moment; later entries hold only what changed."""
        fields: dict[str, Any] = {}
        for entry in self.timeline["entries"]:
            fields = {**fields, **entry.get("fields", {}), **entry.get("changed", {})}
            yield entry["t"], {**fields, "http": entry.get("http"), "body": entry.get("body")}

    def _application(self, seconds: float) -> Application | CannotSee:
        time, fields = [each for each in self.states if each[0] <= max(seconds, 0.02)][-1]
        if fields["http"] is not None:
            return CannotSee(f"{fields['http']}: {fields['body']['message']}", unauthorised=True)
        for at, whole in stages(self.story.timeline):
            if abs(at - time) < 0.02:
                return whole
        made = answers.application(json.dumps(self._body(fields, seconds)).encode(), "main")
        begin, end = self.story.partial
        if begin <= seconds < end and made.last_operation is not None:
            return replace(made, last_operation=replace(made.last_operation, partial=True))
        return made

    def _body(self, fields: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        template = template_of(self.name)
        spec, compared = self._specs(template["spec"], seconds)
        sync = {
            "status": fields["sync.status"],
            "revision": fields["sync.revision"],
            "revisions": fields["sync.revisions"],
            "comparedTo": compared,
        }
        return {
            "metadata": {
                **template["metadata"],
                "deletionTimestamp": fields["deletionTimestamp"],
            },
            "spec": spec,
            "operation": fields["operation(pending)"],
            "status": {
                "sync": sync,
                "health": {"status": fields["health.status"], "message": fields["health.message"]},
                "operationState": operation_state(fields),
                "conditions": [
                    {"type": kind, "message": text} for kind, text, _ in fields["conditions"]
                ],
                "reconciledAt": fields["reconciledAt"],
                "summary": {"images": fields["images"]},
                "resources": [
                    {"kind": kind, "name": name, "status": status, "health": {"status": health}}
                    for kind, name, status, health in fields["resources"]
                ],
            },
        }

    def _specs(self, spec: Any, seconds: float) -> tuple[Any, Any]:
        compared = {key: spec[key] for key in ("source", "sources") if key in spec}
        tags = [each for each in self.story.spec_tags if each[0] <= max(seconds, 0)]
        if not tags:
            return spec, compared
        _, wanted, last = tags[-1]
        return with_tag(spec, wanted), with_tag(compared, last)

    def _tree(self) -> ResourceTree | None:
        return answers.tree(body(self.story.tree)) if self.story.tree else None

    def _windows(self, seconds: float) -> SyncWindows:
        names = [name for time, name in self.story.windows if time <= seconds]
        return answers.windows(body(names[-1])) if names else SyncWindows()

    def _expectation(self, look: Look, seconds: float) -> Expectation:
        known = look.application
        named = (
            revisions_to_place(known, REPOSITORY) if isinstance(known, Application) else frozenset()
        )
        picture = self.picture if isinstance(self.picture, Application) else None
        value = Value(self.file, "", self.value(parent(self.ours)), self.value(self.ours))
        return Expectation(
            sha=self.ours,
            parent=parent(self.ours),
            since=self._since(),
            repository=REPOSITORY,
            values=(value,),
            head=self._head(seconds),
            revisions={each: self._facts(each) for each in named},
            picture=picture,
            route=route_of((value,), picture),
            revert=self.story.revert,
        )

    def _since(self) -> datetime:
        known = commits().get(self.ours)
        return datetime.fromisoformat(known["date"]) if known else self.at(self.story.begin)

    def _facts(self, revision: str) -> RevisionFacts:
        place = relation(revision, self.ours)
        return RevisionFacts(place, self.value(revision) == self.value(self.ours))

    def _head(self, seconds: float) -> HeadFacts:
        told = [sha for time, sha in self.story.heads if time <= seconds]
        if told:
            sha = full(told[-1], self.timeline)
        else:
            now = self.at(seconds)
            sha = [pushed for date, pushed in pushes() if date <= now][-1]
            sha = self.ours if sha in history(parent(self.ours)) else sha
        holds = self.value(sha) == self.value(self.ours)
        return HeadFacts(sha, self.ours in history(sha), holds)

    def value(self, sha: str) -> str:
        if sha not in commits():
            return sha  # the force-pushed commit: its own value, nobody else's
        found = re.search(self.pattern, text_at(sha, self.file))
        return found[1] if found else ""


@cache
def template_of(name: str) -> Any:
    """Metadata and specification of an application, from any whole answer about it."""
    for path in sorted(RECORDINGS.glob("app-*.json")) + sorted(RECORDINGS.glob("*-stage1.json")):
        found = json.loads(path.read_text(encoding="utf-8"))["response"]["body"]
        if isinstance(found, dict) and found.get("metadata", {}).get("name") == name:
            metadata = {k: v for k, v in found["metadata"].items() if k != "deletionTimestamp"}
            return {"metadata": metadata, "spec": found["spec"]}
    raise LookupError(name)


def with_tag(spec: Any, tag: str) -> Any:
    first, *others = spec["sources"]
    return {**spec, "sources": [{**first, "targetRevision": tag}, *others]}


def operation_state(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    if fields["op.phase"] is None:
        return None
    pending = fields["operation(pending)"]
    asked = pending or {"sync": {"revision": fields.get("op.operation.sync.revision")}}
    state = {
        "phase": fields["op.phase"],
        "message": fields["op.message"],
        "startedAt": fields["op.startedAt"],
        "finishedAt": fields["op.finishedAt"],
        "retryCount": fields["op.retryCount"] or 0,
        "operation": {**asked, "initiatedBy": fields["op.initiatedBy"] or {}},
    }
    if fields["op.syncResult.revision"] or fields["op.syncResult.revisions"]:
        state["syncResult"] = {
            "revision": fields["op.syncResult.revision"],
            "revisions": fields["op.syncResult.revisions"],
        }
    return state
