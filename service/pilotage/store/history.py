"""Looking back, without a lease: promotions and what happened to them.

Each function is part of the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from pilotage.core.model import Outcome, Promotion, State
from pilotage.store.documents import PAYLOAD, PROMOTION
from pilotage.store.records import Event
from pilotage.store.schema import event as events
from pilotage.store.schema import promotion as promotions_table
from pilotage.store.schema import target as targets_table

_LOOKED_BACK = 20
_RELEASED = (State.CONFIRMED, State.REVERTED)


def promotion(connection: Connection, promotion_id: str) -> Promotion | None:
    text = connection.scalar(
        select(promotions_table.c.document).where(promotions_table.c.id == promotion_id)
    )
    return None if text is None else PROMOTION.read(text, f"promotion {promotion_id}")


def promotions(
    connection: Connection,
    *,
    target: str | None,
    states: Collection[State] | None,
    pull_requests: Collection[int] | None,
    limit: int,
) -> tuple[Promotion, ...]:
    """Newest first."""
    table = promotions_table.c
    query = select(table.id, table.document)
    if target is not None:
        query = query.where(table.target == target)
    if states is not None:
        query = query.where(table.state.in_(sorted(states)))
    if pull_requests is not None:
        query = query.where(table.pull_request.in_(sorted(pull_requests)))
    newest = query.order_by(table.created_at.desc(), table.number.desc(), table.id).limit(limit)
    return tuple(
        PROMOTION.read(row.document, f"promotion {row.id}") for row in connection.execute(newest)
    )


def last_release(connection: Connection, target: str) -> Promotion | None:
    """The one that ended last of which something stayed: another may have got its number later."""
    ended = promotions(
        connection, target=target, states=_RELEASED, pull_requests=None, limit=_LOOKED_BACK
    )
    stayed = [each for each in ended if Outcome.CONFIRMED in each.outcomes.values()]
    return max(stayed, key=lambda each: each.ended_at or each.created_at, default=None)


def targets_of(
    connection: Connection, repository: str, pull_requests: Collection[int]
) -> dict[int, str]:
    table = promotions_table.c
    query = select(table.pull_request, table.target).join(targets_table)
    query = query.where(targets_table.c.repository == repository)
    query = query.where(table.pull_request.in_(sorted(pull_requests)))
    return {row.pull_request: row.target for row in connection.execute(query)}


def history(
    connection: Connection,
    *,
    promotion: str | None,
    target: str | None,
    after: int,
    limit: int,
    newest: bool,
) -> tuple[Event, ...]:
    """Oldest first; `newest` says which end is kept when there are more than `limit`."""
    query = select(events).where(events.c.id > after)
    if promotion is not None:
        query = query.where(events.c.promotion == promotion)
    if target is not None:
        query = query.where(events.c.target == target)
    order = events.c.id.desc() if newest else events.c.id.asc()
    found = connection.execute(query.order_by(order).limit(limit)).all()
    return tuple(
        Event(
            at=row.at,
            kind=row.kind,
            text=row.text,
            by=row.by,
            promotion=row.promotion,
            data=PAYLOAD.read(row.data, f"event {row.id}"),
            target=row.target,
            id=row.id,
        )
        for row in (reversed(found) if newest else found)
    )
