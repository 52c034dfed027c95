"""One tick of one leased target: observe, decide, record, perform."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from pilotage.adapters import git, github
from pilotage.adapters.git import GitError, RemoteError, StoreFault
from pilotage.adapters.github import GitHubError, RateLimited
from pilotage.core.acts import (
    Act,
    AnswerComment,
    CommitBranch,
    Done,
    Notify,
    OpenPullRequest,
    Outrun,
    Refused,
    Result,
    RevertCommit,
)
from pilotage.core.decide import decide
from pilotage.core.decision import Decision
from pilotage.core.discovery.names import source_names
from pilotage.core.forge import PullRequest
from pilotage.core.model import Promotion, Target
from pilotage.core.outputs import Outputs
from pilotage.core.results import apply, is_stale, told
from pilotage.core.retry import Retry
from pilotage.core.rewound import rewound
from pilotage.core.snapshot import Known, Snapshot
from pilotage.engine.attention import Attention
from pilotage.engine.converge import Convergence, Mirror
from pilotage.engine.mail import Post, sort
from pilotage.engine.observe import CannotObserve, NotPromoted, Observer
from pilotage.engine.outside import Outside
from pilotage.engine.perform import NotYet, Performer
from pilotage.engine.survey import Survey
from pilotage.store import Lease, RecordedAct, Store

log = structlog.get_logger()

T = TypeVar("T")
Clock = Callable[[], datetime]

_ACT = Retry(timedelta(seconds=1), timedelta(minutes=1))
_OUTPUT = Retry(timedelta(seconds=1), timedelta(minutes=5))
_BLIND = timedelta(minutes=1)
"""Until the next look, where nothing could be seen."""
_FINAL = (
    github.Forbidden,
    github.NotFound,
    github.Refused,
    github.Unauthorised,
    git.RepositoryMissing,
    git.Unauthorised,
)
_BOUND = (CommitBranch, OpenPullRequest, RevertCommit)
"""One of these that was not done keeps what comes after it waiting: the next needs its result."""


class Ticker:
    """Does ticks. Shared by the workers; keeps nothing that a restart would miss."""

    def __init__(self, outside: Outside, store: Store, clock: Clock) -> None:
        self.outside = outside
        self.store = store
        self.clock = clock
        self._observer = Observer(outside, store)
        self._survey = Survey(outside, store)
        self._mirror = Mirror(outside.settings.repair)
        self.convergence = Convergence(outside.github, self._mirror, calm=outside.settings.look)
        self._alone: dict[str, tuple[int, datetime]] = {}
        """Target to the fence of our last lease, and since when every lease of it was ours."""

    def alone_since(self, target: str) -> datetime:
        """Since when no other replica has looked at this target, and written for it."""
        return self._alone[target][1]

    def _leased(self, lease: Lease) -> None:
        fence, since = self._alone.get(lease.target, (lease.fence, self.clock()))
        alone = lease.fence <= fence + 1
        self._alone[lease.target] = lease.fence, since if alone else self.clock()

    def tick(self, lease: Lease, changed: frozenset[str] = frozenset()) -> Attention | None:
        """Records when the target is due again, and gives its lease back."""
        self._leased(lease)
        loaded = self.store.load(lease)
        post = sort(loaded.mail)
        post = replace(post, changed=post.changed | changed)
        bound = structlog.contextvars.bound_contextvars(target=lease.target)
        with bound:
            if not loaded.target.pipeline:
                self._surveyed(lease, loaded.target, post)
                return None
            return self._promoted(lease, loaded.target, post, loaded.pending)

    def _looked(self, target: Target, look: Callable[[], T]) -> T:
        """Raises CannotObserve where this machine is to blame, too: its git, its disk."""
        try:
            return look()
        except (git.StoreFault, git.CommandFailed, OSError) as error:
            self.outside.reopen(target.repository, error)
            raise CannotObserve(str(error)) from None

    def _surveyed(self, lease: Lease, target: Target, post: Post) -> None:
        now, alone_since = self.clock(), self.alone_since(lease.target)
        self.store.forget_old(now - self.outside.settings.keep_bodies)
        wake_at = now + self.outside.settings.compare
        outputs: tuple[Outputs, ...] = ()
        before = target.ready_for
        consumed: Sequence[int] = post.ids
        try:
            surveyed = self._looked(target, lambda: self._survey.look(target, post, now))
            target, outputs = surveyed.target, surveyed.outputs
            for output in outputs:
                self.convergence.converge(target.repository, output, None, now, alone_since)
            target = replace(target, output_failures=0)
        except CannotObserve as error:
            log.warning("cannot look at the repository", reason=error.reason)
            target = _blind(target, error)
            wake_at = error.until or now + _BLIND
            consumed = ()
        except GitHubError as error:
            log.warning("cannot write", reason=str(error))
            wake_at = _write_again([error], now, target.output_failures)
            target = replace(target, ready_for=before, output_failures=target.output_failures + 1)
            consumed = ()
        self.store.record(
            lease, target=target, consumed=consumed, wake_at=wake_at, now=now, done=True
        )

    def _promoted(
        self, lease: Lease, target: Target, post: Post, pending: Sequence[RecordedAct]
    ) -> Attention | None:
        now = self.clock()
        target = rewound(target, now)
        snapshot = self._observed(lease, target, post, now)
        if snapshot is None:
            return None
        snapshot = replace(snapshot, pending=frozenset(found.key for found in pending))
        decision = decide(snapshot, now)
        quiet = not (decision.acts or decision.outputs or pending)
        self.store.record(
            lease,
            target=decision.target,
            promotions=decision.ended,
            acts=decision.acts,
            events=decision.events,
            consumed=post.ids,
            wake_at=decision.wake_at,
            now=now,
            done=quiet,
        )
        for event in decision.events:
            log.info(event.kind.value, promotion=event.promotion, text=event.text, by=event.by)
        target = decision.target
        if not quiet:
            target = self._performed(lease, snapshot, decision, pending)
        return Attention(
            lease.target,
            _interest(snapshot, target),
            frozenset(_sources(snapshot, snapshot.plan.unchanged)),
            self.clock() + self.outside.settings.fetch,
        )

    def _observed(self, lease: Lease, target: Target, post: Post, now: datetime) -> Snapshot | None:
        """What is seen; None where nothing can be decided, which is recorded with the next look."""
        try:
            return self._looked(target, lambda: self._observer.observe(target, post, now))
        except NotPromoted as error:
            log.info("not promoted any more", reason=str(error))
            later = now + self.outside.settings.compare
            self.store.record(lease, target=target, wake_at=later, now=now, done=True)
            return None
        except CannotObserve as error:
            log.warning("cannot observe", reason=error.reason)
            blind = _blind(target, error)
            again = error.until or now + min(_BLIND, self.outside.settings.look)
            self.store.record(lease, target=blind, wake_at=again, now=now, done=True)
            return None

    def _performed(
        self,
        lease: Lease,
        snapshot: Snapshot,
        decision: Decision,
        pending: Sequence[RecordedAct],
    ) -> Target:
        work = _Work(self, lease, snapshot, decision)
        work.acts(pending)
        work.outputs()
        if work.target != decision.target or work.wake_at != decision.wake_at:
            self.store.record(lease, target=work.target, wake_at=work.wake_at, now=self.clock())
        self.store.release(lease)
        return work.target


class _Work:
    """Performing what one decision asks for, under its lease."""

    def __init__(
        self, ticker: Ticker, lease: Lease, snapshot: Snapshot, decision: Decision
    ) -> None:
        self._ticker = ticker
        self._lease = lease
        self._alone_since = ticker.alone_since(lease.target)
        self._decision = decision
        self._snapshot = snapshot
        self.target = decision.target
        self.wake_at = decision.wake_at

    def _wake(self, at: datetime) -> None:
        self.wake_at = min(self.wake_at, at)

    def acts(self, pending: Sequence[RecordedAct]) -> None:
        """The ones that were left, then the new ones, in the order in which they were recorded."""
        known = {found.key: found for found in pending}
        todo: dict[str, Act] = {found.key: found.act for found in pending}
        for act in self._decision.acts:
            recorded = known.get(act.key) or self._ticker.store.act(act.key)
            if recorded is None or recorded.done_at is None:
                todo.setdefault(act.key, act)
        for act in todo.values():
            attempts = known[act.key].attempts if act.key in known else 0
            if not self._may(act):
                continue
            if not self._act(act, attempts) and isinstance(act, _BOUND):
                return

    def _may(self, act: Act) -> bool:
        """A pause stops everything but talking."""
        return self.target.pause is None or isinstance(act, Notify | AnswerComment)

    def _act(self, act: Act, attempts: int) -> bool:
        """Whether what comes after it may be done as well."""
        ticker = self._ticker
        self._lease = _long_enough(ticker, self._lease)
        if is_stale(self.target, act):
            self._finished(act, Outrun("its branch is not ours, or was not made"))
            return True
        try:
            result = self._performer().perform(act, self._decision.outputs)
        except (GitHubError, GitError, NotYet) as error:
            return self._failed(act, attempts, error)
        self._finished(act, result)
        return not isinstance(result, Outrun | Refused)

    def _performer(self) -> Performer:
        snapshot = self._snapshot
        policy = snapshot.release_policy or snapshot.policy
        repository = self._ticker.outside.repository(self.target.repository)
        return Performer(self._ticker.outside, repository, snapshot.own, policy.environment.argocd)

    def _failed(self, act: Act, attempts: int, error: Exception) -> bool:
        ticker = self._ticker
        now = ticker.clock()
        if isinstance(error, StoreFault):
            ticker.outside.reopen(self.target.repository, error)
        passing = isinstance(error, GitHubError | RemoteError | StoreFault | NotYet)
        if passing and not _is_final(error):
            log.warning("will try again", act=act.key, reason=str(error))
            ticker.store.fail_attempt(self._lease, act.key, str(error), now)
            self._wake(_again(error, now, attempts))
            return False
        log.error("refused", act=act.key, reason=str(error))
        self._finished(act, Refused(str(error)))
        return False

    def _finished(self, act: Act, result: Result) -> None:
        """The target first, then the act: a crash in between only looks once more."""
        store, now = self._ticker.store, self._ticker.clock()
        changed = apply(self.target, act, result, now)
        if changed != self.target:
            self.target = changed
            store.record(self._lease, target=changed, wake_at=now, now=now)
            self._wake(now)
        store.finish_act(self._lease, act.key, result, now, told(act, result, now))
        self._ticker.outside.repository(self.target.repository).wrote()
        if not isinstance(result, Done):
            log.info("act", key=act.key, result=result.kind)

    def outputs(self) -> None:
        current = self._snapshot.pull_request
        errors: list[GitHubError] = []
        for outputs in self._decision.outputs:
            pull_request = None
            if isinstance(current, Known) and current.value.number == outputs.pull_request:
                pull_request = current.value
            try:
                self._converged(outputs, pull_request)
            except GitHubError as error:
                log.warning("cannot write", promotion=outputs.promotion, reason=str(error))
                errors.append(error)
        failures = self.target.output_failures
        if errors:
            self._wake(_write_again(errors, self._ticker.clock(), failures))
        self.target = replace(
            self.target,
            output_failures=failures + 1 if errors else 0,
            unwritten=str(errors[0]) if errors else None,
        )

    def _converged(self, outputs: Outputs, pull_request: PullRequest | None) -> None:
        ticker = self._ticker
        now = ticker.clock()
        done = ticker.convergence.converge(
            self.target.repository, outputs, pull_request, now, self._alone_since
        )
        if done.stale:
            self._wake(now)
            ticker.outside.repository(self.target.repository).misread()
        if done.pull_request:
            ticker.outside.repository(self.target.repository).wrote()
        if done.body and self.target.proposal is not None:
            written = _written(self.target.proposal, outputs, now)
            self.target = replace(self.target, proposal=written)
            # What a person ticked at the same moment stands only in the edit history now.
            self._wake(now + ticker.outside.settings.look)


def _blind(target: Target, error: CannotObserve) -> Target:
    if error.configuration:
        return replace(target, config_problem=error.reason, blind=None)
    return replace(target, blind=error.reason)


def _written(promotion: Promotion, outputs: Outputs, now: datetime) -> Promotion:
    if promotion.id != outputs.promotion:
        return promotion
    return replace(promotion, body_written_at=now)


def _is_final(error: Exception) -> bool:
    """A person must act: trying again would be answered the same."""
    return isinstance(error, _FINAL)


def _again(error: Exception, now: datetime, attempts: int) -> datetime:
    if isinstance(error, RateLimited):
        return error.until
    return now + _ACT.pause(attempts)


def _write_again(errors: Sequence[GitHubError], now: datetime, failures: int) -> datetime:
    """When the outputs are tried again if nothing else wakes their target before."""
    limits = [error.until for error in errors if isinstance(error, RateLimited)]
    return max(limits, default=now + _OUTPUT.pause(failures))


def _long_enough(ticker: Ticker, lease: Lease) -> Lease:
    """Before each write the lease must outlast the call's own time-out."""
    settings = ticker.outside.settings
    needed = settings.git_timeout + timedelta(seconds=3 * settings.github.timeout)
    now = ticker.clock()
    longest = max(settings.lease, 2 * needed)
    if needed < lease.until - now <= longest:
        return lease
    return ticker.store.renew(lease, now, longest)


def _interest(snapshot: Snapshot, target: Target) -> frozenset[str]:
    """The applications whose changes should wake this target now."""
    names = _sources(snapshot, snapshot.plan.services)
    if target.release is not None:
        names |= set(target.release.watches)
        for revert in target.release.reverts:
            names |= set(revert.watches)
    return frozenset(names)


def _sources(snapshot: Snapshot, services: Iterable[str]) -> set[str]:
    policy, found = snapshot.policy, snapshot.found_in_source
    return {name for each in services for name in source_names(policy, each, found)}
