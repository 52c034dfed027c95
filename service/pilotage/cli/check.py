"""`pilotage check`: is the configuration right, do the files fit it, and is all else ready?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilotage.cli import live as outside
from pilotage.cli.artifacts import artifact_problems
from pilotage.cli.clone import (
    HERE,
    At,
    Clone,
    ClonePath,
    ConfigFile,
    Target,
    open_clone,
    reads_clone,
)
from pilotage.cli.fit import in_order, misfits, own_builds, unknown_services, written_twice
from pilotage.cli.output import AsJson, Exit, print_json, say
from pilotage.core.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pilotage.core.config.load import Problem
    from pilotage.core.plan import Plan
    from pilotage.core.readiness.findings import Finding


_CHART = "Chart.yaml"
_PRINTED_AS_IT_IS = re.compile(r"0|[1-9][0-9]{0,5}")


@reads_clone
def check(
    path: ClonePath = HERE,
    at: At = None,
    config: ConfigFile = None,
    live: Annotated[
        bool, typer.Option("--live", help="Also ask GitHub and Argo CD, with the service's tokens.")
    ] = False,
    settings: Annotated[
        Path | None,
        typer.Option(
            envvar="PILOTAGE_CONFIG",
            help="With --live: settings in TOML, those of `pilotage serve --config`.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a clone: its configuration, and its files.

    Reads `.pilotage.yaml` and the files that it names, without a server.
    With --live it also looks at GitHub, the branch's rules and Argo CD.

    Exit code 1: there is a problem. Notes are no problems.
    """
    clone = open_clone(path, at, config)
    problems, notes = _read(clone)
    seen = outside.findings(clone, settings) if live else None
    if as_json:
        print_json(_document(clone, problems, notes, seen))
    else:
        _show(clone, problems, notes, seen or [])
    if problems or _bad(seen or []):
        raise typer.Exit(int(Exit.NO))


def _read(clone: Clone) -> tuple[list[Problem], list[str]]:
    """What is wrong in the configuration and the files, and what is worth a note."""
    problems = [*clone.problems]
    notes: list[str] = []
    numbers: dict[str, None] = {}
    for target in clone.targets():
        found = clone.trees.plan(target.pipeline, target.source, target.environment, clone.commit)
        problems += found.problems.values()
        wrong, untold = artifact_problems(target, found)
        problems += wrong
        notes += [f"{target.id}: {note}" for note in untold]
        problems += misfits(clone, target, found)
        notes += [*_alone(target, found), *_stale_locks(clone, target)]
        notes += [f"{target.id}: {note}" for note in own_builds(target, found)]
        numbers |= dict.fromkeys(_numbers(clone, target))
    problems += [*unknown_services(clone), *written_twice(clone)]
    return in_order(problems), [*notes, *numbers]


def _alone(target: Target, found: Plan) -> list[str]:
    """What has no counterpart or no version: nothing is promoted for it, which may be meant."""
    from pilotage.core.layout import misnamed_text

    notes = [f"{target.id}: {misnamed_text(found.misnamed)}"] if found.misnamed else []
    if not (found.services or found.unchanged or found.problems):
        return notes
    new, removed, idle = found.only_in_source, found.only_in_target, found.without_version
    if new:
        name = new[0] if len(new) == 1 else "SERVICE"
        let_in = (
            f"to let {'it' if len(new) == 1 else 'one'} in: pilotage promote {target.id} {name}"
        )
        only = f"only in {target.source}, so not promoted: {', '.join(new)}"
        notes.append(f"{target.id}: {only}; {let_in}")
    if removed:
        only = f"only in {target.environment}; nothing promotes it: {', '.join(removed)}"
        notes.append(f"{target.id}: {only}")
    if idle:
        nothing = f"nothing is promoted for {', '.join(idle)}"
        notes.append(f"{target.id}: {nothing}: no version in either environment")
    return notes


def _numbers(clone: Clone, target: Target) -> Iterator[str]:
    """Versions that YAML takes for a number or a date, and a chart prints otherwise: Helm makes
    1.1 of 1.10, and 1.234567e+06 of 1234567."""
    from pilotage.core import places
    from pilotage.core.layout import layout_of
    from pilotage.edit import Plain

    for side in (target.source, target.environment):
        layout = layout_of(target.pipeline, side)
        files = clone.trees.tree(target.pipeline, side, clone.commit).files
        for service in layout.services(files):
            place = layout.version_rule(service).place
            text = {place.file: files[place.file].text}
            value = (places.present([place], text) or {}).get(place)
            if isinstance(value, Plain) and not _PRINTED_AS_IT_IS.fullmatch(value):
                what = f"{value or 'nothing'} is no text to YAML, and may be printed otherwise"
                yield f"{place.file}: {place.path}: {what}; in quotes it is one"


def _stale_locks(clone: Clone, target: Target) -> list[str]:
    """Dependencies of a chart that move without its lock: Helm refuses to build such a chart."""
    from pilotage.core.layout import layout_of

    layout = layout_of(target.pipeline, target.environment)
    files = clone.trees.tree(target.pipeline, target.environment, clone.commit).files
    locks = {
        f"{rule.place.file.removesuffix(_CHART)}Chart.lock": service
        for service in layout.services(files)
        for rule in layout.placed(service)
        if f"/{rule.place.file}".endswith(f"/{_CHART}")
        and rule.place.path.startswith("dependencies")
    }
    listed = clone.trees.git.list_files(clone.commit, list(locks)) if locks else ()
    return [
        f"{target.id}: {entry.path} goes stale when the dependencies beside it are promoted: let it"
        f' go along, with a rule such as {{ copy: file, in: "{_unfilled(entry.path, target)}" }}'
        for entry in listed
        if entry.path not in layout.files_of(locks[entry.path])
    ]


def _unfilled(path: str, target: Target) -> str:
    return path.replace(f"{target.environment}/", "{environment}/")


def _bad(found: list[Finding]) -> int:
    return sum(each.level.value == "problem" for each in found)


def _document(
    clone: Clone, problems: list[Problem], notes: list[str], found: list[Finding] | None
) -> dict[str, Any]:
    return {
        "commit": clone.commit,
        "targets": [target.id for target in clone.targets()],
        "problems": [
            {
                "file": each.file,
                "line": each.line,
                "where": each.where,
                "expected": each.expected,
                "suggestion": each.suggestion,
                "text": str(each),
            }
            for each in problems
        ],
        "notes": notes,
        "live": None if found is None else outside.document(found),
    }


def _show(clone: Clone, problems: list[Problem], notes: list[str], found: list[Finding]) -> None:
    for problem in problems:
        say(str(problem))
    for note in notes:
        say(f"note: {note}")
    if found:
        outside.show(found)
    if bad := len(problems) + _bad(found):
        say(f"{counted(bad, 'problem')} at {clone.commit[:7]}")
    else:
        names = ", ".join(target.id for target in clone.targets())
        say(f"{clone.file} is right at {clone.commit[:7]}; targets: {names}")
