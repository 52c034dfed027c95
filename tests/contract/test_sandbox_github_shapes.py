"""The stand-in's surface against what GitHub publishes: addresses, and fields of webhooks."""

from __future__ import annotations

import json
import re
from pathlib import Path

from fastapi.routing import APIRoute

from pilotage.sandbox.github import (
    rest_accounts,
    rest_branches,
    rest_contents,
    rest_git,
    rest_issues,
    rest_pulls,
    rest_records,
)
from tests.contract.github_contract import published
from tests.contract.github_world import Receiver, World
from tests.contract.openapi.extract_webhooks import shape

_MODULES = (
    rest_accounts,
    rest_branches,
    rest_contents,
    rest_git,
    rest_issues,
    rest_pulls,
    rest_records,
)
# Not described, but there: the older address of /commits/{ref}/statuses.
_OLDER = "GET /repos/{}/{}/statuses/{}"


def anonymous(operation: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", operation)


def test_every_address_is_github_s_and_every_one_of_the_extract_is_served() -> None:
    served = {
        anonymous(f"{method} {route.path}")
        for module in _MODULES
        for route in module.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    described = {anonymous(operation) for operation in published()["operations"]}
    assert served - {_OLDER} == described


def test_webhooks_have_the_fields_and_types_of_the_published_examples(
    world: World, receiver: Receiver
) -> None:
    github, repo = world.github, world.repo
    github.add_webhook(repo, receiver.url, "secret")
    sha = world.branch("topic")
    pull = github.open_pull_request_as("maria", repo, "topic", "t", "- [ ] one")
    github.label(pull, ["x"], "li")
    github.tick(pull, "one", "li")
    github.comment(pull, "hello", "li")
    github.approve(pull, "li")
    github.status(repo, sha, "ci", "success", "li")
    github.check_run(repo, sha, "test")
    github.deployment_status(repo, sha, "staging", "success", by="li")
    github.workflow_run(repo, "CI", sha, by="li")
    github.enqueue(pull, "li")
    github.close(pull, "li")
    assert github.webhooks.drain()
    described = json.loads((Path(__file__).parent / "openapi" / "webhooks.json").read_text())
    assert {r.event for r in receiver.received} == set(described)
    problems = []
    for delivered in receiver.received:
        ours = shape(delivered.json)
        for path, types in described[delivered.event].items():
            parent = path.rpartition(".")[0]
            if parent and ours.get(parent) != {"object"}:
                continue  # null, where the examples have something
            if path not in ours:
                problems.append(f"{delivered.event}: {path} is missing")
            elif types != ["null"] and not ours[path] <= {*types, "null"}:
                problems.append(f"{delivered.event}: {path} is {ours[path]}, not {types}")
    assert not problems, "\n".join(sorted(set(problems)))
