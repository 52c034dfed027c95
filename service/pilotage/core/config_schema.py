"""The schema of `.pilotage.yaml`: for editors, and for naming the keys that fit at a place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from pilotage.core.policy import Config


@cache
def _schema() -> dict[str, Any]:
    return Config.model_json_schema(by_alias=True)


def schema_text() -> str:
    """`policies/pilotage.schema.json`: JSON Schema 2020-12 of the whole file.

    A preset may fill in what it calls required, so an editor does not insist on that.
    """
    schema = json.loads(json.dumps(_schema()))
    schema["$defs"]["Pipeline"]["required"] = ["files", "environments"]
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Pilotage: .pilotage.yaml",
    }
    return json.dumps(schema | head, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


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
