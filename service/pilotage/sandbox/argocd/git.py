"""Reads bare repositories as the repository server would: at most one `git cat-file` a look.

What a commit holds never changes and is read once; a branch's head is read from its file. So a
repository in which nothing happens costs no process, however often it is polled.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, TypeAlias

_FULL = re.compile(r"[0-9a-f]{40}")
_SHORT = re.compile(r"[0-9a-f]{7,39}")
_NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9][\w./+-]*")
_LARGEST = 1_000_000
_REMEMBERED = 5_000


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


Object: TypeAlias = tuple[str, str, bytes]
"""Its id, its type and its content."""


class Look:
    """One open `git cat-file --batch`, from the first question that `known` does not answer."""

    def __init__(self, repository: Path, known: dict[str, Object]) -> None:
        self._repository = repository
        self._known = known
        self._process: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        if self._process is None:
            return
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
            if head := self._head(revision):
                return head
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

    def _head(self, branch: str) -> str | None:
        """As the branch's own file has it; git itself is asked where there is none."""
        try:
            found = (self._repository / "refs" / "heads" / branch).read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return found if _FULL.fullmatch(found) else None

    def _object(self, name: str) -> Object | None:
        known = self._known.get(name)
        if known is not None:
            return known
        found = self._asked(name)
        if found is not None and _FULL.match(name):
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[name] = found
        return found

    def _asked(self, name: str) -> Object | None:
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
        if self._process is None:
            self._process = _started(self._repository)
        ask, answer = self._process.stdin, self._process.stdout
        assert ask is not None
        assert answer is not None
        return ask, answer


def _started(repository: Path) -> subprocess.Popen[bytes]:
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.Popen(
        ["git", f"--git-dir={repository}", "cat-file", "--batch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=keep | {"LC_ALL": "C"},
    )


class Memory:
    """What was read of each repository and cannot change."""

    def __init__(self) -> None:
        self._known: dict[Path, dict[str, Object]] = {}

    def of(self, repository: Path) -> dict[str, Object]:
        return self._known.setdefault(repository, {})


class Session:
    """Looks that are shared for one sweep: at most one process for each repository."""

    def __init__(
        self, repositories: Mapping[str, Path], memory: Memory, stack: ExitStack, refused: str
    ) -> None:
        self._repositories = repositories
        self._memory = memory
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
            look = Look(path, self._memory.of(path))
            self._stack.callback(look.close)
            self._looks[path] = look
        return self._looks[path]


@contextmanager
def session(
    repositories: Mapping[str, Path], memory: Memory, refused: str = ""
) -> Iterator[Session]:
    """`refused`: the message with which every repository refuses, for a git server that is down."""
    with ExitStack() as stack:
        yield Session(repositories, memory, stack, refused)
