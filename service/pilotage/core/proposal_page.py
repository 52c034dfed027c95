"""What should be readable on GitHub of a pull request that is open: its body, title and statuses.

Times are absolute, so that the page changes only when a decision does.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

from pilotage.core import checklist, comparing, version
from pilotage.core.change import ServiceChange
from pilotage.core.comparison import Span
from pilotage.core.config.policy import OnFailure, Policy
from pilotage.core.distance import Step, distance
from pilotage.core.forge import READY, PullRequest, Status, StatusState
from pilotage.core.gates import Gate, Verdict, blockers
from pilotage.core.layout import misnamed_text
from pilotage.core.model import Choice, Promotion, Sha, Target
from pilotage.core.outputs import Advice, BodyPage, Box, ChangeRow, LastWord, Outputs, SourcePages
from pilotage.core.proof import find, in_quarantine
from pilotage.core.prose import clipped, marker, moment, span, title
from pilotage.core.rendered import is_asked_for
from pilotage.core.snapshot import Snapshot
from pilotage.core.wording import listed, typed

_PARTS = {
    "pilotage/evidence": ("proof", "contents", "artifacts", "renders"),
    "pilotage/checklist": ("checklist",),
}


def proposal_outputs(
    seen: Snapshot,
    target: Target,
    promotion: Promotion,
    pull_request: PullRequest | None,
    gates: tuple[Gate, ...],
) -> Outputs:
    environment = seen.policy.environment
    statuses = _statuses(seen, promotion, pull_request.head, gates) if pull_request else {}
    return Outputs(
        promotion=promotion.id,
        pull_request=promotion.pull_request,
        body=_body(seen, target, promotion, pull_request, gates),
        title=title(seen.policy, promotion),
        labels=frozenset(environment.labels),
        assignees=frozenset(environment.assignees),
        reviewers=frozenset(environment.reviewers.users),
        teams=frozenset(environment.reviewers.teams),
        statuses=statuses,
    )


def refused_outputs(promotion: Promotion, pull_request: PullRequest) -> Outputs:
    """Of one that does not come back: red, whoever asks for it."""
    state = Status(StatusState.FAILURE, clipped(promotion.conclusion))
    return Outputs(
        promotion=promotion.id,
        pull_request=pull_request.number,
        statuses={(pull_request.head, READY): state},
    )


def closed_outputs(promotion: Promotion, pull_request: PullRequest, at: datetime) -> Outputs:
    by = pull_request.closed_by or ""
    text = "this set is not proposed again. To go on with it, open the pull request again"
    word = LastWord("Closed", by, pull_request.closed_at or at, text)
    return replace(refused_outputs(promotion, pull_request), last_word=word)


def superseded_outputs(promotion: Promotion, at: datetime) -> Outputs:
    word = LastWord("Superseded", "", at, promotion.conclusion)
    return Outputs(promotion.id, promotion.pull_request, last_word=word)


def _statuses(
    seen: Snapshot, promotion: Promotion, head: Sha, gates: tuple[Gate, ...]
) -> dict[tuple[Sha, str], Status]:
    url = f"{seen.link}/promotions/{promotion.id}" if seen.link else None
    ready = _status(gates, url, "every gate is open")
    statuses = {(queued.sha, READY): ready for queued in promotion.queue_heads}
    statuses[head, READY] = ready
    for context, names in _PARTS.items():
        chosen = tuple(gate for gate in gates if gate.name in names)
        statuses[head, context] = _status(chosen, url, chosen[-1].reason if chosen else "")
    return statuses


def _status(gates: tuple[Gate, ...], url: str | None, good: str) -> Status:
    closed = blockers(gates)
    if not closed:
        return Status(StatusState.SUCCESS, clipped(good), url)
    first = closed[0]
    more = f" (+{len(closed) - 1} more)" if len(closed) > 1 else ""
    step = f"; {first.next_step}" if first.next_step else ""
    state = StatusState.FAILURE if first.verdict is Verdict.FAIL else StatusState.PENDING
    return Status(state, clipped(f"{first.reason}{step}{more}"), url)


def _body(
    seen: Snapshot,
    target: Target,
    promotion: Promotion,
    pull_request: PullRequest | None,
    gates: tuple[Gate, ...],
) -> BodyPage:
    policy = seen.policy
    closed = blockers(gates)
    rows = [_row(seen, target, promotion, change) for change in promotion.changes]
    return BodyPage(
        promotion=promotion.id,
        marker=marker(promotion),
        set=checklist.set_id(promotion.versions),
        pipeline=policy.pipeline_name,
        environment=policy.environment_name,
        source=policy.source_name,
        blockers=tuple(gate.reason for gate in closed),
        next_step=next((gate.next_step for gate in closed if gate.next_step), ""),
        rows=(*rows, *_unchanged(seen, promotion)[:20]),
        going_back=tuple(row for row in rows if row.step and row.step.step is Step.BACK),
        proven=_proven(policy, target, promotion, gates),
        people=_people(policy, promotion),
        differences=tuple(each for change in promotion.changes for each in change.differences)[:40],
        superseded=tuple(
            replace(old, version=version.cut(old.version)) for old in promotion.superseded
        ),
        waiting=tuple(_row(seen, target, promotion, each) for each in promotion.waiting),
        left_out=_left_out(seen, promotion),
        rollback=_rollback(policy),
        rollback_command=_rollback_command(target, promotion),
        notes=_notes(target, promotion, pull_request),
        policy=f"{policy.pipeline.preset or 'own'} at {policy.commit[:7]}",
        link=f"{seen.link}/promotions/{promotion.id}" if seen.link else "",
        not_compared=tuple(comparing.not_compared(policy, promotion)),
        roll_asked=promotion.roll_asked,
        ours=pull_request is None or not promotion.is_strange(pull_request.head),
    )


def _notes(
    target: Target, promotion: Promotion, pull_request: PullRequest | None
) -> tuple[str, ...]:
    notes = []
    chosen = promotion.choice
    if chosen is not None:
        notes.append(f"{_asked(chosen)}, so the other services wait.")
    if target.choice is not None and target.choice != chosen:
        notes.append(f"{_asked(target.choice)}; this set is another one.")
    if pull_request is not None and promotion.is_strange(pull_request.head):
        notes.append(
            f"{pull_request.head[:7]} is a commit that Pilotage did not write: "
            "the branch is left as it is, and newer versions wait."
        )
    return tuple(notes)


def _asked(choice: Choice) -> str:
    return f"Asked for by {choice.by} {moment(choice.at)}: only {listed(choice.services)}"


def _row(seen: Snapshot, target: Target, promotion: Promotion, change: ServiceChange) -> ChangeRow:
    name = change.service
    if change.before == change.after and not change.copied:
        return ChangeRow(name, change.after, None)
    proof = find(target.proofs, name, change.after)
    span = comparing.span_of(seen.policy, change)
    return ChangeRow(
        service=name,
        before=version.cut(change.before) if change.before is not None else None,
        after=version.cut(change.after),
        step=distance(change.before, change.after, seen.policy.pipeline.versions.scheme),
        live_since=proof.live_since if proof else None,
        compare_url=_compare_url(seen.forge, span)
        if span is not None and not comparing.is_absent(promotion, change)
        else None,
        compared=comparing.compared(promotion, change),
        source=SourcePages(span.repository, f"{seen.forge}/{span.repository}") if span else None,
    )


def _unchanged(seen: Snapshot, promotion: Promotion) -> list[ChangeRow]:
    """Services that are not in this set because both environments have the same."""
    services = set(promotion.services)
    return [
        ChangeRow(name, version.cut(found), None)
        for name, found in seen.plan.unchanged.items()
        if name not in services
    ]


def _compare_url(forge: str, span: Span) -> str:
    return f"{forge}/{span.repository}/compare/{quote(span.before)}...{quote(span.after)}"


def _proven(
    policy: Policy, target: Target, promotion: Promotion, gates: tuple[Gate, ...]
) -> tuple[Box, ...]:
    """Evidence that the service ticks itself, each line with its proof and time."""
    proofs = [find(target.proofs, change.service, change.after) for change in promotion.changes]
    lives = [proof.live_since for proof in proofs if proof and proof.live_since]
    proven = [proof.proven_at for proof in proofs if proof and proof.proven_at]
    every = len(proofs)
    commit = promotion.source_commit[:7]
    healthy = Box(
        "staging-healthy",
        f"{policy.source_name.capitalize()} healthy at {commit}",
        len(lives) == every,
        f"{', '.join(promotion.services[:5])} live since {moment(max(lives))}" if lives else "",
    )
    boxes = [healthy]
    soak = policy.environment.gates.soak
    if soak:
        over = f"over at {moment(max(proven))}" if proven else ""
        boxes.append(Box("soak", f"Soaked {span(soak)}", len(proven) == every, over))
    if policy.environment.gates.artifacts is not None:
        judged = [gate for gate in gates if gate.name in _of_artifacts(policy)]
        valid = bool(judged) and all(gate.open for gate in judged)
        proof = "; ".join(gate.reason for gate in judged) if valid else ""
        boxes.append(Box("artifacts-valid", "Artifacts valid", valid, proof))
    return tuple(boxes)


def _of_artifacts(policy: Policy) -> tuple[str, ...]:
    return ("artifacts", "renders") if is_asked_for(policy) else ("artifacts",)


def _people(policy: Policy, promotion: Promotion) -> tuple[Box, ...]:
    ticks = {tick.item: tick for tick in promotion.ticks}
    boxes = []
    for item in policy.environment.checklist:
        tick = ticks.get(item.item)
        proof = f"@{tick.by} {moment(tick.at)}" if tick else ""
        boxes.append(Box(item.item, item.text, tick is not None, proof, item.owner))
    return tuple(boxes)


def _left_out(seen: Snapshot, promotion: Promotion) -> tuple[Advice, ...]:
    """What differs and is not in this set, with the reason."""
    plan, services = seen.plan, set(promotion.services)
    notes = [Advice(str(each)) for name, each in plan.problems.items() if name not in services]
    for service, planned in plan.services.items():
        if service in services:
            continue
        kept_out = in_quarantine(planned.change, seen.target)
        if kept_out is not None:
            notes.append(Advice(kept_out.reason))
        elif promotion.choice is not None:
            text = f"{service} {version.short(planned.change.after, service)} was not asked for"
            notes.append(Advice(f"{text} by {promotion.choice.by}, and comes later"))
    return (*notes[:20], *_alone(seen))


def _alone(seen: Snapshot) -> tuple[Advice, ...]:
    """Services that only one of the environments has, and what can be none."""
    plan, found = seen.plan, []
    new, old = (listed(names, 10) for names in (plan.only_in_source, plan.only_in_target))
    if new:
        which = "it" if len(plan.only_in_source) == 1 else "one"
        text = f"only in {seen.policy.source_name}: {new}; to let {which} in, comment"
        found.append(Advice(text, f"/pilotage add {plan.only_in_source[0]}"))
    if old:
        found.append(Advice(f"only in {seen.policy.environment_name}: {old}"))
    # Hidden folders and templates are no surprise to anybody.
    misnamed = [name for name in plan.misnamed if name[0] not in "._"]
    if misnamed:
        found.append(Advice(misnamed_text(misnamed)))
    return tuple(found)


def _rollback(policy: Policy) -> tuple[str, ...]:
    environment = policy.environment
    budgets = environment.budgets.budgets
    if environment.on_failure is OnFailure.HOLD:
        return ("Nothing is put back by itself: a failure is held for a person.",)
    how = (
        "a revert pull request"
        if environment.on_failure is OnFailure.REVERT_PULL_REQUEST
        else "a revert commit"
    )
    lines = [
        f"{policy.environment_name} is put back by itself, by {how}, when a sync fails, or an "
        f"application stays Degraded for {span(budgets.degraded)} with a reason that shows, or "
        f"does not come up in time; until {span(environment.verification.for_)} after it is live."
    ]
    lines += [
        f"Also when {check.name} is answered wrongly {check.failures} times in a row."
        for check in environment.verification.checks
    ]
    return tuple(lines)


def _rollback_command(target: Target, promotion: Promotion) -> str:
    """As a person would type it, for the first service of the set."""
    return f"{typed('pilotage', 'rollback', target.id, *promotion.services[:1])} --reason …"
