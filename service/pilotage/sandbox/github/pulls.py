"""Opening, editing, closing and merging pull requests."""

from __future__ import annotations

from dataclasses import dataclass

from pilotage.sandbox.github import branches, merging, render_pulls, rules
from pilotage.sandbox.github.bare import GitError, MergeConflict, Person, RefMoved
from pilotage.sandbox.github.errors import Refused, invalid, invalid_field
from pilotage.sandbox.github.events import pull_event
from pilotage.sandbox.github.model import (
    Account,
    BodyEdit,
    MergeMethod,
    Permission,
    PullRequest,
    Repository,
)
from pilotage.sandbox.github.render import Json
from pilotage.sandbox.github.state import State

LONGEST_BODY = 65_536
LONGEST_TITLE = 256


def check_body(resource: str, body: str) -> None:
    if len(body) > LONGEST_BODY:
        raise invalid(resource, f"body is too long (maximum is {LONGEST_BODY} characters)", "body")


def check_title(title: str) -> None:
    if not title.strip():
        raise invalid_field("PullRequest", "title", "missing_field")
    if len(title) > LONGEST_TITLE:
        raise invalid("PullRequest", f"title is too long (maximum is {LONGEST_TITLE} characters)")


def existing(repo: Repository, head: str, base: str) -> PullRequest | None:
    """The open pull request from `head` into `base`."""
    for pull in repo.pulls.values():
        if pull.open and pull.head_ref == head and pull.base_ref == base:
            return pull
    return None


def open_pull(
    state: State,
    repo: Repository,
    by: Account,
    *,
    head: str,
    base: str,
    title: str,
    body: str = "",
    draft: bool = False,
) -> PullRequest:
    """Raises Refused (422) where github.com does."""
    check_title(title)
    check_body("PullRequest", body)
    owner, _, branch = head.rpartition(":")
    if owner and owner.lower() != repo.owner.login.lower():
        raise invalid_field("PullRequest", "head")
    head_sha, base_sha = _tips(repo, branch, base)
    now = state.now()
    pull = PullRequest(
        repository=repo,
        id=state.next_id(),
        number=max(repo.pulls, default=0) + 1,
        title=title,
        body=body,
        author=by,
        head_ref=branch,
        head_sha=head_sha,
        base_ref=base,
        base_sha=base_sha,
        created_at=now,
        updated_at=now,
        draft=draft,
    )
    branches.recompute(state, pull)
    repo.pulls[pull.number] = pull
    repo.git.put_ref(f"refs/pull/{pull.number}/head", head_sha)
    pull_event(state, pull, "opened", by)
    return pull


def _tips(repo: Repository, branch: str, base: str) -> tuple[str, str]:
    """The heads of two branches that a pull request can join. Raises Refused (422)."""
    head_sha, base_sha = repo.git.branch(branch), repo.git.branch(base)
    if head_sha is None:
        raise invalid_field("PullRequest", "head")
    if base_sha is None:
        raise invalid_field("PullRequest", "base")
    if existing(repo, branch, base):
        label = f"{repo.owner.login}:{branch}"
        raise invalid("PullRequest", f"A pull request already exists for {label}.")
    if repo.git.merge_base(base_sha, head_sha) is None:
        message = f"The {branch} branch has no history in common with {base}"
        raise invalid("PullRequest", message)
    if repo.git.contains(base_sha, head_sha):
        raise invalid("PullRequest", f"No commits between {base} and {branch}")
    return head_sha, base_sha


def edit(
    state: State,
    pull: PullRequest,
    by: Account,
    *,
    title: str | None = None,
    body: str | None = None,
    base: str | None = None,
) -> None:
    """One `edited` event for all that changed; none if nothing did."""
    if pull.author is not by:
        require(state, pull.repository, by, Permission.WRITE)
    changes: Json = {}
    if title is not None and title != pull.title:
        check_title(title)
        changes["title"] = {"from": pull.title}
    if body is not None and body != pull.body:
        check_body("PullRequest", body)
        changes["body"] = {"from": pull.body}
    if base is not None and base != pull.base_ref:
        changes["base"] = _change_base(state, pull, base)
    if not changes:
        return
    if "title" in changes and title is not None:
        pull.title = title
    if "body" in changes and body is not None:
        _write_body(state, pull, by, body)
    pull.updated_at = state.now()
    pull_event(state, pull, "edited", by, changes=changes)


