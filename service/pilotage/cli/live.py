"""The live half of `pilotage check`: GitHub and Argo CD, as the service sees them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilotage.cli.output import Exit, fail, table

if TYPE_CHECKING:
    from pilotage.cli.clone import Clone
    from pilotage.core.readiness.findings import Finding
    from pilotage.logs import Redactor
    from pilotage.settings import Settings

_PATIENCE = 10
"""Seconds for one answer of GitHub or git, at most: a person is waiting."""


def findings(clone: Clone, file: Path | None) -> list[Finding]:
    """Ends with USAGE when the settings cannot be used. No text of a finding holds a secret."""
    from pilotage import logs
    from pilotage.settings import SettingsError, load_settings

    try:
        settings = load_settings(file)
    except SettingsError as error:
        fail(str(error), Exit.USAGE)
    logs.silence()
    redactor = logs.Redactor(logs.secrets_of(settings))
    with tempfile.TemporaryDirectory(prefix="pilotage-check-") as folder:
        return _redacted(_looked(clone, _hurried(settings, Path(folder))), redactor)


def _hurried(settings: Settings, folder: Path) -> Settings:
    """With short time-outs, and not in the folder of the service, which may be running."""
    github = settings.github
    return settings.model_copy(
        update={
            "data": folder,
            "github": github.model_copy(update={"timeout": min(github.timeout, _PATIENCE)}),
            "git_timeout": min(settings.git_timeout, timedelta(seconds=_PATIENCE)),
        }
    )


def _looked(clone: Clone, settings: Settings) -> list[Finding]:
    from pilotage.core.readiness.findings import Checked
    from pilotage.engine.outside import Outside
    from pilotage.engine.readiness import Subject, look

    try:
        outside = Outside(settings)
    except OSError as error:
        fail(f"a file that the settings name cannot be read: {error.strerror}", Exit.USAGE)
    except ValueError as error:
        fail(f"the settings cannot be used: {error}", Exit.USAGE)
    checked = Checked(clone.file, clone.commit, clone.text)
    try:
        subject = Subject(clone.trees, clone.trees.git.origin(), checked, clone.config)
        return list(look(outside, subject))
    finally:
        outside.close()


def _redacted(found: Iterable[Finding], redactor: Redactor) -> list[Finding]:
    return [
        replace(each, text=redactor.text(each.text), next_step=redactor.text(each.next_step))
        for each in found
    ]


def show(found: Sequence[Finding]) -> None:
    rows = [[each.level.value, each.about, _told(each)] for each in found]
    table(["", "About", "What is there"], rows)


def _told(finding: Finding) -> str:
    return f"{finding.text}; next: {finding.next_step}" if finding.next_step else finding.text


def document(found: Sequence[Finding]) -> list[dict[str, Any]]:
    return [
        {
            "level": each.level.value,
            "about": each.about,
            "text": each.text,
            "next": each.next_step or None,
        }
        for each in found
    ]
