"""What stands outside before and after a story, set and read at the sandbox, not the service."""

from __future__ import annotations

from dataclasses import replace

from pilotage.sandbox.github import PullRequest
from pilotage.sandbox.world import BOT, World

VERIFY_LONG = ("verification: { for: 0.2s }", "verification: { for: 60s }")
"""For a policy: nothing is confirmed before the test has done what it wants to do."""


def changed(policy: str, *replacements: tuple[str, str]) -> str:
    """The policy with these texts replaced; each must be there."""
    for old, new in replacements:
        assert old in policy, f"{old!r} is not in the policy"
        policy = policy.replace(old, new)
    return policy


def keeps_trying(world: World, application: str) -> None:
    """Argo CD does not give an operation of it up before the service has decided, however slow."""
    app = world.argocd.application(application)
    app.policy = replace(app.policy, retry_limit=1_000)


def own_pulls(world: World) -> list[PullRequest]:
    return [pull for pull in world.pulls() if pull.author.login == BOT]


def own_commits(world: World) -> list[str]:
    """First lines of the service's commits on the base branch, oldest first."""
    log = world.repository.git.log("--first-parent", "--reverse", "main")
    return [commit.title for commit in log if commit.author.name == BOT]


def reverts(world: World) -> list[str]:
    """First lines of everything on the base branch that puts something back, oldest first."""
    log = world.repository.git.log("--reverse", "main")
    return [commit.title for commit in log if commit.title.startswith("rollback(")]


def stories(pull: PullRequest) -> list[str]:
    """The bodies of the service's comments that tell the rollout: never more than one."""
    mine = [comment.body for comment in pull.comments if comment.user.login == BOT]
    return [body for body in mine if "<!-- pilotage:rollout:" in body]


def story(pull: PullRequest) -> str:
    told = stories(pull)
    assert len(told) == 1, f"{len(told)} comments tell the rollout of #{pull.number}"
    return told[0]


def rollout_status(world: World, sha: str) -> str | None:
    found = world.github.statuses(world.repository, sha).get("pilotage/rollout")
    return found.state if found is not None else None


def deployments(world: World, sha: str) -> list[list[str]]:
    """For each deployment record of this commit the states that it went through."""
    return [
        [status.state for status in found.statuses]
        for found in world.repository.deployments
        if found.sha == sha and found.environment == "production"
    ]


def artifacts_box(pull: PullRequest) -> str:
    """The evidence that the files are valid; empty while it is not ticked."""
    lines = [line for line in pull.body.splitlines() if line.startswith("- [x] Artifacts valid")]
    return lines[0] if lines else ""
