"""Where tests write logs, and which ones `make test` leaves to `make thorough`.

These are those that show more of what others show: the usual run is one that people make all day,
and what has to pass before anything lands is both.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

# What a property costs depends on the machine. Where CI is set, Hypothesis's own profile below this
# one makes the same examples each time: what lands is no matter of luck.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

THOROUGH = (
    "cli/test_cli_check_live.py",
    "contract/test_sandbox_*.py",
    "e2e/test_e2e_artifacts.py",
    "e2e/test_e2e_by_hand.py",
    "e2e/test_e2e_discovery.py",
    "e2e/test_e2e_layouts.py",
    "e2e/test_e2e_renders.py",
    "e2e/test_e2e_replicas.py",
    "e2e/test_e2e_reverts_by_merge.py",
    "e2e/test_e2e_versions.py",
    "engine/test_engine_reverts_by_merge.py",
    "engine/test_engine_simulation.py",
    "test_*_properties.py",
    "unit/edit/test_edit_corpus.py",
)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Where a test has its log written; afterwards the log goes where it went before."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        path = item.path.relative_to(here)
        if any(path.match(pattern) for pattern in THOROUGH):
            item.add_marker(pytest.mark.thorough)
