"""The three ways of merging, by plumbing, with the history that github.com leaves."""

from __future__ import annotations

from pilotage.sandbox.github.bare import BareRepository, Commit, GitError, MergeConflict, Person
from pilotage.sandbox.github.model import Account, MergeMethod, PullRequest
from pilotage.sandbox.github.state import State

GITHUB = Person("GitHub", "noreply@github.com")


def commit_merge(
    state: State,
    pull: PullRequest,
    by: Account,
    method: MergeMethod,
    title: str | None,
    message: str | None,
) -> str:
    """Write the commits of a merge and answer the new tip. Raises MergeConflict."""
    base, head, git = pull.base_sha, pull.head_sha, pull.repository.git
    if method is MergeMethod.REBASE:
        return _rebase(state, git, base, head)
    try:
        tree = git.merge_trees(base, head)
    except MergeConflict:
        raise
    except GitError as error:
        raise MergeConflict(str(error)) from error
    if method is MergeMethod.MERGE:
        parents, author = [base, head], by
        subject = title or (
            f"Merge pull request #{pull.number} from {pull.repository.owner.login}/{pull.head_ref}"
        )
        text = pull.title if message is None else message
    else:
        parents, author = [base], pull.author
        subject, text = _squash_message(git, pull, title, message)
    whole = f"{subject}\n\n{text}".rstrip("\n") + "\n"
    person = Person(author.name or author.login, author.email)
    return git.write_commit(tree, parents, whole, person, state.now(), GITHUB)


def _squash_message(
    git: BareRepository, pull: PullRequest, title: str | None, message: str | None
) -> tuple[str, str]:
    commits = _commits(git, pull.base_sha, pull.head_sha)
    if len(commits) == 1:
        first, _, rest = commits[0].message.partition("\n")
        subject, text = f"{first} (#{pull.number})", rest.strip("\n")
    else:
        subject = f"{pull.title} (#{pull.number})"
        text = "\n\n".join(f"* {commit.message}" for commit in commits)
    return title or subject, text if message is None else message


def _commits(git: BareRepository, base: str, head: str) -> list[Commit]:
    return git.log("--reverse", "--topo-order", "--no-merges", f"{base}..{head}")


def _rebase(state: State, git: BareRepository, base: str, head: str) -> str:
    """Each commit again on top of the base: the author stays, the committer is GitHub, so the
    commits are new ones even where a fast-forward were possible."""
    tip = base
    for commit in _commits(git, base, head):
        tree = _picked_tree(git, tip, commit)
        if tree == git.commit(tip).tree:
            continue  # its change is in the base already
        tip = git.write_commit(
            tree,
            [tip],
            commit.message + "\n",
            commit.author,
            commit.authored_at,
            GITHUB,
            state.now(),
        )
    return tip


def _picked_tree(git: BareRepository, onto: str, commit: Commit) -> str:
    """A cherry-pick as a merge of two helper commits whose common parent is the old parent:
    `merge-tree --merge-base` needs git 2.40."""
    if not commit.parents:
        raise MergeConflict(f"{commit.sha} has no parent")

    def helper(tree: str, parents: list[str]) -> str:
        return git.write_commit(tree, parents, "helper", GITHUB, commit.committed_at)

    origin = helper(git.commit(commit.parents[0]).tree, [])
    ours = helper(git.commit(onto).tree, [origin])
    theirs = helper(commit.tree, [origin])
    return git.merge_trees(ours, theirs)
