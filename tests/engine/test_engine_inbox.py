"""Whom an event concerns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from pilotage.clock import utc_now
from pilotage.core.model import State
from pilotage.engine.inbox import Inbox, spoken
from pilotage.engine.mail import Changed, Commanded, Edited, Hint, Letter, Queued, opened
from pilotage.engine.outside import Outside
from pilotage.sandbox.serve import Server
from pilotage.store import Delivery, Store
from pilotage.store.schema import delivery as deliveries
from tests.store.examples import add_target
from tests.web.promoted import PRODUCTION, a_promotion, a_target, an_open
from tests.web.served import NOW, settings


@pytest.mark.parametrize(
    ("comment", "commands"),
    [
        ("/pilotage explain", [("explain", "")]),
        ("\r\n  /Pilotage\tHOLD  wait  for\r\nthe fair\r\n", [("hold", "wait for the fair")]),
        ("/pilotage", [("", "")]),
        (
            "/pilotage tick feature\n/pilotage tick migrations\nthank you",
            [("tick", "feature"), ("tick", "migrations thank you")],
        ),
        (
            "/pilotage hold why:\n> /pilotage resume\n```\n/pilotage resume\n```\n  /pilotage x",
            [("hold", "why: > /pilotage resume ``` /pilotage resume ``` /pilotage x")],
        ),
        ("please\n/pilotage hold", []),
        ("> /pilotage hold", []),
        ("```\n/pilotage hold\n```", []),
        ("`/pilotage hold`", []),
        ("<!-- /pilotage hold -->", []),
        ("/pilotages hold", []),
        ("", []),
        ("/pilotage retry\n" * 500, [("retry", "")] * 10),
    ],
)
def test_what_a_comment_asks_for(comment: str, commands: list[tuple[str, str]]) -> None:
    """What is quoted or shown as code is not said by whoever wrote the comment."""
    assert spoken(comment) == commands


@pytest.mark.parametrize(
    ("told", "note"),
    [
        ("acme/gitops", "hint"),
        ("Acme/GitOps", "hint"),
        ("acme/gitops2", "acme/gitops2: no pipeline goes by this event"),
    ],
)
def test_a_repository_is_the_same_in_any_case(tmp_path: Path, told: str, note: str) -> None:
    """GitHub writes names as their owners do; what an operator typed works all the same."""
    outside = Outside(settings(tmp_path))
    body = json.dumps({"ref": "x", "after": "y", "repository": {"full_name": told}}).encode()
    with Store.open(outside.settings.database_url) as store:
        names = {"repository": "acme/gitops", "pipeline": "shop", "environment": "production"}
        store.ensure_target("shop/production", **names, wake_at=utc_now())
        store.receive(Delivery("d-1", "github", "push", told, body, utc_now()))
        assert Inbox(outside, store).settle(utc_now())
        with store._database.read() as connection:
            assert connection.scalar(select(deliveries.c.note)) == note
    outside.close()


# Who gets which letter ---------------------------------------------------------------------------

EUROPE = "shop/europe"
HEAD = "9" * 40
REF = f"refs/heads/gh-readonly-queue/main/pr-7-{HEAD}"


@pytest.fixture(scope="module")
def github() -> Iterator[str]:
    """The address of a GitHub that knows no more than who asks."""
    app = FastAPI()

    @app.get("/user")
    def who() -> dict[str, str]:
        return {"login": "pilotage-bot"}

    server = Server(app)
    yield server.url
    server.stop()


Settled: TypeAlias = Callable[[str, dict[str, Any]], dict[str, list[Letter]]]


@pytest.fixture
def settled(tmp_path: Path, github: str) -> Settled:
    """What each target finds of an event: production has #7, europe had #8.

    Both wait for the application `shared`, production alone for `api-production`.
    """
    return partial(_settled, tmp_path, github)


def _settled(
    folder: Path, github: str, event: str, body: dict[str, Any]
) -> dict[str, list[Letter]]:
    known = {"url": github, "token": "a-machine-users-token", "webhook_secret": "secret"}
    outside = Outside(settings(folder, github=known))
    whole = {"repository": {"full_name": "acme/gitops"}, **body}
    with Store.open(outside.settings.database_url) as store:
        for number, name in ((7, PRODUCTION), (8, EUROPE)):
            add_target(store, name, wake_at=NOW)
            lease = store.lease("engine", NOW, outside.settings.lease)
            assert lease is not None
            aim = a_target(environment=name.partition("/")[2])
            if number == 7:
                store.record(
                    lease, target=replace(aim, proposal=an_open()), wake_at=None, now=NOW, done=True
                )
            else:
                gone = a_promotion(
                    State.CLOSED, number=2, id="shop-europe-2", target=EUROPE, pull_request=8
                )
                store.record(lease, target=aim, promotions=[gone], wake_at=None, now=NOW, done=True)
        add_target(store, "tools/production", wake_at=NOW, repository="acme/tools")
        raw = json.dumps(whole).encode()
        kind = "argocd" if event == "application" else "github"
        store.receive(Delivery("d-1", kind, event, "acme/gitops", raw, NOW))
        attentive = {"api-production": [PRODUCTION], "shared": [PRODUCTION, EUROPE]}
        inbox = Inbox(outside, store, lambda name: attentive.get(name, []))
        assert inbox.settle(NOW)
        assert not inbox.settle(NOW), "each is settled once"
        found: dict[str, list[Letter]] = {}
        while lease := store.lease("engine", NOW, outside.settings.lease):
            for mail in store.load(lease).mail:
                found.setdefault(lease.target, []).append(opened(mail))
    outside.close()
    return found


def pull_request(action: str, number: int = 7, **changes: Any) -> dict[str, Any]:
    pull = {"number": number, "body": "new", "updated_at": NOW.isoformat()}
    given = {"action": action, "number": number, "pull_request": pull, "changes": changes}
    return {**given, "sender": {"login": "li"}}


def comment(action: str = "created", number: int = 7, **issue: Any) -> dict[str, Any]:
    said = {"id": 5, "body": "/pilotage tick a\n/pilotage hold b", "user": {"login": "li"}}
    about = {"number": number, "pull_request": {}, **issue}
    return {"action": action, "issue": about, "comment": {**said, "created_at": NOW.isoformat()}}


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("push", {"ref": "refs/heads/main", "after": HEAD}),
        ("pull_request_review", {"action": "submitted"}),
        ("pull_request", pull_request("synchronize")),
        ("pull_request", pull_request("edited", title={"from": "old"})),
        ("pull_request", pull_request("edited", 9, body={"from": "old"})),
        ("workflow_run", {"action": "completed", "workflow_run": {"id": 1}}),
    ],
)
def test_a_hint_is_for_every_target_of_the_repository(
    settled: Settled, event: str, body: dict[str, Any]
) -> None:
    assert settled(event, body) == {PRODUCTION: [Hint(event)], EUROPE: [Hint(event)]}


@pytest.mark.parametrize(("number", "owner"), [(7, PRODUCTION), (8, EUROPE)])
def test_an_edit_of_the_body_is_told_to_whose_pull_request_it_is(
    settled: Settled, number: int, owner: str
) -> None:
    body = pull_request("edited", number, body={"from": "old"})
    found = settled("pull_request", body)
    edits = {
        name: [each for each in letters if isinstance(each, Edited)]
        for name, letters in found.items()
    }
    (edit,) = edits.pop(owner)
    assert (edit.edit.pull_request, edit.edit.editor, edit.edit.at) == (number, "li", NOW)
    assert (edit.edit.before, edit.edit.after) == ("old", "new")
    assert list(edits.values()) == [[]]


@pytest.mark.parametrize(("number", "owner"), [(7, PRODUCTION), (8, EUROPE)])
def test_each_command_of_a_comment_is_told_to_whose_pull_request_it_is(
    settled: Settled, number: int, owner: str
) -> None:
    found = settled("issue_comment", comment(number=number))
    assert found.keys() == {owner}
    commands = [each.command for each in found[owner] if isinstance(each, Commanded)]
    assert [(each.id, each.name, each.argument) for each in commands] == [
        ("comment-5", "tick", "a"),
        ("comment-5-2", "hold", "b"),
    ]
    assert {(each.by, each.comment, each.pull_request) for each in commands} == {("li", 5, number)}


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("issue_comment", comment("edited")),
        ("issue_comment", comment("deleted")),
        ("issue_comment", comment(number=9)),
        ("issue_comment", comment(pull_request=None)),
        (
            "merge_group",
            {"action": "destroyed", "merge_group": {"head_sha": HEAD, "head_ref": REF}},
        ),
        ("star", {"action": "created"}),
        ("ping", {"zen": "Keep it logically awesome."}),
        ("push", {"ref": "x", "after": HEAD, "sender": {"login": "pilotage-bot"}}),
    ],
    ids=["edited", "deleted", "not ours", "an issue", "off the queue", "not used", "ping", "own"],
)
def test_what_concerns_nobody_is_told_to_nobody(
    settled: Settled, event: str, body: dict[str, Any]
) -> None:
    """What we did ourselves wakes nobody; a comment is a command once, as it was first written."""
    assert settled(event, body) == {}


def test_a_merge_queue_asks_every_target(settled: Settled) -> None:
    body = {"action": "checks_requested", "merge_group": {"head_sha": HEAD, "head_ref": REF}}
    queued = [Queued(HEAD, REF)]
    assert settled("merge_group", body) == {PRODUCTION: queued, EUROPE: queued}


@pytest.mark.parametrize(
    ("application", "targets"),
    [("api-production", [PRODUCTION]), ("shared", [EUROPE, PRODUCTION])],
)
def test_a_change_in_argocd_is_told_to_who_waits_for_it(
    settled: Settled, application: str, targets: list[str]
) -> None:
    found = settled("application", {"app": application})
    assert found == {key: [Changed(application)] for key in targets}


def test_a_change_that_nobody_waits_for_may_be_the_first_of_something(settled: Settled) -> None:
    """Whose it is cannot be told from its name: every pipeline looks, of any repository."""
    found = settled("application", {"app": "new-staging"})
    assert found == {key: [Hint("argocd")] for key in [PRODUCTION, EUROPE, "tools/production"]}
