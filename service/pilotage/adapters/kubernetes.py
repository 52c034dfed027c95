"""Kubernetes' schemas, as the package kubernetes-validate ships them: no cluster is asked.

They are large (one version's definitions are 15 MB in memory): they are read when a text has to be
judged, and let go after that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import islice
from typing import TYPE_CHECKING, Any

from pilotage import edit
from pilotage.core.artifacts import Content, Resource, parsed, resources
from pilotage.core.config.load import Problem
from pilotage.core.wording import nearest
from pilotage.edit.path import Index, Key, Step, format_path

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

_FOLDER = re.compile(r"v(1\.\d+)\.\d+-local-strict")
_NAME = re.compile(r"[A-Za-z0-9]{1,80}")
_MOST_PROBLEMS = 20
"""Of one text."""
_LONGEST_PATH = 300
_NOUNS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "a mapping",
    "string": "a string",
}


class NoSchemas(Exception):
    """Nothing can be judged by this version; `next_step` says what to do."""

    def __init__(self, reason: str, next_step: str) -> None:
        super().__init__(reason)
        self.reason, self.next_step = reason, next_step


@dataclass(slots=True)
class Schemas:
    """The schemas of one version, for as long as a few texts are judged."""

    folder: Traversable
    _definitions: Any = None
    _validators: dict[tuple[str, str], Draft202012Validator | None] = field(default_factory=dict)

    @staticmethod
    def of(version: str) -> Schemas:
        """`version` is such as "1.31". Raises NoSchemas."""
        known = _folders()
        if version not in known:
            names = sorted(known, key=lambda each: int(each.partition(".")[2]))
            reason = f"there are no schemas of Kubernetes {version}, only {names[0]} to {names[-1]}"
            raise NoSchemas(reason, "set gates.artifacts.kubernetes to one of them")
        return Schemas(known[version])

    def content(self, text: str) -> Content:
        """What a text holds, and what is wrong with its resources."""
        found, problem = parsed(text)
        if problem is not None:
            return Content(problems=(problem,))
        problems: list[Problem] = []
        foreign = []
        pairs = resources(found)
        for resource, data in pairs:
            validator = self._validator(resource)
            if validator is None:
                foreign.append(resource.kind)
            else:
                left = _MOST_PROBLEMS - len(problems)
                problems += islice(_problems(validator, text, resource, data), left)
        known = tuple(resource for resource, _ in pairs)
        problems.sort(key=lambda problem: problem.line or 0)
        return Content(known, tuple(problems), tuple(foreign))

    def _validator(self, resource: Resource) -> Draft202012Validator | None:
        """None where this is no kind of Kubernetes' own, such as a custom resource."""
        key = resource.api_version, resource.kind
        if key not in self._validators:
            self._validators[key] = self._read(*key)
        return self._validators[key]

    def _read(self, api_version: str, kind: str) -> Draft202012Validator | None:
        from jsonschema import Draft202012Validator
        from referencing import Registry, Resource

        group, _, version = api_version.rpartition("/")
        begin = group.partition(".")[0]
        # They become a file's name, and come from a repository.
        if not all(_NAME.fullmatch(part) for part in (kind, version, begin or "core")):
            return None
        middle = f"{begin}-" if begin else ""
        path = self.folder / f"{kind.lower()}-{middle}{version}.json"
        if not path.is_file():
            return None
        schema = json.loads(path.read_text(encoding="utf-8"))
        wanted = {"group": group, "version": version, "kind": kind}
        if wanted not in schema.get("x-kubernetes-group-version-kind", ()):
            return None
        if self._definitions is None:
            text = (self.folder / "_definitions.json").read_text(encoding="utf-8")
            self._definitions = Resource.from_contents(json.loads(text))
        registry = Resource.from_contents(schema) @ (self._definitions @ Registry())
        return Draft202012Validator(schema, registry=registry)


@cache
def _folders() -> dict[str, Traversable]:
    """Version to the folder of its schemas. Raises NoSchemas."""
    try:
        root = files("kubernetes_validate") / "kubernetes-json-schema"
    except ModuleNotFoundError:
        reason = "Kubernetes' schemas are not installed beside this service"
        raise NoSchemas(reason, "pip install 'pilotage[kubernetes]', and start it again") from None
    return {
        match[1]: folder for folder in root.iterdir() if (match := _FOLDER.fullmatch(folder.name))
    }


def _problems(
    validator: Draft202012Validator, text: str, resource: Resource, data: Any
) -> Iterator[Problem]:
    try:
        for error in validator.iter_errors(data):
            for steps, expected, near in _told(error):
                yield _problem(text, resource, steps, expected, near)
    except RecursionError:
        yield _problem(text, resource, (), "is nested too deeply to be judged", None)


def _told(error: ValidationError) -> list[tuple[Sequence[str | int], str, str | None]]:
    """Path, what was expected, and what may have been meant; never a value, which may be secret."""
    path = list(error.absolute_path)
    schema: Any = error.schema
    match error.validator:
        case "additionalProperties" if isinstance(error.instance, dict):
            known = schema.get("properties", {})
            return [
                ([*path, name], "Kubernetes knows no such field", nearest(name, known))
                for name in error.instance
                if name not in known
            ]
        case "required" if isinstance(error.instance, dict):
            missing = [name for name in schema["required"] if name not in error.instance]
            text = f"{', '.join(missing)} is missing"
            return [(path, text, None)] if error.message.startswith(f"'{missing[0]}'") else []
        case "type":
            return [(path, f"expected {_nouns(schema)}, found {_noun(error.instance)}", None)]
        case "enum":
            known = ", ".join(str(each) for each in schema["enum"][:10] if each is not None)
            return [(path, f"expected one of {known}", None)]
        case "oneOf" | "anyOf":
            nouns = [_nouns(each) for each in schema[error.validator]]
            return [(path, f"expected {' or '.join(nouns)}, found {_noun(error.instance)}", None)]
        case rule:
            return [(path, f"does not fit the schema's {rule}", None)]


def _nouns(schema: Any) -> str:
    types = schema.get("type", ())
    known = [types] if isinstance(types, str) else types
    nouns = [_NOUNS[each] for each in known if each in _NOUNS]
    return " or ".join(nouns) or "something else"


def _noun(found: object) -> str:
    match found:
        case bool():
            return "true or false without quotes"
        case None:
            return "nothing"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _problem(
    text: str,
    resource: Resource,
    steps: Sequence[str | int],
    expected: str,
    near: str | None,
) -> Problem:
    parts: list[Step] = [Index(each) if isinstance(each, int) else Key(each) for each in steps]
    inside = format_path(parts) if parts else ""
    joint = "." if resource.at and inside and not inside.startswith("[") else ""
    path = f"{resource.at}{joint}{inside}"
    where = path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…"
    return Problem("", _line(text, path, resource.document), where, f"{resource}: {expected}", near)


def _line(text: str, path: str, document: int) -> int | None:
    """None where it came by an alias."""
    try:
        found = edit.find_line(text, path or ".", document=document)
    except edit.EditRefused as refused:
        return refused.line
    return found if isinstance(found, int) else found.line
