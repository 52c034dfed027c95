"""The processes that run git: what they can see, what others can see of them, and how they end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from pilotage.adapters.git import (
    GitCredentials,
    GitError,
    GitStore,
    InvalidName,
    Relation,
    Sha,
    StoreDamaged,
    StoreLocked,
    StoreUnusable,
    TimedOut,
    Timeouts,
    Unauthorised,
    Unreachable,
    UnsafeEnvironment,
)
from pilotage.adapters.git.runner import Output, failure
from tests.contract.git.server import PASSWORD, USER
from tests.contract.git.world import BOT, NOON, World

on_linux = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads /proc")


def commit(store: GitStore, base: Sha, files: dict[str, bytes | None]) -> Sha:
    return store.write_commit(base, files, message="Promote", author=BOT, committer=BOT, when=NOON)


def processes_of(store: GitStore) -> Iterator[tuple[int, bytes, bytes]]:
    """(id, arguments, environment) of everything that runs for this store."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes()
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if f"GIT_DIR={store.path}".encode() in environment:
                yield int(entry.name), arguments, environment


@on_linux
def test_credentials_are_in_no_argument_list_while_a_push_runs(world: World) -> None:
    store = world.store()
    base = store.fetch()["main"]
    sha = commit(store, base, {"a": b"1"})
    arrived, released = world.server.stall(on="POST /team/config.git/git-receive-pack")
    with ThreadPoolExecutor(1) as pool:
        pushing = pool.submit(store.push, sha, "main", base)
        assert arrived.wait(30)
        running = list(processes_of(store))
        released.set()
        pushing.result()

    secrets = [PASSWORD, GitCredentials(USER, SecretStr(PASSWORD)).encoded().get_secret_value()]
    assert any(b"remote-http" in arguments for _, arguments, _ in running)
    assert any(secrets[1].encode() in environment for _, _, environment in running)
    for _, arguments, _ in running:
        assert not any(secret.encode() in arguments for secret in secrets), arguments
    on_disk = b"".join(p.read_bytes() for p in store.path.rglob("*") if p.is_file())
    assert not any(secret.encode() in on_disk for secret in secrets)


def test_credentials_are_not_in_errors_nor_in_representations(world: World) -> None:
    """Even when the server repeats them."""
    world.hook("pre-receive", f'echo "your token {PASSWORD} may not" >&2; exit 1')
    store = world.store()
    base = store.fetch()["main"]
    with pytest.raises(Exception, match=re.escape("your token *** may not")) as caught:
        store.push(commit(store, base, {"a": b"1"}), "main", base)
    shown = [str(caught.value), repr(caught.value), repr(vars(caught.value))]
    credentials = GitCredentials(USER, SecretStr(PASSWORD))
    shown += [repr(credentials), str(credentials), repr(store), repr(vars(store))]
    frames = [entry.frame for entry in caught.traceback if "pilotage" in str(entry.path)]
    shown += [repr(frame.f_locals) for frame in frames]  # as a log with local variables has them
    assert not any(PASSWORD in text for text in shown)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_fresh_token_is_minted_for_every_command_that_needs_one(world: World) -> None:
    store = world.store()
    base = store.fetch()["main"]
    commit(store, base, {"a": b"1"})
    assert len(world.minted) == 1
    store.push(base, "promote", None)
    assert len(world.minted) == 2


@on_linux
def test_a_server_that_hangs_is_given_up_and_no_process_is_left(world: World) -> None:
    store = world.store(network=1.0)
    arrived, released = world.server.stall(on="info/refs")
    with pytest.raises(Unreachable, match="no answer within 1 s"):
        store.fetch()
    assert arrived.is_set()
    assert list(processes_of(store)) == []
    released.set()
    world.server.fault = None
    assert list(store.fetch()) == ["main"]  # no lock file is in the way


@on_linux
def test_a_push_that_is_given_up_leaves_no_process(world: World) -> None:
    store = world.store(network=1.0)
    base = store.fetch()["main"]
    sha = commit(store, base, {"a": b"1"})
    _, released = world.server.stall(on="git-receive-pack")
    with pytest.raises(Unreachable):
        store.push(sha, "main", base)
    assert list(processes_of(store)) == []
    released.set()


