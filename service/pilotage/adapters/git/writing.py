"""Makes commits without a checkout, an index or a ref: the cost is the depth of the paths.

A commit made here is reachable from nothing until it is pushed; the store never collects garbage,
and a lost one is made again, to the same SHA, from the same inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pilotage.adapters.git import names
from pilotage.adapters.git.errors import (
    CommandFailed,
    EmptyCommit,
    InvalidName,
    UnknownCommit,
    Unwritable,
)
from pilotage.adapters.git.files import list_exactly
from pilotage.adapters.git.history import commit as read_commit
from pilotage.adapters.git.history import missing_commits, relation
from pilotage.adapters.git.runner import Runner
from pilotage.adapters.git.values import Conflict, Entry, Identity, Kind, Sha
from pilotage.core.change import content_id
from pilotage.core.rollout.watch import Relation

# fast-import needs a ref to work on; it is deleted in the same stream, so that it never exists.
_SCRATCH = "refs/pilotage/scratch"
_NOTHING = "0" * 40


@dataclass(frozen=True, slots=True)
class Signature:
    """What a commit says of itself. With the base and the files it decides the SHA.

    `when` must know its time zone; it is written in UTC, to the second."""

    message: str
    author: Identity
    committer: Identity
    when: datetime

    def lines(self) -> bytes:
        if self.when.tzinfo is None:
            raise InvalidName("date", self.when.isoformat(), "has no time zone")
        if "\0" in self.message or not self.message.strip():
            raise InvalidName("message", self.message, "is empty or contains NUL")
        stamp = f"{int(self.when.astimezone(UTC).timestamp())} +0000"
        author, committer = names.identity(self.author), names.identity(self.committer)
        message = (self.message.rstrip("\n") + "\n").encode("utf-8")
        return (
            f"author {author.name} <{author.email}> {stamp}\n"
            f"committer {committer.name} <{committer.email}> {stamp}\n"
            f"data {len(message)}\n"
        ).encode() + message


def commit_files(
    runner: Runner,
    base: Sha,
    files: Mapping[str, bytes | None],
    signature: Signature,
    timeout: float,
) -> Sha:
    """A commit on `base` in which these files have these contents (None: are gone).

    Everything else stays as it is, the modes of the files too; a new file gets 100644."""
    asked = {names.path(path): content for path, content in sorted(files.items())}
    parents = {ancestor for path in asked for ancestor in _ancestors(path)}
    found = list_exactly(runner, names.sha(base), (*sorted(parents), *asked), timeout)
    standing = {path: entry for path, (entry, _) in found.items()}
    changes = [
        change
        for path, content in asked.items()
        if (change := _change(path, content, standing)) is not None
    ]
    if not changes:
        raise EmptyCommit(base)
    return _import(runner, base, b"".join(changes), signature, timeout)


def commit_tree(
    runner: Runner, parent: Sha, tree: Sha, signature: Signature, timeout: float
) -> Sha:
    """A commit on `parent` whose whole content is `tree`."""
    change = f"M 040000 {names.sha(tree)} \n".encode("ascii")
    return _import(runner, names.sha(parent), change, signature, timeout)


def reverted_tree(
    runner: Runner, merge: Sha, mainline_parent: Sha, head: Sha, timeout: float
) -> Sha | Conflict:
    """The tree of `head` without what the merge brought, by a three-way merge with its reverse.

    `merge` is a merge or squash commit, or the last of a rebased range; `mainline_parent` is
    what the branch had before it. Needs git 2.38: the reverse is a commit on top of the merge that
    has the old tree, and merging it into `head` takes back exactly that."""
    for sha in (merge, mainline_parent, head):
        names.sha(sha)
    if relation(runner, merge, head, timeout) not in {Relation.SAME, Relation.DESCENDANT}:
        raise InvalidName("revision", head, f"does not contain the merge {merge}")
    old = read_commit(runner, mainline_parent, timeout).tree
    nobody = Identity("Pilotage", "pilotage@localhost")
    stamp = datetime.fromtimestamp(0, UTC)
    reverse = commit_tree(runner, merge, old, Signature("Reverse", nobody, nobody, stamp), timeout)
    out = runner.run(
        "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", head, reverse,
        accept=(0, 1), timeout=timeout,
    )  # fmt: skip
    tree, *conflicts = out.stdout.decode("utf-8", "replace").split("\0")[:-1]
    return tree if out.status == 0 else Conflict(tuple(dict.fromkeys(conflicts)))


def _ancestors(path: str) -> tuple[str, ...]:
    parts = path.split("/")
    return tuple("/".join(parts[:depth]) for depth in range(1, len(parts)))


def _change(path: str, content: bytes | None, standing: Mapping[str, Entry]) -> bytes | None:
    """The line of fast-import for one file; None when it already is as asked."""
    for ancestor in _ancestors(path):
        entry = standing.get(ancestor)
        if entry is not None and entry.kind is not Kind.DIRECTORY:
            raise Unwritable(path, f"{ancestor!r} is a {entry.kind}, not a directory")
    entry = standing.get(path)
    if entry is not None and entry.kind not in {Kind.FILE, Kind.EXECUTABLE}:
        raise Unwritable(path, f"it is a {entry.kind}")
    quoted = b'"' + path.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    if content is None:
        if entry is None:
            raise Unwritable(path, "it does not exist, so it cannot be removed")
        return b"D " + quoted + b"\n"
    if entry is not None and entry.id == content_id(content):
        return None
    mode = b"100755" if entry is not None and entry.kind is Kind.EXECUTABLE else b"100644"
    return b"M %b inline %b\ndata %d\n%b\n" % (mode, quoted, len(content), content)


def _import(
    runner: Runner, parent: Sha, changes: bytes, signature: Signature, timeout: float
) -> Sha:
    stream = (
        f"commit {_SCRATCH}\nmark :1\n".encode()
        + signature.lines()
        + f"from {parent}\n".encode()
        + changes
        + f"\nget-mark :1\nreset {_SCRATCH}\nfrom {_NOTHING}\n\ndone\n".encode()
    )
    try:
        out = runner.run(
            "fast-import", "--quiet", "--done", "--force", stdin=stream, timeout=timeout
        )
    except CommandFailed:
        if missing_commits(runner, (parent,), timeout):
            raise UnknownCommit(parent) from None
        raise
    return names.sha(out.stdout.decode("ascii").strip())
