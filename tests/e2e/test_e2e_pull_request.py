"""The pull request as people meet it: ticks, commands, approvals, everybody's `pilotage/ready`, and
what GitHub's moods do to it."""

from __future__ import annotations

import difflib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pilotage.clock import utc_now
from pilotage.core.model import State
from pilotage.sandbox.argocd import Timings
from pilotage.sandbox.github import Permission, PullRequest
from pilotage.sandbox.github.faults import Asked
from pilotage.sandbox.github.model import Comment
from pilotage.sandbox.world import BOT, VERSIONS, World, config_text, file_text, layout, path_of
from tests.e2e.harness import FAST, Service, plain, quick_world
from tests.e2e.meanwhile import meanwhile

RARE = {"compare": "60s", "look": "60s", "fetch": "60s"}


def _ticks(service: Service) -> set[tuple[str, str]]:
    target = service.target()
    assert target is not None
    assert target.proposal is not None, service.story()
    return {(tick.item, tick.by) for tick in target.proposal.ticks}


def _opened(world: World, service: Service) -> PullRequest:
    service.until_settled()
    world.deploy("api", "api-v9.1.1")
    return service.until_open()


def _theirs(
    world: World, branch: str, files: dict[str, str], by: str = "sam", base: str = "main"
) -> PullRequest:
    world.github.commit(world.repository, branch, files, f"Change {branch}", by)
    return world.github.open_pull_request_as(by, world.repository, branch, "Mine", "Please.", base)


def _ready_at(world: World, sha: str) -> str | None:
    found = world.github.statuses(world.repository, sha).get("pilotage/ready")
    return found.state if found else None


# Ticks


@pytest.mark.parametrize("told", [True, False], ids=["event comes", "event lost"])
def test_a_tick_that_our_rewriting_overwrites_is_restored(tmp_path: Path, told: bool) -> None:
    """Two people tick at the same time as the body is rewritten: both ticks stand in the end."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        pull = _opened(world, service)
        service.until(lambda: "2 boxes open" in pull.body, "the body is complete")

        def li_ticks() -> None:
            if not told:
                world.github.webhooks.drop("pull_request")
            world.github.tick(pull, "migrations", "li")

        with meanwhile(world, "PATCH", "*/pulls/1", li_ticks) as happened:
            service.tick(pull, "feature")
            service.until(happened.is_set, "li ticked just before our write")
        service.until_ready(pull)
        assert _ticks(service) == {("feature", "maria"), ("migrations", "li")}
        service.until(lambda: pull.body.count("- [x]") == 4, "the body shows both")
        assert "**@li**" in pull.body
        assert "**@maria**" in pull.body


def test_a_box_that_is_opened_again_closes_the_gate(tmp_path: Path) -> None:
    """Unticking counts as ticking does."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        pull = _opened(world, service)
        service.tick_all(pull)
        service.until_ready(pull)
        service.tick(pull, "feature", "li", checked=False)
        service.until(lambda: service.ready(pull) == "pending", "the gate is closed again")
        assert _ticks(service) == {("migrations", "maria")}
        service.until(lambda: "- [ ] Feature" in pull.body, "the body shows it")


def test_a_robots_tick_does_not_count(tmp_path: Path) -> None:
    """Nobody can be named for it: the box is open again."""
    robot = "helper[bot]"
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        world.github.state.add_account(robot, "Bot")
        world.repository.collaborators[robot] = Permission.WRITE
        pull = _opened(world, service)
        service.tick_all(pull, robot)
        service.until(lambda: "- [x] Feature" not in pull.body, "the box is open again")
        assert service.ready(pull) == "pending"
        assert _ticks(service) == set()
        service.tick_all(pull, "maria")
        service.until_ready(pull)


