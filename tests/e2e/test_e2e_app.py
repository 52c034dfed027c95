"""The main job as a GitHub App: the tokens of its installation, its own login, its own statuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from pydantic import HttpUrl, SecretStr

from pilotage.core.model import State
from pilotage.sandbox.github import RequiredContext
from pilotage.sandbox.world import CI, OWNER, SECRET, World
from pilotage.settings import GitHubSettings
from tests.e2e.harness import Service, quick_world


def installed(world: World) -> GitHubSettings:
    """Settings of the App `pilotage`, installed on the world's repositories."""
    key = generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    app = world.github.register_app("pilotage", public, OWNER)
    world.github.install_app(app, OWNER, [world.repository, world.application_repository])
    pinned = RequiredContext("pilotage/ready", app.id)
    world.github.protect(world.repository, "main", [pinned], bypass=[CI], enforce_admins=False)
    return GitHubSettings(
        url=HttpUrl(world.github.api_url),
        git_url=HttpUrl(world.github.url),
        app_id=app.id,
        private_key=SecretStr(private),
        webhook_secret=SecretStr(SECRET),
    )


@pytest.mark.parametrize("fails", [False, True])
def test_a_github_app_does_the_whole_job(tmp_path: Path, fails: bool) -> None:
    """The required context is pinned to the App; the pull request and the revert are its own."""
    with quick_world(tmp_path) as world:
        given = {"github": installed(world)}
        with Service(world, tmp_path, settings_given=given) as service:
            service.until_settled()
            if fails:
                world.argocd.fail_next_deployment("api-production")
            pull = service.release("api", "api-v9.1.1")
            ended = service.until_state(1)
            assert pull.author.login == "pilotage[bot]"
            assert ended.state is (State.REVERTED if fails else State.CONFIRMED)
            expected = "api-v9.0.4" if fails else "api-v9.1.1"
            assert world.version("api", "production") == expected
            assert len(world.pulls()) == 1
