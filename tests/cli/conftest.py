from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from pilotage.cli import build


@dataclass(frozen=True)
class Ran:
    """What one command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in this process; no setting of the machine's own reaches it."""
    for name in ("URL", "OPERATOR_TOKEN", "OPERATOR_TOKEN_FILE", "CONFIG"):
        monkeypatch.delenv(f"PILOTAGE_{name}", raising=False)

    def run(*arguments: object, **variables: str) -> Ran:
        found = CliRunner().invoke(build(), [str(each) for each in arguments], env=variables)
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return Ran(found.exit_code, found.stdout, found.stderr)

    return run
