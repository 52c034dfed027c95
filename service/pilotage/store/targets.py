"""Which target is due, and who works on it.

`due_at` is when a worker may take a target: its `wake_at` while it is free, the end of the lease
while it is taken. A worker that dies keeps it no longer than that. A wake that is asked for while
a lease runs waits in `woken_at`, and no later wake-up can hide it.

Each function is part of the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Update,
    case,
    func,
    literal,
    select,
    update,
)

from pilotage.store.database import insert
from pilotage.store.errors import LeaseLost
from pilotage.store.records import Lease, TargetRow
from pilotage.store.schema import Moment, target


def ensure(
    connection: Connection,
    target_id: str,
    repository: str,
    pipeline: str,
    environment: str,
    wake_at: datetime,
) -> bool:
    """True when it is new, or was retired and is back."""
    new = insert(connection, target).values(
        id=target_id,
        repository=repository,
        pipeline=pipeline,
        environment=environment,
        wake_at=wake_at,
        due_at=wake_at,
        fence=0,
    )
    statement = new.on_conflict_do_update(
        index_elements=[target.c.id],
        set_={"retired_at": None, "wake_at": wake_at, "due_at": wake_at},
        where=target.c.retired_at.is_not(None),
    )
    return connection.scalar(statement.returning(target.c.id)) is not None


def retire(connection: Connection, target_id: str, now: datetime) -> bool:
    """Never due again; its history stays, and whoever works on it loses the lease."""
    retired = connection.execute(
        update(target)
        .where(target.c.id == target_id, target.c.retired_at.is_(None))
        .values(
            retired_at=now,
            wake_at=None,
            woken_at=None,
            due_at=None,
            lease_owner=None,
        )
    )
    return retired.rowcount == 1


def rows(connection: Connection, repository: str | None, retired: bool) -> tuple[TargetRow, ...]:
    query = select(target).order_by(target.c.id)
    if repository is not None:
        query = query.where(target.c.repository == repository)
    if not retired:
        query = query.where(target.c.retired_at.is_(None))
    return tuple(_row(found) for found in connection.execute(query))


def _row(row: Row[*tuple[object, ...]]) -> TargetRow:
    found = row._mapping
    return TargetRow(
        id=found["id"],
        repository=found["repository"],
        pipeline=found["pipeline"],
        environment=found["environment"],
        proposal=found["proposal_id"],
        release=found["release_id"],
        wake_at=found["wake_at"],
        lease_owner=found["lease_owner"],
        lease_until=found["due_at"] if found["lease_owner"] is not None else None,
        fence=found["fence"],
        retired_at=found["retired_at"],
    )


def wake(connection: Connection, target_ids: Collection[str], at: datetime) -> None:
    """Never later than it was. Unknown and retired targets are passed over."""
    if not target_ids:
        return
    free = target.c.lease_owner.is_(None)
    connection.execute(
        update(target)
        .where(target.c.id.in_(sorted(target_ids)), target.c.retired_at.is_(None))
        .values(
            wake_at=_earlier(target.c.wake_at, at),
            due_at=case((free, _earlier(target.c.due_at, at)), else_=target.c.due_at),
            woken_at=case((free, None), else_=_earlier(target.c.woken_at, at)),
        )
    )


def _earlier(column: ColumnElement[datetime], at: datetime) -> ColumnElement[datetime]:
    # A bare value in CASE would be stored without `Moment`, in its own zone.
    return case((column < at, column), else_=literal(at, Moment()))


def next_due(connection: Connection) -> datetime | None:
    earliest: datetime | None = connection.scalar(select(func.min(target.c.due_at)))
    return earliest


def due(now: datetime) -> Select[str]:
    """The target that has waited longest, if any may be taken now."""
    return select(target.c.id).where(target.c.due_at <= now).order_by(target.c.due_at).limit(1)


def take(owner: str, now: datetime, until: datetime) -> Update:
    """Lease one due target, in one statement that no two workers can both win."""
    chosen = due(now).with_for_update(skip_locked=True).scalar_subquery()
    return (
        update(target)
        .where(target.c.id == chosen)
        .values(lease_owner=owner, due_at=until, fence=target.c.fence + 1, woken_at=None)
        .returning(target.c.id, target.c.fence)
    )


def lease(connection: Connection, owner: str, now: datetime, lease_for: timedelta) -> Lease | None:
    until = now + lease_for
    row = connection.execute(take(owner, now, until)).one_or_none()
    return Lease(row.id, owner, row.fence, until) if row is not None else None


def holds(lease: Lease) -> ColumnElement[bool]:
    return (
        (target.c.id == lease.target)
        & (target.c.fence == lease.fence)
        & (target.c.lease_owner == lease.owner)
    )


def lost(lease: Lease) -> LeaseLost:
    return LeaseLost(lease.target, lease.owner, lease.fence)


def hold_still(connection: Connection, lease: Lease) -> None:
    """Check the fence, and keep the row from everybody else until the transaction ends.

    Raises:
        LeaseLost: it moved on.
    """
    if connection.scalar(select(target.c.id).where(holds(lease)).with_for_update()) is None:
        raise lost(lease)


def renew(connection: Connection, lease: Lease, now: datetime, lease_for: timedelta) -> Lease:
    until = now + lease_for
    renewed = connection.execute(update(target).where(holds(lease)).values(due_at=until))
    if renewed.rowcount != 1:
        raise lost(lease)
    return replace(lease, until=until)


def release(connection: Connection, lease: Lease, wake_at: datetime | None) -> None:
    wanted = target.c.wake_at if wake_at is None else wake_after(wake_at)
    released = connection.execute(
        update(target)
        .where(holds(lease))
        .values(lease_owner=None, wake_at=wanted, due_at=wanted, woken_at=None)
    )
    if released.rowcount != 1:
        raise lost(lease)


def free(connection: Connection, now: datetime) -> int:
    """End every lease; who held one and still lives is refused at the next write."""
    freed = connection.execute(
        update(target)
        .where(target.c.lease_owner.is_not(None))
        .values(lease_owner=None, due_at=now, woken_at=None, fence=target.c.fence + 1)
    )
    return freed.rowcount


def wake_after(wake_at: datetime | None) -> ColumnElement[datetime | None]:
    """`wake_at`, unless an earlier wake was asked for while the lease ran."""
    if wake_at is None:
        return target.c.woken_at
    return case((target.c.woken_at < wake_at, target.c.woken_at), else_=literal(wake_at, Moment()))
