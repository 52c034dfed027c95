"""What is proposed and when: rolling on, being closed, commits and approvals by people, quarantine,
pause, and configurations or files that cannot be used."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from pilotage.clock import utc_now
from pilotage.core.model import Command, Promotion, State
from pilotage.engine.mail import Commanded, posted
from pilotage.sandbox.github import PullRequest
from pilotage.sandbox.world import BOT, World, config_text, layout, path_of
from tests.e2e.harness import FAST, TARGET, Service, plain, quick_world
from tests.e2e.meanwhile import meanwhile


def _proposal(service: Service) -> Promotion:
    target = service.target()
    assert target is not None
    assert target.proposal is not None, service.story()
    return target.proposal


def _command(service: Service, name: str, argument: str = "") -> None:
    """As somebody's `pilotage` at the terminal."""
    id_ = f"{name}-{len(service.ticks)}"
    command = Command(id_, name, argument, "maria", utc_now())
    service.store.post([posted(TARGET, Commanded(command), utc_now())])
    service.engine.poke()


def _on_branch(world: World, pull: PullRequest, service: str) -> str:
    """The service's production file as the pull request's branch has it."""
    return world.github.file(world.repository, path_of("production", service), pull.head_ref)


def _commit_to(
    world: World, pull: PullRequest, service: str, old: str, new: str, by: str = "li"
) -> str:
    path = path_of("production", service)
    text = _on_branch(world, pull, service)
    assert old in text
    files = {path: text.replace(old, new)}
    return world.github.commit(world.repository, pull.head_ref, files, f"Change {service}", by)


# A newer version while the pull request is open


def test_before_anybody_ticks_a_newer_version_replaces_the_set(tmp_path: Path) -> None:
    """Same branch, same pull request; what never went out is listed."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        branch, first = pull.head_ref, pull.head_sha
        world.deploy("api", "api-v9.1.2")
        service.until(lambda: "v9.1.2" in pull.title, "the title names the newer version")
        service.until(lambda: "Superseded: 1 version" in pull.body, "the older one is listed")
        assert (pull.head_ref, len(world.pulls())) == (branch, 1)
        assert pull.head_sha != first
        assert "api-v9.1.2" in _on_branch(world, pull, "api")
        assert len(world.repository.git.log(f"main..{branch}")) == 1
        assert "api-v9.1.1" in pull.body
        service.tick_all(pull)
        service.until_ready(pull)


def test_after_a_tick_a_newer_version_waits_until_it_is_asked_for(tmp_path: Path) -> None:
    """A reviewer's work is not cleared unasked; after `/pilotage roll` the boxes are open again."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        service.tick(pull, "feature")
        service.until(lambda: "**@maria**" in pull.body, "the tick is attributed")
        first = pull.head_sha
        world.deploy("api", "api-v9.1.2")
        service.until(lambda: "A newer set is waiting" in pull.body, "the newer set is listed")
        assert "v9.1.1" in pull.title
        assert pull.head_sha == first
        world.github.comment(pull, "/pilotage roll", "maria")
        service.until(lambda: "v9.1.2" in pull.title, "it rolled on")
        service.until(lambda: "A newer set is waiting" not in pull.body, "nothing waits")
        assert pull.head_sha != first
        assert _proposal(service).ticks == ()
        assert "- [x] Feature" not in pull.body
        service.until(lambda: service.ready(pull) == "pending", "its head has the status")
        assert len(world.pulls()) == 1


def test_roll_always_rolls_over_ticks(tmp_path: Path) -> None:
    """`roll: always`: the newest proven set is what is reviewed, whoever has ticked."""
    policy = FAST + "        roll: always\n"
    with quick_world(tmp_path, policy) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_reviewed()
        world.deploy("api", "api-v9.1.2")
        service.until(lambda: "v9.1.2" in pull.title, "it rolled on")
        service.until(lambda: service.ready(pull) == "pending", "the boxes are open again")
        assert _proposal(service).ticks == ()
        assert len(world.pulls()) == 1


def test_roll_never_waits_even_when_nobody_has_ticked(tmp_path: Path) -> None:
    """`roll: never`: a set stays until it is merged, closed or somebody asks."""
    policy = FAST + "        roll: never\n"
    with quick_world(tmp_path, policy) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        first = pull.head_sha
        world.deploy("api", "api-v9.1.2")
        service.until(lambda: "A newer set is waiting" in pull.body, "the newer set is listed")
        assert pull.head_sha == first
        assert "v9.1.1" in pull.title
        assert len(world.pulls()) == 1


