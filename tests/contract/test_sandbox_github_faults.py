"""Faults by switch, the log of requests, and who may talk to the sandbox at all."""

from __future__ import annotations

import httpx
import pytest
from github import GithubException

from tests.contract.github_world import World


def test_answer_lost_after_the_pull_request_was_created(world: World) -> None:
    world.branch("topic")
    remote = world.remote()
    world.github.faults.answer(502, "POST", "/repos/acme/config/pulls", after=True)
    with pytest.raises(GithubException) as lost:
        remote.create_pull(title="t", head="topic", base="main")
    assert lost.value.status == 502
    assert [p.title for p in remote.get_pulls(head="acme:topic")] == ["t"]
    posts = world.github.requests.entries("POST", "*/pulls")
    assert [asked.status for asked in posts] == [502]


def test_answer_before_the_write_leaves_nothing(world: World) -> None:
    world.branch("topic")
    remote = world.remote()
    world.github.faults.answer(500, "POST", "*/pulls", times=2)
    for _ in range(2):
        with pytest.raises(GithubException):
            remote.create_pull(title="t", head="topic", base="main")
    assert remote.create_pull(title="t", head="topic", base="main").number == 1


def test_secondary_limit_says_when_to_come_back(world: World) -> None:
    remote = world.remote()
    for status in (403, 429):
        world.github.faults.secondary_limit(30, "POST", status=status)
        with pytest.raises(GithubException) as refused:
            remote.create_label("x", "ffffff")
        assert refused.value.status == status
        assert (refused.value.headers or {})["retry-after"] == "30"


def test_stale_read_answers_what_was_before(world: World) -> None:
    remote = world.remote()
    old = remote.get_branch("main").commit.sha
    new = world.github.commit(world.repo, "main", {"x": "y"}, "new", "maria")
    world.github.faults.stale("*/branches/main")
    assert remote.get_branch("main").commit.sha == old
    assert remote.get_branch("main").commit.sha == new


def test_hang_is_bounded_and_then_answers(world: World) -> None:
    world.github.faults.hang(0.3, path="*/branches/main")
    with httpx.Client(headers={"Authorization": f"token {world.token('maria')}"}) as client:
        url = f"{world.github.api_url}/repos/acme/config/branches/main"
        with pytest.raises(httpx.ReadTimeout):
            client.get(url, timeout=0.05)
        assert client.get(url).status_code == 200


def test_push_whose_answer_is_lost_has_taken_hold(world: World) -> None:
    folder = world.folder / "clone"
    world.git("clone", "-q", "REMOTE", str(folder))
    world.git("commit", "-q", "--allow-empty", "-m", "x", cwd=folder)
    sha = world.git("rev-parse", "HEAD", cwd=folder).out.strip()
    world.github.faults.answer(502, "POST", "*/git-receive-pack", after=True)
    assert world.git("push", "REMOTE", "HEAD:refs/heads/topic", cwd=folder).code != 0
    assert world.repo.git.branch("topic") == sha


def test_faults_are_switched_over_http(world: World) -> None:
    with httpx.Client(base_url=world.github.url) as client:
        wish = {"kind": "answer", "status": 503, "method": "GET", "path": "*/branches/*"}
        assert client.post("/_sandbox/faults", json=wish).status_code == 201
        assert client.get("/_sandbox/faults").json()[0]["path"] == "*/branches/*"
        with pytest.raises(GithubException) as refused:
            world.remote().get_branch("main")
        assert refused.value.status == 503
        client.post("/_sandbox/faults", json=wish)
        assert client.delete("/_sandbox/faults").status_code == 204
        assert world.remote().get_branch("main").name == "main"
        assert client.post("/_sandbox/faults", json={"kind": "magic"}).status_code == 422


def test_writes_and_reads_are_counted(world: World) -> None:
    world.branch("topic")
    remote = world.remote()
    world.github.requests.clear()
    pull = remote.create_pull(title="t", head="topic", base="main")
    pull.add_to_labels("a", "b")
    remote.get_pull(pull.number)
    assert [f"{a.method} {a.path}" for a in world.github.requests.writes()] == [
        "POST /repos/acme/config/pulls",
        "POST /repos/acme/config/issues/1/labels",
    ]
    assert len(world.github.requests.reads("*/pulls/1", "pilotage-bot")) == 1


def test_foreign_host_names_are_refused(world: World) -> None:
    """A page elsewhere may let its own name resolve to this machine."""
    for path in ("/", "/api/v3/user", "/acme/config.git/info/refs"):
        answer = httpx.get(world.github.url + path, headers={"Host": "evil.example.com"})
        assert answer.status_code == 421
