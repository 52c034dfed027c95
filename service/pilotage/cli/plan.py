"""`pilotage plan`: what a promotion would change, on any clone, without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

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
from pilotage.cli.diff import print_diff, unified
from pilotage.cli.fit import in_order, misfits, own_builds
from pilotage.cli.output import AsJson, Exit, fail, print_json, say
from pilotage.core.wording import counted, listed, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pilotage.core.change import ServiceChange
    from pilotage.core.config.load import Problem
    from pilotage.core.plan import Plan
    from pilotage.core.service_plan import ServicePlan


@reads_clone
def plan(
    path: ClonePath = HERE,
    only: Annotated[
        str | None,
        typer.Option("--target", help="Only this PIPELINE, or PIPELINE/ENVIRONMENT."),
    ] = None,
    at: At = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what would be promoted, on a clone.

    The exact change of each file, and why something is not promoted.

    Whether a version is proven (live, healthy, soaked) only the service knows: see `explain`.
    Exit code 1: something cannot be promoted, or its files are not valid.
    """
    clone = open_clone(path, at, config)
    chosen = clone.targets(only)
    if only is not None and clone.config is not None and not chosen:
        fail(_unknown(only, clone), Exit.USAGE)
    plans = [(target, _plan(clone, target)) for target in chosen]
    unfit = (each for target, found in plans for each in misfits(clone, target, found))
    problems = [_problem(each) for each in in_order([*clone.problems, *unfit])]
    found = [_planned(clone, target, each) for target, each in plans]
    if as_json:
        print_json({"commit": clone.commit, "problems": problems, "targets": found})
    else:
        _show(clone, problems, found)
    if problems or any(_stopped(each) or each["artifacts"] for each in found):
        raise typer.Exit(int(Exit.NO))


def _unknown(only: str, clone: Clone) -> str:
    names = [target.id for target in clone.targets()]
    near = nearest(only, names)
    hint = f" (did you mean `{near}`?)" if near else f"; there are {', '.join(names)}"
    return f"{clone.file} has no target {only}{hint}"


def _plan(clone: Clone, target: Target) -> Plan:
    return clone.trees.plan(target.pipeline, target.source, target.environment, clone.commit)


def _planned(clone: Clone, target: Target, plan: Plan) -> dict[str, Any]:
    artifacts, untold = artifact_problems(target, plan)
    against, backwards = _against(clone, target, plan)
    diff, refused = _diff([each for name, each in plan.services.items() if name not in against])
    return {
        "target": target.id,
        "from": target.source,
        "mode": target.pipeline.mode.value,
        "changes": [
            {
                **_change(each.change, target),
                "refused": against.get(each.change.service),
                "files": sorted(each.files),
                "diff": _unified(each.running, each.files),
            }
            for each in plan.services.values()
        ],
        "diff": diff,
        "unchanged": dict(plan.unchanged),
        "only_in_source": list(plan.only_in_source),
        "only_in_target": list(plan.only_in_target),
        "without_version": list(plan.without_version),
        "misnamed": list(plan.misnamed),
        "problems": [
            {"service": service, **_problem(each)} for service, each in plan.problems.items()
        ],
        "artifacts": [_problem(each) for each in artifacts],
        "notes": [*backwards, *_notes(target, plan, against), *untold, *refused],
    }


def _stopped(target: dict[str, Any]) -> bool:
    """Whether something of it cannot be promoted."""
    return bool(target["problems"]) or any(change["refused"] for change in target["changes"])


def _diff(chosen: Sequence[ServicePlan]) -> tuple[str, list[str]]:
    """All services together, since several may share a file; or why that cannot be."""
    from pilotage.core.places import Refused
    from pilotage.core.plan import joined

    running = {file: text for each in chosen for file, text in each.running.items()}
    try:
        return _unified(running, joined(chosen)), []
    except Refused as refused:
        return "", [f"not all of them can be written at once: {refused}"]


