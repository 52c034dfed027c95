"""What comes out of deciding, and the draft that the rules write it into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from pilotage.core.acts import Act, MessageKind, Notify
from pilotage.core.config.policy import Mode, Policy
from pilotage.core.model import Promotion, Reason, Target
from pilotage.core.outputs import Outputs
from pilotage.core.snapshot import Snapshot

_MOST_REASONS = 200


class EventKind(StrEnum):
    """What can happen to a promotion, as its history tells it."""

    OBSERVED = "observed"
    PROVEN = "proven"
    OPENED = "opened"
    ROLLED = "rolled"
    BLOCKED = "blocked"
    WAITING = "waiting"
    TICKED = "ticked"
    READY = "ready"
    MERGED = "merged"
    OUTSIDE_GATE = "outside_gate"
    SEEN = "seen"
    LIVE = "live"
    VERIFYING = "verifying"
    FAILED = "failed"
    REVERTING = "reverting"
    REVERT_LANDED = "revert_landed"
    ENDED = "ended"
    HELD = "held"
    RESUMED = "resumed"
    PAUSED = "paused"
    UNPAUSED = "unpaused"
    QUARANTINED = "quarantined"
    LIFTED = "lifted"
    CHOSEN = "chosen"
    CHOICE_ENDED = "choice_ended"
    ADMITTED = "admitted"
    OVERTAKEN = "overtaken"
    PERSON_ROLLED_BACK = "person_rolled_back"
    PERSON_RELEASED = "person_released"
    REOPENED = "reopened"
    BRANCH_SWITCHED = "branch_switched"
    COMMAND = "command"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of history: what happened, by whom, with which evidence."""

    promotion: str | None
    at: datetime
    kind: EventKind
    text: str
    by: str = "pilotage"
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    target: Target
    ended: tuple[Promotion, ...]
    """Promotions that left the target's two places with this decision."""
    outputs: tuple[Outputs, ...]
    acts: tuple[Act, ...]
    events: tuple[Event, ...]
    because: tuple[Reason, ...]
    wake_at: datetime


class Draft:
    """The decision while it is being made; every rule reads the snapshot and writes here."""

    def __init__(self, snapshot: Snapshot, now: datetime) -> None:
        self.seen = snapshot
        self.now = now
        self.target = snapshot.target
        self.ended: list[Promotion] = []
        self.outputs: list[Outputs] = []
        self.acts: list[Act] = []
        self.events: list[Event] = []
        self.because: list[Reason] = []
        self._wakes = [now + snapshot.rhythm.compare]

    @property
    def may_act(self) -> bool:
        """Nothing is started while the target is paused or only observes."""
        return self.target.pause is None and self.seen.policy.pipeline.mode is not Mode.OBSERVE

    @property
    def proposal(self) -> Promotion | None:
        return self.target.proposal

    @property
    def release(self) -> Promotion | None:
        return self.target.release

    def propose(self, promotion: Promotion | None) -> None:
        self.target = replace(self.target, proposal=promotion)

    def follow(self, promotion: Promotion | None) -> None:
        self.target = replace(self.target, release=promotion)

    def end(self, promotion: Promotion, by: str = "") -> None:
        """A proposal that is over, with its state and conclusion; `by` whom, where by a person."""
        self.ended.append(promotion)
        self.tell(EventKind.ENDED, promotion.conclusion, promotion=promotion, by=by)

    def tell(
        self,
        kind: EventKind,
        text: str,
        *,
        promotion: Promotion | None = None,
        by: str = "pilotage",
        **data: str,
    ) -> None:
        of = promotion.id if promotion is not None else None
        self.events.append(Event(of, self.now, kind, text, by, data))

    def notify(
        self,
        promotion: Promotion,
        policy: Policy,
        event: MessageKind,
        title: str,
        text: str,
        *,
        key: str,
        url: str | None = None,
    ) -> None:
        """One message to the policy's channels; `key` tells it from others of the promotion."""
        self.acts.append(
            Notify(
                key=f"{promotion.id}/notify/{key}",
                promotion=promotion.id,
                event=event,
                channels=policy.environment.notify,
                title=title,
                text=text,
                url=promotion.pull_request_url if url is None else url,
            )
        )

    def explain(self, subject: str, text: str, next_step: str = "") -> None:
        self.because.append(Reason(subject, text, next_step))

    def wake(self, at: datetime | None) -> None:
        if at is not None:
            self._wakes.append(at)

    def finished(self) -> Decision:
        quiet = self.seen.policy.pipeline.mode is Mode.OBSERVE
        wake_at = max(min(self._wakes), self.now)
        because = tuple(self.because[:_MOST_REASONS])
        outputs = () if quiet else tuple(self.outputs)
        failures = self.target.output_failures if outputs else 0
        unwritten = self.target.unwritten if outputs else None
        return Decision(
            target=replace(
                self.target,
                wake_at=wake_at,
                because=because,
                output_failures=failures,
                unwritten=unwritten,
            ),
            ended=tuple(self.ended),
            outputs=outputs,
            acts=() if quiet else tuple(each for act in self.acts for each in _single(act)),
            events=tuple(self.events),
            because=because,
            wake_at=wake_at,
        )


def _single(act: Act) -> tuple[Act, ...]:
    """One act for each channel: what one has got is not sent again because another is down."""
    if not isinstance(act, Notify) or len(act.channels) < 2:
        return (act,)
    return tuple(
        replace(act, key=f"{act.key}/{channel}", channels=(channel,)) for channel in act.channels
    )
