"""What branch protection asks for, and in which words github.com says that it is missing."""

from __future__ import annotations

from collections.abc import Sequence

from pilotage.sandbox.github.model import (
    Permission,
    Protection,
    ProtectionKind,
    PullRequest,
    Repository,
    RequiredContext,
    Status,
)
from pilotage.sandbox.github.state import State

PULL_REQUEST_NEEDED = "Changes must be made through a pull request."


def latest_statuses(repo: Repository, sha: str) -> dict[str, Status]:
    """The newest status of each context of a commit."""
    return {status.context: status for status in repo.statuses.get(sha, [])}


def context_state(repo: Repository, sha: str, required: RequiredContext) -> str:
    """success, failure, pending, or expected if nobody who may say it has said anything."""
    states = []
    status = latest_statuses(repo, sha).get(required.context)
    if status is not None and required.integration_id in (None, status.app_id):
        states.append((status.created_at, status.id, status.state))
    for run in repo.check_runs:
        named = run.sha == sha and run.name == required.context
        if named and required.integration_id in (None, run.app.id):
            good = run.conclusion in ("success", "neutral", "skipped")
            word = "pending" if run.conclusion is None else "success" if good else "failure"
            states.append((run.started_at, run.id, word))
    if not states:
        return "expected"
    return max(states)[2]


def missing_contexts(repo: Repository, protection: Protection, sha: str) -> list[str]:
    """One sentence, as github.com words it, for the required checks that `sha` lacks."""
    states = {each.context: context_state(repo, sha, each) for each in protection.contexts}
    lacking = {context: word for context, word in states.items() if word != "success"}
    if not lacking:
        return []
    if len(lacking) > 1:
        return [_counted(list(lacking.values()), len(states))]
    ((context, word),) = lacking.items()
    verb = word if word in ("expected", "pending") else "failing"
    return [f'Required status check "{context}" is {verb}.']


def _counted(words: Sequence[str], total: int) -> str:
    failing = sum(word in ("failure", "error") for word in words)
    pending = words.count("pending")
    expected = words.count("expected")
    if expected == len(words):
        return f"{expected} of {total} required status checks are expected."
    parts = {"failing": failing, "pending": pending, "expected": expected}
    named = ", ".join(f"{count} {word}" for word, count in parts.items() if count)
    return f"{len(words)} of {total} required status checks have not succeeded: {named}."


def merge_violations(state: State, repo: Repository, pull: PullRequest) -> list[str]:
    """Why this pull request may not be merged now by somebody without a bypass."""
    protection = repo.protections.get(pull.base_ref)
    if protection is None:
        return []
    found = missing_contexts(repo, protection, pull.head_sha)
    if not found and protection.strict and protection.contexts and is_behind(repo, pull):
        count = len(protection.contexts)
        found = [f"{count} of {count} required status checks are expected."]
    if lacking := _lacking_approvals(state, repo, protection, pull):
        found.append(lacking)
    return found


def _lacking_approvals(
    state: State, repo: Repository, protection: Protection, pull: PullRequest
) -> str:
    opinions = {
        review.user.login: review.state
        for review in pull.reviews
        if review.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED")
    }
    if protection.approvals and "CHANGES_REQUESTED" in opinions.values():
        return "Changes have been requested."
    approvals = sum(
        opinion == "APPROVED" and state.permission(repo, login) >= Permission.WRITE
        for login, opinion in opinions.items()
    )
    if approvals < protection.approvals:
        count = protection.approvals
        noun = "approving review is" if count == 1 else "approving reviews are"
        return f"At least {count} {noun} required by reviewers with write access."
    return ""


def push_violations(protection: Protection, repo: Repository, sha: str) -> list[str]:
    """Why `sha` may not be pushed to the protected branch."""
    found = missing_contexts(repo, protection, sha)
    if protection.pull_request:
        found.append(PULL_REQUEST_NEEDED)
    return found


def is_behind(repo: Repository, pull: PullRequest) -> bool:
    tip = repo.git.branch(pull.base_ref)
    return tip is not None and not repo.git.contains(pull.head_sha, tip)


def may_bypass(state: State, repo: Repository, protection: Protection, login: str) -> bool:
    if login.lower() in protection.bypass:
        return True
    if protection.kind is ProtectionKind.RULESET or protection.enforce_admins:
        return False
    return state.permission(repo, login) >= Permission.ADMIN


def refusal_text(protection: Protection, violations: Sequence[str]) -> str:
    """The message of the API for refused changes of a protected branch."""
    if protection.kind is ProtectionKind.RULESET:
        return "\n\n".join(["Repository rule violations found", *violations, ""])
    return " ".join(violations)


def push_refusal(protection: Protection, violations: Sequence[str], url: str) -> str:
    """What git prints (each line prefixed by `remote: `) when a push is refused."""
    ref = f"refs/heads/{protection.branch}"
    if protection.kind is ProtectionKind.CLASSIC:
        lines = [f"error: GH006: Protected branch update failed for {ref}."]
        lines += [f"error: {violation}" for violation in violations]
        return "\n".join([*lines, ""])
    lines = [f"error: GH013: Repository rule violations found for {ref}."]
    lines += [f"Review all repository rules at {url}/rules?ref={ref}", ""]
    for violation in violations:
        lines += [f"- {violation}", ""]
    return "\n".join([*lines, ""])


def mergeable_state(state: State, repo: Repository, pull: PullRequest) -> str:
    """One word, as REST gives it."""
    if pull.merged or pull.mergeable is None:
        return "unknown"
    if not pull.mergeable:
        return "dirty"
    if pull.draft:
        return "draft"
    protection = repo.protections.get(pull.base_ref)
    if protection is not None and protection.strict and is_behind(repo, pull):
        return "behind"
    if merge_violations(state, repo, pull):
        return "blocked"
    latest = latest_statuses(repo, pull.head_sha).values()
    return "unstable" if any(status.state != "success" for status in latest) else "clean"
