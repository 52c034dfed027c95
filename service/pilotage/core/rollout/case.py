"""One look, placed in git: what the rows of the decision table ask, and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pilotage.core.application import (
    Application,
    Look,
    Operation,
    Phase,
    Pod,
    RenderAt,
    Resource,
    follows,
    is_commit,
)
from pilotage.core.discovery.path_patterns import covers
from pilotage.core.rollout.watch import (
    Budgets,
    Clock,
    Expectation,
    Outcome,
    Relation,
    State,
    ThroughSpec,
    Watch,
    Wish,
)

STAMP_TOLERANCE = timedelta(seconds=2)
"""Argo CD's stamps are truncated to seconds: nothing is ordered against our clock within this."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one row says. No `outcome` means that it waits, within the budget of `clock`.

    `state` None keeps the last one. `timers` name the conditions that hold now and whose duration
    counts. `refresh` asks for it at the pattern's next time, `hard` at once; `within` brings the
    next look forward. `live` marks the rows that end in *live*.
    """

    row: int
    state: State | None
    message: str
    outcome: Outcome | None = None
    clock: Clock | None = None
    timers: tuple[str, ...] = ()
    blind: bool = False
    live: bool = False
    refresh: bool = False
    hard: bool = False
    tree: bool = False
    windows: bool = False
    renders: tuple[RenderAt, ...] = ()
    wishes: tuple[Wish, ...] = ()
    within: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One look at an application that exists; `step` is the time that counts since the last."""

    watch: Watch
    application: Application
    look: Look
    expectation: Expectation
    budgets: Budgets
    now: datetime
    step: timedelta

    def elapsed(self, timer: str) -> timedelta:
        """For how long this has been so; zero when it is new."""
        before = self.watch.timers.get(timer)
        return before + self.step if before is not None else timedelta()

    def running(self, timer: str) -> bool:
        """An earlier look saw it too."""
        return timer in self.watch.timers

    @property
    def sources(self) -> tuple[int, ...]:
        return own_sources(self.application, self.expectation)

    @property
    def revision(self) -> str:
        """What was compared of ours; of several sources the one that is furthest behind."""
        return self._furthest_behind(self.application.revisions)

    @property
    def relation(self) -> Relation:
        if not self.sources:
            return Relation.SAME  # nothing of ours in it but `targetRevision`: row 9 judges that
        relation = self.place(self.revision)
        missed = relation is Relation.ANCESTOR and self._misses_generate_paths()
        return Relation.SAME if missed else relation

    def _furthest_behind(self, revisions: tuple[str, ...]) -> str:
        behind = [
            Relation.DIVERGED,
            Relation.ANCESTOR,
            Relation.UNKNOWN,
            Relation.SAME,
            Relation.DESCENDANT,
        ]
        named = [_at(revisions, index) for index in self.sources]
        return min(named, key=lambda each: behind.index(self.place(each)), default="")

    def place(self, revision: str) -> Relation:
        if revision == self.expectation.sha:
            return Relation.SAME
        facts = self.expectation.revisions.get(revision)
        return facts.relation if facts is not None else Relation.UNKNOWN

    @property
    def operation(self) -> Operation | None:
        return self.application.operation

    @property
    def operation_relation(self) -> Relation:
        """How the operation's revision stands to our commit."""
        operation = self.operation
        if operation is None:
            return Relation.UNKNOWN
        route = self.expectation.route
        if isinstance(route, ThroughSpec):
            target = _at(operation.targets, route.source)
            if target and target != route.value:
                return Relation.ANCESTOR
        if not self.sources:
            return Relation.SAME
        return self.place(self._furthest_behind(operation.revisions))

    @property
    def failed_attempts(self) -> int:
        """Summed over the operations since the merge; any commit restarts Argo CD's own count."""
        return sum(attempts_with(self).values())

    @property
    def hooks(self) -> tuple[Resource, ...]:
        return tuple(resource for resource in self.application.resources if resource.hook)

    def is_hooks(self, pod: Pod) -> bool:
        return any(hook.key.names(owner) for hook in self.hooks for owner in (pod.key, *pod.owners))

    def render_at(self, commit: str, value: str | None) -> RenderAt:
        """How to render the application as of a commit; `value` goes where the spec takes it."""
        commits = dict.fromkeys(self.sources, commit)
        route = self.expectation.route
        if isinstance(route, ThroughSpec) and value is not None:
            commits[route.source] = value
        return render_at(self.application, commits)

    @property
    def renders(self) -> tuple[RenderAt, RenderAt]:
        """The application at our commit and at its parent."""
        at_ours = self.render_at(self.expectation.sha, self._target_now())
        return at_ours, self.render_at(self.expectation.parent, self._target_before())

    @property
    def wants_deadline(self) -> bool:
        """Half of the usual time is over: how long may a rollout of these manifests take?

        Not sooner, so that a rollout that goes well costs no rendering.
        """
        spent = self.watch.clocks.get(Clock.HEALTHY, timedelta())
        unknown = self.budgets.healthy is None and self.watch.progress_deadline is None
        return unknown and spent >= self.budgets.of(Clock.HEALTHY) / 2

    def _target_now(self) -> str | None:
        """The commit that the value stands for where Argo CD has resolved it."""
        route, compared = self.expectation.route, self.application.compared_to
        if not isinstance(route, ThroughSpec):
            return None
        resolved = _at(self.application.revisions, route.source)
        there = _at(tuple(source.target_revision for source in compared), route.source)
        return resolved if there == route.value and is_commit(resolved) else route.value

    def _target_before(self) -> str | None:
        """The commit that the old value stood for, since tags may be unknown to the renderer."""
        route, picture = self.expectation.route, self.expectation.picture
        if not isinstance(route, ThroughSpec):
            return None
        resolved = _at(picture.revisions, route.source) if picture is not None else ""
        if is_commit(resolved):
            return resolved
        values = self.expectation.values
        return next((value.old for value in values if value.new == route.value), None)

    def refresh_refused(self) -> bool:
        """A refresh was asked for after the last comparison, and none came for `stuck`."""
        compared, asked = self.application.reconciled_at, self.watch.refreshed_at
        if compared is None or asked is None:
            return False
        return self.now - compared > self.budgets.stuck and asked > compared + STAMP_TOLERANCE

    def _misses_generate_paths(self) -> bool:
        """No file between the revision and our commit is one that this application renders."""
        patterns = self.application.generate_paths
        facts = self.expectation.revisions.get(self.revision)
        if patterns is None or facts is None or facts.differs is None:
            return False
        bases = [self.application.sources[index].path for index in self.sources]
        return not any(
            covers(pattern, base, file)
            for file in facts.differs
            for pattern in patterns
            for base in bases
        )


