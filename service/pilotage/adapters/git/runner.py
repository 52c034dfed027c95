"""Runs one git command: its environment, its time, its credentials, its end.

GitPython starts the process and nothing else; it is never asked for commits, trees or blobs,
because those leave children behind. Nothing secret is ever an argument: credentials and
configuration go by environment (`GIT_CONFIG_COUNT`), which other users cannot read.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from git import Git
from pydantic import SecretStr

from pilotage.adapters.git.errors import (
    CommandFailed,
    GitError,
    IncompleteClone,
    StoreDamaged,
    StoreLocked,
    StoreUnusable,
    TimedOut,
    UnsafeEnvironment,
)

_GRACE = 2.0  # seconds between asking git to end, so that it removes its lock files, and killing it

# The only variables of git that the outside may set, and those that are ours; all others are
# dropped, so that neither a hook that we run in (GIT_INDEX_FILE) nor a debugging switch
# (GIT_TRACE_CURL) reaches git.
_KEPT = re.compile(
    r"GIT_(EXEC_PATH|SSL_(CAINFO|CAPATH|CERT|KEY|VERSION)|PROXY_SSL_\w+"
    r"|DIR|CONFIG_(COUNT|(KEY|VALUE)_\d+))"
)

_FIXED_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",  # empty also keeps git from falling back to SSH_ASKPASS
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",  # a path is never a pattern
    "LC_ALL": "C",  # messages are recognised by their English text
}

_FIXED_CONFIG = (
    ("core.hooksPath", os.devnull),
    # Packs are synced to the disk at once, loose objects each by themselves: 100 ms for a commit.
    ("fastimport.unpackLimit", "0"),
    ("fetch.unpackLimit", "1"),
    ("core.quotePath", "false"),
    ("gc.auto", "0"),  # a detached gc becomes a zombie in a container
    ("maintenance.auto", "false"),
    ("credential.helper", ""),
    ("log.showSignature", "false"),
    ("http.followRedirects", "false"),  # the credential's header would follow to another host
    ("http.lowSpeedLimit", "1000"),  # bytes per second
    ("http.lowSpeedTime", "30"),  # seconds
    ("protocol.allow", "never"),
)


@dataclass(frozen=True, slots=True)
class GitCredentials:
    """A user name and a password or token, sent as HTTP basic authentication."""

    username: str
    password: SecretStr

    def encoded(self) -> SecretStr:
        pair = f"{self.username}:{self.password.get_secret_value()}".encode()
        return SecretStr(base64.b64encode(pair).decode("ascii"))

    def header(self) -> SecretStr:
        return SecretStr(f"Authorization: Basic {self.encoded().get_secret_value()}")


@dataclass(frozen=True, slots=True)
class Output:
    """What a command answered. `stderr` is scrubbed of credentials."""

    command: str
    status: int
    stdout: bytes
    stderr: str


@dataclass(slots=True)
class Runner:
    """Runs git in one repository. `processes` counts the commands that were started."""

    git_dir: Path
    processes: int = 0
    _counting: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def run(
        self,
        *arguments: str,
        timeout: float,
        stdin: bytes | None = None,
        accept: Iterable[int] = (0,),
        config: Iterable[tuple[str, str | SecretStr]] = (),
        secrets: Iterable[SecretStr] = (),
    ) -> Output:
        """Run `git ARGUMENTS` and wait for its end, at most `timeout` seconds.

        Raises TimedOut, and for a status that is not accepted StoreLocked, StoreDamaged,
        StoreUnusable, IncompleteClone or CommandFailed."""
        command = arguments[0]
        with self._counting:
            self.processes += 1
        started = Git(self.git_dir).execute(
            [*_dropping_foreign_variables(), "git", *arguments],
            istream=None if stdin is None else subprocess.PIPE,
            as_process=True,
            env=self._environment((*_FIXED_CONFIG, *config)),  # in no local variable: tracebacks
            start_new_session=True,  # so that git-remote-http can be killed along with git
        )
        process = started.proc
        assert process is not None
        try:
            stdout, stderr = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            _end_group(process)
            raise TimedOut(command, timeout) from None
        except BaseException:
            _end_group(process)
            raise
        message = scrub(stderr.decode("utf-8", "replace"), secrets)
        output = Output(command, process.returncode, stdout, message)
        if output.status not in accept:
            raise failure(output, self.git_dir)
        return output

    def _environment(self, settings: Sequence[tuple[str, str | SecretStr]]) -> Mapping[str, str]:
        numbered = {"GIT_CONFIG_COUNT": str(len(settings))}
        for number, (key, value) in enumerate(settings):
            numbered[f"GIT_CONFIG_KEY_{number}"] = key
            numbered[f"GIT_CONFIG_VALUE_{number}"] = (
                value.get_secret_value() if isinstance(value, SecretStr) else value
            )
        # HOME, because libcurl would read the credentials of a ~/.netrc.
        where = {"GIT_DIR": str(self.git_dir), "HOME": str(self.git_dir)}
        return {**_FIXED_ENVIRONMENT, **where, **numbered}


def failure(output: Output, git_dir: Path) -> GitError:
    """The typed error of a local command that failed."""
    if re.search(r"Unable to create '.*\.lock': File exists", output.stderr):
        return StoreLocked(f"{git_dir} is locked: {output.stderr.strip()}")
    if "lazy fetching disabled" in output.stderr:
        return IncompleteClone(
            f"{git_dir} is a partial clone that lacks some contents; complete it with "
            "'git fetch --refetch --no-filter', or use a full clone"
        )
    damaged = r"is corrupt|object file .* is empty|unable to read tree|bad object refs/|inflate:"
    if re.search(damaged, output.stderr):
        return StoreDamaged(
            f"{git_dir} is damaged and must be removed (the next start fetches it anew): "
            f"{output.stderr.strip()}"
        )
    unusable = (
        r"not a git repository|Unable to read current working directory|No space left"
        r"|quota exceeded|Read-only file system"
    )
    if re.search(unusable, output.stderr):
        return StoreUnusable(f"{git_dir} cannot be used: {output.stderr.strip()}")
    return CommandFailed(output.command, output.status, output.stdout, output.stderr)


def scrub(text: str, secrets: Iterable[SecretStr]) -> str:
    """The text without the secrets, and without the user part of any URL."""
    for secret in secrets:
        if secret:
            text = text.replace(secret.get_secret_value(), "***")
    text = re.sub(r"(?i)(authorization: *\w+ +)\S+", r"\1***", text)
    return re.sub(r"(\w+://)[^/\s@]+@", r"\1***@", text)


def refuse_leaking_environment() -> None:
    """Raises UnsafeEnvironment when the operator asked git to print credentials."""
    if os.environ.get("GIT_TRACE_REDACT", "1").lower() in {"0", "false", "no", "off", ""}:
        raise UnsafeEnvironment(
            "GIT_TRACE_REDACT is off, which makes git print credentials; unset it and start again"
        )


def _dropping_foreign_variables() -> tuple[str, ...]:
    foreign = [
        name
        for name in os.environ
        if name.startswith("GIT_") and name not in _FIXED_ENVIRONMENT and not _KEPT.fullmatch(name)
    ]
    return ("env", *(part for name in foreign for part in ("-u", name))) if foreign else ()


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End git and the helpers it started: killing git alone leaves `git-remote-http` behind."""
    for how, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=patience)
            return
