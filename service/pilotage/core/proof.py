"""When a version counts as proven in the source environment.

Git says that it runs there, Argo CD that its applications are live at a commit that contains it,
and the soak has passed since. Only being Degraded while it ran there undoes a proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from pilotage.core.application import Gone
from pilotage.core.change import ServiceChange
from pilotage.core.config.policy import Policy, Together
from pilotage.core.discovery.names import source_names
from pilotage.core.model import Proof, Target
from pilotage.core.plan import Plan
from pilotage.core.prose import second
from pilotage.core.rollout.judge import judge_value
from pilotage.core.rollout.watch import Failed, Held, Live, Overtaken, Pending, State, Watch
from pilotage.core.snapshot import Sight, Snapshot
from pilotage.core.version import short
from pilotage.core.version_rules import Refused, refused

_REMEMBERED = 5
"""Proven versions kept for each service after the source has moved on."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why one service is not promoted now, and when that may change by itself."""

    service: str
    reason: str
    next_step: str = ""
    until: datetime | None = None
    lasting: bool = False
    """Only a person, or another version, takes it away."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What may be proposed now. Empty `changes` with obstacles: something is being waited for."""

    changes: tuple[ServiceChange, ...]
    obstacles: tuple[Obstacle, ...]


def prove(snapshot: Snapshot, now: datetime) -> tuple[Proof, ...]:
    """The proofs after this look, for every service that differs; others keep what they have."""
    kept = [proof for proof in snapshot.target.proofs if proof.proven]
    proofs: list[Proof] = []
    for service, planned in snapshot.plan.services.items():
        found = find(snapshot.target.proofs, service, planned.change.after)
        proof = found or Proof(service, planned.change.after, snapshot.plan.source, now)
        sights = snapshot.proof_sights.get(service, {})
        seen = sights or proof.watches
        names = source_names(snapshot.policy, service, snapshot.found_in_source)
        proofs.append(_look(proof, sights, names, snapshot.policy, now) if seen else proof)
    current = {(proof.service, proof.version) for proof in proofs}
    older = [proof for proof in kept if (proof.service, proof.version) not in current]
    return (*proofs, *_newest(older))


def find(proofs: tuple[Proof, ...], service: str, wanted: str) -> Proof | None:
    for proof in proofs:
        if proof.service == service and proof.version == wanted:
            return proof
    return None


def next_look(proof: Proof) -> datetime | None:
    looks = [watch.look_again_at for watch in proof.watches.values()]
    return min(looks, default=None)


def _newest(proofs: list[Proof]) -> list[Proof]:
    counts: dict[str, int] = {}
    kept = []
    for proof in sorted(proofs, key=lambda found: found.first_seen, reverse=True):
        counts[proof.service] = counts.get(proof.service, 0) + 1
        if counts[proof.service] <= _REMEMBERED:
            kept.append(replace(proof, watches={}))
    return kept


def _look(
    proof: Proof, sights: Mapping[str, Sight], names: list[str], policy: Policy, now: datetime
) -> Proof:
    """What these sights say, together with the last look at the applications that are not due."""
    budgets = policy.source.budgets.budgets
    watches = {name: watch for name, watch in proof.watches.items() if name in names}
    for name, sight in sights.items():
        watch = proof.watches.get(name) or Watch.begin(now)
        if isinstance(watch.outcome, Failed | Held):
            watch = Watch.begin(now)
        watches[name] = judge_value(watch, sight.look, sight.expectation, budgets, now)
    proof = replace(proof, watches=watches)
    degraded = _degraded(watches)
    if degraded is not None:
        return replace(proof, live_since=None, proven_at=None, obstacle=degraded)
    waiting = _not_live({name: watches.get(name) for name in names})
    if waiting is not None:
        return proof if proof.proven else replace(proof, obstacle=waiting)
    since = proof.live_since or now
    proven_at = proof.proven_at
    if proven_at is None and now >= since + policy.environment.gates.soak:
        proven_at = now
    return replace(proof, live_since=since, proven_at=proven_at, obstacle=None)


