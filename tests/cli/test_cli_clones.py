"""Clones as people have them: partial, damaged, shallow, with a file that is not committed yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.clones import CONFIG, a_clone, commit, file, git, two_services, values
from tests.cli.conftest import Run

COMMANDS = (("check",), ("check", "--json"), ("plan",), ("plan", "--json"), ("init", "--print"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_partial_clone_is_told_how_to_become_whole(
    tmp_path: Path, run: Run, command: tuple[str, ...]
) -> None:
    """One sentence, and what it says to do helps."""
    whole = a_clone(tmp_path / "whole", two_services())
    git(whole, "config", "uploadpack.allowFilter", "true")
    options = ("--quiet", "--no-checkout", "--filter=blob:none")
    git(tmp_path, "clone", *options, f"file://{whole}", "partial")
    clone = tmp_path / "partial"
    ran = run(command[0], clone, *command[1:])
    assert ran.code == 2
    assert (set(ran.json) == {"error"}) if "--json" in command else not ran.out
    advice = "git fetch --refetch --no-filter"
    assert ran.err.startswith("pilotage: ")
    assert advice in ran.err
    git(clone, *advice.split()[1:])
    assert run(command[0], clone, *command[1:]).code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_clone_that_lacks_an_object_says_so(
    tmp_path: Path, run: Run, command: tuple[str, ...]
) -> None:
    clone = a_clone(tmp_path, two_services())
    blob = git(clone, "rev-parse", f"HEAD:{file('staging', 'api')}").strip()
    (clone / ".git/objects" / blob[:2] / blob[2:]).unlink()
    ran = run(command[0], clone, *command[1:])
    assert ran.code == 2
    assert (set(ran.json) == {"error"}) if "--json" in command else not ran.out
    assert blob in ran.err
    assert "clone it anew" in ran.err


class TestWhichCommit:
    def test_any_name_that_git_knows(self, tmp_path: Path, run: Run) -> None:
        clone = a_clone(tmp_path, two_services())
        first = git(clone, "rev-parse", "HEAD").strip()
        git(clone, "tag", "--annotate", "--message", "first", "first")
        commit(clone, {file("staging", "api"): values("staging", "api-v9.2.0")})
        for at in ("HEAD~1", "first", first[:8], first):
            assert run("plan", clone, "--at", at, "--json").json["commit"] == first

    @pytest.mark.parametrize("at", ["", "-x", "--output=x", "HEAD:syrf", "no where", "a\0b"])
    def test_what_names_no_commit_is_refused(self, tmp_path: Path, run: Run, at: str) -> None:
        ran = run("check", a_clone(tmp_path, two_services()), f"--at={at}")
        assert ran.code == 2
        assert "the branches are main" in ran.err


class TestAConfigurationThatIsNotThere:
    def test_one_that_is_not_committed_is_pointed_at(self, tmp_path: Path, run: Run) -> None:
        """After `init`, before the commit; the command that it names works from there."""
        clone = a_clone(tmp_path, two_services(), config=None)
        (clone / ".pilotage.yaml").write_text(CONFIG)
        for command in ("check", "plan"):
            ran = run(command, clone / "syrf")
            assert ran.code == 1
            assert f"it is not committed yet: --config {clone / '.pilotage.yaml'} reads it" in (
                ran.out
            )
        assert run("plan", clone, "--config", clone / ".pilotage.yaml").code == 0

    def test_one_that_is_no_text_is_not_taken_for_one_that_is_not_committed(
        self, tmp_path: Path, run: Run
    ) -> None:
        clone = a_clone(tmp_path, two_services(), config=None)
        path = clone / ".pilotage.yaml"
        path.write_bytes(CONFIG.encode("utf-16"))
        git(clone, "add", "-A")
        git(clone, "commit", "--quiet", "--message", "as some editors save it")
        ran = run("check", clone)
        assert (ran.code, ".pilotage.yaml: is not UTF-8 text, from byte 0 on" in ran.out) == (
            1,
            True,
        )
        path.unlink()
        path.symlink_to("elsewhere.yaml")
        git(clone, "add", "-A")
        git(clone, "commit", "--quiet", "--message", "a link")
        ran = run("plan", clone)
        assert (ran.code, ".pilotage.yaml: is a symlink, which is never followed" in ran.out) == (
            1,
            True,
        )

    def test_none_at_all_names_the_command_that_proposes_one(
        self, tmp_path: Path, run: Run
    ) -> None:
        ran = run("plan", a_clone(tmp_path, two_services(), config=None), "--json")
        assert ran.code == 1
        (problem,) = ran.json["problems"]
        assert "`pilotage init` proposes one" in problem["text"]
