"""What should be readable on GitHub of a release, from the merge to the verdict.

The live comment, the status on the merge commit and the deployment record. Times are absolute, so
that the comment changes only when something happened.
"""

from __future__ import annotations

from pilotage.core import version
from pilotage.core.config.policy import Policy
from pilotage.core.forge import Status, StatusState
from pilotage.core.model import Merge, Outcome, Promotion, Sha, State, Target
from pilotage.core.outputs import (
    Advice,
    ApplicationRow,
    DeploymentRecord,
    DeploymentState,
    LastWord,
    Outputs,
    StoryPage,
)
from pilotage.core.prose import clipped, list_changes, moment, span, story_marker
from pilotage.core.rollout.watch import Watch
from pilotage.core.wording import listed

ROLLOUT = "pilotage/rollout"
_COMMENT = "how it goes, and what came of it, stands in the comment on the rollout"


def release_outputs(link: str, target: Target, policy: Policy, release: Promotion) -> Outputs:
    """`link`: where the service's own pages are; empty when nobody said."""
    assert release.merge is not None
    url = f"{link}/promotions/{release.id}" if link else None
    status = Status(_rollout_state(release), clipped(_lead(policy, release)), url)
    return Outputs(
        promotion=release.id,
        pull_request=release.pull_request,
        statuses={(release.merge.sha, ROLLOUT): status},
        last_word=merged_word(release.merge, _COMMENT),
        story=_story(target, policy, release) if release.pull_request is not None else None,
        deployment=_deployment(policy, release, release.merge.sha),
    )


def merged_word(merge: Merge, text: str) -> LastWord:
    return LastWord("Merged", merge.by, merge.at, text, merge.sha)


def _rollout_state(release: Promotion) -> StatusState:
    match release.state:
        case State.CONFIRMED | State.SUPERSEDED:
            return StatusState.SUCCESS
        case State.REVERTED | State.REVERTING:
            return StatusState.FAILURE
        case _:
            return StatusState.PENDING


def _deployment(policy: Policy, release: Promotion, sha: Sha) -> DeploymentRecord:
    """It is written once for each state, so what it says holds until the next."""
    changes = list_changes(release.changes)
    state: DeploymentState
    match release.state:
        case State.CONFIRMED:
            state, said = "success", release.conclusion
        case State.REVERTED | State.REVERTING:
            state, said = "failure", f"Not kept: {changes} ({release.reverts[-1].reason})"
        case State.SUPERSEDED:
            state, said = "inactive", release.conclusion
        case _:
            state, said = "in_progress", f"Rolling out {changes}"
    name, environments = policy.environment_name, policy.pipeline.environments.values()
    goes_further = any(each.from_ == name for each in environments)
    return DeploymentRecord(sha, name, not goes_further, state, clipped(said))


def _lead(policy: Policy, release: Promotion) -> str:
    if release.ended_at is not None:
        return release.conclusion
    if release.hold is not None:
        return f"Held: {release.hold.reason}"
    period = policy.environment.verification.for_
    match release.state:
        case State.ROLLING_OUT:
            return f"Rolling out {list_changes(release.changes)}; then verified for {span(period)}"
        case State.VERIFYING:
            assert release.live_at is not None
            until = moment(release.live_at + period)
            return f"Live since {moment(release.live_at)}; verifying until {until}"
        case State.REVERTING:
            revert = release.reverts[-1]
            return f"Putting back {', '.join(revert.services)}: {revert.reason}"
        case _:
            return release.state.value


def _story(target: Target, policy: Policy, release: Promotion) -> StoryPage:
    merge = release.merge
    assert merge is not None
    heading = release.state.words.capitalize()
    lead = _lead(policy, release).removeprefix(f"{heading} ")
    if release.ended_at is not None:
        lead = f"{moment(release.ended_at)}, {lead}"
    return StoryPage(
        marker=story_marker(release),
        heading=heading,
        by=merge.by,
        at=merge.at,
        sha=merge.sha,
        lead=lead,
        rows=_rows(release),
        lines=_lines(release, lead),
        advice=_advice(target, release),
    )


def _lines(release: Promotion, lead: str) -> tuple[str, ...]:
    """What the lead does not say already."""
    lines = []
    if release.merge is not None and release.merge.outside_gate is not None:
        lines.append(f"Merged past a closed gate: {release.merge.outside_gate}")
    for service, outcome in release.outcomes.items():
        reason = release.reasons.get(service, "")
        if outcome in _TOLD and reason not in lead:
            lines.append(f"{service} is {outcome.value.replace('_', ' ')}: {reason}")
    lines += [f"Check {record.check}: {record.last}" for record in release.checks.values()]
    return tuple(lines)


_TOLD = (Outcome.FAILED, Outcome.REVERTING, Outcome.REVERTED, Outcome.OVERTAKEN)


def _advice(target: Target, release: Promotion) -> tuple[Advice, ...]:
    if release.ended_at is not None:
        return _afterwards(target, release)
    advice = []
    if release.hold is not None:
        advice.append(Advice("It goes on when somebody comments", release.hold.next_step))
    if release.state is not State.REVERTING:
        old = [
            f"{change.service} {version.short(change.before or 'nothing', change.service)}"
            for change in release.changes
        ]
        text = f"Rollback ready: {listed(old, 10)}. Comment"
        advice.append(Advice(text, "/pilotage rollback <reason>"))
    return tuple(advice)


def _afterwards(target: Target, release: Promotion) -> tuple[Advice, ...]:
    """What becomes of each version that was put back."""
    advice = []
    for change in release.changes:
        if release.outcomes.get(change.service) is not Outcome.REVERTED:
            continue
        name = f"{change.service} {version.short(change.after, change.service)}"
        if target.quarantined(change.service, change.after) is not None:
            text = f"{name} is in quarantine: release a newer version, or, to try this one again,"
            advice.append(Advice(text, target.lifting(change.service, change.after)))
        else:
            advice.append(Advice(f"{name} went back too, and returns with the next set."))
    return tuple(advice[:5])


def _rows(release: Promotion) -> tuple[ApplicationRow, ...]:
    watches: dict[str, Watch] = {**release.watches}
    for revert in release.reverts:
        watches |= revert.watches
    rows = []
    for name, watch in watches.items():
        application = watch.application
        revision = ", ".join(found[:7] for found in application.revisions) if application else ""
        rows.append(
            ApplicationRow(
                application=name,
                revision=revision,
                sync=application.sync.value if application else "not seen",
                health=_health(watch),
                since=watch.since.replace(microsecond=0),
            )
        )
    return tuple(rows)


def _health(watch: Watch) -> str:
    application = watch.application
    if application is None:
        return watch.message
    health = application.health.value if application.health else "none"
    return f"{health}: {watch.message}" if watch.message else f"{health} ({watch.state.value})"
