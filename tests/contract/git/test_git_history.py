"""History: who changed what between two commits, and which commit an act left."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pilotage.adapters.git import Sha, UnknownCommit
from tests.contract.git.world import BOT, NOON, PERSON, World

ORDERS = "services/orders/production/values.yaml"


def test_first_parents_follow_the_branch_and_not_what_was_merged(world: World) -> None:
    start = world.git("rev-parse", "HEAD")
    world.git("checkout", "--quiet", "-b", "side")
    world.git("commit", "--quiet", "--allow-empty", "--message", "Side")
    side = world.git("rev-parse", "HEAD")
    world.git("checkout", "--quiet", "main")
    world.git("merge", "--quiet", "--no-ff", "--message", "Merge side", "side")
    head = world.commit({"a": "1"}, "After")
    store = world.store()
    store.fetch()

    commits = store.first_parents(head, 10)

    assert [c.subject for c in commits] == ["After", "Merge side", "Start"]
    assert commits[1].parents == (start, side)
    assert [c.sha for c in store.first_parents(head, 1)] == [head]
    with pytest.raises(UnknownCommit):
        store.first_parents("1" * 40, 1)


def test_log_names_the_commits_that_touched_a_place(world: World) -> None:
    since = world.git("rev-parse", "HEAD")
    world.commit({ORDERS: "image:\n  tag: v2\n"}, "Orders")
    world.commit({"elsewhere": "1"}, "Elsewhere")
    until = world.commit({"services/orders/production/new": "1"}, "New file")
    store = world.store()
    store.fetch()

    def subjects(*prefixes: str) -> list[str]:
        return [c.subject for c in store.log(since, until, prefixes)]

    assert subjects("services/orders/production") == ["New file", "Orders"]
    assert subjects(ORDERS) == ["Orders"]
    assert subjects("") == ["New file", "Elsewhere", "Orders"]
    assert subjects() == []
    assert [c.subject for c in store.log(since, until, limit=1)] == ["New file"]
    assert store.log(until, since) == ()
    assert store.changed_paths(since, until, ["services"]) == (
        "services/orders/production/new",
        ORDERS,
    )
    assert store.changed_paths(since, since) == ()
    with pytest.raises(UnknownCommit, match="1" * 40):
        store.log("1" * 40, until)


def test_a_rename_is_a_removal_and_an_addition(world: World) -> None:
    old = world.git("rev-parse", "HEAD")
    new = world.commit({ORDERS: None, "moved.yaml": "image:\n  tag: v1\n"})
    store = world.store()
    store.fetch()
    assert set(store.changed_paths(old, new)) == {ORDERS, "moved.yaml"}


def hostile(world: World, author: str, message: bytes) -> Sha:
    """A commit that no careful client would make."""
    tree = world.git("rev-parse", "HEAD^{tree}")
    parent = world.git("rev-parse", "HEAD")
    raw = (
        f"tree {tree}\nparent {parent}\nauthor {author}\ncommitter {author}\n\n".encode() + message
    )
    path = world.root / "raw"
    path.write_bytes(raw)
    sha = world.git("hash-object", "-t", "commit", "-w", "--literally", str(path))
    world.git("push", "--quiet", "origin", f"{sha}:refs/heads/hostile")
    return sha


@pytest.mark.parametrize(
    ("author", "message"),
    [
        ("A\x1fB <a\x1fb@c> 99999999999999999 +0000", b"\xff\xfe not UTF-8"),
        ("A <a@b> 12 +9999", b""),
        ("<> 0 +0000", b"\n\n\n"),
        ("A <a@b> -1 +0000", b"%H%x00%n\x1b[31m"),
    ],
)
def test_a_hostile_commit_is_read_as_it_is(world: World, author: str, message: bytes) -> None:
    sha = hostile(world, author, message)
    store = world.store()
    assert store.fetch()["hostile"] == sha
    commit = store.commit(sha)
    assert commit.sha == sha
    assert commit.message == message.decode("utf-8", "replace").strip("\n")
    assert [c.sha for c in store.first_parents(sha, 2)] == [sha, world.git("rev-parse", "HEAD")]


def test_dates_are_in_utc(world: World) -> None:
    sha = hostile(world, "Ada Lovelace <ada@example.org> 1793707200 +0530", b"Hello")
    store = world.store()
    store.fetch()
    commit = store.commit(sha)
    assert commit.committed_at == datetime(2026, 11, 3, 12, tzinfo=UTC)
    assert commit.author == PERSON


def test_a_commit_of_a_whole_tree_brings_back_a_state(world: World) -> None:
    start = world.git("rev-parse", "HEAD")
    head = world.commit({"a": "2", "b": "3"})
    store = world.store()
    store.fetch()
    tree = store.commit(start).tree
    shas = {
        store.write_commit_of_tree(
            head, tree, message="Put back", author=BOT, committer=BOT, when=NOON
        )
        for _ in range(2)
    }
    assert len(shas) == 1
    commit = store.commit(shas.pop())
    assert (commit.tree, commit.parents, commit.message) == (tree, (head,), "Put back")
