"""Lists and reads the files of a commit: two processes, however many files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pilotage.adapters.git import names
from pilotage.adapters.git.errors import CommandFailed, StoreDamaged, UnknownCommit
from pilotage.adapters.git.runner import Output, Runner
from pilotage.adapters.git.values import (
    Entry,
    File,
    Kind,
    Missing,
    NotAFile,
    NotText,
    Read,
    Sha,
    TooLarge,
)

_KINDS = {
    "100644": Kind.FILE,
    "100664": Kind.FILE,  # written by git before 2005
    "100755": Kind.EXECUTABLE,
    "120000": Kind.SYMLINK,
    "160000": Kind.SUBMODULE,
    "040000": Kind.DIRECTORY,
}
_ARGUMENT_BYTES = 400_000  # of paths in one command line; a system allows about 1 to 2 MB


def list_below(
    runner: Runner, commit: Sha, prefixes: Sequence[str], timeout: float
) -> tuple[Entry, ...]:
    """The files below the directories (or at the paths) given; `""` is the whole repository."""
    below = names.prefixes(prefixes)
    if below == ():
        return ()
    out = _tree(runner, timeout, "-l", "-r", commit, "--", *(below or ()))
    return tuple(entry for entry, _ in _entries(out.stdout))


def list_exactly(
    runner: Runner, commit: Sha, paths: Iterable[str], timeout: float
) -> dict[str, tuple[Entry, int]]:
    """What stands at exactly these paths, with its size in bytes; absent paths are absent."""
    found: dict[str, tuple[Entry, int]] = {}
    for some in _by_length(dict.fromkeys(names.path(path) for path in paths)):
        out = _tree(runner, timeout, "-l", "-t", commit, "--", *some)
        wanted = set(some)
        found |= {
            each.path: (each, size) for each, size in _entries(out.stdout) if each.path in wanted
        }
    return found


def read(
    runner: Runner, commit: Sha, paths: Iterable[str], limit: int, timeout: float
) -> dict[str, Read]:
    """What stands at each path, in the order asked for."""
    asked = tuple(dict.fromkeys(paths))
    found = list_exactly(runner, commit, asked, timeout)
    small = {each.id for each, size in found.values() if each.kind in _REGULAR and size <= limit}
    contents = read_blobs(runner, small, timeout)
    return {path: _read(path, found.get(path), contents) for path in asked}


def read_blobs(runner: Runner, ids: Iterable[Sha], timeout: float) -> Mapping[Sha, bytes]:
    """The contents of these blobs, in one process."""
    asked = [names.sha(each) for each in dict.fromkeys(ids)]
    if not asked:
        return {}
    request = "".join(f"{each}\n" for each in asked).encode("ascii")
    stdout = runner.run("cat-file", "--batch", "--buffer", stdin=request, timeout=timeout).stdout
    contents: dict[Sha, bytes] = {}
    at = 0
    for blob in asked:
        end = stdout.index(b"\n", at)
        header = stdout[at:end].decode("ascii").split(" ")
        if len(header) != 3 or header[:2] != [blob, "blob"]:
            raise StoreDamaged(f"{runner.git_dir} holds no blob {blob}: {' '.join(header)}")
        at = end + 1 + int(header[2])
        contents[blob] = stdout[end + 1 : at]
        at += 1
    return contents


_REGULAR = frozenset({Kind.FILE, Kind.EXECUTABLE})


def _read(path: str, found: tuple[Entry, int] | None, contents: Mapping[Sha, bytes]) -> Read:
    if found is None:
        return Missing(path)
    entry, size = found
    if entry.kind not in _REGULAR:
        return NotAFile(path, entry.kind)
    if entry.id not in contents:
        return TooLarge(path, entry.id, size)
    content = contents[entry.id]
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return NotText(path, entry.kind, entry.id, content, error.start)
    return File(path, entry.kind, entry.id, content)


def _tree(runner: Runner, timeout: float, *arguments: str) -> Output:
    try:
        return runner.run("ls-tree", "-z", "--full-tree", *arguments, timeout=timeout)
    except CommandFailed as error:
        if "not a tree object" in error.stderr or "Not a valid object name" in error.stderr:
            raise UnknownCommit(arguments[arguments.index("--") - 1]) from None
        raise


def _entries(stdout: bytes) -> Iterator[tuple[Entry, int]]:
    """`MODE SP TYPE SP ID [SP+ SIZE] TAB PATH NUL`; a path that is not UTF-8 cannot be promoted,
    nor asked for, and is left out."""
    for line in stdout.split(b"\0")[:-1]:
        head, _, raw = line.partition(b"\t")
        try:
            path = raw.decode("utf-8")
        except UnicodeDecodeError:
            continue
        mode, _, id_, *size = head.decode("ascii").split()
        if size == ["BAD"]:  # as git says it of an object that is not there
            raise StoreDamaged(f"the repository lacks the object {id_}, which is {path}")
        bytes_ = int(size[0]) if size and size[0] != "-" else 0
        yield Entry(path, _KINDS[mode], id_, bytes_), bytes_


def _by_length(paths: Iterable[str]) -> Iterator[list[str]]:
    some: list[str] = []
    length = 0
    for path in paths:
        length += len(path.encode()) + 9  # the pointer and the NUL
        if some and length > _ARGUMENT_BYTES:
            yield some
            some, length = [], len(path.encode()) + 9
        some.append(path)
    if some:
        yield some
