from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.served import Service, serving


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def service(running: Service) -> Service:
    """The same server for all tests, with nothing stored."""
    running.wipe()
    return running
