"""What is expected of one application after a merge, and what is remembered of watching it.

`Watch` is the memory that `judge` folds one look after the other into. It can be stored
as JSON and read back unchanged, so that a watch survives a restart in the middle of anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, TypeAlias

from pilotage.core.application import Application, Gone, Refresh, RenderAt


class State(StrEnum):
    """The states of the decision table."""

    NOT_SEEN = "not seen yet"
    GONE = "gone"
    WITHDRAWN = "withdrawn"
    OVERTAKEN = "overtaken"
    CANNOT_RENDER = "cannot render"
    STALE = "stale"
    WAITING_FOR_APPLICATION_SET = "waiting for the ApplicationSet"
    BLOCKED = "blocked by an older operation"
    HOOKS_RUNNING = "live, hooks running"
    HOOK_FAILING = "live, hook failing"
    HOOK_FAILED = "live, hook failed"
    ROLLING_OUT = "rolling out"
    LIVE = "live"
    DEGRADED = "degraded"
    SUSPENDED = "suspended"
    HEALTH_UNKNOWN = "health unknown"
    SYNCING = "syncing"
    SYNC_FAILING = "sync failing"
    SYNC_FAILED = "sync failed"
    SETTLING = "settling"
    DRIFT = "drift"
    OLDER_REVISION_CHOSEN = "a person chose an older revision"
    WINDOW = "window"
    WAITS_FOR_SOMEONE = "waits for someone"
    WAITING_FOR_SYNC = "waiting for sync"


class FailureReason(StrEnum):
    CANNOT_RENDER = "cannot render"
    HOOK_FAILED = "hook failed"
    SYNC_FAILED = "sync failed"
    DEGRADED = "degraded"
    NOT_HEALTHY_IN_TIME = "not healthy in time"


class HoldReason(StrEnum):
    BLIND = "blind"
    GONE = "gone"
    WITHDRAWN = "withdrawn"
    CONFIGURATION = "configuration"
    STOPPED_BY_PERSON = "stopped by a person"
    OLDER_REVISION_CHOSEN = "older revision chosen"
    OLD_IMAGE = "old image"
    NOT_PRUNED = "not pruned"
    DEGRADED_BEFORE = "degraded before"
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True)
class Pending:
    state: State
    why: str
    kind: Literal["pending"] = "pending"


@dataclass(frozen=True, slots=True)
class Live:
    since: datetime
    note: str = ""
    kind: Literal["live"] = "live"


@dataclass(frozen=True, slots=True)
class Failed:
    """A positive observation that the new version does not come up; never blindness."""

    reason: FailureReason
    resource: str
    message: str
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True)
class Held:
    """A person must look."""

    reason: HoldReason
    message: str
    kind: Literal["held"] = "held"


@dataclass(frozen=True, slots=True)
class Overtaken:
    """The commit from which on our paths no longer hold the value; whoever made it is judged."""

    by: str
    kind: Literal["overtaken"] = "overtaken"


Outcome: TypeAlias = Pending | Live | Failed | Held | Overtaken | Gone


class Relation(StrEnum):
    """A revision's relation to our commit in git."""

    SAME = "same"
    DESCENDANT = "descendant"
    ANCESTOR = "ancestor"
    DIVERGED = "diverged"
    UNKNOWN = "unknown"

    @property
    def ours(self) -> bool:
        """Our commit is in it."""
        return self in (Relation.SAME, Relation.DESCENDANT)

    @property
    def older(self) -> bool:
        return self in (Relation.ANCESTOR, Relation.DIVERGED)


@dataclass(frozen=True, slots=True)
class RevisionFacts:
    """What git says of one revision.

    `holds`: our paths hold the expected values in its tree. `differs`: the files in which it
    differs from our commit. None where git was not asked or could not say.
    """

    relation: Relation
    holds: bool | None = None
    differs: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class HeadFacts:
    """What git says of the branch's head; `contains`: our commit is in its history."""

    sha: str
    contains: bool | None = None
    holds: bool | None = None


@dataclass(frozen=True, slots=True)
class Value:
    file: str
    path: str
    old: str | None
    new: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image that a value names: by tag, by digest or in full; `name` where it is known."""

    new: str
    old: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class ThroughFiles:
    """The application renders the files that hold the value."""

    kind: Literal["files"] = "files"


@dataclass(frozen=True, slots=True)
class ThroughSpec:
    """The value becomes `targetRevision` of one of the application's sources (0-based)."""

    source: int
    value: str
    kind: Literal["spec"] = "spec"


@dataclass(frozen=True, slots=True)
class UnknownRoute:
    """A new application, and nothing configured: for a generated one that is an error."""

    why: str
    kind: Literal["unknown"] = "unknown"


Route: TypeAlias = ThroughFiles | ThroughSpec | UnknownRoute


@dataclass(frozen=True, slots=True)
class Expectation:
    """What should become live: `sha` is our commit (a revert's own for a revert).

    `since` is when that commit came to be; `repository` is normalised; `revisions` holds what git
    says of each revision that the application names (`revisions_to_place`); `picture` is the same
    application before the merge, with no operation running; `terminated` are the identities of
    the operations that we stopped ourselves; `branch` tells the sources that follow it from those
    that stand at a tag of the same repository, where there are several.
    """

    sha: str
    parent: str
    since: datetime
    repository: str
    values: tuple[Value, ...] = ()
    head: HeadFacts | None = None
    revisions: Mapping[str, RevisionFacts] = field(default_factory=dict)
    picture: Application | None = None
    route: Route = ThroughFiles()
    images: tuple[Image, ...] = ()
    revert: bool = False
    terminated: frozenset[str] = frozenset()
    branch: str = ""


