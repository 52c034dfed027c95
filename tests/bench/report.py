"""`docs/benchmarks.md`: a section for each row, as it was last measured, and where."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.figure import Figure

_HEAD = """\
# Benchmarks

Written by `make bench ARGS=--write`, which measures and replaces one section for each of its rows
(`ROWS=idle` picks some). What has no section has not been measured.
"""


def written(before: str, row: str, about: str, where: str, figures: Sequence[Figure]) -> str:
    """The page with this row's section as measured now; the other rows' stay as they are."""
    sections = {name: text.strip() for name, text in _sections(before)}
    lines = [f"{about}\n\n{where}\n", "| what | measured | target | |", "|---|--:|--:|---|"]
    lines += [
        f"| {each.what} | {each.measured} | {each.target} | {each.verdict} |" for each in figures
    ]
    sections[row] = "\n".join(lines)
    parts = [f"\n## {name}\n{text}\n" for name, text in sorted(sections.items())]
    return _HEAD + "".join(parts)


def _sections(page: str) -> Iterable[tuple[str, str]]:
    found = re.split(r"^## (.+)\n", page, flags=re.MULTILINE)
    return zip(found[1::2], found[2::2], strict=True)


def where(now: datetime | None = None) -> str:
    """When, of which commit, and on what machine."""
    day = (now or datetime.now(UTC)).date().isoformat()
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return (
        f"{day}, commit {commit or 'unknown'}; {os.cpu_count()} cores ({_processor()}), "
        f"{platform.system()}, Python {platform.python_version()}; "
        f"load {os.getloadavg()[0]:.1f} at the end."
    )


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.machine()