def test_a_missing_permission_is_told_where_it_can_be(tmp_path: Path) -> None:
    """A status that cannot be written stays as it was: whoever asks the service hears why."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        pull = _opened(world, service)
        world.github.faults.answer(403, "POST", "/repos/*/statuses/*", times=1_000)
        service.tick_all(pull)

        def why() -> str:
            target = service.target()
            return (target.unwritten or "") if target else ""

        service.until(lambda: "403" in why(), "the target says it")
        assert "Grant the missing permission" in why()
        world.github.faults.clear()
        service.until_ready(pull)
        service.until(lambda: not why(), "and then nothing any more")


@pytest.mark.parametrize("left", ["", "<!-- pilotage:promotion:syrf-production-9 -->"])
def test_nobody_opens_the_gate_by_what_they_write_into_the_body(tmp_path: Path, left: str) -> None:
    """Without its hidden line it is still ours: no box of ours is left out, not for a moment."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        pull = _opened(world, service)
        world.github.edit_body(pull, left, "li")
        service.until(lambda: "- [ ] Feature" in pull.body, "the body stands there again")
        service.look_again()
        assert "success" not in _every_ready(world, pull.head_sha)


def test_another_pull_request_of_the_same_commit_does_not_open_our_gate(tmp_path: Path) -> None:
    """A status belongs to the commit; the stricter pull request speaks, and nothing flaps."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        pull = _opened(world, service)
        git = world.repository.git
        git.put_ref("refs/heads/mine", pull.head_sha)
        mine = world.github.open_pull_request_as(
            "sam", world.repository, "mine", "Mine", "Please.", "main"
        )
        assert mine.head_sha == pull.head_sha
        for _ in range(3):
            service.look_again()
        assert set(_every_ready(world, pull.head_sha)) == {"pending"}
        assert len(_every_ready(world, pull.head_sha)) <= 2


def _every_ready(world: World, sha: str) -> list[str]:
    """The states of `pilotage/ready` that this commit ever had."""
    found = world.repository.statuses.get(sha, [])
    return [status.state for status in found if status.context == "pilotage/ready"]


# Commands


def _said(world: World, service: Service, pull: PullRequest, text: str, by: str) -> Comment:
    """The comment, once it has its reaction."""
    comment = world.github.comment(pull, text, by)
    service.until(lambda: bool(comment.reactions), f"{text} is answered")
    return comment


def _replies(pull: PullRequest, to: Comment) -> list[str]:
    mine = (f"answer:{to.id} ", f"answer:{to.id}-")
    return [found.body for found in pull.comments if any(each in found.body for each in mine)]


def test_each_command_is_answered_once(tmp_path: Path) -> None:
    """Done or refused with the reason: a reaction, a reply where there is something to say, and
    never a second one."""
    with (
        quick_world(tmp_path) as world,
        Service(world, tmp_path, settings_given=RARE) as service,
    ):
        pull = _opened(world, service)
        asked: list[tuple[Comment, str, str]] = []

        def say(text: str, by: str, reaction: str, reply: str = "") -> None:
            asked.append((_said(world, service, pull, text, by), reaction, reply))

        say("/pilotage tick feature", "sam", "-1", "@sam may not use commands here")
        assert _ticks(service) == set()
        say("/pilotage tick feature", "maria", "+1")
        assert _ticks(service) == {("feature", "maria")}
        say("/pilotage tick nonsense", "maria", "-1", "there are feature, migrations")
        say("/Pilotage tick Feature migrations\n/pilotage explain", "maria", "+1", "every box is")
        assert _ticks(service) == {("feature", "maria"), ("migrations", "maria")}
        service.tick(pull, "migrations", checked=False)
        say("/pilotage explain", "maria", "+1", "**checklist**: 1 box open")
        say("/pilotage hold wait for the fair", "maria", "+1")
        service.until(lambda: service.ready(pull) == "failure", "it is held")
        assert "wait for the fair" in service.why(pull)
        say("/pilotage resume", "maria", "+1")
        service.until(lambda: service.ready(pull) == "pending", "it goes on")
        say("/pilotage resume", "maria", "-1", "it is not held")
        say("/pilotage launch", "maria", "-1", "unknown command `launch`; there are hold, resume")
        service.until_idle()
        for comment, reaction, reply in asked:
            given = [(found.content, found.user.login) for found in comment.reactions]
            assert given == [(reaction, BOT)], comment.body
            replies = _replies(pull, comment)
            assert len(replies) == (1 if reply else 0), (comment.body, replies)
            if reply:
                assert reply in replies[0].replace("\\", "")
        answers = sum(1 for _, _, reply in asked if reply)
        assert len(pull.comments) == len(asked) + answers
        assert len(service.events("refused")) <= 5


# Everybody's pull requests


def test_a_pull_request_that_touches_no_promoted_file_is_ready_at_once(tmp_path: Path) -> None:
    """Also when GitHub refuses the first try, and on the head that a merge queue asks about."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.github.faults.answer(502, "POST", "*/statuses/*")
        docs = _theirs(world, "docs", {"README.md": "# Better\n"})
        service.until(lambda: service.ready(docs) == "success", "it has its status")
        assert service.why(docs) == "no promoted file touched"
        queued = world.github.enqueue(docs, "maria")
        service.until(lambda: _ready_at(world, queued) == "success", "the queue has its status")
        assert world.github.settle_queue(docs, "maria")
        assert service.events("opened") == []


def test_a_persons_own_pull_request_is_judged_by_the_same_policy(tmp_path: Path) -> None:
    """Unproven: pending. Going back: success, and on the merge queue's head as well."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        api, web = path_of("production", "api"), path_of("production", "web")
        forward = file_text("production", "api", "api-v9.9.9")
        back = file_text("production", "web", "web-v4.9.0")
        unproven = _theirs(world, "hurry", {api: forward})
        backward = _theirs(world, "back", {web: back})
        service.until(lambda: service.ready(unproven) == "pending", "unproven waits")
        assert "api v9.9.9" in service.why(unproven)
        service.until(lambda: service.ready(backward) == "success", "going back may go")
        queued = world.github.enqueue(backward, "maria")
        service.until(lambda: _ready_at(world, queued) == "success", "the queue has its status")
        world.deploy("api", "api-v9.9.9")
        service.until(lambda: service.ready(unproven) == "success", "proven meanwhile")


def test_our_own_pull_request_goes_through_a_merge_queue(tmp_path: Path) -> None:
    """The queue's head gets `pilotage/ready`, and what the queue merged is confirmed."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        pull = _opened(world, service)
        service.tick_all(pull)
        service.until_ready(pull)
        queued = world.github.enqueue(pull, "maria")
        service.until(lambda: _ready_at(world, queued) == "success", "the queue has its status")
        assert world.github.settle_queue(pull, "maria")
        confirmed = service.until_state(1)
        assert confirmed.state is State.CONFIRMED, service.story()
        assert confirmed.merge is not None
        assert confirmed.merge.sha == queued


def test_somebody_elses_branch_of_our_pattern_blocks_with_a_message(tmp_path: Path) -> None:
    """A team's older job is still at work: no second pull request until theirs is gone."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        text = file_text("production", "api", "api-v9.1.0")
        older = _theirs(world, "production-promotion-42", {path_of("production", "api"): text})
        world.deploy("api", "api-v9.1.1")
        service.until(lambda: bool(service.events("blocked")), "it is told")
        service.look_again()
        told = service.events("blocked")
        assert len(told) == 1
        assert f"#{older.number} by sam" in told[0].text
        assert len(world.pulls()) == 1
        world.github.close(older, "sam")
        pull = service.until_open(2)
        assert pull.title == "Promote syrf to production: api v9.1.1"
        assert len(world.pulls()) == 2


@pytest.mark.runbook("SYRF-6")
def test_only_the_approval_of_the_configured_team_counts(tmp_path: Path) -> None:
    """At once, and not by somebody else; a new commit asks for it again."""
    gates = "gates: { soak: 0.1s, approvers: { teams: [platform-admins] } }"
    policy = FAST.replace("gates: { soak: 0.1s }", gates)
    with (
        quick_world(tmp_path, policy) as world,
        Service(world, tmp_path, settings_given=RARE) as service,
    ):
        pull = _opened(world, service)
        service.tick_all(pull)
        service.until(lambda: "1 approval missing" in service.why(pull), "an approval is missing")
        world.github.approve(pull, "sam")
        world.github.comment(pull, "/pilotage explain", "maria")
        service.until(lambda: len(pull.comments) == 2, "it was looked at")
        assert service.ready(pull) == "pending"
        world.github.approve(pull, "maria")
        service.until_ready(pull)
        assert len(world.pulls()) == 1


# GitHub's moods


def test_an_answer_lost_after_the_pull_request_was_made_makes_no_second_one(
    tmp_path: Path,
) -> None:
    """502 after the write took hold: it is found again."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.github.faults.answer(502, "POST", "*/pulls", after=True)
        world.deploy("api", "api-v9.1.1")
        service.until_reviewed()
        assert len(world.pulls()) == 1
        created = world.github.requests.entries("POST", "*/pulls")
        assert [asked.status for asked in created] == [502]


