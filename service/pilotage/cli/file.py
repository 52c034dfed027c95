"""One text file on this machine: read whole, and replaced whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pilotage.cli.output import Exit, fail

MOST_BYTES = 16_000_000
"""More than the editor takes in characters; what is larger is not even read."""


@dataclass(frozen=True, slots=True)
class TextFile:
    """A regular file of UTF-8 text as it was read. `text` has its byte order mark, if any."""

    path: Path
    text: str
    _stat: os.stat_result

    def replace(self, text: str) -> None:
        """Write `text` in its place: readers see the old file or the new one, never a part.

        Its permissions stay, and its owner where that is allowed. Ends with NO when somebody has
        written to it since it was read, or when it cannot be written.
        """
        try:
            self._replace(text.encode("utf-8"))
        except OSError as error:
            fail(f"{self.path} cannot be written: {error.strerror}", Exit.NO)

    def _replace(self, content: bytes) -> None:
        folder = self.path.parent
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{self.path.name[:100]}.")
        try:
            with os.fdopen(handle, "wb") as file:
                with suppress(PermissionError):
                    os.fchown(handle, self._stat.st_uid, self._stat.st_gid)
                os.fchmod(handle, stat.S_IMODE(self._stat.st_mode))
                file.write(content)
                file.flush()
                os.fsync(handle)
            if _identity(self.path.lstat()) != _identity(self._stat):
                fail(f"{self.path} was changed by somebody else meanwhile: try again", Exit.NO)
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync(folder)


def read_file(path: Path) -> TextFile:
    """Ends with USAGE when there is no such file, with NO when it must not be edited."""
    # Asked once more of what was opened; without O_NONBLOCK a pipe would wait for its writer.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        _check(path, path.lstat())
        with os.fdopen(os.open(path, flags), "rb") as file:
            found = os.fstat(file.fileno())
            _check(path, found)
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}", Exit.USAGE)
    return TextFile(path, decoded(str(path), content), found)


def decoded(name: str, content: bytes) -> str:
    """Ends with NO when it is no UTF-8 text, or too large."""
    if len(content) > MOST_BYTES:
        fail(f"{name}: it is too large: more than {MOST_BYTES // 1_000_000} MB", Exit.NO)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        fail(f"{name}:{line}: it is not UTF-8 text", Exit.NO)


def _check(path: Path, found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        link = "a symbolic link, which is never edited: name the file that it leads to"
        fail(f"{path} is {link}", Exit.NO)
    if stat.S_ISDIR(found.st_mode):
        fail(f"{path} is a folder", Exit.NO)
    if not stat.S_ISREG(found.st_mode):
        fail(f"{path} is not a regular file", Exit.NO)


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _sync(folder: Path) -> None:
    """After a loss of power the folder, too, must know of the new file."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
