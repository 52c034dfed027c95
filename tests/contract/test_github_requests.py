"""Every request that leaves the adapter, held against GitHub's published description."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pilotage.adapters.github import GitHub, MachineUser
from pilotage.core.forge import READY, Status, StatusState
from pilotage.sandbox import github as sandbox
from pilotage.sandbox.serve import Server
from tests.contract.github_contract import check_request

REPO = "acme/config"


class RequestsJudged:
    """Middleware that keeps what GitHub would not understand, and counts what it would."""

    def __init__(self, app: ASGIApp, problems: list[str], judged: list[str]) -> None:
        self._app, self._problems, self._judged = app, problems, judged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()

        async def listen() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        await self._app(scope, listen, send)
        if scope["type"] == "http" and scope["path"].startswith("/api/v3/"):
            path = scope["path"].removeprefix("/api/v3")
            self._problems += check_request(scope["method"], path, bytes(body))
            self._judged.append(f"{scope['method']} {path}")


def everything(github: GitHub, head: str) -> None:
    made = github.create_pull_request(REPO, title="t", body="b", branch="promote", base="main")
    number = made.number
    github.edit_pull_request(REPO, number, title="new", body="text")
    github.request_reviewers(REPO, number, author=made.author, reviewers=["maria"])
    github.add_assignees(REPO, number, ["maria"])
    github.add_labels(REPO, number, ["production"])
    github.set_status(REPO, head, READY, Status(StatusState.PENDING, "soaking", "https://x.org/"))
    comment = github.create_comment(REPO, number, "hello")
    github.edit_comment(REPO, comment.id, "hello again")
    github.react(REPO, comment.id, "eyes")
    github.delete_comment(REPO, comment.id)
    merged = github.merge_pull_request(REPO, number, head, "squash", title="t", message="m")
    deployment = github.create_deployment(
        REPO, merged, "production", production=True, description="d"
    )
    github.set_deployment_state(REPO, deployment.id, "success", description="d")
    github.close_pull_request(REPO, number)
    github.identity()
    github.default_branch(REPO)
    github.pull_request(REPO, number)
    github.find_pull_request(REPO, "promote", "main")
    github.open_pull_requests(REPO, "main")
    github.reviews(REPO, number)
    github.statuses(REPO, head)
    github.comments(REPO, number)
    github.body_edits(REPO, number)
    github.pull_request_commits(REPO, number)
    github.changed_files(REPO, number)
    github.team_members("acme", "admins")
    github.permission(REPO, "maria")
    github.protection(REPO, "main")
    github.labels(REPO)
    github.text_of(REPO, "a.yaml", "main")
    github.deployment(REPO, merged, "production")
    github.check_access(REPO)


def test_github_would_understand_every_request(tmp_path: Path) -> None:
    with sandbox.GitHub(tmp_path) as world:
        world.create_team("acme", "admins", ["maria", "bot"])
        write = sandbox.Permission.WRITE
        repo = world.create_repository(
            "acme", "config", {"a.yaml": "a: 1\n"}, collaborators={"bot": write, "maria": write}
        )
        head = world.commit(repo, "promote", {"a.yaml": "a: 2\n"}, "change", "bot")
        app = sandbox.create_app(world)
        problems: list[str] = []
        judged: list[str] = []
        app.add_middleware(RequestsJudged, problems=problems, judged=judged)
        credential = MachineUser(SecretStr(world.token_for("bot")))
        with Server(app), GitHub(credential, base_url=world.api_url, timeout=5) as github:
            everything(github, head)
            counts = github.counts
        assert not problems, "\n".join(["GitHub would not understand:", *problems])
        graphql = len(world.requests.entries("POST", "/graphql"))
        assert len(judged) + graphql == counts.reads + counts.writes
        assert counts.writes == 14, "one request for each write"
