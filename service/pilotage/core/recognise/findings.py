"""What was seen of one commit."""

from __future__ import annotations

from dataclasses import dataclass

from pilotage.core.recognise.environments import Names
from pilotage.core.recognise.families import Family
from pilotage.core.recognise.groups import Group, Misses


@dataclass(frozen=True, slots=True)
class Findings:
    """What there is, how much of it was looked at, and what was found."""

    files: int
    looked_at: int
    """Of these files, whose names were looked at."""
    side_by_side: int
    """Files that differ only in an environment's name from others."""
    read: int
    skipped: int
    """Side by side, and not read: there were too many."""
    families: tuple[Family, ...]
    misses: Misses
    names: Names
    suggested: tuple[str, ...] = ()
    """Values that look like versions, where those that a person named are not there."""
    nearest: str | None = None
    """The pattern of files that are there, where no file matches what a person named."""
    otherwise: Group | None = None
    """Where nothing is side by side: files of other endings that are, and are YAML or JSON."""
