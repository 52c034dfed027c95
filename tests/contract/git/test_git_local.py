"""Reading a clone that somebody has on disk: no network, no writing, whatever its shape."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotage.adapters.git import (
    File,
    GitStore,
    Identity,
    IncompleteClone,
    NotARepository,
    Offline,
    Relation,
)
from tests.contract.git.world import NOON, World, git

ORDERS = "services/orders/production/values.yaml"


def test_a_work_tree_is_read_as_committed(world: World) -> None:
    head = world.git("rev-parse", "HEAD")
    (world.work / ORDERS).write_text("uncommitted")
    store = GitStore.local(world.work / "services" / "orders")

    assert store.head("main") == head
    assert store.default_branch() == "main"
    assert isinstance(file := store.read_files(head, [ORDERS])[ORDERS], File)
    assert file.text == "image:\n  tag: v1\n"
    assert store.commit(head).subject == "Start"
    assert (world.work / ORDERS).read_text() == "uncommitted"


def test_own_branches_win_over_the_servers(world: World) -> None:
    first = world.git("rev-parse", "HEAD")
    world.git("push", "--quiet", "origin", "main:refs/heads/theirs")
    second = world.commit({"a": "1"})
    world.git("fetch", "--quiet")
    world.git("reset", "--quiet", "--hard", first)

    heads = GitStore.local(world.work).heads()

    assert world.git("rev-parse", "origin/main") == second
    assert heads == {"main": first, "theirs": first}


def test_a_bare_clone_and_a_linked_work_tree(world: World, tmp_path: Path) -> None:
    head = world.git("rev-parse", "HEAD")
    world.git("worktree", "add", "--quiet", "-b", "linked", str(tmp_path / "linked"))
    assert GitStore.local(tmp_path / "linked").head("linked") == head
    assert GitStore.local(world.origin).head("main") == head


def test_the_checkout_of_a_ci_job_is_enough(world: World, tmp_path: Path) -> None:
    """Shallow, detached, only the server's branches; and no guess about what it does not hold."""
    old = world.git("rev-parse", "HEAD")
    head = world.commit({"a": "1"})
    aside = world.commit({"b": "1"})
    world.git("push", "--quiet", "--force", "origin", f"{head}:refs/heads/main")
    world.git("push", "--quiet", "origin", f"{aside}:refs/heads/aside")
    clone = tmp_path / "ci"
    url = f"file://{world.origin}"
    git("clone", "--quiet", "--depth=1", "--no-single-branch", url, str(clone), at=tmp_path)
    git("checkout", "--quiet", "--detach", at=clone)
    git("branch", "--quiet", "-D", "main", at=clone)
    store = GitStore.local(clone)

    assert store.heads() == {"main": head, "aside": aside}
    assert store.default_branch() == "main"
    assert store.relation(head, old) is Relation.UNKNOWN
    assert store.relation(head, aside) is Relation.UNKNOWN  # cut off: it does contain it
    assert len(store.list_files(head, [""])) == 4


def test_nothing_is_fetched_written_or_run(world: World, tmp_path: Path) -> None:
    head = world.git("rev-parse", "HEAD")
    for hook in ("reference-transaction", "post-checkout"):
        path = world.work / ".git" / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
        path.chmod(0o755)
    before = {p: p.stat().st_mtime_ns for p in (world.work / ".git").rglob("*")}
    store = GitStore.local(world.work)
    store.heads()
    store.list_files(head, [""])
    bot = Identity("Bot", "bot@example.org")
    for use in (
        lambda: store.fetch(),
        lambda: store.push(head, "main", head),
        lambda: store.delete_branch("other", head),
        lambda: store.remote_head("main"),
        lambda: store.write_commit(
            head, {"a": b"1"}, message="x", author=bot, committer=bot, when=NOON
        ),
    ):
        with pytest.raises(Offline):
            use()
    assert {p: p.stat().st_mtime_ns for p in (world.work / ".git").rglob("*")} == before
    assert not (tmp_path / "hooked").exists()
    assert world.server.requests == []


def test_a_partial_clone_is_not_completed_behind_the_readers_back(
    world: World, tmp_path: Path
) -> None:
    world.git("config", "uploadpack.allowFilter", "true", at=world.origin)
    clone = tmp_path / "partial.git"
    url = f"file://{world.origin}"
    git("clone", "--quiet", "--bare", "--filter=blob:none", url, str(clone), at=tmp_path)
    store = GitStore.local(clone)
    head = store.heads()["main"]
    with pytest.raises(IncompleteClone, match="partial clone"):
        store.list_files(head, [""])
    with pytest.raises(IncompleteClone, match="partial clone"):
        store.read_files(head, [ORDERS])


def test_a_folder_that_is_no_repository_is_told_as_such(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(NotARepository, match=str(path)):
            GitStore.local(path)
