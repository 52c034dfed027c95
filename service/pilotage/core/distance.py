"""How far apart two versions are, and which is newer (SYRF-15).

Only like is compared with like: two semantic versions, or two dates, with the same prefix. Commits
and digests have no order. Distances are counted by the numbers: from 9.1.4 to 9.3.0 is
`minor (+2)`, whether or not a 9.2.0 was ever released.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import semver

from pilotage.core.version import Calendar, Commit, Scheme, Semantic, Tag, readings, split


class Step(StrEnum):
    MAJOR = "major"
    MINOR = "minor"
    PATCH = "patch"
    PRERELEASE = "prerelease"
    CALENDAR = "calendar"
    SAME = "same"
    """Neither is newer: another digest, build or commit of the same number."""
    BACK = "back"
    NEW = "new"
    OTHER = "other"
    """Which is newer cannot be told."""


@dataclass(frozen=True, slots=True)
class Distance:
    step: Step
    detail: str = ""
    """`+2`, `-3 days`, `another prefix`."""

    def __str__(self) -> str:
        return f"{self.step} ({self.detail})" if self.detail else str(self.step)


def distance(before: str | None, after: str, scheme: Scheme = Scheme.ANY) -> Distance:
    if before is None:
        return Distance(Step.NEW)
    if before == after:
        return Distance(Step.SAME)
    (old_tag, old_digest), (new_tag, new_digest) = split(before), split(after)
    if not (old_tag and new_tag):
        both = old_digest is not None and new_digest is not None
        return Distance(Step.OTHER, "digests have no order" if both else "another kind")
    if old_tag == new_tag:
        return Distance(Step.SAME, "another digest")
    found = _between_tags(old_tag, new_tag, scheme)
    if found.step is Step.SAME and old_digest != new_digest:
        return Distance(Step.SAME, "another digest")
    return found


def _between_tags(before: str, after: str, scheme: Scheme) -> Distance:
    old, new = _alike(before, after, scheme)
    match old, new:
        case Semantic(), Semantic():
            return _semantic(old, new) if old.prefix == new.prefix else _OTHER_PREFIX
        case Calendar(), Calendar():
            return _calendar(old, new) if old.prefix == new.prefix else _OTHER_PREFIX
        case Commit(), Commit():
            return Distance(Step.OTHER, "commits have no order")
        case _:
            alike = type(old) is type(new)
            return Distance(Step.OTHER, "no known order" if alike else "another kind")


_OTHER_PREFIX = Distance(Step.OTHER, "another prefix")


def _alike(before: str, after: str, scheme: Scheme) -> tuple[Tag, Tag]:
    """The first reading that both have: `2026.11.21` beside `2026.11.21-rc.1` is a version."""
    old, new = readings(before, scheme), readings(after, scheme)
    for one in old:
        for other in new:
            if type(one) is type(other):
                return one, other
    return old[0], new[0]


def _semantic(before: Semantic, after: Semantic) -> Distance:
    old, new = before.ordered, after.ordered
    back = new < old
    for step, was, now in (
        (Step.MAJOR, old.major, new.major),
        (Step.MINOR, old.minor, new.minor),
        (Step.PATCH, old.patch, new.patch),
    ):
        if was != now:
            if back:
                return Distance(Step.BACK, f"-{was - now} {step}")
            return Distance(step, f"+{now - was}" if now - was > 1 else "")
    if back:
        return Distance(Step.BACK, "prerelease")
    return Distance(Step.PRERELEASE) if old < new else Distance(Step.SAME, "another build")


def _calendar(before: Calendar, after: Calendar) -> Distance:
    if before.numbers == after.numbers:
        return _same_date(before, after)
    step = Step.BACK if after.numbers < before.numbers else Step.CALENDAR
    old, new = before.numbers, after.numbers
    if before.day is not None and after.day is not None:
        days = (after.day - before.day).days
        return Distance(step, _counted(days, " day") if days else "same day")
    months = 12 * (new[0] - old[0]) + new[1] - old[1]
    if months:
        return Distance(step, _counted(months, " month"))
    counters = old[2:3] + new[2:3]
    if len(counters) == 2 and counters[0] != counters[1]:
        return Distance(step, f"{counters[1] - counters[0]:+d}")
    return Distance(step, "same month" if len(counters) < 2 else "")


def _counted(number: int, unit: str) -> str:
    return f"{number:+d}{unit}{'' if abs(number) == 1 else 's'}"


def _same_date(before: Calendar, after: Calendar) -> Distance:
    """A prerelease is older than what it is of; commits of one date have no order."""
    try:
        old = semver.Version(0, prerelease=before.prerelease or None)
        new = semver.Version(0, prerelease=after.prerelease or None)
        order = new.compare(old)
    except ValueError:
        return Distance(Step.OTHER)
    if order < 0:
        return Distance(Step.BACK, "prerelease")
    return Distance(Step.PRERELEASE) if order else Distance(Step.SAME, "another build")
