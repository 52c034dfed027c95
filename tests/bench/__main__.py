"""`make bench`: measures the figures of docs/benchmarks.md, each against its target.

`ROWS=idle` picks rows by name. Exit code 1 when a figure misses its target.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.bench import idle
from tests.bench.figure import Figure

ROWS: dict[str, Callable[[], list[Figure]]] = {"idle": idle.measure}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        print(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}", file=sys.stderr)
        return 2
    missed = 0
    for name in names or list(ROWS):
        for figure in ROWS[name]():
            print(figure)
            missed += not figure.met
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