@pytest.mark.parametrize("limit", ["primary", "secondary"])
def test_a_rate_limit_is_waited_out_without_a_request_before_its_time(
    tmp_path: Path, limit: str
) -> None:
    """The wait is a row's `wake_at`: no thread sleeps, events are stored and change nothing."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        faults, reset = world.github.faults, utc_now().replace(microsecond=0) + timedelta(seconds=3)
        if limit == "secondary":
            faults.secondary_limit(2, "POST", "*/pulls")
        else:
            faults.primary_limit(reset, "POST", "*/pulls")
        world.deploy("api", "api-v9.1.1")
        service.until(lambda: not faults.active(), "the limit was met")
        refused = world.github.requests.entries("POST", "*/pulls")[0].at
        until = refused + timedelta(seconds=2) if limit == "secondary" else reset
        docs = _theirs(world, "docs", {"README.md": "# Better\n"})
        world.github.comment(docs, "Anything new?", "sam")
        pull = _ours(world, service)
        asked = [
            found
            for found in world.github.requests.entries(path="/repos/*")
            if found.at > refused and found.login == BOT
        ]
        first = min(found.at for found in asked)
        assert first >= until, f"{first} is before {until}"
        service.until(lambda: service.ready(pull) == "pending", "it goes on")
        assert len(world.pulls()) == 2


def _ours(world: World, service: Service) -> PullRequest:
    def ours() -> list[PullRequest]:
        return [found for found in world.pulls() if found.author.login == BOT]

    service.until(lambda: bool(ours()), "our pull request is open")
    return ours()[0]


# What it costs


def _many(count: int) -> dict[str, str]:
    """A world of so many services, each in a file of its own."""
    files = {".pilotage.yaml": config_text(FAST), "README.md": "# Cluster state\n"}
    for number in range(count):
        for environment in ("staging", "production"):
            name = f"service-{number:02}"
            files[path_of(environment, name)] = (
                f"serviceName: {name}\nenvName: {environment}\n"
                f"service: {{ enabled: true, chartTag: {name}-v1.0.0, replicas: 1 }}\n"
            )
    return files


def _deploy_all(world: World, count: int) -> None:
    files = {}
    for number in range(count):
        path = path_of("staging", f"service-{number:02}")
        files[path] = world.github.file(world.repository, path).replace("v1.0.0", "v1.1.0")
    world.github.commit(world.repository, "main", files, "ci: all of them", "syrf-ci")


def _kind(asked: Asked) -> str:
    parts = [part for part in asked.path.split("/") if not part.isdigit() and len(part) < 40]
    return f"{asked.method} {parts[-1]}"


@pytest.mark.parametrize("count", [1, 50])
@pytest.mark.runbook("SYRF-2")
def test_the_cost_of_a_promotion_does_not_grow_with_its_services(
    tmp_path: Path, count: int
) -> None:
    """7 writes at GitHub until it is open with labels, statuses and body, 3 for a tick, and a
    handful of git processes: for 1 service as for 50."""
    slow = replace(Timings().scaled(0.1), polling=60.0, applicationset_polling=60.0)
    with (
        World(tmp_path / "world", policy=FAST, timings=slow, files=_many(count)) as world,
        Service(world, tmp_path, settings_given=RARE) as service,
    ):
        service.until_settled()
        git = service.outside.repository(world.repository.full_name).trees.git
        processes = git.processes
        _deploy_all(world, count)
        pull = service.until_open()
        service.until(lambda: "requires-review" in pull.labels, "it has its label")
        service.until_idle()
        writes = world.github.requests.writes(login=BOT)
        assert sorted(map(_kind, writes)) == [
            "POST git-receive-pack",
            "POST labels",
            "POST pulls",
            *["POST statuses"] * 3,
        ]
        used = git.processes - processes
        assert used <= 25, used
        assert len(world.repository.git.log(f"main..{pull.head_ref}")) == 1
        service.tick(pull, "feature")
        service.until(lambda: "**@maria**" in pull.body, "the tick is attributed")
        service.until_idle()
        tick = world.github.requests.writes(login=BOT)[len(writes) :]
        assert sorted(map(_kind, tick)) == ["PATCH pulls", *["POST statuses"] * 2]
        for number in range(count):
            path = path_of("production", f"service-{number:02}")
            text = world.github.file(world.repository, path, pull.head_ref)
            assert f"chartTag: service-{number:02}-v1.1.0" in text


# What is in it


@pytest.mark.runbook("SYRF-3")
def test_only_the_promoted_lines_change_byte_for_byte(tmp_path: Path) -> None:
    """Comments, quotes and odd spacing of the files stay; other keys that differ are listed as not
    promoted; a wrong `envName` is put right."""
    files = layout(FAST)
    api = path_of("production", "api")
    files[api] = files[api].replace("envName:   production ", "envName:   staging    ")
    assert "envName:   staging" in files[api]
    with quick_world(tmp_path, files=files) as world, Service(world, tmp_path) as service:
        service.until_settled()
        versions = {"api": "api-v9.1.1", "web": "web-v5.0.1", "project-management": "pm-v10.46.0"}
        for name, version in versions.items():
            world.deploy(name, version)
        pull = service.until_open()
        service.until(lambda: "project-management pm-v10.46.0" in pull.title, "all are in it")
        service.until(lambda: "Not promoted: 4 other keys differ" in pull.body, "it is listed")
        assert "service.replicas" in pull.body
        service.tick_all(pull)
        service.until_ready(pull)
        before = _tree(world, "main")
        world.github.merge(pull, "maria")
        after = _tree(world, "main")
        changed = {path for path in before if before[path] != after[path]}
        assert changed == {path_of("production", name) for name in versions}
        for name, version in versions.items():
            path = path_of("production", name)
            old, new = VERSIONS[name], version
            wanted = before[path].replace(old, new)
            if name == "api":
                wanted = wanted.replace("envName:   staging ", "envName:   production ")
            assert after[path] == wanted, "".join(
                difflib.unified_diff(wanted.splitlines(True), after[path].splitlines(True))
            )


@pytest.mark.runbook("SYRF-4")
def test_it_says_what_is_in_it_and_asks_for_that_once(tmp_path: Path) -> None:
    """Commits and pull requests of the application's repository between the two versions, kept
    with the promotion: later looks and another process ask for nothing."""
    with quick_world(tmp_path) as world:
        with Service(world, tmp_path) as service:
            service.until_settled()
            world.release({"api": "api-v9.1.1"})
            pull = service.until_open()
            service.until(lambda: "2 commits" in pull.body, "the commits are counted")
            pages = f"{world.github.url}/camaradesuk/syrf"
            shown = plain(pull.body)
            assert (
                f"| [2 commits]({pages}/compare/api-v9.0.4...api-v9.1.1), [#1]({pages}/pull/1) |"
            ) in shown
            assert "<summary>api: 2 commits in camaradesuk/syrf</summary>" in shown
            assert "Prepare api-v9.1.1 · sam" in shown
            assert "Answer a search from the index (camaradesuk/syrf#1)" in shown
            service.look_again()
            assert "14 commits" not in service.because()
            assert "2 commits in camaradesuk/syrf" in plain(service.because())
        with Service(world, tmp_path) as service:
            service.look_again()
            service.tick_all(pull)
            service.until_ready(pull)
        assert len(world.github.requests.entries("GET", "*/compare/*")) == 1


def test_a_repository_that_does_not_answer_delays_nothing(tmp_path: Path) -> None:
    """The request is opened without, says so, and asks again later."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        for _ in range(20):
            world.github.faults.answer(502, "GET", "*/compare/*")
        pull = _opened(world, service)
        service.until(lambda: "Commits not known: 1" in pull.body, "it is said")
        assert "GitHub gave no usable answer; it is asked again" in plain(pull.body)
        service.tick_all(pull)
        service.until_ready(pull)
        # A reading that met a 5xx is repeated at once, and then not for a minute.
        assert len(world.github.requests.entries("GET", "*/compare/*")) == 2


def _tree(world: World, revision: str) -> dict[str, str]:
    paths = [".pilotage.yaml", "README.md"]
    paths += [path_of(place, name) for place in ("staging", "production") for name in VERSIONS]
    return {path: world.github.file(world.repository, path, revision) for path in paths}
