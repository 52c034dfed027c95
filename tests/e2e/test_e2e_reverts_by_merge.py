"""Where single values cannot go back, the whole merge does; where that undoes more, a person."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from pilotage.core.acts import Act, Result, ReverseMerge, RevertCommit
from pilotage.core.model import Hold, Outcome, State, Subject
from pilotage.core.outputs import Outputs
from pilotage.engine.outside import Outside
from pilotage.engine.perform import Performer
from pilotage.sandbox.github import PullRequest
from pilotage.sandbox.world import BOT, REPOSITORY, World, path_of
from tests.e2e.facts import changed, reverts
from tests.e2e.harness import FAST, Service, quick_world

SLOW = changed(FAST, ("degraded: 0.2s", "degraded: 1s"))
"""Time for a person to write something between the merge and its revert."""
API = path_of("production", "api")
REPORTS = path_of("production", "reports")


def write(world: World, files: dict[str, str], branch: str = "main") -> str:
    return world.github.commit(world.repository, branch, files, "By hand", "li")


def reviewed(service: Service) -> PullRequest:
    """api v9.2.0, which will not come up in production, is ready to be merged."""
    service.until_settled()
    service.world.argocd.fail_next_deployment("api-production")
    service.world.deploy("api", "api-v9.2.0")
    return service.until_reviewed()


def share(world: World, line: str) -> str:
    """li gives this line of api's file an anchor and repeats it: no single value is edited."""
    text = world.github.file(world.repository, API)
    before, found, after = text.partition(f"{line}:")
    assert found
    text = f"{before}{found} &shared{after}old: *shared\n"
    write(world, {API: text, "README.md": "# Edited meanwhile\n"})
    return text


def until_held(service: Service) -> Hold:
    def held() -> bool:
        promotion = service.promotion(1)
        return promotion is not None and promotion.hold is not None

    service.until(held, "it is held")
    promotion = service.promotion(1)
    assert promotion is not None
    assert promotion.hold is not None
    assert promotion.hold.subject is Subject.REVERT
    return promotion.hold


@pytest.mark.runbook("SYRF-10")
@pytest.mark.runbook("SYRF-11")
def test_a_file_that_can_no_longer_be_edited_goes_back_by_merge(tmp_path: Path) -> None:
    """The edit that came in between stays, in this file and in others; one commit, watched."""
    with quick_world(tmp_path, SLOW) as world, Service(world, tmp_path) as service:
        pull = reviewed(service)
        world.github.merge(pull, "maria")
        text = share(world, "service")
        reverted = service.until_state(1)
        assert reverted.state is State.REVERTED, service.story()
        assert reverted.outcomes == {"api": Outcome.REVERTED}
        after = world.github.file(world.repository, API)
        assert after == text.replace("api-v9.2.0", "api-v9.0.4")
        assert world.github.file(world.repository, "README.md") == "# Edited meanwhile\n"
        assert len(reverts(world)) == 1
        commit = world.repository.git.log("-1", "main")[0]
        assert commit.author.name == BOT
        assert f"This reverts commit {pull.merge_commit_sha}." in commit.message
        assert not [name for name in world.repository.git.refs("refs/heads/") if "revert" in name]
        assert not service.events("held")