@pytest.mark.parametrize("moment", ["before the push", "after the push"])
def test_a_merge_at_the_moment_of_a_roll(tmp_path: Path, moment: str) -> None:
    """What was merged is what is watched; what was not becomes the next promotion."""
    early = moment == "before the push"
    request = ("POST", "*/git-receive-pack") if early else ("*", "/repos/*")
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        old = pull.head_sha

        def merge() -> None:
            world.github.merge(pull, "maria", bypass=True)

        def pushed() -> bool:
            return early or pull.head_sha != old

        with meanwhile(world, *request, merge, when=pushed) as happened:
            world.deploy("api", "api-v9.1.2")
            service.until(happened.is_set, "it was merged in between")
        merged = "api-v9.1.1" if early else "api-v9.1.2"
        confirmed = service.until_state(1)
        assert confirmed.state is State.CONFIRMED, service.story()
        assert confirmed.versions == (("api", merged),)
        if early:
            second = service.until_open(2)
            assert second.title == "Promote syrf to production: api v9.1.2"
            assert second.head_ref != pull.head_ref
        assert len(world.pulls()) == (2 if early else 1)
        assert world.version("api", "production") == merged


def test_what_a_person_brought_there_by_hand_is_closed_and_says_why(tmp_path: Path) -> None:
    """Nothing is left to change: a pull request that nobody needs asks nobody for anything."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        world.deploy("api", "api-v9.1.1", "production")
        service.until(lambda: not pull.open, "it is closed")
        service.until(lambda: "> **Superseded**" in pull.body, "its body says so")
        assert "nothing left to change: production has every value of this set." in pull.body
        assert "to merge" not in pull.body


@pytest.mark.parametrize("refused", ["/repos/*/pulls", "*/git-receive-pack"])
def test_a_permission_that_was_missing_at_first_is_given_and_it_goes_on(
    tmp_path: Path, refused: str
) -> None:
    """The first afternoon of many: held with the reason, granted, resumed from the terminal."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.github.faults.answer(403, "POST", refused, times=1_000)
        world.deploy("api", "api-v9.1.1")
        service.until(lambda: bool(service.events("held")), "it is held")
        service.look_again()
        assert "pilotage resume syrf/production --held" in service.because()
        world.github.faults.clear()
        now = utc_now()
        command = Command(f"{TARGET}/1", "resume", "", "operator", now)
        service.store.post([posted(TARGET, Commanded(command), now)])
        service.engine.poke()
        pull = service.until_open()
        service.review_and_merge(pull)
        assert service.until_state(1).state is State.CONFIRMED
        assert len(world.pulls()) == 1
        branches = world.repository.git.refs("refs/heads/")
        assert [name for name in branches if "production-promotion" in name] == [
            f"refs/heads/{pull.head_ref}"
        ]


def test_a_newer_set_that_was_refused_is_written_once_it_is_resumed(tmp_path: Path) -> None:
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        world.github.faults.answer(403, "POST", "*/git-receive-pack", times=1_000)
        world.deploy("api", "api-v9.1.2")
        service.until(lambda: bool(service.events("held")), "it is held")
        world.github.faults.clear()
        world.github.comment(pull, "/pilotage resume", "maria")
        service.until(lambda: "api-v9.1.2" in _on_branch(world, pull, "api"), "it is written")
        service.tick_all(pull)
        service.until_ready(pull)


def test_what_could_not_be_closed_is_closed_once_it_is_resumed(tmp_path: Path) -> None:
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        world.github.faults.answer(403, "PATCH", "/repos/*/pulls/*", times=1_000)
        world.deploy("api", "api-v9.1.1", "production")
        service.until(lambda: bool(service.events("held")), "it is held")
        world.github.faults.clear()
        world.github.comment(pull, "/pilotage resume", "maria")
        service.until(lambda: not pull.open, "it is closed")


# Closed, reopened


