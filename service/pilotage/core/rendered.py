"""Does the branch render (VAPORA-6): what is asked of Argo CD, and what is kept of the answers.

A commit renders the same for ever: an application that rendered at a head is not asked for again.
One that did not is, less and less often, since charts and servers are mended too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeGuard

from pilotage.core.application import Application, CannotSee, Gone
from pilotage.core.config.policy import Policy
from pilotage.core.discovery.find import Found
from pilotage.core.discovery.names import target_names, why_unknown
from pilotage.core.manifests import (
    RIGHTS,
    Answer,
    DoesNotRender,
    NotAsked,
    NotSeen,
    Question,
    Render,
    Renders,
)
from pilotage.core.model import Promotion, Sha
from pilotage.core.retry import Retry, is_over
from pilotage.core.rollout.case import own_sources, render_at
from pilotage.core.rollout.watch import ThroughSpec
from pilotage.core.snapshot import Sight
from pilotage.core.wording import counted, listed

_SOON = timedelta(seconds=2)
"""Until the next look, while an answer is on its way."""
_RETRY = Retry(timedelta(seconds=30), timedelta(hours=1))


@dataclass(frozen=True, slots=True)
class Wanted:
    """One of the target's applications. `new`: of all of its services nothing runs there yet."""

    name: str
    new: bool
    unknown: str = ""
    """Why it is not known which application this is."""


def is_asked_for(policy: Policy) -> bool:
    rules = policy.environment.gates.artifacts
    return rules is not None and rules.render


def wanted(
    policy: Policy, promotion: Promotion, found: Mapping[str, Found], head: Sha, now: datetime
) -> tuple[Wanted, ...]:
    """The applications to ask for at this look."""
    if not is_asked_for(policy):
        return ()
    known = _known(promotion, head)
    every = _applications(policy, promotion, found)
    return tuple(each for each in every if _is_due(known.get(each.name), now))


def _applications(
    policy: Policy, promotion: Promotion, found: Mapping[str, Found]
) -> tuple[Wanted, ...]:
    every: dict[str, Wanted] = {}
    for change in promotion.changes:
        unknown = why_unknown(change.service, found)
        for name in target_names(policy, change.service, found):
            new = change.new and (name not in every or every[name].new)
            every[name] = Wanted(name, new, unknown)
    return tuple(every.values())


def _known(promotion: Promotion, head: Sha) -> dict[str, Answer]:
    return {each.application: each.answer for each in promotion.renders if each.head == head}


def _is_due(known: Answer | None, now: datetime) -> bool:
    match known:
        case None:
            return True
        case DoesNotRender(until=until) | NotSeen(until=until):
            return is_over(until, now, _RETRY.pause(known.attempts - 1))
        case Renders() | NotAsked():
            return False


def question(wanted: Wanted, sight: Sight | None, head: Sha, base: Sha) -> Question | Answer:
    """What to ask of Argo CD, or the answer where there is nothing to ask."""
    if wanted.unknown:
        if wanted.new:
            return NotAsked("there is no such application yet")
        return NotSeen(wanted.unknown, "name its applications, or mend theirs")
    if sight is None:
        return NotSeen("it has not been looked at yet")
    match sight.look.application:
        case Gone() if wanted.new:
            return NotAsked("there is no such application yet")
        case Gone(why=why):
            return NotSeen(why, f"mend `applications`, or {RIGHTS}")
        case CannotSee(reason=reason, unauthorised=unauthorised):
            return NotSeen(reason, RIGHTS if unauthorised else "")
        case Application() as application:
            return _of(application, sight, head, base)


def _of(application: Application, sight: Sight, head: Sha, base: Sha) -> Question | NotAsked:
    if isinstance(sight.expectation.route, ThroughSpec):
        # The specification of today with the files of tomorrow is what will never run.
        return NotAsked("the merge changes its targetRevision, and with it what is rendered")
    sources = own_sources(application, sight.expectation)
    if not sources:
        return NotAsked("none of its sources reads this repository")
    return Question(
        application.ref,
        render_at(application, dict.fromkeys(sources, head)),
        render_at(application, dict.fromkeys(sources, base)),
    )


def remembered(
    promotion: Promotion, answers: Mapping[str, Answer], head: Sha, now: datetime
) -> Promotion:
    """The promotion with what is known of this head; of another one nothing is kept."""
    known = _known(promotion, head)
    kept = known | {name: _kept(known.get(name), found, now) for name, found in answers.items()}
    return replace(
        promotion, renders=tuple(Render(name, head, found) for name, found in kept.items())
    )


def _kept(known: Answer | None, found: Answer, now: datetime) -> Answer:
    if not isinstance(found, DoesNotRender | NotSeen):
        return found
    before = known.attempts if isinstance(known, DoesNotRender | NotSeen) else 0
    return replace(found, attempts=before + 1, until=now + _RETRY.pause(before))


def answers(
    policy: Policy, promotion: Promotion, found: Mapping[str, Found], head: Sha
) -> dict[str, Answer | None]:
    """Each of the target's applications with what is known of it at this head."""
    known = _known(promotion, head)
    every = _applications(policy, promotion, found)
    return {each.name: known.get(each.name) for each in every}


def is_at_fault(found: Answer | None) -> TypeGuard[DoesNotRender]:
    """The branch does not render, and its base does."""
    return isinstance(found, DoesNotRender) and not found.at_base


def next_look(every: Mapping[str, Answer | None], now: datetime) -> datetime | None:
    """When there will be more to know."""
    times = [
        now + _SOON if found is None else found.until
        for found in every.values()
        if found is None or isinstance(found, DoesNotRender | NotSeen)
    ]
    return min((time for time in times if time is not None), default=None)


def evidence(every: Mapping[str, Answer | None]) -> str:
    """What was found good: "Argo CD renders 12 resources of 3 applications, 6 would change"."""
    good = [found for found in every.values() if isinstance(found, Renders)]
    told = []
    if good:
        resources = counted(sum(found.resources for found in good), "resource")
        of = counted(len(good), "application")
        changed = [found.changed for found in good if found.changed is not None]
        change = f", {sum(changed) or 'none'} would change" if len(changed) == len(good) else ""
        told.append(f"Argo CD renders {resources} of {of}{change}")
    reasons: dict[str, list[str]] = {}
    for name, found in every.items():
        if isinstance(found, NotAsked):
            reasons.setdefault(found.reason, []).append(name)
    told += [f"not rendered: {listed(names)} ({reason})" for reason, names in reasons.items()]
    return "; ".join(told)
