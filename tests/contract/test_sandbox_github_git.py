"""git itself against the stand-in: clone, push, refusals, and what each way of merging leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from github import GithubException

from pilotage.sandbox.github import MergeMethod, ProtectionKind
from tests.contract.github_world import Ran, World


@pytest.fixture
def clone(world: World, tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    cloned = world.git("clone", "-q", "REMOTE", str(folder))
    assert cloned.code == 0, cloned.err
    return folder


def commit(world: World, clone: Path, name: str, text: str = "text\n") -> str:
    (clone / name).write_text(text)
    world.git("add", name, cwd=clone)
    world.git("commit", "-qm", f"write {name}", cwd=clone)
    return world.git("rev-parse", "HEAD", cwd=clone).out.strip()


def push(world: World, clone: Path, *refspecs: str, login: str = "pilotage-bot") -> Ran:
    return world.git("push", "REMOTE", *refspecs, cwd=clone, login=login)


# Who may ---------------------------------------------------------------------------------


def test_a_token_is_needed_and_readers_may_not_push(world: World, clone: Path) -> None:
    commit(world, clone, "a.txt")
    world.tokens["nobody"] = "ghp_unknown"
    assert world.git("ls-remote", "REMOTE", login="nobody").code != 0
    unseen = world.git("ls-remote", "REMOTE", login="olga")
    assert "not found" in unseen.err
    assert world.git("ls-remote", "REMOTE", login="sam").code == 0
    assert push(world, clone, "HEAD:refs/heads/x", login="sam").code != 0
    assert world.repo.git.branch("x") is None


def test_any_user_name_goes_with_the_token(world: World) -> None:
    url = world.github.url.replace("http://", f"http://pilotage-bot:{world.token('maria')}@")
    assert world.git("ls-remote", f"{url}/acme/config.git").code == 0


def test_large_push_and_fetch_stream_through(world: World, clone: Path, tmp_path: Path) -> None:
    """More than one buffer in both directions, chunked."""
    (clone / "large.bin").write_bytes(bytes(range(256)) * 20_000)
    sha = commit(world, clone, "a.txt")
    world.git("add", "large.bin", cwd=clone)
    world.git("commit", "-qm", "large", cwd=clone)
    pushed = world.git(
        "-c", "http.postBuffer=65536", "push", "REMOTE", "HEAD:refs/heads/large", cwd=clone
    )
    assert pushed.code == 0, pushed.err
    again = tmp_path / "again"
    assert world.git("clone", "-q", "-b", "large", "REMOTE", str(again)).code == 0
    assert (again / "large.bin").stat().st_size == 256 * 20_000
    assert world.repo.git.contains(world.repo.git.branch("large") or "", sha)


def test_push_with_lease_is_refused_when_the_branch_has_moved(world: World, clone: Path) -> None:
    first = commit(world, clone, "a.txt")
    assert push(world, clone, "HEAD:refs/heads/topic").code == 0
    world.branch("topic")
    commit(world, clone, "b.txt")
    lease = f"--force-with-lease=refs/heads/topic:{first}"
    refused = world.git("push", lease, "REMOTE", "HEAD:refs/heads/topic", cwd=clone)
    assert refused.code != 0
    assert "stale info" in refused.err


def test_refs_of_pull_requests_are_read_only(world: World, clone: Path) -> None:
    world.branch("topic")
    pull = world.github.open_pull_request_as("maria", world.repo, "topic", "t")
    fetched = world.git("fetch", "-q", "REMOTE", f"refs/pull/{pull.number}/head", cwd=clone)
    assert fetched.code == 0, fetched.err
    refused = push(world, clone, "HEAD:refs/pull/7/head")
    assert "deny updating a hidden ref" in refused.err


# Protection ------------------------------------------------------------------------------


def test_push_to_a_protected_branch_is_refused_with_the_check_named(
    world: World, clone: Path
) -> None:
    world.github.protect(world.repo, "main", ["pilotage/ready"])
    before = world.repo.git.branch("main")
    sha = commit(world, clone, "a.txt")
    refused = push(world, clone, "HEAD:main", "HEAD:refs/heads/side")
    assert refused.code != 0
    assert "remote: error: GH006: Protected branch update failed for refs/heads/main." in (
        refused.err
    )
    assert 'remote: error: Required status check "pilotage/ready" is expected.' in refused.err
    assert world.repo.git.branch("main") == before
    assert world.repo.git.branch("side") == sha, "only the protected ref is refused"


def test_commit_with_the_check_green_may_be_pushed_fast_forward(world: World, clone: Path) -> None:
    """How a revert commit gets in: first aside, then the status, then the same commit."""
    world.github.protect(world.repo, "main", ["pilotage/ready"])
    sha = commit(world, clone, "a.txt")
    assert push(world, clone, "HEAD:refs/heads/side").code == 0
    world.remote().get_commit(sha).create_status("success", context="pilotage/ready")
    assert push(world, clone, "HEAD:main").code == 0
    assert world.repo.git.branch("main") == sha


def test_where_pull_requests_are_required_a_green_check_is_not_enough(
    world: World, clone: Path
) -> None:
    world.github.protect(
        world.repo, "main", pull_request=True, kind=ProtectionKind.RULESET, bypass=["ada"]
    )
    commit(world, clone, "a.txt")
    refused = push(world, clone, "HEAD:main")
    assert "GH013: Repository rule violations found for refs/heads/main." in refused.err
    assert "- Changes must be made through a pull request." in refused.err
    passed = push(world, clone, "HEAD:main", login="ada")
    assert passed.code == 0
    assert "Bypassed rule violations for refs/heads/main" in passed.err


def test_history_of_a_protected_branch_cannot_be_rewritten_or_deleted(
    world: World, clone: Path
) -> None:
    push(world, clone, "HEAD:refs/heads/release")
    for branch in ("main", "release"):
        world.github.protect(world.repo, branch)
    world.git("commit", "-q", "--amend", "-m", "other", cwd=clone)
    assert "Cannot force-push to this branch" in push(world, clone, "+HEAD:main").err
    assert "Cannot delete this protected branch" in push(world, clone, ":release").err


# What follows from a push ----------------------------------------------------------------


def test_push_moves_the_head_of_its_open_pull_request(world: World, clone: Path) -> None:
    commit(world, clone, "a.txt")
    push(world, clone, "HEAD:refs/heads/topic")
    pull = world.remote().create_pull(title="t", head="topic", base="main")
    sha = commit(world, clone, "b.txt")
    push(world, clone, "HEAD:refs/heads/topic")
    assert world.remote().get_pull(pull.number).head.sha == sha


def test_push_of_the_head_into_the_base_marks_the_pull_request_merged(
    world: World, clone: Path
) -> None:
    sha = commit(world, clone, "a.txt")
    push(world, clone, "HEAD:refs/heads/topic")
    pull = world.remote().create_pull(title="t", head="topic", base="main")
    push(world, clone, "HEAD:main", login="maria")
    merged = world.remote().get_pull(pull.number)
    assert (merged.merged, merged.merged_by.login) == (True, "maria")
    assert merged.merge_commit_sha == sha


def test_deleting_the_branch_closes_the_pull_request_for_good(world: World, clone: Path) -> None:
    commit(world, clone, "a.txt")
    push(world, clone, "HEAD:refs/heads/topic")
    pull = world.remote().create_pull(title="t", head="topic", base="main")
    push(world, clone, ":refs/heads/topic")
    assert world.remote().get_pull(pull.number).state == "closed"
    with pytest.raises(GithubException, match="has been deleted"):
        pull.edit(state="open")


def test_closed_pull_request_whose_branch_was_rewritten_stays_closed(
    world: World, clone: Path
) -> None:
    commit(world, clone, "a.txt")
    push(world, clone, "HEAD:refs/heads/topic")
    pull = world.remote().create_pull(title="t", head="topic", base="main")
    pull.edit(state="closed")
    world.git("commit", "-q", "--amend", "-m", "rewritten", cwd=clone)
    push(world, clone, "+HEAD:refs/heads/topic")
    with pytest.raises(GithubException, match="force-pushed or recreated"):
        pull.edit(state="open")


def test_reopened_pull_request_takes_the_commits_pushed_meanwhile(
    world: World, clone: Path
) -> None:
    commit(world, clone, "a.txt")
    push(world, clone, "HEAD:refs/heads/topic")
    pull = world.remote().create_pull(title="t", head="topic", base="main")
    pull.edit(state="closed")
    sha = commit(world, clone, "b.txt")
    push(world, clone, "HEAD:refs/heads/topic")
    assert world.remote().get_pull(pull.number).head.sha == pull.head.sha
    pull.edit(state="open")
    assert world.remote().get_pull(pull.number).head.sha == sha


# Merge methods ---------------------------------------------------------------------------


def prepared(world: World) -> tuple[int, str, list[str]]:
    """A pull request of two commits by maria, and a base that has moved on."""
    first = world.github.commit(world.repo, "topic", {"a.txt": "1\n"}, "first", "maria")
    second = world.github.commit(world.repo, "topic", {"b.txt": "2\n"}, "second\n\nWhy.", "maria")
    base = world.github.commit(world.repo, "main", {"c.txt": "3\n"}, "elsewhere", "li")
    pull = world.remote("maria").create_pull(title="Both", head="topic", base="main")
    return pull.number, base, [first, second]


def test_merge_commit_has_base_and_head_as_parents(world: World) -> None:
    number, base, (_, head) = prepared(world)
    sha = world.remote().get_pull(number).merge(merge_method="merge").sha
    merged = world.repo.git.commit(sha)
    assert merged.parents == (base, head)
    assert merged.message == "Merge pull request #1 from acme/topic\n\nBoth"
    assert (merged.author.name, merged.committer.name) == ("pilotage-bot", "GitHub")


def test_squash_is_one_commit_by_the_author_of_the_pull_request(world: World) -> None:
    number, base, _ = prepared(world)
    sha = world.remote().get_pull(number).merge(merge_method="squash").sha
    merged = world.repo.git.commit(sha)
    assert merged.parents == (base,)
    assert merged.message == "Both (#1)\n\n* first\n\n* second\n\nWhy."
    assert (merged.author.name, merged.committer.name) == ("maria", "GitHub")
    assert {e.path for e in world.repo.git.tree(sha)} >= {"a.txt", "b.txt", "c.txt"}


def test_squash_of_one_commit_takes_its_message(world: World) -> None:
    world.github.commit(world.repo, "topic", {"a.txt": "1\n"}, "only\n\nBecause.", "maria")
    pull = world.remote("maria").create_pull(title="Title", head="topic", base="main")
    sha = pull.merge(merge_method="squash").sha
    assert world.repo.git.commit(sha).message == "only (#1)\n\nBecause."


def test_rebase_writes_every_commit_anew_on_the_base(world: World) -> None:
    number, base, (first, second) = prepared(world)
    sha = world.remote().get_pull(number).merge(merge_method="rebase").sha
    path = world.repo.git.log("--reverse", f"{base}..{sha}")
    assert [c.message for c in path] == ["first", "second\n\nWhy."]
    assert path[0].parents == (base,)
    assert not {c.sha for c in path} & {first, second}
    assert {(c.author.name, c.committer.name) for c in path} == {("maria", "GitHub")}
    assert world.remote().get_pull(number).merge_commit_sha == sha


def test_rebase_onto_an_unmoved_base_still_makes_new_commits(world: World) -> None:
    head = world.branch("topic")
    pull = world.remote().create_pull(title="t", head="topic", base="main")
    assert pull.merge(merge_method="rebase").sha != head


@pytest.mark.parametrize("method", list(MergeMethod))
def test_titles_and_messages_of_a_merge_can_be_chosen(world: World, method: MergeMethod) -> None:
    world.branch("topic")
    pull = world.remote().create_pull(title="t", head="topic", base="main")
    sha = pull.merge("why", "what", merge_method=str(method)).sha
    expected = "change topic" if method is MergeMethod.REBASE else "what\n\nwhy"
    assert world.repo.git.commit(sha).message == expected


def test_branch_is_deleted_on_merge_where_the_repository_says_so(world: World) -> None:
    world.repo.delete_branch_on_merge = True
    world.branch("topic")
    pull = world.remote().create_pull(title="t", head="topic", base="main")
    pull.merge()
    assert world.repo.git.branch("topic") is None
    assert world.remote().get_pull(pull.number).merged
