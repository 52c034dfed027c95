"""What lies between two versions, asked of the stand-in, whose answers are held to GitHub's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

from pilotage.adapters.github import App, GitHub, MachineUser
from pilotage.core.comparison import MOST_COMMITS, Compared, Direction, NotCompared, Span
from pilotage.sandbox.github import Permission
from tests.contract.github_world import World
from tests.contract.test_github_app import PRIVATE, PUBLIC

REPO = "acme/api"


@pytest.fixture
def github(world: World) -> Iterator[GitHub]:
    with client(world) as made:
        yield made


def client(world: World, login: str = "pilotage-bot", timeout: int = 20) -> GitHub:
    credential = MachineUser(SecretStr(world.token(login)))
    return GitHub(credential, base_url=world.github.api_url, timeout=timeout)


@pytest.fixture
def release(world: World) -> Callable[..., str]:
    """Commits with these messages on top of a branch, by li, and a tag on the last."""
    state = world.github
    writers = {"pilotage-bot": Permission.WRITE, "li": Permission.WRITE}
    repo = state.create_repository("acme", "api", {"a.txt": "0\n"}, collaborators=writers)

    def release(tag: str, *messages: str, branch: str = "main", parent: str | None = None) -> str:
        sha = repo.git.branch(branch) or parent or ""
        for number, message in enumerate(messages):
            sha = state.commit(repo, branch, {"a.txt": f"{tag} {number}\n"}, message, "li")
        repo.git.put_ref(f"refs/tags/{tag}", sha)
        return sha

    return release


def compared(github: GitHub, before: str, after: str, repository: str = REPO) -> Compared:
    found = github.compare(Span(repository, before, after))
    assert isinstance(found, Compared), found
    return found


def refused(github: GitHub, before: str, after: str, repository: str = REPO) -> NotCompared:
    found = github.compare(Span(repository, before, after))
    assert isinstance(found, NotCompared), found
    return found


@pytest.mark.runbook("SYRF-4")
def test_two_tags_are_compared_in_one_request(
    world: World, github: GitHub, release: Callable[..., str]
) -> None:
    release("api-v1.0.0", "First")
    older = release("x", "Merge pull request #811 from acme/faster\n\nFaster search, see #7")
    newer = release("api-v1.1.0", "Show the name (#812)")
    found = compared(github, "api-v1.0.0", "api-v1.1.0")
    assert (found.direction, found.added, found.removed) == (Direction.AHEAD, 2, 0)
    assert found.url == f"{world.github.url}/acme/api/compare/api-v1.0.0...api-v1.1.0"
    assert [(each.sha, each.subject, each.author) for each in found.commits] == [
        (newer, "Show the name (acme/api#812)", "li"),
        (older, "Faster search, see acme/api#7 (acme/api#811)", "li"),
    ]
    assert found.pull_requests == (812, 811)
    assert github.counts.reads == 1


def test_commits_are_versions_too(github: GitHub, release: Callable[..., str]) -> None:
    first, second = release("a1", "First"), release("b1", "Second")
    assert compared(github, first, second).added == 1
    assert compared(github, first[:7], second[:7]).added == 1


def test_going_back_and_sideways_are_told_apart(
    world: World, github: GitHub, release: Callable[..., str]
) -> None:
    base = release("v1.0.0", "First")
    release("v1.1.0", "Second", "Third")
    assert compared(github, "v1.1.0", "v1.0.0").text == "back by 2 commits"
    assert compared(github, "v1.1.0", "v1.1.0").text == "the same commit"
    repo = world.github.repository(REPO)
    world.github.commit(repo, "v1.0", {"b.txt": "fix\n"}, "A fix", "li", parent=base)
    release("v1.0.1", "Another fix", branch="v1.0")
    sideways = compared(github, "v1.1.0", "v1.0.1")
    assert (sideways.direction, sideways.text) == (
        Direction.DIVERGED,
        "2 commits, 2 taken out",
    )


def test_of_many_commits_the_newest_are_kept_and_all_are_counted(
    world: World, github: GitHub, release: Callable[..., str]
) -> None:
    """GitHub lists 250 of them; from which pull requests they came is told from those."""
    first = release("v1.0.0", "First")
    repo = world.github.repository(REPO)
    stream = "".join(
        "commit refs/heads/main\ncommitter li <li@example.com> 1700000000 +0000\n"
        f"data 12\nChange {number:05}\n" + (f"from {first}\n" if number == 1 else "")
        for number in range(1, 301)
    )
    repo.git.run("fast-import", "--quiet", stdin=stream.encode())
    release("v2.0.0", "Last (#9)")
    found = compared(github, "v1.0.0", "v2.0.0")
    assert found.added == 301
    assert len(found.commits) == MOST_COMMITS
    assert found.commits[0].subject == "Last (acme/api#9)"
    assert found.commits[1].subject == "Change 00300"
    remote = world.client().get_repo(REPO)
    pages = remote.compare("v1.0.0", "v2.0.0", comparison_commits_per_page=100).commits
    assert [each.commit.message for each in pages][:2] == ["Change 00001", "Change 00002"]


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [("v1.0.0", "v9.9.9", "v9.9.9"), ("v0.0.1", "v1.0.0", "v0.0.1")],
)
def test_a_missing_tag_is_named(
    github: GitHub, release: Callable[..., str], before: str, after: str, named: str
) -> None:
    release("v1.0.0", "First")
    found = refused(github, before, after)
    assert found == NotCompared(f"acme/api has no tag {named}", absent=True)
    assert github.counts.reads == 2


def test_a_repository_that_may_not_be_read_says_which_permission_it_needs(
    world: World, release: Callable[..., str]
) -> None:
    release("v1.0.0", "First")
    release("v1.1.0", "Second")
    with client(world, "olga") as github:
        found = refused(github, "v1.0.0", "v1.1.0")
    assert found.reason == (
        "acme/api is not there, or the credentials may not read it (Contents: read)"
    )
    assert not found.absent


def test_histories_that_have_nothing_in_common(
    world: World, github: GitHub, release: Callable[..., str]
) -> None:
    release("v1.0.0", "First")
    git = world.github.repository(REPO).git
    stream = b"commit refs/tags/v2.0.0\ncommitter li <li@example.com> 1 +0000\ndata 2\nx\n"
    git.run("fast-import", "--quiet", stdin=stream)
    assert refused(github, "v1.0.0", "v2.0.0").reason == (
        "v1.0.0 and v2.0.0 have no history in common"
    )


@pytest.mark.parametrize("name", ["evil:main", "a..b", "a b", "-x", "v1.lock", "x\n", "", "a//b"])
def test_what_cannot_be_a_tag_is_never_asked_for(
    github: GitHub, release: Callable[..., str], name: str
) -> None:
    """`owner:branch` would compare with somebody else's repository."""
    release("v1.0.0", "First")
    assert refused(github, "v1.0.0", name).absent
    assert refused(github, name, "v1.0.0").absent
    assert refused(github, "v1.0.0", "v1.0.0", "acme/..").absent
    assert github.counts.reads == 0


