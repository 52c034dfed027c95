"""`make bench`: measures, and holds each figure against its target.

`ROWS=idle` picks rows by name; `ARGS=--write` also writes them into docs/benchmarks.md. Exit code 1
when a figure misses its target. A row is a module here: its docstring says what is measured and
how, and its `measure` does it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

from tests.bench import editor, idle, plan, write
from tests.bench.figure import Figure
from tests.bench.report import where, written

ROWS: dict[str, ModuleType] = {"editor": editor, "idle": idle, "plan": plan, "write": write}
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main(arguments: list[str]) -> int:
    to_page = "--write" in arguments
    names = [each for each in arguments if each != "--write"] or list(ROWS)
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        print(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}", file=sys.stderr)
        return 2
    missed = 0
    for name in names:
        figures: list[Figure] = ROWS[name].measure()
        for each in figures:
            print(f"{name:<8} {each.what:<52} {each.measured:>20}  {each.target}: {each.verdict}")
            missed += not each.met
        if to_page:
            before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
            about = (ROWS[name].__doc__ or "").strip()
            PAGE.write_text(written(before, name, about, where(), figures), encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
