"""What could not be had is asked for again less and less often, and never waited for too long."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pilotage.core.retry import Retry, is_over
from tests.unit.core.worlds import NOW, ago

RETRY = Retry(timedelta(seconds=30), timedelta(minutes=5))


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 30), (1, 60), (3, 240), (4, 300), (999, 300)]
)
def test_each_pause_is_twice_as_long_up_to_the_longest(failures: int, seconds: int) -> None:
    assert RETRY.pause(failures) == timedelta(seconds=seconds)


def test_a_pause_ends_at_its_moment() -> None:
    assert is_over(None, NOW, RETRY.longest)
    assert is_over(NOW, NOW, RETRY.longest)
    assert not is_over(ago(seconds=-1), NOW, RETRY.longest)


def test_a_pause_that_would_outlast_all_others_was_set_by_a_clock_that_was_put_back() -> None:
    assert not is_over(NOW + RETRY.longest, NOW, RETRY.longest)
    assert is_over(NOW + RETRY.longest + timedelta(seconds=1), NOW, RETRY.longest)
