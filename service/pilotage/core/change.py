"""What a promotion changes in the files: places, the values there, and each service's step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

from pydantic import PlainSerializer, ValidatorFunctionWrapHandler, WrapValidator

from pilotage.edit import Plain


class Part(StrEnum):
    """How much of what stands at a place is promoted."""

    VALUE = "value"
    IMAGE = "image"
    """The tag and the digest of an image: `v1.2.3`, `v1.2.3@sha256:...` or `@sha256:...`."""
    FILE = "file"
    """The whole file, named by the id that git gives to its content."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a promoted value stands in the files of an environment.

    `document` says which one of several in the file: its index, or what it must hold.
    """

    file: str
    path: str
    document: str | int | None = None
    part: Part = Part.VALUE


def _stored(value: str) -> str | dict[str, str]:
    return {"plain": str(value)} if isinstance(value, Plain) else value


def _from_store(value: Any, read: ValidatorFunctionWrapHandler) -> str:
    match value:
        case Plain():
            return value
        case {"plain": text}:
            return Plain(read(text))
        case _:
            return str(read(value))


Value: TypeAlias = Annotated[str, PlainSerializer(_stored), WrapValidator(_from_store)]
"""A string, or `Plain`: a number, a boolean or null, which must stay one when it is put back."""


@dataclass(frozen=True, slots=True)
class Write:
    """One value at one place: what stood there, and what is to stand there."""

    file: str
    path: str
    before: Value | None
    """None where nothing stood; for a whole file: where there was none."""
    after: Value
    document: str | int | None = None
    part: Part = Part.VALUE

    @property
    def place(self) -> Place:
        return Place(self.file, self.path, self.document, self.part)


@dataclass(frozen=True, slots=True)
class Difference:
    """A key that differs between the environments and is not promoted."""

    file: str
    path: str
    source: str | None
    running: str | None
    document: int = 0


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """One service's step: `before` and `after` are its version as it stands in the files.

    The first of `writes` is that of the version.
    """

    service: str
    before: str | None
    after: str
    writes: tuple[Write, ...]
    differences: tuple[Difference, ...] = ()

    @property
    def copied(self) -> tuple[Write, ...]:
        """The writes that really change something."""
        return tuple(write for write in self.writes if write.before != write.after)

    @property
    def new(self) -> bool:
        """The service was not there before."""
        return self.writes[0].before is None and any(
            write.part is Part.FILE and write.before is None for write in self.writes
        )


def telling(writes: Iterable[Write]) -> tuple[Write, ...]:
    """Those that tell whether a promotion stands: its values. A whole file only goes along with
    them, unless there is nothing else."""
    found = tuple(writes)
    return tuple(write for write in found if write.part is not Part.FILE) or found


def versions_of(changes: Iterable[ServiceChange]) -> tuple[tuple[str, str], ...]:
    """What makes two sets the same set."""
    return tuple(sorted((change.service, change.after) for change in changes))


def files_of(changes: Iterable[ServiceChange]) -> list[str]:
    return sorted({write.file for change in changes for write in change.writes})


def content_id(content: bytes) -> str:
    """What git calls a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
