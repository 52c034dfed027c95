"""What was recorded before this machine's clock was put back.

A moment of ours that lies in the future cannot be right: nothing happened then. It is taken for
now, so that nothing waits until the clock has caught up. Moments that others told stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from pilotage.core.model import CheckRecord, Promotion, Proof, Revert, Target
from pilotage.core.rollout.watch import Watch

Moment = TypeVar("Moment", datetime, datetime | None)


def rewound(target: Target, now: datetime) -> Target:
    """The target without anything of ours that is later than now."""
    release, proposal = target.release, target.proposal
    return replace(
        target,
        proofs=tuple(_proof(each, now) for each in target.proofs),
        release=_promotion(release, now) if release is not None else None,
        proposal=_promotion(proposal, now) if proposal is not None else None,
    )


def _is_ahead(at: datetime | None, now: datetime) -> bool:
    return at is not None and at > now


def _by(at: Moment, now: datetime) -> Moment:
    return now if _is_ahead(at, now) else at


def _proof(proof: Proof, now: datetime) -> Proof:
    return replace(
        proof,
        first_seen=_by(proof.first_seen, now),
        live_since=_by(proof.live_since, now),
        proven_at=_by(proof.proven_at, now),
        watches=_watches(proof.watches, now),
    )


def _promotion(promotion: Promotion, now: datetime) -> Promotion:
    return replace(
        promotion,
        pictured_at=None if _is_ahead(promotion.pictured_at, now) else promotion.pictured_at,
        live_at=_by(promotion.live_at, now),
        watches=_watches(promotion.watches, now),
        checks={name: _check(each, now) for name, each in promotion.checks.items()},
        reverts=tuple(_revert(each, now) for each in promotion.reverts),
    )


def _revert(revert: Revert, now: datetime) -> Revert:
    return replace(
        revert,
        asked_at=_by(revert.asked_at, now),
        landed_at=_by(revert.landed_at, now),
        watches=_watches(revert.watches, now),
    )


def _check(record: CheckRecord, now: datetime) -> CheckRecord:
    return replace(
        record, last_at=_by(record.last_at, now), last_seen_at=_by(record.last_seen_at, now)
    )


def _watches(watches: Mapping[str, Watch], now: datetime) -> dict[str, Watch]:
    return {name: _watch(each, now) for name, each in watches.items()}


def _watch(watch: Watch, now: datetime) -> Watch:
    """The last look is of an unknown age: the next one is due."""
    return replace(
        watch,
        begun_at=_by(watch.begun_at, now),
        since=_by(watch.since, now),
        looked_at=_by(watch.looked_at, now),
        look_again_at=now if _is_ahead(watch.looked_at, now) else watch.look_again_at,
        blind_since=_by(watch.blind_since, now),
        no_news_since=_by(watch.no_news_since, now),
        live_since=_by(watch.live_since, now),
        refreshed_at=_by(watch.refreshed_at, now),
    )
