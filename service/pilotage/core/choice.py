"""What people ask for by hand: only these services now (SYRF-13), or a new one as well (SYRF-3).

Asking chooses among what could be promoted anyway: proof, rules, quarantine and gates stay.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pilotage.core import prose
from pilotage.core.change import versions_of
from pilotage.core.config.policy import NewServices, Roll
from pilotage.core.decision import Draft, EventKind
from pilotage.core.layout import misnamed_text
from pilotage.core.model import Choice, Command, State, Target
from pilotage.core.proof import hopeless, in_question, obstacle, select
from pilotage.core.rolling import ours, touched
from pilotage.core.snapshot import Known
from pilotage.core.version import short
from pilotage.core.wording import listed, nearest, verb

CANCEL = "--cancel"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command came to, in words that may be a repository's."""

    text: str
    done: bool = True


def let_in(target: Target) -> frozenset[str]:
    """The services that are planned though the target does not have them yet."""
    chosen = target.choice.services if target.choice is not None else ()
    return frozenset((*target.admitted, *chosen))


def promote(draft: Draft, command: Command) -> Answer:
    """`promote SERVICE…`, or `promote --cancel`; asking again replaces what was asked before."""
    names = _names(command)
    if names == (CANCEL,):
        return _taken_back(draft, command)
    if not names:
        return _no(f"expected services, such as `promote api`, or `promote {CANCEL}`")
    for name in names:
        problem = _impossible(draft, name)
        if problem is not None:
            return _no(problem)
    refused = _refused(draft, names)
    if refused is not None:
        return _no(refused)
    draft.target = replace(draft.target, choice=Choice(names, command.by, command.at))
    text = f"only {_are(names)} promoted now"
    draft.tell(EventKind.CHOSEN, f"{command.by}: {text}", by=command.by)
    draft.wake(draft.now)
    return Answer("; ".join([text, *_awaited(draft, names)]))


def add(draft: Draft, command: Command) -> Answer:
    """`add SERVICE…` lets new services in, `add --cancel SERVICE…` not any more."""
    names = _names(command)
    back = names[:1] == (CANCEL,)
    names = names[1:] if back else names
    if not names:
        return _no(f"expected services, such as `add api`, or `add {CANCEL} api`")
    target = draft.target
    for name in names:
        problem = _not_let_in(target, name) if back else _not_new(draft, name)
        if problem is not None:
            return _no(problem)
    known = [name for name in target.admitted if name not in names]
    admitted = (*known, *(() if back else names))
    draft.target = replace(target, admitted=admitted)
    draft.wake(draft.now)
    if back:
        text = f"{_are(names)} left out again"
    else:
        source = draft.seen.policy.source_name
        text = f"{_are(names)} let in, once proven in {source}"
    draft.tell(EventKind.ADMITTED, f"{command.by}: {text}", by=command.by)
    return Answer(text)


def followed(draft: Draft) -> None:
    """After the proposal was decided upon: what was asked for ends, or goes on and is told of."""
    _admitted(draft)
    choice = draft.target.choice
    if choice is None:
        return
    over = _over(draft, choice)
    if over is None:
        others = draft.seen.plan.services.keys() - set(choice.services)
        rest = f"; {listed(sorted(others))} {verb(len(others), 'waits', 'wait')}" if others else ""
        text = f"{choice.by} asked for {listed(choice.services)} only{rest}"
        draft.explain("asked", text, f"pilotage promote {_where(draft)} {CANCEL}")
        return
    draft.target = replace(draft.target, choice=None)
    asked = f"only {listed(choice.services)}, as {choice.by} asked"
    draft.tell(EventKind.CHOICE_ENDED, f"{asked}: this has ended, because {over}")
    draft.wake(draft.now)


def _names(command: Command) -> tuple[str, ...]:
    words = (word.rstrip(",") for word in command.argument.split())
    return tuple(dict.fromkeys(word for word in words if word))


def _no(text: str) -> Answer:
    return Answer(text, done=False)


def _are(names: tuple[str, ...]) -> str:
    return f"{listed(names)} {verb(len(names), 'is', 'are')}"


def _where(draft: Draft) -> str:
    return f"{draft.target.pipeline}/{draft.target.environment}"


def _taken_back(draft: Draft, command: Command) -> Answer:
    if draft.target.choice is None:
        return _no("nobody asked for single services here")
    draft.target = replace(draft.target, choice=None)
    text = "everything that differs is in question again"
    draft.tell(EventKind.CHOICE_ENDED, f"{command.by}: {text}", by=command.by)
    draft.wake(draft.now)
    return Answer(text)


def _impossible(draft: Draft, name: str) -> str | None:
    """Why no waiting would bring this service to the target."""
    seen, plan = draft.seen, draft.seen.plan
    if name in plan.services:
        found = obstacle(plan.services[name].change, seen.policy, draft.target)
        return f"{found.reason}: {found.next_step}" if found and found.lasting else None
    if name in plan.problems:
        return f"{name} cannot be promoted: {plan.problems[name]}"
    if name in plan.only_in_source:
        return None
    if name in plan.unchanged:
        has = f"{draft.target.environment} has {name} {short(plan.unchanged[name], name)} already"
        return f"{has}, as {seen.policy.source_name} does"
    return _unknown(draft, name)


