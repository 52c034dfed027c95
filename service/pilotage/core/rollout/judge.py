"""From what Argo CD said to one state of the rollout: the decision table, folded over the looks.

`judge(watch, seen, expectation, budgets, now)` is pure: it takes the memory, one look and the
time, and gives the memory with its outcome, what the next look should bring and when it is due.
The rows stand in `table`, the types in `watch`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from pilotage.core.application import Application, CannotSee, Gone, Look, Refresh, Rendered
from pilotage.core.rollout.case import Case, Finding, attempts_with, revisions_to_place
from pilotage.core.rollout.evidence import unhealthy
from pilotage.core.rollout.synced import bad_or_was_before
from pilotage.core.rollout.table import first_match, gone_for
from pilotage.core.rollout.watch import (
    PROGRESS_DEADLINE,
    Budgets,
    Clock,
    Expectation,
    Failed,
    FailureReason,
    Held,
    HoldReason,
    Live,
    Outcome,
    Overtaken,
    Pending,
    Relation,
    Requests,
    Route,
    ThroughFiles,
    ThroughSpec,
    UnknownRoute,
    Value,
    Watch,
)

__all__ = ["judge", "judge_value", "revisions_to_place", "route_of"]

_LATE = timedelta(seconds=30)
"""A look later than this after its time: we were not looking, so no clock ran meanwhile."""
_SOONEST = timedelta(milliseconds=50)


def judge(
    watch: Watch, seen: Look, expectation: Expectation, budgets: Budgets, now: datetime
) -> Watch:
    """Folds one look into the memory. `now` is when the look was made, and never goes back."""
    watch = _refreshed(watch, seen, now)
    match seen.application:
        case CannotSee(reason=reason, unauthorised=unauthorised):
            watch = replace(watch, unauthorised=unauthorised)
            return _blind(watch, Finding(1, None, reason, blind=True), budgets, now)
        case Gone(why=why):
            step = _step(watch, now)
            finding = gone_for(watch, step, why, budgets)
            return _seen(watch, finding, None, budgets, now, step)
        case Application() as application:
            watch = _pinned(replace(watch, unauthorised=False), application, expectation, now)
            step = _step(watch, now)
            case = Case(watch, application, seen, expectation, budgets, now, step)
            watch = _with_deadline(case)
            case = replace(case, watch=watch)
            finding = first_match(case)
            if finding.blind:
                watch = replace(watch, application=application)
                return _blind(watch, finding, budgets, now)
            attempts = attempts_with(case)
            watch = replace(watch, application=application, attempts=attempts)
            return _seen(watch, finding, case, budgets, now, step)
        case _ as never:
            assert_never(never)


def judge_value(
    watch: Watch, seen: Look, expectation: Expectation, budgets: Budgets, now: datetime
) -> Watch:
    """Is it live at a revision whose tree holds the value? The same table, for staging.

    Proof belongs to the value: any revision that holds it counts as ours, and that the branch has
    moved on since does not matter.
    """
    revisions = {
        sha: replace(facts, relation=Relation.SAME) if facts.holds else facts
        for sha, facts in expectation.revisions.items()
    }
    here = replace(expectation, revisions=revisions, head=None)
    return judge(watch, seen, here, budgets, now)


def route_of(
    values: Iterable[Value], picture: Application | None, configured: int | None = None
) -> Route:
    """How a value reaches the cluster: through the files, or as a source's `targetRevision`.

    Told from the picture: the source whose `targetRevision` is the value that is replaced; else
    configured (a 0-based source). Without either nothing is known of a new application.
    """
    known = tuple(values)
    sources = picture.sources if picture is not None else ()
    for value in known:
        for index, source in enumerate(sources):
            if source.target_revision and source.target_revision in (value.old, value.new):
                return ThroughSpec(index, value.new)
    if configured is not None and known:
        return ThroughSpec(configured, known[0].new)
    if picture is not None:
        return ThroughFiles()
    return UnknownRoute(
        "no picture from before the merge shows how the value reaches this application: "
        "name the source in the configuration"
    )


def _with_deadline(case: Case) -> Watch:
    rendered = case.look.renderings.get(case.renders[0])
    if not isinstance(rendered, Rendered):
        return case.watch
    deadline = rendered.progress_deadline or PROGRESS_DEADLINE
    return replace(case.watch, progress_deadline=deadline)


def _step(watch: Watch, now: datetime) -> timedelta:
    """The time since the last look that counts: none while blind, none while not looking."""
    if watch.looked_at is None or watch.blind_since is not None:
        return timedelta()
    planned = watch.look_again_at - watch.looked_at
    return max(timedelta(), min(now - watch.looked_at, planned + _LATE))


def _refreshed(watch: Watch, seen: Look, now: datetime) -> Watch:
    if seen.refreshed is None:
        return watch
    return replace(watch, refreshes=watch.refreshes + 1, refreshed_at=now)


def _pinned(
    watch: Watch, application: Application, expectation: Expectation, now: datetime
) -> Watch:
    """Follows one uid. What an ApplicationSet made again under the same name is followed afresh,
    and so is whatever has the name when neither watch nor picture knows of a uid."""
    before = watch.application or expectation.picture
    uid = watch.uid or (before.uid if before is not None else "") or application.uid
    owner = before.application_set if before is not None else ""
    if application.uid == uid or not owner or owner != application.application_set:
        return replace(watch, uid=uid)
    return replace(Watch.begin(now), uid=application.uid)


def _blind(watch: Watch, finding: Finding, budgets: Budgets, now: datetime) -> Watch:
    """Rows 1, 5 and 6: the last state stays, the clocks stop, and a person hears of it in time."""
    since = watch.blind_since or now
    outcome: Outcome = watch.outcome
    if now - since >= budgets.blind and not isinstance(outcome, Failed | Overtaken):
        why = f"nothing could be learnt for {_span(now - since)}: {finding.message}"
        outcome = Held(HoldReason.BLIND, why)
    elif isinstance(outcome, Pending):
        outcome = Pending(watch.state, finding.message)
    requests = _requests(watch, finding, budgets, now)
    no_news = (watch.no_news_since or now) if finding.row == 6 else watch.no_news_since
    return replace(
        watch,
        row=finding.row,
        message=finding.message,
        outcome=outcome,
        blind_since=since,
        no_news_since=no_news,
        looked_at=now,
        wishes=(),
        requests=requests,
        look_again_at=_next_look(budgets.poll, requests, budgets, now),
    )


def _seen(
    watch: Watch,
    finding: Finding,
    case: Case | None,
    budgets: Budgets,
    now: datetime,
    step: timedelta,
) -> Watch:
    clocks = dict(watch.clocks)
    if watch.clock is not None:
        clocks[watch.clock] = clocks.get(watch.clock, timedelta()) + step
    timers = {
        name: watch.timers[name] + step if name in watch.timers else timedelta()
        for name in finding.timers
    }
    state = finding.state or watch.state
    live_since = (watch.live_since or now) if finding.live else None
    allowed = budgets.of(finding.clock, watch.progress_deadline) if finding.clock else None
    outcome, wait = _outcome(finding, case, live_since, clocks, allowed, budgets, now)
    if isinstance(outcome, Live):
        clocks, finding = {}, replace(finding, clock=None)
    requests = _requests(watch, finding, budgets, now)
    return replace(
        watch,
        state=state,
        row=finding.row,
        message=finding.message,
        since=watch.since if state is watch.state and watch.looked_at else now,
        outcome=outcome,
        blind_since=None,
        no_news_since=None,
        looked_at=now,
        live_since=live_since,
        clock=finding.clock,
        clocks=clocks,
        timers=timers,
        wishes=finding.wishes,
        requests=requests,
        look_again_at=_next_look(wait, requests, budgets, now),
    )


def _outcome(
    finding: Finding,
    case: Case | None,
    live_since: datetime | None,
    spent: dict[Clock, timedelta],
    allowed: timedelta | None,
    budgets: Budgets,
    now: datetime,
) -> tuple[Outcome, timedelta]:
    """The outcome of this look, and how long until a wait could end by itself."""
    wait = finding.within if finding.within is not None else budgets.poll
    if finding.outcome is not None:
        return finding.outcome, wait
    if live_since is not None and case is not None:
        agreed = case.watch.live_since is not None and now - live_since >= budgets.dwell
        if agreed:
            return Live(live_since, finding.message), wait
        return _pending(finding, "live; looking once more"), budgets.dwell - (now - live_since)
    if finding.clock is None or allowed is None:
        return _pending(finding), wait
    so_far = spent.get(finding.clock, timedelta())
    if so_far < allowed:
        return _pending(finding), min(wait, allowed - so_far)
    return _timed_out(finding, case, so_far), wait


def _pending(finding: Finding, why: str = "") -> Pending:
    assert finding.state is not None
    return Pending(finding.state, why or finding.message)


def _timed_out(finding: Finding, case: Case | None, spent: timedelta) -> Outcome:
    """Row 28: a failure only where the new version was seen not to come up."""
    why = f"{finding.state} for {_span(spent)}: {finding.message}"
    if case is not None and finding.row == 17:
        return bad_or_was_before(case, unhealthy(case)[0], why)
    if case is not None and finding.row == 16:
        return Failed(FailureReason.NOT_HEALTHY_IN_TIME, unhealthy(case)[0], why)
    return Held(HoldReason.TIMED_OUT, why)


def _requests(watch: Watch, finding: Finding, budgets: Budgets, now: datetime) -> Requests:
    if finding.hard:
        refresh, at = Refresh.HARD, now + budgets.dwell
    else:
        refresh, at = Refresh.NORMAL, _next_refresh(watch, finding, budgets, now)
    return Requests(refresh, at, finding.tree, finding.windows, finding.renders)


def _next_refresh(watch: Watch, finding: Finding, budgets: Budgets, now: datetime) -> datetime:
    """By the pattern where a row waits for a comparison; else before it gets old."""
    asked, pattern, count = watch.refreshed_at, budgets.refresh, watch.refreshes
    if asked is None:
        return now if finding.refresh else _before_it_is_old(watch, budgets, now)
    if 0 < count < len(pattern) - 1:
        step = pattern[count] - pattern[count - 1]
        regular = max(watch.begun_at + pattern[count], asked + step)
    else:
        regular = asked + pattern[-1]
    return regular if finding.refresh else max(regular, _before_it_is_old(watch, budgets, now))


def _before_it_is_old(watch: Watch, budgets: Budgets, now: datetime) -> datetime:
    """An old comparison without a refresh asked for would say nothing of the controller."""
    compared = watch.application.reconciled_at if watch.application is not None else None
    return (compared or now) + budgets.stuck * 0.8


def _next_look(wait: timedelta, requests: Requests, budgets: Budgets, now: datetime) -> datetime:
    """The earliest of what is due, and never at once: a mistake here must not become a storm."""
    refresh = requests.refresh_at - now if requests.refresh_at is not None else wait
    return now + max(min(wait, refresh, budgets.poll), _SOONEST)


def _span(span: timedelta) -> str:
    """As people say it: "45 s", "12 min", "3 h"."""
    seconds = span.total_seconds()
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"
