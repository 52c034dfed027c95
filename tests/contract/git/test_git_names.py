"""What is never given to git; git itself is the judge of what is a branch."""

from __future__ import annotations

import subprocess
from datetime import datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilotage.adapters.git import Identity, InvalidName, names
from pilotage.adapters.git.writing import Signature
from tests.contract.git.world import BOT, NOON

_PIECES = [
    "a",
    "é",
    "-",
    ".",
    "..",
    "/",
    "//",
    "@",
    "@{",
    "~",
    "^",
    ":",
    "?",
    "*",
    "[",
    "\\",
    "\x7f",
    ".lock",
    "HEAD",
    "refs/",
    "main",
    "_",
    "%",
    "$(x)",
    ";",
    "'",
    '"',
    "{",
]
_PIECES = [".", "..", "/", "//", "@", "@{", "~", "^", ":", "?", "*", "[", "\\", "\x7f", " ", "\t"]
_PIECES += ["a", "é", "-", "HEAD", "refs/", ".lock", "_", "%", "$(x)", ";", "'", '"', "{"]
pieces = st.sampled_from(_PIECES)


@settings(max_examples=150)
@given(st.lists(pieces, min_size=1, max_size=4).map("".join))
@example("main")
@example("promote/orders-v2.1")
@example("a.lock/b")
@example(".a")
@example("a/.b")
@example("a.")
@example("@")
def test_no_branch_is_accepted_that_git_would_refuse(name: str) -> None:
    """And none is refused that git accepts, but for what could be taken for something else."""
    judged = subprocess.run(
        ["git", "check-ref-format", f"refs/heads/{name}"], capture_output=True, check=False
    )
    mistakable = name == "HEAD" or name.startswith(("-", "refs/"))
    try:
        names.branch(name)
    except InvalidName:
        accepted = False
    else:
        accepted = True
    assert accepted == (judged.returncode == 0 and not mistakable), name


@pytest.mark.parametrize(
    "path",
    ["", "/etc", "a//b", "a/", "./a", "a/../b", "..", ".git/x", "a/.Git", "a\0b", "a\nb", "\udcff"],
)
def test_paths_that_lead_elsewhere_are_refused(path: str) -> None:
    with pytest.raises(InvalidName):
        names.path(path)


@pytest.mark.parametrize(
    "path", ["a", "-a/--b", "a b", "é/ü.yaml", ":(top)x", "*.yaml", ".github/x"]
)
def test_paths_that_are_only_unusual_are_accepted(path: str) -> None:
    assert names.path(path) == path


@pytest.mark.parametrize(
    "sha", ["", "HEAD", "a" * 39, "a" * 41, "A" * 40, "g" * 40, "a" * 40 + "\n"]
)
def test_only_a_full_sha_is_a_revision(sha: str) -> None:
    with pytest.raises(InvalidName):
        names.sha(sha)


@pytest.mark.parametrize("name", ["", " A", "A>", "A\nparent x", "A <b>", "A."])
def test_a_person_cannot_smuggle_a_header_into_a_commit(name: str) -> None:
    with pytest.raises(InvalidName):
        names.identity(Identity(name, "a@example.org"))


def test_a_commit_needs_a_time_zone_and_a_message() -> None:
    with pytest.raises(InvalidName, match="time zone"):
        Signature("x", BOT, BOT, datetime(2026, 1, 1)).lines()  # noqa: DTZ001
    with pytest.raises(InvalidName, match="empty"):
        Signature(" \n", BOT, BOT, NOON).lines()
