"""What shape recorded JSON has, and whether other JSON keeps to it."""

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.contract.argocd_world import RECORDINGS

# Objects whose keys are names that people choose.
MAPS = frozenset({"labels", "annotations"})
IGNORED = frozenset({"managedFields"})


@dataclass
class Shape:
    """The JSON types seen at a place, and the shapes below it."""

    types: set[str] = field(default_factory=set)
    keys: dict[str, "Shape"] = field(default_factory=dict)
    items: "Shape | None" = None

    def learn(self, value: Any) -> None:
        self.types.add(kind_of(value))
        if isinstance(value, dict):
            for key, below in value.items():
                if key not in IGNORED:
                    self.keys.setdefault(key, Shape()).learn(below)
        elif isinstance(value, list):
            self.items = self.items or Shape()
            for below in value:
                self.items.learn(below)

    def violations(self, value: Any, at: str = "$") -> list[str]:
        """Where `value` has a key or a type that was never seen there."""
        if kind_of(value) not in self.types:
            return [f"{at}: {kind_of(value)}, recorded {sorted(self.types)}"]
        if isinstance(value, list):
            below = self.items or Shape()
            return [
                one for i, item in enumerate(value) for one in below.violations(item, f"{at}[]")
            ]
        if not isinstance(value, dict):
            return []
        found = []
        for key, item in value.items():
            if at.rpartition(".")[2] in MAPS:
                found += [] if isinstance(item, str) else [f"{at}.{key}: not a string"]
            elif key not in self.keys:
                found.append(f"{at}.{key}: not in any recording")
            else:
                found += self.keys[key].violations(item, f"{at}.{key}")
        return found

    def paths(self, at: str = "") -> set[str]:
        """Every place, as `status.sync.revision`; lists are passed through."""
        found = {at} if at else set()
        for key, below in self.keys.items():
            found |= below.paths(f"{at}.{key}" if at else key)
        return found | (self.items.paths(at) if self.items else set())


def kind_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def shape_of(*values: Any) -> Shape:
    shape = Shape()
    for value in values:
        shape.learn(value)
    return shape


@cache
def recorded_application() -> Shape:
    """Every Application that was answered, listed or streamed whole."""
    shape = Shape()
    for path in sorted(RECORDINGS.glob("*.json")):
        text = path.read_text()
        if '"operationState"' not in text and '"comparedTo"' not in text:
            continue
        body = (json.loads(text).get("response") or {}).get("body")
        if not isinstance(body, dict):
            continue
        for document in body.get("items") or [body]:
            if {"spec", "status", "metadata"} <= document.keys():
                shape.learn(document)
    return shape
