"""The edit history of a body, as GitHub's GraphQL tells it."""

from __future__ import annotations

from typing import Any

import pytest

from pilotage.sandbox.github import PullRequest
from tests.contract.github_world import World

QUERY = """
query Edits($owner: String!, $name: String!, $number: Int!, $first: Int = 20, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      body
      edits: userContentEdits(first: $first, after: $after) {
        totalCount
        nodes { editor { login ... on User { __typename } } editedAt diff }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""


@pytest.fixture
def pull(world: World) -> PullRequest:
    world.branch("topic")
    return world.github.open_pull_request_as(
        "pilotage-bot", world.repo, "topic", "t", "- [ ] one\n- [ ] two\n"
    )


def ask(world: World, query: str, **variables: Any) -> Any:
    variables = {"owner": "acme", "name": "config", "number": 1, **variables}
    return world.client().requester.requestJsonAndCheck(
        "POST",
        f"{world.github.url}/api/graphql",
        input={"query": query, "variables": variables},
    )[1]


def test_edits_are_told_newest_first_with_editor_and_text(world: World, pull: PullRequest) -> None:
    world.github.tick(pull, "one", "maria")
    world.github.tick(pull, "two", "li")
    _, data = world.client().requester.graphql_query(
        QUERY, {"owner": "acme", "name": "config", "number": 1}
    )
    edits = data["data"]["repository"]["pullRequest"]["edits"]
    assert [(e["editor"]["login"], e["diff"]) for e in edits["nodes"]] == [
        ("li", "- [x] one\n- [x] two\n"),
        ("maria", "- [x] one\n- [ ] two\n"),
        ("pilotage-bot", "- [ ] one\n- [ ] two\n"),
    ]
    assert edits["totalCount"] == 3


def test_untouched_body_has_no_history(world: World, pull: PullRequest) -> None:
    found = ask(world, QUERY)["data"]["repository"]["pullRequest"]
    assert found["edits"]["nodes"] == []
    assert found["body"] == pull.body


def test_history_comes_in_pages(world: World, pull: PullRequest) -> None:
    for item in ("one", "two"):
        world.github.tick(pull, item, "maria")
    first = ask(world, QUERY, first=2)["data"]["repository"]["pullRequest"]["edits"]
    assert first["pageInfo"]["hasNextPage"] is True
    rest = ask(world, QUERY, first=2, after=first["pageInfo"]["endCursor"])
    assert len(rest["data"]["repository"]["pullRequest"]["edits"]["nodes"]) == 1


def test_literals_and_other_layouts_are_understood(world: World, pull: PullRequest) -> None:
    world.github.tick(pull, "one", "maria")
    query = (
        '{r:repository(owner:"acme",name:"config"){p:pullRequest(number:1)'
        "{userContentEdits(first:1){nodes{editor{login}}}}}}"
    )
    found = ask(world, query)["data"]["r"]["p"]["userContentEdits"]["nodes"]
    assert found == [{"editor": {"login": "maria"}}]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (QUERY.replace("editedAt", "edited"), "Field 'edited' doesn't exist"),
        (QUERY.replace("first: $first, ", ""), "must provide a `first`"),
        (QUERY.replace("$name)", "$other)"), "used but not declared"),
        ("query {", "Parse error"),
        ("nonsense", "Parse error"),
    ],
)
def test_wrong_queries_are_told_what_is_wrong(
    world: World, pull: PullRequest, query: str, reason: str
) -> None:
    world.github.tick(pull, "one", "maria")
    assert reason in ask(world, query)["errors"][0]["message"]


def test_unseen_repository_is_not_found(world: World, pull: PullRequest) -> None:
    found = ask(world, QUERY, name="other")
    assert found["errors"][0]["type"] == "NOT_FOUND"
