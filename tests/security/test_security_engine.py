"""The engine under hostile events: signed or not, none of them stops it or speaks for somebody."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pilotage.clock import utc_now
from pilotage.engine.inbox import Inbox
from pilotage.sandbox.github import PullRequest
from pilotage.sandbox.world import SECRET, World
from pilotage.store import Delivery
from tests.e2e.harness import Service, quick_world
from tests.web.served import sign

MALLORY = "mallory"


def _sent(service: Service, event: str, body: dict[str, Any]) -> httpx.Response:
    raw = json.dumps(body).encode()
    headers = {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": sign(raw, SECRET),
    }
    return httpx.post(f"{service.server.url}/hooks/github", content=raw, headers=headers)


def _edited(name: str, number: int, **pull: Any) -> dict[str, Any]:
    told = {"number": number, "body": "", "updated_at": "2026-11-21T08:00:00Z", **pull}
    return {
        "action": "edited",
        "number": number,
        "pull_request": told,
        "changes": {"body": {"from": ""}},
        "repository": {"full_name": name},
        "sender": {"login": "maria"},
    }


def _commented(name: str, number: int, **comment: Any) -> dict[str, Any]:
    told = {
        "id": 1,
        "body": "/pilotage hold",
        "user": {"login": MALLORY},
        "created_at": "2026-11-21T08:00:00Z",
        **comment,
    }
    return {
        "action": "created",
        "issue": {"number": number, "pull_request": {}},
        "comment": told,
        "repository": {"full_name": name},
        "sender": {"login": MALLORY},
    }


Opened = tuple[World, Service, PullRequest]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A pull request of ours is open; each test attacks it and leaves it open."""
    folder = tmp_path_factory.mktemp("attacked")
    with quick_world(folder) as world, Service(world, folder) as service:
        world.github.state.add_account(MALLORY, "User")
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        yield world, service, service.until_open()


def _ticks(service: Service) -> set[tuple[str, str]]:
    target = service.target()
    assert target is not None
    assert target.proposal is not None
    return {(tick.item, tick.by) for tick in target.proposal.ticks}


def test_boxes_that_a_stranger_moves_or_doubles_tick_nothing(opened: Opened) -> None:
    """In a comment, a fence or a quote there is no box; a robot's tick is nobody's."""
    world, service, pull = opened
    body, before = pull.body, _ticks(service)
    box = "- [x] Feature works <!-- item:feature -->"
    for moved in (f"<!--\n{box}\n-->", f"```\n{box}\n```", f"    {box}"):
        world.github.edit_body(pull, f"{moved}\n\n{body}", "li")
    service.until(lambda: pull.body.splitlines()[0] == body.splitlines()[0], "it is put right")
    assert _ticks(service) == before


def test_odd_numbers_and_times_stop_nothing(opened: Opened) -> None:
    """Each of them would end a worker, or come back at each look, if it were believed."""
    world, service, pull = opened
    name, number = world.repository.full_name, pull.number
    odd: list[tuple[str, dict[str, Any]]] = [
        ("pull_request", _edited(name, 10**30)),
        ("pull_request", _edited(name, -(10**30))),
        ("pull_request", _edited(name, number, updated_at="2026-11-21T08:00:00")),
        ("pull_request", _edited(name, number, updated_at=1e12)),
        ("issue_comment", _commented(name, 10**30)),
        ("issue_comment", _commented(name, number, id=10**4_000)),
        ("issue_comment", _commented(name, number, created_at="2026-11-21T08:00:00")),
        (
            "deployment_status",
            {
                "deployment": {"environment": "staging", "payload": {"run_id": [[10**4_000]]}},
                "deployment_status": {"state": "success"},
                "repository": {"full_name": name},
            },
        ),
        (
            "merge_group",
            {
                "action": "checks_requested",
                "merge_group": {"head_sha": "a" * 40, "head_ref": "--upload-pack=touch x"},
                "repository": {"full_name": name},
            },
        ),
    ]
    for event, body in odd:
        assert _sent(service, event, body).status_code in (202, 400), (event, body)
    service.tick_all(pull)
    service.until_ready(pull)
    assert service.engine.alive
    service.until(lambda: not service.store.waiting_deliveries(1), "everything is settled")


def test_a_delivery_that_we_stumble_over_keeps_no_other_waiting(tmp_path: Path) -> None:
    """A mistake of ours costs the one hint, never the inbox."""

    def mistaken(_application: str) -> list[str]:
        raise ValueError("a mistake")

    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.engine.stop()
        service.store.receive(
            Delivery("argocd/1", "argocd", "notification", "", b'{"app":"api"}', utc_now())
        )
        service.store.receive(Delivery("d-2", "github", "ping", "", b"{}", utc_now()))
        inbox = Inbox(service.outside, service.store, mistaken)
        while inbox.settle(utc_now()):
            pass
        assert not service.store.waiting_deliveries(1)


def test_an_outsider_is_answered_once(opened: Opened) -> None:
    """Each answer is a write, and GitHub allows few: a stranger must not use them all up."""
    world, service, pull = opened
    for _ in range(4):
        world.github.comment(pull, "/pilotage rollback now", MALLORY)
    last = world.github.comment(pull, "/pilotage explain", "maria")
    service.until(lambda: bool(last.reactions), "maria is answered")
    comments = service.outside.github.comments(world.repository.full_name, pull.number)
    answers = [each for each in comments if "may not use commands" in each.body]
    assert len(answers) == 1
    assert not service.events("held")


def test_our_marker_in_somebody_elses_comment_is_not_ours(opened: Opened) -> None:
    """Comments are found by author and marker: nobody's is edited or removed for its text."""
    world, service, pull = opened
    for by in ("li", MALLORY):
        world.github.comment(pull, "<!-- pilotage:rollout:syrf-production-1 --> all is well", by)
    comments = service.outside.github.comments(world.repository.full_name, pull.number)
    assert not [each for each in comments if "all is well" in each.body]


def test_our_marker_in_somebody_elses_pull_request_is_not_ours(opened: Opened) -> None:
    """It is judged like any other, and ours stays ours."""
    world, service, pull = opened
    world.github.commit(world.repository, "mine", {"README.md": "x"}, "Mine", "li")
    forged = f"{pull.body.splitlines()[0]}\n- [x] a <!-- item:feature -->"
    theirs = world.github.open_pull_request_as(
        "li", world.repository, "mine", "Promote", forged, "main"
    )
    service.until(lambda: service.ready(theirs) == "success", "theirs touches no value")
    assert theirs.body == forged
    target = service.target()
    assert target is not None
    assert target.proposal is not None
    assert target.proposal.pull_request == pull.number
