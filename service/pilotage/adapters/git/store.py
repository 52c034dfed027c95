"""A repository, as the service uses it: one bare store, no checkout, no index."""

from __future__ import annotations

import fcntl
import os
import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from git import Repo
from git.exc import InvalidGitRepositoryError, NoSuchPathError

from pilotage.adapters.git import files, history, names, writing
from pilotage.adapters.git.errors import InvalidName, NotARepository, NotFastForward, Offline
from pilotage.adapters.git.remote import SERVER_HEAD, Credentials, Remote
from pilotage.adapters.git.runner import Runner, refuse_leaking_environment
from pilotage.adapters.git.values import Commit, Conflict, Entry, Identity, Read, Sha
from pilotage.core.rollout.watch import Relation

MEBIBYTE = 1024 * 1024
_PACKS = 50  # each fetch and each commit adds one, and every look-up may ask them all


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds after which a command is killed. A lease must have more than `network` left."""

    local: float = 60.0
    network: float = 120.0
    first_fetch: float = 1800.0


class GitStore:
    """Reads and writes one repository. Every method may be called from any thread.

    Reading costs one or two processes, however many files; `processes` counts them. What changes
    the store is done one at a time in this process; across processes the lease of `push` decides.
    """

    def __init__(
        self, runner: Runner, remote: Remote | None, shared: _Shared, timeouts: Timeouts
    ) -> None:
        self._runner, self._remote, self._shared = runner, remote, shared
        self._default_branch: str | None = None
        self.timeouts = timeouts

    @classmethod
    def open(
        cls,
        path: Path,
        url: str,
        credentials: Credentials = lambda: None,
        *,
        allow_protocols: Sequence[str] = ("https",),
        timeouts: Timeouts | None = None,
    ) -> GitStore:
        """Open the bare store at `path`, or make an empty one; nothing is fetched yet.

        `credentials` is called before each command that needs the network. Lock files that a
        killed process left are removed, unless another process has the store open.
        Raises InvalidName for the URL, and UnsafeEnvironment."""
        refuse_leaking_environment()
        names.url(url, allow_protocols)
        timeouts = timeouts or Timeouts()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)  # what is private stays so
        path = path.resolve()
        runner = Runner(path)
        shared = _Shared.of(path)
        with shared:
            if not (path / "HEAD").exists():
                runner.run("init", "--bare", "--quiet", "--template=", timeout=timeouts.local)
        remote = Remote(runner, url, tuple(allow_protocols), credentials)
        return cls(runner, remote, shared, timeouts)

    @classmethod
    def local(cls, path: Path) -> GitStore:
        """Read an existing clone (bare, or a work tree, or a folder inside one) as it is: no
        network, no writing. Its own branches are the heads, and the server's where it has none of
        that name. Raises NotARepository."""
        try:
            with Repo(path, search_parent_directories=True) as repo:
                git_dir = Path(repo.git_dir).resolve()
        except (InvalidGitRepositoryError, NoSuchPathError):
            raise NotARepository(f"{path} is not in a git repository") from None
        return cls(Runner(git_dir), None, _Shared(git_dir), Timeouts())

    @property
    def path(self) -> Path:
        return self._runner.git_dir

    @property
    def processes(self) -> int:
        """How many git commands were started so far."""
        return self._runner.processes

    # What the server has

    def fetch(self) -> Mapping[str, Sha]:
        """Bring all branches from the server and return their heads; gone ones are forgotten.

        Two processes, the second local. Raises a RemoteError."""
        remote = self._server()
        with self._shared:
            first = not self.heads()
            remote.fetch(self.timeouts.first_fetch if first else self.timeouts.network)
            self._shared.heads = None
            if len(list(self.path.glob("objects/pack/*.pack"))) > _PACKS:
                self.repack()
            heads = self.heads()
            known = self._default_branch
            if known is None or heads.get(known) != self._shared.server_head:
                self._default_branch = None  # renamed or switched: the server is asked anew
            return heads

    def heads(self) -> Mapping[str, Sha]:
        """The heads as of the last fetch or push; costs nothing after it."""
        with self._shared:
            if self._shared.heads is None:
                self._shared.heads = MappingProxyType(self._read_heads())
            return self._shared.heads

    def head(self, branch: str) -> Sha | None:
        return self.heads().get(names.branch(branch))

    def remote_head(self, branch: str) -> Sha | None:
        """Ask the server where a branch stands, without fetching. Raises a RemoteError."""
        return self._server().head(branch, self.timeouts.network)

    def default_branch(self) -> str | None:
        """As the server says; None for an empty repository. Asked once, and again when a fetch
        finds that branch gone, or the server's HEAD elsewhere: at another branch that stands where
        this one does it is not noticed before one of the two moves.
        For a local clone: the server's default as the clone knows it, else the current branch."""
        if self._default_branch is None:
            if self._remote is not None:
                self._default_branch = self._remote.default_branch(self.timeouts.network)
            else:
                self._default_branch = self._local_default_branch()
        return self._default_branch

    def origin(self) -> str:
        """Where a local clone was made from, as it is written there; empty when it says nothing."""
        out = self._runner.run(
            "config", "--get", "remote.origin.url", accept=(0, 1), timeout=self.timeouts.local
        )
        return out.stdout.decode("utf-8", "replace").strip()

    def push(
        self, sha: Sha, branch: str, expected: Sha | None, *, may_rewrite: bool = False
    ) -> None:
        """Put `branch` at `sha`, if it stands at `expected` (None: if it does not exist).

        Done already is done. A lost answer is recognised by looking. Unless `may_rewrite`, the
        commit must contain `expected`.
        Raises LeaseLost, NotFastForward, Protected, PushRefused, Unauthorised, Unreachable (then
        whether it took hold is not known) or another RemoteError."""
        remote = self._server()
        with self._shared:
            if expected is not None and not may_rewrite:
                contains = {Relation.SAME, Relation.DESCENDANT}
                if self.relation(expected, sha) not in contains:
                    raise NotFastForward(remote.url, branch, expected, sha)
            remote.push(branch, names.sha(sha), expected, self.timeouts.network)
            self._note(branch, sha)

    def delete_branch(self, branch: str, expected: Sha) -> None:
        """Remove a branch of the server, if it stands at `expected`; gone already is done.

        Raises as `push` does, and InvalidName for the default branch."""
        if branch == self.default_branch():
            raise InvalidName("branch", branch, "is the default branch, which is never removed")
        with self._shared:
            self._server().push(branch, None, names.sha(expected), self.timeouts.network)
            self._note(branch, None)

    # Reading: no lock, because objects never change

    def commit(self, sha: Sha) -> Commit:
        """Raises UnknownCommit."""
        return history.commit(self._runner, sha, self.timeouts.local)

    def relation(self, ours: Sha, other: Sha) -> Relation:
        """Where `other` stands, seen from `ours`. Raises UnknownCommit for `ours`."""
        return history.relation(self._runner, ours, other, self.timeouts.local)

    def first_parents(self, head: Sha, count: int) -> tuple[Commit, ...]:
        """`head` and its first parents, newest first. Raises UnknownCommit."""
        return history.first_parents(self._runner, head, count, self.timeouts.local)

    def log(
        self, since: Sha, until: Sha, prefixes: Sequence[str] = ("",), *, limit: int = 1000
    ) -> tuple[Commit, ...]:
        """Commits that `until` contains and `since` does not and that touch the prefixes,
        newest first. Raises UnknownCommit."""
        return history.between(self._runner, since, until, prefixes, limit, self.timeouts.local)

    def changed_paths(self, old: Sha, new: Sha, prefixes: Sequence[str] = ("",)) -> tuple[str, ...]:
        """Paths below the prefixes that differ between two commits. Raises UnknownCommit."""
        return history.changed_paths(self._runner, old, new, prefixes, self.timeouts.local)

    def list_files(self, commit: Sha, prefixes: Sequence[str]) -> tuple[Entry, ...]:
        """Everything below the prefixes that is not a directory; `""` is the whole repository.

        Costs what lies below the prefixes, not the repository. Raises UnknownCommit."""
        return files.list_below(self._runner, names.sha(commit), prefixes, self.timeouts.local)

    def read_files(
        self, commit: Sha, paths: Iterable[str], *, limit: int = MEBIBYTE
    ) -> Mapping[str, Read]:
        """What stands at each path: File, NotText, TooLarge (above `limit` bytes), NotAFile or
        Missing. Links are never followed. Raises UnknownCommit and InvalidName."""
        return files.read(self._runner, names.sha(commit), paths, limit, self.timeouts.local)

    def read_blobs(self, ids: Iterable[Sha]) -> Mapping[Sha, bytes]:
        """Contents by the ids of `list_files`, whole, in one process: what a cache lacks."""
        return files.read_blobs(self._runner, ids, self.timeouts.local)

    # Writing: objects only; nothing refers to them until they are pushed

    def write_commit(
        self,
        base: Sha,
        changes: Mapping[str, bytes | None],
        *,
        message: str,
        author: Identity,
        committer: Identity,
        when: datetime,
    ) -> Sha:
        """A commit on `base` in which these files have these contents (None: are removed).

        The same arguments always make the same SHA. Modes stay; a new file is 100644.
        Raises UnknownCommit, Unwritable (a link, submodule, directory or absent), EmptyCommit."""
        signature = writing.Signature(message, author, committer, when)
        with self._shared:
            self._server()
            return writing.commit_files(self._runner, base, changes, signature, self.timeouts.local)

    def write_commit_of_tree(
        self,
        parent: Sha,
        tree: Sha,
        *,
        message: str,
        author: Identity,
        committer: Identity,
        when: datetime,
    ) -> Sha:
        """A commit on `parent` whose whole content is `tree`. Raises UnknownCommit."""
        signature = writing.Signature(message, author, committer, when)
        with self._shared:
            self._server()
            return writing.commit_tree(self._runner, parent, tree, signature, self.timeouts.local)

    def revert_tree(self, merge: Sha, mainline_parent: Sha, head: Sha) -> Sha | Conflict:
        """The tree of `head` without what came with `merge`, or the paths that conflict.

        `mainline_parent` is what the branch had before: the first parent of a merge or squash
        commit, or of the first commit of a rebased range. Later changes elsewhere stay.
        Raises UnknownCommit, and InvalidName when `head` does not contain the merge."""
        with self._shared:
            self._server()
            return writing.reverted_tree(
                self._runner, merge, mainline_parent, head, self.timeouts.local
            )

    def repack(self) -> None:
        """Join small packs. `fetch` does so now and then; git itself never tidies here.
        Drops nothing, so a commit that is not pushed yet is safe."""
        with self._shared:
            self._runner.run(
                "repack", "--geometric=2", "-d", "-q", timeout=self.timeouts.first_fetch
            )

    def _server(self) -> Remote:
        if self._remote is None:
            raise Offline(f"{self.path} was opened for reading only")
        return self._remote

    def _note(self, branch: str, sha: Sha | None) -> None:
        known = {name: head for name, head in self.heads().items() if name != branch}
        self._shared.heads = MappingProxyType(known if sha is None else {**known, branch: sha})

    def _read_heads(self) -> dict[str, Sha]:
        bases = ["refs/remotes/origin/"] + (["refs/heads/"] if self._remote is None else [])
        out = self._runner.run(
            "for-each-ref", "--format=%(objectname) %(refname)", *bases, SERVER_HEAD,
            timeout=self.timeouts.local,
        )  # fmt: skip
        heads: dict[str, Sha] = {}
        self._shared.server_head = None
        for base in bases:  # a clone's own branches come last and win
            for line in out.stdout.decode("utf-8", "replace").splitlines():
                sha, _, ref = line.partition(" ")
                if ref == SERVER_HEAD:
                    self._shared.server_head = sha
                if ref.startswith(base) and ref != "refs/remotes/origin/HEAD":
                    heads[ref.removeprefix(base)] = sha
        return heads

    def _local_default_branch(self) -> str | None:
        for ref in ("refs/remotes/origin/HEAD", "HEAD"):
            out = self._runner.run(
                "symbolic-ref", "--quiet", ref, accept=(0, 1, 128), timeout=self.timeouts.local
            )
            name = out.stdout.decode("utf-8", "replace").strip()
            for base in ("refs/remotes/origin/", "refs/heads/"):
                if name.startswith(base):
                    return name.removeprefix(base)
        return None


class _Shared(AbstractContextManager[None]):
    """What all who open the same path in this process have in common: the mutex and the heads."""

    _known: ClassVar[weakref.WeakValueDictionary[Path, _Shared]] = weakref.WeakValueDictionary()
    _opening: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, path: Path) -> None:
        self._mutex = threading.RLock()
        self.heads: Mapping[str, Sha] | None = None
        self.server_head: Sha | None = None
        self.path = path

    @classmethod
    def of(cls, path: Path) -> _Shared:
        with cls._opening:
            known = cls._known.get(path)
            if known is None:
                known = cls._known[path] = cls(path)
                known._own()
            return known

    def __enter__(self) -> None:
        self._mutex.acquire()

    def __exit__(self, *_: object) -> None:
        self._mutex.release()

    def _own(self) -> None:
        """Mark the store as in use, and clean up after a killed process if no other uses it."""
        handle = os.open(self.path / "in-use", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        weakref.finalize(self, os.close, handle)
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for lock in self.path.rglob("*.lock"):
                lock.unlink(missing_ok=True)
