"""The commands that talk to a running service, over real HTTP and a real store.

The engine's part (to take a command from the mail, and to say in the history what came of it) is
played by `Obedient`, because what the commands ask for is what is tested here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pilotage.core.change import ServiceChange
from pilotage.core.model import (
    Choice,
    Command,
    Hold,
    Outcome,
    Pause,
    Quarantined,
    Reason,
    State,
    Subject,
)
from pilotage.engine.mail import Commanded, opened
from pilotage.store import Event
from tests.cli.conftest import Ran, Run
from tests.ports import free_port
from tests.web.promoted import PRODUCTION, a_promotion, a_target, an_open
from tests.web.served import NOW, OPERATOR, Service, serving


@dataclass
class Obedient:
    """Takes each command at once, and refuses those that are named."""

    service: Service
    refuses: frozenset[str] = frozenset()
    taken: list[Command] = field(default_factory=list)

    def __call__(self) -> None:
        store = self.service.store
        now = store.next_wake() or NOW
        while (lease := store.lease("obedient", now, timedelta(minutes=1))) is not None:
            loaded = store.load(lease)
            letters = [opened(mail) for mail in loaded.mail]
            commands = [each.command for each in letters if isinstance(each, Commanded)]
            self.taken += commands
            store.record(
                lease,
                target=loaded.target,
                events=[self._told(command) for command in commands],
                consumed=[mail.id for mail in loaded.mail],
                wake_at=None,
                now=now,
            )
            store.release(lease)

    def _told(self, command: Command) -> Event:
        kind = "refused" if command.name in self.refuses else "command"
        text = f"{command.by}: {command.name} {command.argument}".strip()
        return Event(command.at, kind, text, by=command.by, data={"command": command.id})


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def service(running: Service) -> Service:
    running.wipe()
    return running


@pytest.fixture
def obedient(service: Service) -> Obedient:
    service.engine.on_poke = Obedient(service)
    assert isinstance(service.engine.on_poke, Obedient)
    return service.engine.on_poke


class Terminal:
    """Runs commands against one service, with the operator's token."""

    def __init__(self, run: Run, service: Service) -> None:
        self._run, self._url = run, service.url

    def __call__(self, *arguments: str) -> Ran:
        found = {"PILOTAGE_URL": self._url, "PILOTAGE_OPERATOR_TOKEN": OPERATOR}
        return self._run(*arguments, **found)


@pytest.fixture
def terminal(run: Run, service: Service) -> Terminal:
    return Terminal(run, service)


class TestStatus:
    def test_what_is_on_its_way(self, service: Service, terminal: Terminal) -> None:
        service.know(a_target(proposal=an_open()))
        ran = terminal("status")
        assert ran.code == 0
        for expected in (PRODUCTION, "open", "api api-v1.2.3", "2 boxes open", "/pull/7"):
            assert expected in ran.out

    def test_nothing_is_on_its_way(self, service: Service, terminal: Terminal) -> None:
        service.know(a_target())
        ran = terminal("status", "shop")
        assert (ran.code, "up to date" in ran.out) == (0, True)

    def test_what_needs_a_person_is_exit_code_1(self, service: Service, terminal: Terminal) -> None:
        hold = Hold(Subject.BLIND, "Argo CD is out of reach", NOW)
        service.know(a_target(release=an_open(state=State.ROLLING_OUT, hold=hold)))
        ran = terminal("status")
        assert ran.code == 1
        assert "rolling out, held" in ran.out
        assert "Argo CD is out of reach" in ran.out

    def test_what_cannot_be_seen_is_not_up_to_date(
        self, service: Service, terminal: Terminal
    ) -> None:
        service.know(a_target(blind="git does not answer"))
        ran = terminal("status")
        assert (ran.code, "up to date" in ran.out) == (0, False)
        assert "blind" in ran.out
        assert "git does not answer" in ran.out

    def test_what_differs_and_is_refused_is_not_up_to_date(
        self, service: Service, terminal: Terminal
    ) -> None:
        reason = Reason("api", "api latest is no version that stays what it is", "name a version")
        service.know(a_target(because=(Reason("plan", "api differs"), reason)))
        ran = terminal("status")
        assert (ran.code, "up to date" in ran.out, "not proposed" in ran.out) == (0, False, True)
        assert reason.text in ran.out

    def test_what_is_observed_says_what_it_waits_for(
        self, service: Service, terminal: Terminal
    ) -> None:
        soaks = Reason("api", "api v1.2.3 soaks in staging until 20 Nov 12:00:00 UTC")
        service.know(a_target(proposal=a_promotion(State.OBSERVING), because=(soaks,)))
        assert soaks.text in terminal("status").out

    def test_what_could_not_be_written_is_said(self, service: Service, terminal: Terminal) -> None:
        """Nobody can tell it at GitHub, which is where everybody else looks."""
        why = "GitHub answered 403: grant the missing permission"
        service.know(a_target(proposal=an_open(), unwritten=why))
        assert why in terminal("status").out
        assert f"what stands at GitHub is older than this: {why}" in terminal("explain", "shop").out

    def test_what_a_person_chose(self, service: Service, terminal: Terminal) -> None:
        choice = Choice(("api",), "ana", NOW)
        service.know(a_target(proposal=an_open(), choice=choice, admitted=("new",)))
        assert "open, only api" in terminal("status").out
        (target,) = terminal("status", "--json").json["targets"]
        assert target["choice"]["services"] == ["api"]
        assert (target["choice"]["by"], target["admitted"]) == ("ana", ["new"])

    def test_a_wrong_configuration(self, service: Service, terminal: Terminal) -> None:
        service.know(a_target(pipeline="", environment="", config_problem=".pilotage.yaml:3: bad"))
        ran = terminal("status")
        assert (ran.code, "acme/gitops: .pilotage.yaml:3: bad" in ran.out) == (1, True)

    def test_as_json(self, service: Service, terminal: Terminal) -> None:
        service.know(a_target(proposal=an_open()))
        (target,) = terminal("status", "--json").json["targets"]
        assert target["proposal"]["pull_request"] == 7

    def test_a_name_that_is_nearly_right(self, service: Service, terminal: Terminal) -> None:
        service.know(a_target())
        ran = terminal("status", "shpo")
        assert (ran.code, "did you mean `shop`?" in ran.err) == (2, True)

    def test_what_people_wrote_cannot_steer_the_terminal(
        self, service: Service, terminal: Terminal
    ) -> None:
        service.know(a_target(proposal=an_open(ready="\x1b[2J\u202egone [bold]x[/bold]")))
        ran = terminal("status")
        assert "\x1b" not in ran.out
        assert "\u202e" not in ran.out
        assert "[bold]x[/bold]" in ran.out


