"""What `pilotage init` proposes: which of the findings become pipelines, and their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pilotage.core.config.values import NAME
from pilotage.core.recognise import Family, FileKind, Findings, Rank, Source, sources
from pilotage.core.recognise.words import GENERIC_FOLDERS

MOST_PIPELINES = 12


@dataclass(frozen=True, slots=True)
class Change:
    """What an environment would get now."""

    service: str
    environment: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Proposed:
    """One pipeline of the proposal."""

    name: str
    preset: str
    family: Family
    sources: Mapping[str, Source | None]
    """Environments in order, with where each takes its versions from."""
    doubtful: bool
    """What it promotes is only possibly a version."""

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(each.service or self.name for each in self.family.members)

    @property
    def changes(self) -> tuple[Change, ...]:
        """In the last environments first: that is where a team looks."""
        return tuple(
            Change(member.service or self.name, environment, before, after)
            for environment, source in [*self.sources.items()][::-1]
            for member in (self.family.members if source is not None else ())
            if (before := member.versions.get(environment)) is not None
            and source is not None
            and (after := member.versions.get(source.name)) is not None
            and before != after
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """What becomes a pipeline of the file, and what it only mentions."""

    written: tuple[Proposed, ...]
    left_out: tuple[Proposed, ...]
    """Too many, or what they say may be something else's version."""


def propose(findings: Findings, repository: str, *, asked: bool = False) -> Proposal:
    """The pipelines for what was found; `repository` names one that nothing else names.

    What was asked for by its files is proposed, however doubtful it is."""
    taken: set[str] = set()
    found = []
    for family in findings.families:
        if not findings.names.side_by_side(family.environments) or _inherits(family):
            continue
        name = next(each for each in _names(family.files, repository) if each not in taken)
        taken.add(name)
        environments = sources(family.environments, findings.names)
        doubtful = family.rank is Rank.POSSIBLE
        found.append(Proposed(name, _preset(family), family, environments, doubtful))
    sure = [each for each in found if not each.doubtful]
    doubtful_ones = [each for each in found if each.doubtful]
    if asked:
        return Proposal(tuple(found), ())
    if not sure:  # what never differs is no version that anybody promotes
        sure = [each for each in doubtful_ones if each.changes]
        doubtful_ones = [each for each in doubtful_ones if not each.changes]
    return Proposal(tuple(sure[:MOST_PIPELINES]), (*sure[MOST_PIPELINES:], *doubtful_ones))


def _inherits(family: Family) -> bool:
    """Whether one environment's files mostly leave the version to the file for all.

    Then what it runs is the sum of two files, and nothing says that it differs."""
    return family.plain is not None and len(family.without) > len(family.members)


def _preset(family: Family) -> str:
    name = family.files.rsplit("/", 1)[-1]
    match family.kind:
        case FileKind.KUSTOMIZATION:
            return "kustomize"
        case FileKind.WORKLOAD:
            return "manifests"
        case FileKind.CHART:
            return "chart-values"
        case FileKind.VALUES if family.rules[0].path == "service.chartTag":
            return "cluster-gitops"
        case FileKind.VALUES if "values" in name and "{environment}" in name:
            return "chart-values"
        case _:
            return "helm-values"


def _names(files: str, repository: str) -> Iterator[str]:
    """Names for a pipeline, the best first: the last folder that says more than what it is."""
    *folders, file = files.split("/")
    stem = _plain(re.sub(r"\.(?:ya?ml|json)$", "", file))
    plain = [_plain(word) for word in reversed(folders)]
    telling = [word for word in (stem, *plain) if word and word.lower() not in GENERIC_FOLDERS]
    best = telling[0] if telling else _plain(repository) or "services"
    yield best
    others = [word for word in (*plain, stem) if word and word != best]
    yield from (f"{best}-{word}"[:60].rstrip("-_.") for word in others)
    yield from (f"{best[:50]}-{number}" for number in range(2, 1_000_000))


def _plain(word: str) -> str:
    """A word without placeholders, as a name of a pipeline can be."""
    text = re.sub(r"\{\w+\}", "", word)
    text = re.sub(
        r"[-_.](?:values|config|version|application|app|deployment)$", "", text.strip("-_.")
    )
    text = re.sub(r"[^A-Za-z0-9._-]+|[._-]{2,}", "-", text).strip("-_.")[:50].strip("-_.")
    return text if re.match(NAME, text) and re.search(r"[A-Za-z]{2}", text) else ""
