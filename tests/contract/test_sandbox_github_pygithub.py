"""Every call that a promotion service makes, by real PyGithub, each answer held against GitHub's
published OpenAPI (see `served_world`)."""

from __future__ import annotations

from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from github import Auth, Github, GithubException, GithubIntegration, InputGitTreeElement
from github.ContentFile import ContentFile

from pilotage.sandbox.github import Permission, ProtectionKind, RequiredContext
from tests.contract.github_contract import check_request
from tests.contract.github_world import World


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    """A private and a public key (PEM)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


def test_pygithub_reads_people_and_what_they_may(world: World) -> None:
    client = world.client()
    assert client.get_user().login == "pilotage-bot"
    assert client.get_user("maria").login == "maria"
    remote = world.remote()
    assert remote.full_name == "acme/config"
    assert remote.permissions.push
    assert remote.get_collaborator_permission("maria") == "write"
    assert remote.get_collaborator_permission("ada") == "admin"
    assert remote.get_collaborator_permission("olga") == "none"
    assert remote.has_in_collaborators("sam")
    assert {who.login for who in remote.get_collaborators()} >= {"maria", "li", "ada"}
    limit = client.get_rate_limit().resources.core
    assert limit.limit == 5000
    assert 0 < limit.remaining < 5000


def test_teams_are_read_by_members(world: World) -> None:
    organization = world.client("maria").get_organization("acme")
    team = organization.get_team_by_slug("platform-admins")
    assert [who.login for who in team.get_members()] == ["maria"]
    assert [t.slug for t in organization.get_teams()] == ["platform-admins"]
    assert team.get_team_membership("maria").state == "active"
    assert organization.has_in_members(world.client("maria").get_user("maria"))
    with pytest.raises(GithubException) as refused:
        world.client("olga").get_organization("acme").get_team_by_slug("platform-admins")
    assert refused.value.status == 404


def test_files_refs_trees_and_commits(world: World) -> None:
    remote = world.remote()
    main = remote.get_branch("main")
    assert not main.protected
    found = remote.get_contents("api/production/config.yaml", ref="main")
    assert not isinstance(found, list)
    assert b"# kept by hand" in found.decoded_content
    assert {f.path for f in listed(remote.get_contents("api"))} == {
        "api/production",
        "api/staging",
    }
    tree = remote.create_git_tree(
        [InputGitTreeElement("api/production/config.yaml", "100644", "blob", content="new: 1\n")],
        base_tree=remote.get_git_tree(main.commit.sha),
    )
    parent = remote.get_git_commit(main.commit.sha)
    commit = remote.create_git_commit("promote", tree, [parent])
    ref = remote.create_git_ref("refs/heads/promotion/one", commit.sha)
    assert remote.get_git_ref("heads/promotion/one").object.sha == commit.sha
    assert [r.ref for r in remote.get_git_matching_refs("heads/promotion/o")] == [ref.ref]
    written = remote.update_file(
        "api/production/config.yaml",
        "edit",
        "new: 2\n",
        listed_file(remote.get_contents("api/production/config.yaml", ref="promotion/one")).sha,
        branch="promotion/one",
    )["commit"]
    created = remote.create_file("notes.txt", "add", "hello\n", branch="promotion/one")
    assert listed_file(created["content"]).path == "notes.txt"
    comparison = remote.compare("main", "promotion/one")
    assert (comparison.status, comparison.ahead_by, comparison.behind_by) == ("ahead", 3, 0)
    assert {f.filename for f in comparison.files} == {"api/production/config.yaml", "notes.txt"}
    assert [c.sha for c in remote.get_commits("promotion/one")][2] == commit.sha
    assert remote.get_commit(written.sha).files[0].patch is not None
    assert remote.compare("main", "acme:promotion/one").ahead_by == 3
    world.github.commit(world.repo, "promotion/big", {"big": "x" * 1_100_000}, "big", "maria")
    large = listed_file(remote.get_contents("big", ref="promotion/big"))
    assert (large.size, large.encoding) == (1_100_000, "none")
    blob = remote.create_git_blob("text", "utf-8")
    assert remote.get_git_blob(blob.sha).size == 4
    ref = remote.get_git_ref("heads/promotion/one")
    ref.edit(written.sha, force=True)
    assert remote.get_branch("promotion/one").commit.sha == written.sha
    ref.delete()
    assert [b.name for b in remote.get_branches()] == ["main", "promotion/big"]


def listed(found: list[ContentFile] | ContentFile) -> list[ContentFile]:
    assert isinstance(found, list)
    return found


def listed_file(found: object) -> ContentFile:
    assert isinstance(found, ContentFile)
    return found


def test_pull_request_from_opening_to_reopening(world: World) -> None:
    world.branch("topic")
    remote = world.remote()
    pull = remote.create_pull(title="A change", body="text", head="topic", base="main")
    assert pull.raw_data["mergeable"] is None
    assert remote.get_pull(pull.number).raw_data["mergeable"] is None
    computed = remote.get_pull(pull.number)
    assert computed.mergeable is True
    assert computed.mergeable_state == "clean"
    assert computed.merge_commit_sha not in (None, computed.head.sha)
    pull.edit(title="Another", body="more")
    assert [p.title for p in remote.get_pulls(head="acme:topic", state="open")] == ["Another"]
    assert remote.get_pulls(head="acme:other").totalCount == 0
    assert [f.filename for f in pull.get_files()] == ["topic.txt"]
    assert pull.get_commits().totalCount == 1
    pull.edit(state="closed")
    assert remote.get_pull(pull.number).state == "closed"
    world.remote().get_pull(pull.number).edit(state="open")
    assert not pull.is_merged()
    assert remote.get_pull(pull.number).state == "open"
    assert [p.number for p in remote.get_commit(pull.head.sha).get_pulls()] == [pull.number]


def test_labels_assignees_and_reviewers(world: World) -> None:
    world.branch("topic")
    remote = world.remote()
    pull = remote.create_pull(title="A change", head="topic", base="main")
    pull.add_to_labels("fresh")
    assert remote.get_label("fresh").color == "ededed"
    remote.create_label("known", "ff0000", "a description")
    pull.set_labels("known", "fresh")
    pull.remove_from_labels("fresh")
    assert [label.name for label in pull.get_labels()] == ["known"]
    assert {label.name for label in remote.get_labels()} == {"fresh", "known"}
    pull.add_to_assignees("maria", "olga")
    assert [who.login for who in remote.get_pull(pull.number).assignees] == ["maria"]
    pull.as_issue().remove_from_assignees("maria")
    pull.create_review_request(reviewers=["maria", "li"])
    people, _ = pull.get_review_requests()
    assert [who.login for who in people] == ["maria", "li"]
    pull.delete_review_request(reviewers=["li"])
    world.remote("maria").get_pull(pull.number).create_review(event="APPROVE", body="good")
    assert [(r.user.login, r.state) for r in pull.get_reviews()] == [("maria", "APPROVED")]
    assert [who.login for who in pull.get_review_requests()[0]] == []


def test_pygithub_writes_comments_and_reactions(world: World) -> None:
    world.branch("topic")
    remote = world.remote()
    pull = remote.create_pull(title="A change", head="topic", base="main")
    comment = pull.create_issue_comment("first")
    comment.edit("second")
    assert remote.get_pull(pull.number).get_issue_comment(comment.id).body == "second"
    reaction = comment.create_reaction("rocket")
    assert comment.create_reaction("rocket").id == reaction.id
    assert [r.content for r in comment.get_reactions()] == ["rocket"]
    comment.delete_reaction(reaction.id)
    assert comment.get_reactions().totalCount == 0
    for number in range(35):
        world.github.comment(world.repo.pulls[pull.number], f"number {number}", "maria")
    assert [c.body for c in pull.get_issue_comments()][-1] == "number 34"
    comment.delete()
    assert pull.get_issue_comments().totalCount == 35


def test_statuses_combine_by_newest_of_each_context(world: World) -> None:
    remote = world.remote()
    commit = remote.get_commit(remote.get_branch("main").commit.sha)
    assert commit.get_combined_status().state == "pending"
    commit.create_status("pending", description="waits", context="pilotage/ready")
    commit.create_status("success", description="ok", context="ci")
    assert commit.get_combined_status().state == "pending"
    commit.create_status("success", "https://example.com/run", "done", "pilotage/ready")
    combined = commit.get_combined_status()
    assert combined.state == "success"
    assert {s.context: s.description for s in combined.statuses} == {
        "pilotage/ready": "done",
        "ci": "ok",
    }
    assert [s.context for s in commit.get_statuses()] == [
        "pilotage/ready",
        "ci",
        "pilotage/ready",
    ]


def test_deployments_and_their_statuses(world: World) -> None:
    remote = world.remote()
    first = remote.create_deployment(
        "main", environment="production", required_contexts=[], payload={"versions": "1"}
    )
    first.create_status("in_progress")
    first.create_status("success", description="live", environment_url="https://example.com")
    second = remote.create_deployment("main", environment="production", required_contexts=[])
    second.create_status("success")
    assert [s.state for s in first.get_statuses()] == ["inactive", "success", "in_progress"]
    listed = remote.get_deployments(environment="production", sha=first.sha)
    assert [d.id for d in listed] == [second.id, first.id]
    assert remote.get_deployment(first.id).payload == {"versions": "1"}


def test_workflow_runs_are_listed_and_rerun_under_their_id(world: World) -> None:
    sha = world.repo.git.branch("main") or ""
    run = world.github.workflow_run(world.repo, "CI", sha, "failure", by="maria")
    world.github.rerun_workflow(world.repo, run, "success")
    remote = world.remote()
    found = remote.get_workflow_run(run.id)
    assert (found.conclusion, found.run_attempt, found.head_sha) == ("success", 2, sha)
    assert remote.get_workflow_runs(head_sha=sha, status="success").totalCount == 1
    assert remote.get_workflow_runs(status="failure").totalCount == 0
    world.github.check_run(world.repo, sha, "test", "failure")
    (check,) = remote.get_commit(sha).get_check_runs()
    assert (check.name, check.conclusion, check.app.slug) == ("test", "failure", "github-actions")


def test_rules_and_protection_are_two_lists(world: World) -> None:
    """A ruleset is listed at rules/branches; classic protection only for administrators."""
    world.github.protect(
        world.repo,
        "main",
        [RequiredContext("pilotage/ready", 7)],
        approvals=1,
        kind=ProtectionKind.RULESET,
    )
    rules = world.remote()._requester.requestJsonAndCheck(
        "GET", "/repos/acme/config/rules/branches/main"
    )[1]
    by_type = {rule["type"]: rule.get("parameters") for rule in rules}
    assert by_type["required_status_checks"]["required_status_checks"] == [
        {"context": "pilotage/ready", "integration_id": 7}
    ]
    assert by_type["pull_request"]["required_approving_review_count"] == 1
    with pytest.raises(GithubException, match="Branch not protected"):
        world.remote("ada").get_branch("main").get_protection()

    world.github.protect(world.repo, "main", ["pilotage/ready"], strict=True)
    assert world.remote().get_branch("main").protected
    assert (
        world.remote()._requester.requestJsonAndCheck(
            "GET", "/repos/acme/config/rules/branches/main"
        )[1]
        == []
    )
    protection = world.remote("ada").get_branch("main").get_protection()
    assert protection.required_status_checks.strict
    assert protection.required_status_checks.contexts == ["pilotage/ready"]
    with pytest.raises(GithubException) as refused:
        world.remote().get_branch("main").get_protection()
    assert refused.value.status == 404


def test_app_authenticates_and_writes_check_runs(world: World, keys: tuple[str, str]) -> None:
    private, public = keys
    app = world.github.register_app("pilotage", public, "acme")
    installation = world.github.install_app(app, "acme", [world.repo])
    auth = Auth.AppAuth(app.id, private)
    integration = GithubIntegration(auth=auth, base_url=world.github.api_url)
    assert integration.get_app().slug == "pilotage"
    assert integration.get_repo_installation("acme", "config").id == installation.id
    assert [i.id for i in integration.get_installations()] == [installation.id]
    assert integration.get_app_installation(installation.id).id == installation.id
    client = Github(
        auth=auth.get_installation_auth(installation.id),
        base_url=world.github.api_url,
        retry=None,
        seconds_between_requests=0,
        seconds_between_writes=0,
    )
    remote = client.get_repo("acme/config")
    sha = remote.get_branch("main").commit.sha
    run = remote.create_check_run("pilotage/ready", sha, status="in_progress")
    run.edit(conclusion="success", output={"title": "Ready", "summary": "All gates pass."})
    assert [r.conclusion for r in remote.get_commit(sha).get_check_runs()] == ["success"]
    assert remote.get_check_run(run.id).output.title == "Ready"
    status = remote.get_commit(sha).create_status("success", context="pilotage/ready")
    assert status.creator.login == "pilotage[bot]"
    repositories = integration.get_app_installation(installation.id).get_repos()
    assert [r.full_name for r in repositories] == ["acme/config"]


def test_app_tokens_expire_and_foreign_keys_are_refused(
    world: World, keys: tuple[str, str]
) -> None:
    _, public = keys
    app = world.github.register_app("pilotage", public, "acme")
    world.github.install_app(app, "acme", [world.repo])
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = int(world.github.state.clock().timestamp())
    forged = jwt.encode(
        {"iat": now - 10, "exp": now + 300, "iss": str(app.id)}, other, algorithm="RS256"
    )
    with pytest.raises(GithubException) as refused:
        world.client().requester.requestJsonAndCheck(
            "GET", "/app", headers={"Authorization": f"Bearer {forged}"}
        )
    assert refused.value.status == 401
    credential = world.github.state.new_token(
        app.bot, expires_at=world.github.state.clock() - timedelta(seconds=1)
    )
    with pytest.raises(GithubException) as refused:
        Github(
            auth=Auth.Token(credential.token), base_url=world.github.api_url, retry=None
        ).get_repo("acme/config")
    assert refused.value.status == 401


def test_team_with_access_grants_its_members(world: World) -> None:
    world.github.create_team("acme", "writers", ["nora"])
    world.repo.teams["writers"] = Permission.WRITE
    assert world.remote("nora").permissions.push


def test_requests_are_judged_too() -> None:
    """The judge that the adapter's tests use for what they send."""
    path = "/repos/acme/config/statuses/abc"
    assert check_request("POST", path, b'{"state": "success"}') == []
    assert check_request("POST", path, b'{"state": "great"}') != []
    assert check_request("POST", "/nowhere", b"{}") != []
