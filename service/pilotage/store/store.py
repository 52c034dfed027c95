"""The one door to the database: each method is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from pilotage.core.acts import Act, Result
from pilotage.core.model import Promotion, State, Target
from pilotage.store import history, inbox, journal, migrate, targets
from pilotage.store.database import Database, connect
from pilotage.store.records import (
    Delivery,
    Event,
    Happening,
    Lease,
    Loaded,
    Mail,
    RecordedAct,
    Report,
    TargetRow,
)


class Store:
    """Safe to share between threads. Every moment that goes in or comes out is aware.

    A method that writes has committed, and the disk has confirmed it, when it returns; when it
    raises, nothing of it is kept. Any method may raise `StoreUnavailable`; those that take a lease
    raise `LeaseLost` when somebody else has the target since.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str, *, migrate: bool = True) -> Store:
        """Open `sqlite:///file` or `postgresql+driver://…`, and bring its schema up to date.

        Raises:
            StoreUnavailable: it cannot be opened.
            SchemaNewer: a newer version of the service was here. Nothing is changed.
            SchemaOlder: it would have to be migrated, and `migrate` is False.
        """
        database = connect(url)
        try:
            _prepare(database, may_migrate=migrate)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # What comes in

    def receive(self, delivery: Delivery) -> bool:
        """Keep a delivery; False when its id was seen before."""
        with self._database.write() as connection:
            return inbox.receive(connection, delivery)

    def waiting_deliveries(self, limit: int = 100) -> Sequence[Delivery]:
        """Those that nobody has settled, in the order in which they came."""
        with self._database.read() as connection:
            return inbox.waiting(connection, limit)

    def why_ignored(self, delivery_id: str) -> str | None:
        """Why a delivery concerned nobody; None where it concerned somebody, or waits still."""
        with self._database.read() as connection:
            return inbox.why_ignored(connection, delivery_id)

    def settle(
        self,
        delivery_id: str,
        note: str,
        *,
        ignored: bool = False,
        mail: Sequence[Mail] = (),
        now: datetime,
    ) -> bool:
        """Be done with a delivery: leave its mail, and wake those that got some.

        False, and nothing happens, when it was settled before (by another replica).

        Raises:
            UnknownTarget: mail for a target that does not exist.
        """
        with self._database.write() as connection:
            settled = inbox.settle(connection, delivery_id, note, ignored, now)
            if settled:
                inbox.post(connection, mail)
            return settled

    def post(self, mail: Sequence[Mail]) -> None:
        """Leave mail that comes from no delivery (a command at the terminal), and wake for it.

        Raises:
            UnknownTarget: one of its targets does not exist.
        """
        with self._database.write() as connection:
            inbox.post(connection, mail)

    def mail(self, target_id: str) -> Sequence[Mail]:
        """What waits for the target's next look."""
        with self._database.read() as connection:
            return journal.mail(connection, target_id)

    def add_report(self, report: Report) -> bool:
        """Keep what CI told; False, and nothing happens, when its id was seen before."""
        with self._database.write() as connection:
            return inbox.add_report(connection, report)

    def report(self, report_id: str) -> Report | None:
        with self._database.read() as connection:
            return inbox.report(connection, report_id)

    def forget_old(self, before: datetime) -> int:
        """Blank the raw bodies of settled deliveries that came earlier; how many they were."""
        with self._database.write() as connection:
            return inbox.forget(connection, before)

    # Targets and their leases

    def ensure_target(
        self,
        target_id: str,
        *,
        repository: str,
        pipeline: str,
        environment: str,
        wake_at: datetime,
    ) -> bool:
        """True when it is new or no longer retired; a known one is not touched, nor woken."""
        with self._database.write() as connection:
            return targets.ensure(connection, target_id, repository, pipeline, environment, wake_at)

    def retire_target(self, target_id: str, now: datetime) -> bool:
        """The configuration no longer has it: never due again, its lease is over, all is kept."""
        with self._database.write() as connection:
            return targets.retire(connection, target_id, now)

    def targets(
        self, repository: str | None = None, *, retired: bool = False
    ) -> Sequence[TargetRow]:
        """By id; those that are retired only when asked for."""
        with self._database.read() as connection:
            return targets.rows(connection, repository, retired)

    def wake(self, target_ids: Collection[str], at: datetime) -> None:
        """Look at these at `at`, or earlier if they already were to be.

        One that is leased is looked at again after its lease, whatever its holder records.
        """
        with self._database.write() as connection:
            targets.wake(connection, target_ids, at)

    def demand_writes(self) -> None:
        """After a write that failed, try one (a full disk can still be read).

        Raises:
            StoreUnavailable: nothing can be written.
        """
        if self._database.refuses:
            self._database.demand_room()
            with self._database.write() as connection:
                targets.touch(connection)

    def next_wake(self) -> datetime | None:
        """When the next target can be leased; one statement that reads one entry of an index."""
        with self._database.read() as connection:
            return targets.next_due(connection)

    def lease(self, owner: str, now: datetime, lease_for: timedelta) -> Lease | None:
        """Take the due target that has waited longest; None when none is due and free.

        `owner` must differ between workers. When nothing is due, no write lock is taken.
        """
        with self._database.read() as connection:
            if targets.due(connection, now) is None:
                return None
        with self._database.write() as connection:
            return targets.lease(connection, owner, now, lease_for)

    def renew(self, lease: Lease, now: datetime, lease_for: timedelta) -> Lease:
        with self._database.write() as connection:
            return targets.renew(connection, lease, now, lease_for)

    def release(self, lease: Lease, *, wake_at: datetime | None = None) -> None:
        """Give the target back. `wake_at`: for a tick that failed, when to try again.

        Without it the recorded wake holds; when nothing was recorded, the target is due at once.
        """
        with self._database.write() as connection:
            targets.release(connection, lease, wake_at)

    def free_leases(self, now: datetime) -> int:
        """For who knows that every other user of the store is dead: take their targets at once."""
        with self._database.write() as connection:
            return targets.free(connection, now)

    def bring_forward(self, now: datetime, *, later_than: datetime, lease_for: timedelta) -> int:
        """After the clock was put back: what would be due after `later_than` is due now, and no
        lease lasts longer than one that begins now; how many they were."""
        with self._database.write() as connection:
            return targets.bring_forward(connection, now, later_than, lease_for)

    # A tick

    def load(self, lease: Lease) -> Loaded:
        """The target with its promotions, its mail, and its unfinished acts."""
        with self._database.read() as connection:
            return journal.load(connection, lease)

    def record(
        self,
        lease: Lease,
        *,
        target: Target,
        promotions: Sequence[Promotion] = (),
        acts: Sequence[Act] = (),
        events: Sequence[Happening] = (),
        consumed: Collection[int] = (),
        wake_at: datetime | None,
        now: datetime,
        done: bool = False,
    ) -> None:
        """What a tick decided, all or nothing; with `done` the target is given back as well.

        The target's own proposal and release are written with it; `promotions` are those that it
        let go (and may name its own again). An act whose key exists is left as it is. `consumed`
        are ids of mail. `wake_at` None: only mail or `wake` brings it back.
        """
        with self._database.write() as connection:
            journal.record(
                connection,
                lease,
                target=target,
                promotions=promotions,
                acts=acts,
                events=events,
                consumed=consumed,
                wake_at=wake_at,
                now=now,
            )
            if done:
                targets.release(connection, lease, None)

    def finish_act(
        self,
        lease: Lease,
        key: str,
        result: Result,
        now: datetime,
        events: Sequence[Happening] = (),
    ) -> None:
        """Note that an act is done (or outrun, or refused), for ever.

        Raises:
            ActNotPending: this target has no such act, or it was finished before.
        """
        with self._database.write() as connection:
            journal.finish_act(connection, lease, key, result, now)
            journal.append(connection, lease, events)

    def fail_attempt(self, lease: Lease, key: str, error: str, now: datetime) -> None:
        """Count a failed attempt; the act stays pending. `error` must not contain secrets.

        Raises:
            ActNotPending: this target has no such act, or it was finished before.
        """
        with self._database.write() as connection:
            journal.fail_attempt(connection, lease, key, error, now)

    # Reading, without a lease

    def act(self, key: str) -> RecordedAct | None:
        with self._database.read() as connection:
            return journal.act(connection, key)

    def acts(self, promotion: str) -> Sequence[RecordedAct]:
        """In the order in which they were recorded."""
        with self._database.read() as connection:
            return journal.acts(connection, promotion)

    def read_target(self, target_id: str) -> Target | None:
        with self._database.read() as connection:
            return journal.read_target(connection, target_id)

    def promotion(self, promotion_id: str) -> Promotion | None:
        with self._database.read() as connection:
            return history.promotion(connection, promotion_id)

    def promotions(
        self,
        target: str | None = None,
        states: Collection[State] | None = None,
        limit: int = 100,
        *,
        pull_requests: Collection[int] | None = None,
    ) -> Sequence[Promotion]:
        """Newest first."""
        with self._database.read() as connection:
            return history.promotions(
                connection, target=target, states=states, pull_requests=pull_requests, limit=limit
            )

    def last_release(self, target: str) -> Promotion | None:
        """What the target runs: of its promotions of which something stayed, the last to end."""
        with self._database.read() as connection:
            return history.last_release(connection, target)

    def targets_of(self, repository: str, pull_requests: Collection[int]) -> Mapping[int, str]:
        """Pull request to the target that it was opened for, retired ones too."""
        with self._database.read() as connection:
            return history.targets_of(connection, repository, pull_requests)

    def history(
        self,
        *,
        promotion: str | None = None,
        target: str | None = None,
        after: int = 0,
        limit: int = 200,
        newest: bool = False,
    ) -> Sequence[Event]:
        """Events in the order in which they happened, those with an id above `after`.

        When there are more than `limit`: the first of them, or with `newest` the last.
        """
        with self._database.read() as connection:
            return history.history(
                connection,
                promotion=promotion,
                target=target,
                after=after,
                limit=limit,
                newest=newest,
            )


def _prepare(database: Database, *, may_migrate: bool) -> None:
    if may_migrate:
        with database.write() as connection:
            migrate.migrate(connection)
    else:
        with database.read() as connection:
            migrate.demand(connection)
