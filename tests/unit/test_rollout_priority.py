"""Which row wins where several apply: the order of the decision table is its priority."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from pilotage.core.application import Application, Condition, Health, Phase, Refresh, Sync
from pilotage.core.rollout.watch import (
    Expectation,
    HeadFacts,
    ThroughSpec,
)
from tests.unit.rollout_world import (
    ASIDE,
    EXPECTATION,
    FAILED_SMOKE,
    LIVE,
    NEWER,
    OLDER,
    Watcher,
    at,
    operation,
    source,
)

Change = Callable[[Application, Expectation], tuple[Application, Expectation]]


def app(**changes: object) -> Change:
    return lambda application, expectation: (replace(application, **changes), expectation)  # type: ignore[arg-type]


def expecting(**changes: object) -> Change:
    return lambda application, expectation: (application, replace(expectation, **changes))  # type: ignore[arg-type]


# What makes each row apply; the later ones are laid over first, the earlier ones then win.
CAUSES: list[tuple[int, Change]] = [
    (2, app(being_deleted=True)),
    (3, expecting(head=HeadFacts(ASIDE, contains=False))),
    (4, expecting(head=HeadFacts(NEWER, contains=True, holds=False))),
    (5, app(reconciled_at=at(-3600))),
    (6, app(conditions=(Condition("ComparisonError", "?"),))),
    (7, app(compared_to=(source("v0"),))),
    (8, app(revisions=(OLDER,))),
    (9, expecting(route=ThroughSpec(1, "v2"))),
    (10, app(last_operation=operation(Phase.RUNNING, OLDER))),
    (13, app(last_operation=operation(Phase.FAILED, results=(FAILED_SMOKE,)))),
    (15, app(sync=Sync.SYNCED)),
    (27, app(sync=Sync.OUT_OF_SYNC, last_operation=None)),
]


@pytest.mark.parametrize(
    ("earlier", "later"), list(pairwise(CAUSES)), ids=lambda cause: str(cause[0])
)
def test_the_earlier_row_wins(earlier: tuple[int, Change], later: tuple[int, Change]) -> None:
    application, expectation = LIVE, EXPECTATION
    for _, change in (later, earlier):
        application, expectation = change(application, expectation)
    watcher = Watcher(expectation)
    watcher.see(0, replace(LIVE, health=Health.PROGRESSING), refreshed=Refresh.NORMAL)
    assert watcher.see(10, application).row == earlier[0]


@pytest.mark.parametrize(("row", "change"), CAUSES, ids=[str(row) for row, _ in CAUSES])
def test_each_cause_alone_leads_to_its_row(row: int, change: Change) -> None:
    application, expectation = change(LIVE, EXPECTATION)
    watcher = Watcher(expectation)
    watcher.see(0, replace(LIVE, health=Health.PROGRESSING), refreshed=Refresh.NORMAL)
    assert watcher.see(10, application).row == row