def _write_body(state: State, pull: PullRequest, by: Account, body: str) -> None:
    if not pull.edits:  # as on github.com the history begins with the original, at the first edit
        pull.edits.append(BodyEdit(state.next_id(), pull.author, pull.created_at, pull.body))
    pull.edits.append(BodyEdit(state.next_id(), by, state.now(), body))
    pull.body = body


def _change_base(state: State, pull: PullRequest, base: str) -> Json:
    sha = pull.repository.git.branch(base)
    if sha is None:
        raise invalid("PullRequest", f"Proposed base branch '{base}' was not found", "base")
    if not pull.open:
        raise invalid("PullRequest", "Cannot change the base branch of a closed pull request.")
    before = {"ref": {"from": pull.base_ref}, "sha": {"from": pull.base_sha}}
    pull.base_ref, pull.base_sha = base, sha
    branches.recompute(state, pull)
    return before


def close(state: State, pull: PullRequest, by: Account) -> None:
    if pull.author is not by:
        require(state, pull.repository, by, Permission.TRIAGE)
    if pull.open:
        branches.close(state, pull, by)


def reopen(state: State, pull: PullRequest, by: Account) -> None:
    """Raises Refused (422) if the branch is gone, rewritten or has another pull request."""
    if pull.author is not by:
        require(state, pull.repository, by, Permission.TRIAGE)
    if pull.open:
        return
    repo = pull.repository
    if pull.merged:
        raise _stays("The pull request is already merged.")
    tip, base = repo.git.branch(pull.head_ref), repo.git.branch(pull.base_ref)
    if tip is None or base is None:
        gone = pull.head_ref if tip is None else pull.base_ref
        raise _stays(f"The {gone} branch has been deleted.")
    if not repo.git.contains(tip, pull.head_sha):
        raise _stays(f"The {pull.head_ref} branch was force-pushed or recreated.")
    if existing(repo, pull.head_ref, pull.base_ref):
        label = f"{repo.owner.login}:{pull.head_ref}"
        raise _stays(f"A pull request already exists for {label}.")
    if repo.git.contains(base, tip):
        raise _stays(f"There are no new commits on the {pull.head_ref} branch.")
    pull.open = True
    pull.closed_at = pull.closed_by = None
    pull.head_sha, pull.base_sha = tip, base
    pull.updated_at = state.now()
    branches.recompute(state, pull)
    pull_event(state, pull, "reopened", by)


def _stays(reason: str) -> Refused:
    return invalid("PullRequest", f"state cannot be changed. {reason}", "state")


def read(state: State, pull: PullRequest) -> Json:
    """One pull request. Reading it is what makes github.com compute `mergeable`: the first
    answers after a push say null."""
    if pull.open and pull.mergeable is None:
        if pull.unread > 0:
            pull.unread -= 1
        else:
            _compute(pull)
    return shown(state, pull)


def shown(state: State, pull: PullRequest) -> Json:
    """The pull request as it is, as writes answer it."""
    return render_pulls.pull(state, pull, rules.mergeable_state(state, pull.repository, pull))


def _compute(pull: PullRequest) -> None:
    git = pull.repository.git
    try:
        tree = git.merge_trees(pull.base_sha, pull.head_sha)
    except (MergeConflict, GitError):
        pull.mergeable = False
        return
    message = f"Merge {pull.head_sha} into {pull.base_sha}"
    parents = [pull.base_sha, pull.head_sha]
    pull.merge_commit_sha = git.write_commit(
        tree, parents, message, merging.GITHUB, pull.updated_at
    )
    git.put_ref(f"refs/pull/{pull.number}/merge", pull.merge_commit_sha)
    pull.mergeable = True


