"""The adapter as a GitHub App: installations found, tokens minted and kept, no secret shown."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from pydantic import SecretStr

from pilotage.adapters.github import App, GitHub, NotInstalled, Unauthorised
from pilotage.core.forge import READY, Status, StatusState
from pilotage.sandbox.github import Repository
from tests.contract.github_world import World

REPO = "acme/config"
_KEY = generate_private_key(65537, 2048)
PRIVATE = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = _KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Clock:
    """Real time and then some: the stand-in believes the real one."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Installed:
    """The App `pilotage`, installed on `acme/config` and on `other/config`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.app = world.github.register_app("pilotage", PUBLIC, "acme")
        self.installation = world.github.install_app(self.app, "acme", [world.repo])
        self.elsewhere: Repository = world.github.create_repository("other", "config", {"a": "b"})
        world.github.install_app(self.app, "other", [self.elsewhere])
        self.clock = Clock()

    def client(self, key: str = PRIVATE) -> GitHub:
        return GitHub(
            App(self.app.id, SecretStr(key)),
            base_url=self.world.github.api_url,
            timeout=5,
            clock=self.clock,
        )

    def minted(self) -> int:
        return len(self.world.github.requests.entries("POST", "*/access_tokens"))


@pytest.fixture
def installed(world: World) -> Installed:
    return Installed(world)


@pytest.fixture
def github(installed: Installed) -> Iterator[GitHub]:
    with installed.client() as made:
        yield made


def test_it_acts_as_its_bot(world: World, github: GitHub) -> None:
    world.branch("promote", by="maria")
    made = github.create_pull_request(REPO, title="t", body="", branch="promote", base="main")
    assert made.author == github.identity() == "pilotage[bot]"
    github.set_status(REPO, made.head, READY, Status(StatusState.SUCCESS, "ok"))
    github.edit_pull_request(REPO, made.number, body="edited")
    assert {edit.editor for edit in github.body_edits(REPO, made.number)} == {"pilotage[bot]"}


def test_one_token_serves_an_hour_of_calls(
    world: World, installed: Installed, github: GitHub
) -> None:
    for _ in range(5):
        github.default_branch(REPO)
    assert installed.minted() == 1
    assert (github.counts.reads, github.counts.authentication) == (5, 2)
    installed.clock.ahead = timedelta(minutes=56)
    github.default_branch(REPO)
    assert installed.minted() == 2, "a token in its last minutes is not used"


def test_threads_do_not_mint_side_by_side(installed: Installed, github: GitHub) -> None:
    with ThreadPoolExecutor(6) as pool:
        branches = list(pool.map(lambda _: github.default_branch(REPO), range(12)))
    assert set(branches) == {"main"}
    assert installed.minted() == 1


def test_each_owner_has_its_own_installation(installed: Installed, github: GitHub) -> None:
    assert github.default_branch(REPO) == github.default_branch("other/config") == "main"
    assert installed.minted() == 2
    tokens = {github.token(name).get_secret_value() for name in (REPO, "other/config")}
    assert len(tokens) == 2
    assert installed.minted() == 2


def test_a_token_for_git_lasts_long_enough_and_works(
    world: World, installed: Installed, github: GitHub
) -> None:
    first = github.token(REPO)
    assert github.token(REPO) == first, "it is good for ten minutes still"
    installed.clock.ahead = timedelta(minutes=51)
    fresh = github.token(REPO)
    assert fresh != first
    world.tokens["app"] = fresh.get_secret_value()
    assert "refs/heads/main" in world.git("ls-remote", "REMOTE", login="app").out


def test_a_revoked_token_is_replaced_at_the_next_call(world: World, github: GitHub) -> None:
    token = github.token(REPO).get_secret_value()
    del world.github.state.credentials[token]
    with pytest.raises(Unauthorised):
        github.default_branch(REPO)
    assert github.default_branch(REPO) == "main"


def test_an_app_that_is_installed_anew_is_found_again(
    world: World, installed: Installed, github: GitHub
) -> None:
    assert github.default_branch(REPO) == "main"
    del world.github.state.installations[installed.installation.id]
    installed.clock.ahead = timedelta(hours=1)
    with pytest.raises(NotInstalled):
        github.default_branch(REPO)
    again = world.github.install_app(installed.app, "acme", [world.repo])
    assert github.default_branch(REPO) == "main"
    del world.github.state.installations[again.id]
    world.github.install_app(installed.app, "acme", [world.repo])
    installed.clock.ahead = timedelta(hours=2)
    assert github.token(REPO), "found at once, without an error between"


def test_where_it_is_not_installed_it_says_so_and_what_to_do(world: World, github: GitHub) -> None:
    world.github.create_repository("acme", "other", {"a": "b"})
    with pytest.raises(NotInstalled, match="Install the App on acme/other"):
        github.default_branch("acme/other")


def test_teams_are_read_by_the_installation_of_their_organisation(
    installed: Installed, github: GitHub
) -> None:
    github.default_branch(REPO)
    assert github.team_members("acme", "platform-admins") == {"maria"}
    assert installed.minted() == 1


def test_check_reads_the_permissions_of_the_installation(github: GitHub) -> None:
    access = github.check_access(REPO)
    assert access.identity == "pilotage[bot]"
    granted = {need.permission: need.granted for need in access.needs}
    assert granted["contents: write"] is True
    assert None not in granted.values(), "an installation says exactly what it may"


@pytest.mark.parametrize("key", ["no key", "-----BEGIN RSA PRIVATE KEY-----\nMII\n"])
def test_a_bad_key_is_told_in_words_and_not_shown(
    installed: Installed, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    with installed.client(key) as github, pytest.raises(Unauthorised) as refused:
        github.default_branch(REPO)
    assert "private key" in str(refused.value)
    assert key not in str(refused.value)
    assert github.counts.reads == 0


def test_a_key_of_another_app_is_unauthorised(installed: Installed) -> None:
    other = generate_private_key(65537, 2048)
    key = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with installed.client(key) as github, pytest.raises(Unauthorised):
        github.identity()


def test_no_log_line_has_a_token_or_the_key(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], github: GitHub
) -> None:
    """PyGithub logs whole answers at its debug level, and one of them is a token."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="github")
    github.default_branch(REPO)
    token = github.token(REPO).get_secret_value()
    printed = capsys.readouterr()
    said = caplog.text + printed.out + printed.err + repr(vars(github)) + repr(github)
    assert "access_tokens" in said, "the call itself is logged"
    assert token not in said
    assert PRIVATE.splitlines()[1] not in said
