"""What can go wrong with git, as types that carry what the reader needs and never a credential."""

from __future__ import annotations


class GitError(Exception):
    """Every error of this package."""


class InvalidName(GitError):
    """A branch, SHA, path, URL or person that git must never be given. Nothing was run."""

    def __init__(self, kind: str, value: str, reason: str) -> None:
        super().__init__(f"{kind} {value!r} {reason}")
        self.kind, self.value, self.reason = kind, value, reason


class UnsafeEnvironment(GitError):
    """The process's environment would make git print credentials."""


class UnknownCommit(GitError):
    """The store holds no commit of this SHA; a fetch may bring it."""

    def __init__(self, sha: str) -> None:
        super().__init__(f"the store holds no commit {sha}; fetch, and look again")
        self.sha = sha


class Unwritable(GitError):
    """A link, a submodule, a directory, or nothing stands where a file was to be written."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"refusing to write {path!r}: {reason}")
        self.path, self.reason = path, reason


class EmptyCommit(GitError):
    """The files already have these contents on the base: there is nothing to commit."""

    def __init__(self, base: str) -> None:
        super().__init__(f"every file already has its new contents at {base}")
        self.base = base


class CommandFailed(GitError):
    """Git refused for a reason that has no type of its own. `stderr` is scrubbed."""

    def __init__(self, command: str, status: int, stdout: bytes, stderr: str) -> None:
        super().__init__(f"git {command} ended with {status}: {stderr.strip() or 'no message'}")
        self.command, self.status, self.stdout, self.stderr = command, status, stdout, stderr


class StoreFault(GitError):
    """The store on this machine does not work now; that says nothing of the server's repository."""


class TimedOut(StoreFault):
    """A local command exceeded its time and was killed with all its children."""

    def __init__(self, command: str, seconds: float) -> None:
        super().__init__(f"git {command} did not end within {seconds:g} s and was killed")
        self.command, self.seconds = command, seconds


class StoreLocked(StoreFault):
    """A lock file of a killed git is in the way; it is removed when the store is next opened."""


class StoreDamaged(StoreFault):
    """An object or ref cannot be read. The store is a cache: remove it, and open it again."""


class StoreUnusable(StoreFault):
    """The store is gone, or its disk is full or cannot be written."""


class IncompleteClone(GitError):
    """A partial clone lacks what was asked for, and nothing is fetched behind the reader's back."""


class NotARepository(GitError):
    """There is no git repository at this path."""


class Offline(GitError):
    """This store reads a local clone; it has no server to ask or to write to."""


class RemoteError(GitError):
    """Every error of talking to the server; `url` never has credentials in it."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url}: {reason}")
        self.url, self.reason = url, reason


class Unreachable(RemoteError):
    """The server did not answer, or not in time, or with a passing fault.

    Says nothing of the truth: after a push, the write may or may not have taken hold."""


class Unauthorised(RemoteError):
    """The server refused these credentials, or they may not do this (HTTP 401 and 403)."""


class RepositoryMissing(RemoteError):
    """HTTP 404: no such repository, or one that these credentials may not see."""


class Moved(RemoteError):
    """The server redirects elsewhere, and credentials do not follow: settings need the new URL."""


class LeaseLost(RemoteError):
    """The branch is not where it was expected to be; nothing was written.

    `actual` is where it stands (None: there is no such branch)."""

    def __init__(self, url: str, branch: str, expected: str | None, actual: str | None) -> None:
        super().__init__(
            url, f"{branch} is at {actual or 'no commit'}, expected {expected or 'no such branch'}"
        )
        self.branch, self.expected, self.actual = branch, expected, actual


class NotFastForward(RemoteError):
    """The commit does not contain the branch's head, and rewriting was not asked for."""

    def __init__(self, url: str, branch: str, expected: str, sha: str) -> None:
        super().__init__(url, f"{sha} does not contain {expected}, the head of {branch}")
        self.branch, self.expected, self.sha = branch, expected, sha


class PushRefused(RemoteError):
    """The server's hooks refused the write; `message` is what they said."""

    def __init__(self, url: str, branch: str, message: str) -> None:
        super().__init__(url, f"the server refused {branch}: {message}")
        self.branch, self.message = branch, message


class Protected(PushRefused):
    """Branch protection (GH006) or a repository rule (GH013) refused the write."""