class TestExplain:
    def test_a_target(self, service: Service, terminal: Terminal) -> None:
        happened = Event(NOW, "opened", "pull request 7", promotion="shop-production-1")
        because = (Reason("gates", "2 boxes open"),)
        service.know(a_target(proposal=an_open(), because=because), events=[happened])
        for name in ("shop", PRODUCTION, "shop-production-1"):
            ran = terminal("explain", name)
            assert ran.code == 0
            assert "gates: 2 boxes open" in ran.out
            assert "opened  pull request 7" in ran.out

    def test_what_was_released_last(self, service: Service, terminal: Terminal) -> None:
        outcomes = {"api": Outcome.CONFIRMED}
        service.know(a_target(), a_promotion(State.CONFIRMED, ended_at=NOW, outcomes=outcomes))
        told = terminal("explain", "shop").out.splitlines()[0]
        assert told == (
            "shop/production: nothing is on its way; shop-production-1 was released last, "
            "confirmed at 2026-11-21T08:30:00+00:00"
        )

    def test_who_did_it_is_said_once(self, service: Service, terminal: Terminal) -> None:
        events = [
            Event(NOW, "paused", "lunch", by="ana"),
            Event(NOW, "command", "ana: pause lunch", by="ana"),
        ]
        service.know(a_target(), events=events)
        paused, command = terminal("explain", "shop").out.splitlines()[-2:]
        assert paused.endswith("  paused  lunch (ana)")
        assert command.endswith("  command  ana: pause lunch")

    def test_an_unknown_name(self, service: Service, terminal: Terminal) -> None:
        service.know(a_target())
        ran = terminal("explain", "shop/prod")
        assert (ran.code, "did you mean" in ran.err) == (2, True)

    def test_as_json(self, service: Service, terminal: Terminal) -> None:
        service.know(a_target(pause=Pause("freeze", "ana", NOW)))
        (found,) = terminal("explain", "shop", "--json").json["explanations"]
        assert found["reasons"][0]["next_step"] == "pilotage resume shop/production"


