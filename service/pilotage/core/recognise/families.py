"""Groups of one shape become one family, such as `apps/{service}/{environment}/values.yaml`."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TypeAlias

from pilotage.core.config.values import NAME
from pilotage.core.recognise.environments import is_region
from pilotage.core.recognise.groups import Group, ReadGroup, without_environment
from pilotage.core.recognise.places import FileKind, Place, Rank
from pilotage.core.recognise.words import GENERIC, PATH_WORDS

_ENVIRONMENT, _SERVICE = "{environment}", "{service}"
_NAME = re.compile(NAME)
_ENDING = re.compile(r"\.(?:ya?ml|json)$")
_SUFFIX = re.compile(r"[-_.](?:values|config|version|application|app|deployment)$")
_BY_NAME_ENOUGH = 0.8
"""A rule that names services may miss some, which then get rules of their own."""


@dataclass(frozen=True, slots=True)
class Member:
    """One service of a family."""

    service: str
    """Empty where the family is about one service only, and nothing names it."""
    places: tuple[Place, ...]
    """Where its versions stand, the main one first."""
    versions: Mapping[str, str]
    """Environment to the main version there."""
    read: ReadGroup


@dataclass(frozen=True, slots=True)
class Family:
    """One pipeline. Where `files` names no service, its members share their files."""

    files: str
    kind: FileKind
    rank: Rank
    rules: tuple[Place, ...]
    """Their texts may name `{service}`."""
    members: tuple[Member, ...]
    without: tuple[str, ...] = ()
    """Services that have such files, which say no version."""

    def has_own(self, member: Member) -> bool:
        """Whether the member needs rules of its own."""
        return tuple(_filled(rule, member.service) for rule in self.rules) != member.places

    @property
    def plain(self) -> tuple[str, str] | None:
        """The environment whose files have no environment's name, and their pattern."""
        name = self.members[0].read.group.plain
        return None if name is None else (name, without_environment(self.files))

    @property
    def names_services(self) -> bool:
        return _SERVICE in self.files

    @property
    def environments(self) -> tuple[str, ...]:
        """Those in which most services say a version."""
        return tuple(name for name, (few, files) in self._counts.items() if few * 2 >= files)

    @property
    def silent_environments(self) -> Mapping[str, tuple[int, int]]:
        """The others: how many of their files say a version, and how many there are."""
        return {name: found for name, found in self._counts.items() if found[0] * 2 < found[1]}

    @property
    def _counts(self) -> Mapping[str, tuple[int, int]]:
        files = Counter(name for each in self.members for name in each.read.group.files)
        versions = Counter(name for each in self.members for name in each.versions)
        return {name: (versions[name], files[name]) for name in sorted(files)}

    @property
    def paths(self) -> frozenset[str]:
        """The files of its environments that say a version."""
        return frozenset(
            each.read.group.files[name]
            for each in self.members
            for name in self.environments
            if name in each.versions
        )


def families(read: Sequence[ReadGroup], silent: Iterable[Group]) -> list[Family]:
    """The surest and largest first. Each file belongs to one family only.

    `silent` are groups that say no version: some will have the shape of a family."""
    every = [*silent]
    services = _by_template(group.key for group in every)
    # A service that one environment alone has a file of may well say its version there.
    complete = _by_template(group.key for group in every if group.plain is None)
    rest = {each.group.key: each for each in read}
    found = [
        replace(family, without=_without(family, services if family.plain else complete))
        for family in _shared(rest)
    ]
    for key in sorted(rest, key=lambda each: (-len(rest[each].versions), len(each), each)):
        if key in rest:
            family = _single(rest[key])
            _leave(rest, family)
            found.append(family)
    return sorted(found, key=_order)


