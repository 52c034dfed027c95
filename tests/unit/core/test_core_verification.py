"""Readings in, verdict out: only answers that were got and are wrong count against a version."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core.config.policy import HttpCheck, Verification
from pilotage.core.model import CheckRecord
from pilotage.core.snapshot import Reading
from pilotage.core.verification import CheckVerdict, due, next_at, take, verdict
from tests.unit.core.worlds import NOW

URL = "https://api.example/health"
CHECK = HttpCheck.model_validate({"http": URL})


def readings(*goods: bool | None) -> list[Reading]:
    step = timedelta(seconds=30)
    return [Reading(URL, good, str(good), NOW + index * step) for index, good in enumerate(goods)]


def judged(*goods: bool | None) -> CheckVerdict:
    return verdict(CHECK, take({}, readings(*goods)).get(URL))


@pytest.mark.runbook("SYRF-9")
@pytest.mark.parametrize(
    ("goods", "expected"),
    [
        ((), CheckVerdict.UNDECIDED),
        ((True,), CheckVerdict.GOOD),
        ((True, None, None), CheckVerdict.GOOD),
        ((True, None, None, None), CheckVerdict.UNDECIDED),
        ((True, None, None, None, True), CheckVerdict.GOOD),
        ((None, None, None, None), CheckVerdict.UNDECIDED),
        ((False,), CheckVerdict.UNDECIDED),
        ((True, False), CheckVerdict.UNDECIDED),
        ((False, False), CheckVerdict.UNDECIDED),
        ((False, False, False), CheckVerdict.BAD),
        ((False, None, False, None, False), CheckVerdict.BAD),
        ((False, False, True), CheckVerdict.GOOD),
        ((False, False, True, False, False), CheckVerdict.UNDECIDED),
        ((True, True, False, False, False), CheckVerdict.BAD),
    ],
)
def test_the_verdict_of_a_series(goods: tuple[bool | None, ...], expected: CheckVerdict) -> None:
    assert judged(*goods) is expected


@given(st.lists(st.sampled_from([True, None]), max_size=30))
def test_without_a_wrong_answer_nothing_is_ever_bad(goods: list[bool | None]) -> None:
    assert judged(*goods) is not CheckVerdict.BAD


@given(st.lists(st.sampled_from([True, False, None]), max_size=12), st.integers(0, 12))
def test_readings_in_two_looks_are_as_good_as_in_one(goods: list[bool | None], cut: int) -> None:
    all_at_once = take({}, readings(*goods))
    series = readings(*goods)
    assert take(take({}, series[:cut]), series[cut:]) == all_at_once


@given(st.permutations(readings(True, False, None, False, False)))
def test_readings_count_by_their_time_not_their_order(series: list[Reading]) -> None:
    assert take({}, series) == take({}, readings(True, False, None, False, False))


def test_the_last_answer_is_kept_apart_from_the_last_attempt() -> None:
    record = take({}, readings(True, None))[URL]
    assert record.last == "None"
    assert record.last_at == NOW + timedelta(seconds=30)
    assert record.last_seen_at == NOW


def test_a_check_is_due_again_after_its_time() -> None:
    policy = Verification.model_validate({"for": "30m", "checks": [{"http": URL, "every": "10s"}]})
    check = policy.checks[0]
    read = {URL: CheckRecord(URL, last_at=NOW)}
    assert due(policy, {}, NOW) == [check]
    assert due(policy, read, NOW + timedelta(seconds=9)) == []
    assert due(policy, read, NOW + timedelta(seconds=10)) == [check]
    assert next_at(check, read, NOW) == NOW + timedelta(seconds=10)
