"""A merge queue of one: the merge is made on a branch of its own and waits there for the checks."""

from __future__ import annotations

from pilotage.sandbox.github import branches, merging, rules
from pilotage.sandbox.github.errors import Refused
from pilotage.sandbox.github.events import pull_event, repository_event
from pilotage.sandbox.github.model import Account, MergeMethod, Permission, PullRequest
from pilotage.sandbox.github.pulls import require
from pilotage.sandbox.github.render import Json
from pilotage.sandbox.github.render_commits import simple_commit
from pilotage.sandbox.github.state import State


def enqueue(state: State, pull: PullRequest, by: Account, method: MergeMethod) -> str:
    """Ask for checks of the merge; answers its SHA. The required contexts have to be posted on
    that SHA. Raises Refused (405) while the pull request itself may not be merged."""
    repo = pull.repository
    require(state, repo, by, Permission.WRITE)
    violations = rules.merge_violations(state, repo, pull)
    if violations or not pull.open or pull.queued:
        raise Refused(405, " ".join(violations) or "Pull Request is not mergeable")
    sha = merging.commit_merge(state, pull, by, method, None, None)
    pull.queued = f"gh-readonly-queue/{pull.base_ref}/pr-{pull.number}-{pull.base_sha}"
    branches.move(state, repo, f"refs/heads/{pull.queued}", sha, None, by)
    _event(state, pull, by, sha, "checks_requested")
    return sha


def settle(state: State, pull: PullRequest, by: Account) -> bool:
    """Merge what waits, if its checks are green and the base has not moved. False: it waits on."""
    repo = pull.repository
    sha = repo.git.branch(pull.queued) if pull.queued else None
    protection = repo.protections.get(pull.base_ref)
    if sha is None or pull.queued is None:
        return False
    if protection is not None and rules.missing_contexts(repo, protection, sha):
        return False
    old, queued, pull.queued = pull.base_sha, pull.queued, None
    ref = f"refs/heads/{pull.base_ref}"
    repo.git.update_ref(ref, sha, old)
    branches.mark_merged(state, pull, sha, by)
    branches.moved(state, repo, ref, old, sha, by)
    pull_event(state, pull, "closed", by)
    _event(state, pull, by, sha, "destroyed", queued, reason="merged")
    branches.move(state, repo, f"refs/heads/{queued}", None, sha, by)
    return True


def _event(
    state: State,
    pull: PullRequest,
    by: Account,
    sha: str,
    action: str,
    queued: str | None = None,
    **extra: str,
) -> None:
    commit = pull.repository.git.commit(sha)
    payload: Json = {
        "action": action,
        **extra,
        "merge_group": {
            "head_sha": sha,
            "head_ref": f"refs/heads/{queued or pull.queued}",
            "base_sha": commit.parents[0],
            "base_ref": f"refs/heads/{pull.base_ref}",
            "head_commit": simple_commit(commit, commit.committed_at.isoformat()),
        },
    }
    repository_event(state, pull.repository, "merge_group", payload, by)
