"""Which of two versions is newer, how far apart they are, and what is no version at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core.version import Step, moves, parse, plain, short, step


@pytest.mark.runbook("SYRF-15")
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("api-v9.0.4", "api-v9.1.1", Step.MINOR),
        ("api-v9.1.0", "api-v9.1.1", Step.PATCH),
        ("api-v9.1.0", "api-v10.0.0", Step.MAJOR),
        ("v9.1.1", "v9.0.4", Step.BACK),
        ("v1.10.0", "v1.9.0", Step.BACK),
        ("1.0.0-rc.1", "1.0.0-rc.2", Step.PRERELEASE),
        ("1.0.0-rc.1", "1.0.0", Step.PRERELEASE),
        ("1.0.0", "1.0.0-rc.1", Step.BACK),
        ("1.0.0-rc.9", "1.0.0-rc.10", Step.PRERELEASE),
        (None, "v1.0.0", Step.NEW),
        ("latest", "v1.0.0", Step.OTHER),
        ("4be19f2", "c0ffee1", Step.OTHER),
        ("1.2", "1.3", Step.OTHER),
    ],
)
def test_the_step_between_two_versions(before: str | None, after: str, expected: Step) -> None:
    assert step(before, after) is expected


@pytest.mark.parametrize(
    ("value", "version"),
    [
        ("api-v9.1.1", "9.1.1"),
        ("pm-v10.45.0", "10.45.0"),
        ("v2.15.0", "2.15.0"),
        ("1.4.0-rc.1", "1.4.0-rc.1"),
        ("ghcr.io/acme/api:1.4.0", "1.4.0"),
        ("app_v1.2.3+build.7", "1.2.3+build.7"),
        ("1.2.3.4", None),
        ("01.2.3", None),
        ("v1.2", None),
        ("latest", None),
        ("", None),
        ("1.2.3 ", None),
        ("9" * 200 + ".1.1", None),
    ],
)
def test_a_version_stands_at_the_end_of_a_value(value: str, version: str | None) -> None:
    found = parse(value)
    assert (str(found) if found else None) == version
    assert plain(value) == (version or value)


@pytest.mark.runbook("SYRF-15")
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("v1.0.0", "latest", True),
        ("main", "latest", True),
        (None, "stable", True),
        ("v1.0.0", "stable2", True),
        ("v1.0.0", "v1.1.0", False),
        ("v1.0.0", "sha-4be19f2", False),
        ("4be19f2", "deadbee", False),
        ("build-41", "build-42", False),
        ("20261120", "20261121", False),
        ("v1.0.0", "sha256:" + "a" * 64, False),
    ],
)
def test_a_channel_is_no_version(before: str | None, after: str, expected: bool) -> None:
    assert moves(before, after) is expected


@pytest.mark.parametrize(
    ("value", "service", "said"),
    [
        ("api-v9.1.1", "api", "v9.1.1"),
        ("pm-v10.45.0", "project-management", "pm-v10.45.0"),
        ("v1.0.0", "api", "v1.0.0"),
        ("api-", "api", "api-"),
    ],
)
def test_beside_its_service_a_version_is_said_without_its_name(
    value: str, service: str, said: str
) -> None:
    assert short(value, service) == said


Numbers = tuple[int, int, int]
numbers = st.tuples(*[st.integers(0, 50)] * 3)


@given(numbers, numbers)
def test_the_order_is_that_of_the_numbers(
    one: tuple[int, int, int], two: tuple[int, int, int]
) -> None:
    before, after = (f"api-v{a}.{b}.{c}" for a, b, c in (one, two))
    assert (step(before, after) is Step.BACK) is (two < one)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_two_values_have_a_step(before: str, after: str) -> None:
    assert step(before, after) in Step
