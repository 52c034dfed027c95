"""Runs the real ticker, inbox, core and store in a simulated world, from one seed.

`run(seed)` raises what went wrong, with the whole story of the world in its notes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, assert_never, cast

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import StaticPool

from pilotage.adapters.messages import MessageError
from pilotage.core.acts import Notify, Refused
from pilotage.core.config.policy import HttpCheck
from pilotage.core.model import Outcome, State
from pilotage.core.rollout.watch import Held
from pilotage.engine.attention import Attention
from pilotage.engine.inbox import Inbox
from pilotage.engine.outside import Outside, Repository
from pilotage.engine.setback import Setback
from pilotage.engine.tick import Ticker
from pilotage.engine.trees import Trees
from pilotage.resources import presets
from pilotage.settings import Settings
from pilotage.store import Lease, LeaseLost, Store, StoreUnavailable
from pilotage.store.database import Database
from pilotage.store.migrate import migrate
from pilotage.store.schema import metadata
from tests.engine.chaos import BEGIN, Chaos, Crash
from tests.engine.laws import Broken
from tests.engine.outages import FailingDatabase, Outage
from tests.engine.simulated_argocd import Temper
from tests.engine.simulated_git import URL, Clone
from tests.engine.simulated_github import OWN, REPOSITORY, Pull
from tests.engine.simulated_world import SERVICES, TARGET, World, parsed

_STORM = timedelta(minutes=12)
_PEOPLE = 10
_CALM = timedelta(minutes=100)
_CALM_LOOK, _CALM_LOOKS = timedelta(minutes=3), 5
"""Without change for longer than an interval of comparison and the soak: what a lost event told is
known, and proven."""
_QUIET = timedelta(minutes=8)
_SAID_NO = ("GH006", "operation", "no commits between")
"""What the outside really refuses; anything else would have passed by itself."""
_BUDGET = timedelta(minutes=6)
"""Of a sync."""
_MOST_TICKS_A_MINUTE = 40
_MOST_TICKS_AT_REST = 4.0
_AFTER_ERROR = timedelta(seconds=15)
"""How long a worker rests when the database cannot be used."""
_OUTAGES = 3


class Trouble(StrEnum):
    """What else goes wrong in a storm, beside what always may."""

    USUAL = "usual"
    DATABASE = "database"
    WINDOWS = "windows"
    QUEUE = "queue"
    FREEZES = "freezes"


def database() -> Database:
    """SQLite in memory: one connection that everybody shares."""
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    made = Database(engine)
    with made.write() as connection:
        migrate(connection)
    return made


def emptied(known: Database) -> Database:
    with known.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    return known


class FragileStore(Store):
    """The process may die before and after each of its transactions."""

    def __init__(self, database: Database, chaos: Chaos) -> None:
        super().__init__(database)
        self._chaos = chaos

    def settle(self, delivery_id: str, note: str, **given: Any) -> bool:
        settle = super().settle
        return self._chaos.around(
            f"settle: {note}", lambda: settle(delivery_id, note, **given), write=True
        )

    def record(self, lease: Any, **given: Any) -> None:
        record = super().record
        keys = ", ".join(act.key for act in given.get("acts", ()))
        self._chaos.around(f"record {keys}", lambda: record(lease, **given), write=True)

    def finish_act(self, lease: Any, key: str, result: Any, *given: Any) -> None:
        finish = super().finish_act
        what = f"finish {key}: {result.kind} {getattr(result, 'reason', '')}"
        if isinstance(result, Refused) and not any(text in result.reason for text in _SAID_NO):
            raise Broken(f"{key} was given up: {result.reason}")
        self._chaos.around(what, lambda: finish(lease, key, result, *given), write=True)

    def fail_attempt(self, lease: Any, key: str, error: str, now: datetime) -> None:
        fail = super().fail_attempt
        self._chaos.around(f"fail {key}", lambda: fail(lease, key, error, now), write=True)

    def release(self, lease: Any, **given: Any) -> None:
        release = super().release
        self._chaos.around("release", lambda: release(lease, **given), write=True)


class _Probe:
    """Checks of production: they fail while a crashing version runs there."""

    def __init__(self, world: World) -> None:
        self._world = world

    def read(self, check: HttpCheck) -> tuple[bool | None, str]:
        chaos, cluster = self._world.chaos, self._world.cluster

        def do() -> tuple[bool | None, str]:
            if chaos.chance(chaos.odds.lost):
                return None, "no answer (ConnectError)"
            app = cluster.running["api-production"]
            if cluster.temper(app, app.value) is Temper.CRASHES:
                self._world.laws.check_failed = True
                return False, "answered 503, expected 200"
            return True, "answered 200"

        return chaos.around("check", do)


class _Messages:
    def __init__(self, world: World) -> None:
        self._world = world
        self.sent: Counter[str] = Counter()

    def send(self, act: Notify) -> None:
        def do() -> None:
            self.sent[act.key] += 1

        self._world.chaos.around(
            f"message {act.key}",
            do,
            write=True,
            error=lambda _: MessageError("on-call", "no answer", final=False),
        )


class _Outside:
    """Stands where `Outside` stands: the same fields, with the world behind them."""

    def __init__(self, world: World, clone: Clone, settings: Settings) -> None:
        self.settings = settings
        self.github = world.github
        self.argocd: Mapping[str, object] = {"main": world.argocd}
        self.probe = _Probe(world)
        self.messages = _Messages(world)
        trees = Trees(clone, presets())  # type: ignore[arg-type]
        # Parsing is slow and pure; it is kept over the seeds.
        trees._memory.put(("parsed", world.config_blob()), parsed(world.config))
        self._repository = Repository(REPOSITORY, URL, trees, world.github)  # type: ignore[arg-type]

    def repository(self, name: str) -> Repository:
        assert name == REPOSITORY
        return self._repository


class Process:
    """One replica, from its start to its end."""

    def __init__(self, name: str, world: World, store: Store, clone: Clone) -> None:
        self.name = name
        self._world, self._store = world, store
        self.outside = cast(Outside, _Outside(world, clone, SETTINGS))
        self._ticker = Ticker(self.outside, store, world.chaos.clock)
        self._inbox = Inbox(self.outside, store, self._attentive)
        self._attention: dict[str, Attention] = {}
        self._setback = Setback(store, SETTINGS)
        self._left: list[Lease] = []
        """Of looks that the database broke off."""

    def _attentive(self, application: str) -> list[str]:
        found = self._attention.items()
        return [target for target, each in found if application in each.applications]

    def turn(self) -> str | None:
        """What was done: a target's id, "inbox", or None."""
        chaos = self._world.chaos
        settled = self._inbox.settle(chaos.clock())
        self._setback.look(chaos.clock())
        while self._left:
            with suppress(LeaseLost):
                self._store.release(self._left[0], wake_at=chaos.clock())
            del self._left[0]
        lease = self._store.lease(self.name, chaos.clock(), SETTINGS.lease)
        if lease is None:
            return "inbox" if settled else None
        chaos.note(f"TICK {lease.target} by {self.name}")
        try:
            attention = self._ticker.tick(lease)
        except LeaseLost as error:
            chaos.note(str(error))
            return lease.target
        except StoreUnavailable:
            self._left.append(lease)
            raise
        if attention is not None:
            self._attention[attention.target] = attention
        return lease.target


