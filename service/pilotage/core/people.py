"""What people asked for: ticks and commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from pilotage.core import checklist, choice
from pilotage.core.acts import AnswerComment
from pilotage.core.choice import Answer
from pilotage.core.decision import Draft, EventKind
from pilotage.core.holding import quarantine
from pilotage.core.markdown import escape
from pilotage.core.merged import put_back
from pilotage.core.model import (
    Command,
    Outcome,
    Pause,
    Promotion,
    Quarantined,
    Revert,
    State,
    Subject,
)
from pilotage.core.prose import harmless
from pilotage.core.snapshot import Known, Unknown
from pilotage.core.version import short
from pilotage.core.wording import listed, nearest

_REASON = "reason:"
_REPLY_LIMIT = 2_000


def is_person(login: str, own: str) -> bool:
    return bool(login) and login != own and not login.endswith("[bot]")


def ticked(draft: Draft) -> None:
    """Attributes what changed in the boxes of the open pull request."""
    promotion = draft.proposal
    if promotion is None or promotion.state is not State.OPEN:
        return
    edits = checklist.untold(promotion, draft.seen.edits)
    until = draft.seen.edits_read_until
    if until is not None:
        promotion = replace(promotion, edits_read_until=until, body_written_at=None)
        draft.propose(promotion)
    if not edits:
        return
    current = (None, checklist.set_id(promotion.versions))
    edits = [edit for edit in edits if checklist.set_in(edit.after) in current]
    items = [item.item for item in draft.seen.policy.environment.checklist]
    own = draft.seen.own
    ticks = checklist.attribute(promotion.ticks, edits, items, lambda login: is_person(login, own))
    for tick in ticks:
        if tick not in promotion.ticks:
            text = f"{tick.by} ticked {tick.item}"
            draft.tell(EventKind.TICKED, text, promotion=promotion, by=tick.by, item=tick.item)
    for tick in promotion.ticks:
        if tick.item not in {found.item for found in ticks}:
            draft.tell(EventKind.TICKED, f"{tick.item} is open again", promotion=promotion)
    draft.propose(replace(promotion, ticks=ticks))


def commanded(draft: Draft) -> None:
    """Each command is answered once: done, or refused with the reason."""
    for command in draft.seen.commands:
        if command.id not in draft.seen.permitted:
            problem = f"@{command.by} may not use commands here (see `commands:`)"
            # Once for each pull request: a stranger must not use up the writes that GitHub allows.
            once = f"{command.pull_request}/{command.by}"
            _answer(draft, command, problem, once)
            continue
        _answer(draft, command, _obeyed(draft, command), command.id)


def _answer(draft: Draft, command: Command, outcome: str | Answer | None, once: str) -> None:
    answer = outcome if isinstance(outcome, Answer) else Answer(outcome or "", not outcome)
    said = f"{command.name} {command.argument}".strip()
    kind = EventKind.COMMAND if answer.done else EventKind.REFUSED
    note = answer.text if answer.done else f"refused: {answer.text}"
    text = f"{command.by}: {said}" + (f" ({note})" if note else "")
    of = draft.proposal or draft.release
    draft.tell(kind, text, promotion=of, by=command.by, command=command.id)
    if command.comment is None or command.pull_request is None:
        return
    draft.acts.append(
        AnswerComment(
            key=f"{draft.target.id}/answer/{once}",
            promotion="",
            number=command.pull_request,
            comment=command.comment,
            reaction="+1" if answer.done else "-1",
            reply=_explained(command) if outcome is None else _reply(outcome),
            part=command.id.removeprefix(f"comment-{command.comment}"),
        )
    )


def _reply(outcome: str | Answer) -> str:
    return escape(outcome.text, _REPLY_LIMIT) if isinstance(outcome, Answer) else outcome


def _explained(command: Command) -> str | None:
    """`explain` is answered from the same decision that is being made: see `decide`."""
    return "" if command.name == "explain" else None


def _obeyed(draft: Draft, command: Command) -> str | Answer | None:
    """None when it was done; else why not, or what follows."""
    obey = _COMMANDS.get(command.name)
    if obey is None:
        what = f"unknown command `{harmless(command.name)}`;" if command.name else "which command?"
        known = "hold, resume, roll, tick, promote, add, rollback, retry and explain"
        return f"{what} there are {known}"
    if command.comment is not None and command.name in _AT_THE_TERMINAL:
        there = f"pilotage {_AT_THE_TERMINAL[command.name]} {draft.target.id}"
        return f"this is for operators, at the terminal: `{there}`"
    return obey(draft, command)


def _addressed(draft: Draft, command: Command) -> Promotion | None:
    """The promotion whose pull request carries the comment; without one, what is on its way."""
    for promotion in (draft.release, draft.proposal):
        if promotion is None:
            continue
        if command.pull_request in (None, promotion.pull_request):
            return promotion
    return None


def _put(draft: Draft, promotion: Promotion) -> None:
    if draft.release is not None and draft.release.id == promotion.id:
        draft.follow(promotion)
    else:
        draft.propose(promotion)


def _hold(draft: Draft, command: Command) -> str | None:
    promotion = _addressed(draft, command)
    if promotion is None:
        return "nothing is on its way that could be held"
    reason = command.argument or "no reason given"
    _put(draft, promotion.held(Subject.PERSON, reason, command.at, command.by))
    draft.tell(EventKind.HELD, reason, promotion=promotion, by=command.by)
    return None


def _resume(draft: Draft, command: Command) -> str | None:
    """Both take the hold away; what was watched is watched afresh, with whole budgets.

    What did not render is rendered again. An application that somebody made anew is taken for the
    one that it replaced: the person who says so has looked.
    """
    promotion = _addressed(draft, command)
    if promotion is None:
        return "nothing is on its way"
    if promotion.hold is None and command.name == "resume":
        return "it is not held"
    reverts = tuple(_again(draft, revert) for revert in promotion.reverts)
    outcomes = {
        service: Outcome.ROLLING_OUT if found is Outcome.FAILED else found
        for service, found in promotion.outcomes.items()
    }
    resumed = replace(
        promotion,
        hold=None,
        renders=(),
        watches={},
        picture={name: replace(each, uid="") for name, each in promotion.picture.items()},
        live_at=None,
        checks={},
        reverts=reverts,
        outcomes=outcomes,
        retries=promotion.retries + 1,
    )
    _put(draft, _proposed_anew(draft, resumed))
    # This look was made for the watches that are over.
    draft.seen = replace(draft.seen, sights={}, revert_sights={})
    draft.wake(draft.now)
    draft.tell(
        EventKind.RESUMED, f"{command.by}: {command.name}", promotion=promotion, by=command.by
    )
    return None


def _proposed_anew(draft: Draft, promotion: Promotion) -> Promotion:
    """What was refused before the pull request was there (a permission was missing, say) is done
    from the beginning: an act that has ended is never done again."""
    missing = promotion.state is State.OPEN and promotion.pull_request is None
    kinds = (f"{promotion.id}/commit/", f"{promotion.id}/open/")
    if not missing or any(key.startswith(kinds) for key in draft.seen.pending):
        return promotion
    return replace(promotion, state=State.OBSERVING, generation=promotion.generation + 1)


def _again(draft: Draft, revert: Revert) -> Revert:
    """The putting-back once more: watched afresh, or, where nothing is on its way, anew."""
    if revert.sha is not None:
        return replace(revert, watches={})
    match draft.seen.revert_request:
        case Known(value=request) if request.open or request.merged is not None:
            return revert
        case Unknown():
            return revert
        case Known() | None:
            return replace(revert, attempt=revert.attempt + 1, pull_request=None)


def _roll(draft: Draft, command: Command) -> str | Answer | None:
    """Kept where it cannot be done yet; what will never be done is refused."""
    promotion = draft.proposal
    if promotion is None or promotion.state is not State.OPEN or not promotion.waiting:
        return "no newer set is waiting"
    match draft.seen.pull_request:
        case Known(value=request) if promotion.is_strange(request.head):
            return (
                "somebody's commit is on the branch, and nothing is put on top of it: merge or "
                "close this pull request, and the newer set comes with the next one"
            )
    draft.propose(replace(promotion, roll_asked=True))
    if promotion.hold is not None:
        return Answer(f"it goes in once this is no longer held: {promotion.hold.next_step}")
    if draft.target.pause is not None:
        return Answer(f"it goes in once the pause is over: pilotage resume {draft.target.id}")
    return None


def _tick(draft: Draft, command: Command) -> str | None:
    promotion = draft.proposal
    if promotion is None or promotion.state is not State.OPEN:
        return "no pull request is open"
    items = [item.item for item in draft.seen.policy.environment.checklist]
    wanted = [word.strip("`,.").lower() for word in command.argument.split()]
    strange = [word for word in wanted if word not in items]
    if strange or not wanted:
        named = f"no box {harmless(strange[0])}" if strange else "which box?"
        return f"{named}; there are {', '.join(items) or 'none'}"
    for item in dict.fromkeys(wanted):
        promotion = checklist.tick(promotion, item, command.by, command.at)
        text = f"{command.by} ticked {item}"
        draft.tell(EventKind.TICKED, text, promotion=promotion, by=command.by)
    draft.propose(promotion)
    return None


def _rollback(draft: Draft, command: Command) -> str | None:
    """`rollback [service…] [reason:] <reason>`: leading words that name services choose them."""
    release = draft.release or draft.seen.last_release
    if release is None:
        return "nothing was promoted here that could be put back"
    if command.pull_request not in (None, release.pull_request):
        return f"this is not the promotion that {draft.target.environment} runs: {release.id} is"
    words = command.argument.split()
    chosen: list[str] = []
    while words and words[0].rstrip(",") in release.services:
        chosen.append(words.pop(0).rstrip(","))
    if not chosen and words and (meant := nearest(words[0], release.services, 0.75)):
        strange = harmless(words[0])
        return f"there is no service {strange} in {release.id}; did you mean {meant}?"
    if words[:1] == [_REASON]:
        words.pop(0)
    services = tuple(chosen) or release.services
    reason = " ".join(words) or "a person asked"
    busy = (Outcome.REVERTING, Outcome.REVERTED, Outcome.OVERTAKEN)
    services = tuple(name for name in services if release.outcomes.get(name) not in busy)
    if not services:
        return "these services are back already, or on their way"
    now, versions = draft.seen.plan.versions_in_target, dict(release.versions)
    gone = [name for name in services if now.get(name, versions[name]) != versions[name]]
    services = tuple(name for name in services if name not in gone)
    if not services:
        runs = listed([f"{name} {short(now[name], name)}" for name in gone])
        return f"{draft.target.environment} runs {runs} by now, not what {release.id} brought"
    reasons = {**release.reasons, **dict.fromkeys(services, reason)}
    release = replace(release, hold=None, ended_at=None, conclusion="", reasons=reasons)
    draft.follow(put_back(draft, release, services, reason, command.by))
    draft.wake(draft.now)
    for service in services:
        text = f"{command.by} rolled it back: {reason}"
        entry = Quarantined(service, versions[service], text, command.at, command.by)
        quarantine(draft, entry, draft.release)
    return None


def _pause(draft: Draft, command: Command) -> str | None:
    reason = command.argument or "no reason given"
    draft.target = replace(draft.target, pause=Pause(reason, command.by, command.at))
    draft.tell(EventKind.PAUSED, reason, by=command.by)
    return None


def _unpause(draft: Draft, command: Command) -> str | None:
    if draft.target.pause is None:
        return "it is not paused"
    draft.target = replace(draft.target, pause=None)
    draft.tell(EventKind.UNPAUSED, "acts go on", by=command.by)
    return None


def _put_in_quarantine(draft: Draft, command: Command) -> str | None:
    service, _, rest = command.argument.partition(" ")
    wanted, _, reason = rest.partition(" ")
    if not wanted:
        return "expected a service, a version and a reason"
    if (problem := choice.unknown(draft, service)) is not None:
        return problem  # with a name misspelt everybody would believe it to be out of the way
    entry = Quarantined(service, wanted, reason or "no reason given", command.at, command.by)
    quarantine(draft, entry, draft.release or draft.proposal)
    return None


def _lift(draft: Draft, command: Command) -> str | None:
    service, _, wanted = command.argument.partition(" ")
    kept = tuple(
        found for found in draft.target.quarantine if not found.means(service, wanted.strip())
    )
    if len(kept) == len(draft.target.quarantine):
        return f"{harmless(service)} {harmless(wanted)} is not in quarantine"
    draft.target = replace(draft.target, quarantine=kept)
    draft.tell(EventKind.LIFTED, f"{service} {wanted} may be proposed again", by=command.by)
    return None


def _explain(draft: Draft, command: Command) -> None:
    """Answered where all reasons are known: see `decide`."""


_COMMANDS: Mapping[str, Callable[[Draft, Command], str | Answer | None]] = {
    "hold": _hold,
    "resume": _resume,
    "retry": _resume,
    "roll": _roll,
    "tick": _tick,
    "promote": choice.promote,
    "add": choice.add,
    "rollback": _rollback,
    "pause": _pause,
    "unpause": _unpause,
    "quarantine": _put_in_quarantine,
    "lift": _lift,
    "explain": _explain,
}

_AT_THE_TERMINAL: Mapping[str, str] = {
    "pause": "pause",
    "unpause": "resume",
    "quarantine": "quarantine add",
    "lift": "quarantine lift",
}
"""What takes the operator's token, and not the right to comment; and how it is called there."""
