"""What can go wrong with GitHub, as types that carry what the reader needs and never a credential.

Three questions decide what a caller does: may it have taken hold (`Unreachable`), when may it be
tried again (`RateLimited`), or must a person act (everything that GitHub refused).
"""

from __future__ import annotations

from datetime import datetime


class GitHubError(Exception):
    """Every error of this package: what was asked, where, why it failed, what to do next."""

    def __init__(self, what: str, where: str, why: str, next_step: str) -> None:
        super().__init__(f"{what} failed: {why} ({where}). {next_step}")
        self.what, self.where, self.why, self.next_step = what, where, why, next_step


class RateLimited(GitHubError):
    """GitHub asks for patience; nothing was done. Ask again at `until`, not before."""

    def __init__(self, what: str, where: str, why: str, until: datetime) -> None:
        super().__init__(what, where, why, f"It is tried again after {until:%d %b %H:%M:%S} UTC.")
        self.until = until


class Unreachable(GitHubError):
    """No usable answer: a time-out, a broken connection, a 5xx. It says nothing of the truth.

    `may_have_taken_hold`: it was a write that GitHub may have done all the same; look before
    writing it again.
    """

    def __init__(self, what: str, where: str, why: str, may_have_taken_hold: bool) -> None:
        step = (
            "It may have taken hold: it is looked up before it is tried again."
            if may_have_taken_hold
            else "It is tried again."
        )
        super().__init__(what, where, why, step)
        self.may_have_taken_hold = may_have_taken_hold


class UnexpectedAnswer(Unreachable):
    """An answer that is not what GitHub documents: nothing was learned from it."""


class Unauthorised(GitHubError):
    """GitHub does not know these credentials (401), or the App's key signs nothing valid."""


class Forbidden(GitHubError):
    """The credentials are good and may not do this (403)."""


class NotFound(GitHubError):
    """It does not exist, or these credentials may not see it: GitHub tells the same of both."""


class NotInstalled(NotFound):
    """The GitHub App is not installed on this repository or organisation."""


class Renamed(NotFound):
    """The repository has another name or owner now, and writes do not follow."""


class Refused(GitHubError):
    """GitHub said no for a reason that a repetition does not change (422 and other 4xx).

    `message` is what it said; `reasons` are the single complaints of a 422.
    """

    def __init__(
        self,
        what: str,
        where: str,
        message: str,
        *,
        status: int,
        reasons: tuple[str, ...] = (),
        next_step: str = "A repetition would be refused again: change what the message names.",
    ) -> None:
        why = "; ".join((f"GitHub answered {status}: {message}", *reasons))
        super().__init__(what, where, why, next_step)
        self.message, self.status, self.reasons = message, status, reasons


class Conflict(Refused):
    """Something stands in the way at this moment (409). Read again, then decide."""


class Moved(Conflict):
    """The head of the pull request is not the commit that was to be merged."""


class NotMergeable(Refused):
    """The merge is closed: a conflict, a required check, a rule. `message` says which."""


class BaseModified(Refused):
    """The base branch moved while GitHub merged; the same merge may succeed at the next try."""
