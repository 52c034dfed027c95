"""What lies between two versions in a service's own repository: commits and pull requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from pilotage.core import version
from pilotage.core.wording import counted

MOST_COMMITS = 20
"""Kept of each comparison, the newest; they are all counted."""
MOST_PULL_REQUESTS = 50
_SUBJECT_LIMIT = 160
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_REF = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)|[./]$))[A-Za-z0-9_][\w.+@/-]{0,199}", re.A)
_REFERENCE = re.compile(r"(?<![\w/&])#(?=\d)")
_SQUASHED = re.compile(r"\(#(\d{1,9})\)$")
_MERGED = re.compile(r"Merge pull request #(\d{1,9}) from \S+$")


@dataclass(frozen=True, slots=True)
class Span:
    """Two tags or commits of one repository (`owner/name`)."""

    repository: str
    before: str
    after: str

    @property
    def unaskable(self) -> str | None:
        """Why nobody need be asked. `owner:branch`, for one, would lead into another repository."""
        for name in (self.before, self.after):
            if not _REF.fullmatch(name):
                return f"{name} cannot be the name of a tag"
        return None


class Direction(StrEnum):
    AHEAD = "ahead"
    IDENTICAL = "identical"
    BEHIND = "behind"
    DIVERGED = "diverged"


@dataclass(frozen=True, slots=True)
class SourceCommit:
    """`subject` is one line; what it calls `#12` is written `owner/name#12` here."""

    sha: str
    subject: str
    author: str | None
    """The account, where the forge knows one."""


@dataclass(frozen=True, slots=True)
class Compared:
    """`added` commits are in the second version only, `removed` ones in the first only."""

    url: str
    direction: Direction
    added: int
    removed: int
    commits: tuple[SourceCommit, ...]
    """The newest of those added, newest first."""
    pull_requests: tuple[int, ...]
    """Those that the commits' subjects name, newest first."""
    kind: Literal["compared"] = "compared"

    @property
    def text(self) -> str:
        match self.direction:
            case Direction.IDENTICAL:
                return "the same commit"
            case Direction.BEHIND:
                return f"back by {counted(self.removed, 'commit')}"
            case Direction.AHEAD:
                return counted(self.added, "commit")
            case Direction.DIVERGED:
                return f"{counted(self.added, 'commit')}, {self.removed} taken out"


@dataclass(frozen=True, slots=True)
class NotCompared:
    """What is not known, why, and when it is asked for again."""

    reason: str
    absent: bool = False
    """There is no such version: a link would lead nowhere."""
    until: datetime | None = None
    attempts: int = 0
    kind: Literal["not_compared"] = "not_compared"


Answer: TypeAlias = Compared | NotCompared


@dataclass(frozen=True, slots=True)
class Comparison:
    """One service's step and what is known of it; `before` and `after` as the files have them."""

    service: str
    before: str
    after: str
    span: Span
    answer: Answer


def ref_of(template: str, service: str, value: str) -> str | None:
    """The tag of a version, or the commit that it is; None where it names none, as a digest does.

    Of an image reference its tag counts.
    """
    name, digest = version.split(value)
    _, colon, tag = name.rpartition(":")
    if colon and "/" not in tag:
        name = tag
    elif digest and "/" in name:
        return None
    if not name:
        return None
    if is_commit(name):
        return name
    values: Mapping[str, str] = {
        "{value}": name,
        "{version}": version.plain(name),
        "{service}": service,
    }
    # In one pass: what is put in may look like a placeholder itself.
    return re.sub(r"\{(?:value|version|service)\}", lambda found: values[found[0]], template)


def is_commit(value: str) -> bool:
    """Eight digits are a date or the number of a build."""
    return bool(_COMMIT.fullmatch(value)) and (len(value) == 40 or not value.isdigit())


def told_by(
    repository: str, found: Iterable[tuple[str, str, str | None]]
) -> tuple[tuple[SourceCommit, ...], tuple[int, ...]]:
    """Commits (SHA, message, account; oldest first) as they are kept, and their pull requests.

    These are told from what GitHub's own buttons write: `Merge pull request #12 from …`, and
    `… (#12)` at the end of a squashed commit's subject.
    """
    commits: list[SourceCommit] = []
    pull_requests: dict[int, None] = {}
    for sha, message, author in reversed(list(found)):
        subject, number = _subject(message)
        if number is not None and len(pull_requests) < MOST_PULL_REQUESTS:
            pull_requests.setdefault(number)
        if len(commits) < MOST_COMMITS:
            commits.append(SourceCommit(sha, _qualified(subject, repository), author))
    return tuple(commits), tuple(pull_requests)


def _subject(message: str) -> tuple[str, int | None]:
    """A merge is called by the title of its pull request, which stands below its own subject."""
    lines = [line.strip() for line in message[:2_000].splitlines()] or [""]
    merged = _MERGED.fullmatch(lines[0])
    if merged is not None:
        title = next((line for line in lines[1:] if line), "")
        return f"{title} (#{merged[1]})" if title else lines[0], int(merged[1])
    squashed = _SQUASHED.search(lines[0])
    return lines[0], int(squashed[1]) if squashed is not None else None


def _qualified(subject: str, repository: str) -> str:
    text = _REFERENCE.sub(f"{repository}#", " ".join(subject[:_SUBJECT_LIMIT].split()))
    return text if len(text) <= _SUBJECT_LIMIT else text[: _SUBJECT_LIMIT - 1].rstrip() + "…"
