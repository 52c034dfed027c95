"""The decision table: one function for each row, in the order that is their priority.

Each row looks at a `Case` and gives a `Finding`, or None when it does not apply. The numbers are
those of the table in ARCHITECTURE.md; rows 1 and 28 stand in `judge`, because they need
no application. Here stand rows 2 to 10, which hold for every sync status, and the order.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from pilotage.core.application import (
    Gone,
    Phase,
    Rendered,
    RenderFailed,
    Sync,
    is_commit,
)
from pilotage.core.rollout.case import (
    Case,
    Finding,
    Row,
    old_and_live,
    short,
)
from pilotage.core.rollout.evidence import (
    names_ours,
)
from pilotage.core.rollout.out_of_sync import OUT_OF_SYNC_ROWS
from pilotage.core.rollout.parameters import versions_said
from pilotage.core.rollout.synced import SYNCED_ROWS
from pilotage.core.rollout.watch import (
    Budgets,
    Clock,
    Failed,
    FailureReason,
    Held,
    HoldReason,
    Overtaken,
    Relation,
    State,
    Terminate,
    ThroughSpec,
    UnknownRoute,
    Watch,
)

NO_NEWS_CONDITIONS = frozenset({"ComparisonError", "InvalidSpecError", "UnknownError"})


def row_2_gone(case: Case) -> Finding | None:
    application, watch = case.application, case.watch
    if application.being_deleted:
        return gone_for(watch, case.step, "it is being deleted", case.budgets)
    if application.uid != watch.uid:
        why = "another application has taken its name (its uid differs)"
        return gone_for(watch, case.step, why, case.budgets)
    return None


def gone_for(watch: Watch, step: timedelta, why: str, budgets: Budgets) -> Finding:
    """Row 2: looked for again for a while, since an ApplicationSet may make it anew."""
    elapsed = watch.timers["gone"] + step if "gone" in watch.timers else timedelta()
    finding = Finding(2, State.GONE, why, timers=("gone",))
    if elapsed < budgets.gone:
        return replace(finding, outcome=Gone(why), within=budgets.gone / 6)
    return replace(finding, outcome=Held(HoldReason.GONE, f"the application is gone: {why}"))


def row_3_withdrawn(case: Case) -> Finding | None:
    head = case.expectation.head
    if head is None or head.contains is not False:
        return None
    why = (
        f"{short(case.expectation.sha)} is no longer in the branch (its head is {short(head.sha)})"
    )
    return Finding(3, State.WITHDRAWN, why, Held(HoldReason.WITHDRAWN, why))


def row_4_overtaken(case: Case) -> Finding | None:
    head, facts = case.expectation.head, case.expectation.revisions.get(case.revision)
    if head is not None and head.holds is False:
        by = head.sha
    elif facts and facts.relation is Relation.DESCENDANT and facts.holds is False:
        by = case.revision
    else:
        return None
    why = f"{short(by)} no longer holds the promoted values"
    return Finding(4, State.OVERTAKEN, why, Overtaken(by))


def row_5_controller_stuck(case: Case) -> Finding | None:
    if not case.refresh_refused():
        return None
    since = case.application.reconciled_at
    why = (
        f"the application controller does not answer: last comparison at {since:%H:%M:%S} UTC "
        f"(if that is just now, this machine's clock is wrong: it says {case.now:%H:%M:%S})"
    )
    return Finding(5, None, why, blind=True, refresh=True)


def row_6_no_news(case: Case) -> Finding | None:
    application = case.application
    found = [each for each in application.conditions if each.kind in NO_NEWS_CONDITIONS]
    if found:
        why = f"{found[0].kind}: {found[0].message}"
    elif application.sync is Sync.UNKNOWN:
        why = "Argo CD does not know whether it is in sync"
    elif not case.sources and not isinstance(case.expectation.route, ThroughSpec):
        why = f"none of its sources reads {case.expectation.repository}"
    elif case.sources and not is_commit(case.revision):
        why = f"compared with {case.revision or 'nothing'}, which is no commit"
    elif case.relation is Relation.UNKNOWN:
        why = f"git was not able to place {short(case.revision)}"
    else:
        return None
    quiet = Finding(6, None, why, blind=True, refresh=True)
    since = case.watch.no_news_since
    if since is None or case.now - since < case.budgets.no_news or not names_ours(why, case):
        return quiet
    at_ours, at_parent = (case.look.renderings.get(at) for at in case.renders)
    if not isinstance(at_ours, RenderFailed) or not isinstance(at_parent, Rendered):
        return replace(quiet, renders=case.renders)
    if not names_ours(at_ours.message, case):
        return quiet  # the repository was not to be read; the parent came out of a cache
    failure = Failed(FailureReason.CANNOT_RENDER, application.ref.name, at_ours.message)
    return Finding(6, State.CANNOT_RENDER, at_ours.message, failure)


def row_7_stale(case: Case) -> Finding | None:
    wanted = [source.whole for source in case.application.sources]
    if wanted == [source.whole for source in case.application.compared_to]:
        return None
    why = "its sources have changed since the last comparison"
    return Finding(7, State.STALE, why, clock=Clock.SEEN, refresh=True)


def row_8_not_seen(case: Case) -> Finding | None:
    if not case.relation.older:
        return None
    why = f"it still compares with {short(case.revision)}, not with {short(case.expectation.sha)}"
    return Finding(8, State.NOT_SEEN, why, clock=Clock.SEEN, refresh=True)


def row_9_waiting_for_application_set(case: Case) -> Finding | None:
    """Synced and Healthy here is a false live: the old chart, compared with our commit."""
    application, route = case.application, case.expectation.route
    state = State.WAITING_FOR_APPLICATION_SET
    if isinstance(route, UnknownRoute) and application.application_set:
        return Finding(9, state, route.why, Held(HoldReason.CONFIGURATION, route.why))
    if not isinstance(route, ThroughSpec):
        return _row_9_by_parameter(case)
    targets = [
        sources[route.source].target_revision if route.source < len(sources) else ""
        for sources in (application.sources, application.compared_to)
    ]
    if targets == [route.value, route.value]:
        return None
    owner = application.application_set or "whatever writes this application"
    why = f"{owner} has not yet set targetRevision to {route.value} (it is {targets[0] or 'unset'})"
    return Finding(9, state, why, clock=Clock.SEEN, refresh=True)


def _row_9_by_parameter(case: Case) -> Finding | None:
    """The specification still hands on the version that was replaced, and not the new one."""
    for source in case.application.sources:
        said = versions_said(source)
        for value in case.expectation.values:
            if value.old and value.old in said and value.new not in said:
                owner = case.application.application_set or "whatever writes this application"
                why = f"{owner} has not yet set {value.new} in its source (it is {value.old})"
                state = State.WAITING_FOR_APPLICATION_SET
                return Finding(9, state, why, clock=Clock.SEEN, refresh=True)
    return None


def row_10_blocked(case: Case) -> Finding | None:
    operation = case.operation
    if operation is None or not old_and_live(case):
        return None
    tries = f", {operation.retry_count} times failed" if operation.retry_count else ""
    why = f"an operation for an older revision is {operation.phase.value.lower()}{tries}"
    stop = Terminate(operation.identity, why, for_revert=case.expectation.revert)
    wishes = () if operation.phase is Phase.TERMINATING else (stop,)
    return Finding(10, State.BLOCKED, why, clock=Clock.SYNC, wishes=wishes)


ROWS: tuple[Row, ...] = (
    row_2_gone,
    row_3_withdrawn,
    row_4_overtaken,
    row_5_controller_stuck,
    row_6_no_news,
    row_7_stale,
    row_8_not_seen,
    row_9_waiting_for_application_set,
    row_10_blocked,
)


def first_match(case: Case) -> Finding:
    """The last row always answers."""
    by_sync = SYNCED_ROWS if case.application.sync is Sync.SYNCED else OUT_OF_SYNC_ROWS
    return next(found for row in (*ROWS, *by_sync) if (found := row(case)) is not None)
