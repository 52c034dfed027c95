"""Are the files that a promotion changes good as they will be (VAPORA-6)?

Each parses; each resource fits the schemas of Kubernetes; none that was there is gone; and every
promoted value is the one of the source environment: both run the same build.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pilotage import edit
from pilotage.core import documents
from pilotage.core.change import Write
from pilotage.core.config.load import Problem
from pilotage.core.config.policy import ArtifactRules, Permission
from pilotage.core.model import Sha
from pilotage.core.places import shown
from pilotage.core.version import cut
from pilotage.core.wording import counted, verb

_READABLE = (".yaml", ".yml", ".json")
_NAMED = 3
_SHOWN = 80
"""Characters of a name; Kubernetes allows 253, and a file anything."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of Kubernetes, or of a kind that somebody added to it."""

    api_version: str
    kind: str
    namespace: str
    name: str
    document: int
    """The index of its document in the file."""
    at: str = ""
    """Its path in the document: inside of a `List`."""

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """The same in every version of its kind."""
        group = self.api_version.rpartition("/")[0]
        return group, self.kind, self.namespace, self.name

    def __str__(self) -> str:
        where = f" in {self.namespace[:_SHOWN]}" if self.namespace else ""
        return f"{self.kind[:_SHOWN]} {self.name[:_SHOWN]}{where}"


@dataclass(frozen=True, slots=True)
class Content:
    """What one text holds, whichever file it stands in."""

    resources: tuple[Resource, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Their `file` is empty."""
    foreign: tuple[str, ...] = ()
    """Kinds that are not Kubernetes' own: nobody here knows their schema."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file as it is now, and as it will be; None where there is none."""

    path: str
    before: Content | None
    after: Content | None


@dataclass(frozen=True, slots=True)
class Artifacts:
    """What was seen of the files of one set of values."""

    head: Sha
    source: str
    source_commit: Sha
    files: tuple[Artifact, ...]
    unlike: tuple[tuple[str, tuple[Write, ...]], ...] = ()
    """Service to the values that are not the source's; `before` is what the branch has."""
    problems: tuple[Problem, ...] = ()
    """Where the source's values cannot be compared."""


def is_readable(path: str) -> bool:
    """Whether a file of this name is YAML or JSON; others are copied as they are."""
    return path.endswith(_READABLE)


def resources(found: Sequence[documents.Value]) -> list[tuple[Resource, documents.Value]]:
    """The resources among these documents, those in a `List` one by one, each with its data."""
    pairs = []
    for index, value in enumerate(found):
        items = value.get("items") if isinstance(value, dict) else None
        if isinstance(items, list) and (value.get("apiVersion"), value.get("kind")) == (
            "v1",
            "List",
        ):
            each = [(f"items[{at}]", item) for at, item in enumerate(items)]
        else:
            each = [("", value)]
        for at, data in each:
            resource = _resource(index, at, data)
            if resource is not None:
                pairs.append((resource, data))
    return pairs


def _resource(document: int, at: str, data: documents.Value) -> Resource | None:
    """None for what is no resource: Helm's values, for example."""
    if not isinstance(data, dict):
        return None
    version, kind, metadata = (data.get(key) for key in ("apiVersion", "kind", "metadata"))
    if not isinstance(version, str) or not isinstance(kind, str):
        return None
    told = metadata if isinstance(metadata, dict) else {}
    name, namespace = (str(told.get(key) or "") for key in ("name", "namespace"))
    return Resource(version, kind, namespace, name, document, at)


def content(text: str) -> Content:
    """What a text holds, as far as that is told without a schema."""
    found, problem = parsed(text)
    if problem is not None:
        return Content(problems=(problem,))
    return Content(tuple(resource for resource, _ in resources(found)))


def parsed(text: str) -> tuple[list[documents.Value], Problem | None]:
    """The documents, or why there are none."""
    try:
        return documents.documents(text), None
    except edit.EditRefused as refused:
        return [], Problem("", refused.line, refused.path or "", refused.reason)


def findings(seen: Artifacts, rules: ArtifactRules) -> tuple[Problem, ...]:
    """Everything that is wrong, file by file."""
    found = list(seen.problems)
    for file in seen.files:
        if file.after is None:
            found.append(Problem(file.path, None, "", "there is no such file on the branch"))
        else:
            found += [_in(file.path, problem) for problem in file.after.problems]
    if rules.removed is Permission.REFUSE:
        found += _gone(seen.files)
    for service, writes in seen.unlike:
        found += [_unlike(service, write, seen) for write in writes]
    return tuple(found)


def next_step(seen: Artifacts, rules: ArtifactRules) -> str:
    """What to do about the findings."""
    gone = rules.removed is Permission.REFUSE and _gone(seen.files)
    if gone and len(findings(seen, rules)) == len(gone):
        return "bring it back; if it is meant to go: gates.artifacts.removed: allow"
    return f"correct it in {seen.source}, or on the base branch"


def _in(path: str, problem: Problem) -> Problem:
    return Problem(path, problem.line, problem.where, problem.expected, problem.suggestion)


def _gone(files: Iterable[Artifact]) -> list[Problem]:
    """A resource may move between the files; where one cannot be read, nobody knows."""
    told = [file for file in files if file.after is not None and not file.after.problems]
    present = {each.identity for file in told for each in (file.after or Content()).resources}
    return [
        Problem(file.path, None, "", f"{each} is there now, and would be gone")
        for file in told
        for each in (file.before or Content()).resources
        if each.identity not in present
    ]


def _unlike(service: str, write: Write, seen: Artifacts) -> Problem:
    here = cut(shown(write.place, write.before))[:_SHOWN] if write.before is not None else "nothing"
    there = cut(shown(write.place, write.after))[:_SHOWN]
    text = f"{service} has {here}; from {seen.source} at {seen.source_commit[:7]} comes {there}"
    return Problem(write.file, None, "" if write.path == "." else write.path, text)


def evidence(seen: Artifacts, rules: ArtifactRules) -> str:
    """What was found good: "2 files parse; 3 Deployments fit Kubernetes 1.31; the same build …"."""
    read = [file for file in seen.files if is_readable(file.path)]
    told = [f"{counted(len(read), 'file')} {verb(len(read), 'parses', 'parse')}"]
    if len(read) < len(seen.files):
        told.append(f"{counted(len(seen.files) - len(read), 'file')} of another kind not read")
    kinds = Counter(
        each.kind for file in read if file.after is not None for each in file.after.resources
    )
    foreign = Counter(
        kind for file in read if file.after is not None for kind in file.after.foreign
    )
    if rules.kubernetes is not None:
        own = kinds - foreign
        if own:
            fit = "fits" if own.total() == 1 else "fit"
            told.append(f"{_kinds(own)} {fit} Kubernetes {rules.kubernetes}")
        if foreign:
            told.append(f"{_kinds(foreign)} without a schema here")
    told.append(f"the same build as {seen.source} at {seen.source_commit[:7]}")
    return "; ".join(told)


def _kinds(kinds: Mapping[str, int]) -> str:
    ordered = sorted(kinds.items(), key=lambda each: (-each[1], each[0]))
    named = [
        counted(count, kind[:_SHOWN], _plural(kind[:_SHOWN])) for kind, count in ordered[:_NAMED]
    ]
    rest = sum(count for _, count in ordered[_NAMED:])
    if rest:
        named.append(f"{rest} other")
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def _plural(kind: str) -> str:
    if kind.endswith("y") and kind[-2:-1] not in "aeiou":
        return f"{kind[:-1]}ies"
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"
