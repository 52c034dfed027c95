"""Invented snapshots in which everything passes; each test changes one fact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from pilotage.core.acts import Act
from pilotage.core.application import Application, ApplicationRef, Health, Source, Sync
from pilotage.core.change import ServiceChange
from pilotage.core.config.load import load_config
from pilotage.core.config.policy import Policy, policy_for
from pilotage.core.decide import decide
from pilotage.core.decision import Decision, EventKind
from pilotage.core.forge import READY, PullRequest, PullRequestBrief, Status
from pilotage.core.model import (
    Command,
    Merge,
    MergeMethod,
    Outcome,
    Promotion,
    Proof,
    State,
    Target,
    Tick,
)
from pilotage.core.outputs import BodyPage
from pilotage.core.places import FileText
from pilotage.core.plan import Plan, Tree, plan
from pilotage.core.rollout.watch import Failed, FailureReason, Live, Pending, Watch
from pilotage.core.rollout.watch import Outcome as WatchOutcome
from pilotage.core.rollout.watch import State as WatchState
from pilotage.core.snapshot import Known, Snapshot, Written
from pilotage.resources import presets

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
OTHER_HEAD = "0" * 40
BASE, SOURCE, HEAD, MERGED, OLD_HEAD, BY_HAND = (digit * 40 for digit in "abcdef")
CONFIG = """\
version: 1
pipelines:
  syrf:
    preset: cluster-gitops
    files: syrf/environments/{environment}/{service}/config.yaml
    environments:
      staging: {}
      production:
        from: staging
        checklist:
          - { item: feature, text: Feature works as expected, owner: platform-admins }
          - { item: migrations, text: "Database migrations successful, or none" }
"""
STAGING = {"api": "api-v9.1.1", "web": "web-v5.0.1"}
PRODUCTION = {"api": "api-v9.0.4", "web": "web-v5.0.0"}

A = TypeVar("A", bound=Act)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


@cache
def policy(config: str = CONFIG) -> Policy:
    found = policy_for(load_config(config, presets()), "syrf", "production", BASE)
    assert found is not None
    return found


def production(**lines: str) -> Policy:
    """The policy with these lines in `production:`, such as `roll="always"`."""
    text = "".join(f"        {name}: {value}\n" for name, value in lines.items())
    return policy(CONFIG + text)


def pipeline(**lines: str) -> Policy:
    """The policy with these lines in the pipeline, such as `together="proven"`."""
    text = "".join(f"    {name}: {value}\n" for name, value in lines.items())
    return policy(CONFIG.replace("    files:", text + "    files:"))


def file_path(environment: str, service: str) -> str:
    return f"syrf/environments/{environment}/{service}/config.yaml"


def file_text(environment: str, service: str, tag: str) -> str:
    return (
        f"# {service} of SYRF\nserviceName: {service}\nenvName: {environment}\n"
        f"service:\n  enabled: true\n  chartTag: {tag}   # set by promotion\n"
    )


def tree(environment: str, tags: Mapping[str, str], commit: str = BASE) -> Tree:
    files = {
        file_path(environment, name): file_text(environment, name, tag)
        for name, tag in tags.items()
    }
    texts = {path: FileText(path, text) for path, text in files.items()}
    return Tree(environment, commit, texts)


def proof(service: str, version: str, **changes: Any) -> Proof:
    first = Proof(
        service,
        version,
        SOURCE,
        first_seen=ago(hours=2),
        live_since=ago(hours=1),
        proven_at=ago(minutes=30),
    )
    return replace(first, **changes)


def proofs(tags: Mapping[str, str] = STAGING) -> tuple[Proof, ...]:
    return tuple(proof(service, tag) for service, tag in tags.items())


def target(**changes: Any) -> Target:
    first = Target(
        id="syrf/production",
        repository="acme/gitops",
        pipeline="syrf",
        environment="production",
        proofs=proofs(),
        running=PRODUCTION,
        running_at=BASE,
    )
    return replace(first, **changes)


def planned(
    chosen: Policy, staging: tuple[tuple[str, str], ...], running: tuple[tuple[str, str], ...]
) -> Plan:
    """Kept, since a property asks for the same plans over and over."""
    key = (chosen.model_dump_json(), staging, running)
    if key not in _PLANS:
        source, aim = tree("staging", dict(staging), SOURCE), tree("production", dict(running))
        _PLANS[key] = plan(chosen.pipeline, source, aim)
    return _PLANS[key]


_PLANS: dict[object, Plan] = {}


def snapshot(
    *,
    staging: Mapping[str, str] = STAGING,
    running: Mapping[str, str] = PRODUCTION,
    **changes: Any,
) -> Snapshot:
    """Staging is ahead and proven, nothing is under way, nobody has done anything."""
    chosen: Policy = changes.pop("policy", None) or policy()
    first = Snapshot(
        target=target(),
        policy=chosen,
        base_branch="main",
        base=BASE,
        plan=planned(chosen, tuple(staging.items()), tuple(running.items())),
        own="pilotage[bot]",
        link="https://pilotage.example",
    )
    return replace(first, **changes)


def changes(
    staging: Mapping[str, str] = STAGING, running: Mapping[str, str] = PRODUCTION
) -> tuple[ServiceChange, ...]:
    return snapshot(staging=staging, running=running).plan.changes


def proposal(**changed: Any) -> Promotion:
    """Open as #7, every box ticked by li."""
    first = Promotion(
        id="syrf-production-1",
        target="syrf/production",
        number=1,
        state=State.OPEN,
        created_at=ago(minutes=30),
        changes=changes(),
        source_commit=SOURCE,
        base=BASE,
        run="18277361",
        branch="production-promotion-18277361",
        branch_head=HEAD,
        pull_request=7,
        pull_request_url="https://github.com/acme/gitops/pull/7",
        opened_at=ago(minutes=29),
        ticks=(
            Tick("feature", "li", ago(minutes=20)),
            Tick("migrations", "li", ago(minutes=20)),
        ),
        ready="",
        picture={name: application(name) for name in ("api-production", "web-production")},
    )
    return replace(first, **changed)


