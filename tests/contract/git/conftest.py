"""A git server over HTTP with one repository, anew for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.git.server import serving
from tests.contract.git.world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "server") as server:
        yield make_world(server, tmp_path)
