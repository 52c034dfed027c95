"""What the terminal reads and asks for, with the operator's token."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from shutil import rmtree
from typing import Any

import httpx
import pytest
import sqlalchemy.event

from pilotage.core.model import (
    Hold,
    Outcome,
    Pause,
    Promotion,
    Quarantined,
    Reason,
    State,
    Subject,
)
from pilotage.engine.alone import Folder
from pilotage.engine.mail import Commanded, opened
from pilotage.store import Event
from pilotage.web import health
from pilotage.web.api import COMMANDS
from tests.web.promoted import PRODUCTION, a_promotion, a_target, an_open
from tests.web.served import DEPLOYMENTS, NOW, OPERATOR, Service, bearer, counted

HOUR = timedelta(hours=1)


def _get(service: Service, path: str, token: str = OPERATOR) -> httpx.Response:
    return service.client.get(f"/api/v1/{path}", headers=bearer(token))


def _command(service: Service, body: Any, target: str = PRODUCTION) -> httpx.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"/api/v1/targets/{target}/commands"
    return service.client.post(url, content=raw, headers=bearer(OPERATOR))


@pytest.mark.parametrize(
    "path", ["targets", "promotions/x", f"explain/{PRODUCTION}", f"commands/{PRODUCTION}/x"]
)
@pytest.mark.parametrize("token", ["-", DEPLOYMENTS])
def test_only_the_operator_reads(service: Service, path: str, token: str) -> None:
    service.know(a_target())
    assert _get(service, path, token).status_code == 401


def test_targets_tell_what_runs_and_what_is_on_its_way(service: Service) -> None:
    quarantined = Quarantined("web", "web-v6.0.0", "500s", NOW, "ana")
    service.know(
        a_target(
            proposal=an_open(),
            pause=Pause("Black Friday", "ana", NOW),
            quarantine=(quarantined,),
        )
    )
    (found,) = _get(service, "targets").json()["targets"]
    assert found["id"] == PRODUCTION
    assert found["running"] == {"api": "api-v1.2.2", "web": "web-v5.0.0"}
    assert found["proposal"]["state"] == "open"
    assert found["proposal"]["changes"][0]["after"] == "api-v1.2.3"
    assert found["release"] is None
    assert found["pause"] == {
        "reason": "Black Friday",
        "by": "ana",
        "since": "2026-11-21T08:30:00+00:00",
    }
    assert found["quarantine"][0]["version"] == "web-v6.0.0"


def test_a_repository_whose_configuration_is_wrong_is_told_apart(service: Service) -> None:
    problem = ".pilotage.yaml:3: unknown key"
    service.know(a_target(pipeline="", environment="", config_problem=problem))
    answer = _get(service, "targets").json()
    assert answer["targets"] == []
    assert answer["repositories"][0]["problem"] == problem


def test_a_promotion_by_its_id(service: Service) -> None:
    service.know(a_target(proposal=an_open()))
    answer = _get(service, "promotions/shop-production-1")
    assert answer.json()["pull_request"] == 7
    assert _get(service, "promotions/shop-production-2").status_code == 404


def test_explain_says_why_and_what_happened(service: Service) -> None:
    hold = Hold(Subject.BLIND, "Argo CD is out of reach", NOW, next_step="look at Argo CD")
    because = (
        Reason("held", "held by pilotage: Argo CD is out of reach", "look at Argo CD"),
        Reason("checklist", "2 boxes open"),
    )
    held = an_open(hold=hold)
    happened = Event(NOW, "opened", "pull request 7", promotion=held.id)
    service.know(a_target(proposal=held, because=because), events=[happened])
    answer = _get(service, f"explain/{PRODUCTION}").json()
    told = {each["text"]: each["next_step"] for each in answer["reasons"]}
    assert told == {
        "held by pilotage: Argo CD is out of reach": "look at Argo CD",
        "2 boxes open": "",
    }
    assert [each["kind"] for each in answer["history"]] == ["opened"]
    assert answer["target"]["proposal"]["hold"]["subject"] == "blind"
    of_promotion = _get(service, f"explain/{held.id}").json()
    assert of_promotion["promotion"]["id"] == held.id
    assert [each["text"] for each in of_promotion["history"]] == ["pull request 7"]


def test_the_last_release_is_the_one_that_was_confirmed_last(service: Service) -> None:
    """A person's own got its number, and was confirmed, while an older proposal was still open;
    of another something stayed; nothing of the newest did."""

    def ended(number: int, hours: int, state: State, *became: Outcome) -> Promotion:
        created, at = NOW + number * HOUR, NOW + hours * HOUR
        outcomes = dict(zip(("api", "web"), became, strict=False))
        return a_promotion(state, number, created_at=created, ended_at=at, outcomes=outcomes)

    def last() -> Any:
        return _get(service, f"explain/{PRODUCTION}").json()["target"]["last_release"]

    service.know(a_target(), ended(5, 9, State.REVERTED, Outcome.REVERTED))
    assert last() is None
    service.know(a_target(), ended(2, 3, State.CONFIRMED, Outcome.CONFIRMED))
    service.know(a_target(), ended(1, 4, State.CONFIRMED, Outcome.CONFIRMED))
    assert last()["id"] == "shop-production-1"
    partly = (Outcome.CONFIRMED, Outcome.REVERTED)
    service.know(a_target(), ended(3, 5, State.REVERTED, *partly))
    assert last()["id"] == "shop-production-3"


def test_a_name_that_is_nearly_right_is_suggested(service: Service) -> None:
    service.know(a_target())
    answer = _get(service, "explain/shop/prodution")
    assert answer.status_code == 404
    assert answer.json()["error"].endswith("did you mean shop/production?")


class TestCommands:
    @pytest.mark.parametrize("name", COMMANDS)
    def test_each_reaches_the_target_at_once(self, service: Service, name: str) -> None:
        service.know(a_target())
        answer = _command(service, {"name": name, "argument": " all  of it ", "by": "ana"})
        assert answer.status_code == 202
        assert service.engine.times == 1
        command = _only_command(service)
        assert (command.name, command.argument, command.by) == (name, "all of it", "ana")
        assert command.id == answer.json()["id"]
        assert command.comment is None, "no comment asked for it, so none is answered"

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({"name": "tick"}, "no command tick; there are hold,"),
            ({"nome": "hold"}, "name: Field required"),
            ({"name": "hold", "argument": "x" * 1_001}, "argument: "),
            ({"name": "hold", "by": ""}, "by: "),
            (b"hold", "Invalid JSON"),
        ],
    )
    def test_another_shape_is_400(self, service: Service, body: Any, expected: str) -> None:
        service.know(a_target())
        answer = _command(service, body)
        assert answer.status_code == 400
        assert expected in answer.json()["error"]
        assert service.engine.times == 0

    def test_an_unknown_target_is_404(self, service: Service) -> None:
        service.know(a_target())
        answer = _command(service, {"name": "pause"}, "shop/prod")
        assert answer.status_code == 404
        assert "shop/production" in answer.json()["error"]

    def test_a_repository_takes_no_commands(self, service: Service) -> None:
        """Its own row is looked at, too, but nobody there would ever read one."""
        service.store.ensure_target(
            "acme/gitops", repository="acme/gitops", pipeline="", environment="", wake_at=NOW
        )
        assert _command(service, {"name": "pause"}, "acme/gitops").status_code == 404

    @pytest.mark.parametrize(
        ("kind", "state"), [("command", "done"), ("refused", "refused"), (None, "waiting")]
    )
    def test_what_came_of_it(self, service: Service, kind: str | None, state: str) -> None:
        service.know(a_target())
        id_ = _command(service, {"name": "roll", "by": "ana"}).json()["id"]
        if kind is not None:
            told = Event(NOW, kind, "ana: roll", by="ana", data={"command": id_})
            service.know(a_target(), events=[told])
        answer = _get(service, f"commands/{id_}")
        assert answer.json()["state"] == state

    @pytest.mark.parametrize("id_", ["1", "shop/production/1", "shop/europe/1", "comment-1"])
    def test_an_unknown_id_is_404(self, service: Service, id_: str) -> None:
        """Whether or not there is such a target, and at once: nothing will ever come of it."""
        service.know(a_target())
        _command(service, {"name": "roll", "by": "ana"})
        answer = _get(service, f"commands/{id_}?wait=60")
        assert (answer.status_code, answer.json()) == (404, {"error": _NO_COMMAND.format(id_)})

    def test_what_is_taken_while_it_is_asked_for_was_never_unknown(self, service: Service) -> None:
        """Its mail is gone, and its event is there, between one statement and the next."""
        service.know(a_target())
        id_ = _command(service, {"name": "roll"}).json()["id"]
        pending = [Event(NOW, "command", "operator: roll", data={"command": id_})]
        engine = service.store._database.engine

        def take(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
            if "FROM event" in statement and pending:
                _taken(service, pending.pop())

        sqlalchemy.event.listen(engine, "after_cursor_execute", take)
        assert _get(service, f"commands/{id_}").json()["state"] == "done"
        sqlalchemy.event.remove(engine, "after_cursor_execute", take)
        assert not pending

    def test_asking_takes_one_statement_and_two_while_it_waits(self, service: Service) -> None:
        service.know(a_target())
        id_ = _command(service, {"name": "roll"}).json()["id"]
        with counted(service) as statements:
            assert _get(service, f"commands/{id_}").json()["state"] == "waiting"
        assert len(statements) == 2, statements
        _taken(service, Event(NOW, "command", "operator: roll", data={"command": id_}))
        with counted(service) as statements:
            assert _get(service, f"commands/{id_}").json()["state"] == "done"
        assert len(statements) == 1, statements


_NO_COMMAND = "there is no command {}: none waits, and the latest history tells of none"


def _taken(service: Service, told: Event) -> None:
    """A look of the target consumes its mail, and says what came of it."""
    lease = service.store.lease("worker", service.store.next_wake() or NOW, HOUR)
    assert lease is not None
    loaded = service.store.load(lease)
    service.store.record(
        lease,
        target=loaded.target,
        events=[told],
        consumed=[mail.id for mail in loaded.mail],
        wake_at=NOW,
        now=NOW,
        done=True,
    )


def _only_command(service: Service) -> Any:
    lease = service.store.lease("reader", service.store.next_wake() or NOW, NOW - NOW)
    assert lease is not None
    (mail,) = service.store.load(lease).mail
    letter = opened(mail)
    assert isinstance(letter, Commanded)
    return letter.command


def test_an_unknown_path_is_json(service: Service) -> None:
    for path in ("nothing", "api/v1/nothing", "hooks/gitlab", "a%00b", "healthz/"):
        answer = service.client.get(f"/{path}")
        assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})


def test_a_wrong_method_is_json(service: Service) -> None:
    answer = service.client.get("/hooks/github")
    assert (answer.status_code, answer.json()) == (405, {"error": "Method Not Allowed"})


class TestHealth:
    def test_it_lives(self, service: Service) -> None:
        assert service.client.get("/healthz").json() == {"status": "ok"}

    def test_it_is_ready(self, service: Service) -> None:
        assert service.client.get("/readyz").json() == {"status": "ready"}

    def test_without_workers_it_is_not(self, service: Service) -> None:
        service.engine.alive = False
        answer = service.client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["problems"] == ["a worker has ended"]

    def test_while_nothing_can_be_written_it_is_not(self, service: Service) -> None:
        """A full disk, or one that became read-only, can still be read."""
        with _read_only(service):
            assert service.client.get("/readyz").status_code == 200, "nothing was tried yet"
            refused = service.hook({}, "ping")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "15")
            answer = service.client.get("/readyz")
            assert answer.status_code == 503
            [problem] = answer.json()["problems"]
            assert problem.startswith("the database takes no writes: let the service write")
        service.know(a_target())
        assert service.client.get("/readyz").json() == {"status": "ready"}

    def test_without_the_file_of_its_database_it_is_not(self, service: Service) -> None:
        """What is answered 202 would be written to a file that nobody finds again."""
        file = Path(str(service.store._database.engine.url.database))
        file.rename(file.with_name("elsewhere"))
        refused = service.hook({}, "ping")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "15")
        [problem] = service.client.get("/readyz").json()["problems"]
        assert problem.startswith("the database cannot be used: nothing is written any more")
        file.with_name("elsewhere").rename(file)
        assert service.hook({}, "ping").status_code == 202
        assert service.client.get("/readyz").json() == {"status": "ready"}

    def test_a_database_that_keeps_others_waiting_does_not_keep_the_answer(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who asks gives up sooner than SQLite does."""
        with _read_only(service):
            assert service.hook({}, "ping").status_code == 503
        monkeypatch.setattr(health, "_PATIENCE", 0.05)
        with closing(sqlite3.connect(str(service.store._database.engine.url.database))) as shell:
            shell.execute("BEGIN EXCLUSIVE")
            answer = service.client.get("/readyz")
        assert answer.json()["problems"] == ["the database did not answer within 0.05 s"]
        monkeypatch.undo()
        assert service.client.get("/readyz").json() == {"status": "ready"}

    def test_without_its_folder_it_is_not(self, tmp_path: Path) -> None:
        """SQLite goes on writing to a file that nobody will find again."""
        folder = Folder(tmp_path / "data")
        assert folder.is_there()
        rmtree(tmp_path / "data")
        assert not folder.is_there()
        folder.close()


@contextmanager
def _read_only(service: Service) -> Iterator[None]:
    engine = service.store._database.engine

    def refuse(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    def allow(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA query_only = OFF")

    sqlalchemy.event.listen(engine, "checkout", refuse)
    sqlalchemy.event.listen(engine, "checkin", allow)
    try:
        yield
    finally:
        sqlalchemy.event.remove(engine, "checkout", refuse)
        sqlalchemy.event.remove(engine, "checkin", allow)
