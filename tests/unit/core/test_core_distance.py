"""Which of two versions is newer, and how far apart they are."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core.distance import Step, distance
from pilotage.core.version import Scheme

ONE, TWO = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.mark.runbook("SYRF-15")
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param("api-v9.0.4", "api-v9.1.1", "minor", id="one minor"),
        pytest.param("api-v9.1.4", "api-v9.3.0", "minor (+2)", id="a minor left out"),
        pytest.param("api-v9.1.0", "api-v9.1.1", "patch", id="one patch"),
        pytest.param("api-v9.1.0", "api-v9.1.3", "patch (+3)", id="patches left out"),
        pytest.param("api-v9.1.0", "api-v10.0.0", "major", id="one major"),
        pytest.param("v1.0.0", "v3.2.1", "major (+2)", id="a major left out"),
        pytest.param("v9.1.1", "v9.0.4", "back (-1 minor)", id="back"),
        pytest.param("v1.10.0", "v1.9.0", "back (-1 minor)", id="numbers, not texts"),
        pytest.param("v3.0.0", "v1.0.0", "back (-2 major)", id="two back"),
        pytest.param("1.0.0-rc.1", "1.0.0-rc.2", "prerelease", id="next candidate"),
        pytest.param("1.0.0-rc.9", "1.0.0-rc.10", "prerelease", id="candidates are numbers"),
        pytest.param("1.0.0-rc.1", "1.0.0", "prerelease", id="finished"),
        pytest.param("1.0.0", "1.0.0-rc.1", "back (prerelease)", id="back to a candidate"),
        pytest.param("v1.2.3", "1.2.4", "patch", id="a v says nothing"),
        pytest.param("1.4.0+1", "1.4.0+2", "same (another build)", id="builds have no order"),
        pytest.param("1.4.0-4be19f2", "1.4.0-1aaaaaa", "same (another build)", id="nor commits"),
        pytest.param("1.4.0-rc.2.4be19f2", "1.4.0-rc.1.c0ffee1", "back (prerelease)", id="but rc"),
        pytest.param(
            "v1.2.3-9-g4be19f2", "v1.2.3-10-g1aaaaaa", "same (another build)", id="git describe"
        ),
        pytest.param("api-v9.0.0", "pm-v8.0.0", "other (another prefix)", id="another prefix"),
        pytest.param("2026.11.20", "2026.11.21", "calendar (+1 day)", id="a day"),
        pytest.param("2026.11.30", "2026.12.02", "calendar (+2 days)", id="over a month's end"),
        pytest.param("2026-11-21", "2026-11-21.3", "calendar (same day)", id="again that day"),
        pytest.param("2026-11-21.10", "2026-11-21.9", "back (same day)", id="counters are numbers"),
        pytest.param("2026.11.21-3", "2026.11.21-4", "calendar (same day)", id="no prerelease"),
        pytest.param("2026.11.21", "2026.11.19", "back (-2 days)", id="days back"),
        pytest.param("20261120", "20261121T1030", "calendar (+1 day)", id="without dots"),
        pytest.param("2024.1.1", "2024.1.3", "calendar (+2)", id="a counter, not a day"),
        pytest.param("2024.12.1", "2025.2.0", "calendar (+2 months)", id="months"),
        pytest.param("2026.11", "2026.11.1", "calendar (same month)", id="same month"),
        pytest.param("26.09.1", "26.11.1", "calendar (+2 months)", id="two-digit years"),
        pytest.param("26.9.1", "26.11.1", "minor (+2)", id="may be no date"),
        pytest.param("2026.11.21-rc.1", "2026.11.21", "prerelease", id="a date finished"),
        pytest.param("2026.11.21", "2026.11.21-rc.1", "back (prerelease)", id="a date unfinished"),
        pytest.param(
            "2026.11.21-4be19f2",
            "2026.11.21-1aaaaaa",
            "same (another build)",
            id="same day",
        ),
        pytest.param("api-2026.11.21", "web-2026.11.20", "other (another prefix)", id="prefixes"),
        pytest.param(f"v2.3.0@{ONE}", f"v2.4.0@{TWO}", "minor", id="an image's order is its tag's"),
        pytest.param(f"v2.3.0@{ONE}", f"v2.3.0@{TWO}", "same (another digest)", id="built again"),
        pytest.param("v2.3.0", f"v2.3.0@{ONE}", "same (another digest)", id="pinned"),
        pytest.param("v2.3.0", f"2.3.0@{ONE}", "same (another digest)", id="pinned, without v"),
        pytest.param(f"v2.4.0@{ONE}", "v2.3.0", "back (-1 minor)", id="an image back"),
        pytest.param(ONE, TWO, "other (digests have no order)", id="digests"),
        pytest.param("4be19f2", "c0ffee1", "other (commits have no order)", id="commits"),
        pytest.param("20261121", "c0ffee1", "other (commits have no order)", id="only digits"),
        pytest.param("v1.0.0", "c0ffee1", "other (another kind)", id="another kind"),
        pytest.param("v1.0.0", ONE, "other (another kind)", id="number to digest"),
        pytest.param("latest", "v1.0.0", "other (another kind)", id="a channel"),
        pytest.param("build-41", "build-40", "other (no known order)", id="build numbers"),
        pytest.param("1.2", "1.1", "other (no known order)", id="no semantic version"),
        pytest.param("v1.0.0", "v1.0.0", "same", id="nothing"),
        pytest.param(None, "v1.0.0", "new", id="new"),
    ],
)
def test_the_distance_between_two_versions(before: str | None, after: str, expected: str) -> None:
    assert str(distance(before, after)) == expected


@pytest.mark.parametrize(
    ("before", "after", "scheme", "expected"),
    [
        ("26.9.1", "26.11.1", Scheme.CALVER, "calendar (+2 months)"),
        ("2026.11.21", "2026.11.21-3", Scheme.SEMVER, "back (prerelease)"),
        ("20261121", "20261120", Scheme.COMMIT, "other (commits have no order)"),
    ],
)
def test_the_scheme_decides_what_is_compared(
    before: str, after: str, scheme: Scheme, expected: str
) -> None:
    assert str(distance(before, after, scheme)) == expected


numbers = st.tuples(*[st.integers(0, 50)] * 3)
prefixes = st.sampled_from(["", "v", "api-v", "registry:5000/api:"])


@given(numbers, numbers, prefixes)
def test_the_order_is_that_of_the_numbers(
    one: tuple[int, int, int], two: tuple[int, int, int], prefix: str
) -> None:
    before, after = (f"{prefix}{a}.{b}.{c}" for a, b, c in (one, two))
    step = distance(before, after).step
    assert (step is Step.BACK) is (two < one)
    assert (step is Step.SAME) is (one == two)


@given(
    st.dates(date(1990, 1, 1), date(2089, 1, 1)),
    st.integers(-4_000, 4_000),
    st.sampled_from(["%Y.%m.%d", "%Y-%m-%d", "%Y%m%d"]),
)
def test_the_order_of_dates_is_that_of_the_days(first: date, days: int, form: str) -> None:
    last = first + timedelta(days=days)
    found = distance(first.strftime(form), last.strftime(form))
    assert (found.step is Step.BACK) is (days < 0)
    assert not days or found.detail.startswith(f"{days:+d} day")


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(Scheme))
def test_any_two_values_have_a_distance(before: str, after: str, scheme: Scheme) -> None:
    assert distance(before, after, scheme).step in Step
    assert distance(before, before, scheme).step is Step.SAME
