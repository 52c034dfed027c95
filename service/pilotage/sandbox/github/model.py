"""What the stand-in remembers. Unlike the service's own data these records change in place:
they are the rows of a small GitHub, guarded by `State.lock`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from pilotage.sandbox.github.bare import BareRepository


class Permission(IntEnum):
    NONE = 0
    READ = 1
    TRIAGE = 2
    WRITE = 3
    MAINTAIN = 4
    ADMIN = 5


class MergeMethod(StrEnum):
    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"


class ProtectionKind(StrEnum):
    """Classic branch protection (GH006) and rulesets (GH013) refuse in different words and are
    read from different addresses."""

    CLASSIC = "classic"
    RULESET = "ruleset"


@dataclass(slots=True)
class Account:
    id: int
    login: str
    type: str = "User"
    name: str = ""
    machine: bool = False

    @property
    def email(self) -> str:
        return f"{self.id}+{self.login}@users.noreply.github.com"


@dataclass(slots=True)
class Team:
    id: int
    organization: str
    slug: str
    name: str
    members: set[str] = field(default_factory=set)


@dataclass(slots=True)
class App:
    """A GitHub App; `public_key` (PEM) checks the JWTs that it signs."""

    id: int
    slug: str
    owner: str
    public_key: str
    bot: Account
    created_at: datetime


@dataclass(slots=True)
class Installation:
    id: int
    app: App
    account: Account
    repositories: set[str]
    created_at: datetime
    reads_members: bool = True


@dataclass(slots=True)
class Credential:
    """A token and whose it is. `installation` is set for the tokens of an App."""

    token: str
    account: Account
    installation: Installation | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RequiredContext:
    context: str
    integration_id: int | None = None


@dataclass(frozen=True, slots=True)
class Protection:
    branch: str
    kind: ProtectionKind
    contexts: tuple[RequiredContext, ...] = ()
    strict: bool = False
    pull_request: bool = False
    approvals: int = 0
    bypass: frozenset[str] = frozenset()
    enforce_admins: bool = True
    ruleset_id: int = 1


@dataclass(slots=True)
class Label:
    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass(slots=True)
class Reaction:
    id: int
    content: str
    user: Account
    created_at: datetime


@dataclass(slots=True)
class Comment:
    id: int
    user: Account
    body: str
    created_at: datetime
    updated_at: datetime
    reactions: list[Reaction] = field(default_factory=list)


@dataclass(slots=True)
class Review:
    id: int
    user: Account
    state: str
    body: str
    commit_id: str
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class BodyEdit:
    """One entry of the edit history: the whole body after the edit."""

    id: int
    editor: Account
    edited_at: datetime
    body: str


@dataclass(slots=True)
class Status:
    id: int
    sha: str
    state: str
    context: str
    description: str | None
    target_url: str | None
    creator: Account
    app_id: int | None
    created_at: datetime


@dataclass(slots=True)
class CheckRun:
    id: int
    sha: str
    name: str
    app: App
    status: str
    conclusion: str | None
    started_at: datetime
    completed_at: datetime | None
    external_id: str = ""
    details_url: str | None = None
    title: str | None = None
    summary: str | None = None


@dataclass(slots=True)
class DeploymentStatus:
    id: int
    state: str
    description: str
    environment: str
    log_url: str
    environment_url: str
    creator: Account
    created_at: datetime


@dataclass(slots=True)
class Deployment:
    id: int
    sha: str
    ref: str
    task: str
    payload: object
    environment: str
    description: str | None
    creator: Account
    created_at: datetime
    updated_at: datetime
    transient_environment: bool = False
    production_environment: bool = False
    statuses: list[DeploymentStatus] = field(default_factory=list)


@dataclass(slots=True)
class WorkflowRun:
    id: int
    name: str
    path: str
    workflow_id: int
    run_number: int
    run_attempt: int
    sha: str
    branch: str
    event: str
    status: str
    conclusion: str | None
    actor: Account
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class PullRequest:
    repository: Repository
    id: int
    number: int
    title: str
    body: str
    author: Account
    head_ref: str
    head_sha: str
    base_ref: str
    base_sha: str
    created_at: datetime
    updated_at: datetime
    draft: bool = False
    open: bool = True
    closed_at: datetime | None = None
    closed_by: Account | None = None
    merged_at: datetime | None = None
    merged_by: Account | None = None
    merge_commit_sha: str | None = None
    mergeable: bool | None = None
    unread: int = 0  # reads that still answer `mergeable: null` before it is computed
    labels: list[str] = field(default_factory=list)
    assignees: list[Account] = field(default_factory=list)
    reviewers: list[Account] = field(default_factory=list)
    team_reviewers: list[Team] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    edits: list[BodyEdit] = field(default_factory=list)
    queued: str | None = None  # branch of the merge queue that tests it

    @property
    def merged(self) -> bool:
        return self.merged_at is not None

    @property
    def state(self) -> str:
        return "open" if self.open else "closed"


@dataclass(slots=True)
class Hook:
    id: int
    url: str
    secret: str
    events: frozenset[str]
    installation_id: int | None = None


@dataclass(slots=True)
class Repository:
    id: int
    owner: Account
    name: str
    git: BareRepository
    created_at: datetime
    private: bool = True
    default_branch: str = "main"
    allowed_methods: frozenset[MergeMethod] = frozenset(MergeMethod)
    delete_branch_on_merge: bool = False
    pushed_at: datetime | None = None
    collaborators: dict[str, Permission] = field(default_factory=dict)
    teams: dict[str, Permission] = field(default_factory=dict)
    protections: dict[str, Protection] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    pulls: dict[int, PullRequest] = field(default_factory=dict)
    hooks: list[Hook] = field(default_factory=list)
    statuses: dict[str, list[Status]] = field(default_factory=dict)
    check_runs: list[CheckRun] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    workflow_runs: list[WorkflowRun] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"
