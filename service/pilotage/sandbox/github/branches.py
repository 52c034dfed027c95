"""What follows when a ref has moved: events, and what it does to open pull requests."""

from __future__ import annotations

from collections.abc import Mapping

from pilotage.sandbox.github.bare import ZERO, Person, RefMoved
from pilotage.sandbox.github.errors import Refused
from pilotage.sandbox.github.events import pull_event, repository_event
from pilotage.sandbox.github.model import Account, PullRequest, Repository
from pilotage.sandbox.github.render import Json
from pilotage.sandbox.github.render_commits import simple_commit
from pilotage.sandbox.github.state import State

_COMMITS_IN_PUSH = 20


def move(
    state: State, repo: Repository, ref: str, new: str | None, old: str | None, by: Account
) -> None:
    """Set a ref that is at `old` (None: absent) to `new` (None: delete it), with all that
    follows. Raises RefMoved."""
    if new is None:
        repo.git.delete_ref(ref, old or ZERO)
    else:
        repo.git.update_ref(ref, new, old)
    moved(state, repo, ref, old, new, by)


def moved(
    state: State, repo: Repository, ref: str, old: str | None, new: str | None, by: Account
) -> None:
    """Tell what has happened to a ref that has already moved."""
    repo.pushed_at = state.now()
    _emit_push(state, repo, ref, old, new, by)
    if not ref.startswith("refs/heads/"):
        return
    branch = ref.removeprefix("refs/heads/")
    for pull in list(repo.pulls.values()):
        if not pull.open:
            continue
        if new is None and branch in (pull.head_ref, pull.base_ref):
            close(state, pull, by)
        elif new is not None and pull.head_ref == branch:
            _head_moved(state, pull, new, by)
        elif new is not None and pull.base_ref == branch:
            _base_moved(state, pull, old, new, by)


def _head_moved(state: State, pull: PullRequest, new: str, by: Account) -> None:
    before, pull.head_sha = pull.head_sha, new
    git = pull.repository.git
    git.put_ref(f"refs/pull/{pull.number}/head", new)
    recompute(state, pull)
    pull.updated_at = state.now()
    pull_event(state, pull, "synchronize", by, before=before, after=new)
    if git.contains(pull.base_sha, new):
        close(state, pull, by)


def _base_moved(state: State, pull: PullRequest, old: str | None, new: str, by: Account) -> None:
    git = pull.repository.git
    if git.contains(new, pull.head_sha):
        path = git.run(
            "rev-list", "--first-parent", "--reverse", *([f"^{old}"] if old else []), new
        ).split()
        merge = next((sha for sha in path if git.contains(sha, pull.head_sha)), new)
        mark_merged(state, pull, merge, by)
        pull_event(state, pull, "closed", by)
        return
    pull.base_sha = new
    recompute(state, pull)


def recompute(state: State, pull: PullRequest) -> None:
    """`mergeable` is null from now until it has been read a few times."""
    pull.mergeable = None
    pull.merge_commit_sha = None
    pull.unread = state.mergeable_after_reads


def mark_merged(state: State, pull: PullRequest, sha: str, by: Account) -> None:
    now = state.now()
    pull.open = False
    pull.closed_at = pull.merged_at = pull.updated_at = now
    pull.merged_by = pull.closed_by = by
    pull.merge_commit_sha = sha
    pull.mergeable = None


def close(state: State, pull: PullRequest, by: Account) -> None:
    pull.open = False
    pull.closed_at = pull.updated_at = state.now()
    pull.closed_by = by
    pull_event(state, pull, "closed", by)


def create_branch(state: State, repo: Repository, ref: str, sha: str, by: Account) -> None:
    """POST git/refs. Raises Refused."""
    if not ref.startswith(("refs/heads/", "refs/tags/")) or not repo.git.valid_ref(ref):
        raise Refused(422, f"{ref} is not a valid ref name.")
    if repo.git.object_type(sha) is None:
        raise Refused(422, "Object does not exist")
    if repo.git.ref(ref) is not None:
        raise Refused(422, "Reference already exists")
    try:
        move(state, repo, ref, sha, None, by)
    except RefMoved as error:
        raise Refused(422, "Reference already exists") from error


def commit_files(
    state: State,
    repo: Repository,
    branch: str,
    files: Mapping[str, bytes | None],
    message: str,
    by: Account,
    *,
    parent: str | None,
    force: bool,
) -> str:
    """A commit on top of `parent`, or of the branch, or of the default branch, and the branch
    there. Raises Refused where the branch would lose commits and `force` is not said."""
    git = repo.git
    tip = git.branch(branch)
    start = parent or tip or git.branch(repo.default_branch)
    tree = git.with_files(start, files)
    person = Person(by.name or by.login, by.email)
    sha = git.write_commit(tree, [start] if start else [], message, person, state.now())
    if tip is not None and not force and not git.contains(sha, tip):
        raise Refused(422, "Update is not a fast forward")
    move(state, repo, f"refs/heads/{branch}", sha, tip, by)
    return sha


def _emit_push(
    state: State, repo: Repository, ref: str, old: str | None, new: str | None, by: Account
) -> None:
    if not repo.hooks or ref.startswith("refs/pull/"):
        return
    git = repo.git
    commits = []
    if new is not None and ref.startswith("refs/heads/"):
        known = [f"^{old}"] if old else [f"^refs/heads/{repo.default_branch}"]
        if old is None and ref == f"refs/heads/{repo.default_branch}":
            known = []
        commits = git.log("--reverse", f"-{_COMMITS_IN_PUSH}", new, *known)
    html = f"{state.base_url}/{repo.full_name}"
    forced = bool(old and new and not git.contains(new, old))
    head = git.commit(new) if new and ref.startswith("refs/heads/") else None
    payload: Json = {
        "ref": ref,
        "before": old or ZERO,
        "after": new or ZERO,
        "created": old is None,
        "deleted": new is None,
        "forced": forced,
        "base_ref": None,
        "compare": f"{html}/compare/{(old or ZERO)[:12]}...{(new or ZERO)[:12]}",
        "commits": [_pushed_commit(repo, html, each.sha) for each in commits],
        "head_commit": _pushed_commit(repo, html, head.sha) if head else None,
        "pusher": {"name": by.login, "email": by.email},
    }
    repository_event(state, repo, "push", payload, by)


def _pushed_commit(repo: Repository, html: str, sha: str) -> Json:
    git = repo.git
    commit = git.commit(sha)
    listed = git.run(
        "diff-tree", "--root", "-r", "-z", "--no-renames", "--no-commit-id", "--name-status", sha
    )
    fields = listed.split("\0")[:-1]
    changed = list(zip(fields[::2], fields[1::2], strict=True))
    return simple_commit(commit, commit.committed_at.isoformat()) | {
        "distinct": True,
        "url": f"{html}/commit/{commit.sha}",
        "added": [path for letter, path in changed if letter == "A"],
        "removed": [path for letter, path in changed if letter == "D"],
        "modified": [path for letter, path in changed if letter not in ("A", "D")],
    }
