"""A tick's reading and writing under its lease: state, acts and history in one transaction.

Each function is part of the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from sqlalchemy import Connection, Row, bindparam, delete, select, update
from sqlalchemy import insert as plain_insert

from pilotage.core.acts import Act, Committed, Done, Opened, Outrun, Refused, Result, Reverted
from pilotage.core.model import Promotion, Target
from pilotage.store import targets
from pilotage.store.database import insert
from pilotage.store.documents import ACT, PAYLOAD, PROMOTION, RESULT, TARGET, target_text
from pilotage.store.errors import ActNotPending, StoreError
from pilotage.store.records import ActState, Happening, Lease, Loaded, Mail, RecordedAct
from pilotage.store.schema import act as acts_table
from pilotage.store.schema import event as events_table
from pilotage.store.schema import mail as mails
from pilotage.store.schema import promotion as promotions_table
from pilotage.store.schema import target as targets_table

_proposal = promotions_table.alias("proposal")
_release = promotions_table.alias("release")
_whole_target = (
    select(
        targets_table,
        _proposal.c.document.label("proposal"),
        _release.c.document.label("release"),
    )
    .outerjoin(_proposal, _proposal.c.id == targets_table.c.proposal_id)
    .outerjoin(_release, _release.c.id == targets_table.c.release_id)
)
_load_target = _whole_target.where(targets.HELD)
_load_mail = select(mails).where(mails.c.target == bindparam("lease_target")).order_by(mails.c.id)
_load_pending = (
    select(acts_table)
    .where(
        acts_table.c.target == bindparam("lease_target"),
        acts_table.c.state == ActState.PENDING,
    )
    .order_by(acts_table.c.number)
)


def read_target(connection: Connection, target_id: str) -> Target | None:
    row = connection.execute(_whole_target.where(targets_table.c.id == target_id)).one_or_none()
    return _target(row) if row is not None else None


def load(connection: Connection, lease: Lease) -> Loaded:
    """Three statements.

    Raises:
        LeaseLost: somebody else has the target.
    """
    row = connection.execute(_load_target, targets.key(lease)).one_or_none()
    if row is None:
        raise targets.lost(lease)
    messages = mail(connection, lease.target)
    pending = connection.execute(_load_pending, {"lease_target": lease.target})
    return Loaded(
        target=_target(row),
        mail=messages,
        pending=tuple(_recorded_act(found) for found in pending),
    )


def mail(connection: Connection, target_id: str) -> tuple[Mail, ...]:
    """In the order in which it came."""
    return tuple(
        Mail(
            target=found.target,
            kind=found.kind,
            payload=PAYLOAD.read(found.payload, f"mail {found.id}"),
            received_at=found.received_at,
            id=found.id,
        )
        for found in connection.execute(_load_mail, {"lease_target": target_id})
    )


def _target(row: Row[*tuple[object, ...]]) -> Target:
    found = row._mapping
    where = f"target {found['id']}"
    if found["document"] is None:
        bare = Target(found["id"], found["repository"], found["pipeline"], found["environment"])
    else:
        bare = TARGET.read(found["document"], where)
    for role in ("proposal", "release"):
        if found[f"{role}_id"] is not None and found[role] is None:
            raise StoreError(f"the {role} {found[f'{role}_id']} of {where} is missing")
    return replace(
        bare,
        proposal=_promotion(found["proposal_id"], found["proposal"]),
        release=_promotion(found["release_id"], found["release"]),
        wake_at=found["wake_at"],
    )


def _promotion(promotion_id: str, text: str | None) -> Promotion | None:
    return None if text is None else PROMOTION.read(text, f"promotion {promotion_id}")


def record(
    connection: Connection,
    lease: Lease,
    *,
    target: Target,
    promotions: Sequence[Promotion],
    acts: Sequence[Act],
    events: Sequence[Happening],
    consumed: Collection[int],
    wake_at: datetime | None,
    now: datetime,
) -> None:
    """At most five statements, however much is written.

    Raises:
        LeaseLost: somebody else has the target; nothing is kept.
    """
    columns: dict[str, object] = {
        "document": target_text(target),
        "proposal_id": target.proposal.id if target.proposal else None,
        "release_id": target.release.id if target.release else None,
    }
    targets.record(connection, lease, columns, wake_at)
    _write_promotions(connection, lease, _distinct(target, promotions), now)
    _write_acts(connection, lease, acts, now)
    append(connection, lease, events)
    if consumed:
        connection.execute(
            delete(mails).where(mails.c.target == lease.target, mails.c.id.in_(sorted(consumed)))
        )


def _distinct(target: Target, promotions: Sequence[Promotion]) -> tuple[Promotion, ...]:
    """The target's own and the others (ended ones, say), each once."""
    everything = [*promotions, *filter(None, (target.proposal, target.release))]
    by_id = {promotion.id: promotion for promotion in everything}
    if unclear := {each.id for each in everything if by_id[each.id] != each}:
        raise ValueError(f"two different values of promotion {', '.join(sorted(unclear))}")
    if strange := {each.id for each in everything if each.target != target.id}:
        raise ValueError(f"not of target {target.id}: promotion {', '.join(sorted(strange))}")
    return tuple(by_id.values())


