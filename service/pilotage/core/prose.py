"""What people read in one line: titles, messages, reasons. Whole pages are
in `proposal_page.py` and `release_page.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from pilotage.core import comparing, version
from pilotage.core.change import ServiceChange
from pilotage.core.config.policy import Environment, Policy
from pilotage.core.distance import Step, distance
from pilotage.core.forge import DESCRIPTION_LIMIT
from pilotage.core.markdown import escape
from pilotage.core.model import Outcome, Promotion, Reason, Revert, State
from pilotage.core.rollout.watch import Failed
from pilotage.core.wording import counted, listed

_NAMED = 5
"""Services named in a title before the rest is counted."""
_TITLE_LIMIT = 250
_NOT_IN_BRANCHES = re.compile(r"[^A-Za-z0-9_-]")
_NOT_IN_WORDS = re.compile(r"[^\w. :+/-]")
_ACTIVE = re.compile(
    r"(?<=#)(?=\d)|(?<=(?<!\w)@)(?=\w)|(?<=\bGH-)(?=\d)|(?<=\[)(?=(?:skip|no|ci|actions) )", re.I
)
"""Where GitHub would close an issue, tell somebody, or keep CI from running."""
_GAP = "\u200b"
_TURNING = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What would show the rest of a line backwards."""
_VALUE_LIMIT = 60
"""Of a version among others in one line."""
_LINE_LIMIT = 500
"""Of a commit message's lines: a value is one line, and never a trailer of its own."""


