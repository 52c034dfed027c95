"""The schema of `.pilotage.yaml`: for editors, and for naming the keys that fit at a place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from pilotage.core.config.policy import Config
from pilotage.core.config.values import DURATION_EXAMPLES, NAME, duration_text


@cache
def _schema() -> dict[str, Any]:
    return Config.model_json_schema(by_alias=True)


def schema_text() -> str:
    """`policies/pilotage.schema.json`: JSON Schema 2020-12 of the whole file.

    A preset may fill in what else is required, so an editor does not insist on that.
    """
    schema = _tidy(_schema())
    pipeline = schema["$defs"]["Pipeline"]
    pipeline["required"] = ["files", "environments"]
    named = pipeline["properties"]["environments"]["patternProperties"]
    named[NAME] = {"anyOf": [named[NAME], {"type": "null"}]}
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Pilotage: .pilotage.yaml",
    }
    return json.dumps(schema | head, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _tidy(node: Any) -> Any:
    """Without the titles that pydantic makes up; durations as people write them; closed names."""
    if isinstance(node, list):
        return [_tidy(part) for part in node]
    if not isinstance(node, dict):
        return node
    tidy = {
        key: _tidy(part)
        for key, part in node.items()
        if not (key == "title" and isinstance(part, str))
    }
    if node.get("examples") == DURATION_EXAMPLES and node.get("default") is not None:
        tidy["default"] = duration_text(TypeAdapter(timedelta).validate_python(node["default"]))
    if "patternProperties" in node:
        tidy["additionalProperties"] = False
    return tidy


def names_at(where: Sequence[str | int]) -> list[str]:
    """The keys that the schema allows at a location."""
    nodes = [_schema()]
    for part in where:
        nodes = [found for node in nodes for found in _below(node, part)] or nodes
    return sorted({key for node in nodes for key in node.get("properties", {})})


def _below(node: dict[str, Any], part: str | int) -> list[dict[str, Any]]:
    if isinstance(part, int):
        children = [node["items"]] if "items" in node else []
    elif part in node.get("properties", {}):
        children = [node["properties"][part]]
    else:
        children = list(node.get("patternProperties", {}).values())
        if isinstance(node.get("additionalProperties"), dict):
            children.append(node["additionalProperties"])
    found: list[dict[str, Any]] = []
    while children:
        child = children.pop()
        children += child.get("anyOf", []) + child.get("oneOf", []) + child.get("allOf", [])
        found.append(
            _schema()["$defs"][child["$ref"].rsplit("/", 1)[1]] if "$ref" in child else child
        )
    return found