def _without(family: Family, services: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(sorted(services.get(family.files, ())))


def family_of(files: str, services: Mapping[str, ReadGroup], silent: Iterable[str]) -> Family:
    """The one family of a pattern that somebody gave. A service "" stands for the only one."""
    if _SERVICE not in files:
        (read,) = services.values()
        return _single(read)
    return replace(_family(files, services), without=tuple(sorted(silent)))


def _order(family: Family) -> tuple[bool, int, int, str]:
    doubtful = family.rank is Rank.POSSIBLE
    return doubtful, -len(family.members), family.rank.value, family.files


def _by_template(keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """Template to service to key."""
    found: dict[str, dict[str, str]] = {}
    for key in keys:
        for template, service in slots(key):
            found.setdefault(template, {})[service] = key
    return found


def _shared(rest: dict[str, ReadGroup]) -> Iterator[Family]:
    """Groups of one shape, of which at least two have the same rules; the most groups first.

    What a family is made of leaves `rest`. A shape is counted anew when its turn comes, since
    others may have taken some of its groups."""
    shapes = _by_template(rest)
    turns = [
        (size, template)
        for template, services in shapes.items()
        if (size := _size(template, _alike(services, rest))) is not None
    ]
    heapq.heapify(turns)
    while turns:
        size, template = heapq.heappop(turns)
        some = _alike(shapes[template], rest)
        now = _size(template, some)
        if now is not None and now != size:
            heapq.heappush(turns, (now, template))
        elif now is not None:
            family = _family(template, some)
            if sum(not family.has_own(each) for each in family.members) > 1:
                _leave(rest, family)
                yield family
                heapq.heappush(turns, (size, template))  # there may be some of another kind


def _leave(rest: dict[str, ReadGroup], family: Family) -> None:
    """Take the family's groups out, and every other reading of the same files."""
    taken = {path for each in family.members for path in each.read.group.files.values()}
    for key in [key for key, each in rest.items() if taken & set(each.group.files.values())]:
        del rest[key]


_Size: TypeAlias = tuple[bool, int, int, int]


def _size(template: str, services: Mapping[str, ReadGroup]) -> _Size | None:
    """The largest first: more services, more files, service and environment side by side. Regions
    are services only where nothing else is: the same one runs in each."""
    if sum(not _is_generic(service) for service in services) < 2:
        return None
    files = {path for each in services.values() for path in each.group.files.values()}
    return all(map(is_region, services)), -len(services), -len(files), _distance(template)


def _is_generic(service: str) -> bool:
    return service.lower() in GENERIC


def _alike(services: Mapping[str, str], rest: Mapping[str, ReadGroup]) -> dict[str, ReadGroup]:
    """Those that are left, of the most frequent kind, and equally sure."""
    left = {service: rest[key] for service, key in services.items() if key in rest}
    kinds = {
        service: (each.kind.value, each.rank.value, each.group.plain or "")
        for service, each in left.items()
    }
    counts = Counter(kinds.values())
    most = max(counts, key=lambda each: (counts[each], each), default=None)
    return {service: each for service, each in left.items() if kinds[service] == most}


def _distance(template: str) -> int:
    """How far the service's name stands from the environment's."""
    return abs(template.index(_SERVICE) - template.index(_ENVIRONMENT))


def slots(key: str) -> Iterator[tuple[str, str]]:
    """Every way to read one of the words of a key as the name of a service: template, service."""
    at = 0
    for segment in key.split("/"):
        last = at + len(segment) == len(key)
        ending = _ENDING.search(segment) if last else None
        stem = segment[: ending.start()] if ending else segment
        for start, end in _words_beside(stem):
            yield f"{key[: at + start]}{_SERVICE}{key[at + end :]}", stem[start:end]
        at += len(segment) + 1


def _words_beside(text: str) -> Iterator[tuple[int, int]]:
    """The whole, or what stands before or after `{environment}`; also without `-values` behind."""
    at = text.find(_ENVIRONMENT)
    parts = [(0, len(text))] if at < 0 else [(0, at), (at + len(_ENVIRONMENT), len(text))]
    for start, end in parts:
        part = text[start:end]
        start += len(part) - len(part.lstrip("-_."))
        whole = part.strip("-_.")
        for each in {whole, _SUFFIX.sub("", whole)}:
            if _NAME.fullmatch(each):
                yield start, start + len(each)


def _family(template: str, services: Mapping[str, ReadGroup]) -> Family:
    """Several groups: the rules that fit most of them."""
    members = [_member(name, each.places, each) for name, each in sorted(services.items())]
    rules, fitting = _most_fitting(members)
    indexed = _by_index(members)
    if indexed is not None and fitting < len(members) * _BY_NAME_ENOUGH:
        rules = (indexed,)
        members = [replace(each, places=rules) for each in members]
    first = members[0].read
    return Family(template, first.kind, first.rank, rules, tuple(members))


def _member(service: str, places: tuple[Place, ...], read: ReadGroup) -> Member:
    versions = {
        name: values[places[0]] for name, values in read.versions.items() if places[0] in values
    }
    return Member(service, places, versions, read)


def _by_index(members: Sequence[Member]) -> Place | None:
    """Where each file has just one such value, and that at the same place but for names."""
    found = {
        replace(place, path=member.read.indexed[place], document=None)
        for member in members
        for place in member.places
    }
    single = all(len(each.places) == 1 and each.places[0].document is None for each in members)
    return found.pop() if single and len(found) == 1 else None


def _most_fitting(members: Sequence[Member]) -> tuple[tuple[Place, ...], int]:
    votes: Counter[tuple[Place, ...]] = Counter()
    for member in members:
        abstract = tuple(_abstract(each, member.service) for each in member.places)
        votes.update({member.places, abstract})
    return max(votes.items(), key=lambda each: (each[1], _SERVICE in str(each[0]), str(each[0])))


def _single(read: ReadGroup) -> Family:
    """One group: a service with all its places, or several services that share their files."""
    key, kind = read.group.key, read.kind
    alone = Family(key, kind, read.rank, read.places, (_member("", read.places, read),))
    words = {place: _part(place) for place in read.places}
    named = all(_NAME.fullmatch("-".join(each)) for each in words.values())
    if not named or len({*words.values()}) < 2:
        return alone
    common = _common([*words.values()])
    parts: dict[str, list[Place]] = {}
    for place, each in words.items():
        parts.setdefault("-".join(each[min(common, len(each) - 1) :]), []).append(place)
    members = [_member(name, tuple(places), read) for name, places in sorted(parts.items())]
    rules, _ = _most_fitting(members)
    return Family(key, kind, read.rank, rules, tuple(members))


def _common(names: Sequence[tuple[str, ...]]) -> int:
    """How many words all of them begin with."""
    words = zip(*names, strict=False)
    return len(list(takewhile(lambda each: len({*each}) == 1, words)))


def _part(place: Place) -> tuple[str, ...]:
    """What a place calls the service that it is about, in one word or several."""
    if place.document is not None:
        return (place.document.partition("metadata.name=")[2],)
    names: list[str] = re.findall(r"\[name=([^\]]+)\]", place.path)
    if names:
        return (names[0].rsplit("/", 1)[-1].partition(":")[0],)
    return tuple(each for each in place.path.split(".") if each not in PATH_WORDS) or ("",)


def _abstract(place: Place, service: str) -> Place:
    """The place with `{service}` where it says the service's name."""
    if not service or service in PATH_WORDS:
        return place
    word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(service)}(?![A-Za-z0-9])")
    path = re.sub(r"(?<=\[name=)[^\]]+", lambda found: word.sub(_SERVICE, found[0]), place.path)
    keys = [
        _SERVICE if each == service else each for each in re.split(r"(?<!\[)\.(?![^\[]*\])", path)
    ]
    document = place.document
    if document is not None:
        start, found, name = document.partition("metadata.name=")
        document = f"{start}{found}{word.sub(_SERVICE, name)}"
    return replace(place, path=".".join(keys), document=document)


def _filled(place: Place, service: str) -> Place:
    document = place.document
    return replace(
        place,
        path=place.path.replace(_SERVICE, service),
        document=document.replace(_SERVICE, service) if document is not None else None,
    )
