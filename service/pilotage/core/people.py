"""What people did: ticks, commands, and what they wrote to the branch themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches

from pilotage.core import checklist, version
from pilotage.core.acts import AnswerComment
from pilotage.core.decision import Draft, EventKind
from pilotage.core.holding import quarantine
from pilotage.core.merged import put_back, released_by_person
from pilotage.core.model import (
    Command,
    Hold,
    Outcome,
    Pause,
    Promotion,
    Quarantined,
    Revert,
    State,
    Subject,
)
from pilotage.core.plan import Plan
from pilotage.core.snapshot import Known, Unknown, Written

_REMEMBERED = 10
_NOT_IN_WORDS = re.compile(r"[^\w. :+/-]")
_REASON = "reason:"


def is_person(login: str, own: str) -> bool:
    return bool(login) and login != own and not login.endswith("[bot]")


def ticked(draft: Draft) -> None:
    """Attributes what changed in the boxes of the open pull request."""
    promotion = draft.proposal
    if promotion is None or promotion.state is not State.OPEN:
        return
    edits = [edit for edit in draft.seen.edits if edit.pull_request == promotion.pull_request]
    if draft.seen.edits_read_at is not None:
        promotion = replace(promotion, edits_read_until=draft.seen.edits_read_at)
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
            problem: str | None = f"@{command.by} may not use commands here (see `commands:`)"
            # Once for each pull request: a stranger must not use up the writes that GitHub allows.
            once = f"{command.pull_request}/{command.by}"
            _answer(draft, command, problem, once)
            continue
        problem = _obeyed(draft, command)
        _answer(draft, command, problem, command.id)


def _answer(draft: Draft, command: Command, problem: str | None, once: str) -> None:
    said = f"{command.name} {command.argument}".strip()
    kind = EventKind.REFUSED if problem else EventKind.COMMAND
    text = f"{command.by}: {said}" + (f" (refused: {problem})" if problem else "")
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
            reaction="-1" if problem else "+1",
            reply=problem if problem else _explained(draft, command),
        )
    )


def _plain(word: str) -> str:
    """A person's own word in our reply: nobody is mentioned, nothing hidden, nothing formatted."""
    return _NOT_IN_WORDS.sub("?", word)[:100]


def _explained(draft: Draft, command: Command) -> str | None:
    """`explain` is answered from the same decision that is being made: see `decide`."""
    return "" if command.name == "explain" else None


def _obeyed(draft: Draft, command: Command) -> str | None:
    """None when it was done; else why not."""
    match command.name:
        case "hold":
            return _hold(draft, command)
        case "resume" | "retry":
            return _resume(draft, command)
        case "roll":
            return _roll(draft)
        case "tick":
            return _tick(draft, command)
        case "rollback":
            return _rollback(draft, command)
        case "pause":
            return _pause(draft, command)
        case "unpause":
            return _unpause(draft, command)
        case "quarantine":
            return _put_in_quarantine(draft, command)
        case "lift":
            return _lift(draft, command)
        case "explain":
            return None
        case _:
            return (
                f"unknown command `{_plain(command.name)}`; there are hold, resume, roll, tick, "
                "rollback, retry and explain"
            )


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
    _put(draft, replace(promotion, hold=Hold(Subject.PERSON, reason, command.at, command.by)))
    draft.tell(EventKind.HELD, reason, promotion=promotion, by=command.by)
    return None


def _resume(draft: Draft, command: Command) -> str | None:
    """Both take the hold away; what was watched is watched afresh, with whole budgets."""
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
        watches={},
        checks={},
        reverts=reverts,
        outcomes=outcomes,
        retries=promotion.retries + 1,
    )
    _put(draft, resumed)
    draft.tell(
        EventKind.RESUMED, f"{command.by}: {command.name}", promotion=promotion, by=command.by
    )
    return None


def _again(draft: Draft, revert: Revert) -> Revert:
    """The putting-back once more: watched afresh, or, where nothing is on its way, anew."""
    if revert.sha is not None:
        return replace(revert, watches={})
    match draft.seen.revert_request:
        case Known(value=request) if request.open or request.merged is not None:
            return revert
        case Unknown():
            return revert
        case _:
            return replace(revert, attempt=revert.attempt + 1, pull_request=None)


