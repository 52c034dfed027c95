"""Putting back what one merge brought, whatever way it was merged, and nothing else."""

from __future__ import annotations

import pytest

from pilotage.adapters.git import Conflict, GitStore, InvalidName, Missing, Sha, UnknownCommit
from tests.contract.git.world import BOT, NOON, World

ORDERS = "services/orders/production/values.yaml"
V1, V2, V3 = (f"image:\n  tag: v{n}\n" for n in (1, 2, 3))
FAR = "".join(f"line{n}: {n}\n" for n in range(20))


def merged(world: World, method: str) -> tuple[Sha, Sha]:
    """Promote in two commits on a branch and merge it. Returns (merge, what was there before)."""
    before = world.commit({ORDERS: V1 + FAR})
    world.git("checkout", "--quiet", "-B", "promote")
    for files in ({ORDERS: V2 + FAR}, {"services/orders/production/added": "new"}):
        for path, content in files.items():
            (world.work / path).write_text(content)
        world.git("add", "--all")
        world.git("commit", "--quiet", "--message", "Promote")
    world.git("checkout", "--quiet", "main")
    match method:
        case "merge":
            world.git("merge", "--quiet", "--no-ff", "--message", "Merge", "promote")
        case "squash":
            world.git("merge", "--quiet", "--squash", "promote")
            world.git("commit", "--quiet", "--message", "Squashed")
        case _:  # rebase
            before = world.commit({"between": "1"})
            world.git("rebase", "--quiet", "main", "promote")
            world.git("checkout", "--quiet", "main")
            world.git("merge", "--quiet", "--ff-only", "promote")
    world.git("push", "--quiet", "origin", "main")
    return world.git("rev-parse", "HEAD"), before


def put_back(store: GitStore, head: Sha, tree: Sha, merge: Sha) -> Sha:
    return store.write_commit_of_tree(
        head,
        tree,
        message=f"Revert the promotion\n\nThis reverts commit {merge}.",
        author=BOT,
        committer=BOT,
        when=NOON,
    )


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_what_the_merge_brought_is_taken_back_and_later_work_stays(
    world: World, method: str
) -> None:
    merge, before = merged(world, method)
    later = FAR.replace("line19: 19", "line19: changed")
    head = world.commit({ORDERS: V2 + later, "later": "1"})
    store = world.store()
    store.fetch()

    tree = store.revert_tree(merge, before, head)

    assert isinstance(tree, str)
    sha = put_back(store, head, tree, merge)
    assert world.git("show", f"{sha}:{ORDERS}", at=store.path) + "\n" == V1 + later
    assert set(store.changed_paths(head, sha)) == {ORDERS, "services/orders/production/added"}
    added = "services/orders/production/added"
    assert store.read_files(sha, [added]) == {added: Missing(added)}
    store.push(sha, "main", head)
    assert world.on_server("main") == sha


def test_a_revert_straight_after_the_merge_is_the_old_tree(world: World) -> None:
    merge, before = merged(world, "merge")
    store = world.store()
    store.fetch()
    assert store.revert_tree(merge, before, merge) == store.commit(before).tree


def test_a_later_change_of_the_same_value_is_a_conflict_for_a_person(world: World) -> None:
    merge, before = merged(world, "squash")
    head = world.commit({ORDERS: V3 + FAR})
    store = world.store()
    store.fetch()
    assert store.revert_tree(merge, before, head) == Conflict((ORDERS,))


def test_a_file_that_was_added_and_changed_since_is_a_conflict(world: World) -> None:
    merge, before = merged(world, "squash")
    head = world.commit({"services/orders/production/added": "theirs"})
    store = world.store()
    store.fetch()
    assert store.revert_tree(merge, before, head) == Conflict(("services/orders/production/added",))


def test_a_head_without_the_merge_has_nothing_to_put_back(world: World) -> None:
    merge, before = merged(world, "squash")
    store = world.store()
    store.fetch()
    with pytest.raises(InvalidName, match="does not contain the merge"):
        store.revert_tree(merge, before, before)
    with pytest.raises(UnknownCommit):
        store.revert_tree(merge, "1" * 40, merge)


def test_a_revert_is_a_constant_number_of_processes_and_leaves_no_ref(world: World) -> None:
    merge, before = merged(world, "merge")
    store = world.store()
    store.fetch()
    spent = store.processes
    first = store.revert_tree(merge, before, merge)
    assert store.processes - spent == 4  # contains it; the old tree; the reverse; the merge
    assert store.revert_tree(merge, before, merge) == first
    assert "scratch" not in world.git("for-each-ref", at=store.path)
