"""A git server over HTTP with one repository, anew for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.git.server import serving
from tests.contract.git.world import World, copy_of, make_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("template")
    make_template(root)
    return root


@pytest.fixture
def world(template: Path, tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "server") as server:
        yield copy_of(template, server, tmp_path)
