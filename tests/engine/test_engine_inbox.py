"""Whom an event concerns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from pilotage.clock import utc_now
from pilotage.engine.inbox import Inbox, spoken
from pilotage.engine.outside import Outside
from pilotage.store import Delivery, Store
from pilotage.store.schema import delivery as deliveries
from tests.web.served import settings


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
