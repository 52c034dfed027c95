"""The path patterns of Argo CD, each in its own dialect. Patterns are other people's text."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from posixpath import normpath

_LONGEST = 1024
_MOST_ALTERNATIVES = 64


def in_folders(pattern: str, path: str) -> bool:
    """`*` stays within one folder and `**` goes through any number of them; `{a,b}` is either.

    So match values files and, where it was switched on, the files of a git generator.
    """
    parts = path.split("/")
    return any(_segments(each.split("/"), parts) for each in alternatives(pattern))


def across_folders(pattern: str, path: str) -> bool:
    """`*` also matches slashes, as in `directory.include` and in git's own patterns."""
    return any(fnmatchcase(path, each) for each in alternatives(pattern))


def covers(pattern: str, base: str, file: str) -> bool:
    """`manifest-generate-paths`: relative to the source's path unless it begins with a slash."""
    place = pattern.removeprefix("/") if pattern.startswith("/") else f"{base}/{pattern}"
    place = normpath(place).strip("/")
    return (
        place in (".", "")
        or file == place
        or file.startswith(f"{place}/")
        or fnmatchcase(file, place)
    )


@lru_cache(maxsize=4096)
def alternatives(pattern: str) -> tuple[str, ...]:
    """The pattern without its braces, as `fnmatch` reads it; none for one beyond all measure."""
    if len(pattern) > _LONGEST:
        return ()
    found: list[str] = []
    for each in _without_braces(pattern):
        found.append(each.replace("[^", "[!"))
        if len(found) > _MOST_ALTERNATIVES:
            return ()
    return tuple(found)


def _without_braces(pattern: str) -> Iterator[str]:
    start = pattern.find("{")
    end = pattern.find("}", start)
    if start < 0 or end < 0:
        yield pattern
        return
    start = pattern.rfind("{", start, end)
    for choice in pattern[start + 1 : end].split(","):
        yield from _without_braces(pattern[:start] + choice + pattern[end + 1 :])


def _segments(patterns: list[str], parts: list[str]) -> bool:
    """Which prefixes of the path are matched so far, pattern by pattern: no backtracking."""
    reached = {0}
    for pattern in patterns:
        if pattern == "**":
            reached = set(range(min(reached), len(parts) + 1))
        else:
            reached = {
                at + 1 for at in reached if at < len(parts) and fnmatchcase(parts[at], pattern)
            }
        if not reached:
            return False
    return len(parts) in reached
