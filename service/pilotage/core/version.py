"""What a value says that it is: a semantic version, a date, an image, a commit, or a name.

The number stands at the end of the value, after whatever a team puts before it: `api-v9.1.1`,
`pm-v10.45.0`, `1.4.0-rc.1`, `2026-11-21.3`. How far two are apart is in `distance`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import semver

_BEGIN = r"(?:^|[^0-9A-Za-z.]|[vV])"
_SEMANTIC = re.compile(
    _BEGIN + r"([0-9]{1,9}(?:\.[0-9]{1,9}){2}"
    r"(?:-[0-9A-Za-z.-]{1,64})?(?:\+[0-9A-Za-z.-]{1,64})?)\Z"
)
_SUFFIX = r"(?:-(?P<suffix>[0-9A-Za-z][0-9A-Za-z.-]{0,63}))?\Z"
_COMPACT = re.compile(
    _BEGIN + r"(?P<number>(?P<year>(?:19|20)[0-9]{2})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"
    r"(?:T?(?P<time>[0-9]{4}(?:[0-9]{2})?))?(?P<rest>(?:[.-][0-9]{1,9}){0,3}))" + _SUFFIX
)
_LONG_YEAR = re.compile(
    _BEGIN + r"(?P<number>(?:19|20)[0-9]{2}[.-](?:0?[1-9]|1[0-2])(?:[.-][0-9]{1,9}){0,4})" + _SUFFIX
)
_SHORT_YEAR = re.compile(
    _BEGIN + r"(?P<number>[0-9]{2}\.(?:0[1-9]|1[0-2])(?:\.[0-9]{1,9}){0,2})" + _SUFFIX
)
_SHORT_YEAR_LOOSELY = re.compile(_SHORT_YEAR.pattern.replace("0[1-9]", "0?[1-9]"))
_FULL_DATE = re.compile(r"([0-9]{4})[.-]([0-9]{2})[.-]([0-9]{2})(?![0-9])")
_COMMIT = re.compile(r"(?:^|[^0-9a-f])([0-9a-f]{7,64})\Z")
_COMMIT_AT_END = re.compile(
    r"(?:^|[.-])(?:[0-9]{1,9}-)?g?(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{7,40}\Z"
)
"""In a prerelease: `1.4.0-4be19f2`, or `v1.2.3-4-g4be19f2` as `git describe` says it."""
_DIGEST = re.compile(r"@?(sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128}))\Z")
_SHOWN = 7


class Scheme(StrEnum):
    """What a pipeline's values are, which decides where a value could be two things."""

    ANY = "any"
    SEMVER = "semver"
    CALVER = "calver"
    DIGEST = "digest"
    COMMIT = "commit"


@dataclass(frozen=True, slots=True)
class Semantic:
    """`api-v9.1.1`: the prefix is `api-`, for a `v` before the number says nothing."""

    prefix: str
    number: semver.Version

    @property
    def prerelease(self) -> str:
        return self.number.prerelease or ""

    @property
    def ordered(self) -> semver.Version:
        """Without what has no order: a commit in the prerelease, and the build."""
        return self.number.replace(prerelease=_ordered(self.prerelease) or None, build=None)


@dataclass(frozen=True, slots=True)
class Calendar:
    """`2026.11.21`, `26.11.1`, `2026-11-21.3`: year, month and whatever is counted below."""

    prefix: str
    number: str
    numbers: tuple[int, ...]
    suffix: str = ""
    day: date | None = None
    """Only where the number is written as a full date; else the third part may be a counter."""

    @property
    def prerelease(self) -> str:
        return _ordered(self.suffix)


@dataclass(frozen=True, slots=True)
class Digest:
    digest: str


@dataclass(frozen=True, slots=True)
class Commit:
    sha: str


@dataclass(frozen=True, slots=True)
class Image:
    """`v2.3.0@sha256:…`: what it is, is the digest; its order is the tag's."""

    tag: Semantic | Calendar | Commit | Other
    digest: str


@dataclass(frozen=True, slots=True)
class Other:
    """A channel such as `latest`, a build number, or anything else."""

    text: str


Version = Semantic | Calendar | Digest | Commit | Image | Other
Tag = Semantic | Calendar | Commit | Other


def read(value: str, scheme: Scheme = Scheme.ANY) -> Version:
    tag, digest = split(value)
    if digest is None:
        return readings(value, scheme)[0]
    return Image(readings(tag, scheme)[0], digest) if tag else Digest(digest)


