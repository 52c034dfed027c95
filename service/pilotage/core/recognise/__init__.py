"""What kind of repository this is: environments side by side, and the versions in their files.

Names of files and a way to read some of them in, findings out; nothing is guessed that the files
do not show. `pilotage init` makes a configuration of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pilotage.core.recognise.asked import Unordered, recognise_asked
from pilotage.core.recognise.environments import Names, Source, sources
from pilotage.core.recognise.families import Family, Member, families
from pilotage.core.recognise.findings import Findings
from pilotage.core.recognise.groups import (
    MOST_PATHS,
    Group,
    Misses,
    Reader,
    chosen,
    grouped,
    otherwise,
    read,
)
from pilotage.core.recognise.places import FileKind, Place, Rank

__all__ = [
    "Family",
    "FileKind",
    "Findings",
    "Group",
    "Member",
    "Misses",
    "Names",
    "Place",
    "Rank",
    "Reader",
    "Source",
    "Unordered",
    "recognise",
    "recognise_asked",
    "sources",
]


def recognise(paths: Sequence[str], reader: Reader, names: Names) -> Findings:
    """Look at the names of all files, and read those that could say a version."""
    groups = grouped(paths, names)
    some, skipped = chosen(groups)
    found, misses = read(some, reader, names)
    every = {path for group in groups for path in group.files.values()}
    return Findings(
        files=len(paths),
        looked_at=min(len(paths), MOST_PATHS),
        side_by_side=len(every),
        read=len(every) - skipped,
        skipped=skipped,
        families=tuple(families(found, misses.silent)),
        misses=misses,
        names=names,
        otherwise=None if groups else otherwise(paths, reader, names),
    )