def clipped(text: str, limit: int = DESCRIPTION_LIMIT) -> str:
    """One line that fits, read in one direction; GitHub refuses a longer status description."""
    line = " ".join(_TURNING.sub("", text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def harmless(word: str) -> str:
    """A person's own word in our reply: nobody is mentioned, nothing hidden, nothing formatted."""
    return _NOT_IN_WORDS.sub("?", word)[:100]


def _inert(text: str) -> str:
    """Titles and commit messages: a value, or what a cluster says, does nothing there."""
    return _ACTIVE.sub(_GAP, text)


def list_changes(changes: Iterable[ServiceChange]) -> str:
    """`api v9.1.1, web back to v5.0.0`, or the first few and how many more."""
    return listed([_named(each) for each in changes])


def _named(change: ServiceChange) -> str:
    back = distance(change.before, change.after).step is Step.BACK
    to = "back to " if back else ""
    after = clipped(version.short(change.after, change.service), _VALUE_LIMIT)
    return f"{change.service} {to}{after}"


def list_steps(policy: Policy, changes: Iterable[ServiceChange]) -> str:
    """`api v9.0.4 to v9.2.0: minor (+2)`, or the first few and how many more."""
    return listed([_step(policy, each) for each in changes], between="; ")


def _step(policy: Policy, change: ServiceChange) -> str:
    name, scheme = change.service, policy.pipeline.versions.scheme
    before = version.short(change.before, name) if change.before is not None else "nothing"
    found = distance(change.before, change.after, scheme)
    return f"{name} {before} to {version.short(change.after, name)}: {found}"


def span(duration: timedelta) -> str:
    seconds = int(duration.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def moment(at: datetime) -> str:
    """`3 Nov 12:00 UTC`."""
    return at.astimezone(UTC).strftime("%d %b %H:%M UTC").lstrip("0")


def second(at: datetime) -> str:
    """`3 Nov 12:00:30 UTC`, for an end that somebody may wait for."""
    return at.astimezone(UTC).strftime("%d %b %H:%M:%S UTC").lstrip("0")


def _filled(template: str, policy: Policy, promotion: Promotion) -> str:
    values = {
        "{pipeline}": policy.pipeline_name,
        "{environment}": policy.environment_name,
        "{changes}": list_changes(promotion.changes),
        "{run}": promotion.run,
    }
    for placeholder, value in values.items():
        template = template.replace(placeholder, value)
    return template


def branch_name(policy: Policy, run: str) -> str:
    safe = _NOT_IN_BRANCHES.sub("-", run)[:60]
    template = policy.environment.branch.replace("{run}", safe)
    template = template.replace("{environment}", policy.environment_name)
    return template.replace("{pipeline}", policy.pipeline_name)


def branch_pattern(policy: Policy) -> tuple[str, str]:
    """What every branch of this pipeline begins and ends with."""
    place = "RUN"
    begin, _, end = branch_name(policy, place).partition(place)
    return begin, end


def title(policy: Policy, promotion: Promotion) -> str:
    return clipped(_inert(_worded("title", policy, promotion)), _TITLE_LIMIT)


def _worded(name: Literal["title", "commit"], policy: Policy, promotion: Promotion) -> str:
    """As the policy words it; what a person chose has words of its own unless the policy has."""
    template: str = getattr(policy.environment, name)
    if promotion.choice is not None and template == Environment.model_fields[name].default:
        return _chosen(policy, promotion)
    return _filled(template, policy, promotion)


def _chosen(policy: Policy, promotion: Promotion) -> str:
    """`promote(api): v8.21.0 → production` (SYRF-13)."""
    what = list_changes(promotion.changes)
    if len(promotion.changes) == 1:
        what = what.removeprefix(f"{promotion.changes[0].service} ")
    scope = listed(promotion.services)
    return f"promote({scope}): {what} → {policy.environment_name}"


def marker(promotion: Promotion) -> str:
    """The hidden line by which a pull request of ours is found again."""
    return f"promotion:{promotion.id}"


def story_marker(promotion: Promotion) -> str:
    return f"rollout:{promotion.id}"


def commit_message(policy: Policy, promotion: Promotion, key: str) -> str:
    subject = clipped(_worded("commit", policy, promotion), _TITLE_LIMIT)
    lines = [
        clipped(f"{change.service}: {change.before or 'nothing'} -> {change.after}", _LINE_LIMIT)
        for change in promotion.changes
    ]
    told = [f"Proven in {policy.source_name} at {promotion.source_commit}."]
    if promotion.choice is not None:
        told.append(clipped(f"Asked for by {promotion.choice.by}."))
    return _inert("\n".join([subject, "", *lines, "", *told, "", f"Pilotage-Act: {key}", ""]))


def opened_message(policy: Policy, promotion: Promotion) -> str:
    commits = comparing.total(promotion)
    size = f" ({counted(commits, 'commit')})" if commits else ""
    return (
        f"{list_changes(promotion.changes)}{size} proven in {policy.source_name}; "
        f"review and merge to release to {policy.environment_name}"
    )


def failure(application: str, failed: Failed) -> str:
    parts = [part for part in (failed.resource, failed.message) if part]
    return f"{application}: {': '.join(parts) or failed.reason.value}"


def revert_title(policy: Policy, promotion: Promotion, services: Sequence[str], reason: str) -> str:
    """`rollback(api): revert production to v1.2.2 due to <reason>` (SYRF-10)."""
    old = {change.service: change.before or "nothing" for change in promotion.changes}
    if len(services) == 1:
        to = version.short(old[services[0]], services[0])
    else:
        to = listed([f"{name} {version.short(old[name], name)}" for name in services])
    scope = ", ".join(services[:_NAMED])
    text = f"rollback({scope}): revert {policy.environment_name} to {to} due to {reason}"
    return clipped(_inert(text), 200)


def revert_message(
    policy: Policy, promotion: Promotion, services: Sequence[str], revert: Revert, key: str
) -> str:
    subject = revert_title(policy, promotion, services, revert.reason)
    lines = [
        clipped(f"{change.service}: {change.after} -> {change.before or 'nothing'}", _LINE_LIMIT)
        for change in promotion.changes
        if change.service in services
    ]
    merge = promotion.merge.sha if promotion.merge else ""
    whole = set(services) >= set(promotion.services)
    of = f"This reverts commit {merge}." if whole else f"This reverts a part of {merge}."
    asked = "" if revert.by == "pilotage" else clipped(f"Asked for by {revert.by}.")
    body = [clipped(f"Reason: {revert.reason}", _LINE_LIMIT), *([asked] if asked else [])]
    trailer = f"Pilotage-Act: {key}"
    text = [subject, "", *body, "", *lines, "", of, "", trailer, ""]
    return _inert("\n".join(text))


def conclusion(promotion: Promotion, state: State, now: datetime) -> str:
    """The last word on a release, as its comment and its message say it."""
    merged = promotion.merge.at if promotion.merge else promotion.created_at
    after = f"{span(now - merged)} after the merge"
    changes = {change.service: change for change in promotion.changes}
    parts = []
    told: set[str] = set()
    for service, outcome in promotion.outcomes.items():
        reason = promotion.reasons.get(service, "")
        if outcome is Outcome.REVERTED:
            back = changes[service].before
            runs = f"runs {version.short(back, service)} again" if back else "is taken out again"
            parts.append(f"{service} {runs}" + ("" if reason in told else f" ({reason})"))
            told.add(reason)
        elif outcome is Outcome.OVERTAKEN:
            parts.append(f"{service} was overtaken: {reason}")
        elif outcome is Outcome.CONFIRMED and state is State.REVERTED:
            parts.append(f"{service} {version.short(changes[service].after, service)} is confirmed")
    if state is State.CONFIRMED:
        parts.insert(0, list_changes(promotion.changes))
    return f"{state.value.capitalize()} {after}: {'; '.join(parts)}"


def explanation(because: Iterable[Reason]) -> str:
    """What `/pilotage explain` answers, as Markdown."""
    lines = []
    for reason in because:
        step = f" → {escape(reason.next_step)}" if reason.next_step else ""
        lines.append(f"- **{escape(reason.subject)}**: {escape(reason.text)}{step}")
    return "\n".join(lines) or "Nothing stands in the way."
