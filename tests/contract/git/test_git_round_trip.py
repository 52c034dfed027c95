"""Fetch, read, commit, push: the road of every promotion, over real git and real HTTP."""

from __future__ import annotations

import pytest

from pilotage.adapters.git import (
    EmptyCommit,
    File,
    GitStore,
    Kind,
    Missing,
    NotAFile,
    NotText,
    Relation,
    Sha,
    TooLarge,
    UnknownCommit,
    Unwritable,
)
from tests.contract.git.world import BOT, NOON, PERSON, World

ORDERS = "services/orders/production/values.yaml"
NOWHERE = "1" * 40


def promote(store: GitStore, base: Sha, changes: dict[str, bytes | None] | None = None) -> Sha:
    return store.write_commit(
        base,
        {ORDERS: b"image:\n  tag: v2\n"} if changes is None else changes,
        message="Promote orders to v2\n\nPilotage-Act: p1/commit/1\n",
        author=BOT,
        committer=BOT,
        when=NOON,
    )


def test_a_promotion_reaches_the_server_and_changes_nothing_else(world: World) -> None:
    """One file is rewritten; all other files, and their modes, are what they were."""
    world.commit({"bin/deploy": "#!/bin/sh\n", "données/été.txt": "é"})
    world.git("update-index", "--chmod=+x", "bin/deploy")
    world.git("commit", "--quiet", "--message", "Executable")
    world.git("push", "--quiet", "origin", "HEAD:main")
    store = world.store()
    base = store.fetch()["main"]

    sha = promote(store, base)
    store.push(sha, "promote/orders", expected=None)

    assert world.on_server("promote/orders") == sha
    world.git("fetch", "--quiet", "origin")
    assert world.git("diff", "--raw", "--abbrev=4", base, sha).count("\n") == 0
    assert world.git("diff", "--name-only", base, sha) == ORDERS
    assert world.git("show", f"{sha}:{ORDERS}") == "image:\n  tag: v2"
    assert world.git("fsck", "--strict", at=world.origin) == ""
    assert store.head("promote/orders") == sha


def test_fetch_sees_new_branches_moved_branches_and_forgets_gone_ones(world: World) -> None:
    store = world.store()
    first = store.fetch()
    world.git("push", "--quiet", "origin", "main:refs/heads/feature/a")
    moved = world.commit({"a": "1"})

    second = store.fetch()

    assert second == {"main": moved, "feature/a": first["main"]}
    world.git("push", "--quiet", "origin", ":feature/a")
    world.git("push", "--quiet", "origin", "main:refs/heads/feature")  # where feature/a was
    assert store.fetch() == {"main": moved, "feature": moved}
    assert store.head("feature/a") is None


def test_heads_survive_a_restart_without_the_network(world: World) -> None:
    store = world.store()
    heads = store.fetch()
    world.server.fail(500)

    again = GitStore.open(store.path, world.url, allow_protocols=("http",))

    assert again.heads() == heads
    assert again.commit(heads["main"]).subject == "Start"


def test_an_empty_repository_has_no_heads_and_no_default_branch(world: World) -> None:
    world.git("update-ref", "-d", "refs/heads/main", at=world.origin)
    store = world.store()
    assert store.fetch() == {}
    assert store.default_branch() is None


def test_the_default_branch_is_the_servers(world: World) -> None:
    world.git("push", "--quiet", "origin", "main:refs/heads/trunk")
    world.git("symbolic-ref", "HEAD", "refs/heads/trunk", at=world.origin)
    assert world.store().default_branch() == "trunk"


def test_a_default_branch_that_is_renamed_is_followed(world: World) -> None:
    """As a team goes from master to main, while the service runs."""
    store = world.store()
    store.fetch()
    assert store.default_branch() == "main"
    world.git("branch", "--move", "main", "trunk", at=world.origin)
    world.git("symbolic-ref", "HEAD", "refs/heads/trunk", at=world.origin)
    store.fetch()
    assert store.default_branch() == "trunk"


