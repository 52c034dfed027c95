"""Keep of GitHub's published webhook examples what fields each event always has, and their types.

    npm pack @octokit/webhooks-examples && tar xzf octokit-webhooks-examples-*.tgz
    python tests/contract/openapi/extract_webhooks.py package/api.github.com/index.json

writes `webhooks.json`: for each event the types seen at each path, three levels deep, of the
fields that all its examples have. The source is MIT-licensed, like the OpenAPI beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

EVENTS = {
    "check_run", "deployment", "deployment_status", "issue_comment", "merge_group", "ping",
    "pull_request", "pull_request_review", "push", "status", "workflow_run",
}  # fmt: skip
DEPTH = 3
# Only in what an App or a GitHub Enterprise sends.
_NOT_EVERYWHERE = {"installation", "enterprise", "organization"}


def kind(value: Any) -> str:
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


def shape(value: Any, path: str = "", depth: int = DEPTH) -> dict[str, set[str]]:
    """The type at each path of one payload."""
    found: dict[str, set[str]] = {path: {kind(value)}} if path else {}
    if isinstance(value, dict) and depth:
        for key, inner in value.items():
            if key not in _NOT_EVERYWHERE:
                found |= shape(inner, f"{path}.{key}" if path else key, depth - 1)
    return found


def common(shapes: Iterable[dict[str, set[str]]]) -> dict[str, set[str]]:
    """What all have, with every type that was seen."""
    several = list(shapes)
    paths = set.intersection(*(set(one) for one in several))
    return {path: set().union(*(one[path] for one in several)) for path in paths}


if __name__ == "__main__":
    published = json.loads(Path(sys.argv[1]).read_text())
    kept = {
        event["name"]: {
            path: sorted(types)
            for path, types in sorted(common(map(shape, event["examples"])).items())
        }
        for event in published
        if event["name"] in EVENTS
    }
    target = Path(__file__).with_name("webhooks.json")
    target.write_text(json.dumps(kept, separators=(",", ":")) + "\n")
    sys.stdout.write(f"{target}: {target.stat().st_size} bytes\n")
