"""Talks to the server: fetch, look, push. Every answer it can give has a type."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import SecretStr

from pilotage.adapters.git import names
from pilotage.adapters.git.errors import (
    CommandFailed,
    LeaseLost,
    Moved,
    Protected,
    PushRefused,
    RemoteError,
    RepositoryMissing,
    TimedOut,
    Unauthorised,
    UnknownCommit,
    Unreachable,
)
from pilotage.adapters.git.runner import GitCredentials, Output, Runner
from pilotage.adapters.git.values import Sha

Credentials = Callable[[], GitCredentials | None]

# Not a mirror: a mirror's refspec would make every push delete branches.
_HEADS = "+refs/heads/*:refs/remotes/origin/*"
SERVER_HEAD = "refs/pilotage/HEAD"
"""Where the server's HEAD stood at the last fetch: it comes with the branches, for nothing."""
# A pattern, although only HEAD fits it: one that finds nothing (an empty repository) is no error.
_SERVER_HEAD = f"+HEAD*:{SERVER_HEAD}*"


@dataclass(frozen=True, slots=True)
class Remote:
    """One repository on a server. `credentials` is asked anew for each command, because the
    tokens of a GitHub App live for an hour."""

    runner: Runner
    url: str
    allow_protocols: tuple[str, ...]
    credentials: Credentials

    def fetch(self, timeout: float) -> None:
        """Bring all branches, forget those that are gone.

        Not `--atomic`: git 2.39 then fails where `a/b` is gone and `a` is new."""
        self._run(
            "fetch", "--prune", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
            "--no-recurse-submodules", "origin", timeout=timeout,
        )  # fmt: skip

    def head(self, branch: str, timeout: float) -> Sha | None:
        """Where the branch stands on the server right now."""
        ref = f"refs/heads/{names.branch(branch)}"
        out = self._run("ls-remote", "origin", ref, timeout=timeout)
        for line in out.stdout.decode("utf-8", "replace").splitlines():
            sha, _, name = line.partition("\t")
            if name == ref:
                return names.sha(sha)
        return None

    def default_branch(self, timeout: float) -> str | None:
        """The branch that the server's HEAD names; None while the repository is empty."""
        out = self._run("ls-remote", "--symref", "origin", "HEAD", timeout=timeout)
        found = re.match(rb"ref: refs/heads/([^\t\n]+)\tHEAD", out.stdout)
        return names.branch(found[1].decode("utf-8", "replace")) if found else None

    def push(self, branch: str, sha: Sha | None, expected: Sha | None, timeout: float) -> None:
        """Put the branch at `sha` (None: remove it) if it stands at `expected` (None: if there
        is no such branch). When the answer was lost, look whether the write took hold."""
        ref = f"refs/heads/{names.branch(branch)}"
        lease = f"--force-with-lease={ref}:{names.sha(expected) if expected else ''}"
        change = f"{names.sha(sha) if sha else ''}:{ref}"
        rejected: _Rejected | None = None
        try:
            self._run(
                "push", "--porcelain", "--no-verify", lease, "origin", change, timeout=timeout
            )
        except _Rejected as answer:
            rejected = answer
        except CommandFailed as error:
            raise UnknownCommit(sha) if sha and _BAD_OBJECT in error.stderr else error from None
        except Unreachable as lost:
            if not self._took_hold(branch, sha, timeout):
                raise lost from None
        if rejected is not None:
            self._judge(rejected, branch, sha, expected, timeout)

    def _judge(
        self, out: _Rejected, branch: str, sha: Sha | None, expected: Sha | None, timeout: float
    ) -> None:
        """Tell a refused push from one that lost a race, and from one that was done before."""
        refused = re.search(r"^!\t.*\[remote rejected\] \((.*)\)$", out.stdout, re.MULTILINE)
        hints = "\n".join(re.findall(r"^remote: ?(.*?)\s*$", out.stderr, re.MULTILINE)).strip()
        reason = refused[1] if refused else ""
        if re.search(r"\bGH0(06|13)\b", hints) or "protected branch" in reason:
            raise Protected(self.url, branch, hints or reason)
        if "hook declined" in reason or "denied" in reason or "prohibited" in reason:
            raise PushRefused(self.url, branch, hints or reason)
        actual = self.head(branch, timeout)
        if actual == sha:
            return
        if actual != expected:
            raise LeaseLost(self.url, branch, expected, actual)
        raise PushRefused(self.url, branch, hints or reason or (out.stdout + out.stderr).strip())

    def _took_hold(self, branch: str, sha: Sha | None, timeout: float) -> bool:
        try:
            return self.head(branch, timeout) == sha
        except RemoteError:
            return False

    def _run(self, *arguments: str, timeout: float) -> Output:
        credentials = self.credentials()
        config: list[tuple[str, str | SecretStr]] = [
            ("remote.origin.url", self.url),
            ("remote.origin.fetch", _HEADS),
            ("remote.origin.fetch", _SERVER_HEAD),
        ]
        config += [(f"protocol.{name}.allow", "always") for name in self.allow_protocols]
        secrets: list[SecretStr] = []
        if credentials is not None:
            key = f"http.{names.origin_of(self.url)}.extraHeader"
            config.append((key, credentials.header()))
            secrets = [credentials.password, credentials.encoded()]
        try:
            return self.runner.run(*arguments, timeout=timeout, config=config, secrets=secrets)
        except TimedOut as slow:
            raise Unreachable(self.url, f"no answer within {slow.seconds:g} s") from None
        except CommandFailed as error:
            raise _failure(self.url, error) from None


