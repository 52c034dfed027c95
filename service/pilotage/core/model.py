"""What the service knows of a promotion, as frozen values.

A *target* is one environment of one pipeline in one repository that promotes from another. It has
at most one proposal (`observing`, `open`) and at most one release (`rolling_out`, `verifying`,
`reverting`) at a time. Everything here can be stored as JSON and read back unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from pilotage.core.application import Application
from pilotage.core.change import ServiceChange, versions_of
from pilotage.core.comparison import Comparison
from pilotage.core.manifests import Render
from pilotage.core.rollout.watch import Watch
from pilotage.core.version import said
from pilotage.core.wording import typed

Sha = str
"""A full commit id, 40 lower-case hexadecimal digits."""


class State(StrEnum):
    """Where a promotion stands; the table in ARCHITECTURE.md says when it moves on."""

    OBSERVING = "observing"
    OPEN = "open"
    ROLLING_OUT = "rolling_out"
    VERIFYING = "verifying"
    REVERTING = "reverting"
    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    CLOSED = "closed"
    SUPERSEDED = "superseded"

    @property
    def words(self) -> str:
        """`rolling out`."""
        return self.value.replace("_", " ")


_LANDED_REMEMBERED = 20
PROPOSED = frozenset({State.OBSERVING, State.OPEN})
RELEASING = frozenset({State.ROLLING_OUT, State.VERIFYING, State.REVERTING})
ENDED = frozenset(State) - PROPOSED - RELEASING


class Outcome(StrEnum):
    """What became of one service of a merged promotion."""

    ROLLING_OUT = "rolling_out"
    LIVE = "live"
    FAILED = "failed"
    REVERTING = "reverting"
    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    OVERTAKEN = "overtaken"
    """A person or a newer promotion changed the value; whoever did is judged."""


class Origin(StrEnum):
    """Who wrote the change that a promotion follows."""

    SERVICE = "service"
    PERSON = "person"


class Subject(StrEnum):
    """What a hold is about: the same matter is told once."""

    PERSON = "person"
    BLIND = "blind"
    FAILURE = "failure"
    REVERT = "revert"
    PICTURE = "picture"
    OUTSIDE_GATE = "outside_gate"
    ACT = "act"


@dataclass(frozen=True, slots=True)
class Hold:
    """Somebody must decide: the service goes on looking and telling, and does nothing else."""

    subject: Subject
    reason: str
    since: datetime
    by: str = "pilotage"
    next_step: str = "/pilotage resume"
    told: bool = True
    """False until people have heard of it: an act that was refused leads to such a hold."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """A set member that was proposed and never went out."""

    service: str
    version: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Tick:
    """A person's tick of one checklist item, for one generation of the set of values."""

    item: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of one version of a service in the source environment.

    It belongs to service and version. Only the source being degraded while it ran there undoes it,
    not that the source has moved on.
    """

    service: str
    version: str
    commit: Sha
    first_seen: datetime
    watches: Mapping[str, Watch] = field(default_factory=dict)
    live_since: datetime | None = None
    proven_at: datetime | None = None
    obstacle: str | None = None
    """Why it is not (or no longer) proven, for people."""

    @property
    def proven(self) -> bool:
        return self.proven_at is not None


class MergeMethod(StrEnum):
    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"
    PUSH = "push"
    """No pull request of ours: somebody wrote to the branch."""


@dataclass(frozen=True, slots=True)
class Merge:
    """How a set of values reached the branch; values are read at `sha` and at `parent`."""

    sha: Sha
    parent: Sha
    method: MergeMethod
    by: str
    at: datetime
    outside_gate: str | None = None
    """The reason that `pilotage/ready` gave at the merge, when it was not green."""


@dataclass(frozen=True, slots=True)
class Revert:
    """One putting-back: some services of a release, once."""

    services: tuple[str, ...]
    reason: str
    by: str
    asked_at: datetime
    attempt: int = 1
    sha: Sha | None = None
    """The commit on the base branch; None until it has landed."""
    branch: str | None = None
    pull_request: int | None = None
    why_waiting: str = ""
    """Why it waits in the pull request: what refused the push, and what refused the merge."""
    landed_at: datetime | None = None
    watches: Mapping[str, Watch] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """The recent readings of one verification check, boiled down.

    A reading is good, bad or blind (nothing could be learned). Only bad ones in a row fail it.
    """

    check: str
    good: int = 0
    bad_in_row: int = 0
    last: str = ""
    last_at: datetime | None = None
    last_seen_at: datetime | None = None
    """The last reading that was not blind."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A person asked that only these services are promoted now."""

    services: tuple[str, ...]
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Promotion:
    """One set of values on its way from one environment to the next."""

    id: str
    target: str
    number: int
    state: State
    created_at: datetime
    changes: tuple[ServiceChange, ...]
    source_commit: Sha
    base: Sha
    run: str
    origin: Origin = Origin.SERVICE
    choice: Choice | None = None
    """Why the set is smaller than all that differs."""
    generation: int = 1
    """Counts the sets that this pull request carried; ticks belong to one of them."""
    branch: str = ""
    branch_head: Sha | None = None
    pull_request: int | None = None
    pull_request_url: str = ""
    opened_at: datetime | None = None
    hold: Hold | None = None
    ticks: tuple[Tick, ...] = ()
    edits_read_until: datetime | None = None
    """Up to which edit, by GitHub's clock, the history of the body is known."""
    body_written_at: datetime | None = None
    """The service wrote the body, and the history was not read since: it may have overwritten an
    edit."""
    superseded: tuple[Superseded, ...] = ()
    waiting: tuple[ServiceChange, ...] = ()
    """A newer proven set that waits for `/pilotage roll`, because a person has touched this one."""
    roll_asked: bool = False
    blocked_by: int | None = None
    """Somebody else's pull request that it waits for; it has been told of."""
    comparisons: tuple[Comparison, ...] = ()
    """What is in each step, as far as the services' own repositories were asked."""
    renders: tuple[Render, ...] = ()
    """What Argo CD makes of the branch's head, application by application."""
    picture: Mapping[str, Application] = field(default_factory=dict)
    """The target's applications from before the merge."""
    pictured_at: datetime | None = None
    ready: str | None = None
    """What keeps the merge closed; "" when every gate passes; None before the first look."""
    merge: Merge | None = None
    applications: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Service to its applications, as they were found until the merge; none with written names."""
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a service failed, was put back or was overtaken."""
    watches: Mapping[str, Watch] = field(default_factory=dict)
    live_at: datetime | None = None
    checks: Mapping[str, CheckRecord] = field(default_factory=dict)
    reverts: tuple[Revert, ...] = ()
    queue_heads: tuple[QueueHead, ...] = ()
    """Heads of a merge queue that ask for `pilotage/ready` as well."""
    terminated: tuple[str, ...] = ()
    """Identities of the Argo CD operations that the service stopped."""
    retries: int = 0
    ended_at: datetime | None = None
    conclusion: str = ""

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(change.service for change in self.changes)

    @property
    def versions(self) -> tuple[tuple[str, str], ...]:
        """The identity of the set: what a closed pull request refuses, exactly."""
        return versions_of(self.changes)

    def held(
        self,
        subject: Subject,
        reason: str,
        at: datetime,
        by: str = "pilotage",
        *,
        told: bool = True,
    ) -> Promotion:
        """Taken away by a comment; at the terminal, where there is no pull request for one."""
        step = "/pilotage resume" if self.pull_request else f"pilotage resume {self.target} --held"
        return replace(self, hold=Hold(subject, reason, at, by, step, told))

    def is_strange(self, head: Sha) -> bool:
        """Whether the branch's head is not what the service wrote there last."""
        return self.branch_head not in (None, head)

    def comparison_of(self, change: ServiceChange) -> Comparison | None:
        step = (change.service, change.before, change.after)
        return next(
            (
                found
                for found in self.comparisons
                if step == (found.service, found.before, found.after)
            ),
            None,
        )

    def with_revert(self, index: int, revert: Revert) -> Promotion:
        """The promotion with one of its putting-backs brought further."""
        reverts = (*self.reverts[:index], revert, *self.reverts[index + 1 :])
        return replace(self, reverts=reverts)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A version that is not proposed again until somebody lifts it."""

    service: str
    version: str
    """As it stands in the file, or as a person says it: `v9.1.1` of `api-v9.1.1`."""
    reason: str
    since: datetime
    by: str = "pilotage"

    def means(self, service: str, version: str) -> bool:
        named = said(self.version, service)
        return self.service == service and named == said(version, service)


@dataclass(frozen=True, slots=True)
class Pause:
    reason: str
    by: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Refusal:
    """A set of values that a person refused by closing its pull request."""

    versions: tuple[tuple[str, str], ...]
    promotion: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Command:
    """Something a person asked for, by a comment or at the terminal, not yet decided upon."""

    id: str
    name: str
    argument: str
    by: str
    at: datetime
    comment: int | None = None
    pull_request: int | None = None


@dataclass(frozen=True, slots=True)
class QueueHead:
    """What a merge queue would merge: `gh-readonly-queue/{base}/pr-N-SHA`."""

    sha: Sha
    ref: str

    @property
    def pull_request(self) -> int | None:
        _, _, rest = self.ref.rpartition("/pr-")
        number, _, _ = rest.partition("-")
        return int(number) if number.isdigit() and len(number) < 12 else None


@dataclass(frozen=True, slots=True)
class BodyEdit:
    """One edit of a pull request's body: who, when, and the text before (if known) and after."""

    pull_request: int
    editor: str
    at: datetime
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One line of `explain`: what is looked at, what was found, and what would change it."""

    subject: str
    text: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Everything that one lease guards."""

    id: str
    repository: str
    pipeline: str
    environment: str
    proposal: Promotion | None = None
    release: Promotion | None = None
    next_releases: tuple[Promotion, ...] = ()
    """What people wrote to the branch while a release was under way, in the order of noticing."""
    last_number: int = 0
    pause: Pause | None = None
    quarantine: tuple[Quarantined, ...] = ()
    refused: tuple[Refusal, ...] = ()
    choice: Choice | None = None
    """Until its promotion has left, or nothing of it can be promoted, nothing else is proposed."""
    admitted: tuple[str, ...] = ()
    """New services that people let in, until the environment has them."""
    proofs: tuple[Proof, ...] = ()
    running: Mapping[str, str] = field(default_factory=dict)
    """Service to version at `running_at`, the base branch's head as last looked at."""
    running_at: Sha | None = None
    base_branch: str = ""
    """The repository's default branch, as last looked at; empty before the first look."""
    landed: tuple[Sha, ...] = ()
    """The last commits on the base branch that are ours: merges of our pull requests, reverts."""
    history: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Service to the versions that the target ran, newest first, the last few."""
    run_hint: str | None = None
    """The CI run that last said that the source environment was deployed."""
    ready_for: Mapping[int, Sha] = field(default_factory=dict)
    """Other people's pull requests that have their `pilotage/ready`, and on which head."""
    because: tuple[Reason, ...] = ()
    """What the last decision went by, line by line."""
    config_problem: str | None = None
    """Why the configuration cannot be used; a person must mend it."""
    output_failures: int = 0
    """How often in a row what should be readable outside could not be written."""
    unwritten: str | None = None
    """Why not, at the last try."""
    blind: str | None = None
    """Why nothing could be decided at the last look; it is tried again."""
    wake_at: datetime | None = None

    def quarantined(self, service: str, version: str) -> Quarantined | None:
        return next((each for each in self.quarantine if each.means(service, version)), None)

    def lifting(self, service: str, version: str) -> str:
        """The command that takes a version out of quarantine."""
        return typed("pilotage", "quarantine", "lift", self.id, service, version)

    def with_landed(self, sha: Sha) -> Target:
        return replace(self, landed=(sha, *self.landed)[:_LANDED_REMEMBERED])
