"""One database for a file of tests, and no log: it would drown what a failure says."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from pilotage.store.database import Database
from tests.engine.simulation import database


@pytest.fixture(scope="module")
def known() -> Iterator[Database]:
    made = database()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)