class _Rejected(Exception):
    """The server said no: in git's lines for machines, and in its own words."""

    def __init__(self, stdout: bytes, stderr: str) -> None:
        super().__init__(stderr)
        self.stdout, self.stderr = stdout.decode("utf-8", "replace"), stderr


_BAD_OBJECT = "fatal: bad object"
_UNAUTHORISED = (
    r"Authentication failed",
    r"could not read (Username|Password)",
    r"returned error: 40[13]",
)
_MISSING = (r"repository '.*' not found", r"returned error: 404")
_MOVED = (r"returned error: 30[1278]", r"unable to update url base from redirection")
_PASSING = (
    r"returned error: (408|429|5\d\d)",
    r"Could not resolve host",
    r"Failed to connect|Couldn't connect|Connection (refused|reset|timed out)",
    r"[Oo]peration (too slow|timed out)|timed out",
    r"RPC failed|[Ee]mpty reply|early EOF|hung up|unexpected disconnect|transfer closed",
    r"SSL (certificate|connect)|gnutls_handshake|certificate verif",
    # what git says of an answer that is not one of git's: a proxy's page, half an answer
    r"protocol error|bad line length|length header|invalid (ls-refs|server|index-pack)",
    r"expected flush|expected .* got|unexpected (end|response|answer)|unable to parse remote",
    r"not valid: is this a git repository|did not send all necessary objects|unable to access",
)


def _failure(url: str, error: CommandFailed) -> RemoteError | _Rejected | CommandFailed:
    text = error.stderr.strip()
    kinds: tuple[tuple[tuple[str, ...], type[RemoteError]], ...] = (
        (_UNAUTHORISED, Unauthorised),
        (_MISSING, RepositoryMissing),
        (_MOVED, Moved),
        (_PASSING, Unreachable),
    )
    if _BAD_OBJECT in text:  # git then also says that the server hung up
        return error
    if error.command == "push" and re.search(rb"^!\t", error.stdout, re.MULTILINE):
        return _Rejected(error.stdout, error.stderr)
    for patterns, kind in kinds:
        if any(re.search(pattern, text) for pattern in patterns):
            return kind(url, text)
    return error