Row = Callable[[Case], Finding | None]


def own_sources(application: Application, expectation: Expectation) -> tuple[int, ...]:
    """The sources whose revisions are ours, but for one that the value names the revision of.

    Where the branch is known, those that follow it: another may stand at a tag of the same
    repository.
    """
    route, branch = expectation.route, expectation.branch
    pinned = route.source if isinstance(route, ThroughSpec) else None
    own = application.sources_of(expectation.repository)
    own = tuple(index for index in own if index != pinned)
    if not branch:
        return own
    sources = application.sources
    return tuple(each for each in own if follows(sources[each].target_revision, branch)) or own


def render_at(application: Application, commits: Mapping[int, str]) -> RenderAt:
    """Source index to commit, as Argo CD is asked: it counts from 1, and not a single source."""
    single = len(application.sources) == 1
    positions = {0 if single else index + 1: commit for index, commit in commits.items()}
    return RenderAt(tuple(sorted(positions.items())))


def attempts_with(case: Case) -> dict[str, int]:
    """The failed attempts of every operation of ours so far, this look's included."""
    attempts = dict(case.watch.attempts)
    operation = case.operation
    if operation is None or not case.operation_relation.ours:
        return attempts
    failed = operation.retry_count + (1 if operation.phase.bad else 0)
    if failed:
        attempts[operation.identity] = max(failed, attempts.get(operation.identity, 0))
    return attempts


def revisions_to_place(application: Application, repository: str) -> frozenset[str]:
    """The commits that a judgement will ask git about: the compared ones and the operation's."""
    operation = application.operation
    answers = (application.revisions, operation.revisions if operation is not None else ())
    own = application.sources_of(repository)
    named = (_at(revisions, index) for revisions in answers for index in own)
    return frozenset(revision for revision in named if is_commit(revision))


def old_and_live(case: Case) -> bool:
    """An operation of an older revision is requested or at work."""
    operation = case.operation
    return operation is not None and operation.phase.live and case.operation_relation.older


def retrying(operation: Operation) -> bool:
    return operation.phase is Phase.RUNNING and operation.retry_count > 0


def short(revision: str) -> str:
    """As people read a commit; a branch's name stays whole."""
    return revision[:8] if is_commit(revision) else revision or "nothing"


def _at(items: tuple[str, ...], index: int) -> str:
    return items[index] if index < len(items) else ""
