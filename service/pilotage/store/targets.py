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
    Update,
    bindparam,
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

# What every look says is put together once: that costs more than running it.
_NOW = bindparam("now", type_=Moment())
_WAKE = bindparam("wake", type_=Moment())
HELD = (
    (target.c.id == bindparam("lease_target"))
    & (target.c.fence == bindparam("lease_fence"))
    & (target.c.lease_owner == bindparam("lease_owner_name"))
)
"""The row of the lease whose `key` goes along."""


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


def _earlier(column: ColumnElement[datetime]) -> ColumnElement[datetime | None]:
    return case((column < _WAKE, column), else_=_WAKE)


_FREE = target.c.lease_owner.is_(None)
_WOKEN = target.c.id.in_(bindparam("woken", expanding=True)) & target.c.retired_at.is_(None)
IN_ORDER = select(target.c.id).where(_WOKEN).order_by(target.c.id).with_for_update(key_share=True)
_WAKING = (
    update(target)
    .where(_WOKEN)
    .values(
        wake_at=_earlier(target.c.wake_at),
        due_at=case((_FREE, _earlier(target.c.due_at)), else_=target.c.due_at),
        woken_at=case((_FREE, None), else_=_earlier(target.c.woken_at)),
    )
)


def wake(connection: Connection, target_ids: Collection[str], at: datetime) -> None:
    """Never later than it was. Unknown and retired targets are passed over."""
    if not target_ids:
        return
    woken = {"woken": sorted(target_ids)}
    if connection.dialect.name == "postgresql":
        # Two who wake the same targets would otherwise each wait for what the other one has. A
        # statement of its own: one that locks and writes still meets the rows as they were before.
        connection.execute(IN_ORDER, woken)
    connection.execute(_WAKING, woken | {"wake": at})


def touch(connection: Connection) -> None:
    """Write one row, and change nothing."""
    one = select(func.min(target.c.id)).scalar_subquery()
    connection.execute(update(target).where(target.c.id == one).values(fence=target.c.fence))


_NEXT_DUE = select(func.min(target.c.due_at))


def next_due(connection: Connection) -> datetime | None:
    earliest: datetime | None = connection.scalar(_NEXT_DUE)
    return earliest


_DUE = select(target.c.id).where(target.c.due_at <= _NOW).order_by(target.c.due_at).limit(1)


def due(connection: Connection, now: datetime) -> str | None:
    """The target that has waited longest, if any may be taken now."""
    return connection.scalar(_DUE, {"now": now})


PASS_OVER = _DUE.with_for_update(skip_locked=True, key_share=True)
"""As `due`, without those that another worker is taking; kept from all others from then on."""
_GIVE = (
    update(target)
    .values(fence=target.c.fence + 1, woken_at=None)
    .returning(target.c.id, target.c.fence)
)
_GIVE_DUE = _GIVE.where(target.c.id == _DUE.scalar_subquery())
_GIVE_FOUND = _GIVE.where(target.c.id == bindparam("found"))


def lease(connection: Connection, owner: str, now: datetime, lease_for: timedelta) -> Lease | None:
    """The due target that has waited longest, if any."""
    until = now + lease_for
    given = {"lease_owner": owner, "due_at": until}
    if connection.dialect.name == "postgresql":
        # As one statement it would write to the row as it was before it waited for others.
        found = connection.scalar(PASS_OVER, {"now": now})
        if found is None:
            return None
        taken = connection.execute(_GIVE_FOUND, given | {"found": found})
    else:
        taken = connection.execute(_GIVE_DUE, given | {"now": now})
    row = taken.one_or_none()
    return Lease(row.id, owner, row.fence, until) if row is not None else None


def key(lease: Lease) -> dict[str, object]:
    return {
        "lease_target": lease.target,
        "lease_fence": lease.fence,
        "lease_owner_name": lease.owner,
    }


def lost(lease: Lease) -> LeaseLost:
    return LeaseLost(lease.target, lease.owner, lease.fence)


_HOLD_STILL = select(target.c.id).where(HELD).with_for_update(key_share=True)


def hold_still(connection: Connection, lease: Lease) -> None:
    """Check the fence, and keep the row from everybody else until the transaction ends.

    Raises:
        LeaseLost: it moved on.
    """
    if connection.scalar(_HOLD_STILL, key(lease)) is None:
        raise lost(lease)


_CHANGE = update(target).where(HELD)


def renew(connection: Connection, lease: Lease, now: datetime, lease_for: timedelta) -> Lease:
    until = now + lease_for
    renewed = connection.execute(_CHANGE, key(lease) | {"due_at": until})
    if renewed.rowcount != 1:
        raise lost(lease)
    return replace(lease, until=until)


def _releasing(wake_at: ColumnElement[datetime | None]) -> Update:
    return _CHANGE.values(lease_owner=None, wake_at=wake_at, due_at=wake_at, woken_at=None)


def _recording(wake_at: ColumnElement[datetime | None]) -> Update:
    return _CHANGE.values(wake_at=wake_at)


_EARLIER = _earlier(target.c.woken_at)
"""`wake`, unless an earlier wake was asked for while the lease ran."""
_RELEASE, _RELEASE_AT = _releasing(target.c.wake_at), _releasing(_EARLIER)
_RECORD, _RECORD_AT = _recording(target.c.woken_at), _recording(_EARLIER)


def release(connection: Connection, lease: Lease, wake_at: datetime | None) -> None:
    """Give it back, due at `wake_at`, or without one when it was recorded to be."""
    if wake_at is None:
        released = connection.execute(_RELEASE, key(lease))
    else:
        released = connection.execute(_RELEASE_AT, key(lease) | {"wake": wake_at})
    if released.rowcount != 1:
        raise lost(lease)


def record(
    connection: Connection, lease: Lease, columns: dict[str, object], wake_at: datetime | None
) -> None:
    """Write columns of the row under its lease."""
    if wake_at is None:
        written = connection.execute(_RECORD, key(lease) | columns)
    else:
        written = connection.execute(_RECORD_AT, key(lease) | columns | {"wake": wake_at})
    if written.rowcount != 1:
        raise lost(lease)


def bring_forward(
    connection: Connection, now: datetime, later_than: datetime, lease_for: timedelta
) -> int:
    """Due now, what is free and due after `later_than`; a lease ends after `lease_for`."""
    at_once, end = literal(now, Moment()), literal(now + lease_for, Moment())
    brought = connection.execute(
        update(target)
        .where(target.c.due_at > later_than)
        .values(
            wake_at=case((_FREE, at_once), else_=target.c.wake_at),
            due_at=case((_FREE, at_once), else_=end),
        )
    )
    return brought.rowcount


def free(connection: Connection, now: datetime) -> int:
    """End every lease; who held one and still lives is refused at the next write."""
    freed = connection.execute(
        update(target)
        .where(target.c.lease_owner.is_not(None))
        .values(lease_owner=None, due_at=now, woken_at=None, fence=target.c.fence + 1)
    )
    return freed.rowcount