def _not_new(draft: Draft, name: str) -> str | None:
    plan = draft.seen.plan
    if name in plan.only_in_source:
        return None
    if name in plan.services and plan.services[name].change.new:
        return None
    if name in plan.versions_in_target or name in plan.problems:
        return f"{draft.target.environment} has {name} already"
    return _unknown(draft, name)


def _not_let_in(target: Target, name: str) -> str | None:
    return None if name in target.admitted else f"{prose.harmless(name)} was not let in by anybody"


def unknown(draft: Draft, name: str) -> str | None:
    """Why this is no service, where neither environment nor the last release has one so called."""
    plan, target = draft.seen.plan, draft.target
    known = {*plan.services, *plan.unchanged, *plan.problems, *plan.only_in_source}
    known |= {*plan.only_in_target, *target.running}
    return None if name in known or not known else _unknown(draft, name)


def _unknown(draft: Draft, name: str) -> str:
    plan, source = draft.seen.plan, draft.seen.policy.source_name
    if name in plan.without_version:
        return f"{prose.harmless(name)} has no version in its files, so nothing is promoted for it"
    if name in plan.misnamed:
        return misnamed_text([prose.harmless(name)])
    if name in plan.only_in_target:
        return f"only {draft.target.environment} has {name}, so there is nothing to promote"
    known = [*plan.services, *plan.unchanged, *plan.problems, *plan.only_in_source]
    near = nearest(name, known)
    hint = f"; did you mean {near}?" if near else ""
    ignored = draft.seen.policy.pipeline.new_services is NewServices.IGNORE
    new = " that is promoted (`new_services: ignore`)" if ignored and not near else ""
    return f"{source} has no service {prose.harmless(name)}{new}{hint}"


def _refused(draft: Draft, names: tuple[str, ...]) -> str | None:
    """A person closed the pull request of exactly this set: closed stays closed."""
    changes = draft.seen.plan.only(names).changes
    for found in draft.target.refused:
        if found.versions == versions_of(changes) and len(changes) == len(names):
            return (
                f"{found.by} closed {found.promotion}, which had exactly this set: "
                "reopen that pull request, or release another version"
            )
    return None


def _awaited(draft: Draft, names: tuple[str, ...]) -> list[str]:
    """What the chosen services wait for, as far as this look tells."""
    seen, target = draft.seen, draft.target
    found = [
        why.reason
        for change in seen.plan.only(names).changes
        if (why := obstacle(change, seen.policy, target)) is not None
    ]
    found += [
        f"{name} is new, and is looked at in {seen.policy.source_name} from now on"
        for name in names
        if name in seen.plan.only_in_source
    ]
    if target.pause is not None:
        found.append(f"paused by {target.pause.by}: {target.pause.reason}")
    return [*found, *_beside_open(draft, names)]


def _beside_open(draft: Draft, names: tuple[str, ...]) -> list[str]:
    """What becomes of the pull request that is open already."""
    promotion = draft.proposal
    if promotion is None or promotion.state is not State.OPEN or promotion.pull_request is None:
        return []
    number = f"#{promotion.pull_request}"
    if promotion.versions == versions_of(draft.seen.plan.only(names).changes):
        return [f"{number} has exactly this set"]
    match draft.seen.pull_request:
        case Known(value=pull_request) if not ours(promotion, pull_request):
            return [f"{number} has a person's commit and stays as it is: merge or close it first"]
    if draft.seen.policy.environment.roll is Roll.ALWAYS:
        return [f"{number} rolls on to it"]
    if draft.seen.policy.environment.roll is Roll.NEVER or touched(draft, promotion):
        return [
            f"{number} is under review and stays as it is until somebody comments "
            "/pilotage roll there, merges or closes it"
        ]
    return [f"{number} rolls on to it"]


def _over(draft: Draft, choice: Choice) -> str | None:
    """Why nothing has to be narrowed any more."""
    before, plan = draft.seen.target.proposal, in_question(draft.seen.plan, draft.target)
    left = draft.proposal is None or (before is not None and draft.proposal.id != before.id)
    if before is not None and before.state is State.OPEN and before.choice == choice and left:
        return f"{before.id} has left"
    if plan.problems or set(choice.services) & set(draft.seen.plan.only_in_source):
        return None
    if not plan.services:
        return "nothing of it differs any more"
    selection = select(draft.seen, draft.target)
    if hopeless(plan, selection):
        return selection.obstacles[0].reason
    return _refused(draft, tuple(plan.services))


def _admitted(draft: Draft) -> None:
    """Who is let in is forgotten once the target has it, or the source has not."""
    plan, target = draft.seen.plan, draft.target
    new = {name for name, each in plan.services.items() if each.change.new}
    new |= set(plan.only_in_source) | (plan.problems.keys() - target.running.keys())
    if not new.issuperset(target.admitted):
        kept = tuple(name for name in target.admitted if name in new)
        draft.target = replace(target, admitted=kept)
    for name in plan.only_in_source:
        if (
            name not in let_in(target)
            and draft.seen.policy.pipeline.new_services is NewServices.ASK
        ):
            text = f"only {draft.seen.policy.source_name} has it"
            draft.explain(name, text, f"pilotage promote {_where(draft)} {name}")
