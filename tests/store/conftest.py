from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pilotage.store import Store
from tests.store.examples import NOW, add_target


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'pilotage.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store in a file, with one target `shop/production` that is due at NOW."""
    with Store.open(url) as store:
        add_target(store, "shop/production", wake_at=NOW)
        yield store
