"""What arrives from outside, as far as the service reads it: shapes checked, meaning taken.

GitHub's payloads are large; only what is used is named here, and everything else may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from pilotage.core.config.values import REPOSITORY

_REPOSITORY = re.compile(r"[\w.-]{1,100}/[\w.-]{1,100}")
_RUN = re.compile(r"/actions/runs/(\d{1,20})")

T = TypeVar("T", bound=BaseModel)

Text = Annotated[str, Field(max_length=1_000)]
Number = Annotated[int, Field(ge=0, lt=2**63)]
"""What a database can look for."""


class NotExpected(Exception):
    """A body that is not JSON, or not of the shape that its event has; `str` says what is."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Login(_Part):
    login: Text


class RepositoryPart(_Part):
    full_name: Annotated[str, Field(pattern=REPOSITORY, max_length=200)]


class _Event(_Part):
    repository: RepositoryPart
    sender: Login | None = None


class Push(_Event):
    ref: Text
    after: Text


class Was(_Part):
    was: str = Field(default="", alias="from", max_length=100_000)


class Changes(_Part):
    body: Was | None = None


class PullPart(_Part):
    number: Number
    body: str | None = Field(default=None, max_length=100_000)
    updated_at: AwareDatetime


class PullRequestEvent(_Event):
    action: Text
    number: Number
    pull_request: PullPart
    changes: Changes = Changes()


class ReviewEvent(_Event):
    """Somebody approved, asked for changes or took that back: what counts is read afresh."""

    action: Text


class CommentPart(_Part):
    id: Number
    body: str = Field(max_length=100_000)
    user: Login
    created_at: AwareDatetime


class IssuePart(_Part):
    number: Number
    pull_request: Mapping[str, Any] | None = None


class IssueComment(_Event):
    action: Text
    issue: IssuePart
    comment: CommentPart


class DeploymentPart(_Part):
    environment: Text
    payload: Any = None


class DeploymentStatusPart(_Part):
    state: Text
    target_url: Text | None = None
    log_url: Text | None = None


class DeploymentStatus(_Event):
    deployment: DeploymentPart
    deployment_status: DeploymentStatusPart

    @property
    def run(self) -> str | None:
        """The CI run that deployed, where the event says it."""
        payload = self.deployment.payload
        if isinstance(payload, dict) and payload.get("run_id"):
            return str(payload["run_id"])[:60]
        for url in (self.deployment_status.log_url, self.deployment_status.target_url):
            found = _RUN.search(url or "")
            if found:
                return found[1]
        return None


class WorkflowRunPart(_Part):
    id: Number
    name: Text | None = None
    path: Text | None = None
    conclusion: Text | None = None


class WorkflowRun(_Event):
    action: Text
    workflow_run: WorkflowRunPart


class MergeGroupPart(_Part):
    head_sha: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    head_ref: Text


class MergeGroup(_Event):
    action: Text
    merge_group: MergeGroupPart


class Ping(_Part):
    zen: Text = ""


GitHubEvent = (
    Push
    | PullRequestEvent
    | ReviewEvent
    | IssueComment
    | DeploymentStatus
    | WorkflowRun
    | MergeGroup
    | Ping
)
_KINDS: dict[str, type[GitHubEvent]] = {
    "push": Push,
    "pull_request": PullRequestEvent,
    "pull_request_review": ReviewEvent,
    "issue_comment": IssueComment,
    "deployment_status": DeploymentStatus,
    "workflow_run": WorkflowRun,
    "merge_group": MergeGroup,
    "ping": Ping,
}


def read_github(event: str, body: bytes) -> GitHubEvent | None:
    """None for an event that the service does not use. Raises NotExpected."""
    kind = _KINDS.get(event)
    if kind is None:
        read_object(body)
        return None
    return _read(kind, body)


def repository_of(body: bytes) -> str:
    """The repository that a payload names, or nothing."""
    repository = read_object(body).get("repository")
    name = repository.get("full_name") if isinstance(repository, dict) else None
    return name if isinstance(name, str) and _REPOSITORY.fullmatch(name) else ""


def _one_line(text: str) -> str:
    if any(not each.isprintable() for each in text):
        raise ValueError("has a control character, such as NUL or a line break")
    return text


Line = Annotated[str, AfterValidator(_one_line)]
"""What names something. No database need be able to keep a NUL."""


class ArgoCDNotice(_Part):
    """The body that the notification template of docs/argocd.md sends."""

    app: Annotated[Line, Field(min_length=1, max_length=253)]


def read_argocd(body: bytes) -> ArgoCDNotice:
    return _read(ArgoCDNotice, body)


class Deployment(_Part):
    """`POST /api/v1/deployments`: what CI deployed where."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: Annotated[Line, Field(pattern=REPOSITORY, max_length=200)]
    """The GitOps repository, or the service's own that the configuration names."""
    environment: Annotated[Line, Field(min_length=1, max_length=100)]
    service: Annotated[Line, Field(min_length=1, max_length=100)]
    value: Annotated[Line, Field(min_length=1, max_length=300)]
    """The version as it stands in the file, or without its prefix."""
    run: Annotated[Line, Field(max_length=60)] = ""
    run_url: Annotated[Line, Field(max_length=1_000)] = ""


def read_deployment(body: bytes) -> Deployment:
    return _read(Deployment, body)


def _read(kind: type[T], body: bytes) -> T:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        lines = [f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in found]
        raise NotExpected("; ".join(lines[:5])) from None


_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def read_object(body: bytes) -> dict[str, Any]:
    try:
        return _OBJECT.validate_json(body)
    except ValidationError:
        raise NotExpected("expected a JSON object") from None
