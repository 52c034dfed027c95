"""After the clock was put back: nothing of ours waits for a time that is over again."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pilotage.core.model import CheckRecord, Revert
from pilotage.core.rewound import rewound
from pilotage.core.rollout.watch import Watch
from tests.unit.core.worlds import NOW, ago, proof, proposal, release, target, watch

HOUR = timedelta(hours=1)
PLANNED = {"refresh_at"}
"""Recomputed by the look that is due now."""
TOLD = {"created_at", "opened_at", "ended_at", "edits_read_until", "body_written_at"}
"""Compared with no time of ours."""


def seen(at: datetime) -> Watch:
    return watch(
        begun_at=at,
        since=at,
        looked_at=at,
        look_again_at=at + HOUR,
        blind_since=at,
        no_news_since=at,
        live_since=at,
        refreshed_at=at,
    )


def everything(at: datetime) -> Any:
    both = {"api": seen(at), "web": seen(at)}
    put_back = Revert(("api",), "bad", "pilotage", at, landed_at=at, watches=both)
    known = proof("api", "api-v9.1.1", first_seen=at, live_since=at, proven_at=at)
    released = release(
        live_at=at,
        watches=both,
        checks={"health": CheckRecord("health", last_at=at, last_seen_at=at)},
        reverts=(put_back,),
        pictured_at=at,
    )
    return target(
        proofs=(replace(known, watches=both),),
        release=released,
        proposal=proposal(pictured_at=at),
    )


def moments(value: Any, name: str = "") -> dict[str, datetime]:
    """Every moment in it that a rule may compare with the time, by its path."""
    found: dict[str, datetime] = {}
    if isinstance(value, datetime):
        found[name] = value
    elif isinstance(value, dict):
        for key, each in value.items():
            found |= moments(each, f"{name}[{key}]")
    elif isinstance(value, tuple):
        for index, each in enumerate(value):
            found |= moments(each, f"{name}[{index}]")
    elif is_dataclass(value):
        for field in fields(value):
            if field.name not in PLANNED | TOLD | {"merge", "ticks", "picture", "outcome"}:
                found |= moments(getattr(value, field.name), f"{name}.{field.name}")
    return found


def test_no_moment_of_ours_is_in_the_future() -> None:
    before = everything(NOW + HOUR)
    late = {path for path, at in moments(before).items() if at > NOW}
    assert len(late) > 20
    after = moments(rewound(before, NOW))
    assert {path for path, at in after.items() if at > NOW} == set()


def test_what_was_recorded_before_now_stays_as_it_is() -> None:
    before = everything(ago(minutes=10))
    assert rewound(before, NOW) == before


def test_a_target_with_nothing_under_way_is_left_with_nothing() -> None:
    assert rewound(target(proofs=()), NOW) == target(proofs=())


def test_a_picture_of_an_unknown_age_is_taken_anew() -> None:
    after = rewound(everything(NOW + HOUR), NOW).proposal
    assert after is not None
    assert after.pictured_at is None