def application(name: str, **changed: Any) -> Application:
    first = Application(
        ref=ApplicationRef("main", "default", "argocd", name),
        uid=f"uid-{name}",
        sources=(Source("https://github.com/acme/gitops", "main", "charts"),),
        compared_to=(Source("https://github.com/acme/gitops", "main", "charts"),),
        sync=Sync.SYNCED,
        revisions=(BASE,),
        health=Health.HEALTHY,
    )
    return replace(first, **changed)


def pull_request(**changed: Any) -> PullRequest:
    first = PullRequest(
        number=7,
        url="https://github.com/acme/gitops/pull/7",
        title="Promote syrf",
        body="",
        author="pilotage[bot]",
        head=HEAD,
        head_branch="production-promotion-18277361",
        head_repository="acme/gitops",
        base_branch="main",
        open=True,
        merged=False,
        merged_by=None,
        merged_at=None,
        merge_commit=None,
        closed_by=None,
        closed_at=None,
        commits=1,
        labels=frozenset(),
        assignees=frozenset(),
        requested_reviewers=frozenset(),
        requested_teams=frozenset(),
        updated_at=ago(minutes=20),
    )
    return replace(first, **changed)


def brief(**changed: Any) -> PullRequestBrief:
    """Somebody else's open pull request, #3."""
    first = PullRequestBrief(
        number=3,
        url="https://github.com/acme/gitops/pull/3",
        author="jane",
        head=OTHER_HEAD,
        head_branch="feature",
        head_repository="acme/gitops",
        updated_at=ago(minutes=5),
        body_marker=None,
    )
    return replace(first, **changed)


def merged_pull_request(**changed: Any) -> PullRequest:
    return pull_request(
        open=False, merged=True, merged_by="maria", merged_at=NOW, merge_commit=MERGED, **changed
    )


def opened(promotion: Promotion | None = None, **changed: Any) -> Snapshot:
    """The pull request is open and every gate passes."""
    given = promotion or proposal()
    facts: dict[str, Any] = {
        "pull_request": Known(pull_request(), NOW),
        "versions_on_head": Known(dict(given.versions), NOW),
        "reviews": Known((), NOW),
    }
    aim = changed.pop("target", None) or target(proposal=given, last_number=1)
    return snapshot(target=aim, **(facts | changed))