def test_a_local_command_has_a_time_limit_too(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git that never ends, as on a disk that hangs."""
    store = world.store()
    base = store.fetch()["main"]
    impatient = GitStore.open(
        store.path, world.url, allow_protocols=("http",), timeouts=Timeouts(local=0.2)
    )
    hanging = tmp_path / "bin" / "git"
    hanging.parent.mkdir()
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", f"{hanging.parent}:{os.environ['PATH']}")
    with pytest.raises(TimedOut, match="git log did not end"):
        impatient.commit(base)


@on_linux
def test_no_child_is_left_behind(world: World) -> None:
    store = world.store()
    base = store.fetch()["main"]
    store.read_files(base, ["README.md"])
    store.push(commit(store, base, {"a": b"1"}), "main", base)
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    names = [Path(f"/proc/{child}/comm").read_text() for child in children]
    assert not any(name.startswith("git") for name in names)


def test_the_environment_cannot_lead_git_astray(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run from a hook, or with switches for debugging, the store does what it always does."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-push", "reference-transaction", "post-commit"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
        (hooks / name).chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    config = f'[core]\nhooksPath = {hooks}\n[url "http://127.0.0.1:1/"]\ninsteadOf = http://\n'
    (home / ".gitconfig").write_text(config)
    (home / ".netrc").write_text("machine 127.0.0.1 login thief password thief\n")
    trace = tmp_path / "trace"
    for name, value in {
        "HOME": str(home),
        "GIT_DIR": str(tmp_path / "elsewhere"),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_OBJECT_DIRECTORY": str(tmp_path / "objects"),
        "GIT_NAMESPACE": "other",
        "GIT_TRACE_CURL": str(trace),
        "GIT_CONFIG_PARAMETERS": f"'core.hookspath={hooks}'",
        "GIT_CONFIG_COUNT": "99",
        "GIT_CONFIG_KEY_98": "core.hooksPath",
        "GIT_CONFIG_VALUE_98": str(hooks),
        "GIT_ASKPASS": str(hooks / "pre-push"),
        "SSH_ASKPASS": str(hooks / "pre-push"),
        "GIT_AUTHOR_NAME": "Somebody",
        "GIT_SSL_NO_VERIFY": "1",
    }.items():
        monkeypatch.setenv(name, value)

    store = world.store()
    base = store.fetch()["main"]
    sha = commit(store, base, {"a": b"1"})
    store.push(sha, "main", base)
    with pytest.raises(Unauthorised):
        world.store(password=None).fetch()

    assert store.commit(sha).author == BOT
    assert not trace.exists()
    assert not (tmp_path / "hooked").exists()
    assert not any("dGhpZWY6" in (given or "") for given in world.server.authorisations)


@pytest.mark.parametrize("value", ["0", "false"])
def test_an_environment_that_prints_credentials_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("GIT_TRACE_REDACT", value)
    with pytest.raises(UnsafeEnvironment, match="GIT_TRACE_REDACT"):
        GitStore.open(tmp_path / "store", "https://github.com/team/config.git")


def test_only_the_allowed_protocols_are_spoken(world: World, tmp_path: Path) -> None:
    for url in (
        world.url,
        "ext::sh -c 'touch /tmp/x'",
        "file:///etc",
        "git@github.com:team/config.git",
        "--upload-pack=touch",
        "/etc",
    ):
        with pytest.raises(InvalidName, match="protocol"):
            GitStore.open(tmp_path / "store", url)
    with pytest.raises(InvalidName, match="credentials") as caught:
        GitStore.open(tmp_path / "store", f"https://{USER}:{PASSWORD}@github.com/team/config")
    assert PASSWORD not in str(caught.value) + repr(vars(caught.value))
    assert not (tmp_path / "store").exists()
    world.git("clone", "--quiet", "--bare", str(world.origin), str(tmp_path / "copy"))
    store = GitStore.open(
        tmp_path / "s", f"file://{tmp_path}/copy", allow_protocols=("http", "file")
    )
    assert list(store.fetch()) == ["main"]


# Locks and damage


def test_lock_files_of_a_killed_process_are_removed_only_at_opening(world: World) -> None:
    path = world.root / "store"

    def opened() -> GitStore:
        mint = GitCredentials(USER, SecretStr(PASSWORD))
        return GitStore.open(path, world.url, lambda: mint, allow_protocols=("http",))

    store = opened()
    lock = path / "refs/remotes/origin/main.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    with pytest.raises(StoreLocked, match=r"main\.lock"):
        store.fetch()
    assert opened() is not store
    assert lock.exists(), "another user of the store may hold it"

    del store
    assert list(opened().fetch()) == ["main"]


def test_another_process_keeps_its_locks(world: World) -> None:
    store = world.store()
    store.fetch()
    lock = store.path / "packed-refs.lock"
    lock.touch()
    script = (
        "import sys; from pathlib import Path; from pilotage.adapters.git import GitStore;"
        "GitStore.open(Path(sys.argv[1]), 'https://127.0.0.1/x')"
    )
    subprocess.run([sys.executable, "-c", script, str(store.path)], check=True)
    assert lock.exists()


def test_a_damaged_store_says_so(world: World) -> None:
    store = world.store()
    base = store.fetch()["main"]
    [pack] = store.path.glob("objects/pack/*.pack")
    pack.chmod(0o644)
    content = pack.read_bytes()
    pack.write_bytes(content[:12] + bytes(len(content) - 32) + content[-20:])
    with pytest.raises(StoreDamaged, match="must be removed"):
        store.list_files(base, [""])


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("fatal: not a git repository: '/data/git/x.git'", StoreUnusable),
        ("fatal: Unable to read current working directory: No such file", StoreUnusable),
        ("error: file write error: No space left on device", StoreUnusable),
        ("fatal: Unable to create '/data/git/x.git/packed-refs.lock': File exists.", StoreLocked),
        ("error: object file objects/1a/2b is empty", StoreDamaged),
    ],
)
def test_what_is_wrong_with_the_store_is_told_with_its_path(
    said: str, kind: type[GitError]
) -> None:
    error = failure(Output("fetch", 128, b"", said), Path("/data/git/x.git"))
    assert type(error) is kind
    assert str(error).startswith("/data/git/x.git ")


# Threads


def test_many_threads_use_one_store(world: World) -> None:
    """Fetching, committing and pushing at once: every branch arrives, nothing gets in the way."""
    store = world.store()
    base = store.fetch()["main"]

    def promote(number: int) -> Sha:
        mine = GitStore.open(
            store.path,
            world.url,
            lambda: GitCredentials(USER, SecretStr(PASSWORD)),
            allow_protocols=("http",),
        )
        sha = commit(mine, base, {f"file-{number}": b"1"})
        mine.push(sha, f"promote/{number}", None)
        assert mine.fetch()[f"promote/{number}"] == sha
        assert mine.relation(base, sha) is Relation.DESCENDANT
        return sha

    with ThreadPoolExecutor(6) as pool:
        pushed = list(pool.map(promote, range(6)))
    assert store.fetch() == {
        "main": base,
        **{f"promote/{number}": sha for number, sha in enumerate(pushed)},
    }


# Cost


@pytest.mark.parametrize("count", [1, 50])
def test_git_processes_do_not_depend_on_the_number_of_files(world: World, count: int) -> None:
    paths = [f"services/{number}/values.yaml" for number in range(count)]
    world.commit(dict.fromkeys(paths, "tag: v1\n"))
    store = world.store()
    spent: dict[str, int] = {}

    def spend(what: str) -> None:
        spent[what] = store.processes - sum(spent.values())

    spend("open")
    base = store.fetch()["main"]
    spend("first fetch")
    store.fetch()
    spend("fetch, nothing new")
    store.heads()
    spend("heads")
    store.read_files(base, paths)
    spend("read")
    store.list_files(base, ["services"])
    spend("list")
    sha = commit(store, base, dict.fromkeys(paths, b"tag: v2\n"))
    spend("commit")
    store.push(sha, "promote", None)
    spend("push a new branch")
    store.push(sha, "main", base)
    spend("push to the base")
    store.relation(base, sha)
    spend("relation")

    assert spent == {
        "open": 1,
        "first fetch": 3,  # the empty store's heads, the fetch, the heads
        "fetch, nothing new": 2,
        "heads": 0,
        "read": 2,  # what stands there, with modes and sizes; then all contents
        "list": 1,
        "commit": 2,  # what stands there; then the commit
        "push a new branch": 1,
        "push to the base": 2,  # does it contain the base; then the push
        "relation": 1,
    }


def test_packs_do_not_pile_up(world: World) -> None:
    """Each commit is a pack of its own; fetching joins them, and loses none that is not pushed."""
    store = world.store()
    base = store.fetch()["main"]
    commits = [commit(store, base, {"a": str(number).encode()}) for number in range(60)]
    assert len(list(store.path.glob("objects/pack/*.pack"))) > 50
    store.fetch()
    assert len(list(store.path.glob("objects/pack/*.pack"))) < 5
    assert all(store.commit(sha).parents == (base,) for sha in commits)


def test_names_are_checked_before_git_sees_them(world: World) -> None:
    store = world.store()
    base = store.fetch()["main"]
    before = store.processes
    for use in (
        lambda: store.commit("HEAD"),
        lambda: store.commit("--upload-pack=touch"),
        lambda: store.commit(base[:12]),
        lambda: store.commit(base.upper()),
        lambda: store.commit(base + "\n"),
        lambda: store.relation(base, "origin/main"),
        lambda: store.head("../main"),
        lambda: store.remote_head("--upload-pack=touch"),
        lambda: store.push(base, "a:b", None),
        lambda: store.push(base, "ok", "zero"),
        lambda: store.read_files(base, ["../../etc/passwd"]),
        lambda: store.read_files(base, ["/etc/passwd"]),
        lambda: store.list_files(base, [".git/config"]),
        lambda: commit(store, base, {"a/../b": b""}),
        lambda: commit(store, base, {"a\nD README.md": b""}),
        lambda: commit(store, base, {".GIT/hooks/x": b""}),
    ):
        with pytest.raises(InvalidName):
            use()
    assert store.processes == before


def test_the_store_needs_no_home_and_no_terminal(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME", raising=False)
    assert "HOME" not in os.environ
    assert list(world.store().fetch()) == ["main"]
