"""Pushing: leases, refusals, lost answers. Nothing is written that was not expected to be."""

from __future__ import annotations

import pytest

from pilotage.adapters.git import (
    GitStore,
    InvalidName,
    LeaseLost,
    Moved,
    NotFastForward,
    Protected,
    PushRefused,
    RepositoryMissing,
    Sha,
    Unauthorised,
    UnknownCommit,
    Unreachable,
)
from tests.contract.git.server import PASSWORD, Handler, serving
from tests.contract.git.world import BOT, NOON, World

GH006 = """
echo "error: GH006: Protected branch update failed for refs/heads/main." >&2
echo "error: Required status check \\"pilotage/ready\\" is expected." >&2
exit 1
"""
GH013 = """
echo "error: GH013: Repository rule violations found for refs/heads/main." >&2
echo "" >&2
echo "- Changes must be made through a pull request." >&2
exit 1
"""


def commit(store: GitStore, base: Sha, content: str = "1") -> Sha:
    return store.write_commit(
        base,
        {"file": content.encode()},
        message="Promote",
        author=BOT,
        committer=BOT,
        when=NOON,
    )


def test_a_branch_that_moved_is_left_alone(world: World) -> None:
    """Somebody pushed between our look and our push: their commit stays, and we are told of it."""
    store = world.store()
    base = store.fetch()["main"]
    sha = commit(store, base)
    theirs = world.commit({"theirs": "1"})

    with pytest.raises(LeaseLost) as caught:
        store.push(sha, "main", expected=base)

    assert (caught.value.expected, caught.value.actual) == (base, theirs)
    assert world.on_server("main") == theirs
    assert store.fetch()["main"] == theirs


def test_a_branch_that_exists_already_is_not_taken_over(world: World) -> None:
    store = world.store()
    base = store.fetch()["main"]
    world.git("push", "--quiet", "origin", "main:refs/heads/promote")
    with pytest.raises(LeaseLost) as caught:
        store.push(commit(store, base), "promote", expected=None)
    assert caught.value.actual == base
    assert world.on_server("promote") == base


def test_a_branch_that_is_gone_is_not_made_again(world: World) -> None:
    store = world.store()
    base = store.fetch()["main"]
    with pytest.raises(LeaseLost) as caught:
        store.push(commit(store, base), "promote", expected=base)
    assert caught.value.actual is None
    assert world.on_server("promote") is None


def test_pushing_what_is_there_already_is_done(world: World) -> None:
    store = world.store()
    base = store.fetch()["main"]
    sha = commit(store, base)
    for _ in range(2):
        store.push(sha, "main", expected=base)
        store.push(sha, "promote", expected=None)
    assert world.on_server("main") == world.on_server("promote") == sha


def test_history_is_not_rewritten_unless_asked(world: World) -> None:
    """A rolled branch may be rewritten under its lease; the base never is."""
    store = world.store()
    base = store.fetch()["main"]
    first, second = commit(store, base), commit(store, base, "2")
    store.push(first, "promote", expected=None)

    with pytest.raises(NotFastForward):
        store.push(second, "promote", expected=first)
    assert world.on_server("promote") == first

    store.push(second, "promote", expected=first, may_rewrite=True)
    assert world.on_server("promote") == second
    assert store.head("promote") == second


@pytest.mark.parametrize(
    ("script", "words"),
    [(GH006, "pilotage/ready"), (GH013, "through a pull request")],
    ids=["GH006", "GH013"],
)
def test_branch_protection_is_told_with_the_servers_own_words(
    world: World, script: str, words: str
) -> None:
    world.hook("pre-receive", script)
    store = world.store()
    base = store.fetch()["main"]
    with pytest.raises(Protected, match=words) as caught:
        store.push(commit(store, base), "main", expected=base)
    assert caught.value.branch == "main"
    assert world.on_server("main") == base


def test_another_hooks_refusal_is_not_taken_for_protection(world: World) -> None:
    world.hook("update", 'echo "file is too large" >&2; exit 1')
    store = world.store()
    base = store.fetch()["main"]
    with pytest.raises(PushRefused, match="file is too large") as caught:
        store.push(commit(store, base), "main", expected=base)
    assert not isinstance(caught.value, Protected)


def test_a_race_inside_the_server_is_a_lost_lease(world: World) -> None:
    """The branch moves after the server told us where it is, and before it takes our push."""
    store = world.store()
    base = store.fetch()["main"]
    theirs = world.commit({"theirs": "1"})
    world.git("update-ref", "refs/heads/main", base, at=world.origin)
    world.hook(
        "pre-receive",
        f"unset GIT_QUARANTINE_PATH; git update-ref refs/heads/main {theirs} {base}",
    )
    with pytest.raises(LeaseLost) as caught:
        store.push(commit(store, base), "main", expected=base)
    assert caught.value.actual == theirs
    assert world.on_server("main") == theirs