def test_a_default_branch_that_is_switched_while_the_old_one_stays_is_followed(
    world: World,
) -> None:
    """The server's HEAD comes with the branches: the server is asked for its name only when it
    has moved away."""
    store = world.store()
    store.fetch()
    assert store.default_branch() == "main"
    world.commit({"README.md": "# Moved\n"})
    before = store.processes
    store.fetch()
    assert store.default_branch() == "main"
    assert store.processes - before == 2, "nothing more is asked while it stays"
    world.git("push", "--quiet", "origin", "main:refs/heads/trunk")
    world.git("symbolic-ref", "HEAD", "refs/heads/trunk", at=world.origin)
    world.commit({"README.md": "# Here still\n"})
    assert set(store.fetch()) == {"main", "trunk"}
    assert store.default_branch() == "trunk"
    again = world.store()
    again.fetch()
    assert again.default_branch() == "trunk"
    again.fetch()
    before = again.processes
    assert again.default_branch() == "trunk"
    assert again.processes == before


def test_a_default_branch_that_is_not_there_yet_keeps_nothing_from_being_fetched(
    world: World,
) -> None:
    world.git("symbolic-ref", "HEAD", "refs/heads/nothing", at=world.origin)
    store = world.store()
    assert set(store.fetch()) == {"main"}
    world.git("symbolic-ref", "HEAD", "refs/heads/main", at=world.origin)
    assert store.default_branch() == "main"


def test_a_retried_commit_has_the_same_sha_even_in_another_store(world: World) -> None:
    """A crash between commit and push is repaired by making the commit again."""
    one, other = world.store(), world.store()
    base = one.fetch()["main"]
    other.fetch()
    world.commit({"unrelated": "x"})
    other.fetch()

    assert promote(one, base) == promote(one, base) == promote(other, base)


def test_a_commit_says_who_when_and_why(world: World) -> None:
    store = world.store()
    base = store.fetch()["main"]
    sha = store.write_commit(
        base, {"new": b"1"}, message="Début: é\n\nBody", author=PERSON, committer=BOT, when=NOON
    )
    commit = store.commit(sha)
    assert (commit.sha, commit.parents) == (sha, (base,))
    assert (commit.author, commit.committer) == (PERSON, BOT)
    assert (commit.authored_at, commit.committed_at) == (NOON, NOON)
    assert (commit.subject, commit.message) == ("Début: é", "Début: é\n\nBody")


def test_a_commit_leaves_no_ref_that_could_be_pushed_or_pruned(world: World) -> None:
    store = world.store()
    sha = promote(store, store.fetch()["main"])
    assert world.git("for-each-ref", "--format=%(refname)", at=store.path).split() == [
        "refs/pilotage/HEAD",
        "refs/remotes/origin/main",
    ]
    store.fetch()
    store.repack()
    assert store.commit(sha).subject == "Promote orders to v2"


def test_new_changed_and_removed_files_in_one_commit(world: World) -> None:
    odd = 'a "quoted" \\ name, with spaces – and é/-dash'
    base = world.commit({"keep": "k", "drop/only": "d", odd: "1"})
    store = world.store()
    store.fetch()

    sha = promote(
        store, base, {"drop/only": None, odd: b"2\n", "deep/er/new": b"\x00\xff", "e": b""}
    )

    assert set(store.changed_paths(base, sha)) == {"drop/only", odd, "deep/er/new", "e"}
    read = store.read_files(sha, [odd, "drop/only", "e", "keep"])
    assert isinstance(written := read[odd], File)
    assert written.content == b"2\n"
    assert read["drop/only"] == Missing("drop/only")
    assert world.git("ls-tree", "-r", "--name-only", sha, "--", "drop", at=store.path) == ""


def test_the_mode_of_an_executable_stays(world: World) -> None:
    (world.work / "run.sh").write_text("1")
    (world.work / "run.sh").chmod(0o755)
    base = world.commit({})
    store = world.store()
    store.fetch()
    entries = store.list_files(promote(store, base, {"run.sh": b"2", "n": b""}), ["run.sh", "n"])
    assert {entry.path: entry.kind for entry in entries} == {
        "run.sh": Kind.EXECUTABLE,
        "n": Kind.FILE,
    }


def with_links(world: World) -> Sha:
    """main with a link to a file, a link to a directory, and a submodule."""
    (world.work / "link.yaml").symlink_to(ORDERS)
    (world.work / "linked").symlink_to("services")
    world.git("update-index", "--add", "--cacheinfo", f"160000,{NOWHERE},vendor/lib")
    world.git("add", "link.yaml", "linked")
    world.git("commit", "--quiet", "--message", "Links")
    world.git("push", "--quiet", "origin", "HEAD:main")
    return world.git("rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("link.yaml", "symlink"),
        ("linked/orders/production/values.yaml", "'linked' is a symlink"),
        ("vendor/lib", "submodule"),
        ("vendor/lib/values.yaml", "'vendor/lib' is a submodule"),
        ("services/orders", "directory"),
        ("README.md/values.yaml", "'README.md' is a file"),
    ],
)
def test_writing_through_a_link_or_over_a_directory_is_refused(
    world: World, path: str, reason: str
) -> None:
    base = with_links(world)
    store = world.store()
    store.fetch()
    with pytest.raises(Unwritable, match=reason) as caught:
        promote(store, base, {path: b"x"})
    assert caught.value.path == path


