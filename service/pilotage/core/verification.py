"""Readings of a check in, its verdict out (SYRF-9).

Only an answer that was got and is wrong counts against a version. A request that got no answer
teaches nothing: it neither confirms nor fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from pilotage.core.config.policy import HttpCheck, Verification
from pilotage.core.model import CheckRecord
from pilotage.core.snapshot import Reading


class CheckVerdict(StrEnum):
    GOOD = "good"
    BAD = "bad"
    UNDECIDED = "undecided"


def take(records: Mapping[str, CheckRecord], readings: Iterable[Reading]) -> dict[str, CheckRecord]:
    """The records with these readings added, oldest first."""
    taken = dict(records)
    for reading in sorted(readings, key=lambda found: found.at):
        record = taken.get(reading.check) or CheckRecord(reading.check)
        record = replace(record, last=reading.text, last_at=reading.at)
        match reading.good:
            case True:
                record = replace(
                    record, good=record.good + 1, bad_in_row=0, last_seen_at=reading.at
                )
            case False:
                record = replace(record, bad_in_row=record.bad_in_row + 1, last_seen_at=reading.at)
            case None:
                pass
        taken[reading.check] = record
    return taken


def verdict(check: HttpCheck, record: CheckRecord | None) -> CheckVerdict:
    if record is None:
        return CheckVerdict.UNDECIDED
    if record.bad_in_row >= check.failures:
        return CheckVerdict.BAD
    if record.good > 0 and record.bad_in_row == 0 and not _blind(check, record):
        return CheckVerdict.GOOD
    return CheckVerdict.UNDECIDED


def _blind(check: HttpCheck, record: CheckRecord) -> bool:
    """No answer for as many readings as would fail it: what was good then says nothing of now."""
    if record.last_at is None or record.last_seen_at is None:
        return True
    return record.last_at - record.last_seen_at >= check.every * check.failures


def due(policy: Verification, records: Mapping[str, CheckRecord], now: datetime) -> list[HttpCheck]:
    """The checks to read now."""
    return [check for check in policy.checks if next_at(check, records, now) <= now]


def next_at(check: HttpCheck, records: Mapping[str, CheckRecord], now: datetime) -> datetime:
    record = records.get(check.name)
    return record.last_at + check.every if record is not None and record.last_at else now