@pytest.mark.parametrize("branch", ["promote", "main"])
def test_a_push_whose_answer_was_lost_is_recognised_by_looking(world: World, branch: str) -> None:
    store = world.store()
    base = store.fetch()["main"]
    sha = commit(store, base)
    world.server.lose_answer(on="POST /team/config.git/git-receive-pack")

    store.push(sha, branch, expected=base if branch == "main" else None)

    assert world.on_server(branch) == sha
    assert store.head(branch) == sha


def test_a_push_that_failed_before_it_took_hold_is_not_taken_for_done(world: World) -> None:
    store = world.store()
    base = store.fetch()["main"]
    world.server.fail(502, on="POST /team/config.git/git-receive-pack")
    with pytest.raises(Unreachable, match="502"):
        store.push(commit(store, base), "main", expected=base)
    assert world.on_server("main") == store.head("main") == base


def test_a_branch_is_removed_only_from_where_it_was_expected(world: World) -> None:
    store = world.store()
    base = store.fetch()["main"]
    store.push(base, "promote", expected=None)

    with pytest.raises(LeaseLost):
        store.delete_branch("promote", commit(store, base))
    assert world.on_server("promote") == base

    store.delete_branch("promote", base)
    store.delete_branch("promote", base)  # gone already is done
    assert world.on_server("promote") is None
    assert store.head("promote") is None


def test_a_branch_deleted_with_a_lost_answer_is_recognised(world: World) -> None:
    store = world.store()
    base = store.fetch()["main"]
    store.push(base, "promote", expected=None)
    world.server.lose_answer(on="POST /team/config.git/git-receive-pack")
    store.delete_branch("promote", base)
    assert world.on_server("promote") is None


def test_the_default_branch_is_never_deleted(world: World) -> None:
    store = world.store()
    base = store.fetch()["main"]
    with pytest.raises(InvalidName, match="default branch"):
        store.delete_branch("main", base)
    assert world.on_server("main") == base


def test_an_unknown_commit_is_not_pushed(world: World) -> None:
    store = world.store()
    base = store.fetch()["main"]
    with pytest.raises(UnknownCommit):
        store.push("1" * 40, "promote", expected=None)
    with pytest.raises(NotFastForward):
        store.push("1" * 40, "main", expected=base)


def test_the_head_can_be_asked_without_fetching(world: World) -> None:
    store = world.store()
    store.fetch()
    moved = world.commit({"a": "1"})
    assert store.remote_head("main") == moved != store.head("main")
    assert store.remote_head("no/such") is None


# What a server can answer


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, Unauthorised),
        (403, Unauthorised),
        (404, RepositoryMissing),
        (429, Unreachable),
        (500, Unreachable),
        (503, Unreachable),
    ],
)
def test_each_refusal_has_its_type(world: World, status: int, error: type[Exception]) -> None:
    store = world.store()
    base = store.fetch()["main"]
    sha = commit(store, base)
    world.server.fail(status)
    with pytest.raises(error) as fetching:
        store.fetch()
    with pytest.raises(error):
        store.push(sha, "main", expected=base)
    assert PASSWORD not in str(fetching.value)
    assert store.heads() == {"main": base}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-git-{}-advertisement", b"\xff\x00 no packet"),
        ("application/x-git-{}-advertisement", b"001e# service=git-"),
        ("application/x-git-{}-advertisement", b""),
        ("application/x-git-{}-result", b"<html>"),
        ("application/x-git-{}-result", b"000eunpack ok\nfff"),
    ],
)
def test_garbage_says_nothing_of_the_truth(world: World, kind: str, body: bytes) -> None:
    """A push that was answered so may have taken hold: it is tried again, not given up."""
    store = world.store()
    base = store.fetch()["main"]
    sha = commit(store, base)
    world.commit({"another": "1\n"})

    def garbage(handler: Handler) -> bool:
        service = "receive-pack" if "receive-pack" in handler.requestline else "upload-pack"
        if ("POST" in handler.requestline) != kind.endswith("result"):
            return False
        handler.answer(200, {"Content-Type": kind.format(service)}, body)
        return True

    world.server.fault = garbage
    with pytest.raises(Unreachable):
        store.fetch()
    with pytest.raises(Unreachable):
        store.push(sha, "new", expected=None)
    assert store.heads() == {"main": base}


def test_wrong_and_absent_credentials_are_unauthorised(world: World) -> None:
    for password in ("wrong", None):
        with pytest.raises(Unauthorised):
            world.store(password=password).fetch()


def test_a_server_that_is_not_there_is_unreachable(world: World) -> None:
    with serving(world.root) as gone:
        url = f"{gone.url}/team/config.git"
    store = GitStore.open(world.root / "store", url, allow_protocols=("http",))
    with pytest.raises(Unreachable):
        store.fetch()


def test_credentials_do_not_follow_a_redirect_to_another_host(world: World) -> None:
    """A renamed repository is an error that names the new place, not a leak."""
    with serving(world.root / "server") as other:
        other.authenticate = False
        world.server.redirect(other.url)
        with pytest.raises(Moved):
            world.store().fetch()
        assert other.requests == []