def test_a_commit_that_changes_nothing_or_removes_nothing_is_refused(world: World) -> None:
    store = world.store()
    base = store.fetch()["main"]
    with pytest.raises(EmptyCommit):
        promote(store, base, {ORDERS: b"image:\n  tag: v1\n"})
    with pytest.raises(EmptyCommit):
        promote(store, base, {})
    with pytest.raises(Unwritable, match="does not exist"):
        promote(store, base, {"absent": None})


def test_reading_tells_apart_what_stands_at_a_path(world: World) -> None:
    world.commit({"latin": b"caf\xe9", "large": "x" * 101, "exact": "x" * 100, "empty": ""})
    base = with_links(world)
    store = world.store()
    store.fetch()
    asked = ["latin", "large", "exact", "empty", "link.yaml", "vendor/lib", "services", "no/such"]

    read = store.read_files(base, asked, limit=100)

    assert list(read) == asked
    assert isinstance(latin := read["latin"], NotText)
    assert latin.offset == 3
    assert isinstance(large := read["large"], TooLarge)
    assert large.size == 101
    assert isinstance(exact := read["exact"], File)
    assert exact.text == "x" * 100
    assert isinstance(empty := read["empty"], File)
    assert empty.content == b""
    assert read["link.yaml"] == NotAFile("link.yaml", Kind.SYMLINK)
    assert read["vendor/lib"] == NotAFile("vendor/lib", Kind.SUBMODULE)
    assert read["services"] == NotAFile("services", Kind.DIRECTORY)
    assert read["no/such"] == Missing("no/such")
    assert store.read_files(base, ["linked/orders/production/values.yaml"]) == {
        "linked/orders/production/values.yaml": Missing("linked/orders/production/values.yaml")
    }


def test_listing_gives_exactly_what_lies_below_the_prefixes(world: World) -> None:
    base = world.commit({"services-old/x": "1", "services/orders/*/y": "2", ":(top)z": "3"})
    store = world.store()
    store.fetch()

    def paths(*prefixes: str) -> list[str]:
        return [entry.path for entry in store.list_files(base, prefixes)]

    staging = "services/orders/staging/values.yaml"
    assert paths("services") == ["services/orders/*/y", ORDERS, staging]
    assert paths("services/orders/production/", staging) == [ORDERS, staging]
    assert paths("services/orders/*") == ["services/orders/*/y"]  # a name, never a pattern
    assert paths(":(top)z") == [":(top)z"]
    assert paths("nowhere") == []
    assert paths() == []
    assert len(paths("")) == 6
    [entry] = store.list_files(base, [staging])
    assert store.read_blobs([entry.id]) == {entry.id: b"image:\n  tag: v2\n"}


def test_relation_in_all_five_cases(world: World) -> None:
    store = world.store()
    old = store.fetch()["main"]
    new = world.commit({"a": "1"})
    store.fetch()
    aside = promote(store, old)

    assert store.relation(old, old) is Relation.SAME
    assert store.relation(old, new) is Relation.DESCENDANT
    assert store.relation(new, old) is Relation.ANCESTOR
    assert store.relation(new, aside) is Relation.DIVERGED
    assert store.relation(new, NOWHERE) is Relation.UNKNOWN
    blob = store.list_files(new, ["a"])[0].id
    assert store.relation(new, blob) is Relation.UNKNOWN
    with pytest.raises(UnknownCommit, match=NOWHERE):
        store.relation(NOWHERE, new)


def test_an_unknown_commit_is_told_as_such_everywhere(world: World) -> None:
    store = world.store()
    base = store.fetch()["main"]
    blob = store.list_files(base, ["README.md"])[0].id
    for sha in (NOWHERE, blob):
        for use in (
            lambda s: store.commit(s),
            lambda s: store.list_files(s, [""]),
            lambda s: store.read_files(s, [ORDERS]),
            lambda s: promote(store, s),
            lambda s: store.changed_paths(base, s),
        ):
            with pytest.raises(UnknownCommit, match=sha):
                use(sha)
