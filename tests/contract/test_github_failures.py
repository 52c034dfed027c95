"""What goes wrong with GitHub, told by type: limits, silence, refusals and odd answers."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from pilotage.adapters.github import (
    Conflict,
    Forbidden,
    GitHub,
    GitHubError,
    MachineUser,
    NotFound,
    RateLimited,
    Refused,
    Renamed,
    Unauthorised,
    UnexpectedAnswer,
    Unreachable,
)
from pilotage.adapters.github.failures import patience
from pilotage.core.forge import READY, Status, StatusState
from tests.contract.github_world import World

REPO = "acme/config"
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SECRET = "ghp_hidden_from_everybody"
GREEN = Status(StatusState.SUCCESS, "ok")


@pytest.fixture
def github(world: World) -> Iterator[GitHub]:
    credential = MachineUser(SecretStr(world.token("pilotage-bot")))
    with GitHub(credential, base_url=world.github.api_url, timeout=1, clock=lambda: NOW) as made:
        yield made


# Limits ----------------------------------------------------------------------------------


def test_the_primary_limit_says_until_when_at_once(world: World, github: GitHub) -> None:
    reset = NOW + timedelta(minutes=40)
    world.github.faults.primary_limit(reset)
    begun = time.monotonic()
    with pytest.raises(RateLimited) as reading:
        github.default_branch(REPO)
    with pytest.raises(RateLimited) as writing:
        github.set_status(REPO, "1" * 40, READY, GREEN)
    assert time.monotonic() - begun < 5, "nothing sleeps"
    assert reading.value.until == writing.value.until == reset + timedelta(seconds=1)
    assert len(world.github.requests.entries()) == 1, "nothing is asked before its time"


def test_the_secondary_limit_says_until_when_at_once(world: World, github: GitHub) -> None:
    world.github.faults.secondary_limit(90, times=9)
    with pytest.raises(RateLimited) as reading:
        github.default_branch(REPO)
    with pytest.raises(RateLimited) as writing:
        github.set_status(REPO, "1" * 40, READY, GREEN)
    assert reading.value.until == writing.value.until == NOW + timedelta(seconds=90)
    assert len(world.github.requests.entries()) == 1, "nothing is asked before its time"


def test_too_many_requests_is_a_limit_whatever_it_says(world: World, github: GitHub) -> None:
    world.github.faults.answer(429, message="slow down", headers={"retry-after": "5"})
    with pytest.raises(RateLimited) as limited:
        github.default_branch(REPO)
    assert limited.value.until == NOW + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "30"}, 30),
        ({"retry-after": "Sat, 21 Nov 2026 09:02:00 GMT"}, 120),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "99999999999999999999"}, 3600),
        ({"retry-after": "-5"}, 60),
        ({"retry-after": "soon"}, 60),
        ({"retry-after": "²"}, 60),
        ({}, 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW.timestamp() + 99:.0f}"}, 100),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, 1),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" * 400}, 3600),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "later"}, 60),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": "9999999999"}, 60),
    ],
)
def test_waiting_is_between_a_second_and_an_hour(
    headers: Mapping[str, str], seconds: float
) -> None:
    assert patience(headers, NOW) == NOW + timedelta(seconds=seconds)


# Silence ---------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True])
def test_a_write_that_met_a_502_is_sent_once_and_may_have_taken_hold(
    world: World, github: GitHub, after: bool
) -> None:
    world.branch("promote")
    world.github.faults.answer(502, "POST", "*/pulls", times=9, after=after)
    with pytest.raises(Unreachable) as lost:
        github.create_pull_request(REPO, title="t", body="", branch="promote", base="main")
    assert lost.value.may_have_taken_hold
    assert "502" in lost.value.why
    assert len(world.github.requests.entries("POST", "*/pulls")) == 1
    found = github.find_pull_request(REPO, "promote", "main")
    assert (found is not None) is after, "and the look tells"


@pytest.mark.parametrize(
    ("verb", "write"),
    [
        ("PATCH", lambda github: github.edit_comment(REPO, 1, "x")),
        ("PUT", lambda github: github.merge_pull_request(REPO, 1, "1" * 40, "merge")),
        ("DELETE", lambda github: github.delete_comment(REPO, 1)),
    ],
)
def test_no_write_is_repeated(
    world: World, github: GitHub, verb: str, write: Callable[[GitHub], object]
) -> None:
    world.github.faults.answer(503, verb, times=9)
    with pytest.raises(Unreachable) as lost:
        write(github)
    assert lost.value.may_have_taken_hold
    assert len(world.github.requests.entries(verb)) == 1


def test_a_reading_that_met_a_502_is_asked_once_more(world: World, github: GitHub) -> None:
    world.github.faults.answer(502, "GET")
    assert github.default_branch(REPO) == "main"
    world.github.faults.answer(502, "GET", times=9)
    world.github.requests.clear()
    with pytest.raises(Unreachable) as lost:
        github.default_branch(REPO)
    assert not lost.value.may_have_taken_hold
    assert len(world.github.requests.entries()) == 2


def test_silence_ends_with_the_time_out_and_is_not_repeated() -> None:
    over = threading.Event()

    def say_nothing(asked: str) -> None:
        over.wait(10)

    with scripted(say_nothing, timeout=1) as (github, asked):
        with pytest.raises(Unreachable, match="no answer within 1 s") as writing:
            github.create_comment(REPO, 1, "x")
        with pytest.raises(Unreachable, match="no answer within 1 s") as reading:
            github.default_branch(REPO)
        over.set()
    assert writing.value.may_have_taken_hold
    assert not reading.value.may_have_taken_hold
    assert len(asked) == 2


def test_a_write_that_never_left_cannot_have_taken_hold() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/api/v3"
        with scripted_client(url) as github, pytest.raises(Unreachable) as lost:
            github.create_comment(REPO, 1, "x")
    assert not lost.value.may_have_taken_hold


def test_a_connection_that_breaks_leaves_a_write_in_doubt() -> None:
    with scripted(lambda asked: None) as (github, asked):
        with pytest.raises(Unreachable) as writing:
            github.create_comment(REPO, 1, "x")
        assert len(asked) == 1, "it is not sent again"
        with pytest.raises(Unreachable) as reading:
            github.default_branch(REPO)
    assert writing.value.may_have_taken_hold
    assert not reading.value.may_have_taken_hold


def test_writes_go_out_one_after_the_other() -> None:
    counting, never = threading.Lock(), threading.Event()
    active = peak = 0

    def script(asked: str) -> Answer:
        nonlocal active, peak
        with counting:
            active += 1
            peak = max(peak, active)
        never.wait(0.1)  # time for another one to come, if there were one
        with counting:
            active -= 1
        return Answer(200, {})

    with scripted(script) as (github, asked), ThreadPoolExecutor(4) as pool:
        for number in range(4):
            pool.submit(github.add_labels, REPO, number, ["x"])
    assert len(asked) == 4
    assert peak == 1


# Refusals --------------------------------------------------------------------------------


def test_a_revoked_token_is_unauthorised_and_not_shown(world: World) -> None:
    with scripted_client(world.github.api_url) as github, pytest.raises(Unauthorised) as refused:
        github.default_branch(REPO)
    assert SECRET not in f"{refused.value}{refused.value!r}{refused.value.__dict__}"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Unauthorised),
        (403, Forbidden),
        (404, NotFound),
        (410, NotFound),
        (409, Conflict),
        (400, Refused),
        (422, Refused),
        (451, Refused),
        (408, Unreachable),
        (500, Unreachable),
        (307, Renamed),
    ],
)
def test_each_status_has_its_type(status: int, kind: type[GitHubError]) -> None:
    answer = Answer(status, {"message": "in GitHub's\nwords"}, {"location": "/elsewhere"})
    with scripted(lambda asked: answer) as (github, _), pytest.raises(GitHubError) as refused:
        github.create_comment(REPO, 7, "x")
    assert type(refused.value) is kind
    error = refused.value
    assert error.what == "commenting on 7"
    assert error.where == "POST /repos/acme/config/issues/7/comments"
    assert error.next_step
    for part in (error.what, error.where, error.why, error.next_step):
        assert part in str(error)


def test_a_refusal_carries_every_complaint() -> None:
    complaints = [{"message": "first"}, "second", {"resource": "Label", "code": "invalid"}, 5]
    answer = Answer(422, {"message": "Validation Failed", "errors": complaints})
    with scripted(lambda asked: answer) as (github, _), pytest.raises(Refused) as refused:
        github.create_comment(REPO, 7, "x")
    assert refused.value.reasons == ("first", "second", "Label invalid", "an error without words")
    assert refused.value.message == "Validation Failed"


# Odd answers -----------------------------------------------------------------------------

READINGS: dict[str, Callable[[GitHub], object]] = {
    "identity": lambda g: g.identity(),
    "default_branch": lambda g: g.default_branch(REPO),
    "pull_request": lambda g: g.pull_request(REPO, 1),
    "find_pull_request": lambda g: g.find_pull_request(REPO, "b", "main"),
    "open_pull_requests": lambda g: g.open_pull_requests(REPO, "main"),
    "reviews": lambda g: g.reviews(REPO, 1),
    "statuses": lambda g: g.statuses(REPO, "1" * 40),
    "body_edits": lambda g: g.body_edits(REPO, 1),
    "pull_request_commits": lambda g: g.pull_request_commits(REPO, 1),
    "changed_files": lambda g: g.changed_files(REPO, 1),
    "team_members": lambda g: g.team_members("acme", "team"),
    "permission": lambda g: g.permission(REPO, "maria"),
    "protection": lambda g: g.protection(REPO, "main"),
    "labels": lambda g: g.labels(REPO),
    "text_of": lambda g: g.text_of(REPO, "a.yaml", "main"),
    "create_comment": lambda g: g.create_comment(REPO, 1, "x"),
    "create_deployment": lambda g: g.create_deployment(REPO, "1" * 40, "eu", production=True),
    "merge": lambda g: g.merge_pull_request(REPO, 1, "1" * 40, "merge"),
    "edit": lambda g: g.edit_pull_request(REPO, 1, title="t"),
    "add_assignees": lambda g: g.add_assignees(REPO, 1, ["maria"]),
}
ODD: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "a number": b"7",
    "a string": b'"x"',
    "an empty object": b"{}",
    "a list of numbers": b"[1]",
    "a list of lists": b"[[]]",
    "not JSON": b"<html>",
    "half of it": b'{"number": 1, ',
    "not UTF-8": b"\xff\xfe{",
    "deep": b"[" * 100_000,
    "wrong types": b'{"number": "1", "sha": 1, "login": [], "id": {}, "data": 3, "statuses": 1}',
    "no data": b'{"data": null}',
    "errors of no shape": b'{"errors": 1, "data": {}}',
    "a redirect to nowhere": b'{"message": "Moved Permanently", "url": "http://x"}',
}


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_answer_teaches_nothing_and_breaks_nothing(odd: str) -> None:
    with scripted(lambda asked: Answer(200, ODD[odd])) as (github, _):
        for name, read in READINGS.items():
            with pytest.raises(UnexpectedAnswer) as failure:
                read(github)
            writes = ("create", "merge", "edit", "add")
            assert failure.value.may_have_taken_hold is name.startswith(writes), name


PULL: dict[str, Any] = {
    "number": 1,
    "html_url": "https://github.com/acme/config/pull/1",
    "state": "open",
    "title": "t",
    "body": None,
    "user": None,
    "head": {"sha": "1" * 40, "ref": "b", "repo": None},
    "base": {"ref": "main", "repo": {"full_name": REPO}},
    "merged": False,
    "merged_by": None,
    "merged_at": None,
    "merge_commit_sha": None,
    "closed_at": None,
    "commits": 1,
    "labels": [],
    "assignees": [],
    "requested_reviewers": [],
    "requested_teams": [],
    "updated_at": "2026-11-21T09:00:00Z",
}


def test_what_may_be_missing_on_github_may_be_missing() -> None:
    """No body, a deleted account, a deleted fork."""
    with scripted(lambda asked: Answer(200, PULL)) as (github, _):
        pull = github.pull_request(REPO, 1)
    assert (pull.body, pull.author, pull.head_repository) == ("", "ghost", None)
    assert pull.updated_at == NOW


def test_the_branch_of_a_fork_is_not_ours_and_a_renaming_changes_nothing() -> None:
    renamed = {"full_name": "acme/renamed"}
    ours = PULL | {
        "head": {"sha": "1" * 40, "ref": "b", "repo": renamed},
        "base": {"ref": "main", "repo": renamed},
    }
    fork = ours | {"number": 2, "head": {"sha": "1" * 40, "ref": "b", "repo": {"full_name": "x/y"}}}
    listed = [fork, ours]

    def script(asked: str) -> Answer:
        return Answer(200, listed if "/pulls?" in asked else ours)

    with scripted(script) as (github, _):
        found = github.find_pull_request(REPO, "b", "main")
        assert found is not None
        assert found.number == 1
        listed = [fork]
        assert github.find_pull_request(REPO, "b", "main") is None


def test_edits_without_a_name_or_a_text_are_left_out() -> None:
    def node(second: int, login: str | None, text: str | None, kind: str = "User") -> object:
        editor = None if login is None else {"__typename": kind, "login": login}
        return {"editor": editor, "editedAt": f"2026-11-21T09:00:0{second}Z", "diff": text}

    nodes = [  # newest first
        node(5, "maria", "five"),
        node(5, "li", "four"),
        node(4, "li", None),
        node(3, "pilotage", "two", "Bot"),
        node(2, None, "one"),
        node(1, "maria", "zero"),
    ]
    page = {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}
    data = {"repository": {"pullRequest": {"userContentEdits": page}}}
    with scripted(lambda asked: Answer(200, {"data": data})) as (github, _):
        edits = github.body_edits(REPO, 1)
        late = github.body_edits(REPO, 1, NOW + timedelta(seconds=5))
    assert [(edit.editor, edit.before, edit.after) for edit in edits] == [
        ("maria", None, "zero"),
        ("pilotage[bot]", "one", "two"),
        ("li", None, "four"),
        ("maria", "four", "five"),
    ]
    assert [edit.after for edit in late] == ["four", "five"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("RATE_LIMITED", RateLimited),
        ("NOT_FOUND", NotFound),
        ("FORBIDDEN", Forbidden),
        ("SOMETHING_ELSE", UnexpectedAnswer),
    ],
)
def test_refusals_of_graphql_have_the_same_types(kind: str, expected: type[GitHubError]) -> None:
    refusal = {"data": None, "errors": [{"type": kind, "message": "no"}]}
    answer = Answer(200, refusal)
    with scripted(lambda asked: answer) as (github, _), pytest.raises(GitHubError) as refused:
        github.body_edits(REPO, 1)
    assert type(refused.value) is expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("html_url", "javascript:alert(1)"),
        ("html_url", 'https://x/"onmouseover=alert(1)'),
        ("head", {"sha": "--upload-pack=x", "ref": "b", "repo": None}),
        ("head", {"sha": "1" * 39 + "\n", "ref": "b", "repo": None}),
        ("number", True),
        ("number", "1"),
        ("state", "OPEN"),
        ("updated_at", "yesterday"),
        ("updated_at", "2026-11-21T09:00:00"),
        ("labels", [{"name": None}]),
        ("merged", "false"),
        ("title", None),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not_repeated(field: str, value: object) -> None:
    answer = Answer(200, PULL | {field: value})
    with scripted(lambda asked: answer) as (github, _), pytest.raises(UnexpectedAnswer) as odd:
        github.pull_request(REPO, 1)
    assert field in odd.value.why
    assert "alert" not in str(odd.value)


def test_the_next_page_is_asked_of_the_same_address_whatever_the_link_says() -> None:
    pages = [
        Answer(200, [], {}),
        Answer(200, [{"login": "li"}], {}),
    ]
    elsewhere = '<http://evil.example/steal?page=2&x=1>; rel="next", <http://a/>; rel="last"'
    first = Answer(200, [{"login": "maria"}], {"link": elsewhere})
    with scripted(lambda asked: first if "page=2" not in asked else pages[1]) as (github, asked):
        assert github.team_members("acme", "team") == {"maria", "li"}
    assert asked == [
        "GET /api/v3/orgs/acme/teams/team/members?per_page=100",
        "GET /api/v3/orgs/acme/teams/team/members?page=2&x=1",
    ]


def test_a_list_without_an_end_ends_at_what_github_would_list() -> None:
    row = [{"filename": f"{number}.yaml"} for number in range(100)]
    endless = Answer(200, row, {"link": '<http://x/?page=2>; rel="next"'})
    with scripted(lambda asked: endless) as (github, asked):
        files = github.changed_files(REPO, 1)
    assert len(asked) == 30
    assert not files.complete, "what else changed is unknown"


def test_answers_202_and_redirects_do_not_make_it_sleep_or_go_round() -> None:
    begun = time.monotonic()
    with scripted(lambda asked: Answer(202, {})) as (github, _), pytest.raises(Unreachable):
        github.default_branch(REPO)
    loop = Answer(301, {"message": "Moved Permanently"}, {"location": "http://127.0.0.1/loop"})
    with scripted(lambda asked: loop) as (github, _), pytest.raises(GitHubError):
        github.default_branch(REPO)
    assert time.monotonic() - begun < 1


# Secrets ---------------------------------------------------------------------------------


def test_no_log_line_and_no_traceback_has_the_token(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="github")
    with scripted(lambda asked: None) as (github, _), pytest.raises(Unreachable) as lost:
        github.create_comment(REPO, 1, "x")
    error: BaseException | None = lost.value
    while error is not None:
        assert SECRET not in f"{error!r} {vars(error)}"
        assert not hasattr(error, "request"), "requests' own errors carry the header"
        error = error.__cause__ or error.__context__
    printed = capsys.readouterr()
    assert SECRET not in caplog.text + printed.out + printed.err


# A server that says what it is told to say -----------------------------------------------


class Answer:
    def __init__(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = dict(headers or {})


def scripted_client(url: str, timeout: int = 5) -> GitHub:
    credential = MachineUser(SecretStr(SECRET))
    return GitHub(credential, base_url=url, timeout=timeout, clock=lambda: NOW)


@contextmanager
def scripted(
    script: Callable[[str], Answer | None], timeout: int = 5
) -> Iterator[tuple[GitHub, list[str]]]:
    """A client of a server that answers by `script`; None hangs up without a word."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            asked.append(f"{self.command} {self.path}")
            said = script(asked[-1])
            if said is None:
                self.close_connection = True
                return
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, *args: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/api/v3"
        with scripted_client(url, timeout) as github:
            yield github, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