def _roll(draft: Draft) -> str | None:
    promotion = draft.proposal
    if promotion is None or promotion.state is not State.OPEN or not promotion.waiting:
        return "no newer set is waiting"
    draft.propose(replace(promotion, roll_asked=True))
    return None


def _tick(draft: Draft, command: Command) -> str | None:
    promotion = draft.proposal
    if promotion is None or promotion.state is not State.OPEN:
        return "no pull request is open"
    items = [item.item for item in draft.seen.policy.environment.checklist]
    item = command.argument.strip()
    if item not in items:
        return f"no such box; there are {', '.join(items) or 'none'}"
    draft.propose(checklist.tick(promotion, item, command.by, command.at))
    draft.tell(EventKind.TICKED, f"{command.by} ticked {item}", promotion=promotion, by=command.by)
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
    if not chosen and words and (meant := get_close_matches(words[0], release.services, 1, 0.75)):
        return f"there is no service {words[0]} in {release.id}; did you mean {meant[0]}?"
    if words[:1] == [_REASON]:
        words.pop(0)
    services = tuple(chosen) or release.services
    reason = " ".join(words) or "a person asked"
    busy = (Outcome.REVERTING, Outcome.REVERTED, Outcome.OVERTAKEN)
    services = tuple(name for name in services if release.outcomes.get(name) not in busy)
    if not services:
        return "these services are back already, or on their way"
    reasons = {**release.reasons, **dict.fromkeys(services, reason)}
    release = replace(release, hold=None, ended_at=None, conclusion="", reasons=reasons)
    draft.follow(put_back(draft, release, services, reason, command.by))
    draft.wake(draft.now)
    versions = dict(release.versions)
    for service in services:
        text = f"{command.by} rolled it back: {reason}"
        _quarantined(draft, service, versions[service], text, command.by, command.at)
    return None


def _quarantined(
    draft: Draft, service: str, wanted: str, reason: str, by: str, at: datetime
) -> None:
    if any(
        (found.service, found.version) == (service, wanted) for found in draft.target.quarantine
    ):
        return
    entry = Quarantined(service, wanted, reason, at, by)
    quarantine(draft, entry, draft.release or draft.proposal)


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
    _quarantined(draft, service, wanted, reason or "no reason given", command.by, command.at)
    return None


def _lift(draft: Draft, command: Command) -> str | None:
    service, _, wanted = command.argument.partition(" ")
    kept = tuple(
        found
        for found in draft.target.quarantine
        if (found.service, found.version) != (service, wanted.strip())
    )
    if len(kept) == len(draft.target.quarantine):
        return f"{_plain(service)} {_plain(wanted)} is not in quarantine"
    draft.target = replace(draft.target, quarantine=kept)
    draft.tell(EventKind.LIFTED, f"{service} {wanted} may be proposed again", by=command.by)
    return None


def running_now(plan: Plan) -> dict[str, str]:
    """What the target's files say now, service to version."""
    before = {name: found.change.before for name, found in plan.services.items()}
    return {**plan.unchanged, **{name: found for name, found in before.items() if found}}


def noticed(draft: Draft) -> None:
    """Versions on the branch that changed without us: a person's release, or their rollback.

    A person's rollback is never fought: the version that they took away is quarantined.
    """
    seen, target = draft.seen, draft.target
    now = running_now(seen.plan)
    moved = {
        service: (target.running[service], found)
        for service, found in now.items()
        if target.running.get(service, found) != found
    }
    if any(_may_be_our_merge(draft, service, found) for service, (_, found) in moved.items()):
        return
    later: dict[str, str] = {}
    for service, (was, found) in moved.items():
        written = seen.head_moved_by.get(service)
        if written is None or written.sha in draft.target.landed or _is_ours(draft, service, found):
            continue
        if _is_released(draft, service):
            later[service] = was
        known = {(each.service, each.version) for each in draft.target.quarantine}
        back = _goes_back(was, found, target.history.get(service, ()))
        if back and (service, was) not in known:
            text = f"{written.by} rolled {service} back from {was} to {found} ({written.sha[:7]})"
            draft.tell(EventKind.PERSON_ROLLED_BACK, text, by=written.by, service=service)
            _quarantined(draft, service, was, text, written.by, draft.now)
        _follow_person(draft, service, written)
    _passing(draft, moved)
    history = {
        service: _remembered(target.history.get(service, ()), found)
        for service, found in now.items()
    }
    unread = {name: target.running[name] for name in seen.plan.problems if name in target.running}
    draft.target = replace(
        draft.target,
        running=unread | now | later,
        running_at=target.running_at if later else seen.base,
        history={**target.history, **history},
    )


