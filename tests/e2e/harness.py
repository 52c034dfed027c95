"""A service over real sockets and real git, in front of the strict sandbox, for whole stories.

Waits are on the engine's own ticks, never on the clock; a story that stalls says where it stood.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pilotage.clock import utc_now
from pilotage.core import prose
from pilotage.core.decide import decide
from pilotage.core.model import ENDED, Promotion, State, Target
from pilotage.engine.mail import Post
from pilotage.engine.observe import Observer
from pilotage.engine.outside import Outside
from pilotage.engine.worker import Engine
from pilotage.sandbox.argocd import Timings
from pilotage.sandbox.github import PullRequest
from pilotage.sandbox.serve import Server
from pilotage.sandbox.world import World
from pilotage.store import Event, Store
from pilotage.web.app import create_app

TARGET = "syrf/production"
PATIENCE = 20.0
_BETWEEN_TICKS = 0.25
"""For what happens without a tick."""

FAST = """\
        gates: { soak: 0.1s }
        checklist:
          - { item: feature, text: Feature works as expected, owner: platform-admins }
          - { item: migrations, text: "Database migrations successful, or none" }
        verification: { for: 0.2s }
        budgets: { degraded: 0.2s, dwell: 0.1s, settle: 0.1s, poll: 0.3s, gone: 1s, images: 1s,
                   post_sync: 2s, refresh: [0s, 0.5s] }
        commands: { teams: [platform-admins] }
        notify: [on-call]
"""
"""A policy whose waits are tenths of seconds; the staging environment's budgets stand beside it."""


def quick_world(folder: Path, policy: str = FAST, **given: Any) -> World:
    return World(folder / "world", policy=policy, timings=Timings().scaled(0.1), **given)


