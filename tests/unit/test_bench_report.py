"""docs/benchmarks.md, as `make bench` writes it: a section for each row that was measured."""

from __future__ import annotations

from tests.bench.figure import Figure
from tests.bench.report import written

SHARE = Figure("processor", 1.5, "% of a core", most=2)
FASTER = Figure("against a round trip", 12, "times", least=20)


def test_each_figure_stands_beside_its_target() -> None:
    page = written("", "idle", "What waits.", "Today, here.", [SHARE, FASTER])
    assert "## idle\nWhat waits.\n\nToday, here.\n" in page
    assert "| processor | 1.50 % of a core | at most 2 % of a core | met |" in page
    assert "| against a round trip | 12.0 times | at least 20 times | missed |" in page


def test_measuring_one_row_again_leaves_the_others() -> None:
    first = written("", "idle", "What waits.", "Monday.", [SHARE])
    both = written(first, "editor", "One value.", "Tuesday.", [FASTER])
    again = written(both, "idle", "What waits.", "Wednesday.", [SHARE])
    assert again == both.replace("Monday.", "Wednesday.")
    assert again.index("## editor") < again.index("## idle")
