"""From the merge to the verdict: the states `rolling_out`, `verifying` and `reverting`.

Each service of the merged set has an outcome of its own; the promotion's state follows from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from pilotage.core import prose, verification
from pilotage.core.acts import MessageKind
from pilotage.core.application import Gone
from pilotage.core.config.policy import OnFailure, Policy, Together
from pilotage.core.decision import Draft, EventKind
from pilotage.core.discovery.names import pinned, release_names
from pilotage.core.holding import hold, quarantine
from pilotage.core.merged import put_back
from pilotage.core.model import (
    Origin,
    Outcome,
    Promotion,
    Quarantined,
    State,
    Subject,
)
from pilotage.core.picture import was_good
from pilotage.core.release_page import release_outputs
from pilotage.core.revert import still_there, to_put_back
from pilotage.core.reverting import reverting
from pilotage.core.rollout.watch import (
    Failed,
    Held,
    Live,
    Overtaken,
    Pending,
    Watch,
)
from pilotage.core.watching import fold, next_looks
from pilotage.core.wording import listed, verb

_WATCHED = (Outcome.ROLLING_OUT, Outcome.LIVE)


def released(draft: Draft) -> None:
    """One look at what is between merge and verdict."""
    release = draft.release
    policy = draft.seen.release_policy
    assert release is not None
    assert policy is not None
    release = pinned(release, draft.seen.found_for_release)
    release = watched(draft, release, policy)
    release = _judged(draft, release, policy)
    release = _verified(draft, release, policy)
    release = _failed(draft, release, policy)
    release = reverting(draft, release, policy)
    release = _state(draft, release, policy)
    _show(draft, release, policy)


def watched(draft: Draft, release: Promotion, policy: Policy) -> Promotion:
    """Folds this look at each application into its watch; wishes become acts."""
    watches = dict(release.watches)
    for name, sight in draft.seen.sights.items():
        watches[name] = fold(draft, release, policy, watches.get(name), name, sight)
    return replace(release, watches=watches)


def _judged(draft: Draft, release: Promotion, policy: Policy) -> Promotion:
    """Each service's outcome from its applications' watches."""
    for service in release.services:
        if release.outcomes[service] not in _WATCHED:
            continue
        watches = {
            name: release.watches.get(name) for name in release_names(policy, release, service)
        }
        release = _service(draft, release, service, watches)
    return release


def _service(
    draft: Draft, release: Promotion, service: str, watches: Mapping[str, Watch | None]
) -> Promotion:
    outcome = Outcome.LIVE
    for name, watch in watches.items():
        match watch.outcome if watch is not None else None:
            case Failed() as failed:
                reason = prose.failure(name, failed)
                draft.tell(EventKind.FAILED, reason, promotion=release, service=service)
                return _with(release, service, Outcome.FAILED, reason)
            case Overtaken(by=by):
                reason = f"{by[:7]} changed the value; whoever did is judged"
                draft.tell(EventKind.OVERTAKEN, f"{service}: {reason}", promotion=release)
                return _with(release, service, Outcome.OVERTAKEN, reason)
            case Held(message=message):
                release = hold(draft, release, Subject.BLIND, f"{name}: {message}")
                outcome = Outcome.ROLLING_OUT
            case Pending() | Gone() | None:
                outcome = Outcome.ROLLING_OUT
            case Live():
                continue
            case _ as never:
                assert_never(never)
    if outcome is Outcome.LIVE and release.outcomes[service] is Outcome.ROLLING_OUT:
        draft.tell(EventKind.LIVE, f"{service} is live", promotion=release, service=service)
    return replace(release, outcomes={**release.outcomes, service: outcome})


def _with(release: Promotion, service: str, outcome: Outcome, reason: str) -> Promotion:
    return replace(
        release,
        outcomes={**release.outcomes, service: outcome},
        reasons={**release.reasons, service: reason},
    )


def _verified(draft: Draft, release: Promotion, policy: Policy) -> Promotion:
    """Live everywhere: it must stay so, and the checks must hold, for the policy's time."""
    outcomes = set(release.outcomes.values())
    begins = release.live_at is None
    if Outcome.LIVE not in outcomes or (begins and not _may_begin(release, policy)):
        return release
    period = policy.environment.verification
    live_at = release.live_at or draft.now
    if begins:
        release = replace(release, live_at=live_at)
        until_then = prose.second(draft.now + period.for_)
        text = f"{_where_live(release)}; verifying until {until_then}"
        draft.tell(EventKind.VERIFYING, text, promotion=release)
    release = replace(release, checks=verification.take(release.checks, draft.seen.readings))
    until = live_at + period.for_
    draft.wake(until if until > draft.now else draft.now + draft.seen.rhythm.look)
    verdicts = _verdicts(draft, release, policy)
    bad = [name for name, found in verdicts.items() if found is verification.CheckVerdict.BAD]
    if bad:
        return _check_failed(draft, release, bad[0])
    if draft.now < until or Outcome.ROLLING_OUT in outcomes:
        return release
    if unseen := _unseen(release, policy):
        draft.explain("verifying", f"the time is over, but {unseen}")
        return release
    good = verification.CheckVerdict.GOOD
    undecided = [name for name, found in verdicts.items() if found is not good]
    if undecided:
        blind = policy.environment.budgets.budgets.blind
        if draft.now < until + blind:
            return release
        return hold(draft, release, Subject.BLIND, f"no verdict of {undecided[0]} in time")
    return release if release.hold is not None else _confirmed(release)


