"""The values that come out of a store: commits, entries, files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

Sha: TypeAlias = str
"""Forty lower-case hexadecimal digits. Whatever takes one checks it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who wrote or committed."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit. Dates are in UTC; `message` is whole, without the newlines at its end."""

    sha: Sha
    tree: Sha
    parents: tuple[Sha, ...]
    author: Identity
    authored_at: datetime
    committer: Identity
    committed_at: datetime
    message: str

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0]


class Kind(StrEnum):
    """What stands at a path."""

    FILE = "file"
    EXECUTABLE = "executable"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a tree. `id` is the blob's (a submodule's commit, a directory's tree), and
    `size` its bytes (0 for what has none)."""

    path: str
    kind: Kind
    id: Sha
    size: int = 0


@dataclass(frozen=True, slots=True)
class File:
    """A regular file whose content is UTF-8."""

    path: str
    kind: Kind
    id: Sha
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8")


@dataclass(frozen=True, slots=True)
class NotText:
    """A regular file that is not UTF-8; `offset` is the first byte that is not."""

    path: str
    kind: Kind
    id: Sha
    content: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A regular file above the cap, which was not read. `size` is in bytes."""

    path: str
    id: Sha
    size: int


@dataclass(frozen=True, slots=True)
class NotAFile:
    """A symbolic link, a submodule or a directory: never followed, never read."""

    path: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Missing:
    """Nothing stands at this path."""

    path: str


Read: TypeAlias = File | NotText | TooLarge | NotAFile | Missing


@dataclass(frozen=True, slots=True)
class Conflict:
    """The reverse of a merge does not apply: a person must decide about these paths."""

    paths: tuple[str, ...]