@dataclass(slots=True)
class Service:
    """`with Service(world, folder) as service:` runs engine and web until the block ends.

    With `deaf` nobody tells it anything: every event is lost.
    """

    world: World
    folder: Path
    deaf: bool = False
    settings_given: dict[str, Any] = field(default_factory=dict)
    watched: str = TARGET
    """The target that the story is about."""
    store: Store = field(init=False)
    outside: Outside = field(init=False)
    engine: Engine = field(init=False)
    server: Server = field(init=False)
    ticks: list[str] = field(init=False, default_factory=list)
    """Each target that was looked at, oldest first."""
    _ticked: threading.Condition = field(init=False, default_factory=threading.Condition)

    def __enter__(self) -> Self:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        given = {"look": "0.5s", "compare": "0.7s" if self.deaf else "20s", "fetch": "0.3s"}
        settings = self.world.settings(data, **(given | self.settings_given))
        self.store = Store.open(settings.database_url)
        self.outside = Outside(settings)
        self.engine = Engine(self.outside, self.store)
        self.engine.listen(self._notice)
        self.server = Server(create_app(settings, self.store, self.engine))
        if not self.deaf:
            self.world.hook(self.server.url)
        self.engine.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.engine.stop()
        self.server.stop()
        self.outside.close()
        self.store.close()

    def _notice(self, target: str) -> None:
        with self._ticked:
            self.ticks.append(target)
            self._ticked.notify_all()

    def until(self, holds: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        """Waits until `holds` after some tick; fails with the story so far."""
        end = time.monotonic() + patience
        with self._ticked:
            while not holds():
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"waited {patience:g} s until {what}\n{self.story()}")
                self._ticked.wait(min(left, _BETWEEN_TICKS))

    def story(self) -> str:
        """The history and where everything stands, for a failing test."""
        target = self.target()
        lines = [f"{event.at:%H:%M:%S.%f} {event.kind}: {event.text}" for event in self.history()]
        for promotion in (target.proposal, target.release) if target else ():
            if promotion is not None:
                lines.append(
                    f"{promotion.id} {promotion.state} hold={promotion.hold} "
                    f"ready={promotion.ready!r} {dict(promotion.outcomes)}"
                )
                lines += [
                    f"  {name}: row {w.row} {w.message}" for name, w in promotion.watches.items()
                ]
        if target is not None and target.config_problem:
            lines.append(target.config_problem)
        return "\n".join(lines)

    def target(self) -> Target | None:
        return self.store.read_target(self.watched)

    def history(self) -> Sequence[Event]:
        return self.store.history(target=self.watched, limit=2_000)

    def events(self, kind: str) -> list[Event]:
        return [event for event in self.history() if event.kind == kind]

    def promotion(self, number: int) -> Promotion | None:
        return self.store.promotion(f"{self.watched.replace('/', '-')}-{number}")

    def because(self) -> str:
        """Why things stand as they do, as `explain` says it: a fresh look, and nothing done."""
        target = self.target()
        assert target is not None
        now = utc_now()
        snapshot = Observer(self.outside, self.store).observe(target, Post(), now)
        return prose.explanation(decide(snapshot, now).because)

    # The steps of a story

    def look_again(self) -> None:
        """One more look at the target, as the periodic comparison would take."""
        looked = self.ticks.count(self.watched)
        self.store.wake([self.watched], utc_now())
        self.engine.poke()
        self.until(lambda: self.ticks.count(self.watched) > looked, "it was looked at again")

    def until_idle(self) -> None:
        """Everything told was settled and nothing is due for five seconds: for rare looks."""

        def idle() -> bool:
            if not self.world.github.webhooks.drain(0.0) or self.store.waiting_deliveries(1):
                return False
            if any(row.lease_owner for row in self.store.targets()):
                return False
            wake = self.store.next_wake()
            return wake is not None and wake - utc_now() > timedelta(seconds=5)

        self.until(idle, "nothing is left to do")

    def until_settled(self) -> None:
        """The targets are known and the first comparison found nothing to do."""

        def settled() -> bool:
            target = self.target()
            return target is not None and target.running_at is not None

        self.until(settled, "the target has been looked at once")

    def until_open(self, count: int = 1) -> PullRequest:
        """The `count`-th pull request of ours is there, with its first status."""

        def there() -> bool:
            pulls = self.world.pulls()
            return len(pulls) >= count and self.ready(pulls[count - 1]) is not None

        self.until(there, f"pull request {count} is open and has its status")
        return self.world.pulls()[count - 1]

    def ready(self, pull: PullRequest) -> str | None:
        """The state of `pilotage/ready` on the pull request's head."""
        found = self.world.github.statuses(self.world.repository, pull.head_sha)
        status = found.get("pilotage/ready")
        return status.state if status is not None else None

    def why(self, pull: PullRequest) -> str:
        found = self.world.github.statuses(self.world.repository, pull.head_sha)
        return found["pilotage/ready"].description or ""

    def tick(self, pull: PullRequest, item: str, by: str = "maria", checked: bool = True) -> None:
        """As a person does: once the page shows the box the other way round."""
        shown = re.compile(rf"- \[{' ' if checked else 'x'}\] .*<!-- item:{item} -->")
        self.until(lambda: bool(shown.search(pull.body)), f"{item} can be set to {checked}")
        self.world.github.tick(pull, item, by, checked)

    def tick_all(self, pull: PullRequest, by: str = "maria") -> None:
        for item in ("feature", "migrations"):
            self.tick(pull, item, by)

    def until_ready(self, pull: PullRequest) -> None:
        self.until(lambda: self.ready(pull) == "success", f"#{pull.number} may be merged")

    def until_state(self, number: int, *states: State, patience: float = PATIENCE) -> Promotion:
        """Promotion `number` is in one of these states (default: any end)."""
        wanted = states or tuple(ENDED)

        def there() -> bool:
            promotion = self.promotion(number)
            return promotion is not None and promotion.state in wanted

        self.until(there, f"promotion {number} is {' or '.join(wanted)}", patience)
        found = self.promotion(number)
        assert found is not None
        return found

    def until_reviewed(self) -> PullRequest:
        """The pull request that opens, once maria has ticked everything and the merge is free."""
        pull = self.until_open()
        self.tick_all(pull)
        self.until_ready(pull)
        return pull

    def release(
        self, service: str, version: str, count: int = 1, method: str = "merge"
    ) -> PullRequest:
        """Deploy to staging, review as maria, merge: the shortest way to production."""
        self.world.deploy(service, version)
        pull = self.until_open(count)
        self.review_and_merge(pull, method)
        return pull

    def review_and_merge(self, pull: PullRequest, method: str = "merge") -> None:
        """As maria, once everything else holds."""
        self.tick_all(pull)
        self.until_ready(pull)
        self.world.github.merge(pull, "maria", method)


def plain(markdown: str) -> str:
    """Without what keeps the texts of strangers harmless."""
    return markdown.translate({0x200B: None, 0x2060: None}).replace("\\", "")