def _may_begin(release: Promotion, policy: Policy) -> bool:
    """All of it is live that will be; what goes back together is not verified before."""
    outcomes = set(release.outcomes.values())
    together = policy.pipeline.together is Together.ALL
    return Outcome.ROLLING_OUT not in outcomes and not (together and Outcome.FAILED in outcomes)


def _where_live(release: Promotion) -> str:
    live = [name for name, found in release.outcomes.items() if found is Outcome.LIVE]
    if len(live) == len(release.outcomes):
        return "live everywhere"
    return f"{listed(live)} {verb(len(live), 'is', 'are')} live"


def _unseen(release: Promotion, policy: Policy) -> str | None:
    """Which application was live when it was last seen, and cannot be seen now."""
    for service, outcome in release.outcomes.items():
        if outcome is not Outcome.LIVE:
            continue
        for name in release_names(policy, release, service):
            watch = release.watches.get(name)
            if watch is not None and watch.blind_since is not None:
                return f"{name} cannot be seen: {watch.message}"
    return None


def _verdicts(
    draft: Draft, release: Promotion, policy: Policy
) -> dict[str, verification.CheckVerdict]:
    """What each check says so far, by its name; the target wakes when one is due."""
    verdicts = {}
    for check in policy.environment.verification.checks:
        record = release.checks.get(check.name)
        verdicts[check.name] = verification.verdict(check, record)
        draft.explain(check.name, record.last if record else "not read yet")
        draft.wake(verification.next_at(check, release.checks, draft.now))
    return verdicts


def _confirmed(release: Promotion) -> Promotion:
    outcomes = {
        service: Outcome.CONFIRMED if outcome is Outcome.LIVE else outcome
        for service, outcome in release.outcomes.items()
    }
    return replace(release, outcomes=outcomes)


def _check_failed(draft: Draft, release: Promotion, name: str) -> Promotion:
    record = release.checks[name]
    reason = f"{name}: {record.last} ({record.bad_in_row} times in a row)"
    draft.tell(EventKind.FAILED, reason, promotion=release, check=name)
    for service, outcome in release.outcomes.items():
        if outcome in _WATCHED:
            release = _with(release, service, Outcome.FAILED, reason)
    return release