def _is_released(draft: Draft, service: str) -> bool:
    """A release that still has to find out that its value was replaced: theirs is followed then."""
    release = draft.release
    watched = (Outcome.ROLLING_OUT, Outcome.LIVE, Outcome.FAILED, Outcome.REVERTING)
    return release is not None and release.outcomes.get(service) in watched


def _passing(draft: Draft, moved: Mapping[str, tuple[str, str]]) -> None:
    """What went out and was taken back between two looks; `moved` was told of already."""
    own, landed = draft.seen.own, draft.target.landed
    known = {(each.service, each.version) for each in draft.target.quarantine}
    for step in draft.seen.passed:
        by = step.written
        if by.sha in landed or by.by == own:
            continue
        for change in step.changes:
            name, was, found = change.service, change.before, change.after
            told = moved.get(name) == (was, found) or (name, was) in known
            if was is None or told or _is_put_back(draft, name, found):
                continue
            if _goes_back(was, found, draft.target.history.get(name, ())):
                text = f"{by.by} rolled {name} back from {was} to {found} ({by.sha[:7]})"
                draft.tell(EventKind.PERSON_ROLLED_BACK, text, by=by.by, service=name)
                _quarantined(draft, name, was, text, by.by, draft.now)


def _may_be_our_merge(draft: Draft, service: str, found: str) -> bool:
    """The proposal's value is on the branch, and whether by its merge has not been read yet.

    Nothing is noticed then: the next look starts from the same place.
    """
    promotion = draft.proposal
    if promotion is None or promotion.pull_request is None:
        return False
    if (service, found) not in promotion.versions:
        return False
    match draft.seen.pull_request:
        case Known(value=pull_request):
            return pull_request.merged
        case _:
            return True


def _goes_back(was: str, found: str, history: tuple[str, ...]) -> bool:
    """Told from the versions; from what ran here before only where they cannot be compared."""
    step = version.step(was, found)
    return step is version.Step.BACK or (step is version.Step.OTHER and found in history)


def _remembered(known: tuple[str, ...], found: str) -> tuple[str, ...]:
    return known if known[:1] == (found,) else (found, *known)[:_REMEMBERED]


def _is_ours(draft: Draft, service: str, found: str) -> bool:
    """The value that a release of ours promoted, or put back."""
    promoted = any(
        change.service == service and found == change.after
        for promotion in _merged_ones(draft)
        for change in promotion.changes
    )
    return promoted or _is_put_back(draft, service, found)


def _is_put_back(draft: Draft, service: str, found: str) -> bool:
    return any(
        change.service == service and found == change.before
        for promotion in _merged_ones(draft)
        for change in promotion.changes
        if promotion.outcomes.get(service) in (Outcome.REVERTING, Outcome.REVERTED)
    )


def _merged_ones(draft: Draft) -> list[Promotion]:
    known = (draft.release, draft.proposal, *draft.ended)
    return [each for each in known if each is not None and each.merge is not None]


def _follow_person(draft: Draft, service: str, written: Written) -> None:
    release = draft.release
    if release is not None and release.merge is not None and release.merge.sha == written.sha:
        return
    changes = draft.seen.written_changes.get(written.sha, ())
    if release is not None or not changes:
        return
    released_by_person(draft, changes, written)
    draft.wake(draft.now)
