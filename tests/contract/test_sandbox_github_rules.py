"""What github.com refuses, the stand-in refuses: the rows that lenient fakes get wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from github import GithubException

from pilotage.sandbox.github import (
    GitHub,
    Limits,
    MergeMethod,
    Permission,
    ProtectionKind,
    Refused,
    RequiredContext,
)
from tests.contract.github_world import World


def refusal(act: Callable[[], object]) -> tuple[int, str]:
    """The status and everything that the answer says."""
    with pytest.raises(GithubException) as refused:
        act()
    return refused.value.status, str(refused.value.data)


# Pull requests ---------------------------------------------------------------------------


def test_pull_request_without_commits_is_refused(world: World) -> None:
    world.git("push", "-q", "REMOTE", "HEAD")
    remote = world.remote()
    remote.create_git_ref("refs/heads/same", remote.get_branch("main").commit.sha)
    status, text = refusal(lambda: remote.create_pull(title="t", head="same", base="main"))
    assert status == 422
    assert "No commits between main and same" in text


def test_pull_request_from_a_missing_branch_is_refused(world: World) -> None:
    status, text = refusal(
        lambda: world.remote().create_pull(title="t", head="nowhere", base="main")
    )
    assert (status, "'field': 'head', 'code': 'invalid'" in text) == (422, True)


def test_second_pull_request_of_a_branch_is_refused(world: World) -> None:
    world.branch("topic")
    remote = world.remote()
    first = remote.create_pull(title="t", head="topic", base="main")
    status, text = refusal(lambda: remote.create_pull(title="t", head="topic", base="main"))
    assert status == 422
    assert "A pull request already exists for acme:topic." in text
    assert [p.number for p in remote.get_pulls(head="acme:topic")] == [first.number]


def test_head_without_its_owner_filters_nothing(world: World) -> None:
    world.branch("one")
    world.branch("two")
    remote = world.remote()
    for name in ("one", "two"):
        remote.create_pull(title=name, head=name, base="main")
    assert remote.get_pulls(head="one").totalCount == 2
    assert remote.get_pulls(head="acme:one").totalCount == 1


def test_body_longer_than_65536_characters_is_refused(world: World) -> None:
    world.branch("topic")
    remote = world.remote()
    status, text = refusal(
        lambda: remote.create_pull(title="t", body="x" * 65_537, head="topic", base="main")
    )
    assert (status, "body is too long" in text) == (422, True)
    pull = remote.create_pull(title="t", body="x" * 65_536, head="topic", base="main")
    assert refusal(lambda: pull.edit(body="x" * 65_537))[0] == 422


def test_push_to_the_head_makes_mergeable_unknown_again(world: World) -> None:
    world.branch("topic")
    remote = world.remote()
    number = remote.create_pull(title="t", head="topic", base="main").number
    remote.get_pull(number)
    assert remote.get_pull(number).mergeable is True
    sha = world.branch("topic", "again\n")
    pushed = remote.get_pull(number)
    assert pushed.head.sha == sha
    assert pushed.raw_data["mergeable"] is None
    assert pushed.raw_data["merge_commit_sha"] is None


def test_conflict_is_not_mergeable_and_refuses_the_merge(world: World) -> None:
    path = "api/production/config.yaml"
    world.github.commit(world.repo, "topic", {path: "ours\n"}, "ours", "maria")
    world.github.commit(world.repo, "main", {path: "theirs\n"}, "theirs", "maria")
    remote = world.remote()
    number = remote.create_pull(title="t", head="topic", base="main").number
    remote.get_pull(number)
    pull = remote.get_pull(number)
    assert (pull.mergeable, pull.mergeable_state) == (False, "dirty")
    assert refusal(pull.merge)[0] == 405


def test_merge_with_a_moved_head_is_a_conflict(world: World) -> None:
    old = world.branch("topic")
    remote = world.remote()
    pull = remote.create_pull(title="t", head="topic", base="main")
    world.branch("topic", "again\n")
    status, text = refusal(lambda: pull.merge(sha=old))
    assert (status, "Head branch was modified" in text) == (409, True)


def test_base_was_modified_is_transient(world: World) -> None:
    world.branch("topic")
    pull = world.remote().create_pull(title="t", head="topic", base="main")
    world.github.faults.base_was_modified()
    status, text = refusal(pull.merge)
    assert (status, "Base branch was modified. Review and try the merge again" in text) == (
        405,
        True,
    )
    assert pull.merge().merged


def test_missing_failing_and_pending_contexts_close_the_merge(world: World) -> None:
    world.github.protect(world.repo, "main", ["pilotage/ready"])
    sha = world.branch("topic")
    remote = world.remote()
    pull = remote.create_pull(title="t", head="topic", base="main")
    words = {None: "expected", "pending": "pending", "failure": "failing", "error": "failing"}
    for state, word in words.items():
        if state is not None:
            remote.get_commit(sha).create_status(state, context="pilotage/ready")
        status, text = refusal(pull.merge)
        assert status == 405
        assert f'Required status check "pilotage/ready" is {word}.' in text
    for _ in range(2):
        state = remote.get_pull(pull.number).mergeable_state
    assert state == "blocked"
    remote.get_commit(sha).create_status("success", context="pilotage/ready")
    assert pull.merge().merged


def test_pinned_integration_counts_only_the_app_itself(world: World) -> None:
    """Anybody may post a context of that name; only the App that is named opens the gate."""
    app = world.github.register_app("pilotage", "no key", "acme")
    installation = world.github.install_app(app, "acme", [world.repo])
    world.github.protect(world.repo, "main", [RequiredContext("pilotage/ready", app.id)])
    sha = world.branch("topic")
    remote = world.remote()
    pull = remote.create_pull(title="t", head="topic", base="main")
    remote.get_commit(sha).create_status("success", context="pilotage/ready")
    assert refusal(pull.merge)[0] == 405
    credential = world.github.state.new_token(app.bot, installation)
    world.tokens["app"] = credential.token
    world.remote("app").get_commit(sha).create_status("success", context="pilotage/ready")
    assert pull.merge().merged


def test_strict_protection_refuses_a_branch_that_is_behind(world: World) -> None:
    world.github.protect(world.repo, "main", ["pilotage/ready"], strict=True)
    sha = world.branch("topic")
    remote = world.remote()
    pull = remote.create_pull(title="t", head="topic", base="main")
    remote.get_commit(sha).create_status("success", context="pilotage/ready")
    world.github.commit(world.repo, "main", {"other": "x"}, "unrelated", "maria")
    status, text = refusal(pull.merge)
    assert (status, "1 of 1 required status checks are expected." in text) == (405, True)
    assert remote.get_pull(pull.number).update_branch(sha)
    updated = remote.get_pull(pull.number).head.sha
    remote.get_commit(updated).create_status("success", context="pilotage/ready")
    assert pull.merge(sha=updated).merged


def test_bypass_actor_merges_past_the_gate_and_others_do_not(world: World) -> None:
    world.github.protect(world.repo, "main", ["pilotage/ready"], bypass=["ada"])
    world.branch("topic")
    number = world.remote().create_pull(title="t", head="topic", base="main").number
    assert refusal(lambda: world.remote("maria").get_pull(number).merge())[0] == 405
    with pytest.raises(Refused):
        world.github.merge(world.repo.pulls[number], "ada")
    world.github.merge(world.repo.pulls[number], "ada", bypass=True)
    assert world.remote().get_pull(number).merged_by.login == "ada"


def test_required_approvals_count_people_who_may_write(world: World) -> None:
    world.github.protect(world.repo, "main", approvals=1)
    world.branch("topic")
    pull = world.remote().create_pull(title="t", head="topic", base="main")
    record = world.repo.pulls[pull.number]
    world.github.approve(record, "sam")
    status, text = refusal(pull.merge)
    assert (status, "At least 1 approving review is required" in text) == (405, True)
    world.github.approve(record, "li")
    assert pull.merge().merged


def test_merge_method_that_is_switched_off_is_refused(world: World) -> None:
    world.repo.allowed_methods = frozenset({MergeMethod.SQUASH})
    world.branch("topic")
    pull = world.remote().create_pull(title="t", head="topic", base="main")
    assert refusal(pull.merge)[0] == 405
    assert pull.merge(merge_method="squash").merged


def test_author_cannot_review_or_be_asked_to(world: World) -> None:
    world.branch("topic")
    pull = world.remote().create_pull(title="t", head="topic", base="main")
    assert refusal(lambda: pull.create_review_request(reviewers=["pilotage-bot"]))[0] == 422
    assert refusal(lambda: pull.create_review(event="APPROVE"))[0] == 422
    assert refusal(lambda: pull.create_review_request(reviewers=["olga"]))[0] == 422


def test_team_review_needs_the_right_to_read_the_organisation(world: World) -> None:
    world.branch("topic")
    pull = world.remote().create_pull(title="t", head="topic", base="main")

    def ask() -> None:
        pull.create_review_request(team_reviewers=["platform-admins"])

    assert refusal(ask)[0] == 422
    world.github.create_organization("acme", ["pilotage-bot"])
    ask()
    assert [t.slug for t in pull.get_review_requests()[1]] == ["platform-admins"]


# Commits ---------------------------------------------------------------------------------


def test_status_description_over_140_characters_is_refused(world: World) -> None:
    remote = world.remote()
    commit = remote.get_commit(remote.get_branch("main").commit.sha)
    commit.create_status("success", description="x" * 140)
    status, text = refusal(lambda: commit.create_status("success", description="x" * 141))
    assert (status, "description is too long (maximum is 140 characters)" in text) == (422, True)


def test_status_of_an_unknown_commit_or_state_is_refused(world: World) -> None:
    remote = world.remote()
    nowhere = remote.get_commit(remote.get_branch("main").commit.sha)
    assert refusal(lambda: nowhere.create_status("great"))[0] == 422

    def post() -> object:
        return remote.requester.requestJsonAndCheck(
            "POST", f"/repos/acme/config/statuses/{'0' * 40}", input={"state": "success"}
        )

    assert refusal(post)[0] == 422


def test_a_context_takes_a_thousand_statuses_of_one_commit(world: World) -> None:
    sha = world.repo.git.branch("main") or ""
    first = world.github.status(world.repo, sha, "pilotage/ready", "pending", "maria")
    world.repo.statuses[sha] = [first] * 1000
    commit = world.remote().get_commit(sha)
    assert refusal(lambda: commit.create_status("success", context="pilotage/ready"))[0] == 422
    assert commit.create_status("success", context="other").state == "success"


def test_check_runs_are_for_apps_only(world: World) -> None:
    remote = world.remote()
    sha = remote.get_branch("main").commit.sha
    assert refusal(lambda: remote.create_check_run("pilotage/ready", sha))[0] == 403


def test_deployment_waits_for_green_contexts_unless_told_not_to(world: World) -> None:
    remote = world.remote()
    sha = remote.get_branch("main").commit.sha
    remote.get_commit(sha).create_status("pending", context="ci")
    assert refusal(lambda: remote.create_deployment("main"))[0] == 409
    assert remote.create_deployment("main", required_contexts=[]).sha == sha


# Protected branches ----------------------------------------------------------------------


def test_contents_api_may_not_write_to_a_protected_branch(world: World) -> None:
    world.github.protect(world.repo, "main", ["pilotage/ready"], pull_request=True)
    status, text = refusal(lambda: world.remote().create_file("new.txt", "add", "x", "main"))
    assert status == 409
    assert "Could not update file: " in text
    assert "Changes must be made through a pull request." in text


def test_ref_of_a_protected_branch_may_not_be_moved(world: World) -> None:
    world.github.protect(world.repo, "main", ["pilotage/ready"])
    sha = world.branch("topic")
    remote = world.remote()
    ref = remote.get_git_ref("heads/main")
    status, text = refusal(lambda: ref.edit(sha))
    assert (status, 'Required status check "pilotage/ready" is expected.' in text) == (422, True)
    assert refusal(ref.delete)[0] == 422
    remote.get_commit(sha).create_status("success", context="pilotage/ready")
    ref.edit(sha)
    assert remote.get_branch("main").commit.sha == sha


def test_stale_blob_and_missing_blob_refuse_a_file_write(world: World) -> None:
    remote = world.remote()

    def write(sha: str) -> object:
        return remote.update_file("README.md", "edit", "x", sha, "main")

    assert refusal(lambda: write("0" * 40))[0] == 409
    assert refusal(lambda: remote.create_file("README.md", "add", "x", "main"))[0] == 422


@pytest.mark.parametrize("kind", list(ProtectionKind))
def test_both_kinds_of_protection_close_the_merge(world: World, kind: ProtectionKind) -> None:
    world.github.protect(world.repo, "main", ["a", "b"], kind=kind)
    world.branch("topic")
    pull = world.remote().create_pull(title="t", head="topic", base="main")
    status, text = refusal(pull.merge)
    assert (status, "2 of 2 required status checks are expected." in text) == (405, True)
    assert ("Repository rule violations found" in text) == (kind is ProtectionKind.RULESET)


def test_merge_queue_wants_the_contexts_on_its_own_head(world: World) -> None:
    world.github.protect(world.repo, "main", ["pilotage/ready"])
    sha = world.branch("topic")
    remote = world.remote()
    pull = remote.create_pull(title="t", head="topic", base="main")
    remote.get_commit(sha).create_status("success", context="pilotage/ready")
    record = world.repo.pulls[pull.number]
    queued = world.github.enqueue(record, "maria")
    assert not world.github.settle_queue(record, "maria")
    remote.get_commit(queued).create_status("success", context="pilotage/ready")
    assert world.github.settle_queue(record, "maria")
    assert remote.get_branch("main").commit.sha == queued
    assert remote.get_pull(pull.number).merge_commit_sha == queued


# Who may ---------------------------------------------------------------------------------


def test_unknown_token_is_401_and_unseen_repository_is_404(world: World) -> None:
    world.tokens["nobody"] = "ghp_unknown"
    assert refusal(lambda: world.remote("nobody"))[0] == 401
    assert refusal(lambda: world.remote("olga"))[0] == 404


def test_reader_may_comment_but_not_write(world: World) -> None:
    world.branch("topic")
    number = world.remote().create_pull(title="t", head="topic", base="main").number
    theirs = world.remote("sam").get_pull(number)
    theirs.create_issue_comment("looks good")
    for act in (
        lambda: theirs.edit(body="x"),
        lambda: theirs.add_to_labels("x"),
        theirs.merge,
        lambda: world.remote("sam").create_git_ref("refs/heads/x", theirs.head.sha),
    ):
        assert refusal(act)[0] == 403


def test_primary_limit_answers_403_with_the_time_of_reset(world: World) -> None:
    world.github.state.limits = Limits(primary_per_hour=3)
    remote = world.remote()
    for _ in range(2):
        remote.get_branch("main")
    with pytest.raises(GithubException) as refused:
        remote.get_branch("main")
    headers = refused.value.headers or {}
    assert refused.value.status == 403
    assert headers["x-ratelimit-remaining"] == "0"
    assert int(headers["x-ratelimit-reset"]) > 0


def test_eighty_first_write_in_a_minute_meets_the_secondary_limit(world: World) -> None:
    world.github.state.limits = Limits(content_per_minute=2)
    remote = world.remote()
    sha = remote.get_branch("main").commit.sha
    for name in ("a", "b"):
        remote.create_git_ref(f"refs/heads/{name}", sha)
    with pytest.raises(GithubException) as refused:
        remote.create_git_ref("refs/heads/c", sha)
    assert refused.value.status == 403
    assert (refused.value.headers or {})["retry-after"] == "60"
    assert Limits().content_per_minute == 80


def test_what_has_not_changed_is_304_and_free(world: World) -> None:
    requester = world.client().requester
    headers, _ = requester.requestJsonAndCheck("GET", "/repos/acme/config/branches/main")
    etag, before = headers["etag"], headers["x-ratelimit-remaining"]
    status, headers, _ = requester.requestJson(
        "GET", "/repos/acme/config/branches/main", headers={"If-None-Match": etag}
    )
    assert (status, headers["x-ratelimit-remaining"]) == (304, before)
    world.github.commit(world.repo, "main", {"x": "y"}, "change", "maria")
    status, _, _ = requester.requestJson(
        "GET", "/repos/acme/config/branches/main", headers={"If-None-Match": etag}
    )
    assert status == 200


def test_bad_bodies_are_400_or_422_and_never_500(world: World) -> None:
    requester = world.client().requester
    for body, expected in (
        ({"title": 7, "head": "a", "base": "b"}, 422),
        ({"title": "t", "base": "b"}, 422),
        ([], 422),
    ):
        status, _, _ = requester.requestJson("POST", "/repos/acme/config/pulls", input=body)
        assert status == expected


def test_permissions_come_from_the_best_grant(world: World) -> None:
    state: GitHub = world.github
    assert state.state.permission(world.repo, "maria") is Permission.WRITE
    assert state.state.permission(world.repo, "olga") is Permission.NONE
