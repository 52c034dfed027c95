"""One simulated world: a repository, its forge and cluster, and people who act at random."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

from pilotage.core.checklist import read_boxes
from pilotage.core.config.load import load_config
from pilotage.core.config.policy import Config
from pilotage.resources import presets
from pilotage.store import Delivery, Mail, Store, StoreUnavailable
from tests.engine import simulated_argocd, simulated_github
from tests.engine.chaos import Chaos
from tests.engine.laws import Laws
from tests.engine.merge_queue import MergeQueue
from tests.engine.simulated_argocd import Cluster, Temper
from tests.engine.simulated_git import MAIN, Server, blob_id
from tests.engine.simulated_github import OWN, REPOSITORY, Forge, Pull

TARGET = "syrf/production"
SERVICES = ("api", "web")
ITEMS = ("feature", "migrations")
_TAG = re.compile(r"chartTag: (\S+)")

CONFIG = """\
version: 1
pipelines:
  syrf:
    preset: cluster-gitops
    files: syrf/environments/{{environment}}/{{service}}/config.yaml
    together: {together}
    environments:
      staging:
        budgets: {{ poll: 60s, refresh: [0s, 60s], degraded: 20s, dwell: 2s, settle: 2s }}
      production:
        from: staging
        gates: {{ soak: 60s }}
        checklist:
          - {{ item: feature, text: Feature works as expected, owner: platform-admins }}
          - {{ item: migrations, text: "Database migrations successful, or none" }}
        verification:
          for: 120s
          checks: [{{ http: "https://api.example/health", every: 60s, failures: 2 }}]
        budgets: {{ poll: 60s, refresh: [0s, 60s], degraded: 20s, dwell: 2s, settle: 2s,
                    healthy: 6m, sync: 6m, seen: 6m, blind: 8m }}
        roll: {roll}
        on_failure: {on_failure}
        outside_gate: {outside_gate}
        notify: [on-call]
"""
FURTHER = """\
      {name}:
        from: {source}
        gates: {{ soak: 60s }}
        checklist: []
        verification: {{ for: 120s }}
        budgets: {{ poll: 60s, refresh: [0s, 60s], degraded: 20s, dwell: 2s, settle: 2s }}
"""

BESIDE = """\
  shop:
    preset: cluster-gitops
    files: syrf/environments/{environment}/{service}/config.yaml
    together: all
    environments:
      test: {}
      live:
        from: test
        gates: { soak: 60s }
        checklist: []
        verification: { for: 120s }
        budgets: { poll: 60s, refresh: [0s, 60s], degraded: 20s, dwell: 2s, settle: 2s }
