"""The two stories of the demo, played by invented people on a `World` with a running service."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from pilotage.core.model import ENDED, Promotion
from pilotage.engine.outside import Outside
from pilotage.engine.worker import Engine
from pilotage.sandbox.github import PullRequest
from pilotage.sandbox.serve import Server, bound, url_of
from pilotage.sandbox.world import World
from pilotage.store import Event, Store
from pilotage.web.app import create_app

TARGET = "syrf/production"
_PATIENCE = 60.0


class StoryFailed(Exception):
    """A step did not come to its end; says which, and what stood in the way."""


@dataclass(frozen=True, slots=True)
class Told:
    """How one story ended."""

    name: str
    state: str
    pull_request: str
    seconds: float
    conclusion: str


@dataclass(slots=True)
class Running:
    """The service in this process, in front of a world: engine, web and SQLite."""

    world: World
    port: int = 0
    store: Store = field(init=False)
    outside: Outside = field(init=False)
    engine: Engine = field(init=False)
    server: Server = field(init=False)
    _condition: threading.Condition = field(init=False, default_factory=threading.Condition)
    _told: int = field(init=False, default=0)
    on_event: Callable[[Event], None] = lambda event: None

    def __enter__(self) -> Self:
        data = self.world.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        place = bound(self.port)
        settings = self.world.settings(data, public_url=url_of(place))
        self.store = Store.open(settings.database_url)
        self.outside = Outside(settings)
        self.engine = Engine(self.outside, self.store)
        self.engine.listen(self._notice)
        self.server = Server(create_app(settings, self.store, self.engine), on=place)
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

    def _notice(self, _target: str) -> None:
        with self._condition:
            self._condition.notify_all()

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Waits for the engine's ticks, telling every event that history gains meanwhile."""
        end = time.monotonic() + _PATIENCE
        with self._condition:
            while True:
                self.tell()
                if holds():
                    return
                if time.monotonic() > end:
                    raise StoryFailed(f"waited {_PATIENCE:g} s until {what}")
                self._condition.wait(0.2)

    def tell(self) -> None:
        for event in self.store.history(target=TARGET, after=self._told, limit=500):
            self._told = max(self._told, event.id)
            self.on_event(event)

    def promotion(self, pull: PullRequest) -> Promotion | None:
        return next(iter(self.store.promotions(TARGET, pull_requests=[pull.number])), None)

    def until_settled(self) -> None:
        def looked_at() -> bool:
            target = self.store.read_target(TARGET)
            return target is not None and target.running_at is not None

        self.until(looked_at, "the service has compared staging with production")


@dataclass(slots=True)
class Stories:
    """Plays; `say` hears what the people do."""

    running: Running
    say: Callable[[str], None]

    def play(self) -> Sequence[Told]:
        self.running.until_settled()
        return (self.promote(), self.revert())

    def promote(self) -> Told:
        """Two good versions go out together."""
        self.say("CI deploys api v9.1.1 and web v5.0.1 to staging.")
        world = self.running.world
        world.release({"api": "api-v9.1.1", "web": "web-v5.0.1"})
        return self._reviewed("promote", ("api-v9.1.1", "web-v5.0.1"))

    def revert(self) -> Told:
        """A bad version goes the same way, fails in production only, and is put back."""
        self.say("CI deploys api v9.2.0. In staging it is fine; in production it will crash.")
        world = self.running.world
        world.argocd.fail_next_deployment("api-production", message="missing env DATABASE_URL")
        world.release({"api": "api-v9.2.0"})
        return self._reviewed("revert", ("api-v9.2.0",))

    def _reviewed(self, name: str, versions: Sequence[str]) -> Told:
        begun = time.monotonic()
        running, world = self.running, self.running.world
        running.until(lambda: self._pull(versions) is not None, "the pull request is open")
        pull = self._pull(versions)
        assert pull is not None
        running.until(lambda: self._ready(pull) is not None, "it has its status")
        world.github.tick(pull, "feature", "maria")
        self.say("maria ticks “Feature works as expected”; li ticks the migrations.")
        world.github.tick(pull, "migrations", "li")
        running.until(lambda: self._ready(pull) == "success", "every gate is open")
        self.say(f"maria merges #{pull.number}. The merge is the release.")
        world.github.merge(pull, "maria")
        running.until(lambda: self._ended(pull), "the promotion has its verdict")
        promotion = running.promotion(pull)
        assert promotion is not None
        seconds = round(time.monotonic() - begun, 1)
        url = f"{world.github.url}/{world.repository.full_name}/pull/{pull.number}"
        return Told(name, promotion.state.value, url, seconds, promotion.conclusion)

    def _pull(self, versions: Sequence[str]) -> PullRequest | None:
        """The open pull request whose branch holds all of these versions."""
        for pull in self.running.world.pulls():
            promotion = self.running.promotion(pull)
            if pull.open and promotion is not None:
                carried = {version for _, version in promotion.versions}
                if carried >= set(versions):
                    return pull
        return None

    def _ready(self, pull: PullRequest) -> str | None:
        world = self.running.world
        status = world.github.statuses(world.repository, pull.head_sha).get("pilotage/ready")
        return status.state if status is not None else None

    def _ended(self, pull: PullRequest) -> bool:
        promotion = self.running.promotion(pull)
        return promotion is not None and promotion.state in ENDED
