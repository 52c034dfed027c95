"""What the forge (GitHub) shows, and what the service wants readable there: plain values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pilotage.core.model import Sha


class StatusState(StrEnum):
    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


READY = "pilotage/ready"
"""The one context that branch protection requires."""
DESCRIPTION_LIMIT = 140
BODY_LIMIT = 65_536


_MARKER = re.compile(r"<!-- pilotage:([A-Za-z0-9][A-Za-z0-9._:/-]{0,199}) -->")


def hidden(marker: str) -> str:
    """A marker as it stands, unseen by readers, in a body or a comment.

    Raises ValueError for a marker that would not be found again.
    """
    text = f"<!-- pilotage:{marker} -->"
    if not _MARKER.fullmatch(text):
        raise ValueError(f"not a marker: {marker!r}")
    return text


def marker_in(text: str) -> str | None:
    """The first hidden marker in a text. Anybody can write one: look at the author as well."""
    found = _MARKER.search(text)
    return found[1] if found else None


@dataclass(frozen=True, slots=True)
class Status:
    """`description` is one line of at most 140 characters, as GitHub keeps it; more is cut."""

    state: StatusState
    description: str
    url: str | None = None

    def __post_init__(self) -> None:
        line = " ".join(self.description.split())
        if len(line) > DESCRIPTION_LIMIT:
            line = line[: DESCRIPTION_LIMIT - 1].rstrip() + "…"
        object.__setattr__(self, "description", line)


@dataclass(frozen=True, slots=True)
class Review:
    """The newest verdict of one reviewer; a comment counts only where there is no verdict."""

    by: str
    state: Literal["approved", "changes_requested", "commented", "dismissed", "pending"]
    commit: Sha | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class PullRequest:
    """One pull request, as one reading of the forge gave it."""

    number: int
    url: str
    title: str
    body: str
    author: str
    head: Sha
    head_branch: str
    head_repository: str | None
    base_branch: str
    open: bool
    merged: bool
    merged_by: str | None
    merged_at: datetime | None
    merge_commit: Sha | None
    closed_by: str | None
    closed_at: datetime | None
    commits: int
    labels: frozenset[str]
    assignees: frozenset[str]
    requested_reviewers: frozenset[str]
    requested_teams: frozenset[str]
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PullRequestBrief:
    """A row of the list of open pull requests."""

    number: int
    url: str
    author: str
    head: Sha
    head_branch: str
    head_repository: str | None
    updated_at: datetime
    body_marker: str | None
    """The hidden marker of a pull request of ours, when its body carries one."""


@dataclass(frozen=True, slots=True)
class Comment:
    id: int
    author: str
    body: str
    created_at: datetime

    @property
    def marker(self) -> str | None:
        return marker_in(self.body)


@dataclass(frozen=True, slots=True)
class PullRequestCommit:
    """A commit of a pull request; `author` is the account, where GitHub knows one."""

    sha: Sha
    author: str | None
    authored_at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class ChangedFiles:
    """Paths that a pull request adds, changes, removes or renames (both names)."""

    paths: frozenset[str]
    complete: bool
    """False when there are more than the forge lists (3,000): then unknown ones changed too."""


@dataclass(frozen=True, slots=True)
class ForgeDeployment:
    id: int
    state: Literal[
        "", "error", "failure", "inactive", "in_progress", "queued", "pending", "success"
    ]
    """The newest status of it; empty when it has none."""


@dataclass(frozen=True, slots=True)
class BranchRules:
    """What a branch demands of whoever writes to it."""

    required_contexts: Mapping[str, int | None]
    """Context to the App that must post it (None: anybody may)."""
    pull_request_required: bool
    strict: bool
    others: tuple[str, ...] = ()
    """Further rules by GitHub's names, such as `required_signatures` or `merge_queue`."""
    approvals: int = 0
    """How many people must approve a pull request; the owners of its files count as one."""
    merge_methods: frozenset[str] | None = None
    """Those that a rule leaves; None where none says."""

    def together(self, other: BranchRules) -> BranchRules:
        contexts = dict(self.required_contexts)
        for context, app in other.required_contexts.items():
            contexts[context] = app or contexts.get(context)
        limits = [each.merge_methods for each in (self, other) if each.merge_methods is not None]
        return BranchRules(
            required_contexts=contexts,
            pull_request_required=self.pull_request_required or other.pull_request_required,
            strict=self.strict or other.strict,
            others=tuple(dict.fromkeys((*self.others, *other.others))),
            approvals=max(self.approvals, other.approvals),
            merge_methods=frozenset.intersection(*limits) if limits else None,
        )


FREE = BranchRules(required_contexts={}, pull_request_required=False, strict=False)
"""No rules at all."""


class Bypass(StrEnum):
    """Which rules the account of the service may pass."""

    ALWAYS = "always"
    PULL_REQUESTS = "pull requests"
    """Only by merging a pull request, not by a push."""
    NEVER = "never"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules that come together, and who passes them."""

    rules: BranchRules
    bypass: Bypass = Bypass.NEVER
    administrators_pass: bool = False


@dataclass(frozen=True, slots=True)
class Protection:
    """All that protects a branch."""

    sets: tuple[RuleSet, ...] = ()
    known: bool = True
    """False when the credentials may not read all of it; what is seen is there all the same."""

    @property
    def everybody(self) -> BranchRules:
        return self._together(lambda _: True)

    def pushing(self, *, administrator: bool) -> BranchRules:
        """What binds the service when it pushes; where its bypass is not known, everything."""
        return self._together(lambda each: not _passes(each, administrator, Bypass.ALWAYS))

    def merging(self, *, administrator: bool) -> BranchRules:
        """What binds the service when it merges a pull request."""
        may = (Bypass.ALWAYS, Bypass.PULL_REQUESTS)
        return self._together(lambda each: not _passes(each, administrator, *may))

    @property
    def bypass_known(self) -> bool:
        return all(each.bypass is not Bypass.UNKNOWN for each in self.sets)

    def _together(self, binds: Callable[[RuleSet], bool]) -> BranchRules:
        total = FREE
        for each in self.sets:
            total = total.together(each.rules) if binds(each) else total
        return total


def _passes(rules: RuleSet, administrator: bool, *ways: Bypass) -> bool:
    return rules.bypass in ways or (administrator and rules.administrators_pass)


@dataclass(frozen=True, slots=True)
class Need:
    """A permission that the service needs, and whether it has it (None: cannot be told)."""

    permission: str
    purpose: str
    granted: bool | None


@dataclass(frozen=True, slots=True)
class Access:
    """What the credentials may do in one repository."""

    identity: str
    default_branch: str
    needs: tuple[Need, ...]
    app: int | None = None
    """The App's id; None for the token of an account."""
    administrator: bool = False
    archived: bool = False
    merge_methods: frozenset[str] | None = None
    """What the repository allows; None when it is not told."""

    @property
    def missing(self) -> tuple[Need, ...]:
        return tuple(need for need in self.needs if need.granted is False)


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """The deployment that should be recorded on the merge commit."""

    sha: Sha
    environment: str
    state: Literal["in_progress", "success", "failure", "inactive"]
    description: str


@dataclass(frozen=True, slots=True)
class Outputs:
    """What should be readable outside: compared with what is there, written where it differs."""

    pull_request: int | None = None
    body: str | None = None
    title: str | None = None
    labels: frozenset[str] = frozenset()
    assignees: frozenset[str] = frozenset()
    reviewers: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    statuses: Mapping[tuple[Sha, str], Status] | None = None
    comment: str | None = None
    deployment: DeploymentRecord | None = None
