"""The only place that decides: what was seen in; state, outputs, acts and the next look out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from pilotage.core import by_hand, choice, comparing, people, prose
from pilotage.core.acts import AnswerComment
from pilotage.core.decision import Decision, Draft
from pilotage.core.discovery.names import explained
from pilotage.core.holding import announced
from pilotage.core.model import State
from pilotage.core.observing import observing
from pilotage.core.opened import opened, reopened
from pilotage.core.others import others
from pilotage.core.proof import next_look, prove
from pilotage.core.release import released
from pilotage.core.snapshot import Snapshot


def decide(seen: Snapshot, now: datetime) -> Decision:
    """One look at one target. Pure: the same snapshot and time give the same decision."""
    draft = Draft(seen, now)
    draft.target = replace(draft.target, proofs=prove(seen, now))
    people.ticked(draft)
    people.commanded(draft)
    for proof in draft.target.proofs:
        if proof.service in seen.plan.services and not proof.proven:
            draft.wake(next_look(proof))
    reopened(draft)
    _release(draft)
    by_hand.noticed(draft)
    by_hand.followed(draft)
    _proposal(draft)
    choice.followed(draft)
    announced(draft)
    others(draft)
    draft.because += explained(seen)
    return _answered(draft).finished()


def _release(draft: Draft) -> None:
    if draft.release is None:
        return
    if draft.seen.release_policy is None:
        draft.explain("release", "the policy that it was merged under cannot be read")
        return
    match draft.release.state:
        case State.ROLLING_OUT | State.VERIFYING | State.REVERTING:
            released(draft)
        case state:
            raise AssertionError(f"{draft.release.id} cannot be released while {state}")


def _proposal(draft: Draft) -> None:
    if draft.proposal is not None:
        seen = draft.seen
        known = comparing.remembered(seen.policy, draft.proposal, seen.compared, draft.now)
        draft.propose(known)
    state = draft.proposal.state if draft.proposal is not None else State.OBSERVING
    match state:
        case State.OBSERVING:
            observing(draft)
        case State.OPEN:
            opened(draft)
        case (
            State.ROLLING_OUT
            | State.VERIFYING
            | State.REVERTING
            | State.CONFIRMED
            | State.REVERTED
            | State.CLOSED
            | State.SUPERSEDED
        ):
            raise AssertionError(f"a proposal cannot be {state}")
        case _ as never:
            assert_never(never)


def _answered(draft: Draft) -> Draft:
    """`/pilotage explain` is answered with what this very decision goes by."""
    draft.acts = [
        replace(act, reply=prose.explanation(draft.because))
        if isinstance(act, AnswerComment) and act.reply == ""
        else act
        for act in draft.acts
    ]
    return draft