def _write_promotions(
    connection: Connection, lease: Lease, promotions: Sequence[Promotion], now: datetime
) -> None:
    if not promotions:
        return
    new = insert(connection, promotions_table)
    changed = ("number", "state", "pull_request", "document", "updated_at")
    statement = new.on_conflict_do_update(
        index_elements=[promotions_table.c.id],
        set_={name: new.excluded[name] for name in changed}
        | {"version": promotions_table.c.version + 1},
        where=promotions_table.c.document != new.excluded.document,
    )
    rows = [
        {
            "id": promotion.id,
            "target": lease.target,
            "number": promotion.number,
            "state": promotion.state,
            "pull_request": promotion.pull_request,
            "document": PROMOTION.text(promotion),
            "version": 1,
            "created_at": promotion.created_at,
            "updated_at": now,
        }
        for promotion in promotions
    ]
    connection.execute(statement, rows)


def _write_acts(connection: Connection, lease: Lease, acts: Sequence[Act], now: datetime) -> None:
    if not acts:
        return
    rows = [
        {
            "key": act.key,
            "promotion": act.promotion,
            "target": lease.target,
            "kind": act.kind,
            "payload": ACT.text(act),
            "state": ActState.PENDING,
            "fence": lease.fence,
            "created_at": now,
            "attempts": 0,
        }
        for act in acts
    ]
    statement = insert(connection, acts_table).on_conflict_do_nothing(
        index_elements=[acts_table.c.key]
    )
    connection.execute(statement, rows)


def append(connection: Connection, lease: Lease, events: Sequence[Happening]) -> None:
    if not events:
        return
    rows = [
        {
            "target": lease.target,
            "promotion": event.promotion,
            "at": event.at,
            "kind": event.kind,
            "by": event.by,
            "text": event.text,
            "data": PAYLOAD.text(dict(event.data)),
        }
        for event in events
    ]
    connection.execute(plain_insert(events_table), rows)


def finish_act(
    connection: Connection, lease: Lease, key: str, result: Result, now: datetime
) -> None:
    values = {"state": _state(result), "result": RESULT.text(result), "done_at": now}
    _touch_act(connection, lease, key, values)


def fail_attempt(connection: Connection, lease: Lease, key: str, error: str, now: datetime) -> None:
    values = {"attempts": acts_table.c.attempts + 1, "last_error": error, "tried_at": now}
    _touch_act(connection, lease, key, values)


def _touch_act(connection: Connection, lease: Lease, key: str, values: dict[str, object]) -> None:
    targets.hold_still(connection, lease)
    touched = connection.execute(
        update(acts_table)
        .where(
            acts_table.c.key == key,
            acts_table.c.target == lease.target,
            acts_table.c.state == ActState.PENDING,
        )
        .values(fence=lease.fence, **values)
    )
    if touched.rowcount != 1:
        raise ActNotPending(key, lease.target)


def _state(result: Result) -> ActState:
    match result:
        case Committed() | Opened() | Reverted() | Done():
            return ActState.DONE
        case Outrun():
            return ActState.OUTRUN
        case Refused():
            return ActState.REFUSED
        case _:
            assert_never(result)


def act(connection: Connection, key: str) -> RecordedAct | None:
    row = connection.execute(select(acts_table).where(acts_table.c.key == key)).one_or_none()
    return _recorded_act(row) if row is not None else None


def acts(connection: Connection, promotion: str) -> tuple[RecordedAct, ...]:
    found = connection.execute(
        select(acts_table).where(acts_table.c.promotion == promotion).order_by(acts_table.c.number)
    )
    return tuple(_recorded_act(row) for row in found)


def _recorded_act(row: Row[*tuple[object, ...]]) -> RecordedAct:
    found = row._mapping
    where = f"act {found['key']}"
    result = found["result"]
    return RecordedAct(
        act=ACT.read(found["payload"], where),
        target=found["target"],
        state=ActState(found["state"]),
        fence=found["fence"],
        created_at=found["created_at"],
        tried_at=found["tried_at"],
        attempts=found["attempts"],
        last_error=found["last_error"],
        done_at=found["done_at"],
        result=None if result is None else RESULT.read(result, where),
    )