"""
"""Another pipeline of the same repository."""


@cache
def parsed(text: str) -> Config:
    return load_config(text, presets())


def path(environment: str, service: str) -> str:
    return f"syrf/environments/{environment}/{service}/config.yaml"


def file_text(environment: str, service: str, tag: str) -> str:
    return (
        f"# {service} of SYRF\nserviceName: {service}\nenvName: {environment}\n"
        f"service:\n  enabled: true\n  chartTag: {tag}   # set by promotion\n"
    )


@lru_cache(maxsize=5_000)
def tag_in(text: str) -> str:
    found = _TAG.search(text)
    assert found is not None
    return found[1]


class World:
    """Everything outside of the service, and what people know of it."""

    def __init__(self, chaos: Chaos, further: Mapping[str, str], /, **policy: str) -> None:
        """`further`: more environments, each with the one that it is promoted from; without one it
        is of the pipeline beside."""
        self.chaos, random = chaos, chaos.random
        self.git = Server(chaos)
        self.forge = Forge(chaos, self.git)
        choices = {
            "together": random.choice(("all", "proven")),
            "roll": random.choice(("until-touched", "until-touched", "always")),
            "on_failure": random.choice(("revert", "revert", "revert-pull-request", "hold")),
            "outside_gate": random.choice(("note", "note", "note", "hold", "revert")),
        }
        choices |= policy
        self.config = CONFIG.format(**choices)
        self.environments = ("staging", "production", *further)
        for name, source in further.items():
            if source:
                self.config += FURTHER.format(name=name, source=source)
        if "" in further.values():
            self.config += BESIDE
        chaos.note(f"{choices} {chaos.odds}")
        self.laws = Laws(chaos, self.git, self.version, choices["outside_gate"] == "revert")
        self._versions = itertools.count(1)
        self._deliveries = itertools.count(1)
        self._branches = itertools.count(1)
        self.store: Store | None = None
        self.front: Store | None = None
        """Where the service keeps what it is told; who tells hears when it cannot."""
        self.queue: MergeQueue | None = None
        self.on_landed: Callable[[], None] = lambda: None
        self.closed: list[tuple[datetime, datetime]] = []
        """When a sync window of production denied."""
        self.commands: list[str] = []
        """Those of the terminal that the service has taken."""
        self.received = 0
        """Deliveries so far, the doubled ones as well."""
        self._begin()
        self.cluster = Cluster(chaos, self.git, self.version)
        for environment in self.environments:
            for service in SERVICES:
                self.cluster.add(service, environment, path(environment, service))
        self.laws.cluster = self.cluster
        self.forge.slow = timedelta(seconds=random.choice((0, 0, 0, 2, 45, -45)))
        self.set_clock: Callable[[timedelta], None] = lambda ahead: None
        self.protected = random.random() < 0.25
        """People protected the branch: not even the service may push to it."""
        self.git.protects = self._protects
        self.forge.send = self._send
        self.forge.on_opened = self.laws.opened
        self.forge.on_status = lambda *given: self.laws.status(self.forge, *given)
        self.forge.on_closed = self.laws.closed
        moved = self.git.on_push

        def on_push(branch: str, old: str | None, new: str | None, by: str) -> None:
            self.laws.pushed(branch, old, new, by)
            moved(branch, old, new, by)

        self.git.on_push = on_push
        self.github = simulated_github.Client(self.forge)
        self.github.merges_itself = random.random() < 0.6
        self.argocd = simulated_argocd.Client(self.cluster)

    def _begin(self) -> None:
        files = {".pilotage.yaml": self.config, "README.md": "GitOps\n"}
        for service in SERVICES:
            for environment in self.environments:
                tag = f"{service}-v1.0.0"
                files[path(environment, service)] = file_text(environment, service, tag)
        announce, self.git.on_push = self.git.on_push, lambda *_: None
        self.git.commit(MAIN, files, "Begin\n", "maria")
        self.git.on_push = announce

    def config_blob(self) -> str:
        return blob_id(self.config)

    def version(self, sha: str, environment: str, service: str) -> str:
        return tag_in(self.git.commits[sha].files[path(environment, service)])

    def now_in(self, environment: str) -> dict[str, str]:
        main = self.git.refs[MAIN]
        return {service: self.version(main, environment, service) for service in SERVICES}

    def _protects(self, branch: str, sha: str) -> str | None:
        if branch != MAIN:
            return None
        if self.protected:
            return "GH006: changes must be made through a pull request"
        return None if self.forge.is_ready(sha) else 'GH006: required status "pilotage/ready"'

    # Events

    def _send(self, event: str, body: dict[str, object]) -> None:
        """Our own writes' events tell the service nothing; everybody else's may be lost."""
        if body["sender"] == {"login": OWN} or self.store is None:
            return
        raw = simulated_github.payload(body)
        self._deliver("github", event, raw)

    def _deliver(self, kind: str, event: str, raw: bytes) -> None:
        chaos = self.chaos
        if chaos.chance(chaos.odds.event_lost):
            return
        id_ = f"{kind}-{next(self._deliveries)}"
        for _ in range(2 if chaos.chance(chaos.odds.event_doubled) else 1):
            late = chaos.chance(chaos.odds.event_late)
            seconds = chaos.random.choice((20, 90, 400)) if late else chaos.random.random()

            def receive() -> None:
                assert self.front is not None
                at, self.received = chaos.clock(), self.received + 1
                try:
                    self.front.receive(Delivery(id_, kind, event, REPOSITORY, raw, at))
                except StoreUnavailable as error:
                    chaos.note(f"{id_} is lost: {error}")

            chaos.plan(timedelta(seconds=seconds), receive)

    def argocd_tells(self, application: str, after: float) -> None:
        raw = simulated_github.payload({"app": application})

        def tell() -> None:
            self._deliver("argocd", "application", raw)

        self.chaos.plan(timedelta(seconds=after), tell)

    # What people do

    def ours(self) -> list[Pull]:
        return [
            pull
            for pull in self.forge.pulls.values()
            if pull.author == OWN and (pull.marker or "").startswith("promotion:")
        ]

    def our_open(self) -> Pull | None:
        return next((pull for pull in self.ours() if pull.open), None)

    def deploy(self) -> None:
        """CI releases a new version of something to staging."""
        service = self.chaos.random.choice(SERVICES)
        tag = f"{service}-v1.{next(self._versions)}.0"
        self._draw_temper(tag)
        self.release("staging", service, tag, "ci-bot")

    def _draw_temper(self, tag: str) -> None:
        random = self.chaos.random
        odds = {
            Temper.CRASHES: 0.15,
            Temper.DOES_NOT_SYNC: 0.07,
            Temper.FLAPS: 0.15,
            Temper.SLOW: 0.1,
        }
        for environment in ("staging", "production"):
            drawn = random.choices([*odds, Temper.GOOD], [*odds.values(), 0.53])[0]
            if environment == "staging" and random.random() < 0.6:
                drawn = Temper.GOOD
            self.cluster.tempers[environment, tag] = drawn
        told = {name: self.cluster.tempers[name, tag].value for name in ("staging", "production")}
        self.chaos.note(f"{tag} will be {told}")

    def release(self, environment: str, service: str, tag: str, by: str) -> None:
        self.chaos.note(f"{by} sets {service} of {environment} to {tag}")
        text = {path(environment, service): file_text(environment, service, tag)}
        self.git.commit(MAIN, text, f"{service} {tag} in {environment}\n", by)
        for after in (6, 30):
            self.argocd_tells(f"{service}-{environment}", after)

    def staging_goes_back(self) -> None:
        service = self.chaos.random.choice(SERVICES)
        older = self._earlier("staging", service)
        if older is not None:
            self.release("staging", service, older, "li")

    def _earlier(self, environment: str, service: str) -> str | None:
        """A version that stood there before the present one."""
        now = self.now_in(environment)[service]
        seen = [
            self.version(made.sha, environment, service)
            for made in self.git.first_parents(self.git.refs[MAIN])
        ]
        return next((each for each in seen if each != now), None)

    def person_rolls_back(self) -> None:
        self.roll_back(self.chaos.random.choice(SERVICES))

    def roll_back(self, service: str) -> None:
        older = self._earlier("production", service)
        now = self.now_in("production")[service]
        if older is None or _number(older) > _number(now):
            return
        self.release("production", service, older, "li")
        self._rolled_back(service, now)

    def _rolled_back(self, service: str, value: str) -> None:
        target = self.store.read_target(TARGET) if self.store is not None else None
        if target is not None and target.running_at is not None:  # else nobody saw it before
            self.laws.rolled_back(service, value, self.git.refs[MAIN])

    def revert_by_pull_request(self) -> None:
        """GitHub's button: a pull request of a person, which is merged at once."""
        service = self.chaos.random.choice(SERVICES)
        older, now = self._earlier("production", service), self.now_in("production")[service]
        if older is None or _number(older) > _number(now):
            return
        branch = f"revert-{next(self._branches)}"
        self.git.refs[branch] = self.git.refs[MAIN]
        files = {path("production", service): file_text("production", service, older)}
        self.git.commit(branch, files, f"Revert {service}\n", "li")
        pull = self.forge.open(f"Revert {service}", "It is slow", branch, "li")
        if self.forge.merge(pull, "li", "squash") is not None:
            self._rolled_back(service, now)

    def quarantine_is_lifted(self) -> None:
        target = self.store.read_target(TARGET) if self.store is not None else None
        if target is not None and target.quarantine:
            found = self.chaos.random.choice(target.quarantine)
            self.laws.released_by_person(found.service, found.version)
            self.operator("lift", f"{found.service} {found.version}")

    def configuration_breaks(self) -> None:
        """Somebody writes it wrong, and mends it."""
        self.git.commit(MAIN, {".pilotage.yaml": "version: 1\npipelines: 7\n"}, "Oops\n", "li")
        minutes = self.chaos.random.choice((1, 5))

        def mend() -> None:
            self.git.commit(MAIN, {".pilotage.yaml": self.config}, "Mend it\n", "li")

        self.chaos.plan(timedelta(minutes=minutes), mend)

    def clock_is_set(self) -> None:
        """That of the service's machine; more than a few minutes ahead it would be blind."""
        minutes = self.chaos.random.choice((0, 0, 3, -2, -40, -180))
        self.set_clock(timedelta(minutes=minutes))

    def protection_changes(self) -> None:
        """Somebody edits the rules of the branch, or who may bypass them."""
        self.protected = not self.protected
        self.github.merges_itself = self.chaos.random.random() < 0.5
        self.chaos.note(f"protected: {self.protected}, bypass: {self.github.merges_itself}")

    def sync_is_switched_off(self) -> None:
        app = self.chaos.random.choice(list(self.cluster.running.values()))
        self.chaos.note(f"{app.name} is not synced automatically")
        app.automated = False

        def on() -> None:
            app.automated = True

        self.chaos.plan(timedelta(minutes=self.chaos.random.choice((2, 10))), on)

    def application_is_made_anew(self) -> None:
        app = self.chaos.random.choice(list(self.cluster.running.values()))
        self.chaos.note(f"{app.name} is deleted and made anew")
        self.cluster.born_again(app, timedelta(seconds=self.chaos.random.choice((1, 20, 50))))

    def person_releases(self) -> None:
        service = self.chaos.random.choice(SERVICES)
        wanted = self.now_in("staging")[service]
        if _number(wanted) <= _number(self.now_in("production")[service]):
            return
        self.release("production", service, wanted, "li")
        self.laws.released_by_person(service, wanted)

    def unrelated_commit(self) -> None:
        note = f"{self.chaos.random.random()}\n"
        self.git.commit(MAIN, {"README.md": note}, "Notes\n", "li")

    def comment_in_file(self) -> None:
        """Somebody edits another line of a promoted file."""
        name = path("production", self.chaos.random.choice(SERVICES))
        text = self.git.main().files[name]
        self.git.commit(MAIN, {name: f"{text}# seen\n"}, "Comment\n", "li")

    def tick(self, *, every: bool = False) -> None:
        pull = self.our_open()
        if pull is None:
            return
        body = pull.body
        boxes = read_boxes(body)
        for item in ITEMS:
            if boxes.get(item) or not (every or self.chaos.random.random() < 0.6):
                continue
            body = with_tick(body, item)
            self.laws.deed(pull, item, ticked=True)
        if body != pull.body:
            self.chaos.note(f"maria ticks #{pull.number}")
            self.forge.edit(pull, body, "maria")

    def untick(self) -> None:
        pull = self.our_open()
        if pull is None:
            return
        ticked = [item for item in ITEMS if read_boxes(pull.body).get(item)]
        if ticked:
            item = self.chaos.random.choice(ticked)
            self.chaos.note(f"maria takes her tick of {item} in #{pull.number} back")
            self.laws.deed(pull, item, ticked=False)
            self.forge.edit(pull, with_tick(pull.body, item, " "), "maria")

    def tick_and_merge(self) -> None:
        self.tick(every=True)
        for minutes in (1, 2, 4):
            self.chaos.plan(timedelta(minutes=minutes), self.merge_ready)

    def merge_ready(self) -> None:
        pull = self.our_open()
        if pull is None or not self.forge.is_ready(self.forge.head(pull)):
            return
        if self.queue is not None:
            self.queue.add(pull, "maria", self.chaos.random.choice(("merge", "squash")))
        else:
            self._merge(pull)

    def merges_by_queue(self) -> None:
        """From now on: a required merge queue."""
        self.queue = MergeQueue(self.forge, self._landed)

    def _merge(self, pull: Pull) -> None:
        method = self.chaos.random.choice(("merge", "squash", "rebase"))
        if self.forge.merge(pull, "maria", method) is not None:
            self._landed(pull)

    def _landed(self, pull: Pull) -> None:
        self.laws.merged(pull, self.forge.is_ready(pull.last_head))
        self.on_landed()
        for service in SERVICES:
            for after in (6, 30):
                self.argocd_tells(f"{service}-production", after)

    def merge_anyway(self) -> None:
        pull = self.our_open()
        if pull is not None:
            self._merge(pull)

    def close(self) -> None:
        pull = self.our_open()
        if pull is not None:
            self.forge.close(pull, "maria")

    def reopen(self) -> None:
        closed = [pull for pull in self.ours() if not pull.open and pull.closed_by == "maria"]
        if closed:
            self.forge.reopen(closed[-1], "maria")

    def commit_on_branch(self) -> None:
        pull = self.our_open()
        if pull is None or pull.branch not in self.git.refs:
            return
        files = {"README.md": "a person's\n"}
        if self.chaos.random.random() < 0.4:
            service = self.chaos.random.choice(SERVICES)
            tag = f"{service}-v1.{next(self._versions)}.0"
            self._draw_temper(tag)
            files = {path("production", service): file_text("production", service, tag)}
        self.git.commit(pull.branch, files, "By hand\n", "li")

    def commit_and_merge(self) -> None:
        """Nobody has looked at what is merged."""
        self.commit_on_branch()
        self.merge_anyway()

    def delete_branch(self) -> None:
        pull = self.our_open()
        if pull is not None and pull.branch in self.git.refs:
            self.git.move(pull.branch, None, "maria")

    def command(self) -> None:
        pulls = self.ours()
        if not pulls:
            return
        pull = pulls[-1]
        random = self.chaos.random
        by = random.choice(("maria", "maria", "li", "stranger"))
        text = random.choice(
            (
                "hold wait",
                "resume",
                "retry",
                "roll",
                "explain",
                "tick feature",
                f"promote {random.choice(SERVICES)}",
                "promote --cancel",
                "rollback it is slow",
                f"rollback {random.choice(SERVICES)} it is slow",
            )
        )
        self.forge.comment(pull.number, f"/pilotage {text}", by)
        if text.startswith("tick"):
            self.laws.deed(pull, "feature", ticked=True)
        if text.startswith("rollback") and by in simulated_github.WRITERS:
            self.laws.rollback_asked = True

    def foreign(self) -> None:
        """Somebody else's pull request, from a branch that looks like ours or not."""
        random = self.chaos.random
        kind = random.choice(("production-promotion-old", "feature", "feature"))
        branch = f"{kind}-{next(self._branches)}"
        service = random.choice(SERVICES)
        files = {"README.md": "theirs\n"}
        if random.random() < 0.5:
            tag = self.now_in("staging")[service]
            files = {path("production", service): file_text("production", service, tag)}
        before = self.git.main()
        if all(before.files.get(name) == text for name, text in files.items()):
            return
        self.git.refs[branch] = before.sha
        self.git.commit(branch, files, "Theirs\n", "jane")
        pull = self.forge.open("Theirs", "please", branch, "jane")
        self.chaos.plan(
            timedelta(minutes=random.choice((2, 6))), lambda: self.forge.close(pull, "jane")
        )

    def argocd_goes_blind(self) -> None:
        minutes = self.chaos.random.choice((1, 4, 12))
        self.chaos.note(f"Argo CD is out of reach for {minutes} min")
        self.cluster.blind_until = self.chaos.now + timedelta(minutes=minutes)

    def argocd_gets_stuck(self) -> None:
        minutes = self.chaos.random.choice((1, 7))
        self.chaos.note(f"Argo CD's controller does nothing for {minutes} min")
        self.cluster.stuck_until = self.chaos.now + timedelta(minutes=minutes)

    def sync_window_closes(self) -> None:
        """Of production, as before a weekend; what syncs already is not stopped."""
        minutes = self.chaos.random.choice((1, 4, 15, 30))
        self.chaos.note(f"nothing may be synced to production for {minutes} min")
        begin, end = self.chaos.now, self.chaos.now + timedelta(minutes=minutes)
        self.cluster.closed_until = max(end, self.cluster.closed_until)
        self.closed.append((begin, end))

    def pause(self) -> None:
        self.operator("pause", "incident")
        self.chaos.plan(timedelta(minutes=3), lambda: self.operator("unpause", ""))

    def operator(self, name: str, argument: str) -> None:
        """A command at the terminal."""
        if (
            self.front is None
            or self.store is None
            or not any(row.id == TARGET for row in self.store.targets())
        ):
            return
        self.chaos.note(f"the operator says {name} {argument}")
        number = next(self._deliveries)
        command = {
            "id": f"cli-{number}",
            "name": name,
            "argument": argument,
            "by": "olga",
            "at": self.chaos.clock().isoformat(),
            "comment": None,
            "pull_request": None,
        }
        payload: dict[str, Any] = {"kind": "command", "command": command}
        try:
            self.front.post([Mail(TARGET, "command", payload, self.chaos.clock())])
        except StoreUnavailable as error:
            self.chaos.note(f"it is not taken: {error}")
        else:
            self.commands.append(f"cli-{number}")

    def acts(self) -> list[Callable[[], None]]:
        """What may happen, the frequent more often."""
        often = [self.deploy] * 4 + [self.tick_and_merge] * 5 + [self.tick] * 2
        rare = [
            self.merge_anyway,
            self.close,
            self.reopen,
            self.commit_on_branch,
            self.commit_and_merge,
            self.delete_branch,
            self.command,
            self.command,
            self.foreign,
            self.argocd_goes_blind,
            self.argocd_gets_stuck,
            self.pause,
            self.untick,
            self.revert_by_pull_request,
            self.quarantine_is_lifted,
            self.configuration_breaks,
            self.protection_changes,
            self.clock_is_set,
            self.clock_is_set,
            self.sync_is_switched_off,
            self.application_is_made_anew,
            self.person_rolls_back,
            self.person_rolls_back,
            self.person_releases,
            self.unrelated_commit,
            self.comment_in_file,
            self.staging_goes_back,
        ]
        return [*often, *rare]


def _number(tag: str) -> int:
    return int(tag.split(".")[1])


def with_tick(body: str, item: str, mark: str = "x") -> str:
    lines = body.split("\n")
    for index, line in enumerate(lines):
        if f"<!-- item:{item} -->" in line:
            lines[index] = re.sub(r"- \[.\]", f"- [{mark}]", line, count=1)
    return "\n".join(lines)
