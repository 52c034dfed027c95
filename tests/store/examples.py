"""Values to store, and the few steps that many tests begin with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pilotage.core.acts import Notify
from pilotage.core.change import ServiceChange, Write
from pilotage.core.model import Promotion, State
from pilotage.store import Delivery, Lease, Mail, Report, Store

NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
PRODUCTION = "shop/production"


def add_target(
    store: Store, name: str, *, wake_at: datetime, repository: str = "acme/gitops"
) -> None:
    pipeline, _, environment = name.partition("/")
    store.ensure_target(
        name,
        repository=repository,
        pipeline=pipeline,
        environment=environment,
        wake_at=wake_at,
    )


def leased(store: Store, owner: str = "worker", now: datetime = NOW) -> Lease:
    lease = store.lease(owner, now, MINUTE)
    assert lease is not None, "no target was due"
    return lease


def a_delivery(delivery_id: str = "d1", body: bytes = b'{"ref":"main"}') -> Delivery:
    return Delivery(delivery_id, "github", "push", "acme/gitops", body, NOW)


def a_mail(target: str = PRODUCTION, text: str = "hold", received_at: datetime = NOW) -> Mail:
    return Mail(target, "command", {"name": text}, received_at)


def a_report(report_id: str = "r1") -> Report:
    return Report(
        id=report_id,
        repository="acme/gitops",
        environment="staging",
        service="shop",
        value="v1.2.3",
        run="42",
        run_url="https://github.example/acme/shop/actions/runs/42",
        received_at=NOW,
    )


def a_notice(key: str = "p1/notify/1", promotion: str = "p1") -> Notify:
    return Notify(key, promotion, "opened", ("ops",), "Promote shop", "text", "https://url.example")


def a_promotion(
    promotion_id: str = "p1",
    *,
    number: int = 1,
    state: State = State.OPEN,
    target: str = PRODUCTION,
    pull_request: int | None = None,
    created_at: datetime = NOW,
) -> Promotion:
    write = Write("values.yaml", "image.tag", "v1.2.2", "v1.2.3")
    return Promotion(
        id=promotion_id,
        target=target,
        number=number,
        state=state,
        created_at=created_at,
        changes=(ServiceChange("shop", "1.2.2", "1.2.3", (write,)),),
        source_commit="a" * 40,
        base="b" * 40,
        run="42",
        pull_request=pull_request,
    )
