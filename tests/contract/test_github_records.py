"""Statuses, comments, deployments, people and rules, against the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from pydantic import SecretStr

from pilotage.adapters.github import Forbidden, GitHub, MachineUser, NotFound
from pilotage.core import forge
from pilotage.core.forge import FREE, READY, BranchRules, Protection, Status, StatusState
from pilotage.sandbox.github import ProtectionKind, RequiredContext
from tests.contract.github_world import World

REPO = "acme/config"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def github(world: World, clock: Clock) -> Iterator[GitHub]:
    with client(world, "pilotage-bot", clock) as made:
        yield made


def client(world: World, login: str, clock: Clock | None = None) -> GitHub:
    credential = MachineUser(SecretStr(world.token(login)))
    return GitHub(credential, base_url=world.github.api_url, timeout=5, clock=clock or Clock())


def number_of_a_pull_request(world: World) -> int:
    world.branch("promote")
    return world.github.open_pull_request_as("maria", world.repo, "promote", "t").number


# Who we are ------------------------------------------------------------------------------


def test_the_identity_is_asked_once(github: GitHub) -> None:
    assert github.identity() == github.identity() == "pilotage-bot"
    assert github.counts.reads == 1


def test_the_default_branch_is_the_one_that_github_says(github: GitHub) -> None:
    assert github.default_branch(REPO) == "main"


def test_a_machine_users_token_is_its_own_and_hidden(world: World, github: GitHub) -> None:
    token = github.token(REPO)
    assert token.get_secret_value() == world.token("pilotage-bot")
    assert token.get_secret_value() not in f"{token!r} {token} {github!r}"


@pytest.mark.parametrize("name", ["config", "a/b/c", "../x", "acme/..", "/", ""])
def test_what_is_no_repository_is_never_asked_for(github: GitHub, name: str) -> None:
    with pytest.raises(ValueError):
        github.default_branch(name)
    assert github.counts.reads == 0


def test_a_name_cannot_leave_its_place_in_the_path(github: GitHub) -> None:
    with pytest.raises(NotFound):
        github.default_branch("acme/config?x=y#z")
    assert github.permission(REPO, "../../user") == "none"


# Statuses --------------------------------------------------------------------------------


def test_the_newest_status_of_each_context(world: World, github: GitHub) -> None:
    head = world.branch("promote")
    pending = Status(StatusState.PENDING, "soaking until 11:05", "https://example.com/1")
    for status in (Status(StatusState.ERROR, "first"), pending):
        github.set_status(REPO, head, READY, status)
    world.github.status(world.repo, head, "ci", "success", "maria")
    assert github.counts.writes == 2
    assert dict(github.statuses(REPO, head)) == {
        READY: pending,
        "ci": Status(StatusState.SUCCESS, ""),
    }
    assert github.counts.reads == 1


def test_a_description_fits_before_it_is_sent_so_that_comparing_converges(
    world: World, github: GitHub
) -> None:
    head = world.branch("promote")
    status = Status(StatusState.FAILURE, "two\nlines " + "x" * 200)
    assert len(status.description) == forge.DESCRIPTION_LIMIT
    assert status.description.startswith("two lines x")
    github.set_status(REPO, head, READY, status)
    assert github.statuses(REPO, head)[READY] == status


# Comments --------------------------------------------------------------------------------


def test_ours_are_those_that_we_wrote_and_marked(world: World, github: GitHub) -> None:
    number = number_of_a_pull_request(world)
    marked = f"Live. {forge.hidden('syrf-42/live')}"
    world.github.comment(world.github.pull(world.repo, number), marked, "maria")
    github.create_comment(REPO, number, "an answer without a marker")
    made = github.create_comment(REPO, number, marked)
    assert github.comments(REPO, number) == (made,)
    assert (made.marker, made.author) == ("syrf-42/live", "pilotage-bot")
    edited = github.edit_comment(REPO, made.id, marked + " Confirmed.")
    assert github.comments(REPO, number) == (edited,)
    assert len(world.repo.pulls[number].comments) == 3
    github.delete_comment(REPO, made.id)
    github.delete_comment(REPO, made.id)
    assert github.comments(REPO, number) == ()


def test_a_long_conversation_is_read_page_by_page(world: World, github: GitHub) -> None:
    number = number_of_a_pull_request(world)
    pull = world.github.pull(world.repo, number)
    github.identity()
    before = github.counts.reads
    for count in range(201):
        world.github.comment(pull, forge.hidden(f"{count}"), "pilotage-bot")
    comments = github.comments(REPO, number)
    assert [comment.marker for comment in comments] == [f"{count}" for count in range(201)]
    assert github.counts.reads - before == 3


def test_reacting_twice_is_one_reaction(world: World, github: GitHub) -> None:
    number = number_of_a_pull_request(world)
    pull = world.github.pull(world.repo, number)
    comment = world.github.comment(pull, "/pilotage explain", "maria")
    github.react(REPO, comment.id, "+1")
    github.react(REPO, comment.id, "+1")
    assert [reaction.content for reaction in comment.reactions] == ["+1"]


@pytest.mark.parametrize("marker", ["", "a b", "a --> b", "x" * 201, "é"])
def test_a_marker_that_would_not_be_found_again_is_refused(marker: str) -> None:
    with pytest.raises(ValueError):
        forge.hidden(marker)


# Deployments -----------------------------------------------------------------------------


def test_a_deployment_is_recorded_past_missing_checks(world: World, github: GitHub) -> None:
    head = world.repo.git.branch("main") or ""
    world.github.protect(world.repo, "main", [READY])
    assert github.deployment(REPO, head, "production") is None
    made = github.create_deployment(
        REPO, head, "production", production=True, description="x" * 200
    )
    assert github.counts.writes == 1
    assert github.deployment(REPO, head, "production") == forge.ForgeDeployment(made.id, "")
    for state in ("in_progress", "success"):
        github.set_deployment_state(REPO, made.id, state)
    assert github.deployment(REPO, head, "production") == forge.ForgeDeployment(made.id, "success")
    assert github.deployment(REPO, head, "staging") is None


@pytest.mark.parametrize("production", [True, False])
def test_what_is_production_is_said_and_not_guessed_from_the_name(
    world: World, github: GitHub, production: bool
) -> None:
    head = world.repo.git.branch("main") or ""
    github.create_deployment(REPO, head, "production", production=production)
    (recorded,) = world.repo.deployments
    assert recorded.production_environment is production


def test_the_deployments_of_others_are_not_ours(world: World, github: GitHub) -> None:
    head = world.repo.git.branch("main") or ""
    world.github.deployment_status(world.repo, head, "production", "success", by="maria")
    assert github.deployment(REPO, head, "production") is None


# People ----------------------------------------------------------------------------------


def test_what_people_may_do(github: GitHub) -> None:
    assert [github.permission(REPO, login) for login in ("ada", "maria", "sam", "olga")] == [
        "admin",
        "write",
        "read",
        "none",
    ]
    assert github.permission(REPO, "nobody-of-that-name") == "none"


def test_members_of_a_team_are_remembered_for_minutes(world: World, clock: Clock) -> None:
    with client(world, "maria", clock) as github:
        assert github.team_members("acme", "platform-admins") == {"maria"}
        world.github.create_team("acme", "platform-admins", ["maria", "li"])
        assert github.team_members("ACME", "platform-admins") == {"maria"}
        assert github.counts.reads == 1
        clock.now += timedelta(minutes=6)
        assert github.team_members("acme", "platform-admins") == {"maria", "li"}


def test_a_team_that_may_not_be_seen_is_not_found_and_not_empty(github: GitHub) -> None:
    with pytest.raises(NotFound):
        github.team_members("acme", "platform-admins")


# Rules -----------------------------------------------------------------------------------


def test_an_unprotected_branch_asks_for_nothing(world: World, github: GitHub) -> None:
    assert github.protection(REPO, "main") == Protection()
    with client(world, "ada") as admin:
        assert admin.protection(REPO, "main") == Protection()
        assert admin.counts.reads == 2


def test_rulesets_are_read_by_everybody(world: World, github: GitHub) -> None:
    world.github.protect(
        world.repo,
        "main",
        [RequiredContext(READY, 7), "ci"],
        strict=True,
        pull_request=True,
        approvals=2,
        bypass=["pilotage-bot"],
        kind=ProtectionKind.RULESET,
    )
    seen = github.protection(REPO, "main")
    rules = seen.everybody
    assert dict(rules.required_contexts) == {READY: 7, "ci": None}
    assert (rules.strict, rules.pull_request_required, seen.known) == (True, True, True)
    assert (rules.approvals, rules.merge_methods) == (2, frozenset({"merge", "squash", "rebase"}))
    with client(world, "ada") as admin:
        assert admin.protection(REPO, "main").everybody == rules


def test_a_ruleset_says_whether_it_binds_who_asks(world: World, github: GitHub) -> None:
    protect = partial(world.github.protect, world.repo, "main", ["ci"], pull_request=True)
    protect(kind=ProtectionKind.RULESET, bypass=["pilotage-bot"])
    assert github.protection(REPO, "main").pushing(administrator=False) == FREE
    with client(world, "ada") as admin:
        bound = admin.protection(REPO, "main").pushing(administrator=True)
    assert (dict(bound.required_contexts), bound.pull_request_required) == ({"ci": None}, True)


def test_classic_protection_is_read_by_administrators_and_guessed_by_nobody(
    world: World, github: GitHub
) -> None:
    world.github.protect(world.repo, "main", [READY], strict=True, pull_request=True)
    with client(world, "ada") as admin:
        assert admin.protection(REPO, "main").everybody == BranchRules({READY: None}, True, True)
    seen = github.protection(REPO, "main")
    assert not seen.known
    assert dict(seen.everybody.required_contexts) == {READY: None}, "this much everybody may see"


def test_who_passes_classic_protection(world: World) -> None:
    """An administrator where they are let pass, and for pull requests whoever is named."""
    protect = partial(world.github.protect, world.repo, "main", ["ci"], pull_request=True)
    with client(world, "ada") as admin:
        protect(enforce_admins=False)
        assert admin.protection(REPO, "main").merging(administrator=True) == FREE
        assert admin.protection(REPO, "main").merging(administrator=False) != FREE
        protect(bypass=["ada"])
        bound = admin.protection(REPO, "main").pushing(administrator=True)
    assert (dict(bound.required_contexts), bound.pull_request_required) == ({"ci": None}, False)


def test_labels_and_files_as_they_are(world: World, github: GitHub) -> None:
    github.add_labels(REPO, number_of_a_pull_request(world), ["requires-review"])
    assert github.labels(REPO) == {"requires-review"}
    assert github.text_of(REPO, "README.md", "main") == "# Configuration\n"
    assert github.text_of(REPO, "missing.yaml", "main") is None
    assert github.text_of(REPO, "README.md", "no-such-branch") is None


def test_check_lists_what_is_missing(world: World) -> None:
    with client(world, "sam") as reader:
        access = reader.check_access(REPO)
    assert (access.identity, access.default_branch) == ("sam", "main")
    missing = {need.permission for need in access.missing}
    assert {"contents: write", "pull_requests: write", "statuses: write"} <= missing
    with client(world, "ada") as admin:
        assert "contents: write" not in {n.permission for n in admin.check_access(REPO).missing}


def test_a_reader_may_not_write(world: World) -> None:
    number = number_of_a_pull_request(world)
    with client(world, "sam") as reader, pytest.raises((Forbidden, NotFound)) as refused:
        reader.add_labels(REPO, number, ["x"])
    assert "labelling" in str(refused.value)


def test_a_repository_that_may_not_be_seen_is_not_found(world: World) -> None:
    with client(world, "olga") as stranger, pytest.raises(NotFound, match="Check the name"):
        stranger.default_branch(REPO)
