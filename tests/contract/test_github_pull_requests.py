"""The adapter's pull requests against the stand-in: real sockets, real git, calls counted."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest
from pydantic import SecretStr

from pilotage.adapters.github import (
    BaseModified,
    GitHub,
    MachineUser,
    Moved,
    NotFound,
    NotMergeable,
    Refused,
)
from pilotage.core import forge
from pilotage.core.forge import READY, Status, StatusState
from tests.contract.github_world import World

REPO = "acme/config"


@pytest.fixture
def github(world: World) -> Iterator[GitHub]:
    credential = MachineUser(SecretStr(world.token("pilotage-bot")))
    with GitHub(credential, base_url=world.github.api_url, timeout=5) as made:
        yield made


def opened(world: World, github: GitHub, body: str = "") -> forge.PullRequest:
    world.branch("promote")
    return github.create_pull_request(
        REPO, title="promote", body=body, branch="promote", base="main"
    )


def spent(github: GitHub, before: tuple[int, int]) -> tuple[int, int]:
    return github.counts.reads - before[0], github.counts.writes - before[1]


def so_far(github: GitHub) -> tuple[int, int]:
    return github.counts.reads, github.counts.writes


def test_opening_is_one_write_and_answers_all_that_a_reading_would(
    world: World, github: GitHub
) -> None:
    head = world.branch("promote")
    made = github.create_pull_request(
        REPO, title="promote api", body="text", branch="promote", base="main"
    )
    assert so_far(github) == (0, 1)
    assert made == github.pull_request(REPO, made.number)
    assert so_far(github) == (1, 1)
    assert (made.head, made.head_branch, made.base_branch) == (head, "promote", "main")
    assert (made.author, made.open, made.merged) == ("pilotage-bot", True, False)
    assert made.url == f"{world.github.url}/{REPO}/pull/{made.number}"
    assert made.merge_commit is None, "the trial merge of an open pull request is nobody's business"


def test_opening_twice_answers_the_one_that_is_open(world: World, github: GitHub) -> None:
    first = opened(world, github)
    again = github.create_pull_request(
        REPO, title="other", body="other", branch="promote", base="main"
    )
    assert again.number == first.number
    assert len(world.repo.pulls) == 1


def test_opening_from_a_missing_branch_or_without_a_difference_is_refused(
    world: World, github: GitHub
) -> None:
    with pytest.raises(Refused) as missing:
        github.create_pull_request(REPO, title="t", body="", branch="nowhere", base="main")
    assert missing.value.status == 422
    world.git("clone", "-q", "REMOTE", "work")
    world.git("push", "-q", "origin", "HEAD:refs/heads/same", cwd=world.folder / "work")
    with pytest.raises(Refused, match="No commits between"):
        github.create_pull_request(REPO, title="t", body="", branch="same", base="main")


def test_finding_prefers_the_open_one_then_the_newest_and_sees_only_our_branch(
    world: World, github: GitHub
) -> None:
    assert github.find_pull_request(REPO, "promote", "main") is None
    assert so_far(github) == (1, 0)
    first = opened(world, github)
    github.close_pull_request(REPO, first.number)
    second = github.create_pull_request(REPO, title="again", body="", branch="promote", base="main")
    world.branch("other")
    github.create_pull_request(REPO, title="o", body="", branch="other", base="main")
    found = github.find_pull_request(REPO, "promote", "main")
    assert found is not None
    assert (found.number, found.open) == (second.number, True)
    github.close_pull_request(REPO, second.number)
    found = github.find_pull_request(REPO, "promote", "main")
    assert found is not None
    assert (found.number, found.open) == (second.number, False)
    assert github.find_pull_request(REPO, "promote", "release") is None


def test_who_closed_it_costs_one_more_read(world: World, github: GitHub) -> None:
    made = opened(world, github)
    world.github.close(world.github.pull(world.repo, made.number), "maria")
    before = so_far(github)
    seen = github.pull_request(REPO, made.number)
    assert spent(github, before) == (2, 0)
    assert (seen.open, seen.merged, seen.merge_commit) == (False, False, None)
    assert seen.closed_at is not None
    again = github.close_pull_request(REPO, made.number)
    assert again.closed_at == seen.closed_at, "closing twice changes nothing"


def test_the_open_ones_into_a_branch_in_one_read(world: World, github: GitHub) -> None:
    for number in range(3):
        world.branch(f"branch-{number}")
        world.github.open_pull_request_as("maria", world.repo, f"branch-{number}", "t")
    world.github.close(world.github.pull(world.repo, 3), "maria")
    mine = opened(world, github, f"text {forge.hidden('syrf-1')}")
    before = so_far(github)
    rows = {row.number: row for row in github.open_pull_requests(REPO, "main")}
    assert spent(github, before) == (1, 0)
    assert set(rows) == {1, 2, mine.number}
    assert rows[mine.number].body_marker == "syrf-1"
    assert rows[1].body_marker is None
    assert (rows[1].author, rows[1].head_repository) == ("maria", REPO)
    assert github.open_pull_requests(REPO, "release") == ()


def test_labels_assignees_and_reviewers_are_one_write_each(world: World, github: GitHub) -> None:
    made = opened(world, github)
    before = so_far(github)
    reviewers = ["li", "Pilotage-Bot"]
    github.request_reviewers(REPO, made.number, author=made.author, reviewers=reviewers)
    assigned = github.add_assignees(REPO, made.number, ["maria", "olga"])
    github.add_labels(REPO, made.number, ["production", "service:api"])
    assert spent(github, before) == (0, 3)
    assert assigned == {"maria"}, "who cannot be assigned is left out, and the caller is told"
    seen = github.pull_request(REPO, made.number)
    assert seen.labels == {"production", "service:api"}
    assert seen.assignees == {"maria"}
    assert seen.requested_reviewers == {"li"}


def test_nothing_is_asked_when_only_the_author_would_review(world: World, github: GitHub) -> None:
    made = opened(world, github)
    before = so_far(github)
    github.request_reviewers(REPO, made.number, author=made.author, reviewers=[made.author])
    assert spent(github, before) == (0, 0)


def test_a_reviewer_who_may_not_is_refused_with_githubs_words(world: World, github: GitHub) -> None:
    made = opened(world, github)
    with pytest.raises(Refused) as refused:
        github.request_reviewers(REPO, made.number, author=made.author, reviewers=["olga"])
    assert "collaborators" in str(refused.value)


def test_edits_of_the_body_name_editor_time_and_text(world: World, github: GitHub) -> None:
    made = opened(world, github, "- [ ] a <!-- item:a -->")
    assert github.body_edits(REPO, made.number) == (), "nothing was edited yet"
    world.github.tick(world.github.pull(world.repo, made.number), "a", "maria")
    edited = github.edit_pull_request(REPO, made.number, body="new")
    assert (edited.body, edited.title) == ("new", "promote")
    before = so_far(github)
    edits = github.body_edits(REPO, made.number)
    assert spent(github, before) == (1, 0)
    assert [(edit.editor, edit.after) for edit in edits][-2:] == [
        ("maria", "- [x] a <!-- item:a -->"),
        ("pilotage-bot", "new"),
    ]
    assert edits[-1].before == edits[-2].after
    assert edits[-2].before == "- [ ] a <!-- item:a -->"
    last = edits[-1].at
    since = github.body_edits(REPO, made.number, last)
    assert since == tuple(edit for edit in edits if edit.at >= last)


def test_a_long_history_of_edits_is_read_only_as_far_as_needed(
    world: World, github: GitHub
) -> None:
    made = opened(world, github, "0")
    pull = world.github.pull(world.repo, made.number)
    for number in range(1, 121):
        world.github.edit_body(pull, str(number), "maria")
    before = so_far(github)
    edits = github.body_edits(REPO, made.number)
    assert [edit.after for edit in edits][-120:] == [str(number) for number in range(1, 121)]
    assert spent(github, before) == (2, 0)


def test_edits_of_a_pull_request_that_is_not_there_are_not_found(github: GitHub) -> None:
    with pytest.raises(NotFound, match="PullRequest with the number of 99"):
        github.body_edits(REPO, 99)


def test_only_the_newest_verdict_of_each_reviewer_counts(world: World, github: GitHub) -> None:
    made = opened(world, github)
    pull = world.remote("maria").get_pull(made.number)
    pull.create_review(body="no", event="REQUEST_CHANGES")
    pull.create_review(event="APPROVE")
    pull.create_review(body="by the way", event="COMMENT")
    world.remote("li").get_pull(made.number).create_review(body="hm", event="COMMENT")
    reviews = {review.by: review for review in github.reviews(REPO, made.number)}
    assert {by: review.state for by, review in reviews.items()} == {
        "maria": "approved",
        "li": "commented",
    }
    assert reviews["maria"].commit == made.head


def test_commits_and_files_of_a_pull_request(world: World, github: GitHub) -> None:
    made = opened(world, github)
    world.github.commit(
        world.repo,
        "promote",
        {"README.md": None, "READ.md": "# Configuration\n", "ü b.txt": "x\n"},
        "rename\n\nand more",
        "maria",
    )
    commits = github.pull_request_commits(REPO, made.number)
    assert [commit.message.partition("\n")[0] for commit in commits] == ["change promote", "rename"]
    assert commits[-1].sha == github.pull_request(REPO, made.number).head
    files = github.changed_files(REPO, made.number)
    assert files.paths == {"promote.txt", "README.md", "READ.md", "ü b.txt"}
    assert files.complete


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_merging_answers_the_commit_on_the_base_branch(
    world: World, github: GitHub, method: Literal["merge", "squash", "rebase"]
) -> None:
    made = opened(world, github)
    before = so_far(github)
    sha = github.merge_pull_request(REPO, made.number, made.head, method)
    assert spent(github, before) == (0, 1)
    assert sha == world.repo.git.branch("main")
    seen = github.pull_request(REPO, made.number)
    assert (seen.merged, seen.merge_commit, seen.merged_by) == (True, sha, "pilotage-bot")
    assert spent(github, before) == (1, 1), "who closed a merged one is known already"


def test_a_merge_of_an_old_head_is_moved(world: World, github: GitHub) -> None:
    made = opened(world, github)
    world.branch("promote", "more\n", by="maria")
    with pytest.raises(Moved):
        github.merge_pull_request(REPO, made.number, made.head, "merge")


def test_a_closed_merge_says_what_is_missing(world: World, github: GitHub) -> None:
    made = opened(world, github)
    world.github.protect(world.repo, "main", [READY])
    with pytest.raises(NotMergeable) as closed:
        github.merge_pull_request(REPO, made.number, made.head, "merge")
    assert READY in closed.value.message
    github.set_status(REPO, made.head, READY, Status(StatusState.SUCCESS, "all gates pass"))
    github.merge_pull_request(REPO, made.number, made.head, "merge")


def test_a_base_that_moves_during_the_merge_is_worth_another_try(
    world: World, github: GitHub
) -> None:
    made = opened(world, github)
    world.github.faults.base_was_modified()
    with pytest.raises(BaseModified):
        github.merge_pull_request(REPO, made.number, made.head, "merge")
    github.merge_pull_request(REPO, made.number, made.head, "merge")


def test_several_threads_may_share_it(world: World, github: GitHub) -> None:
    made = opened(world, github)
    with ThreadPoolExecutor(6) as pool:
        for number in range(12):
            pool.submit(github.create_comment, REPO, made.number, f"{number}")
        seen = list(pool.map(lambda _: github.pull_request(REPO, made.number), range(12)))
    assert {pull.number for pull in seen} == {made.number}
    bodies = {comment.body for comment in world.repo.pulls[made.number].comments}
    assert bodies == {str(number) for number in range(12)}
    assert so_far(github) == (12, 13)