def test_a_closed_set_is_refused_and_another_one_is_proposed(tmp_path: Path) -> None:
    """Closing refuses exactly this set of values; a newer version is another set."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        world.github.close(pull, "maria")
        closed = service.until_state(1, State.CLOSED)
        assert closed.conclusion == "#1 was closed by maria"
        service.until(lambda: "> **Closed** by @maria" in pull.body, "the body says so")
        assert "to merge" not in pull.body
        service.look_again()
        service.look_again()
        assert len(world.pulls()) == 1
        assert "maria closed syrf-production-1" in service.because()
        world.deploy("api", "api-v9.1.2")
        second = service.until_open(2)
        assert second.title == "Promote syrf to production: api v9.1.2"
        assert not pull.open
        assert len(world.pulls()) == 2


def test_a_reopened_pull_request_is_open_again(tmp_path: Path) -> None:
    """Closed by mistake: the same promotion goes on, ticks and all, to production."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        service.tick(pull, "feature")
        service.until(lambda: "**@maria**" in pull.body, "the tick is attributed")
        world.github.close(pull, "li")
        service.until_state(1, State.CLOSED)
        service.until(lambda: "**Closed**" in pull.body, "the body says so")
        world.github.reopen(pull, "li")
        service.until_state(1, State.OPEN)
        service.until(lambda: "**Not ready to merge:** 1 box open" in pull.body, "it says so again")
        service.tick(pull, "migrations")
        service.until_ready(pull)
        world.github.merge(pull, "maria")
        assert service.until_state(1).state is State.CONFIRMED
        assert len(world.pulls()) == 1


@pytest.mark.parametrize("touched", [False, True], ids=["untouched", "touched"])
def test_reopened_while_a_newer_one_is_open(tmp_path: Path, touched: bool) -> None:
    """An untouched newer one is superseded by it; one in review wins, and the reopened says so."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        first = service.until_open()
        world.github.close(first, "maria")
        service.until_state(1, State.CLOSED)
        world.deploy("api", "api-v9.1.2")
        second = service.until_open(2)
        if touched:
            service.tick(second, "feature")
            service.until(lambda: "**@maria**" in second.body, "the newer one is in review")
        world.github.reopen(first, "li")
        if touched:
            service.look_again()
            service.look_again()
            assert second.open
            assert "#1 was reopened, but #2 is in review" in plain(service.because())
            assert service.ready(first) == "failure"
            assert service.why(first).endswith("but #2 is in review; close #2 first")
        else:
            service.until(lambda: not second.open, "the newer one is closed")
            service.until(lambda: "> **Superseded**" in second.body, "its body says so")
            assert "to merge" not in second.body
            service.until(lambda: "v9.1.2" in first.title, "and its set taken over")
            service.tick_all(first)
            service.until_ready(first)
            said = [found.body for found in second.comments]
            assert len(said) == 1
            assert "superseded by #1, which was reopened" in said[0]
        assert len(world.pulls()) == 2


def test_another_base_closes_the_gate_and_its_merge_releases_nothing(tmp_path: Path) -> None:
    """A merge into a branch that nobody deploys holds no later promotion up."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_reviewed()
        world.repository.git.put_ref("refs/heads/other", pull.base_sha)
        _set_base(world, pull, "other")
        service.until(lambda: service.ready(pull) == "failure", "the gate is closed")
        assert service.why(pull).startswith(
            "it goes into other, not main; set its base branch to main"
        )
        world.github.merge(pull, "maria", bypass=True)
        ended = service.until_state(1)
        assert ended.state is State.SUPERSEDED
        assert ended.conclusion == "merged by maria into other, not main: nothing is released"
        service.until(lambda: "into other, not main" in pull.body, "the body says so")
        second = service.until_open(2)
        service.review_and_merge(second)
        assert service.until_state(2).state is State.CONFIRMED


