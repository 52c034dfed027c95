"""The set as it stands on the branch, and as its pull request first shows it."""

from __future__ import annotations

from pilotage.core import pages, prose
from pilotage.core.acts import CommitBranch
from pilotage.core.decision import Draft
from pilotage.core.gates import judge_gates
from pilotage.core.model import (
    Promotion,
    Sha,
)
from pilotage.core.plan import Plan

_TOLD_BY_GITHUB = ("contents", "approvers")


def show_first(draft: Draft, promotion: Promotion) -> None:
    """The body that the pull request is opened with: what GitHub must tell is not known yet."""
    gates = judge_gates(promotion, draft.target, draft.seen)
    known = tuple(gate for gate in gates if gate.name not in _TOLD_BY_GITHUB)
    draft.outputs.append(pages.proposal_outputs(draft.seen, draft.target, promotion, None, known))


def commit_branch(draft: Draft, promotion: Promotion, plan: Plan, *, expected: Sha | None) -> None:
    key = f"{promotion.id}/commit/{promotion.generation}/{promotion.run}/{promotion.base[:12]}"
    draft.acts.append(
        CommitBranch(
            key=key,
            promotion=promotion.id,
            branch=promotion.branch,
            base=promotion.base,
            expected=expected,
            files={
                plan.services[service].file: plan.services[service].text
                for service in promotion.services
            },
            message=prose.commit_message(draft.seen.policy, promotion, key),
            at=draft.now,
        )
    )
