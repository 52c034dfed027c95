"""Each gate of an open pull request: what was seen in; pass, wait or fail with its reason out.

`pilotage/ready` is green only while every one of them passes; it is derived afresh at each look.
A new gate is one function and one line in `GATES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pilotage.core import checklist, rendered
from pilotage.core.artifacts import evidence, findings, next_step
from pilotage.core.change import files_of
from pilotage.core.manifests import DoesNotRender, NotAsked, NotSeen, Renders
from pilotage.core.model import Promotion, Target
from pilotage.core.proof import find, obstacle
from pilotage.core.prose import moment
from pilotage.core.snapshot import Known, Snapshot, Unknown
from pilotage.core.version import short
from pilotage.core.wording import counted

_FINDINGS = 3
"""That are named; the first of them are usually the cause of the rest."""


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WAIT = "wait"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Gate:
    name: str
    verdict: Verdict
    reason: str
    next_step: str = ""

    @property
    def open(self) -> bool:
        return self.verdict is Verdict.PASS


def judge_gates(promotion: Promotion, target: Target, seen: Snapshot) -> tuple[Gate, ...]:
    return tuple(gate(promotion, target, seen) for gate in GATES)


def blockers(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """The gates that keep the merge closed, the ones that fail first."""
    closed = [gate for gate in gates if not gate.open]
    return tuple(sorted(closed, key=lambda gate: gate.verdict is not Verdict.FAIL))


def not_paused(promotion: Promotion, target: Target, seen: Snapshot) -> Gate:
    pause = target.pause
    if pause is None:
        return Gate("paused", Verdict.PASS, "not paused")
    reason = f"paused by {pause.by}: {pause.reason}"
    return Gate("paused", Verdict.FAIL, reason, f"pilotage resume {target.id}")


def not_held(promotion: Promotion, target: Target, seen: Snapshot) -> Gate:
    hold = promotion.hold
    if hold is None:
        return Gate("held", Verdict.PASS, "not held")
    return Gate("held", Verdict.FAIL, f"held by {hold.by}: {hold.reason}", hold.next_step)


def contents(promotion: Promotion, target: Target, seen: Snapshot) -> Gate:
    """The head really holds the set that is shown: a person may have committed to the branch.
    And it goes where it is meant to go: a person may have chosen another base."""
    base, current = seen.base_branch, seen.pull_request
    if isinstance(current, Known) and current.value.base_branch != base:
        reason = f"it goes into {current.value.base_branch}, not {base}"
        return Gate("contents", Verdict.FAIL, reason, f"set its base branch to {base}")
    gone = _gone(promotion, seen)
    if gone is not None:
        step = "close this pull request, or restore the file"
        return Gate("contents", Verdict.FAIL, f"{gone} is not on {base} any more", step)
    match seen.versions_on_head:
        case None:
            return Gate("contents", Verdict.WAIT, "the branch has not been read yet")
        case Unknown(reason=reason):
            return Gate("contents", Verdict.WAIT, f"the branch cannot be read: {reason}")
        case Known(value=versions):
            otherwise = _otherwise(promotion, versions)
            if otherwise is not None:
                return Gate("contents", Verdict.FAIL, otherwise, "take back the commit")
            return Gate("contents", Verdict.PASS, "the branch holds the set that is shown")


def _otherwise(promotion: Promotion, versions: Mapping[str, str]) -> str | None:
    """What the branch holds other than the set; None when it is just that."""
    for service, wanted in promotion.versions:
        found = versions.get(service)
        if found != wanted:
            holds = f"{service} {short(found, service)}" if found else "nothing readable"
            return f"the branch holds {holds}, not the proven {service} {short(wanted, service)}"
    for service in sorted(versions.keys() - set(promotion.services)):
        found = short(versions[service], service)
        return f"the branch also sets {service} to {found}, not in this set"
    return None


def _gone(promotion: Promotion, seen: Snapshot) -> str | None:
    """A file to edit that somebody removed meanwhile, with the whole service, say."""
    if not seen.edited_on_base:
        return None
    there = [change for change in promotion.changes if change.before is not None]
    missing = (file for file in files_of(there) if seen.proposal_at_head.get(file) is None)
    return next(missing, None)


def proof(promotion: Promotion, target: Target, seen: Snapshot) -> Gate:
    """What was proven when the pull request was opened must still stand."""
    for change in promotion.changes:
        found = obstacle(change, seen.policy, target)
        if found is not None:
            return Gate("proof", Verdict.FAIL, found.reason, found.next_step)
    proofs = [find(target.proofs, change.service, change.after) for change in promotion.changes]
    times = [found.proven_at for found in proofs if found is not None and found.proven_at]
    since = f" since {moment(max(times))}" if times else ""
    return Gate(
        "proof", Verdict.PASS, f"every version is proven in {seen.policy.source_name}{since}"
    )


def artifacts(promotion: Promotion, target: Target, seen: Snapshot) -> Gate:
    """The changed files parse, fit their schemas, lose nothing, and are the source's (VAPORA-6)."""
    rules = seen.policy.environment.gates.artifacts
    if rules is None:
        return Gate("artifacts", Verdict.PASS, "no validation of artifacts is asked for")
    match seen.artifacts:
        case None:
            return Gate("artifacts", Verdict.WAIT, "the artifacts have not been read yet")
        case Unknown(reason=reason, next_step=step):
            text = f"the artifacts cannot be validated: {reason}"
            return Gate("artifacts", Verdict.WAIT, text, step)
        case Known(value=found):
            wrong = findings(found, rules)
            if not wrong:
                return Gate("artifacts", Verdict.PASS, evidence(found, rules))
            more = f" (and {len(wrong) - _FINDINGS} more)" if len(wrong) > _FINDINGS else ""
            text = "; ".join(str(problem) for problem in wrong[:_FINDINGS])
            return Gate("artifacts", Verdict.FAIL, f"{text}{more}", next_step(found, rules))


