"""What happens once. Each act is recorded before it is done and looked up before it is done again.

The key names it for ever; what is stored with it is all that a retry needs to do the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from pilotage.core.model import Sha


@dataclass(frozen=True, slots=True)
class CommitBranch:
    """Write a set of files on top of `base` and let the promotion's branch point there."""

    key: str
    promotion: str
    branch: str
    base: Sha
    expected: Sha | None
    """Where the branch must point now; None: it must not exist."""
    files: Mapping[str, str]
    message: str
    at: datetime
    kind: Literal["commit_branch"] = "commit_branch"


@dataclass(frozen=True, slots=True)
class OpenPullRequest:
    """Its body is an output of the same decision."""

    key: str
    promotion: str
    branch: str
    base_branch: str
    title: str
    marker: str
    kind: Literal["open_pull_request"] = "open_pull_request"


@dataclass(frozen=True, slots=True)
class ClosePullRequest:
    key: str
    promotion: str
    number: int
    comment: str
    kind: Literal["close_pull_request"] = "close_pull_request"


@dataclass(frozen=True, slots=True)
class WriteFiles:
    """The whole texts of the files that change (None: is removed); the rest of the base stays."""

    files: Mapping[str, str | None]
    kind: Literal["write_files"] = "write_files"


@dataclass(frozen=True, slots=True)
class ReverseMerge:
    """The base without what `merge` brought on top of `parent`: `tree`, as it was decided upon.

    Whoever retries makes the tree anew, since it may lack the objects, and holds it to this one.
    """

    merge: Sha
    parent: Sha
    tree: Sha
    kind: Literal["reverse_merge"] = "reverse_merge"


RevertContents: TypeAlias = WriteFiles | ReverseMerge


@dataclass(frozen=True, slots=True)
class RevertCommit:
    """Put old values back by a commit on the base branch (or by a pull request where it must be).

    The commit goes to a side branch first, gets `pilotage/ready` there, and is then pushed
    fast-forward to the base branch.
    """

    key: str
    promotion: str
    services: tuple[str, ...]
    base: Sha
    base_branch: str
    side_branch: str
    contents: RevertContents
    title: str
    message: str
    at: datetime
    by_pull_request: bool
    kind: Literal["revert_commit"] = "revert_commit"


@dataclass(frozen=True, slots=True)
class SyncApplication:
    key: str
    promotion: str
    application: str
    kind: Literal["sync_application"] = "sync_application"


@dataclass(frozen=True, slots=True)
class TerminateOperation:
    """`operation` is the identity of the one that must go; another one stays."""

    key: str
    promotion: str
    application: str
    operation: str
    kind: Literal["terminate_operation"] = "terminate_operation"


MessageKind: TypeAlias = Literal[
    "opened", "confirmed", "held", "reverted", "outside_gate", "blocked"
]


@dataclass(frozen=True, slots=True)
class Notify:
    key: str
    promotion: str
    event: MessageKind
    channels: tuple[str, ...]
    title: str
    text: str
    url: str
    kind: Literal["notify"] = "notify"


@dataclass(frozen=True, slots=True)
class AnswerComment:
    """React to a comment command, and say why when it was refused."""

    key: str
    promotion: str
    number: int
    comment: int
    reaction: Literal["+1", "-1", "eyes"]
    reply: str | None = None
    part: str = ""
    """Which command of several in the comment: each has a reply of its own."""
    kind: Literal["answer_comment"] = "answer_comment"


Act: TypeAlias = (
    CommitBranch
    | OpenPullRequest
    | ClosePullRequest
    | RevertCommit
    | SyncApplication
    | TerminateOperation
    | Notify
    | AnswerComment
)


@dataclass(frozen=True, slots=True)
class Committed:
    """The branch points at `sha`."""

    sha: Sha
    kind: Literal["committed"] = "committed"


@dataclass(frozen=True, slots=True)
class Opened:
    number: int
    url: str
    kind: Literal["opened"] = "opened"


@dataclass(frozen=True, slots=True)
class Reverted:
    """The revert is on the base branch at `sha`, or waits in a pull request (`sha` is None)."""

    sha: Sha | None
    pull_request: int | None = None
    url: str = ""
    why_waiting: str = ""
    kind: Literal["reverted"] = "reverted"


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing to keep but that it happened."""

    note: str = ""
    kind: Literal["done"] = "done"


@dataclass(frozen=True, slots=True)
class Outrun:
    """The world moved on before it could be done (a branch moved, a pull request was closed).

    Not an error: the next decision looks again.
    """

    reason: str
    kind: Literal["outrun"] = "outrun"


@dataclass(frozen=True, slots=True)
class Refused:
    """The outside said no, and will go on saying no: a person is asked."""

    reason: str
    kind: Literal["refused"] = "refused"


Result: TypeAlias = Committed | Opened | Reverted | Done | Outrun | Refused
