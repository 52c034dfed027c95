"""The way of a promotion through the stand-in, with real PyGithub and real git."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest
from github import GithubException

from tests.contract.github_world import Receiver, World


def test_promotion_from_push_to_merge(world: World, receiver: Receiver, tmp_path: Path) -> None:
    """Push a branch, open, label, review, gate and merge a pull request; every step is told by a
    signed webhook, in order."""
    world.github.add_webhook(world.repo, receiver.url, "secret")
    world.github.protect(world.repo, "main", ["pilotage/ready"])
    clone = tmp_path / "clone"
    assert world.git("clone", "-q", "REMOTE", str(clone)).code == 0
    (clone / "api/production/config.yaml").write_text("service:\n  chartTag: api-v1.1.0\n")
    assert world.git("commit", "-qam", "promote api", cwd=clone).code == 0
    pushed = world.git("push", "origin", "HEAD:refs/heads/promotion-1", cwd=clone)
    assert pushed.code == 0, pushed.err

    remote = world.remote()
    pull = remote.create_pull(
        title="Promote api", body="- [ ] ok <!-- item:ok -->", head="promotion-1", base="main"
    )
    pull.add_to_labels("requires-review", "production")
    assert {label.name for label in remote.get_pull(pull.number).labels} == {
        "requires-review",
        "production",
    }
    world.github.tick(world.repo.pulls[pull.number], "ok", "maria")
    assert "- [x] ok" in remote.get_pull(pull.number).body

    with pytest.raises(GithubException) as refused:
        pull.merge()
    assert refused.value.status == 405
    assert 'Required status check "pilotage/ready" is expected.' in str(refused.value.data)

    remote.get_commit(pull.head.sha).create_status("success", context="pilotage/ready")
    merged = pull.merge(merge_method="squash")
    assert merged.merged
    assert remote.get_pull(pull.number).merge_commit_sha == merged.sha
    assert remote.get_branch("main").commit.sha == merged.sha

    assert world.github.webhooks.drain()
    assert receiver.events() == [
        "ping",
        "push",
        "pull_request.opened",
        "pull_request.labeled",
        "pull_request.labeled",
        "pull_request.edited",
        "status",
        "push",
        "pull_request.closed",
    ]
    edited = receiver.received[5]
    assert edited.json["changes"]["body"]["from"].startswith("- [ ] ok")
    assert edited.json["sender"]["login"] == "maria"
    for delivered in receiver.received:
        expected = hmac.new(b"secret", delivered.body, hashlib.sha256).hexdigest()
        assert delivered.headers["x-hub-signature-256"] == f"sha256={expected}"
