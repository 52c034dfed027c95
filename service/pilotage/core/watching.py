"""One look at one application of a release, folded into its watch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import assert_never

from pilotage.core.acts import SyncApplication, TerminateOperation
from pilotage.core.config.policy import Policy
from pilotage.core.decision import Draft, EventKind
from pilotage.core.discovery.names import release_names
from pilotage.core.model import Outcome, Promotion
from pilotage.core.rollout.judge import judge
from pilotage.core.rollout.watch import PostSync, Terminate, Watch
from pilotage.core.snapshot import Sight


def next_looks(release: Promotion, policy: Policy) -> Iterator[datetime]:
    """When the applications that still count want to be looked at, this look's or an earlier's."""
    for service, outcome in release.outcomes.items():
        if outcome is Outcome.REVERTING:
            watches = [revert.watches for revert in release.reverts]
        elif outcome in (Outcome.ROLLING_OUT, Outcome.LIVE):
            watches = [release.watches]
        else:
            continue
        for name in release_names(policy, release, service):
            yield from (each[name].look_again_at for each in watches if name in each)


def fold(
    draft: Draft,
    release: Promotion,
    policy: Policy,
    before: Watch | None,
    name: str,
    sight: Sight,
) -> Watch:
    watch = judge(
        before or Watch.begin(draft.now),
        sight.look,
        sight.expectation,
        policy.environment.budgets.budgets,
        draft.now,
    )
    draft.wake(watch.look_again_at)
    state = watch.state.value
    seen = f"{state}: {watch.message}" if watch.message not in ("", state) else state
    draft.explain(name, seen)
    if before is None or before.state is not watch.state:
        draft.tell(
            EventKind.SEEN,
            f"{name}: {seen}",
            promotion=release,
            application=name,
            row=str(watch.row),
        )
    _wishes(draft, release, name, watch)
    return watch


def _wishes(draft: Draft, release: Promotion, name: str, watch: Watch) -> None:
    """What a watch asks of Argo CD; its key is the application's uid and the operation."""
    if not draft.may_act or release.hold is not None:
        return
    for wish in watch.wishes:
        match wish:
            case Terminate(operation=operation, for_revert=True):
                key = f"{release.id}/terminate/{watch.uid}/{operation}"
                draft.acts.append(TerminateOperation(key, release.id, name, operation))
            case Terminate():
                continue
            case PostSync():
                application = watch.application
                at = application.revisions if application is not None else ()
                key = f"{release.id}/sync/{watch.uid}/{','.join(at)}"
                draft.acts.append(SyncApplication(key, release.id, name))
            case _ as never:
                assert_never(never)
