"""Where the presets and the templates lie: in the wheel, or beside `service/` in a clone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path


def _folder(name: str) -> Path:
    package = Path(str(files("pilotage")))
    packaged = package / "_data" / name
    return packaged if packaged.is_dir() else package.parent.parent / name


def template_folder() -> Path:
    """Holds the Jinja templates (`*.md.j2` and the pages)."""
    return _folder("templates")


def policy_folder() -> Path:
    """Holds the presets and `pilotage.schema.json`."""
    return _folder("policies")


@cache
def presets() -> Mapping[str, str]:
    """The name of each preset, as `preset:` in `.pilotage.yaml` says it, and its text."""
    return {path.stem: path.read_text("utf-8") for path in sorted(policy_folder().glob("*.yaml"))}
