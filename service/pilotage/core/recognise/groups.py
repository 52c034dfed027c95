"""Files that differ only in an environment's name, and the versions that they say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice

from pilotage import edit
from pilotage.core.recognise import places
from pilotage.core.recognise.environments import Names, Step
from pilotage.core.recognise.places import FileKind, Found, Place, Rank
from pilotage.core.recognise.words import IGNORED_FOLDERS

MOST_PATHS = 100_000
MOST_FILES = 4_000
"""That are read, of those that could say a version."""

_MOST_OTHERS = 20
"""Groups of other endings that are looked into, where there is nothing else."""

Reader = Callable[[Sequence[str]], Mapping[str, str | None]]
"""Texts by path; None for what is too large, or no text."""

_ENDINGS = re.compile(r"\.(?:ya?ml|json)$")
_FIRST = re.compile(
    r"(?:^|/)(?:[^/]*values|kustomization|chart|[^/]*version|[^/]*image|deploy)", re.I
)


@dataclass(frozen=True, slots=True)
class Group:
    """Files that are the same but for the environment's name, which is `{environment}` in `key`."""

    key: str
    files: Mapping[str, str]
    """Environment to path."""
    plain: str | None = None
    """The environment whose file has no environment's name, as `values.yaml` has none."""


@dataclass(frozen=True, slots=True)
class ReadGroup:
    """A group with what its files say. `versions` has only environments that say one."""

    group: Group
    kind: FileKind
    places: tuple[Place, ...]
    """What is promoted: in order, all equally sure."""
    rank: Rank
    also: tuple[Place, ...]
    """Other values that look like versions."""
    versions: Mapping[str, Mapping[Place, str]]
    """Environment to place to version."""
    indexed: Mapping[Place, str]
    moving: Mapping[str, str]
    """Environments whose value is a name that moves, and that name."""


@dataclass(frozen=True, slots=True)
class Misses:
    """Why groups are none of the above, with an example of each."""

    unreadable: tuple[str, ...] = ()
    moving: tuple[tuple[Group, Place, Mapping[str, str]], ...] = ()
    silent: tuple[Group, ...] = ()
    """Not one value that looks like a version stands in two environments."""


def grouped(paths: Iterable[str], names: Names, *, other_endings: bool = False) -> list[Group]:
    """Every group of at least two environments, in the order of their keys: of the files that are
    YAML or JSON by their names, or of the others."""
    found: dict[str, dict[str, str]] = {}
    plain: set[str] = set()
    for path in islice(paths, MOST_PATHS):
        if _is_ours(path) and _is_data(path) is not other_endings:
            plain.add(path)
            for spot in names.spots(path):
                found.setdefault(spot.key, {})[spot.name] = path
    groups = (_with_plain(key, files, plain, names) for key, files in sorted(found.items()))
    return [group for group in groups if names.side_by_side(group.files)]


def _with_plain(key: str, files: Mapping[str, str], paths: Set[str], names: Names) -> Group:
    """One environment's file beside the same without its name stands for two environments."""
    path = without_environment(key)
    if len(files) > 1 or path not in paths or names.given:
        return Group(key, dict(sorted(files.items())))
    (name,) = files
    plain = "staging" if names.step(name) == Step.PRODUCTION else "production"
    return Group(key, {name: files[name], plain: path}, plain)


def without_environment(pattern: str) -> str:
    """`values-{environment}.yaml` as the file for all is called: `values.yaml`; "" for others."""
    folder, slash, name = pattern.rpartition("/")
    found = re.sub(r"[-_.]\{environment\}", "", name)
    return f"{folder}{slash}{found}" if found != name and "{environment}" not in folder else ""


def _is_ours(path: str) -> bool:
    folders = path.split("/")[:-1]
    return (
        "{" not in path
        and "}" not in path
        and path.isprintable()
        and not (IGNORED_FOLDERS & set(folders))
    )


def _is_data(path: str) -> bool:
    """YAML or JSON, or without an ending in a folder."""
    folder, _, name = path.rpartition("/")
    return _ENDINGS.search(name) is not None or ("." not in name and folder != "")


def otherwise(paths: Sequence[str], reader: Reader, names: Names) -> Group | None:
    """Files of other endings that are YAML or JSON mappings all the same, such as `staging.env`
    of helmfile."""
    groups = [each for each in grouped(paths, names, other_endings=True) if each.plain is None]
    some = groups[:_MOST_OTHERS]
    texts = reader(sorted({path for group in some for path in group.files.values()}))
    return next(
        (each for each in some if all(map(_is_mapping, map(texts.get, each.files.values())))), None
    )


