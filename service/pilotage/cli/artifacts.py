"""What the gate `artifacts` would say of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pilotage.cli.clone import Target
    from pilotage.core.config.load import Problem
    from pilotage.core.plan import Plan


def artifact_problems(target: Target, plan: Plan) -> tuple[list[Problem], list[str]]:
    """What is wrong with the files as they would be, and notes on what cannot be told here."""
    environment = target.pipeline.environments[target.environment]
    rules = environment.gates.artifacts
    if rules is None or not plan.services:
        return [], []
    from pilotage.adapters.kubernetes import NoSchemas
    from pilotage.core.artifacts import findings
    from pilotage.core.places import Refused
    from pilotage.engine.artifacts import Judge

    try:
        found = Judge().planned(rules, target.source, plan)
    except NoSchemas as missing:
        return [], [f"artifacts are not validated here: {missing.reason}: {missing.next_step}"]
    except Refused as refused:
        return [refused.problem], []
    return list(findings(found, rules)), []
