"""All that was seen of one target, and when. Unknown is a value here, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeAlias, TypeVar

from pilotage.core import manifests
from pilotage.core.application import Look
from pilotage.core.artifacts import Artifacts
from pilotage.core.change import ServiceChange
from pilotage.core.comparison import Answer, Span
from pilotage.core.config.policy import Policy
from pilotage.core.discovery.find import Found
from pilotage.core.forge import PullRequest, PullRequestBrief, Review
from pilotage.core.model import BodyEdit, Command, Merge, Promotion, QueueHead, Sha, Target
from pilotage.core.plan import Plan
from pilotage.core.revert import Reverse
from pilotage.core.rollout.watch import Expectation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """A fact with the moment of reading it."""

    value: T
    at: datetime


@dataclass(frozen=True, slots=True)
class Unknown:
    """It could not be read; `until` is when it is worth trying again."""

    reason: str
    at: datetime
    until: datetime | None = None
    next_step: str = ""


Seen: TypeAlias = Known[T] | Unknown


@dataclass(frozen=True, slots=True)
class Sight:
    """One application of Argo CD: what a look brought, and what git says of what it named."""

    look: Look
    expectation: Expectation


@dataclass(frozen=True, slots=True)
class MergeSeen:
    """How a pull request of ours reached the branch, and what really went in."""

    merge: Merge
    changes: tuple[ServiceChange, ...]


@dataclass(frozen=True, slots=True)
class RevertSeen:
    """The state of a revert that waits in a pull request."""

    merged: Sha | None
    open: bool


@dataclass(frozen=True, slots=True)
class Written:
    """A commit on the base branch that changed a service's version, and who wrote it."""

    sha: Sha
    parent: Sha
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class WrittenChanges:
    """One commit's promoted values, as steps from its parent."""

    written: Written
    changes: tuple[ServiceChange, ...]


@dataclass(frozen=True, slots=True)
class OtherPullRequest:
    """Somebody else's open pull request into the branch, on a head that was not judged yet.

    `changes` are the promoted values that it would set; `refusal` says why it cannot be judged.
    """

    brief: PullRequestBrief
    changes: tuple[ServiceChange, ...]
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a verification check: good, bad, or (None) nothing learned."""

    check: str
    good: bool | None
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often the service looks by itself when nothing tells it to."""

    compare: timedelta = timedelta(minutes=5)
    look: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What `decide` goes by. A field that a state does not need is empty."""

    target: Target
    policy: Policy
    """From the default branch's head."""
    base_branch: str
    base: Sha
    plan: Plan
    own: str
    """The login that the service writes with."""
    rhythm: Rhythm = Rhythm()
    link: str = ""
    """The service's own address, for links; empty when it has none."""
    forge: str = "https://github.com"
    """Where the forge shows its pages, for links."""
    compared: Mapping[Span, Answer] = field(default_factory=dict)
    """What was learned at this look of the versions in the proposal."""
    commands: tuple[Command, ...] = ()
    permitted: frozenset[str] = frozenset()
    """Ids of the commands whose author the policy allows."""
    edits: tuple[BodyEdit, ...] = ()
    edits_read_until: datetime | None = None
    """Up to which edit the history was read now, by GitHub's clock; None when it was not."""
    pending: frozenset[str] = frozenset()
    """Keys of acts that were recorded and whose result is not known yet."""
    queued: tuple[QueueHead, ...] = ()
    """Heads of merge queues that were asked about since the last look."""
    found_in_source: Mapping[str, Found] = field(default_factory=dict)
    """Service to the applications that read its files, with `applications: auto`."""
    found_in_target: Mapping[str, Found] = field(default_factory=dict)
    found_for_release: Mapping[str, Found] = field(default_factory=dict)
    """The same for the services of the release that none are pinned to yet."""
    proof_sights: Mapping[str, Mapping[str, Sight]] = field(default_factory=dict)
    """Service to its source applications."""
    pull_request: Seen[PullRequest] | None = None
    edited_on_base: bool = False
    """A file that the open pull request edits has changed on the base branch since."""
    proposal_at_head: Mapping[str, str | None] = field(default_factory=dict)
    """Then: the texts of its files at the base branch's head; None where none can be read."""
    versions_on_head: Seen[Mapping[str, str]] | None = None
    """What the pull request's head holds for its services, and for those that people added."""
    artifacts: Seen[Artifacts] | None = None
    """The files of the open proposal as its head has them; None where the policy asks nothing."""
    renders: Mapping[str, manifests.Answer] = field(default_factory=dict)
    """What was learned at this look of the target's applications at the pull request's head."""
    reviews: Seen[tuple[Review, ...]] | None = None
    approvers: Seen[frozenset[str]] | None = None
    """Everybody whose approval counts; None when nobody's is asked for."""
    merged: Seen[MergeSeen] | None = None
    reopened: tuple[Promotion, PullRequest] | None = None
    """A closed promotion whose pull request somebody opened again."""
    foreign: PullRequestBrief | None = None
    """Somebody else's open pull request from a branch of our pattern."""
    others: tuple[OtherPullRequest, ...] = ()
    release_policy: Policy | None = None
    """The policy that the release was merged under; None without a release."""
    sights: Mapping[str, Sight] = field(default_factory=dict)
    """The target's applications: of the release, else (for the picture) of the open proposal."""
    revert_sights: Mapping[str, Sight] = field(default_factory=dict)
    revert_request: Seen[RevertSeen] | None = None
    release_at_head: Mapping[str, str | None] = field(default_factory=dict)
    """The texts of the release's files at the base branch's head."""
    release_before: Mapping[str, str | None] = field(default_factory=dict)
    """Where whole files went along: the release's files before its merge."""
    reverse: Seen[Reverse] | None = None
    """The reverse of the release's merge; read only where something waits to go back by merge."""
    head_moved_by: Mapping[str, Written] = field(default_factory=dict)
    """Service to the commit that last changed its version since the target was last looked at."""
    written_changes: Mapping[Sha, tuple[ServiceChange, ...]] = field(default_factory=dict)
    """Those commits' promoted values, as steps from their first parent."""
    passed: tuple[WrittenChanges, ...] = ()
    """Every step since the target was last looked at, where there were several; oldest first."""
    readings: tuple[Reading, ...] = ()
    last_release: Promotion | None = None
    """The newest confirmed promotion, when a rollback was asked for and nothing is under way."""
