"""Reads commits and how they relate. One process for each question."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pilotage.adapters.git import names
from pilotage.adapters.git.errors import CommandFailed, UnknownCommit
from pilotage.adapters.git.runner import Output, Runner
from pilotage.adapters.git.values import Commit, Identity, Sha
from pilotage.core.rollout.watch import Relation

# A line each, because names can hold any separator but newline and NUL; the message comes last.
_FORMAT = "--format=%H%n%T%n%P%n%an%n%ae%n%at%n%cn%n%ce%n%ct%n%B"
_UNKNOWN = (
    "bad object",
    "bad revision",
    "unknown revision",
    "Invalid symmetric difference expression",
    "Invalid revision range",
)


def commit(runner: Runner, sha: Sha, timeout: float) -> Commit:
    found = _log(runner, timeout, "--no-walk", names.sha(sha), unknown=(sha,))
    if not found:  # a blob or a tree
        raise UnknownCommit(sha)
    return found[0]


def first_parents(runner: Runner, head: Sha, count: int, timeout: float) -> tuple[Commit, ...]:
    """`head` and its first parents, newest first, at most `count` commits."""
    return _log(
        runner,
        timeout,
        "--first-parent",
        f"--max-count={int(count)}",
        names.sha(head),
        unknown=(head,),
    )


def between(
    runner: Runner, since: Sha, until: Sha, prefixes: Sequence[str], limit: int, timeout: float
) -> tuple[Commit, ...]:
    """Commits that `until` contains and `since` does not, and that touch the prefixes."""
    below = names.prefixes(prefixes)
    if below == ():
        return ()
    span = f"{names.sha(since)}..{names.sha(until)}"
    bound = f"--max-count={int(limit)}"
    unknown = (since, until)
    return _log(runner, timeout, bound, span, "--", *(below or ()), unknown=unknown)


def relation(runner: Runner, ours: Sha, other: Sha, timeout: float) -> Relation:
    """Where `other` stands, seen from `ours`; costs the commits that lie between them."""
    span = f"{names.sha(ours)}...{names.sha(other)}"
    try:
        out = runner.run("rev-list", "--left-right", "--count", span, timeout=timeout)
    except CommandFailed as error:
        if not _is_about_unknown(error):
            raise
        if ours in missing_commits(runner, (ours, other), timeout):
            raise UnknownCommit(ours) from None
        return Relation.UNKNOWN
    only_ours, only_other = (int(count) for count in out.stdout.split())
    match only_ours > 0, only_other > 0:
        case False, False:
            return Relation.SAME
        case False, True:
            return Relation.DESCENDANT
        case True, False:
            return Relation.ANCESTOR
        case _:
            # A shallow clone lacks the history that would show one to contain the other.
            return Relation.UNKNOWN if _is_shallow(runner) else Relation.DIVERGED


def changed_paths(
    runner: Runner, old: Sha, new: Sha, prefixes: Sequence[str], timeout: float
) -> tuple[str, ...]:
    """Paths that differ between two commits; a rename is a removal and an addition."""
    below = names.prefixes(prefixes)
    if below == ():
        return ()
    command = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff")
    ends = tuple(f"{names.sha(sha)}^{{commit}}" for sha in (old, new))
    try:
        out = runner.run(*command, *ends, "--", *(below or ()), timeout=timeout)
    except CommandFailed as error:
        raise _unknown(runner, error, (old, new), timeout) from None
    return tuple(raw.decode("utf-8", "surrogateescape") for raw in out.stdout.split(b"\0")[:-1])


def missing_commits(runner: Runner, shas: Sequence[Sha], timeout: float) -> tuple[Sha, ...]:
    """Those of the SHAs that the store does not hold as commits."""
    request = "".join(f"{sha}\n" for sha in shas).encode("ascii")
    out = runner.run("cat-file", "--batch-check", stdin=request, timeout=timeout)
    answers = out.stdout.decode("ascii").splitlines()
    return tuple(
        sha for sha, answer in zip(shas, answers, strict=True) if answer.split(" ")[1] != "commit"
    )


def _log(
    runner: Runner, timeout: float, *arguments: str, unknown: Sequence[Sha]
) -> tuple[Commit, ...]:
    try:
        out = runner.run("log", "-z", "--no-color", _FORMAT, *arguments, timeout=timeout)
    except CommandFailed as error:
        raise _unknown(runner, error, unknown, timeout) from None
    return _parse(out)


def _parse(out: Output) -> tuple[Commit, ...]:
    text = out.stdout.decode("utf-8", "replace")
    return tuple(_commit(record) for record in text.split("\0") if record)


def _commit(record: str) -> Commit:
    sha, tree, parents, an, ae, at, cn, ce, ct, message = record.split("\n", 9)
    return Commit(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author=Identity(an, ae),
        authored_at=_time(at),
        committer=Identity(cn, ce),
        committed_at=_time(ct),
        message=message.rstrip("\n"),
    )


def _time(seconds: str) -> datetime:
    """A commit can carry any date; one that no calendar holds is shown as the epoch."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _is_about_unknown(error: CommandFailed) -> bool:
    return any(text in error.stderr for text in _UNKNOWN)


def _unknown(
    runner: Runner, error: CommandFailed, shas: Sequence[Sha], timeout: float
) -> CommandFailed | UnknownCommit:
    if not _is_about_unknown(error):
        return error
    missing = missing_commits(runner, shas, timeout)
    return UnknownCommit(missing[0]) if missing else error


def _is_shallow(runner: Runner) -> bool:
    """`shallow` lies beside the objects, which a linked work tree shares with its clone."""
    common = runner.git_dir / "commondir"
    root = runner.git_dir
    if common.is_file():
        root = (root / common.read_text().strip()).resolve()
    return (root / "shallow").exists()
