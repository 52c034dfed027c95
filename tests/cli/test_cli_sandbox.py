"""`pilotage sandbox`: what it leaves in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from pilotage.cli.sandbox import written
from pilotage.sandbox.world import World


class _World:
    """Only what the settings' file is made of."""

    def settings_file(self, data: Path) -> str:
        return f'data = "{data}"\n[github]\ntoken = "secret"\n'


@pytest.mark.parametrize("before", [None, 0o644])
def test_only_its_owner_may_read_the_settings(tmp_path: Path, before: int | None) -> None:
    """They hold tokens; a file of that name that was there already must not give them away."""
    config = tmp_path / "pilotage.toml"
    if before is not None:
        config.write_text("")
        config.chmod(before)
    assert written(cast(World, _World()), tmp_path) == config
    assert config.stat().st_mode & 0o777 == 0o600
    assert "secret" in config.read_text()