class TestPauseAndResume:
    def test_everything(self, service: Service, terminal: Terminal, obedient: Obedient) -> None:
        service.know(a_target())
        service.know(a_target(pipeline="blog"))
        ran = terminal("pause", "--reason", "Black Friday")
        assert ran.code == 0
        assert [(each.name, each.argument) for each in obedient.taken] == [
            ("pause", "Black Friday")
        ] * 2
        assert "blog/production: done" in ran.out

    def test_one_pipeline(self, service: Service, terminal: Terminal, obedient: Obedient) -> None:
        service.know(a_target())
        service.know(a_target(pipeline="blog"))
        found = terminal("pause", "blog", "--json").json["commands"]
        assert [(each["target"], each["state"]) for each in found] == [("blog/production", "done")]

    def test_resume_ends_a_pause_and_leaves_a_hold(
        self, service: Service, terminal: Terminal, obedient: Obedient
    ) -> None:
        hold = Hold(Subject.PERSON, "look first", NOW, "ana")
        paused = a_target(pause=Pause("freeze", "ana", NOW), proposal=an_open(hold=hold))
        service.know(paused)
        assert terminal("resume", "shop").code == 0
        assert [each.name for each in obedient.taken] == ["unpause"]

    def test_resume_takes_away_a_hold_when_asked(
        self, service: Service, terminal: Terminal, obedient: Obedient
    ) -> None:
        service.know(a_target(proposal=an_open(hold=Hold(Subject.PERSON, "look first", NOW))))
        assert terminal("resume", "--held").code == 0
        assert [each.name for each in obedient.taken] == ["resume"]

    def test_nothing_to_resume(self, service: Service, terminal: Terminal) -> None:
        service.know(a_target())
        ran = terminal("resume")
        assert (ran.code, ran.out) == (0, "nothing is paused\n")

    def test_refused_is_exit_code_1(
        self, service: Service, terminal: Terminal, obedient: Obedient
    ) -> None:
        obedient.refuses = frozenset({"pause"})
        service.know(a_target())
        assert terminal("pause").code == 1

    def test_not_taken_in_time_says_that_it_is_kept(
        self, service: Service, terminal: Terminal
    ) -> None:
        service.know(a_target())
        ran = terminal("pause", "--wait", "1")
        assert ran.code == 1
        assert "not taken within 1 s; it is kept" in ran.out

    def test_without_waiting_it_is_sent(self, service: Service, terminal: Terminal) -> None:
        service.know(a_target())
        ran = terminal("pause", "--wait", "0")
        assert (ran.code, ran.out) == (0, "shop/production: sent\n")

    def test_nothing_to_pause(self, terminal: Terminal) -> None:
        assert terminal("pause").code == 1


@pytest.mark.runbook("SYRF-13")
class TestPromote:
    @pytest.mark.parametrize(
        ("arguments", "expected"), [(("web", "api"), "web api"), (("--cancel",), "--cancel")]
    )
    def test_what_is_asked_reaches_the_target(
        self,
        service: Service,
        terminal: Terminal,
        obedient: Obedient,
        arguments: tuple[str, ...],
        expected: str,
    ) -> None:
        service.know(a_target())
        ran = terminal("promote", "shop", *arguments, "--json")
        assert (ran.code, ran.json["commands"][0]["state"]) == (0, "done")
        assert [(each.name, each.argument) for each in obedient.taken] == [("promote", expected)]

    @pytest.mark.parametrize("arguments", [(), ("api", "--cancel"), ("api web",)])
    def test_used_wrongly_nothing_is_sent(
        self,
        service: Service,
        terminal: Terminal,
        obedient: Obedient,
        arguments: tuple[str, ...],
    ) -> None:
        service.know(a_target())
        assert terminal("promote", "shop", *arguments).code == 2
        assert obedient.taken == []

    def test_a_refusal_is_exit_code_1_with_its_reason(
        self, service: Service, terminal: Terminal
    ) -> None:
        service.know(a_target())
        service.engine.on_poke = Obedient(service, frozenset({"promote"}))
        ran = terminal("promote", "shop", "apj")
        assert (ran.code, "promote apj" in ran.out) == (1, True)