def _is_mapping(text: str | None) -> bool:
    try:
        return any(scalar.path != "." for scalar in edit.scalars(text or ""))
    except edit.EditRefused:
        return False


def chosen(groups: Sequence[Group]) -> tuple[list[Group], int]:
    """The groups to read within the budget, the likeliest first; and how many files are not."""
    order = sorted(groups, key=lambda each: (_FIRST.search(each.key) is None, each.key))
    taken: set[str] = set()
    some = []
    for group in order:
        if len(taken | set(group.files.values())) <= MOST_FILES:
            taken |= set(group.files.values())
            some.append(group)
    every = {path for group in groups for path in group.files.values()}
    return sorted(some, key=lambda each: each.key), len(every - taken)


def read(groups: Sequence[Group], reader: Reader, names: Names) -> tuple[list[ReadGroup], Misses]:
    """What the files of these groups say. Each file is read once."""
    paths = sorted({path for group in groups for path in group.files.values()})
    readings = {
        path: places.read(path, text) if text is not None else None
        for path, text in reader(paths).items()
    }
    good: list[ReadGroup] = []
    moving, silent = [], []
    for group in groups:
        found = {
            name: reading.found
            for name, path in group.files.items()
            if (reading := readings.get(path)) is not None
        }
        kinds = [reading.kind for path in group.files.values() if (reading := readings.get(path))]
        match _compared(group, found, kinds, names):
            case ReadGroup() as compared:
                good.append(compared)
            case (Place() as place, values):
                moving.append((group, place, values))
            case None:
                silent.append(group)
    unreadable = tuple(path for path in paths if readings.get(path) is None)
    return good, Misses(unreadable, tuple(moving), tuple(silent))


def _compared(
    group: Group, found: Mapping[str, Sequence[Found]], kinds: Sequence[FileKind], names: Names
) -> ReadGroup | tuple[Place, Mapping[str, str]] | None:
    """What stands in two environments or more; else a place whose values only move."""
    by_place = _by_place(found)
    if not any(names.side_by_side(values) for values in by_place.values()):
        by_place = _by_place({name: _only_one(each) for name, each in found.items()})
    settled = {
        place: {name: one for name, one in values.items() if one.settled}
        for place, values in by_place.items()
    }
    common = [place for place in by_place if names.side_by_side(settled[place])]
    if not common:
        return next(_moving(by_place, names), None)
    ranks = {place: min(one.rank.value for one in settled[place].values()) for place in common}
    best = min(ranks.values())
    promoted = tuple(place for place in common if ranks[place] == best)
    main = promoted[0]
    return ReadGroup(
        group=group,
        kind=kinds[0],
        places=promoted,
        rank=Rank(best) if group.plain is None else Rank.POSSIBLE,
        also=tuple(place for place in common if ranks[place] != best),
        versions={
            name: {
                place: settled[place][name].value for place in promoted if name in settled[place]
            }
            for name in settled[main]
        },
        indexed={place: next(iter(settled[place].values())).indexed for place in promoted},
        moving={name: one.value for name, one in by_place[main].items() if not one.settled},
    )


def _by_place(found: Mapping[str, Sequence[Found]]) -> dict[Place, dict[str, Found]]:
    by_place: dict[Place, dict[str, Found]] = {}
    for name, each in found.items():
        for one in each:
            by_place.setdefault(one.place, {})[name] = one
    return by_place


def _only_one(found: Sequence[Found]) -> Sequence[Found]:
    """The one sure place of a file, by index: containers may be called otherwise elsewhere."""
    sure = [each for each in found if each.rank is Rank.CERTAIN]
    if len(sure) != 1:
        return ()
    place = replace(sure[0].place, path=sure[0].indexed, document=None)
    return () if sure[0].place.document is not None else (replace(sure[0], place=place),)


def _moving(
    by_place: Mapping[Place, Mapping[str, Found]], names: Names
) -> Iterator[tuple[Place, Mapping[str, str]]]:
    for place, values in sorted(by_place.items(), key=lambda each: _rank(each[1])):
        if names.side_by_side(values) and _rank(values) < Rank.POSSIBLE.value:
            yield place, {name: one.value for name, one in values.items()}


def _rank(values: Mapping[str, Found]) -> int:
    return min(one.rank.value for one in values.values())
