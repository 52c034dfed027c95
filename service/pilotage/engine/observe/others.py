"""Everybody else's pull requests into the branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pilotage.adapters.git import UnknownCommit
from pilotage.adapters.github import GitHubError
from pilotage.core.forge import PullRequestBrief
from pilotage.core.model import (
    Promotion,
    State,
)
from pilotage.core.prose import branch_pattern
from pilotage.core.snapshot import (
    Known,
    OtherPullRequest,
    Snapshot,
)
from pilotage.core.wording import listed
from pilotage.engine.observe.look import CannotObserve, Look, seen, until_of
from pilotage.engine.touched import touched_targets


def with_others(look: Look, snapshot: Snapshot) -> Snapshot:
    """Everybody else's pull requests into the branch, as far as they edit files of this target."""
    try:
        rows = look.repository.pull_requests(look.asked)
    except GitHubError as error:
        if look.target.proposal is None or look.target.proposal.state is State.OBSERVING:
            raise CannotObserve(str(error), until_of(error)) from None
        return snapshot
    reopened = foreign = None
    others = []
    opened = _opened(look, rows)
    for row in rows:
        ours = _named_promotion(look, row) or opened.get(row.number)
        if ours is not None:
            if ours.state is State.CLOSED and ours.pull_request == row.number:
                reopened = ours
            continue
        if row.author == look.own and row.body_marker is not None:
            if _is_forgotten(look, row):
                foreign = row
            continue
        if _of_our_pattern(look, row):
            foreign = row
        found = _other(look, row)
        if found is not None:
            others.append(found)
    snapshot = replace(snapshot, foreign=foreign, others=tuple(others))
    if reopened is None or reopened.pull_request is None:
        return snapshot
    name, number = look.target.repository, reopened.pull_request
    current = seen(look, lambda github: github.pull_request(name, number))
    if isinstance(current, Known) and current.value.open:
        return replace(snapshot, reopened=(reopened, current.value))
    return snapshot


def _opened(look: Look, rows: Sequence[PullRequestBrief]) -> Mapping[int, Promotion]:
    """By number, what was opened for this target: a person may take out what the body says of that,
    or write something else, and must not make a stranger of it, for whom fewer gates are asked."""
    numbers = [row.number for row in rows if row.author == look.own]
    if not numbers:
        return {}
    newest_first = look.store.promotions(look.target.id, pull_requests=numbers)
    return {each.pull_request: each for each in reversed(newest_first) if each.pull_request}


def _named_promotion(look: Look, row: PullRequestBrief) -> Promotion | None:
    if row.author != look.own or row.body_marker is None:
        return None
    kind, _, promotion = row.body_marker.partition(":")
    if kind != "promotion":
        return None
    for current in (look.target.proposal, look.target.release):
        if current is not None and current.id == promotion:
            return current if _carries(row, current) else None
    if not promotion.startswith(_prefix(look)):
        return None
    known = look.store.promotion(promotion)
    return known if known is not None and _carries(row, known) else None


def _prefix(look: Look) -> str:
    return f"{look.target.pipeline}-{look.target.environment}-"


def _carries(row: PullRequestBrief, promotion: Promotion) -> bool:
    """The id alone does not tell: after the loss of the database they are counted anew."""
    if promotion.pull_request is not None:
        return promotion.pull_request == row.number
    return promotion.branch == row.head_branch


def _is_forgotten(look: Look, row: PullRequestBrief) -> bool:
    """We opened it for this target, and the database that knew of it is lost."""
    kind, _, promotion = (row.body_marker or "").partition(":")
    named = kind == "promotion" and promotion.startswith(_prefix(look))
    return named and _of_our_pattern(look, row)


def _of_our_pattern(look: Look, row: PullRequestBrief) -> bool:
    begin, end = branch_pattern(look.policy)
    same = row.head_repository == look.target.repository
    branch = row.head_branch
    return same and branch.startswith(begin) and branch.endswith(end) and branch != begin + end


def _other(look: Look, row: PullRequestBrief) -> OtherPullRequest | None:
    """None when it edits none of this target's files: then the repository's own look judges it."""
    try:
        files = look.repository.changed_files(row.number, row.head)
    except GitHubError:
        return None
    touched = touched_targets(look.config, files)
    mine = f"{look.target.pipeline}/{look.target.environment}"
    if mine not in touched:
        return None
    if len(touched) > 1:
        # In the same words for each of them: a commit has one status.
        refusal = f"edits promoted files of several targets ({listed(touched)}); split it"
        return OtherPullRequest(row, (), refusal)
    try:
        changes = look.repository.trees.steps(
            look.policy.pipeline, look.policy.environment_name, look.base, row.head
        )
    except UnknownCommit:
        refusal = "comes from a fork and edits promoted files, which cannot be read there"
        return OtherPullRequest(row, (), refusal)
    return OtherPullRequest(row, changes)