def _failed(draft: Draft, release: Promotion, policy: Policy) -> Promotion:
    """What a failure leads to; a person's own change and a bad picture are held, never put back."""
    release = _replaced(draft, release)
    failed = [name for name, found in release.outcomes.items() if found is Outcome.FAILED]
    if not failed:
        return release
    reason = release.reasons[failed[0]]
    if release.origin is Origin.PERSON:
        by = release.merge.by if release.merge else "somebody"
        return hold(draft, release, Subject.FAILURE, f"{reason}. {by} wrote it, so it stays")
    _quarantine(draft, release, failed)
    if policy.environment.on_failure is OnFailure.HOLD:
        return hold(draft, release, Subject.FAILURE, reason)
    if release.hold is not None:
        return release
    if not draft.may_act:
        draft.explain("revert", f"would put back {', '.join(failed)}, but acts are paused")
        return release
    together = policy.pipeline.together is Together.ALL
    services = to_put_back(release, failed, together=together)
    if bad := _bad_picture(release, policy, services):
        return hold(draft, release, Subject.PICTURE, f"{reason}. Not put back: {bad}")
    return put_back(draft, release, services, reason)


def _replaced(draft: Draft, release: Promotion) -> Promotion:
    """Nobody watches a failed value any more; when a person changes it, it is theirs."""
    for change in release.changes:
        failed = release.outcomes[change.service] is Outcome.FAILED
        if failed and not still_there(change, draft.seen.release_at_head):
            reason = f"{draft.seen.base[:7]} no longer holds it; whoever changed it is judged"
            draft.tell(EventKind.OVERTAKEN, f"{change.service}: {reason}", promotion=release)
            release = _with(release, change.service, Outcome.OVERTAKEN, reason)
    return release


def _bad_picture(release: Promotion, policy: Policy, services: tuple[str, ...]) -> str | None:
    """Why what ran before the merge is not known to be good to go back to.

    Of a new service nothing ran.
    """
    new = {change.service for change in release.changes if change.new}
    for service in services:
        for name in release_names(policy, release, service):
            before = release.picture.get(name)
            if before is None and service in new:
                continue
            if before is None:
                return f"{name} was never seen before the merge"
            if not was_good(before):
                health = before.health.value if before.health else "without health"
                return f"{name} was {health} before the merge already"
    return None


def _quarantine(draft: Draft, release: Promotion, failed: list[str]) -> None:
    for change in release.changes:
        if change.service not in failed:
            continue
        reason = release.reasons[change.service]
        entry = Quarantined(change.service, change.after, reason, draft.now)
        quarantine(draft, entry, release)


def _state(draft: Draft, release: Promotion, policy: Policy) -> Promotion:
    """The promotion's state, from the outcomes of its services."""
    outcomes = set(release.outcomes.values())
    if Outcome.REVERTING in outcomes:
        return replace(release, state=State.REVERTING)
    if outcomes & {Outcome.ROLLING_OUT, Outcome.FAILED, Outcome.LIVE}:
        live = release.live_at is not None
        return replace(release, state=State.VERIFYING if live else State.ROLLING_OUT)
    if Outcome.REVERTED in outcomes:
        return _ended(draft, release, policy, State.REVERTED)
    if Outcome.CONFIRMED in outcomes:
        return _ended(draft, release, policy, State.CONFIRMED)
    return _ended(draft, release, policy, State.SUPERSEDED)


def _ended(draft: Draft, release: Promotion, policy: Policy, state: State) -> Promotion:
    conclusion = prose.conclusion(release, state, draft.now)
    release = replace(release, state=state, ended_at=draft.now, conclusion=conclusion, hold=None)
    draft.tell(EventKind.ENDED, conclusion, promotion=release)
    if state is not State.SUPERSEDED:
        event: MessageKind = "confirmed" if state is State.CONFIRMED else "reverted"
        key = f"{state.value}/{len(release.reverts)}"
        draft.notify(release, policy, event, f"{release.id} {state.value}", conclusion, key=key)
    return release


def _show(draft: Draft, release: Promotion, policy: Policy) -> None:
    draft.outputs.append(release_outputs(draft.seen.link, draft.target, policy, release))
    if release.hold is not None:
        draft.explain("held", release.hold.reason, release.hold.next_step)
    if release.ended_at is None:
        draft.follow(release)
        draft.wake(draft.now + draft.seen.rhythm.look)
        for at in next_looks(release, policy):
            if at > draft.now:
                draft.wake(at)
        return
    draft.ended.append(release)
    draft.follow(None)
    draft.wake(draft.now)