def test_a_default_branch_that_is_switched_is_watched_from_then_on(tmp_path: Path) -> None:
    """The old one stays, and what is open goes into it until somebody changes that."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_reviewed()
        world.github.commit(world.repository, "trunk", {"NOTES.md": "new\n"}, "Begin", "maria")
        world.repository.default_branch = "trunk"
        world.repository.git.run("symbolic-ref", "HEAD", "refs/heads/trunk")
        service.until(lambda: service.ready(pull) == "failure", "the gate is closed")
        why = "it goes into main, not trunk; set its base branch to trunk"
        assert service.why(pull) == why
        (told,) = service.events("branch_switched")
        assert told.text == (
            "trunk is the repository's default branch now, and was main: it is watched instead"
        )
        _set_base(world, pull, "trunk")
        service.until_ready(pull)
        assert len(service.events("branch_switched")) == 1
        assert not service.events("person_rolled_back")


def _set_base(world: World, pull: PullRequest, base: str) -> None:
    """As a person does it at the top of the page."""
    answer = httpx.patch(
        f"{world.github.api_url}/repos/{world.repository.full_name}/pulls/{pull.number}",
        headers={"Authorization": f"Bearer {world.github.token_for('maria')}"},
        json={"base": base},
    )
    assert answer.status_code == 200, answer.text


# Commits by people


def test_a_persons_commit_on_the_branch_is_never_overwritten(tmp_path: Path) -> None:
    """Statuses go on on its head, newer versions wait, and the body says so."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        sha = _commit_to(world, pull, "api", "replicas: 3", "replicas: 4")
        service.until(lambda: "is a commit that Pilotage did not write" in pull.body, "it is said")
        service.until(lambda: service.ready(pull) == "pending", "its head has the status")
        world.deploy("api", "api-v9.1.2")
        service.until(lambda: "A newer set is waiting" in pull.body, "the newer set waits")
        assert pull.head_sha == sha
        service.tick_all(pull)
        service.until_ready(pull)
        world.github.merge(pull, "maria")
        assert service.until_state(1).state is State.CONFIRMED, service.story()
        merged = world.github.file(world.repository, path_of("production", "api"))
        assert "api-v9.1.1" in merged
        assert "replicas: 4" in merged


@pytest.mark.parametrize(
    ("changed", "old", "new"),
    [
        pytest.param("api", "api-v9.1.1", "api-v9.9.9", id="of the set"),
        pytest.param("web", "web-v5.0.0", "web-v5.9.9", id="of another service"),
    ],
)
def test_an_unproven_value_by_a_person_keeps_the_gate_closed(
    tmp_path: Path, changed: str, old: str, new: str
) -> None:
    """Nobody ticks an unproven version into production by way of our branch."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_reviewed()
        sha = _commit_to(world, pull, changed, old, new)
        service.until(lambda: service.ready(pull) == "failure", "the gate is closed")
        assert pull.head_sha == sha
        assert new.removeprefix(f"{changed}-") in service.why(pull)
        _commit_to(world, pull, changed, new, old)
        service.until_ready(pull)
        assert len(world.pulls()) == 1


# Quarantine and together


def test_together_all_waits_for_a_quarantined_version(tmp_path: Path) -> None:
    """`together: all`: one version in quarantine keeps back the others, until it is lifted."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        _command(service, "quarantine", "web web-v5.0.1 leaks memory")
        service.until(lambda: bool(service.events("quarantined")), "it is in quarantine")
        world.deploy("web", "web-v5.0.1")
        world.deploy("api", "api-v9.1.1")

        def proven() -> bool:
            target = service.target()
            return target is not None and len([p for p in target.proofs if p.proven]) == 2

        service.until(proven, "both are proven")
        service.look_again()
        assert "web v5.0.1 is in quarantine: leaks memory" in plain(service.because())
        assert world.pulls() == []
        _command(service, "lift", "web web-v5.0.1")
        pull = service.until_open()
        assert pull.title == "Promote syrf to production: api v9.1.1, web v5.0.1"
        assert len(world.pulls()) == 1


def test_together_proven_leaves_a_quarantined_version_out(tmp_path: Path) -> None:
    """`together: proven`: the others go, and the body names what was left out and why."""
    with (
        quick_world(tmp_path, files=_layout("together: proven")) as world,
        Service(world, tmp_path) as service,
    ):
        service.until_settled()
        _command(service, "quarantine", "web web-v5.0.1 leaks memory")
        service.until(lambda: bool(service.events("quarantined")), "it is in quarantine")
        world.deploy("web", "web-v5.0.1")
        world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        assert pull.title == "Promote syrf to production: api v9.1.1"
        service.until(lambda: "Left out: 1" in pull.body, "what was left out is listed")
        assert "web v5.0.1 is in quarantine: leaks memory" in plain(pull.body)
        assert "web-v5.0.0" in _on_branch(world, pull, "web")
        assert len(world.pulls()) == 1


def _layout(together: str = "", **replaced: str) -> dict[str, str]:
    """The world's files with a line for the pipeline, and other texts for some production files."""
    files = layout(FAST)
    files[".pilotage.yaml"] = files[".pilotage.yaml"].replace(
        "    preset: cluster-gitops\n", f"    preset: cluster-gitops\n    {together}\n"
    )
    return files | {path_of("production", name): text for name, text in replaced.items()}


# Pause and observe