def split(value: str) -> tuple[str, str | None]:
    """The tag, and the digest if there is one: either may be all there is."""
    match = _DIGEST.search(value)
    return (value[: match.start()], match[1]) if match else (value, None)


def readings(tag: str, scheme: Scheme = Scheme.ANY) -> tuple[Tag, ...]:
    """Everything that a value without a digest may be, the likeliest first; never empty.

    `2026.11.21` is a date and a semantic version, `20261121` a date and a commit. `26.9.1` is a
    date only where the scheme says so.
    """
    commit = _COMMIT.search(tag)
    long_year = _calendar(tag, _COMPACT) or _calendar(tag, _LONG_YEAR)
    short_year = _calendar(tag, _SHORT_YEAR_LOOSELY if scheme is Scheme.CALVER else _SHORT_YEAR)
    found: list[Tag | None] = [
        long_year,
        _semantic(tag),
        short_year,
        Commit(commit[1]) if commit else None,
    ]
    possible = [each for each in found if each is not None]
    first = _FIRST.get(scheme)
    if first is not None:
        possible.sort(key=lambda each: not isinstance(each, first))
    return tuple(possible) or (Other(tag),)


_FIRST: dict[Scheme, type[Tag]] = {
    Scheme.SEMVER: Semantic,
    Scheme.CALVER: Calendar,
    Scheme.COMMIT: Commit,
}


def _semantic(tag: str) -> Semantic | None:
    match = _SEMANTIC.search(tag)
    if match is None:
        return None
    try:
        return Semantic(_prefix(tag[: match.start(1)]), semver.Version.parse(match[1]))
    except ValueError:
        return None


def _calendar(tag: str, form: re.Pattern[str]) -> Calendar | None:
    match = form.search(tag)
    if match is None:
        return None
    number = match["number"]
    if form is _COMPACT:
        day = _day(match["year"], match["month"], match["day"])
        if day is None:
            return None
        below = [part for part in re.split(r"[.-]", match["rest"]) if part]
        time = [match["time"]] if match["time"] else []
        numbers = (day.year, day.month, day.day, *map(int, time + below))
    else:
        written = _FULL_DATE.match(number)
        day = _day(*written.groups()) if written else None
        year, *others = map(int, re.split(r"[.-]", number))
        numbers = (year + 2000 if year < 100 else year, *others)
    prefix = _prefix(tag[: match.start("number")])
    return Calendar(prefix, number, numbers, match["suffix"] or "", day)


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _prefix(text: str) -> str:
    """`v1.2.3` and `1.2.3` have the same one; so have `api-v1.2.3` and `api-1.2.3`."""
    return re.sub(r"(?:^|(?<=[^0-9A-Za-z]))[vV]\Z", "", text)


def _ordered(prerelease: str) -> str:
    return _COMMIT_AT_END.sub("", prerelease)


def moves(before: str | None, after: str) -> bool:
    """Whether `after` may mean something else tomorrow: a channel such as `latest` or `main`.

    Beside a number everything else counts as one; else a build number stays what it is.
    """
    if not isinstance(read(after), Other):
        return False
    numbered = before is not None and isinstance(_tag(read(before)), Semantic | Calendar)
    return numbered or not any(part.isdigit() for part in after)


def _tag(version: Version) -> Version:
    return version.tag if isinstance(version, Image) else version


def plain(value: str) -> str:
    """The version without prefix and digest, or the value without its digest."""
    tag, _ = split(value)
    if not tag:
        return value
    match readings(tag)[0]:
        case Semantic(number=number):
            return str(number)
        case Calendar(number=number, suffix=suffix):
            return f"{number}-{suffix}" if suffix else number
        case _:
            return tag


def short(value: str, service: str) -> str:
    """How people read it beside the service's name: `api-v9.1.1` of api is `v9.1.1`."""
    return cut(said(value, service))


def said(value: str, service: str) -> str:
    """The whole of it, without the service's name: what people say of `api-v9.1.1` of api."""
    return value.removeprefix(f"{service}-") or value


def cut(value: str) -> str:
    """Digests and whole commit ids shortened, as people compare them; all else as it stands, in
    quotes where it is no single word."""
    if not value.isprintable() or " " in value:
        return json.dumps(value, ensure_ascii=False)
    tag, digest = split(value)
    if digest is not None:
        algorithm, _, digits = digest.partition(":")
        return f"{tag}{'@' if tag else ''}{algorithm}:{digits[:_SHOWN]}…"
    commit = _COMMIT.search(value)
    if commit is not None and len(commit[1]) in (40, 64):
        return value[: commit.start(1) + _SHOWN]
    return value
