"""Asking a person: holds and quarantine."""

from __future__ import annotations

from dataclasses import replace

from pilotage.core.acts import Notify
from pilotage.core.decision import Draft, EventKind
from pilotage.core.model import Hold, Promotion, Quarantined, Subject


def hold(draft: Draft, release: Promotion, subject: Subject, reason: str) -> Promotion:
    """Asks a person, once for each matter; a hold that is there already stays as it is."""
    if release.hold is not None:
        return release
    held = Hold(subject, reason, draft.now)
    draft.tell(EventKind.HELD, reason, promotion=release, subject=subject.value)
    policy = draft.seen.release_policy or draft.seen.policy
    draft.acts.append(
        Notify(
            key=f"{release.id}/notify/held/{subject.value}/{release.retries}",
            promotion=release.id,
            event="held",
            channels=policy.environment.notify,
            title=f"{release.id} is held and needs a person",
            text=reason,
            url=release.pull_request_url,
        )
    )
    return replace(release, hold=held)


def quarantine(draft: Draft, entry: Quarantined, promotion: Promotion | None) -> None:
    draft.target = replace(draft.target, quarantine=(*draft.target.quarantine, entry))
    text = f"{entry.service} {entry.version} is in quarantine: {entry.reason}"
    draft.tell(EventKind.QUARANTINED, text, promotion=promotion, by=entry.by)
