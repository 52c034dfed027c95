"""What came in: deliveries kept before they are answered, mail made of them, reports of CI.

Each function is part of the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update
from sqlalchemy import insert as plain_insert

from pilotage.store import targets
from pilotage.store.database import insert
from pilotage.store.documents import PAYLOAD
from pilotage.store.errors import UnknownTarget
from pilotage.store.records import Delivery, Mail, Report
from pilotage.store.schema import delivery as deliveries
from pilotage.store.schema import mail as mails
from pilotage.store.schema import report as reports
from pilotage.store.schema import target


def receive(connection: Connection, delivery: Delivery) -> bool:
    statement = insert(connection, deliveries).values(
        id=delivery.id,
        kind=delivery.kind,
        event=delivery.event,
        repository=delivery.repository,
        body=delivery.body,
        received_at=delivery.received_at,
        state="new",
        note="",
    )
    new = statement.on_conflict_do_nothing().returning(deliveries.c.number)
    return connection.scalar(new) is not None


_WAITING = select(deliveries).where(deliveries.c.state == "new").order_by(deliveries.c.number)


def waiting(connection: Connection, limit: int) -> tuple[Delivery, ...]:
    rows = connection.execute(_WAITING.limit(limit))
    return tuple(
        Delivery(row.id, row.kind, row.event, row.repository, row.body, row.received_at)
        for row in rows
    )


def settle(connection: Connection, delivery: str, note: str, ignored: bool, now: datetime) -> bool:
    """False when somebody else has settled it already."""
    settled = connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery, deliveries.c.state == "new")
        .values(state="ignored" if ignored else "done", note=note, settled_at=now)
    )
    return settled.rowcount == 1


def why_ignored(connection: Connection, delivery: str) -> str | None:
    """The note of a delivery that concerned nobody."""
    found = select(deliveries.c.note).where(
        deliveries.c.id == delivery, deliveries.c.state == "ignored"
    )
    return connection.scalar(found)


def post(connection: Connection, mail: Sequence[Mail]) -> None:
    """Leave mail for targets and make them due as of its arrival.

    Raises:
        UnknownTarget: one of them does not exist; nothing of it is kept.
    """
    if not mail:
        return
    wanted = {message.target for message in mail}
    known = connection.scalars(select(target.c.id).where(target.c.id.in_(sorted(wanted))))
    if missing := wanted.difference(known):
        raise UnknownTarget(missing)
    rows = [
        {
            "target": message.target,
            "kind": message.kind,
            "payload": PAYLOAD.text(dict(message.payload)),
            "received_at": message.received_at,
        }
        for message in mail
    ]
    connection.execute(plain_insert(mails), rows)
    targets.wake(connection, wanted, min(message.received_at for message in mail))


def forget(connection: Connection, before: datetime) -> int:
    """Blank the bodies of settled deliveries; their ids stay, so that none is taken twice."""
    forgotten = connection.execute(
        update(deliveries)
        .where(
            deliveries.c.state.in_(("done", "ignored")),
            deliveries.c.received_at < before,
            deliveries.c.body.is_not(None),
        )
        .values(body=None)
    )
    return forgotten.rowcount


def add_report(connection: Connection, report: Report) -> bool:
    statement = insert(connection, reports).values(
        id=report.id,
        repository=report.repository,
        environment=report.environment,
        service=report.service,
        value=report.value,
        run=report.run,
        run_url=report.run_url,
        received_at=report.received_at,
    )
    new = statement.on_conflict_do_nothing().returning(reports.c.id)
    return connection.scalar(new) is not None


def report(connection: Connection, report_id: str) -> Report | None:
    row = connection.execute(select(reports).where(reports.c.id == report_id)).one_or_none()
    return Report(**row._mapping) if row is not None else None
