"""What became of a version that CI deployed (SYRF-5): read from the store, never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pilotage.core import version
from pilotage.core.model import Promotion, State, Target
from pilotage.store import Report, Store, TargetRow
from pilotage.web import shown

_LOOKED_BACK = 50
"""Promotions of one target among which the value is searched, newest first."""

_DOING = {
    State.OPEN: "its pull request is open",
    State.ROLLING_OUT: "merged; Argo CD rolls it out",
    State.VERIFYING: "live, and being verified",
    State.REVERTING: "it is being put back",
}


class Answered(StrEnum):
    """States beside those of the promotion that carries the value."""

    OBSERVING = "observing"
    NOTHING_TO_DO = "nothing-to-do"
    REFUSED = "refused"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Answer:
    state: str
    reason: str
    target: str | None = None
    promotion: Promotion | None = None
    sure: bool = True
    """False for what the target's next look may see otherwise: a file or a configuration that was
    pushed a moment ago."""

    @property
    def settled(self) -> bool:
        """Waiting longer brings nothing that the one who waits asked for."""
        if self.state == Answered.OBSERVING or not self.sure:
            return False
        carries = self.promotion is not None and self.state == State.OPEN
        return not carries or bool(self.promotion and self.promotion.pull_request_url)


class Question:
    """Asked again and again by somebody who waits: it costs one statement while nothing moves."""

    def __init__(self, store: Store, report: Report) -> None:
        self._store, self._report = store, report
        self._seen: object = None
        self._answer = Answer(Answered.OBSERVING, "not looked at yet")

    def look(self) -> Answer:
        rows = self._store.targets()
        # Each tick takes a lease, and each lease has a fence of its own.
        seen = [(row.id, row.fence) for row in rows]
        busy = any(row.lease_owner for row in rows)
        if seen != self._seen or busy:
            self._answer = _answered(self._store, rows, self._report)
            self._seen = None if busy else seen
        return self._answer


def _answered(store: Store, rows: Sequence[TargetRow], report: Report) -> Answer:
    """The target that is furthest with the value speaks.

    Where none has it, the event itself tells whether anybody will.
    """
    furthest = _furthest(store, rows, report)
    if furthest.promotion is None and (
        furthest.state == Answered.OBSERVING or not _named(rows, report)
    ):
        ignored = store.why_ignored(delivery_of(report.id))
        return Answer(Answered.REFUSED, ignored, sure=False) if ignored else furthest
    return furthest


def delivery_of(report: str) -> str:
    """The event that was kept with a report."""
    return f"deployment/{report}"


def _furthest(store: Store, rows: Sequence[TargetRow], report: Report) -> Answer:
    targets = _targets(store, rows, report)
    if not targets:
        return Answer(Answered.OBSERVING, "no target of this repository is known yet")
    found = [
        _of_target(store, target, report)
        for target in targets
        if target.environment != report.environment
    ]
    if not found:
        reason = f"nothing is promoted from {report.environment}, which is where promotions end"
        return Answer(Answered.REFUSED, reason, sure=False)
    return max(found, key=lambda each: (each.promotion is not None, each.settled))


def _targets(store: Store, rows: Sequence[TargetRow], report: Report) -> list[Target]:
    """Those of the repository; a service's own repository may belong to any of them."""
    promoted = [row for row in rows if row.pipeline]
    targets = (store.read_target(row.id) for row in _named(rows, report) or promoted)
    return [target for target in targets if target is not None]


def _named(rows: Sequence[TargetRow], report: Report) -> list[TargetRow]:
    """The targets of the very repository, whose name is the same in any case."""
    told = report.repository.lower()
    return [row for row in rows if row.pipeline and row.repository.lower() == told]


def _of_target(store: Store, target: Target, report: Report) -> Answer:
    carrying = _carrying(store, target, report)
    if carrying is not None:
        return _carried(target, carrying)
    for entry in target.quarantine:
        if entry.service == report.service and same(entry.version, report.value):
            reason = f"{version.cut(entry.version)} is in quarantine: {entry.reason}"
            return Answer(Answered.REFUSED, reason, target.id)
    running = target.running.get(report.service)
    if running is not None and same(running, report.value):
        return Answer(
            Answered.NOTHING_TO_DO, f"{target.environment} has {running} already", target.id
        )
    if target.blind:
        return Answer(Answered.HELD, target.blind, target.id, sure=False)
    if target.config_problem:
        return Answer(Answered.HELD, target.config_problem, target.id, sure=False)
    return _not_proposed(target, report)


def _carrying(store: Store, target: Target, report: Report) -> Promotion | None:
    """The newest promotion with the value; else one that it was rolled out of."""
    recent = store.promotions(target.id, limit=_LOOKED_BACK)
    for promotion in recent:
        if _has(((each.service, each.after) for each in promotion.changes), report):
            return promotion
    for promotion in recent:
        if _has(((each.service, each.version) for each in promotion.superseded), report):
            return promotion
        if _has(((each.service, each.after) for each in promotion.waiting), report):
            return promotion
    return None


def _has(pairs: Iterable[tuple[str, str]], report: Report) -> bool:
    return any(service == report.service and same(found, report.value) for service, found in pairs)


def _carried(target: Target, promotion: Promotion) -> Answer:
    if promotion.hold is not None:
        return Answer(Answered.HELD, promotion.hold.reason, target.id, promotion)
    if target.pause is not None and promotion.state is State.OBSERVING:
        reason = f"paused by {target.pause.by}: {target.pause.reason}"
        return Answer(Answered.HELD, reason, target.id, promotion)
    closed = (found for found in target.refused if found.versions == promotion.versions)
    refused = next(closed, None)
    if refused is not None and promotion.state is State.OBSERVING:
        reason = f"{refused.by} closed {refused.promotion}, which had exactly this set"
        return Answer(Answered.REFUSED, reason, target.id, promotion)
    if promotion.state is State.CLOSED:
        reason = promotion.conclusion or "its pull request was closed"
        return Answer(Answered.REFUSED, reason, target.id, promotion)
    reason = promotion.conclusion or promotion.ready or _on_its_way(target, promotion)
    return Answer(promotion.state.value, reason, target.id, promotion)


def _on_its_way(target: Target, promotion: Promotion) -> str:
    """What a promotion does that has no reason of its own to stand still."""
    if promotion.state is not State.OBSERVING:
        return _DOING.get(promotion.state, promotion.state.value)
    for change in promotion.changes:
        for proof in target.proofs:
            same_set = (proof.service, proof.version) == (change.service, change.after)
            if same_set and not proof.proven:
                name = f"{proof.service} {version.short(proof.version, proof.service)}"
                return f"{name}: {shown.waiting(proof)}"
    return "proven; the pull request comes next"


def _not_proposed(target: Target, report: Report) -> Answer:
    for proof in target.proofs:
        if proof.service == report.service and same(proof.version, report.value):
            reason = "proven, and not proposed yet" if proof.proven else shown.waiting(proof)
            return Answer(Answered.OBSERVING, reason, target.id)
    if target.running_at is not None and report.service not in target.running:
        known = ", ".join(sorted(target.running)) or "none"
        reason = f"{target.id} promotes no service {report.service}; there are {known}"
        return Answer(Answered.REFUSED, reason, target.id, sure=False)
    return Answer(Answered.OBSERVING, "git does not say yet that it was deployed", target.id)


def same(ours: str, told: str) -> bool:
    """Whether CI means this value, with or without its prefix."""
    return told in (ours, version.plain(ours)) or version.plain(told) == version.plain(ours)
