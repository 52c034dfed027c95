"""The reverse of a merge, as the service reads it: only of what was promoted and nothing else."""

from __future__ import annotations

from pilotage.adapters.git import Sha
from pilotage.core.change import Part, ServiceChange, Write, content_id
from pilotage.core.model import Merge, MergeMethod
from pilotage.core.revert import MergedMore, MergeWithdrawn, ReverseConflict, ReverseTree
from pilotage.engine.trees import Trees
from tests.contract.git.world import NOON, World

ORDERS = "services/orders/production/values.yaml"
NEW = "services/new/production/values.yaml"
REST = "".join(f"line{number}: {number}\n" for number in range(20))


def text(tag: str, rest: str = REST) -> str:
    return f"image:\n  tag: {tag}\n{rest}"


ADDED = (
    Write(NEW, "image.tag", None, "v1"),
    Write(NEW, ".", None, content_id(text("v1").encode()), part=Part.FILE),
)
CHANGES = (
    ServiceChange("new", None, "v1", ADDED),
    ServiceChange("orders", "v1", "v2", (Write(ORDERS, "image.tag", "v1", "v2"),)),
)


def merged(world: World, **more: str) -> Merge:
    """A promotion in two commits, as a rebase leaves them: `new` is added, `orders` moves on."""
    parent = world.commit({ORDERS: text("v1")})
    world.commit({NEW: text("v1")})
    sha = world.commit({ORDERS: text("v2"), **more})
    return Merge(sha, parent, MergeMethod.REBASE, "maria", NOON)


def fetched(world: World) -> Trees:
    trees = Trees(world.store(), {})
    trees.git.fetch()
    return trees


def test_all_commits_of_a_merge_go_back_and_later_work_stays(world: World) -> None:
    merge = merged(world)
    later = REST.replace("line19: 19", "line19: changed")
    head = world.commit({ORDERS: text("v2", later), "later": "1\n"})
    trees = fetched(world)
    spent = trees.git.processes

    found = trees.reverse(merge, CHANGES, head)

    assert isinstance(found, ReverseTree)
    assert trees.git.processes - spent == 9  # the paths; 2 for either side's files; the reverse
    assert trees.reverse(merge, CHANGES, head) == found
    assert trees.git.processes - spent == 9, "it is remembered"
    differ = world.git("diff-tree", "-r", "--name-status", head, found.tree, at=trees.git.path)
    assert differ.split() == ["D", NEW, "M", ORDERS]
    assert world.git("show", f"{found.tree}:{ORDERS}", at=trees.git.path) == text("v1", later)[:-1]


def test_what_else_came_with_the_merge_is_named(world: World) -> None:
    merge = merged(world, docs="# How to\n")
    assert fetched(world).reverse(merge, CHANGES, merge.sha) == MergedMore(("docs",))


def test_another_key_in_a_promoted_file_is_somebodys_work_too(world: World) -> None:
    merge = merged(world)
    onwards = world.commit({ORDERS: text("v2", "replicas: 5\n" + REST)})
    whole = Merge(onwards, merge.parent, MergeMethod.REBASE, "maria", NOON)
    assert fetched(world).reverse(whole, CHANGES, onwards) == MergedMore((ORDERS,))


def test_later_work_on_what_was_added_is_a_conflict(world: World) -> None:
    merge = merged(world)
    head = world.commit({NEW: text("v1", "theirs: 1\n")})
    assert fetched(world).reverse(merge, CHANGES, head) == ReverseConflict((NEW,))


def test_a_branch_without_the_merge_has_nothing_to_reverse(world: World) -> None:
    merge = merged(world)
    before: Sha = merge.parent
    assert fetched(world).reverse(merge, CHANGES, before) == MergeWithdrawn()