@pytest.mark.parametrize("method", ["merge", "rebase"])
def test_a_new_file_is_taken_out_again_with_its_merge(tmp_path: Path, method: str) -> None:
    """Of several commits too. The application that came with it goes, and that is its end."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        pull = reviewed(service)
        new = world.github.file(world.repository, path_of("production", "web"))
        new = new.replace("web", "reports")
        write(world, {REPORTS: new}, pull.head_ref)
        service.until(lambda: service.ready(pull) == "failure", "the new head is judged")
        world.github.merge(pull, "maria", method, bypass=True)
        reverted = service.until_state(1)
        assert reverted.state is State.REVERTED, service.story()
        assert set(reverted.outcomes) == {"api", "reports"}
        assert world.github.file(world.repository, API).count("api-v9.0.4") == 1
        assert REPORTS not in world.repository.git.run("ls-tree", "-r", "--name-only", "main")
        assert len(reverts(world)) == 1
        assert "reports is taken out again" in reverted.conclusion
        service.until(
            lambda: "reports-production" not in world.argocd.names, "its application is gone"
        )


def test_a_conflict_is_for_a_person_who_is_told_where_and_how(tmp_path: Path) -> None:
    """Nothing is written. When they have put it back, their commit is what counts."""
    with quick_world(tmp_path, SLOW) as world, Service(world, tmp_path) as service:
        pull = reviewed(service)
        world.github.merge(pull, "maria")
        text = share(world, "chartTag")
        hold = until_held(service)
        assert f"later work on {API} conflicts with the reverse of the merge" in hold.reason
        assert f"git revert -m 1 {pull.merge_commit_sha}; mend the files" in hold.reason
        assert f"git add -- {API} && git revert --continue && git push" in hold.reason
        assert reverts(world) == []
        write(world, {API: text.replace("api-v9.2.0", "api-v9.0.4")})
        world.github.comment(pull, "/pilotage resume", "maria")
        assert service.until_state(1).state is State.SUPERSEDED


def test_what_else_the_merge_brought_is_somebodys_work(tmp_path: Path) -> None:
    """It is not undone; the commands that the hold gives put back the rest, and only that."""
    with quick_world(tmp_path, SLOW) as world, Service(world, tmp_path) as service:
        pull = reviewed(service)
        write(world, {"docs/by li.md": "# How to\n"}, pull.head_ref)
        service.until_ready(pull)
        world.github.merge(pull, "maria")
        text = share(world, "service")
        hold = until_held(service)
        assert "the merge brought more than what was promoted, in docs/by li.md" in hold.reason
        assert reverts(world) == []
        commands = hold.reason.partition("By hand: ")[2]
        by_hand(world, tmp_path / "clone", commands)
        assert world.github.file(world.repository, API) == text.replace("v9.2.0", "v9.0.4")
        assert world.github.file(world.repository, "docs/by li.md") == "# How to\n"
        assert world.github.file(world.repository, "README.md") == "# Edited meanwhile\n"


def by_hand(world: World, clone: Path, commands: str) -> None:
    """maria, an admin, does as the hold says, in a clone of the branch."""
    server = world.github_server.url.replace("://", f"://maria:{world.github.token_for('maria')}@")
    url = f"{server}/{REPOSITORY}.git"
    person = {
        f"GIT_{role}_{what}": "maria@acme.example"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        f"git clone --quiet {url} {clone} && cd {clone} && {commands}",
        shell=True,
        env={"PATH": os.defpath, "HOME": str(clone), "GIT_EDITOR": "true", **person},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_another_replica_makes_the_same_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that decided dies before it says so. The next has a store without the tree that was
    decided upon, makes it anew from the act, and finds the work done."""
    perform = Performer.perform
    made: list[tuple[Act, Result]] = []
    with (
        ExitStack() as stack,
        quick_world(tmp_path, SLOW) as world,
        Service(world, tmp_path) as service,
    ):

        def twice(self: Performer, act: Act, outputs: Sequence[Outputs]) -> Result:
            if isinstance(act, RevertCommit):
                outside = Outside(world.settings(tmp_path / "other"))
                stack.callback(outside.close)
                repository = outside.repository(REPOSITORY)
                repository.trees.git.fetch()
                other = Performer(outside, repository, BOT, "main")
                made.append((act, perform(other, act, outputs)))
            result = perform(self, act, outputs)
            if isinstance(act, RevertCommit):
                made.append((act, result))
            return result

        monkeypatch.setattr(Performer, "perform", twice)
        world.github.merge(reviewed(service), "maria")
        share(world, "service")
        assert service.until_state(1).state is State.REVERTED, service.story()
        (act, first), (_, second) = made
        assert isinstance(act, RevertCommit)
        assert isinstance(act.contents, ReverseMerge)
        assert first == second
        assert len(reverts(world)) == 1
        assert not service.events("held")
