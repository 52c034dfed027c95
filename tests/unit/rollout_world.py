"""An application that is live at our commit, and looks at it: each test changes one fact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pilotage.core.application import (
    Application,
    ApplicationRef,
    CannotSee,
    Condition,
    Gone,
    Health,
    Look,
    Operation,
    Phase,
    Pod,
    Refresh,
    RenderAt,
    Rendering,
    Resource,
    ResourceKey,
    ResourceResult,
    ResourceTree,
    Source,
    Sync,
    SyncWindows,
)
from pilotage.core.rollout.judge import judge
from pilotage.core.rollout.watch import (
    Budgets,
    Expectation,
    Failed,
    FailureReason,
    HeadFacts,
    Held,
    HoldReason,
    Pending,
    Relation,
    RevisionFacts,
    State,
    Value,
    Watch,
)

OLDER, OURS, NEWER, ASIDE = (digit * 40 for digit in "abcd")
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
REPOSITORY = "https://github.com/acme/gitops.git"
FILE = "apps/shop/values.yaml"
DEPLOYMENT = ResourceKey("apps", "Deployment", "shop", "shop")
CONFIG_MAP = ResourceKey("", "ConfigMap", "shop", "shop-config")
SMOKE = ResourceKey("batch", "Job", "shop", "smoke")
BUDGETS = Budgets()


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def source(
    target: str = "main", *, path: str = "apps/shop", repository: str = REPOSITORY
) -> Source:
    return Source(repository, target, path, whole=f"{repository} {target} {path}")


def operation(
    phase: Phase = Phase.SUCCEEDED,
    revision: str = OURS,
    *,
    message: str = "",
    retry_count: int = 0,
    started: float = 1,
    results: tuple[ResourceResult, ...] = (),
    dry_run: bool = False,
    partial: bool = False,
    automated: bool = True,
) -> Operation:
    return Operation(
        phase=phase,
        message=message,
        revisions=(revision,),
        targets=("main",),
        retry_count=retry_count,
        dry_run=dry_run,
        partial=partial,
        automated=automated,
        initiated_by="" if automated else "jane",
        started_at=at(started),
        results=results,
    )


LIVE = Application(
    ref=ApplicationRef("main", "shop", "argocd", "shop-production"),
    uid="uid-1",
    sources=(source(),),
    compared_to=(source(),),
    sync=Sync.SYNCED,
    revisions=(OURS,),
    health=Health.HEALTHY,
    last_operation=operation(),
    reconciled_at=at(1),
    images=("ghcr.io/acme/shop:2.0",),
    resources=(
        Resource(DEPLOYMENT, Sync.SYNCED, Health.HEALTHY),
        Resource(CONFIG_MAP, Sync.SYNCED),
    ),
    automated=True,
)
PICTURE = replace(
    LIVE,
    revisions=(OLDER,),
    last_operation=operation(revision=OLDER, started=-600),
    reconciled_at=at(-60),
    images=("ghcr.io/acme/shop:1.0",),
)
EXPECTATION = Expectation(
    sha=OURS,
    parent=OLDER,
    since=NOON,
    repository="github.com/acme/gitops",
    values=(Value(FILE, "image.tag", "1.0", "2.0"),),
    head=HeadFacts(OURS, contains=True, holds=True),
    revisions={
        OLDER: RevisionFacts(Relation.ANCESTOR, holds=False),
        NEWER: RevisionFacts(Relation.DESCENDANT, holds=True),
        ASIDE: RevisionFacts(Relation.DIVERGED, holds=False),
    },
    picture=PICTURE,
)


def out_of_sync(**changes: object) -> Application:
    """Compared with our commit and different from it; the Deployment is what differs."""
    resources = (
        Resource(DEPLOYMENT, Sync.OUT_OF_SYNC, Health.HEALTHY),
        Resource(CONFIG_MAP, Sync.SYNCED),
    )
    base = replace(LIVE, sync=Sync.OUT_OF_SYNC, resources=resources)
    return replace(base, **changes)  # type: ignore[arg-type]


def degraded(**changes: object) -> Application:
    resources = (Resource(DEPLOYMENT, Sync.SYNCED, Health.DEGRADED, "progress deadline exceeded"),)
    base = replace(LIVE, health=Health.DEGRADED, resources=resources)
    return replace(base, **changes)  # type: ignore[arg-type]


def pod(
    reason: str = "CrashLoopBackOff",
    *,
    restarts: int = 3,
    created: float = 2,
    images: tuple[str, ...] = ("ghcr.io/acme/shop:2.0",),
    owner: ResourceKey = DEPLOYMENT,
) -> Pod:
    return Pod(
        ResourceKey("", "Pod", "shop", "shop-7f-x1"),
        reason=reason,
        restarts=restarts,
        images=images,
        message="back-off restarting failed container",
        created_at=at(created),
        owners=(ResourceKey("apps", "ReplicaSet", "shop", "shop-7f"), owner),
    )


FAILED_SMOKE = ResourceResult(SMOKE, "Synced", "Job has reached its limit", "PostSync", "Failed")
REFUSED_DEPLOYMENT = ResourceResult(
    DEPLOYMENT, "SyncFailed", "selector does not match", "", "Failed"
)
OPEN = SyncWindows(can_sync=True)


def waits(watch: Watch, row: int, state: State) -> None:
    assert (watch.row, watch.state) == (row, state), watch.message
    assert isinstance(watch.outcome, Pending), watch.outcome


def held(watch: Watch, row: int, reason: HoldReason) -> Held:
    assert watch.row == row, watch.message
    assert isinstance(watch.outcome, Held), watch.outcome
    assert watch.outcome.reason is reason
    return watch.outcome


def failed(watch: Watch, row: int, reason: FailureReason) -> Failed:
    assert watch.row == row, watch.message
    assert isinstance(watch.outcome, Failed), watch.outcome
    assert watch.outcome.reason is reason
    return watch.outcome


class Watcher:
    """Folds looks one after the other; time is what the test says it is."""

    def __init__(self, expectation: Expectation = EXPECTATION, budgets: Budgets = BUDGETS) -> None:
        self.expectation, self.budgets = expectation, budgets
        self.watch = Watch.begin(NOON)

    def see(
        self,
        seconds: float,
        application: Application | Gone | CannotSee = LIVE,
        *,
        refreshed: Refresh | None = None,
        tree: ResourceTree | CannotSee | None = None,
        windows: SyncWindows | CannotSee | None = None,
        renderings: Mapping[RenderAt, Rendering] | None = None,
    ) -> Watch:
        look = Look(application, refreshed, tree, windows, renderings or {})
        self.watch = judge(self.watch, look, self.expectation, self.budgets, at(seconds))
        return self.watch

    def keep_seeing(
        self,
        begin: float,
        end: float,
        application: Application | Gone | CannotSee = LIVE,
        *,
        tree: ResourceTree | CannotSee | None = None,
        windows: SyncWindows | CannotSee | None = None,
    ) -> Watch:
        """Looks every 15 seconds, as the watch itself asks for; fresh comparisons all the while."""
        seconds = begin
        while seconds <= end:
            seen = application
            if isinstance(seen, Application) and seen.reconciled_at is not None:
                seen = replace(seen, reconciled_at=at(seconds))
            self.see(seconds, seen, tree=tree, windows=windows)
            seconds += 15
        return self.watch


def comparison_error(message: str) -> Application:
    """As Argo CD shows one: sync Unknown, the branch's name for a revision, health still good."""
    condition = Condition("ComparisonError", message)
    return replace(LIVE, sync=Sync.UNKNOWN, revisions=("main",), conditions=(condition,))