SETTINGS = Settings(
    repositories=(REPOSITORY,),
    data=Path("unused"),
    github={"token": "simulated"},
    look=timedelta(seconds=60),
    compare=timedelta(minutes=10),
    fetch=timedelta(seconds=10),
    lease=timedelta(minutes=5),
    repair=timedelta(hours=1),
)


class Simulation:
    def __init__(
        self,
        seed: int,
        known: Database,
        further: Mapping[str, str] = MappingProxyType({}),
        trouble: Trouble = Trouble.USUAL,
        /,
        **policy: str,
    ) -> None:
        self.seed, self.trouble = seed, trouble
        self.chaos = Chaos(seed)
        self.world = World(self.chaos, further, **policy)
        self.store = Store(emptied(known))
        self.world.store = self.store
        self.database = FailingDatabase(known, self.chaos)
        self._fragile = self.world.front = FragileStore(self.database, self.chaos)
        self._clones = {name: Clone(self.world.git, OWN) for name in ("a", "b")}
        self._started = 0
        self._settled = 0
        self.world.set_clock = self.set_clock
        self.replicas: tuple[str, ...] = ("a", "b")
        """Those that are up."""
        self.processes = {name: self._start(name) for name in ("a", "b")}
        self.ticks: Counter[int] = Counter()
        self.ticked = 0
        self._at_work = ""
        self._rests: dict[str, datetime] = {}
        """Replica to when it goes on."""
        self._anyway: list[str] = []
        """Replicas that look whether anything is due or not."""
        self.store.ensure_target(
            REPOSITORY,
            repository=REPOSITORY,
            pipeline="",
            environment="",
            wake_at=self.chaos.clock(),
        )

    def _start(self, replica: str) -> Process:
        self._started += 1
        name = f"{replica}{self._started}"
        return Process(name, self.world, self._fragile, self._clones[replica])

    def restart(self, replica: str) -> None:
        self.processes[replica] = self._start(replica)

    def run(self) -> None:
        self.storm()
        self.calm()
        self.at_rest()

    def storm(self) -> None:
        chaos = self.chaos
        chaos.plan(timedelta(seconds=20), self.world.deploy)
        acts = self.world.acts()
        for _ in range(_PEOPLE):
            after = _STORM * chaos.random.random()
            chaos.plan(after, chaos.random.choice(acts))
        self._make_trouble()
        self.go_on(BEGIN + _STORM)

    def _make_trouble(self) -> None:
        match self.trouble:
            case Trouble.USUAL:
                pass
            case Trouble.DATABASE:
                for _ in range(_OUTAGES):
                    self.chaos.plan(_STORM * self.chaos.random.random(), self._database_fails)
            case Trouble.WINDOWS:
                self.world.on_landed = self.world.sync_window_closes
            case Trouble.QUEUE:
                self.world.merges_by_queue()
            case Trouble.FREEZES:
                self.chaos.freeze = self._freeze
            case _:
                assert_never(self.trouble)

    def _freeze(self, what: str) -> None:
        """As a machine does it that is moved: whoever takes over does not know of this call."""
        replica, before = self._at_work, self.replicas
        if len(before) < 2:
            return
        minutes = self.chaos.random.choice((0.5, 4, 6, 9))
        self.chaos.note(f"{replica} stands still for {minutes} min before {what}")
        self.replicas = tuple(each for each in before if each != replica)
        self.go_on(self.chaos.now + timedelta(minutes=minutes))
        self.replicas, self._at_work = before, replica
        self.chaos.note(f"{replica} goes on with {what}")

    def _database_fails(self) -> None:
        random, world = self.chaos.random, self.world
        outage, minutes = random.choice(list(Outage)), random.choice((0.1, 0.5, 2, 7))
        for seconds in (0, 3, 20):  # one is taken before, or while it fails, or not at all
            after = timedelta(seconds=seconds)
            self.chaos.plan(after, lambda: world.operator("lift", "api api-v0.0.0"))
        self.chaos.plan(
            timedelta(seconds=random.random()),
            lambda: self.database.fail(outage, timedelta(minutes=minutes)),
        )

    def calm(self) -> None:
        """Nothing fails any more, people review and merge; then they go home as well."""
        self.chaos.note("CALM")
        self.chaos.calm()
        self.chaos.freeze = None
        self.database.recover()
        self.world.cluster.blind_until = self.world.cluster.stuck_until = self.chaos.now
        for pull in self.world.forge.pulls.values():
            if pull.open and pull.author != OWN:
                self.world.forge.close(pull, "jane")
        self.world.operator("unpause", "")
        end = self.chaos.now + _CALM
        quiet = 0
        while self.chaos.now < end and quiet < _CALM_LOOKS:
            self.world.tick(every=True)
            self.world.merge_ready()
            self._merge_reverts()
            before = self._shape()
            self.go_on(self.chaos.now + _CALM_LOOK)
            closed = self.chaos.now < self.world.cluster.closed_until
            quiet = quiet + 1 if before == self._shape() and not closed else 0

    def _shape(self) -> object:
        """What changes while anything is still on its way."""
        target = self.store.read_target(TARGET)
        if target is None:
            return None
        release, proposal = target.release, target.proposal
        return (
            release and (release.id, release.state, release.hold, dict(release.outcomes)),
            proposal and (proposal.id, proposal.state, proposal.ready, proposal.versions),
            self.world.git.refs["main"],
            [each.service for each in target.proofs if each.proven],
        )

    def _merge_reverts(self) -> None:
        for pull in list(self.world.forge.pulls.values()):
            revert = (pull.marker or "").startswith("revert:")
            if revert and pull.open and self.world.forge.is_ready(self.world.forge.head(pull)):
                self.world.forge.merge(pull, "maria")

    def go_on(self, end: datetime) -> None:
        while True:
            moments = [self.chaos.next_at(), self._next_turn()]
            due = min((each for each in moments if each is not None), default=end)
            if due > end:
                break
            self.chaos.go_to(max(due, self.chaos.now))
            self._work()
            if self.chaos.now > end:
                break
        self.chaos.go_to(end)

    def _work(self) -> None:
        """Whichever replica is first does what is due, until nothing is."""
        while self._is_due() or self._has_news() or self._looks_anyway():
            awake = [each for each in self.replicas if self._rest(each) <= self.chaos.now]
            if not awake:
                return
            done = self._turn(self.chaos.random.choice(awake))
            self.world.laws.check(self.world.forge)
            if done and done != "inbox":
                self._count()

    def _turn(self, replica: str) -> str | None:
        """As a worker does it."""
        self._at_work = replica
        try:
            return self.processes[replica].turn()
        except Crash:
            self.restart(replica)
        except StoreUnavailable as error:
            self.chaos.note(f"{replica} rests: {error}")
            self._rests[replica] = self.chaos.now + _AFTER_ERROR
            self.chaos.plan(_AFTER_ERROR, lambda: self._anyway.append(replica))
        return None

    def _rest(self, replica: str) -> datetime:
        return self._rests.get(replica, BEGIN)

    def _has_news(self) -> bool:
        """Asked of the store only when something has come in since."""
        if self._settled < self.world.received and not self.store.waiting_deliveries(1):
            self._settled = self.world.received
        return self._settled < self.world.received

    def _next_wake(self) -> datetime | None:
        """By the right time."""
        wake = self.store.next_wake()
        return wake - self.chaos.ahead if wake is not None else None

    def _next_turn(self) -> datetime | None:
        """When anything is due, and somebody there to do it."""
        wake, rest = self._next_wake(), min(map(self._rest, self.replicas))
        return max(wake, rest) if wake is not None else None

    def _is_due(self) -> bool:
        wake = self._next_wake()
        return wake is not None and wake <= self.chaos.now

    def _looks_anyway(self) -> bool:
        """Every worker does from time to time: both, soon after the clock was set."""
        if not self._anyway:
            return False
        self._turn(self._anyway.pop())
        return True

    def set_clock(self, ahead: timedelta) -> None:
        self.chaos.note(f"the service's clock is {ahead} ahead")
        self.chaos.ahead = ahead

        def look() -> None:
            self._anyway = [*self.replicas]

        self.chaos.plan(timedelta(seconds=5), look)

    def _count(self) -> None:
        minute = int((self.chaos.now - BEGIN).total_seconds() // 60)
        self.ticks[minute] += 1
        self.ticked += 1
        if self.ticks[minute] > _MOST_TICKS_A_MINUTE:
            raise Broken(f"a busy loop: {self.ticks[minute]} ticks within a minute")

    # At the end

    def at_rest(self) -> None:
        chaos = self.chaos
        chaos.note("AT REST")
        shape, ticks = self._shape(), self.ticked
        self.go_on(chaos.now + _QUIET)
        told = self._stories()
        if told:
            raise Broken(told)
        if shape != self._shape():
            raise Broken(f"no rest: {shape} became {self._shape()}")
        rate = (self.ticked - ticks) / (_QUIET.total_seconds() / 60)
        if rate > _MOST_TICKS_AT_REST:
            raise Broken(f"{rate:.1f} ticks a minute while nothing changes")
        self._accounted_for()
        self._answered()
        self._waited_for_windows()

    def _waited_for_windows(self) -> None:
        """What may not be synced is waited for, however long: no budget is spent on it."""
        for told in self.store.history(target=TARGET, limit=10_000):
            late = told.kind == "held" and "waiting for sync" in told.text
            since = told.at - _BUDGET
            if late and any(begin <= since and told.at <= end for begin, end in self.world.closed):
                raise Broken(f"held for a sync window: {told.text}")

    def _answered(self) -> None:
        """Every command that was taken at the terminal, once."""
        history = self.store.history(target=TARGET, limit=10_000)
        answers = Counter(told.data.get("command") for told in history)
        for command in self.world.commands:
            if answers[command] != 1:
                raise Broken(f"{command} was answered {answers[command]} times")

    def _stories(self) -> str | None:
        seen: Counter[tuple[int, str]] = Counter()
        for remark in self.world.forge.remarks.values():
            if remark.author == OWN and "<!-- pilotage:" in remark.body:
                marker = remark.body.rpartition("<!-- pilotage:")[2]
                seen[remark.number, marker] += 1
        double = [key for key, count in seen.items() if count > 1]
        return f"told twice: {double}" if double else None

    def _accounted_for(self) -> None:
        """Every difference between the environments has a reason, and what runs is confirmed."""
        target = self.store.read_target(TARGET)
        assert target is not None
        release, proposal = target.release, target.proposal
        if target.config_problem:
            raise Broken(f"it stays blind: {target.config_problem}")
        if release is not None and release.hold is None:
            raise Broken(f"{release.id} never ended: {release.state} {dict(release.outcomes)}")
        if proposal is not None and proposal.state is State.OPEN:
            self._open_for_a_reason()
            return
        staging, running = self.world.now_in("staging"), self.world.now_in("production")
        chosen = target.choice.services if target.choice is not None else SERVICES
        reasons = {
            service: self._reason(service, staging[service], running[service])
            for service in chosen
            if staging[service] != running[service]
        }
        free = [service for service, reason in reasons.items() if reason is None]
        wanted = tuple(sorted((service, staging[service]) for service in free))
        if any(found.versions == wanted for found in target.refused):
            return
        if proposal is not None and proposal.hold is not None:
            return
        blocked = "together: all" in self.world.config and len(free) < len(reasons)
        if free and not blocked:
            raise Broken(f"nobody promotes {wanted} ({reasons}), and nothing forbids it")
        if release is None:
            self._confirmed(running)

    def _open_for_a_reason(self) -> None:
        target = self.store.read_target(TARGET)
        assert target is not None
        assert target.proposal is not None
        ready = target.proposal.ready
        release = target.release
        if target.proposal.hold is not None or (release is not None and release.hold is not None):
            return
        real = ("the branch", "in quarantine", "is not live", "older than", "degraded")
        if ready and any(text in ready for text in real):
            return
        if target.proposal.waiting:
            return
        pull = self.world.our_open()
        if pull is not None and self._conflicts_for_a_person(pull):
            return
        raise Broken(f"{target.proposal.id} stays open although people did all: {ready!r}")

    def _conflicts_for_a_person(self, pull: Pull) -> bool:
        """It cannot be built anew: a person's commit is on it."""
        git, head = self.world.git, self.world.forge.head(pull)
        if git.commits[head].author == OWN:
            return False
        return git.merged_files(git.refs["main"], head) is None

    def _reason(self, service: str, wanted: str, running: str) -> str | None:
        target = self.store.read_target(TARGET)
        assert target is not None
        if any((found.service, found.version) == (service, wanted) for found in target.quarantine):
            return "quarantine"
        if int(wanted.split(".")[1]) < int(running.split(".")[1]):
            return "older"
        temper = self.world.cluster.tempers.get(("staging", wanted), Temper.GOOD)
        if temper in (Temper.CRASHES, Temper.DOES_NOT_SYNC):
            return "bad in staging"
        return None

    def _confirmed(self, running: Mapping[str, str]) -> None:
        by_service: dict[str, set[str]] = {service: {f"{service}-v1.0.0"} for service in SERVICES}
        for promotion in self.store.promotions(TARGET, limit=1_000):
            for change in promotion.changes:
                match promotion.outcomes.get(change.service):
                    case Outcome.CONFIRMED:
                        by_service[change.service].add(change.after)
                    case Outcome.REVERTED:
                        by_service[change.service].add(change.before or "")
                    case _:
                        pass
        for made in self.world.git.first_parents(self.world.git.refs["main"]):
            if made.author in ("li", "maria") and len(made.parents) == 1:
                for service in SERVICES:
                    value = self.world.version(made.sha, "production", service)
                    before = self.world.version(made.parents[0], "production", service)
                    if value != before:
                        by_service[service].add(value)
        for service, value in running.items():
            if value not in by_service[service]:
                raise Broken(f"{service} {value} runs in production and was never confirmed")

    def story(self) -> str:
        lines = [f"seed {self.seed}", *self.chaos.log]
        target = self.store.read_target(TARGET)
        for found in self.store.history(target=TARGET, limit=5_000):
            lines.append(f"{found.at:%H:%M:%S} {found.kind}: {found.text}")
        for promotion in (target.proposal, target.release) if target else ():
            if promotion is not None:
                lines.append(
                    f"{promotion.id} {promotion.state} hold={promotion.hold} "
                    f"ready={promotion.ready!r} {dict(promotion.outcomes)}"
                )
                for name, watch in promotion.watches.items():
                    held = isinstance(watch.outcome, Held)
                    lines.append(f"  {name}: row {watch.row} {watch.message} held={held}")
        return "\n".join(lines)


def run(seed: int, known: Database, trouble: Trouble = Trouble.USUAL) -> Simulation:
    """Raises what went wrong; the story is in the error's notes."""
    simulation = Simulation(seed, known, {}, trouble)
    try:
        simulation.run()
    except (Exception, Crash) as error:
        error.add_note(simulation.story())
        raise
    return simulation