def test_paused_nothing_is_opened_and_ready_is_red_with_the_reason(tmp_path: Path) -> None:
    """A pause stops acts, not outputs: everybody else's pull requests still get their status."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_reviewed()
        _command(service, "pause", "change freeze")
        service.until(lambda: service.ready(pull) == "failure", "ready is red")
        assert "change freeze" in service.why(pull)
        head = pull.head_sha
        world.deploy("api", "api-v9.1.2")
        docs = _theirs(world, "docs", {"README.md": "# Better\n"})
        service.until(lambda: service.ready(docs) == "success", "a stranger's has its status")
        world.github.close(pull, "maria")
        service.until_state(1, State.CLOSED)
        service.until(lambda: "paused by maria" in service.because(), "it says so")
        assert pull.head_sha == head
        assert [found.number for found in world.pulls()] == [pull.number, docs.number]
        _command(service, "unpause")
        service.until(lambda: len(world.pulls()) == 3, "the next set is proposed")


def test_observing_writes_nothing_outside(tmp_path: Path) -> None:
    """`mode: observe` decides and explains; GitHub sees no write, a stranger's no status."""
    with (
        quick_world(tmp_path, files=_layout("mode: observe")) as world,
        Service(world, tmp_path) as service,
    ):
        service.until_settled()
        docs = _theirs(world, "docs", {"README.md": "# Better\n"})
        world.deploy("api", "api-v9.1.1")
        service.until(
            lambda: "would open a pull request: api v9.1.1" in service.because(), "it is proven"
        )
        world.github.comment(docs, "/pilotage explain", "maria")
        service.look_again()
        assert world.github.requests.writes(login=BOT) == []
        assert service.ready(docs) is None
        assert len(world.pulls()) == 1


def _theirs(
    world: World, branch: str, files: dict[str, str], by: str = "sam", title: str = "Mine"
) -> PullRequest:
    world.github.commit(world.repository, branch, files, title, by)
    return world.github.open_pull_request_as(by, world.repository, branch, title, "Please.")


# What cannot be used


def test_a_wrong_configuration_is_told_on_its_commit_and_mended(tmp_path: Path) -> None:
    """File, line and the nearest name stand on the commit; nothing starts until it is mended."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        wrong = config_text(FAST).replace("        checklist:\n", "        cheklist:\n")
        line = wrong.splitlines().index("        cheklist:") + 1
        sha = world.github.commit(
            world.repository, "main", {".pilotage.yaml": wrong}, "ci: gates", "sam"
        )

        def config(at: str) -> tuple[str, str]:
            found = world.github.statuses(world.repository, at).get("pilotage/config")
            return (found.state, found.description or "") if found else ("", "")

        service.until(lambda: config(sha)[0] == "failure", "the commit says it")
        told = config(sha)[1]
        assert told.startswith(f".pilotage.yaml:{line}")
        assert "did you mean `checklist`?" in told
        world.deploy("api", "api-v9.1.1")
        head = world.repository.git.branch("main")
        assert head is not None
        service.until(lambda: config(head)[0] == "failure", "so does the next one")
        assert world.pulls() == []
        mended = world.github.commit(
            world.repository, "main", {".pilotage.yaml": config_text(FAST)}, "ci: mend", "sam"
        )
        service.until_open()
        service.until(lambda: config(mended)[0] == "success", "the mended commit says so")
        assert len(world.pulls()) == 1


def test_while_the_configuration_is_wrong_nothing_is_ready_but_what_mends_it(
    tmp_path: Path,
) -> None:
    """Nobody would watch a merge; and whoever mends it must get through the same branch rules."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_reviewed()
        wrong = config_text(FAST).replace("        checklist:\n", "        cheklist:\n")
        world.github.commit(world.repository, "main", {".pilotage.yaml": wrong}, "ci: x", "maria")
        service.until(lambda: service.ready(pull) == "failure", "the gate is closed")
        assert service.why(pull).startswith("the configuration cannot be used: .pilotage.yaml:")
        mended = {".pilotage.yaml": config_text(FAST)}
        world.github.commit(world.repository, "mend", mended, "ci: mend", "sam")
        mend = world.github.open_pull_request_as("sam", world.repository, "mend", "Mend it", "")
        service.until(lambda: service.ready(mend) == "success", "what mends it may be merged")
        world.github.merge(mend, "sam")
        service.until_ready(pull)


