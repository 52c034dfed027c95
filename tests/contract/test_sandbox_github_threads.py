"""Many clients at once: what must happen once happens once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from github import GithubException

from pilotage.sandbox.github.model import Permission
from tests.contract.github_world import Receiver, World


def outcome(world: World, login: str, branch: str) -> str:
    try:
        world.remote(login).create_pull(title=branch, head=branch, base="main")
    except GithubException as refused:
        return str(refused.status)
    return "created"


def test_one_of_many_simultaneous_creations_succeeds(world: World) -> None:
    world.branch("topic")
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: outcome(world, "maria", "topic"), range(8)))
    assert sorted(outcomes) == ["422"] * 7 + ["created"]


def test_pushes_and_merges_at_the_same_moment_lose_nothing(
    world: World, receiver: Receiver
) -> None:
    """Four pull requests are merged while four branches are pushed: each act is in the history
    and told once; a merge may meet the transient 405 and is then tried again."""
    world.github.add_webhook(world.repo, receiver.url, "secret", ["push", "pull_request"])
    names = [f"topic-{n}" for n in range(4)]
    for name in names:
        world.branch(name)
        world.github.open_pull_request_as("maria", world.repo, name, name)

    def merge(number: int) -> None:
        for _ in range(10):
            try:
                world.remote("maria").get_pull(number).merge()
            except GithubException as refused:
                if refused.status != 405:
                    raise
            else:
                return
        raise AssertionError(f"{number} was never merged")

    def push(name: str) -> None:
        folder = world.folder / name
        assert world.git("clone", "-q", "REMOTE", str(folder)).code == 0
        world.git("commit", "-q", "--allow-empty", "-m", name, cwd=folder)
        pushed = world.git("push", "REMOTE", f"HEAD:refs/heads/pushed-{name}", cwd=folder)
        assert pushed.code == 0, pushed.err

    world.token("maria"), world.token("pilotage-bot")
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(merge, n + 1) for n in range(4)]
        done += [pool.submit(push, name) for name in names]
        for future in done:
            future.result()
    assert world.github.webhooks.drain()
    closed = [r.json["number"] for r in receiver.received if '"closed"' in r.body.decode()[:30]]
    assert sorted(closed) == [1, 2, 3, 4]
    tip = world.repo.git.branch("main") or ""
    assert all(world.repo.git.contains(tip, p.head_sha) for p in world.repo.pulls.values())
    refs = [r.json["ref"] for r in receiver.received if r.event == "push"]
    assert sorted(ref for ref in refs if "pushed-" in ref) == [
        f"refs/heads/pushed-{name}" for name in names
    ]


def test_hundred_files_are_one_commit(world: World) -> None:
    files = {f"service-{n}/config.yaml": f"tag: {n}\n" for n in range(100)}
    sha = world.github.commit(world.repo, "main", files, "many", "maria")
    assert world.github.file(world.repo, "service-42/config.yaml", sha) == "tag: 42\n"
    repo = world.github.create_repository(
        "acme", "large", files, collaborators={"maria": Permission.WRITE}
    )
    assert len(repo.git.tree(repo.git.branch("main") or "")) == 100