@dataclass(frozen=True, slots=True)
class MergeRequest:
    method: MergeMethod = MergeMethod.MERGE
    title: str | None = None
    message: str | None = None
    sha: str | None = None
    bypass: bool = True


def merge(state: State, pull: PullRequest, by: Account, wanted: MergeRequest) -> str:
    """Merge as asked and answer the merge commit. `bypass`: use the right to pass a closed gate,
    if `by` has it; the API always does, the web page asks. Raises Refused (405, 409)."""
    repo = pull.repository
    require(state, repo, by, Permission.WRITE)
    if not pull.open:
        raise Refused(405, "Pull Request is not mergeable")
    if pull.draft:
        raise Refused(405, "Pull Request is still a draft")
    if wanted.sha is not None and wanted.sha != pull.head_sha:
        raise Refused(409, "Head branch was modified. Review and try the merge again.")
    if wanted.method not in repo.allowed_methods:
        names = {"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}
        raise Refused(405, f"{names[wanted.method]} are not allowed on this repository.")
    _check_protection(state, pull, by, wanted.bypass)
    try:
        sha = merging.commit_merge(state, pull, by, wanted.method, wanted.title, wanted.message)
    except MergeConflict as error:
        words = "This branch can't be rebased" if wanted.method == "rebase" else None
        raise Refused(405, words or "Pull Request is not mergeable") from error
    return _land(state, pull, by, sha)


def _check_protection(state: State, pull: PullRequest, by: Account, bypass: bool) -> None:
    protection = pull.repository.protections.get(pull.base_ref)
    violations = rules.merge_violations(state, pull.repository, pull)
    if protection is None or not violations:
        return
    if not (bypass and rules.may_bypass(state, pull.repository, protection, by.login)):
        raise Refused(405, rules.refusal_text(protection, violations))


def update_branch(state: State, pull: PullRequest, by: Account, expected: str | None) -> None:
    """Merge the base into the head. Raises Refused (422)."""
    repo, head = pull.repository, pull.head_sha
    require(state, repo, by, Permission.WRITE)
    if expected not in (None, head):
        raise Refused(422, "expected head sha didn’t match current head ref.")
    if not rules.is_behind(repo, pull):
        raise Refused(422, "There are no new commits on the base branch.")
    try:
        tree = repo.git.merge_trees(head, pull.base_sha)
    except MergeConflict as error:
        raise Refused(422, "merge conflict between base and head") from error
    message = f"Merge branch '{pull.base_ref}' into {pull.head_ref}"
    sha = repo.git.write_commit(
        tree, [head, pull.base_sha], message, person(by), state.now(), merging.GITHUB
    )
    branches.move(state, repo, f"refs/heads/{pull.head_ref}", sha, head, by)


def _land(state: State, pull: PullRequest, by: Account, sha: str) -> str:
    repo, ref, old = pull.repository, f"refs/heads/{pull.base_ref}", pull.base_sha
    try:
        repo.git.update_ref(ref, sha, old)
    except RefMoved as error:
        message = "Base branch was modified. Review and try the merge again."
        raise Refused(405, message) from error
    branches.mark_merged(state, pull, sha, by)
    branches.moved(state, repo, ref, old, sha, by)
    pull_event(state, pull, "closed", by)
    if repo.delete_branch_on_merge:
        branches.move(state, repo, f"refs/heads/{pull.head_ref}", None, pull.head_sha, by)
    return sha


def require(state: State, repo: Repository, who: Account, needed: Permission) -> None:
    """Raises Refused: 404 if `who` may not even see the repository, else 403."""
    held = state.permission(repo, who.login)
    if held < Permission.READ:
        raise Refused(404, "Not Found")
    if held < needed:
        raise Refused(403, "Resource not accessible by personal access token")


def person(who: Account) -> Person:
    return Person(who.name or who.login, who.email)
