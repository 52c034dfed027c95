"""The documents of a YAML or JSON text as plain data, read as Kubernetes' own tools read them.

That is YAML 1.1 without dates and without numbers of base 60, a key written twice being a mistake
(what `kubectl` and Argo CD do with a manifest before they look at its fields).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from pilotage.edit.refused import EditRefused
from pilotage.edit.stream import read

Value: TypeAlias = Any
"""None, a boolean, a number, a string, or a list or a dict (with strings as keys) of these."""

_MOST_VALUES = 250_000
"""After aliases are filled in; a text may name one part many times."""
_DEEPEST = 80
_TAG = "tag:yaml.org,2002:"
_SIXTIES = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_EXPONENT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+")
_PLAIN = (f"{_TAG}null", f"{_TAG}bool", f"{_TAG}int", f"{_TAG}float")


def documents(text: str) -> list[Value]:
    """Every document, empty ones as None, so that the place in the list is the document's index.

    Raises EditRefused with the line of what cannot be read.
    """
    stream = read(text)
    if stream.language == "json":
        return [json.loads(stream.text)]
    loader = _Loader(stream.text)
    try:
        return list(_values(loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "it cannot be read"
        raise EditRefused(f"not YAML: {reason}", line=mark.line + 1 if mark else None) from None
    finally:
        loader.dispose()


def _values(loader: _Loader) -> Iterator[Value]:
    while loader.check_node():
        node = loader.get_node()
        assert node is not None
        yield _Reading(loader).value(node)


class _Loader(yaml.CSafeLoader):
    """Nodes from libyaml; scalars by PyYAML."""


@dataclass(slots=True)
class _Reading:
    """One document; counted as if every alias were written out."""

    loader: _Loader
    seen: int = 0
    above: list[int] = field(default_factory=list)

    def value(self, node: yaml.Node) -> Value:
        self.seen += 1
        if self.seen > _MOST_VALUES:
            raise _refused(node, f"it has more than {_MOST_VALUES:,} values, with its aliases")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self.above:
            raise _refused(node, "an alias names what it stands in")
        if len(self.above) >= _DEEPEST:
            raise _refused(node, f"it is nested too deeply: more than {_DEEPEST} levels")
        self.above.append(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item) for item in node.value]
            assert isinstance(node, yaml.MappingNode)
            return self._mapping(node)
        finally:
            self.above.pop()

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Value]:
        merged: dict[str, Value] = {}
        own: dict[str, Value] = {}
        for key, value in node.value:
            if key.tag == f"{_TAG}merge":
                merged = self._merged(value) | merged
                continue
            name = self._key(key)
            if name in own:
                raise _refused(key, f"the key {name[:60]} is written twice")
            own[name] = self.value(value)
        return merged | own

    def _merged(self, node: yaml.Node) -> dict[str, Value]:
        found = self.value(node)
        merged: dict[str, Value] = {}
        for each in found if isinstance(found, list) else [found]:
            if not isinstance(each, dict):
                raise _refused(node, "only a mapping can be merged with <<")
            merged = each | merged
        return merged

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise _refused(node, "a key is no single value")
        found = self._scalar(node)
        return found if isinstance(found, str) else json.dumps(found)

    def _scalar(self, node: yaml.ScalarNode) -> Value:
        text = str(node.value)
        plain = not node.style
        if plain and _SIXTIES.fullmatch(text):
            return text
        if plain and node.tag == f"{_TAG}str" and _EXPONENT.fullmatch(text):
            return float(text)
        if node.tag not in _PLAIN:
            return text
        try:
            return self.loader.construct_object(node)
        except (ValueError, KeyError):
            raise _refused(node, f"{text[:40]!r} is not of its type") from None


def _refused(node: yaml.Node, reason: str) -> EditRefused:
    return EditRefused(reason, line=node.start_mark.line + 1)