def watch(outcome: WatchOutcome | None = None, **changed: Any) -> Watch:
    """An application's watch with this outcome; live when none is given."""
    states = {Live: WatchState.LIVE, Failed: WatchState.DEGRADED}
    chosen = outcome or Live(ago(minutes=5))
    first = replace(
        Watch.begin(ago(minutes=10)),
        outcome=chosen,
        state=states.get(type(chosen), WatchState.ROLLING_OUT),
        message="as the test says",
        look_again_at=NOW + timedelta(seconds=15),
        looked_at=NOW,
        live_since=chosen.since if isinstance(chosen, Live) else None,
    )
    return replace(first, **changed)


def crash_loop() -> Watch:
    return watch(Failed(FailureReason.DEGRADED, "Deployment/api", "3 of 3 pods CrashLoopBackOff"))


def pending() -> Watch:
    return watch(Pending(WatchState.ROLLING_OUT, "1 of 3 updated"))


def release(**changed: Any) -> Promotion:
    """Merged by maria ten minutes ago and live everywhere for five."""
    first = replace(
        proposal(),
        state=State.VERIFYING,
        merge=Merge(MERGED, BASE, MergeMethod.MERGE, "maria", ago(minutes=10)),
        outcomes=dict.fromkeys(STAGING, Outcome.LIVE),
        watches={"api-production": watch(), "web-production": watch()},
        live_at=ago(minutes=5),
    )
    return replace(first, **changed)


def texts(running: Mapping[str, str] = STAGING) -> dict[str, str]:
    """Production's files when it runs these versions."""
    return {
        file_path("production", name): file_text("production", name, tag)
        for name, tag in running.items()
    }


def releasing(promotion: Promotion | None = None, **changed: Any) -> Snapshot:
    """Merged and watched; production's files hold the promoted values."""
    chosen: Policy = changed.get("policy") or policy()
    aim = changed.pop("target", None) or target(
        release=promotion or release(), last_number=1, running=STAGING, landed=(MERGED,)
    )
    facts: dict[str, Any] = {
        "running": STAGING,
        "release_policy": chosen,
        "release_at_head": texts(),
    }
    return snapshot(target=aim, **(facts | changed))


def command(name: str, argument: str = "", **changed: Any) -> Command:
    first = Command("c1", name, argument, "maria", NOW, comment=11, pull_request=7)
    return replace(first, **changed)


def commanded(before: Snapshot, *asked: Command) -> Snapshot:
    return replace(before, commands=asked, permitted=frozenset(each.id for each in asked))


def written(by: str = "jane", sha: str = BY_HAND) -> Written:
    return Written(sha, BASE, by, NOW)


def act_of(decision: Decision, kind: type[A]) -> A:
    found = acts_of(decision, kind)
    assert len(found) == 1, decision.acts
    return found[0]


def acts_of(decision: Decision, kind: type[A]) -> list[A]:
    return [act for act in decision.acts if isinstance(act, kind)]


def kinds(decision: Decision) -> list[str]:
    return [act.kind for act in decision.acts]


def told(decision: Decision) -> set[EventKind]:
    return {event.kind for event in decision.events}


def said(decision: Decision) -> str:
    return "\n".join(f"{reason.subject}: {reason.text}" for reason in decision.because)


def ready(decision: Decision, head: str = HEAD) -> Status:
    """What `pilotage/ready` says on this head."""
    found = [
        status
        for output in decision.outputs
        if (status := output.statuses.get((head, READY))) is not None
    ]
    assert len(found) == 1, decision.outputs
    return found[0]


def body_of(before: Any) -> BodyPage:
    found = [each.body for each in decide(before, NOW).outputs if each.body is not None]
    assert len(found) == 1
    return found[0]


def settle(before: Snapshot, *, now: datetime = NOW, looks: int = 3) -> Iterable[Decision]:
    """Some looks in a row in which nothing outside changes."""
    for _ in range(looks):
        decision = decide(before, now)
        yield decision
        before = replace(before, target=decision.target)