class TestRollback:
    @pytest.fixture
    def released(self, service: Service) -> Service:
        web = ServiceChange("web", "web-v5.0.0", "web-v5.1.0", ())
        promotion = an_open(state=State.CONFIRMED, ready="")
        outcomes = dict.fromkeys(("api", "web"), Outcome.CONFIRMED)
        both = replace(promotion, changes=(*promotion.changes, web), outcomes=outcomes)
        service.know(a_target(), both)
        return service

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ((), "api web broken"),
            (("web",), "web broken"),
            (("web", "api", "web"), "web api broken"),
        ],
    )
    def test_the_services_are_always_named(
        self,
        released: Service,
        terminal: Terminal,
        obedient: Obedient,
        arguments: tuple[str, ...],
        expected: str,
    ) -> None:
        ran = terminal("rollback", "shop", *arguments, "--reason", "broken")
        assert ran.code == 0
        assert [each.argument for each in obedient.taken] == [expected]

    def test_a_reason_never_chooses_a_service(
        self, released: Service, terminal: Terminal, obedient: Obedient
    ) -> None:
        terminal("rollback", "shop", "web", "--reason", "api, and all else, suffers")
        assert [each.argument for each in obedient.taken] == [
            "web reason: api, and all else, suffers"
        ]

    def test_a_service_that_was_not_promoted_is_refused(
        self, released: Service, terminal: Terminal, obedient: Obedient
    ) -> None:
        """The service would read it as part of the reason, and put everything back."""
        ran = terminal("rollback", "shop", "wbe", "--reason", "broken")
        assert ran.code == 2
        assert "did you mean `web`?" in ran.err
        assert obedient.taken == []

    def test_nothing_was_promoted(self, service: Service, terminal: Terminal) -> None:
        service.know(a_target())
        ran = terminal("rollback", "shop", "--reason", "broken")
        assert (ran.code, "nothing was promoted" in ran.err) == (1, True)

    def test_a_reason_is_needed(self, released: Service, terminal: Terminal) -> None:
        assert terminal("rollback", "shop").code == 2
        assert terminal("rollback", "shop", "--reason", " ").code == 2

    def test_several_targets_are_asked_for_one(self, released: Service, terminal: Terminal) -> None:
        released.know(a_target(environment="eu"))
        ran = terminal("rollback", "shop", "--reason", "broken")
        assert (ran.code, "name one of shop/eu, shop/production" in ran.err) == (2, True)
        assert terminal("rollback", "shop/eu", "--reason", "x").code == 1


class TestQuarantine:
    def test_list(self, service: Service, terminal: Terminal) -> None:
        entry = Quarantined("api", "api-v1.2.3", "CrashLoopBackOff", NOW)
        service.know(a_target(quarantine=(entry,)))
        ran = terminal("quarantine", "list")
        assert (ran.code, "CrashLoopBackOff" in ran.out) == (0, True)
        (found,) = terminal("quarantine", "list", "shop", "--json").json["quarantine"]
        assert (found["target"], found["version"]) == (PRODUCTION, "api-v1.2.3")

    def test_nothing_is_in_it(self, service: Service, terminal: Terminal) -> None:
        service.know(a_target(proposal=a_promotion()))
        assert terminal("quarantine", "list").out == "nothing is in quarantine\n"

    def test_add_and_lift(self, service: Service, terminal: Terminal, obedient: Obedient) -> None:
        service.know(a_target())
        version = ("shop", "api", "api-v1.2.3")
        assert terminal("quarantine", "add", *version, "--reason", "leaks memory").code == 0
        assert terminal("quarantine", "lift", *version).code == 0
        assert [(each.name, each.argument) for each in obedient.taken] == [
            ("quarantine", "api api-v1.2.3 leaks memory"),
            ("lift", "api api-v1.2.3"),
        ]

    def test_two_words_are_no_version(self, service: Service, terminal: Terminal) -> None:
        service.know(a_target())
        assert terminal("quarantine", "lift", "shop", "api", "v1 v2").code == 2


class TestTheWayThere:
    def test_the_token_is_missing(self, run: Run, service: Service) -> None:
        ran = run("status", "--url", service.url)
        assert ran.code == 2
        assert "PILOTAGE_OPERATOR_TOKEN" in ran.err

    def test_the_token_is_wrong(self, run: Run, service: Service) -> None:
        ran = run("status", "--url", service.url, PILOTAGE_OPERATOR_TOKEN="wrong")
        assert (ran.code, "the token was not accepted" in ran.err) == (2, True)
        assert "wrong" not in ran.err

    def test_the_token_comes_from_a_file(self, run: Run, service: Service, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text(f"{OPERATOR}\n")
        service.know(a_target())
        ran = run("status", "--url", service.url, "--token-file", file)
        assert ran.code == 0, ran.err
        assert run("status", "--token-file", tmp_path / "missing").code == 2

    def test_nobody_listens(self, run: Run) -> None:
        url = f"http://127.0.0.1:{free_port()}"
        ran = run("status", "--url", url, PILOTAGE_OPERATOR_TOKEN="x")
        assert ran.code == 3
        assert "cannot be reached" in ran.err
        assert "Traceback" not in ran.err

    @pytest.mark.parametrize("url", ["ftp://127.0.0.1", "nonsense", "http://a:x", ""])
    def test_no_address(self, run: Run, url: str) -> None:
        ran = run("status", "--url", url, PILOTAGE_OPERATOR_TOKEN="x")
        assert ran.code == 2, ran.err

    def test_somebody_else_listens(self, run: Run) -> None:
        """A proxy's error page, say."""
        with _page(b"<html>Bad gateway</html>") as url:
            ran = run("status", "--url", url, PILOTAGE_OPERATOR_TOKEN="x")
        assert (ran.code, "not as Pilotage does" in ran.err) == (3, True)


@contextmanager
def _page(content: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(502)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
