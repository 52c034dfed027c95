"""One value changed in a dense YAML file of 5,000 lines, and the result checked.

The alternative is what most tools do: load with ruamel.yaml, set, dump. Both run in one process,
one after the other; the time is the processor's, and the best of several runs.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from difflib import SequenceMatcher

import ruamel.yaml

from pilotage.edit import read_value, set_value
from tests.bench.figure import Figure

_SERVICE = """\
# Service {n}: who owns it, and why it is pinned
service-{n}:
    image:    {{repository: "registry.example:5000/shop/service-{n}", pullPolicy: IfNotPresent}}
    tag:      '1.{n}.0'   # promoted
    replicas: 3           # at least
    resources:
        limits:   {{ cpu: 500m,  memory: 1Gi   }}
        requests: {{ cpu: 100m,  memory: 256Mi }}
    env:
    -   name:  LOG_LEVEL
        value: info
    -   {{name: JAVA_OPTS, value: "-Xmx512m -XX:+UseG1GC -Dservice=service-{n} -Denv=production"}}
    annotations:
        "example.org/owner":   team-{n}
        example.org/since:     2026-11-21
        example.org/note:      ~

"""
TEXT = "".join(_SERVICE.format(n=n) for n in range(295))
PATH, VALUE = "service-150.tag", "2.0.0"


def measure() -> list[Figure]:
    ours, edited = _best(lambda: set_value(TEXT, PATH, VALUE), 15)
    theirs, dumped = _best(_round_trip, 3)
    if read_value(edited, PATH) != VALUE or read_value(dumped, PATH) != VALUE:
        raise SystemExit("the value was not set")
    lines = TEXT.count("\n")
    return [
        Figure(f"{lines:,} lines: one value set and checked", ours * 1000, "ms"),
        Figure("faster than a ruamel.yaml round trip", theirs / ours, "times", least=20),
        Figure("other lines changed", _other_lines(edited), "lines", most=0),
        Figure("other lines changed by ruamel.yaml", _other_lines(dumped), "lines"),
    ]


def _round_trip() -> str:
    yaml = ruamel.yaml.YAML()
    yaml.preserve_quotes = True
    data = yaml.load(TEXT)
    data["service-150"]["tag"] = VALUE
    out = io.StringIO()
    yaml.dump(data, out)
    return out.getvalue()


def _best(act: Callable[[], str], times: int) -> tuple[float, str]:
    durations, result = [], ""
    for _ in range(times):
        began = time.process_time()
        result = act()
        durations.append(time.process_time() - began)
    return min(durations), result


def _other_lines(text: str) -> int:
    """Lines of the original that are not in `text` as they were, but for the one that was meant."""
    before, after = TEXT.splitlines(keepends=True), text.splitlines(keepends=True)
    matches = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return len(before) - sum(match.size for match in matches) - 1