def renders(promotion: Promotion, target: Target, seen: Snapshot) -> Gate:
    """Argo CD renders each application that reads the branch, at its very head (VAPORA-6)."""
    if not rendered.is_asked_for(seen.policy):
        return Gate("renders", Verdict.PASS, "no rendering is asked for")
    if not isinstance(seen.pull_request, Known):
        return Gate("renders", Verdict.WAIT, "the branch has not been read yet")
    head = seen.pull_request.value.head
    every = rendered.answers(seen.policy, promotion, seen.found_in_target, head)
    faults = [
        f"{name} does not render: {found.message}"
        for name, found in every.items()
        if rendered.is_at_fault(found)
    ]
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        step = f"correct it on the branch, or in {seen.policy.source_name}"
        return Gate("renders", Verdict.FAIL, f"{faults[0]}{more}", step)
    for name, found in every.items():
        match found:
            case DoesNotRender(message=message):
                text = f"{name} does not render, with or without this promotion: {message}"
                step = f"mend it on {seen.base_branch}, then update the branch"
                return Gate("renders", Verdict.WAIT, text, step)
            case NotSeen(reason=reason, next_step=step):
                text = f"{name} cannot be rendered now: {reason}"
                return Gate("renders", Verdict.WAIT, text, step)
            case None:
                return Gate("renders", Verdict.WAIT, f"{name} has not been rendered yet")
            case Renders() | NotAsked():
                continue
    return Gate("renders", Verdict.PASS, rendered.evidence(every))


def checklist_complete(promotion: Promotion, target: Target, seen: Snapshot) -> Gate:
    ticked = checklist.ticked_items(promotion)
    missing = [item for item in seen.policy.environment.checklist if item.item not in ticked]
    if not missing:
        return Gate("checklist", Verdict.PASS, "every box is ticked")
    count = counted(len(missing), "box open", "boxes open")
    owner = f" ({missing[0].owner})" if missing[0].owner else ""
    return Gate("checklist", Verdict.WAIT, count, f"tick “{missing[0].text}”{owner}")


def approved(promotion: Promotion, target: Target, seen: Snapshot) -> Gate:
    """Enough approvals, on the present set, by people whose approval counts (SYRF-6)."""
    wanted = seen.policy.environment.gates.approvers
    if wanted is None:
        return Gate("approvers", Verdict.PASS, "no approval is asked for")
    who = ", ".join((*wanted.teams, *wanted.users)) or "anybody with write access"
    match seen.reviews, seen.approvers, seen.pull_request:
        case (Known(value=reviews), Known(value=allowed), Known(value=pull_request)):
            refusing = [
                found.by
                for found in reviews
                if found.state == "changes_requested" and found.by in allowed
            ]
            given = [
                found.by
                for found in reviews
                if found.state == "approved"
                and found.commit == pull_request.head
                and found.by in allowed
                and found.by != seen.own
            ]
        case (Unknown(reason=reason), _, _) | (_, Unknown(reason=reason), _):
            return Gate("approvers", Verdict.WAIT, f"approvals cannot be read: {reason}")
        case _:
            return Gate("approvers", Verdict.WAIT, "approvals have not been read yet")
    if refusing:
        return Gate("approvers", Verdict.FAIL, f"{refusing[0]} asked for changes")
    if len(given) >= wanted.count:
        return Gate("approvers", Verdict.PASS, f"approved by {', '.join(given)}")
    missing = wanted.count - len(given)
    text = f"{counted(missing, 'approval')} missing"
    return Gate("approvers", Verdict.WAIT, text, f"approved by {who}")


def alone(promotion: Promotion, target: Target, seen: Snapshot) -> Gate:
    """One at a time: nobody else stands between merge and verdict."""
    release = target.release
    if release is None or release.id == promotion.id:
        return Gate("alone", Verdict.PASS, f"nothing else is on its way to {target.environment}")
    doing = release.state.words
    held = f", held: {release.hold.reason}" if release.hold else ""
    reason = f"{target.environment} is {doing} {release.id}{held}"
    return Gate("alone", Verdict.WAIT, reason, "wait for its verdict")


GATES: tuple[Callable[[Promotion, Target, Snapshot], Gate], ...] = (
    not_paused,
    not_held,
    contents,
    artifacts,
    renders,
    proof,
    alone,
    approved,
    checklist_complete,
)