def test_a_proposal_of_a_target_that_is_gone_cannot_be_merged(tmp_path: Path) -> None:
    """A renamed pipeline: its merge would be watched by nobody under the old name."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_reviewed()
        renamed = config_text(FAST).replace("\n  syrf:\n", "\n  surf:\n")
        world.github.commit(world.repository, "main", {".pilotage.yaml": renamed}, "ci: x", "maria")
        service.until(lambda: service.ready(pull) == "failure", "the gate is closed")
        assert service.why(pull) == "syrf/production is not promoted any more; close this one"
        back = {".pilotage.yaml": config_text(FAST)}
        world.github.commit(world.repository, "main", back, "ci: back", "maria")
        service.until_ready(pull)


def test_a_file_that_is_removed_meanwhile_closes_the_gate(tmp_path: Path) -> None:
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_reviewed()
        file = path_of("production", "api")
        world.github.commit(world.repository, "main", {file: None}, "drop api", "maria")
        service.until(lambda: service.ready(pull) == "failure", "the gate is closed")
        assert f"{file} is not on main any more" in pull.body


@pytest.mark.parametrize("how", ["broken", "without the pipeline"])
def test_a_release_is_watched_to_its_verdict_whatever_becomes_of_the_configuration(
    tmp_path: Path, how: str
) -> None:
    """From the merge on the configuration is pinned; only nothing new starts until it is mended."""
    good = config_text(FAST)
    bad = (
        good.replace("gates:", "gate:")
        if how == "broken"
        else good.replace("  syrf:", "  rest:").replace("files: syrf/", "files: rest/")
    )
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.argocd.set_slowness("api-production", 6)
        service.release("api", "api-v9.1.1")
        service.until_state(1, State.ROLLING_OUT)
        world.github.commit(world.repository, "main", {".pilotage.yaml": bad}, "ci: gates", "sam")
        world.deploy("web", "web-v5.0.1")
        confirmed = service.until_state(1)
        assert confirmed.state is State.CONFIRMED, service.story()
        assert len(world.pulls()) == 1
        assert service.events("reverting") == []
        world.github.commit(world.repository, "main", {".pilotage.yaml": good}, "ci: mend", "sam")
        pull = service.until_open(2)
        assert pull.title == "Promote syrf to production: web v5.0.1"
        assert len(world.pulls()) == 2


_BAD = {
    "alias": (
        "envName: production\nold: &tag alias-v1.0.0\nservice:\n  chartTag: *tag\n",
        4,
        "alias",
    ),
    "merge": (
        "envName: production\nbase: &base\n  chartTag: merge-v1.0.0\nservice:\n  <<: *base\n",
        5,
        "merge",
    ),
    "twice": (
        "envName: production\nservice:\n  chartTag: twice-v1.0.0\n  chartTag: twice-v1.0.0\n",
        4,
        "twice",
    ),
    "block": (
        "envName: production\nservice:\n  chartTag: |-\n    block-v1.0.0\n",
        3,
        "block",
    ),
    "missing": ("service:\n  chartTag: missing-v1.0.0\n", 1, "envName"),
}
"""Service to its production file, and the line and a word of what is told of it."""


def _with_bad_files() -> dict[str, str]:
    files = layout(FAST)
    for name, (text, _, _) in _BAD.items():
        good = f"envName: staging\nservice:\n  chartTag: {name}-v1.0.0\n"
        files |= {path_of("staging", name): good, path_of("production", name): text}
    return files


def test_files_that_cannot_be_edited_safely_are_refused(tmp_path: Path) -> None:
    """Alias, merge key, duplicate key, block scalar and missing path: each with file, line and why;
    nothing is written, not even for the services whose files are good."""
    with (
        quick_world(tmp_path, files=_with_bad_files()) as world,
        Service(world, tmp_path) as service,
    ):
        service.until_settled()
        new = {
            path_of("staging", name): f"envName: staging\nservice:\n  chartTag: {name}-v1.1.0\n"
            for name in _BAD
        }
        world.github.commit(world.repository, "main", new, "ci: all of them", "syrf-ci")
        world.deploy("api", "api-v9.1.1")

        def proven() -> bool:
            target = service.target()
            return target is not None and any(found.proven for found in target.proofs)

        service.until(proven, "api is proven")
        service.look_again()
        said = plain(service.because())
        for name, (text, line, why) in _BAD.items():
            path = path_of("production", name)
            told = next((each for each in said.splitlines() if f"{path}:{line}" in each), "")
            assert why in told, f"{name}: {said}"
            assert world.github.file(world.repository, path) == text
        assert world.pulls() == []
        assert world.github.requests.writes("*/git-receive-pack", login=BOT) == []