class Clock(StrEnum):
    """The budgets whose clocks add up over a watch and stop while nothing can be seen."""

    SEEN = "seen"
    SYNC = "sync"
    HEALTHY = "healthy"
    SUSPENDED = "suspended"


PROGRESS_DEADLINE = timedelta(seconds=600)
"""Kubernetes' own default of `progressDeadlineSeconds`."""
_AFTER_DEADLINE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Budgets:
    """How long each wait may last, and how often to look.

    `healthy` None follows the application: its largest progress deadline and 5 minutes.
    `refresh`: when to ask for a refresh after the beginning; the last entry repeats. `attempts`:
    failed attempts to sync that make a failure while Argo CD still retries.
    """

    seen: timedelta = timedelta(minutes=10)
    sync: timedelta = timedelta(minutes=30)
    healthy: timedelta | None = None
    suspended: timedelta = timedelta(minutes=30)
    degraded: timedelta = timedelta(seconds=60)
    blind: timedelta = timedelta(minutes=30)
    dwell: timedelta = timedelta(seconds=1)
    settle: timedelta = timedelta(seconds=5)
    images: timedelta = timedelta(seconds=60)
    gone: timedelta = timedelta(seconds=60)
    no_news: timedelta = timedelta(minutes=5)
    stuck: timedelta = timedelta(minutes=5)
    post_sync: timedelta = timedelta(minutes=2)
    poll: timedelta = timedelta(seconds=15)
    refresh: tuple[timedelta, ...] = (
        timedelta(),
        timedelta(seconds=15),
        timedelta(seconds=45),
        timedelta(seconds=60),
    )
    attempts: int = 3
    restarts: int = 3
    hook_failure_is_warning: bool = False

    def __post_init__(self) -> None:
        if not self.refresh or any(each < timedelta() for each in self.refresh):
            raise ValueError("refresh needs at least one time, and none before the beginning")

    def of(self, clock: Clock, progress_deadline: timedelta | None = None) -> timedelta:
        match clock:
            case Clock.SEEN:
                return self.seen
            case Clock.SYNC:
                return self.sync
            case Clock.HEALTHY:
                deadline = progress_deadline or PROGRESS_DEADLINE
                return self.healthy if self.healthy is not None else deadline + _AFTER_DEADLINE
            case Clock.SUSPENDED:
                return self.suspended


@dataclass(frozen=True, slots=True)
class Requests:
    """What the next look should bring besides the application; a refresh only from `refresh_at`."""

    refresh: Refresh | None = None
    refresh_at: datetime | None = None
    tree: bool = False
    windows: bool = False
    renders: tuple[RenderAt, ...] = ()


@dataclass(frozen=True, slots=True)
class Terminate:
    """Stop an older operation; a revert needs it, else policy decides."""

    operation: str
    because: str
    for_revert: bool = False
    kind: Literal["terminate"] = "terminate"


@dataclass(frozen=True, slots=True)
class PostSync:
    because: str
    kind: Literal["post_sync"] = "post_sync"


Wish: TypeAlias = Terminate | PostSync


@dataclass(frozen=True, slots=True)
class Watch:
    """The memory of watching one application for one commit.

    `state`, `row` and `message` say where it stands (`row` 1, 5 and 6: nothing was learnt, the
    state is the last one known). `timers` run while their condition lasts, `clocks` add up;
    both stop while blind. `attempts` counts failed attempts by operation. `live_since` is the
    first of the looks that agree that it is live; `progress_deadline` is that of the manifests,
    once they were looked at.
    """

    begun_at: datetime
    since: datetime
    look_again_at: datetime
    state: State = State.NOT_SEEN
    row: int = 0
    message: str = "not looked at yet"
    outcome: Outcome = Pending(State.NOT_SEEN, "not looked at yet")
    application: Application | None = None
    uid: str = ""
    looked_at: datetime | None = None
    requests: Requests = Requests()
    wishes: tuple[Wish, ...] = ()
    blind_since: datetime | None = None
    unauthorised: bool = False
    no_news_since: datetime | None = None
    clock: Clock | None = None
    clocks: Mapping[Clock, timedelta] = field(default_factory=dict)
    timers: Mapping[str, timedelta] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    refreshes: int = 0
    refreshed_at: datetime | None = None
    live_since: datetime | None = None
    progress_deadline: timedelta | None = None

    @classmethod
    def begin(cls, now: datetime) -> Watch:
        """The first look is due at once, with a refresh."""
        first = Requests(refresh=Refresh.NORMAL, refresh_at=now)
        return cls(begun_at=now, since=now, look_again_at=now, requests=first)

    def due(self, now: datetime) -> Requests:
        """What a look at this moment should ask for.

        A look that an event caused comes early; a refresh causes events itself, so it keeps to
        its time.
        """
        at = self.requests.refresh_at
        if at is None or at <= now:
            return self.requests
        return replace(self.requests, refresh=None, refresh_at=None)
