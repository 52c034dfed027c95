"""The names that environments have in paths, and in which order a version passes them.

`prod`, `production`, `live` mean the same step; `prod-eu` is that step in one region.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from pilotage.core.recognise.words import ENVIRONMENT_FOLDERS


class Step(IntEnum):
    """Where on its way a version is. Two environments of one step have no known order."""

    SANDBOX = 0
    DEVELOPMENT = 1
    INTEGRATION = 2
    TEST = 3
    LOAD = 4
    ACCEPTANCE = 5
    STAGING = 6
    PREPRODUCTION = 7
    PRODUCTION = 8


_WORDS: Mapping[Step, str] = {
    Step.SANDBOX: "sandbox sbox snd sbx",
    Step.DEVELOPMENT: "dev develop development",
    Step.INTEGRATION: "integration int sit",
    Step.TEST: "test tst testing qa alpha",
    Step.LOAD: "load perf performance",
    Step.ACCEPTANCE: "uat acc acceptance beta",
    Step.STAGING: "stage staging stg nonprod nonproduction",
    Step.PREPRODUCTION: "preprod preproduction pre",
    Step.PRODUCTION: "prod production prd live",
}
_STEP_OF = {word: step for step, words in _WORDS.items() for word in words.split()}
_CLEAR = {
    Step.DEVELOPMENT,
    Step.STAGING,
    Step.PREPRODUCTION,
    Step.PRODUCTION,
}
"""Words of the others (test, load, live beside none of these) mean other things as often."""
_TWO_WORDS = r"(?:pre|non)[-_]prod(?:uction)?"
_REGION = re.compile(
    r"\d{1,3}|[a-z]{1,2}\d{1,2}|eu|us|uk|gb|de|fr|nl|ie|se|ch|it|es|pl|jp|kr|in|sg|hk|cn|au|nz|ca|br"
    r"|za|ae|me|na|sa|af|ap|apac|emea|amer|latam|asia|europe|america|global"
    r"|(?:north|south)?(?:east|west)|north|south|central|primary|secondary|blue|green"
)
_SEPARATOR = re.compile(r"[-_.]")


@dataclass(frozen=True, slots=True)
class Spot:
    """An environment's name in a path. `key` is the path with `{environment}` in its place."""

    key: str
    name: str


@dataclass(frozen=True)
class Names:
    """Which words name environments: the known ones, or exactly those that a person gave."""

    given: tuple[str, ...] = ()
    """In the order in which a version passes them."""

    @cached_property
    def _word(self) -> re.Pattern[str]:
        words = [re.escape(word) for word in self.given] or [_TWO_WORDS, *_STEP_OF]
        words.sort(key=len, reverse=True)
        return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(words)})(?![A-Za-z0-9])", re.IGNORECASE)

    def step(self, name: str) -> int:
        """The place of an environment in the order."""
        if self.given:
            return self.given.index(name)
        word = self._word.search(name)
        return _step(word[0]) if word else Step.DEVELOPMENT

    def among(self, names: Iterable[str]) -> frozenset[str]:
        """Those that name environments."""
        if self.given:
            return frozenset(names) & frozenset(self.given)
        return frozenset(name for name in names if self._word.search(name))

    def rest(self, name: str) -> str:
        """What a name says beside the step: the region of `prod-eu`."""
        return "" if self.given else self._word.sub("", name, count=1).strip("-_.")

    def side_by_side(self, names: Iterable[str]) -> bool:
        """Whether these are environments that a version passes one after the other."""
        steps = {self.step(name) for name in names}
        return len(steps) > 1 and (bool(self.given) or not steps.isdisjoint(_CLEAR))

    def spots(self, path: str) -> Iterator[Spot]:
        """Every way to read one of the path's words as the name of its environment."""
        if self._word.search(path) is None:
            return
        at = 0
        parent = ""
        for segment in path.split("/"):
            last = at + len(segment) == len(path)
            for found in self._word.finditer(segment):
                name = self._name(segment, found, parent, is_file=last)
                yield from _keys(path, name, at + segment.index(name))
            at += len(segment) + 1
            parent = segment

    def _name(self, segment: str, found: re.Match[str], parent: str, *, is_file: bool) -> str:
        """The word, with a region beside it; in `envs/` the folder's whole name."""
        if self.given:
            return found[0]
        before, after = segment[: found.start()], segment[found.end() :]
        if not is_file and (
            parent.lower() in ENVIRONMENT_FOLDERS or (_regions(before) and _regions(after))
        ):
            return segment
        start = 0 if before and _regions(before) else found.start()
        end = found.end() + len(_leading_regions(after))
        return segment[start:end]


def _step(word: str) -> Step:
    plain = re.sub(r"[-_]", "", word.lower())
    return _STEP_OF[plain]


def is_region(text: str) -> bool:
    """Whether a word is a place, such as `eu-west-1`, and nothing else."""
    return bool(text) and _regions(text)


def _regions(text: str) -> bool:
    return all(
        _REGION.fullmatch(part.lower()) for part in _SEPARATOR.split(text.strip("-_.")) if part
    )


def _leading_regions(text: str) -> str:
    """The beginning of `-eu-west-1.yaml` that is a region."""
    taken = 0
    for part in re.finditer(r"[-_]([A-Za-z0-9]+)", text):
        if part.start() != taken or not _REGION.fullmatch(part[1].lower()):
            break
        taken = part.end()
    return text[:taken]


def _keys(path: str, name: str, at: int) -> Iterator[Spot]:
    """Only here, and everywhere that the path says the name again."""
    yield Spot(f"{path[:at]}{{environment}}{path[at + len(name) :]}", name)
    again = re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])")
    if len(again.findall(path)) > 1:
        yield Spot(again.sub("{environment}", path), name)


@dataclass(frozen=True, slots=True)
class Source:
    """Where an environment's versions come from; `others` might be meant as well."""

    name: str
    others: tuple[str, ...] = ()


def sources(environments: Iterable[str], names: Names) -> dict[str, Source | None]:
    """Each environment, in order, with the one that it is promoted from; None for a first one."""
    ordered = sorted(environments, key=lambda name: (names.step(name), name))
    return {name: _source(name, ordered, names) for name in ordered}


def _source(name: str, ordered: list[str], names: Names) -> Source | None:
    """The step before, in the same region where it has one."""
    before = [each for each in ordered if names.step(each) < names.step(name)]
    if not before:
        return None
    nearest = [each for each in before if names.step(each) == names.step(before[-1])]
    same = [each for each in nearest if names.rest(each) == names.rest(name)]
    found, *others = same or nearest
    return Source(found, tuple(others))
