"""Asking a person: holds and quarantine."""

from __future__ import annotations

from dataclasses import replace

from pilotage.core.decision import Draft, EventKind
from pilotage.core.model import Promotion, Quarantined, Subject
from pilotage.core.version import short


def hold(draft: Draft, release: Promotion, subject: Subject, reason: str) -> Promotion:
    """Asks a person, once for each matter; a hold that is there already stays as it is."""
    if release.hold is not None:
        return release
    held = release.held(subject, reason, draft.now)
    _announce(draft, held)
    return held


def announced(draft: Draft) -> None:
    """Says so of what is held because an act was refused."""
    release, proposal = draft.release, draft.proposal
    if release is not None and release.hold is not None and not release.hold.told:
        _announce(draft, release)
        draft.follow(replace(release, hold=replace(release.hold, told=True)))
    if proposal is not None and proposal.hold is not None and not proposal.hold.told:
        _announce(draft, proposal)
        draft.propose(replace(proposal, hold=replace(proposal.hold, told=True)))


def _announce(draft: Draft, promotion: Promotion) -> None:
    hold = promotion.hold
    assert hold is not None
    draft.tell(EventKind.HELD, hold.reason, promotion=promotion, subject=hold.subject.value)
    policy = draft.seen.release_policy or draft.seen.policy
    title = f"{promotion.id} is held and needs a person"
    says = "comments" if promotion.pull_request else "runs"
    text = f"{hold.reason}\nIt goes on when somebody {says} {hold.next_step}"
    key = f"held/{hold.subject.value}/{promotion.retries}"
    draft.notify(promotion, policy, "held", title, text, key=key)


def quarantine(draft: Draft, entry: Quarantined, promotion: Promotion | None) -> None:
    """Once: what is there already keeps its reason."""
    if draft.target.quarantined(entry.service, entry.version) is not None:
        return
    draft.target = replace(draft.target, quarantine=(*draft.target.quarantine, entry))
    text = f"{entry.service} {short(entry.version, entry.service)} is in quarantine: {entry.reason}"
    draft.tell(EventKind.QUARANTINED, text, promotion=promotion, by=entry.by)
