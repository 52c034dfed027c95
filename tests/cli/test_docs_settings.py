"""docs/operate.md names every setting, with its default and its variable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pilotage.core.config.values import duration_text
from pilotage.settings import (
    ArgoCDSettings,
    ChannelSettings,
    GitHubSettings,
    Settings,
    SettingsError,
    load_settings,
)

TEXT = (Path(__file__).parents[2] / "docs" / "operate.md").read_text(encoding="utf-8")
ROWS = {
    match[1]: (match[2].strip(), match[3].strip(), match[4].strip())
    for match in re.finditer(
        r"^\| `([\w.]+)` \| (.*?) \| (.*?) \| `(PILOTAGE_\w+)` \|$", TEXT, re.M
    )
}
SECTIONS: dict[str, tuple[str, type[BaseModel]]] = {
    "github": ("github", GitHubSettings),
    "argocd": ("argocd.NAME", ArgoCDSettings),
    "channels": ("channels.NAME", ChannelSettings),
}


def _settings() -> Iterator[tuple[str, FieldInfo]]:
    for name, field in Settings.model_fields.items():
        if name not in SECTIONS:
            yield name, field
            continue
        prefix, section = SECTIONS[name]
        for inner, found in section.model_fields.items():
            yield f"{prefix}.{inner}", found


ALL = dict(_settings())


@pytest.mark.parametrize("name", ALL)
def test_every_setting_is_in_the_table(name: str) -> None:
    assert name in ROWS, f"docs/operate.md does not tell of {name}"
    default, meaning, variable = ROWS[name]
    assert variable == "PILOTAGE_" + name.upper().replace(".", "__")
    assert len(meaning) > 5
    expected = _default(ALL[name])
    if expected is not None:
        assert default == expected


def _default(field: FieldInfo) -> str | None:
    """As the table writes it; None where it is told in words."""
    value: Any = field.default
    match value:
        case _ if value is PydanticUndefined:
            return "required"
        case None | "":
            return None
        case bool():
            return f"`{str(value).lower()}`"
        case timedelta():
            return f"`{duration_text(value)}`"
        case _:
            return f"`{str(value).rstrip('/')}`"


def test_the_table_tells_of_no_setting_that_is_gone() -> None:
    assert set(ROWS) == set(ALL)


def test_file_and_variables_add_up_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('port = 1\n[github]\nurl = "https://github.example/api/v3"\n')
    monkeypatch.setenv("PILOTAGE_PORT", "2")
    monkeypatch.setenv("PILOTAGE_REPOSITORIES", '["acme/gitops"]')
    monkeypatch.setenv("PILOTAGE_GITHUB__TOKEN", "from-the-environment")
    monkeypatch.setenv("PILOTAGE_COMPARE", "1h30m")
    monkeypatch.setenv("PILOTAGE_URL", "https://pilotage.example")
    found = load_settings(file)
    assert found.port == 2
    assert found.repositories == ("acme/gitops",)
    assert found.compare == timedelta(minutes=90)
    assert str(found.github.url) == "https://github.example/api/v3"
    assert found.github.token is not None
    assert found.github.token.get_secret_value() == "from-the-environment"


def test_the_example_can_be_used(tmp_path: Path) -> None:
    """The first TOML block, with its files of secrets in a folder of the test's own."""
    example = re.search(r"```toml\n(.*?)```", TEXT, re.S)
    assert example is not None
    for name in ("github-app.pem", "github-webhook", "argocd-token"):
        (tmp_path / name).write_text("a-secret")
    file = tmp_path / "settings.toml"
    file.write_text(example[1].replace("/run/secrets", str(tmp_path)))
    found = load_settings(file)
    assert found.argocd["main"].token.get_secret_value() == "a-secret"
    assert set(found.channels) == {"on-call"}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('repositories = ["gitops"]', "repositories.0"),
        ('repositories = ["https://github.com/acme/gitops"]', "repositories.0"),
        ('compare = "0s"', "compare"),
        ('look = "0s"', "look"),
        ('lease = "0m"', "lease"),
        ('git_timeout = "0s"', "git_timeout"),
        ('body_timeout = "0s"', "body_timeout"),
        ("body_memory = 25", "body_memory"),
        ("connections = 1", "connections"),
    ],
)
def test_what_could_not_work_is_refused_at_the_start(tmp_path: Path, line: str, name: str) -> None:
    """Not found out at night, from a process that spins or that nobody can reach."""
    file = tmp_path / "settings.toml"
    more = "" if line.startswith("repositories") else 'repositories = ["acme/gitops"]\n'
    file.write_text(f'{more}{line}\n[github]\ntoken = "a-secret"\n')
    with pytest.raises(SettingsError, match=rf"(?m)^  {re.escape(name)}: "):
        load_settings(file)
