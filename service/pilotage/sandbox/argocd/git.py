"""Reads bare repositories as the repository server would: one `git cat-file` for each look."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

_FULL = re.compile(r"[0-9a-f]{40}")
_SHORT = re.compile(r"[0-9a-f]{7,39}")
_NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9][\w./+-]*")
_LARGEST = 1_000_000


class UnknownRevisionError(Exception):
    """A name that no branch, tag or commit has."""

    def __init__(self, revision: str) -> None:
        self.revision = revision
        super().__init__(f"unable to resolve '{revision}' to a commit SHA")


class GitUnavailableError(Exception):
    """The repository cannot be read: unknown URL, or git is told to be down."""


@dataclass(frozen=True, slots=True)
class Commit:
    author: str
    date: int
    message: str
    tree: str


class Look:
    """One open `git cat-file --batch`. Everything read through it costs no further process."""

    def __init__(self, repository: Path) -> None:
        keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._process = subprocess.Popen(
            ["git", f"--git-dir={repository}", "cat-file", "--batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=keep | {"LC_ALL": "C"},
        )

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()

    def resolve(self, revision: str) -> str:
        """The commit that a branch, tag, `HEAD` or SHA names; UnknownRevisionError if none does."""
        if _FULL.fullmatch(revision):
            found = self._object(f"{revision}^{{commit}}")
            return found[0] if found else revision  # like Argo CD: a full SHA is believed
        if _NAME.fullmatch(revision):
            for name in (f"refs/heads/{revision}", f"refs/tags/{revision}"):
                if found := self._object(f"{name}^{{commit}}"):
                    return found[0]
            if (revision == "HEAD" or _SHORT.fullmatch(revision)) and (
                found := self._object(f"{revision}^{{commit}}")
            ):
                return found[0]
        raise UnknownRevisionError(revision)

    def commit(self, sha: str) -> Commit | None:
        found = self._object(f"{sha}^{{commit}}")
        if found is None:
            return None
        head, _, message = found[2].decode("utf-8", "replace").partition("\n\n")
        fields = dict(line.split(" ", 1) for line in reversed(head.split("\n")) if " " in line)
        author, date, _zone = fields["author"].rsplit(" ", 2)
        return Commit(author, int(date), message.rstrip("\n"), fields["tree"])

    def read(self, sha: str, path: str) -> str | None:
        """The text of a file at a commit; None if there is none."""
        found = self._object(f"{sha}:{path}") if "\n" not in path else None
        if found is None or found[1] != "blob" or len(found[2]) > _LARGEST:
            return None
        return found[2].decode("utf-8", "replace")

    def glob(self, sha: str, pattern: str) -> tuple[str, ...]:
        """Paths of files that match, `*` standing for one component, sorted."""
        paths = [""]
        for part in pattern.split("/"):
            paths = [
                f"{base}/{name}".lstrip("/")
                for base in paths
                for name in self._names(sha, base)
                if fnmatchcase(name, part)
            ]
        return tuple(sorted(paths))

    def _names(self, sha: str, path: str) -> Iterator[str]:
        found = self._object(f"{sha}:{path}")
        if found is None or found[1] != "tree":
            return
        rest = found[2]
        while rest:
            entry, _, rest = rest.partition(b"\0")
            yield entry.partition(b" ")[2].decode("utf-8", "replace")
            rest = rest[20:]

    def _object(self, name: str) -> tuple[str, str, bytes] | None:
        ask, answer = self._streams()
        try:
            ask.write(name.encode() + b"\n")
            ask.flush()
            header = answer.readline().split()
            if len(header) != 3 or header[1] not in (b"commit", b"tree", b"blob", b"tag"):
                if not header:
                    raise GitUnavailableError("repository not found")
                return None
            content = answer.read(int(header[2]))
            answer.readline()
        except OSError as error:
            raise GitUnavailableError("repository not found") from error
        return header[0].decode(), header[1].decode(), content

    def _streams(self) -> tuple[IO[bytes], IO[bytes]]:
        ask, answer = self._process.stdin, self._process.stdout
        assert ask is not None
        assert answer is not None
        return ask, answer


class Session:
    """Looks that are shared for one sweep: at most one process for each repository."""

    def __init__(self, repositories: Mapping[str, Path], stack: ExitStack, refused: str) -> None:
        self._repositories = repositories
        self._stack = stack
        self._refused = refused
        self._looks: dict[Path, Look] = {}

    def knows(self, url: str) -> bool:
        return url in self._repositories

    def at(self, url: str) -> Look:
        """The look into one repository. Raises GitUnavailableError."""
        if self._refused:
            raise GitUnavailableError(self._refused.format(url=url))
        path = self._repositories.get(url)
        if path is None:
            raise GitUnavailableError("repository not found: Repository not found.")
        if path not in self._looks:
            look = Look(path)
            self._stack.callback(look.close)
            self._looks[path] = look
        return self._looks[path]


@contextmanager
def session(repositories: Mapping[str, Path], refused: str = "") -> Iterator[Session]:
    """`refused`: the message with which every repository refuses, for a git server that is down."""
    with ExitStack() as stack:
        yield Session(repositories, stack, refused)