def test_a_tag_may_have_slashes(github: GitHub, release: Callable[..., str]) -> None:
    release("api/v1.0.0", "First")
    release("api/v1.1.0+build@7", "Second")
    assert compared(github, "api/v1.0.0", "api/v1.1.0+build@7").added == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (502, "GitHub gave no usable answer; it is asked again"),
        (401, "the credentials may not read acme/api (Contents: read)"),
        (403, "the credentials may not read acme/api (Contents: read)"),
    ],
)
def test_whatever_goes_wrong_is_an_answer(
    world: World,
    github: GitHub,
    release: Callable[..., str],
    status: int,
    reason: str,
) -> None:
    """Nobody waits for it, so nothing is raised."""
    release("v1.0.0", "First")
    for _ in range(2):
        world.github.faults.answer(status, "GET", "*/compare/*")
    assert refused(github, "v1.0.0", "v1.0.0") == NotCompared(reason)


def test_a_rate_limit_says_when_to_ask_again(
    world: World, github: GitHub, release: Callable[..., str]
) -> None:
    release("v1.0.0", "First")
    world.github.faults.secondary_limit(30, "GET", "*/compare/*")
    assert refused(github, "v1.0.0", "v1.0.0").until is not None


def test_a_silent_github_is_no_error(world: World, release: Callable[..., str]) -> None:
    release("v1.0.0", "First")
    world.github.faults.hang(1.5, "GET", "*/compare/*")
    with client(world, timeout=1) as github:
        found = refused(github, "v1.0.0", "v1.0.0")
    assert found.reason.startswith("GitHub gave no usable answer")


def test_an_app_that_is_not_installed_there(world: World, release: Callable[..., str]) -> None:
    release("v1.0.0", "First")
    app = world.github.register_app("pilotage", PUBLIC, "acme")
    world.github.install_app(app, "acme", [world.repo])
    credential = App(app.id, SecretStr(PRIVATE))
    with GitHub(credential, base_url=world.github.api_url, timeout=5) as github:
        found = refused(github, "v1.0.0", "v1.0.0")
    assert found == NotCompared("the GitHub App is not installed on acme/api")
