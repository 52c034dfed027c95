"""What the pages show, taken from the state under its lock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup, escape

from pilotage.sandbox.github import markdown, pulls, rules
from pilotage.sandbox.github.bare import Commit, FileChange
from pilotage.sandbox.github.boxes import box_lines
from pilotage.sandbox.github.model import (
    Account,
    Label,
    Permission,
    PullRequest,
    Repository,
    Status,
)
from pilotage.sandbox.github.state import State

_RECENT = 20


def ago(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%-d %b %Y %H:%M:%S UTC")


@dataclass(frozen=True, slots=True)
class Check:
    """One context on a commit; `state` is `expected` where a required one has not been said."""

    context: str
    state: str
    description: str
    target_url: str
    required: bool


@dataclass(frozen=True, slots=True)
class Said:
    """An entry of the conversation."""

    by: str
    at: datetime
    what: str
    html: Markup
    edited: bool = False


@dataclass(frozen=True, slots=True)
class MergeBox:
    """Why the merge is closed to everybody, to you, and whether you may pass."""

    reasons: list[str]
    forbidden: str
    may_bypass: bool
    methods: list[str]

    @property
    def is_open(self) -> bool:
        return not self.reasons and not self.forbidden


@dataclass(frozen=True, slots=True)
class PullView:
    pull: PullRequest
    body: Markup
    labels: list[Label]
    checks: list[Check]
    conversation: list[Said]
    commits: list[Commit]
    changes: list[FileChange]
    merge: MergeBox
    ticked: int
    boxes: int


def people(state: State) -> list[Account]:
    """Whom a person at the browser can be: users that are no machines."""
    return [who for who in state.accounts.values() if who.type == "User" and not who.machine]


def checks(repo: Repository, sha: str, branch: str) -> list[Check]:
    protection = repo.protections.get(branch)
    required = {each.context: each for each in protection.contexts} if protection else {}
    latest: dict[str, Status] = rules.latest_statuses(repo, sha)
    found = [
        Check(
            each.context,
            each.state,
            each.description or "",
            each.target_url or "",
            each.context in required,
        )
        for each in latest.values()
    ]
    found += [
        Check(run.name, run.conclusion or "pending", run.title or "", "", run.name in required)
        for run in repo.check_runs
        if run.sha == sha and run.name not in latest
    ]
    said = {check.context for check in found}
    found += [
        Check(name, "expected", "Waiting for status to be reported", "", True)
        for name in required
        if name not in said
    ]
    return sorted(found, key=lambda check: (not check.required, check.context))


def pull_view(state: State, pull: PullRequest, you: Account) -> PullView:
    repo, git = pull.repository, pull.repository.git
    pull.unread = 0  # a page waits until mergeability is known, so that it need not be reloaded
    pulls.read(state, pull)
    may_tick = pull.author is you or state.permission(repo, you.login) >= Permission.WRITE
    common = git.merge_base(pull.base_sha, pull.head_sha)
    known = repo.labels
    lines = pull.body.splitlines()
    boxes = box_lines(pull.body)
    return PullView(
        pull=pull,
        body=markdown.render(pull.body, _tickable if may_tick else None),
        labels=[known[name.lower()] for name in pull.labels],
        checks=checks(repo, pull.head_sha, pull.base_ref),
        conversation=_conversation(pull),
        commits=git.log("--reverse", "--topo-order", f"{pull.base_sha}..{pull.head_sha}"),
        changes=git.changes(common, pull.head_sha) if common else [],
        merge=_merge_box(state, pull, you),
        ticked=sum("[ ]" not in lines[each] for each in boxes),
        boxes=len(boxes),
    )


def _tickable(line: int, checked: bool) -> str:
    sign, word = ("☑", "untick") if checked else ("☐", "tick")
    return (
        f'<button class="box" name="line" value="{line}:{"0" if checked else "1"}" '
        f'aria-label="{word} this box" title="{word}">{sign}</button>'
    )


def _conversation(pull: PullRequest) -> list[Said]:
    said = [
        Said(
            each.user.login,
            each.created_at,
            "commented",
            markdown.render(each.body),
            each.updated_at != each.created_at,
        )
        for each in pull.comments
    ]
    words = {"APPROVED": "approved", "CHANGES_REQUESTED": "asked for changes"}
    said += [
        Said(
            review.user.login,
            review.submitted_at,
            f"{words.get(review.state, 'reviewed')} at {review.commit_id[:7]}",
            markdown.render(review.body),
        )
        for review in pull.reviews
    ]
    said += [
        Said(edit.editor.login, edit.edited_at, "edited the description", Markup(""))
        for edit in pull.edits[1:]
    ]
    if pull.merged_at and pull.merged_by:
        what = f"merged this into {pull.base_ref} as {(pull.merge_commit_sha or '')[:7]}"
        said.append(Said(pull.merged_by.login, pull.merged_at, what, Markup("")))
    return sorted(said, key=lambda entry: entry.at)


def _merge_box(state: State, pull: PullRequest, you: Account) -> MergeBox:
    repo = pull.repository
    protection = repo.protections.get(pull.base_ref)
    hard = ["This branch has conflicts that must be resolved."] if pull.mergeable is False else []
    hard += ["This pull request is still a draft."] if pull.draft else []
    soft = rules.merge_violations(state, repo, pull)
    may_write = state.permission(repo, you.login) >= Permission.WRITE
    bypass = protection is not None and rules.may_bypass(state, repo, protection, you.login)
    return MergeBox(
        reasons=hard + soft,
        forbidden="" if may_write else f"{you.login} may not merge here.",
        may_bypass=bool(soft) and not hard and may_write and bypass,
        methods=[each for each in ("merge", "squash", "rebase") if each in repo.allowed_methods],
    )


@dataclass(frozen=True, slots=True)
class RepositoryView:
    repo: Repository
    open: list[PullRequest]
    closed: list[PullRequest]
    files: list[str]
    commits: list[tuple[Commit, list[Check]]]
    branches: list[str]


def repository_view(repo: Repository) -> RepositoryView:
    git = repo.git
    tip = git.branch(repo.default_branch)
    newest_first = sorted(repo.pulls.values(), key=lambda pull: -pull.number)
    files = (
        [each.path for each in git.tree(tip, recursive=True) if each.type == "blob"] if tip else []
    )
    commits = git.log(f"-{_RECENT}", tip) if tip else []
    return RepositoryView(
        repo=repo,
        open=[pull for pull in newest_first if pull.open],
        closed=[pull for pull in newest_first if not pull.open],
        files=files,
        commits=[(commit, checks(repo, commit.sha, "")) for commit in commits],
        branches=[ref.removeprefix("refs/heads/") for ref in git.refs("refs/heads/")],
    )


def diff_html(patch: str | None) -> Markup:
    """Hunks with a class for each kind of line."""
    if patch is None:
        return Markup("<em>No text to show.</em>")
    kinds = {"+": "add", "-": "del", "@": "hunk"}
    lines = [
        Markup('<span class="{}">{}</span>').format(kinds.get(line[:1], "same"), escape(line))
        for line in patch.split("\n")
    ]
    return Markup("\n").join(lines)
