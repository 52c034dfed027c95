"""What the forge (GitHub) shows, and what the service wants readable there: plain values."""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class Status:
    state: StatusState
    description: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """The newest verdict of one reviewer on the present head or before it."""

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
    body_marker: str | None
    """The hidden marker of a pull request of ours, when its body carries one."""


@dataclass(frozen=True, slots=True)
class Comment:
    id: int
    author: str
    body: str


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
    known: bool = True
    """False when the token may not read the rules."""


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """The deployment that should be recorded on the merge commit."""

    sha: Sha
    environment: str
    state: Literal["in_progress", "success", "failure", "inactive"]
    description: str


@dataclass(frozen=True, slots=True)
class Outputs:
    """What should be readable outside. It is compared with what is there; differences are written."""

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
