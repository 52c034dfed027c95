"""Which of two versions is newer, and how far apart they are (SYRF-15).

A version is found at the end of a value: `api-v9.1.1`, `pm-v10.45.0`, `v2.15.0`, `1.4.0-rc.1`.
"""

from __future__ import annotations

import re
from enum import StrEnum

from semver import Version

_AT_END = re.compile(
    r"(?:^|[^0-9A-Za-z.]|v)"
    r"(\d{1,9}\.\d{1,9}\.\d{1,9}(?:-[0-9A-Za-z.-]{1,64})?(?:\+[0-9A-Za-z.-]{1,64})?)$"
)


_FIXED = re.compile(r"(?:^|[^0-9a-f])[0-9a-f]{7,64}$")


class Step(StrEnum):
    MAJOR = "major"
    MINOR = "minor"
    PATCH = "patch"
    PRERELEASE = "prerelease"
    BACK = "back"
    NEW = "new"
    OTHER = "other"
    """At least one of the two is no semantic version."""


def parse(value: str) -> Version | None:
    match = _AT_END.search(value)
    if match is None:
        return None
    try:
        return Version.parse(match[1])
    except ValueError:
        return None


def moves(before: str | None, after: str) -> bool:
    """Whether `after` may mean something else tomorrow: a channel such as `latest` or `main`.

    Beside a semantic version everything else counts as one; else a commit, a digest, a date or a
    build number stays what it is.
    """
    if parse(after) is not None or _FIXED.search(after):
        return False
    return not any(part.isdigit() for part in after) or parse(before or "") is not None


def plain(value: str) -> str:
    """The version without its prefix, or the value itself where none is found."""
    found = parse(value)
    return str(found) if found is not None else value


def short(value: str, service: str) -> str:
    """How people say it beside the service's name: `api-v9.1.1` of api is `v9.1.1`."""
    return value.removeprefix(f"{service}-") or value


def step(before: str | None, after: str) -> Step:
    if before is None:
        return Step.NEW
    old, new = parse(before), parse(after)
    if old is None or new is None:
        return Step.OTHER
    if new < old:
        return Step.BACK
    if new.major != old.major:
        return Step.MAJOR
    if new.minor != old.minor:
        return Step.MINOR
    return Step.PATCH if new.patch != old.patch else Step.PRERELEASE