def _unified(running: Mapping[str, str], files: Mapping[str, str]) -> str:
    return "".join(unified(file, running.get(file), text) for file, text in sorted(files.items()))


def _change(change: ServiceChange, target: Target) -> dict[str, Any]:
    from pilotage.core.distance import distance

    found = distance(change.before, change.after, target.pipeline.versions.scheme)
    return {
        "service": change.service,
        "before": change.before,
        "after": change.after,
        "step": found.step.value,
        "distance": str(found),
        "not_promoted": [
            {"path": each.path, "source": each.source, "running": each.running}
            for each in change.differences
        ],
    }


def _against(clone: Clone, target: Target, plan: Plan) -> tuple[dict[str, str], list[str]]:
    """Services to what the rules for versions have against theirs, as far as files alone tell;
    and what those that are allowed to go back hang on."""
    from pilotage.core.config.policy import policy_for
    from pilotage.core.version_rules import is_older, refused

    assert clone.config is not None
    policy = policy_for(clone.config, target.name, target.environment, clone.commit)
    assert policy is not None
    against, backwards = {}, []
    for change in plan.changes:
        found = refused(change, policy, source_ran=True)
        if found is not None:
            against[change.service] = f"{found.reason}: {found.next_step}"
        elif is_older(change, policy):
            backwards.append(f"{change.service} goes back, if {target.source} itself went back")
    return against, backwards


def _notes(target: Target, plan: Plan, against: Mapping[str, str]) -> list[str]:
    """What else the service would hold against this set, as far as files alone tell."""
    from pilotage.core.config.policy import Mode, Together
    from pilotage.core.layout import misnamed_text

    notes = [*own_builds(target, plan)]
    if plan.misnamed:
        notes.append(misnamed_text(plan.misnamed))
    some = plan.services.keys() - against.keys()
    if (plan.problems or against) and some and target.pipeline.together is Together.ALL:
        notes.append("`together: all`: nothing is promoted while one service cannot be")
    if target.pipeline.mode is Mode.OBSERVE:
        notes.append("`mode: observe`: the service decides and explains, and writes nothing")
    return notes


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "where": problem.where,
        "expected": problem.expected,
        "suggestion": problem.suggestion,
        "text": str(problem),
    }


def _show(clone: Clone, problems: list[dict[str, Any]], found: list[dict[str, Any]]) -> None:
    from pilotage.core.version import cut

    for problem in problems:
        say(problem["text"])
    for index, target in enumerate(found):
        if index:
            say("")
        say(f"{target['target']} from {target['from']} at {clone.commit[:7]}: {_summary(target)}")
        for change in target["changes"]:
            step = change["distance"]
            before, after = (cut(change[each] or "") or "nothing" for each in ("before", "after"))
            say(f"  {change['service']}: {before} -> {after}, {step}")
        for refused in [change["refused"] for change in target["changes"] if change["refused"]]:
            say(f"  not promoted: {refused}")
        for problem in target["problems"]:
            say(f"  {problem['service']} cannot be promoted: {problem['text']}")
        for problem in target["artifacts"]:
            say(f"  the merge would stay closed: {problem['text']}")
        _show_rest(target)
        print_diff(target["diff"])


def _show_rest(target: dict[str, Any]) -> None:
    for service in target["only_in_source"]:
        say(f"  {service} is new, and not promoted: pilotage promote {target['target']} {service}")
    for change in target["changes"]:
        paths = dict.fromkeys(each["path"] for each in change["not_promoted"])
        if paths:
            say(f"  {change['service']} also differs in {listed(paths)}: not promoted")
    for note in target["notes"]:
        say(f"  {note}")


def _summary(target: dict[str, Any]) -> str:
    count = sum(not change["refused"] for change in target["changes"])
    if count:
        return f"{counted(count, 'service')} would be promoted"
    return "nothing can be promoted" if _stopped(target) else "nothing to promote"
