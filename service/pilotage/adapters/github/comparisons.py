"""What lies between two tags or commits of a repository: one request, two where it goes wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pilotage.adapters.github import errors
from pilotage.adapters.github.answers import Answer, CommitId, Link
from pilotage.adapters.github.calls import Calls, InRepository
from pilotage.adapters.github.paths import segment
from pilotage.core.comparison import Answer as Told
from pilotage.core.comparison import Compared, Direction, NotCompared, Span, told_by


class _Author(Answer):
    """Also `{}`, which GitHub gives for some accounts that are no more."""

    login: str | None = None


class _Text(Answer):
    message: str


class _Commit(Answer):
    sha: CommitId
    author: _Author | None
    commit: _Text


class _Comparison(Answer):
    html_url: Link
    status: Literal["ahead", "behind", "diverged", "identical"]
    ahead_by: int
    behind_by: int
    commits: list[_Commit]


class _Found(Answer):
    sha: CommitId


def compare(calls: Calls, span: Span) -> Told:
    """Never raises a GitHubError: nobody waits for this, so that why it failed is an answer.

    Without paging GitHub lists the newest 250 commits, oldest first, and counts them all.
    """
    if span.unaskable is not None:
        return NotCompared(span.unaskable, absent=True)
    what = f"comparing {span.before} with {span.after}"
    path = f"/compare/{segment(span.before)}...{segment(span.after)}"
    try:
        found = InRepository(calls, span.repository).get(_Comparison, path, what)
    except ValueError:
        return NotCompared(f"{span.repository} is no repository", absent=True)
    except errors.GitHubError as error:
        return _failure(calls, span, error)
    rows = ((row.sha, row.commit.message, _login(row)) for row in found.commits)
    commits, pull_requests = told_by(span.repository, rows)
    return Compared(
        url=found.html_url,
        direction=Direction(found.status),
        added=found.ahead_by,
        removed=found.behind_by,
        commits=commits,
        pull_requests=pull_requests,
    )


def _login(row: _Commit) -> str | None:
    return row.author.login if row.author is not None else None


def _failure(calls: Calls, span: Span, error: errors.GitHubError) -> NotCompared:
    """One sentence for each kind of failure: it stands in the body, and must not change with
    every try."""
    repository = span.repository
    match error:
        case errors.RateLimited(until=until):
            return _limited(until)
        case errors.NotInstalled():
            return NotCompared(f"the GitHub App is not installed on {repository}")
        case errors.Renamed():
            return NotCompared(f"{repository} has another name now")
        case errors.NotFound() if "No common ancestor" in error.why:
            return NotCompared(f"{span.before} and {span.after} have no history in common")
        case errors.NotFound():
            return _not_found(calls, span)
        case errors.Forbidden() | errors.Unauthorised():
            return NotCompared(f"the credentials may not read {repository} (Contents: read)")
        case errors.Refused():
            return NotCompared(f"GitHub does not compare them: {error.message}")
        case _:
            return NotCompared("GitHub gave no usable answer; it is asked again")


def _not_found(calls: Calls, span: Span) -> NotCompared:
    """GitHub answers the same for what is not there and for what may not be seen. What it says of
    one of the two tags tells them apart."""
    what = f"looking for {span.after}"
    path = f"/commits/{segment(span.after)}"
    try:
        InRepository(calls, span.repository).get(_Found, path, what)
    except errors.Refused:
        return NotCompared(f"{span.repository} has no tag {span.after}", absent=True)
    except errors.RateLimited as limited:
        return _limited(limited.until)
    except errors.NotFound:
        reason = f"{span.repository} is not there, or the credentials may not read it"
        return NotCompared(f"{reason} (Contents: read)")
    except errors.GitHubError:
        return NotCompared("GitHub gave no usable answer; it is asked again")
    return NotCompared(f"{span.repository} has no tag {span.before}", absent=True)


def _limited(until: datetime) -> NotCompared:
    return NotCompared("GitHub limits the rate of calls; it is asked later", until=until)
