"""GitHub's answers, checked where they become values.

Each class lists what is used of an answer; anything missing or of another type is an
`UnexpectedAnswer` that names the field. What is not listed is ignored.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import UTC
from typing import Annotated, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from pilotage.adapters.github.errors import UnexpectedAnswer
from pilotage.core import forge

CommitId = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Link = Annotated[str, Field(pattern=r"^https?://[^\s\"<>]+$", max_length=2_000)]
Time = Annotated[AwareDatetime, Field(strict=False), AfterValidator(lambda t: t.astimezone(UTC))]
GHOST = "ghost"
"""GitHub's own name for an account that is no more."""


class Answer(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


A = TypeVar("A", bound=Answer)


def read(kind: type[A], data: object, what: str, where: str, *, write: bool = False) -> A:
    """Raises UnexpectedAnswer, naming the first field that is wrong, never its value."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the answer"
        failure = UnexpectedAnswer(what, where, f"{field}: {first['msg']}", write)
    raise failure


class Login(Answer):
    login: str


def name_of(user: Login | None) -> str:
    return user.login if user else GHOST


class Installation(Answer):
    """An App's, and what it was granted there."""

    id: int
    app_id: int | None = None
    permissions: dict[str, str] = {}


class Minted(Answer):
    """A token of one installation; it lasts for about an hour."""

    token: SecretStr
    expires_at: Time


class AppItself(Answer):
    slug: str


class Named(Answer):
    name: str


class RepositoryPermissions(Answer):
    pull: bool = False
    push: bool = False
    admin: bool = False


class Repository(Answer):
    default_branch: str
    permissions: RepositoryPermissions | None = None
    archived: bool = False
    allow_merge_commit: bool | None = None
    allow_squash_merge: bool | None = None
    allow_rebase_merge: bool | None = None

    @property
    def merge_methods(self) -> frozenset[str] | None:
        """None when GitHub does not tell: it does so only to those who may write."""
        methods = {
            "merge": self.allow_merge_commit,
            "squash": self.allow_squash_merge,
            "rebase": self.allow_rebase_merge,
        }
        if None in methods.values():
            return None
        return frozenset(name for name, allowed in methods.items() if allowed)


class FileContent(Answer):
    """A file of at most a megabyte; a larger one comes without its content."""

    content: str
    encoding: str


class FullName(Answer):
    full_name: str


class Head(Answer):
    sha: CommitId
    ref: str
    repo: FullName | None


class Base(Answer):
    ref: str
    repo: FullName


class Slug(Answer):
    slug: str


class PullSummary(Answer):
    """As lists have it."""

    number: int
    html_url: Link
    state: Literal["open", "closed"]
    body: str | None
    user: Login | None
    head: Head
    base: Base
    updated_at: Time

    def brief(self) -> forge.PullRequestBrief:
        return forge.PullRequestBrief(
            number=self.number,
            url=self.html_url,
            author=name_of(self.user),
            head=self.head.sha,
            head_branch=self.head.ref,
            head_repository=self.head.repo.full_name if self.head.repo else None,
            updated_at=self.updated_at,
            body_marker=forge.marker_in(self.body or ""),
        )

    def is_from(self, branch: str, base: str) -> bool:
        """A fork has branches of the same name; only the repository's own count.

        The names are both GitHub's: after a renaming the one that we know is not in its answers.
        """
        own = self.head.repo is not None and self.head.repo == self.base.repo
        return own and (self.head.ref, self.base.ref) == (branch, base)


class Pull(PullSummary):
    """As it is told of a single one."""

    title: str
    merged: bool
    merged_by: Login | None
    merged_at: Time | None
    merge_commit_sha: CommitId | None
    closed_at: Time | None
    commits: int
    labels: list[Named]
    assignees: list[Login]
    requested_reviewers: list[Login]
    requested_teams: list[Slug]

    def value(self, closed_by: str | None) -> forge.PullRequest:
        return forge.PullRequest(
            number=self.number,
            url=self.html_url,
            title=self.title,
            body=self.body or "",
            author=name_of(self.user),
            head=self.head.sha,
            head_branch=self.head.ref,
            head_repository=self.head.repo.full_name if self.head.repo else None,
            base_branch=self.base.ref,
            open=self.state == "open",
            merged=self.merged,
            merged_by=name_of(self.merged_by) if self.merged else None,
            merged_at=self.merged_at,
            # Before the merge this is a trial merge that nobody may build upon.
            merge_commit=self.merge_commit_sha if self.merged else None,
            closed_by=closed_by,
            closed_at=self.closed_at,
            commits=self.commits,
            labels=frozenset(label.name for label in self.labels),
            assignees=frozenset(user.login for user in self.assignees),
            requested_reviewers=frozenset(user.login for user in self.requested_reviewers),
            requested_teams=frozenset(team.slug for team in self.requested_teams),
            updated_at=self.updated_at,
        )


class Issue(Answer):
    closed_by: Login | None = None


class IssueWithAssignees(Answer):
    assignees: list[Login]


class PullReview(Answer):
    user: Login | None
    state: Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING"]
    commit_id: CommitId | None
    submitted_at: Time | None = None

    def value(self) -> forge.Review:
        states: dict[str, Literal["approved", "changes_requested", "commented", "dismissed"]] = {
            "APPROVED": "approved",
            "CHANGES_REQUESTED": "changes_requested",
            "DISMISSED": "dismissed",
        }
        state = states.get(self.state, "commented")
        return forge.Review(name_of(self.user), state, self.commit_id, self.submitted_at)


def newest_verdicts(reviews: Iterable[PullReview]) -> tuple[forge.Review, ...]:
    """One review for each person, from a list that is oldest first.

    A comment does not take back an approval, as on GitHub; a pending one is nobody's business yet.
    """
    newest: dict[str, forge.Review] = {}
    for review in reviews:
        if review.state == "PENDING":
            continue
        value = review.value()
        if value.state != "commented" or newest.get(value.by, value).state == "commented":
            newest[value.by] = value
    return tuple(newest.values())


class CommitStatus(Answer):
    context: str
    state: Literal["error", "failure", "pending", "success"]
    description: str | None
    target_url: str | None

    def value(self) -> forge.Status:
        return forge.Status(
            forge.StatusState(self.state), self.description or "", self.target_url or None
        )


class IssueComment(Answer):
    id: int
    user: Login | None
    body: str | None = None
    created_at: Time

    def value(self) -> forge.Comment:
        return forge.Comment(self.id, name_of(self.user), self.body or "", self.created_at)


class GitAuthor(Answer):
    date: Time


class GitCommit(Answer):
    author: GitAuthor
    message: str


class PullCommit(Answer):
    sha: CommitId
    author: Login | None
    commit: GitCommit

    def value(self) -> forge.PullRequestCommit:
        author = self.author.login if self.author else None
        return forge.PullRequestCommit(
            self.sha, author, self.commit.author.date, self.commit.message
        )


class File(Answer):
    filename: str
    previous_filename: str | None = None


class UserPermission(Answer):
    permission: Literal["admin", "write", "read", "none"]


class Deployment(Answer):
    id: int
    creator: Login | None


class DeploymentStatus(Answer):
    state: Literal["error", "failure", "inactive", "in_progress", "queued", "pending", "success"]


class Merged(Answer):
    merged: Literal[True]
    sha: CommitId


def decoded(file: FileContent) -> str | None:
    """The text; None for what is too large to be given, and for what is no text."""
    if file.encoding != "base64":
        return None
    try:
        return base64.b64decode(file.content).decode("utf-8")
    except ValueError:
        return None
