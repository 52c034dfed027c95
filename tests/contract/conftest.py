"""Fixtures of the contract tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.argocd_server import Told, serving
from tests.contract.github_world import Receiver, Stage, World, staged_world


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.server.stop()


@pytest.fixture
def world(stage: Stage, tmp_path: Path) -> Iterator[World]:
    with staged_world(stage, tmp_path) as staged:
        yield staged


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def told() -> Iterator[Told]:
    """An Argo CD that answers what it is told to."""
    with serving(Told()) as told:
        yield told
