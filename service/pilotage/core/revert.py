"""What exactly to put back, and when not to.

By value first: in today's head the old values go back, only where the value is still the promoted
one; later edits of other keys and files are not touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pilotage import edit
from pilotage.core.model import Outcome, Promotion, ServiceChange
from pilotage.core.plan import holds


@dataclass(frozen=True, slots=True)
class ByValue:
    """The whole texts of the files that change, and the services that this puts back."""

    services: tuple[str, ...]
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing left to put back: somebody replaced or restored every value."""

    reason: str


@dataclass(frozen=True, slots=True)
class ByPerson:
    """A person must do it; `commands` say how."""

    reason: str
    commands: str


RevertPlan: TypeAlias = ByValue | Nothing | ByPerson


def plan_revert(
    promotion: Promotion, services: Sequence[str], texts: Mapping[str, str | None]
) -> RevertPlan:
    """`texts` are the promotion's files at today's head of the base branch."""
    files: dict[str, str] = {}
    reverted: list[str] = []
    for change in promotion.changes:
        if change.service not in services or not still_there(change, texts):
            continue
        if any(write.before is None for write in change.copied):
            return _person(promotion, f"{change.service} was new; there is no old value")
        try:
            files |= _texts(change, {**texts, **files})
        except edit.EditRefused as refused:
            return _person(promotion, f"{change.service}: {refused}")
        reverted.append(change.service)
    if not reverted:
        return Nothing("the promoted values are no longer there")
    return ByValue(tuple(reverted), files)


def still_there(change: ServiceChange, texts: Mapping[str, str | None]) -> bool:
    return holds(change.copied, texts)


def _texts(change: ServiceChange, texts: Mapping[str, str | None]) -> dict[str, str]:
    changed: dict[str, str] = {}
    for file in {write.file for write in change.copied}:
        old = {write.path: write.before for write in change.copied if write.file == file}
        text = texts.get(file)
        assert text is not None, "still_there has looked"
        changed[file] = edit.set_values(text, {path: value or "" for path, value in old.items()})
    return changed


def _person(promotion: Promotion, reason: str) -> ByPerson:
    sha = promotion.merge.sha if promotion.merge else promotion.base
    mainline = " -m 1" if promotion.merge and promotion.merge.method == "merge" else ""
    return ByPerson(reason, f"git revert{mainline} {sha} && git push")


def to_put_back(promotion: Promotion, failed: Sequence[str], *, together: bool) -> tuple[str, ...]:
    """Which services go back when these failed; what was overtaken or is back already stays."""
    untouchable = {Outcome.OVERTAKEN, Outcome.REVERTED, Outcome.REVERTING}
    chosen = promotion.services if together else failed
    return tuple(
        service for service in chosen if promotion.outcomes.get(service) not in untouchable
    )