def _degraded(watches: Mapping[str, Watch]) -> str | None:
    for name, watch in watches.items():
        if watch.state is State.DEGRADED and watch.blind_since is None:
            return f"{name} is degraded: {watch.message}"
    return None


def _not_live(watches: Mapping[str, Watch | None]) -> str | None:
    for name, watch in watches.items():
        if watch is None:
            return f"{name} has not been looked at yet"
        if watch.blind_since is not None:
            return f"{name} cannot be seen: {watch.message}"
        match watch.outcome:
            case Live():
                continue
            case Pending(why=why):
                return f"{name}: {why}"
            case Failed(resource=resource, message=message):
                return f"{name} failed: {resource} {message}".rstrip()
            case Held(message=message):
                return f"{name}: {message}"
            case Overtaken() | Gone():
                return f"{name}: {watch.message}"
    return None


def in_question(plan: Plan, target: Target) -> Plan:
    """All that differs, or only the services that a person chose."""
    return plan if target.choice is None else plan.only(target.choice.services)


def select(snapshot: Snapshot, target: Target) -> Selection:
    """The set that the policy would promote now, and what stands in the way of the rest."""
    changes: list[ServiceChange] = []
    obstacles: list[Obstacle] = []
    plan = in_question(snapshot.plan, target)
    for planned in plan.services.values():
        found = obstacle(planned.change, snapshot.policy, target)
        if found is None:
            changes.append(planned.change)
        else:
            obstacles.append(found)
    for service, problem in plan.problems.items():
        obstacles.append(Obstacle(service, str(problem), "mend the file"))
    if obstacles and snapshot.policy.pipeline.together is Together.ALL:
        return Selection((), tuple(obstacles))
    return Selection(tuple(changes), tuple(obstacles))


def hopeless(plan: Plan, selection: Selection) -> bool:
    """Nothing of it will be promoted until a person or a new version changes that."""
    lasting = {obstacle.service for obstacle in selection.obstacles if obstacle.lasting}
    return lasting >= set(plan.services)


def obstacle(change: ServiceChange, policy: Policy, target: Target) -> Obstacle | None:
    """Why this change may not be proposed, or does not stand any more."""
    name, wanted = change.service, change.after
    quarantined = in_quarantine(change, target)
    if quarantined is not None:
        return quarantined
    against = against_rules(change, policy, target)
    if against is not None:
        return Obstacle(name, against.reason, against.next_step, lasting=True)
    proof = find(target.proofs, name, wanted)
    if proof is not None and proof.proven:
        return None
    return _unproven(name, wanted, proof, policy)


def against_rules(change: ServiceChange, policy: Policy, target: Target) -> Refused | None:
    """What `versions:` of the configuration has against it."""
    ran = find(target.proofs, change.service, change.before or "")
    return refused(change, policy, source_ran=ran is not None)


def in_quarantine(change: ServiceChange, target: Target) -> Obstacle | None:
    name, wanted = change.service, change.after
    found = target.quarantined(name, wanted)
    if found is None:
        return None
    reason = f"{name} {short(wanted, name)} is in quarantine: {found.reason}"
    return Obstacle(name, reason, target.lifting(name, wanted), lasting=True)


def _unproven(name: str, wanted: str, proof: Proof | None, policy: Policy) -> Obstacle:
    label = f"{name} {short(wanted, name)}"
    if proof is None or (proof.live_since is None and proof.obstacle is None):
        return Obstacle(name, f"{label} has not been seen live in {policy.source_name} yet")
    if proof.live_since is None or proof.obstacle is not None:
        return Obstacle(name, f"{label} is not live in {policy.source_name}: {proof.obstacle}")
    until = proof.live_since + policy.environment.gates.soak
    return Obstacle(name, f"{label} soaks in {policy.source_name} until {second(until)}", "", until)
