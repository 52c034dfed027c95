"""What is stored, as the API and the pages show it: plain JSON values, moments in ISO 8601."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from pydantic import JsonValue

from pilotage.core.change import ServiceChange
from pilotage.core.comparison import Compared, Comparison, NotCompared
from pilotage.core.model import Choice, Hold, Pause, Promotion, Proof, Revert, Target
from pilotage.store import Event, Report, Store, TargetRow, UnreadableDocument

Shown = dict[str, JsonValue]


def moment(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at is not None else None


def readable(store: Store, row: TargetRow) -> Target | None:
    """None before its first look. One that cannot be read says so, and hides none of the others."""
    try:
        return store.read_target(row.id)
    except UnreadableDocument as error:
        return Target(
            id=row.id,
            repository=row.repository,
            pipeline=row.pipeline,
            environment=row.environment,
            blind=str(error),
        )


def target(row: TargetRow, found: Target, last_release: Promotion | None = None) -> Shown:
    """One target: what it runs, what is on its way, and what keeps it."""
    return {
        "id": row.id,
        "repository": row.repository,
        "pipeline": row.pipeline,
        "environment": row.environment,
        "problem": found.config_problem,
        "blind": found.blind,
        "unwritten": found.unwritten,
        "pause": _pause(found.pause),
        "running": dict(sorted(found.running.items())),
        "running_at": found.running_at,
        "proposal": promotion(found.proposal) if found.proposal else None,
        "release": promotion(found.release) if found.release else None,
        "last_release": promotion(last_release) if last_release else None,
        "choice": _choice(found.choice),
        "admitted": list(found.admitted),
        "quarantine": [
            {
                "service": each.service,
                "version": each.version,
                "reason": each.reason,
                "since": moment(each.since),
                "by": each.by,
            }
            for each in found.quarantine
        ],
        "proofs": [_proof(each) for each in found.proofs],
        "because": [
            {"subject": each.subject, "text": each.text, "next_step": each.next_step}
            for each in found.because
        ],
        "wake_at": moment(row.wake_at),
        "busy": row.lease_owner is not None,
    }


def repository(row: TargetRow, found: Target) -> Shown:
    """A repository's own look: whether its configuration can be used."""
    return {
        "repository": row.repository,
        "problem": found.config_problem,
        "wake_at": moment(row.wake_at),
    }


def promotion(found: Promotion) -> Shown:
    return {
        "id": found.id,
        "target": found.target,
        "number": found.number,
        "state": found.state.value,
        "hold": _hold(found.hold),
        "ready": found.ready,
        "pull_request": found.pull_request,
        "pull_request_url": found.pull_request_url or None,
        "branch": found.branch or None,
        "origin": found.origin.value,
        "choice": _choice(found.choice),
        "created_at": moment(found.created_at),
        "opened_at": moment(found.opened_at),
        "live_at": moment(found.live_at),
        "ended_at": moment(found.ended_at),
        "conclusion": found.conclusion or None,
        "changes": [_change(found, each) for each in found.changes],
        "merge": _merge(found),
        "ticks": [
            {"item": each.item, "by": each.by, "at": moment(each.at)} for each in found.ticks
        ],
        "superseded": [
            {"service": each.service, "version": each.version} for each in found.superseded
        ],
        "waiting": [
            {"service": each.service, "before": each.before, "after": each.after}
            for each in found.waiting
        ],
        "reverts": [_revert(each) for each in found.reverts],
    }


def _change(promotion: Promotion, found: ServiceChange) -> Shown:
    return {
        "service": found.service,
        "before": found.before,
        "after": found.after,
        "outcome": _outcome(promotion, found.service),
        "reason": promotion.reasons.get(found.service),
        "source": _source(promotion.comparison_of(found)),
    }


def event(found: Event) -> Shown:
    return {
        "id": found.id,
        "at": moment(found.at),
        "target": found.target,
        "promotion": found.promotion,
        "kind": found.kind,
        "by": found.by,
        "text": found.text,
        "data": dict(found.data),
    }


def report(found: Report) -> Shown:
    return {
        "id": found.id,
        "repository": found.repository,
        "environment": found.environment,
        "service": found.service,
        "value": found.value,
    }


def waiting(proof: Proof) -> str:
    """What a proof that is not complete waits for."""
    if proof.obstacle is not None:
        return proof.obstacle
    if proof.live_since is None:
        return "not looked at yet"
    return f"live since {moment(proof.live_since)}, and soaking"


def _source(found: Comparison | None) -> Shown | None:
    """What is in a step, or why that is not known; None where nobody was asked."""
    if found is None:
        return None
    base: Shown = {
        "repository": found.span.repository,
        "before": found.span.before,
        "after": found.span.after,
    }
    match found.answer:
        case Compared() as compared:
            return base | {
                "url": compared.url,
                "direction": compared.direction.value,
                "added": compared.added,
                "removed": compared.removed,
                "pull_requests": list(compared.pull_requests),
                "commits": [
                    {"sha": each.sha, "subject": each.subject, "author": each.author}
                    for each in compared.commits
                ],
                "unknown": None,
            }
        case NotCompared(reason=reason):
            return base | {"unknown": reason}
        case _ as never:
            assert_never(never)


def _outcome(found: Promotion, service: str) -> str | None:
    outcome = found.outcomes.get(service)
    return outcome.value if outcome is not None else None


def _hold(hold: Hold | None) -> Shown | None:
    if hold is None:
        return None
    return {
        "subject": hold.subject.value,
        "reason": hold.reason,
        "by": hold.by,
        "since": moment(hold.since),
        "next_step": hold.next_step,
    }


def _pause(pause: Pause | None) -> Shown | None:
    if pause is None:
        return None
    return {"reason": pause.reason, "by": pause.by, "since": moment(pause.since)}


def _choice(choice: Choice | None) -> Shown | None:
    if choice is None:
        return None
    return {"services": list(choice.services), "by": choice.by, "at": moment(choice.at)}


def _proof(proof: Proof) -> Shown:
    return {
        "service": proof.service,
        "version": proof.version,
        "first_seen": moment(proof.first_seen),
        "live_since": moment(proof.live_since),
        "proven_at": moment(proof.proven_at),
        "obstacle": proof.obstacle,
    }


def _merge(found: Promotion) -> Shown | None:
    merge = found.merge
    if merge is None:
        return None
    return {
        "sha": merge.sha,
        "method": merge.method.value,
        "by": merge.by,
        "at": moment(merge.at),
        "outside_gate": merge.outside_gate,
    }


def _revert(revert: Revert) -> Shown:
    return {
        "services": list(revert.services),
        "reason": revert.reason,
        "by": revert.by,
        "asked_at": moment(revert.asked_at),
        "sha": revert.sha,
        "pull_request": revert.pull_request,
        "landed_at": moment(revert.landed_at),
    }
