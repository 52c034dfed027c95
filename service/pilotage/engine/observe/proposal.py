"""The open pull request: its body and edits, its head, its reviews, and how it was merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pilotage.adapters.git import UnknownCommit
from pilotage.adapters.github import GitHub, GitHubError
from pilotage.adapters.kubernetes import NoSchemas
from pilotage.core import checklist, manifests, rendered
from pilotage.core.artifacts import Artifacts
from pilotage.core.change import files_of
from pilotage.core.discovery.find import Found
from pilotage.core.discovery.names import target_names, why_unknown
from pilotage.core.forge import PullRequest, Review
from pilotage.core.model import (
    Merge,
    MergeMethod,
    Promotion,
    Sha,
    State,
)
from pilotage.core.plan import versions
from pilotage.core.rendered import Wanted
from pilotage.core.rollout.watch import Requests, Watch
from pilotage.core.snapshot import (
    Known,
    MergeSeen,
    Seen,
    Sight,
    Snapshot,
    Unknown,
)
from pilotage.engine.observe.look import Look, logins, seen, until_of
from pilotage.engine.sights import (
    Question,
    expected_release,
)


def with_proposal(look: Look, snapshot: Snapshot) -> Snapshot:
    promotion = look.target.proposal
    if promotion is None or promotion.state is not State.OPEN or promotion.pull_request is None:
        return replace(snapshot, edits=look.post.edits)
    number = promotion.pull_request
    pull_request = seen(look, lambda _: look.repository.pull_request(number, look.asked))
    snapshot = replace(snapshot, pull_request=pull_request)
    if isinstance(pull_request, Unknown):
        return replace(snapshot, edits=look.post.edits)
    current = pull_request.value
    snapshot = _with_edits(look, snapshot, promotion, current)
    if current.merged:
        return replace(snapshot, merged=_merged(look, current))
    if not current.open:
        return snapshot
    found = snapshot.found_in_target
    wanted = rendered.wanted(look.policy, promotion, found, current.head, look.now)
    sights = _picture(look, promotion, found, anew=bool(wanted))
    files = files_of(promotion.changes)
    edited = _edited_on_base(look, promotion, files)
    return replace(
        snapshot,
        versions_on_head=_versions_on_head(look, promotion, current.head),
        artifacts=_artifacts(look, promotion, current.head),
        edited_on_base=edited,
        proposal_at_head=look.repository.trees.texts(look.base, files) if edited else {},
        reviews=seen(look, lambda _: look.repository.reviews(number, look.asked)),
        approvers=_approvers(look, number),
        sights=sights,
        renders=_renders(look, promotion, current.head, wanted, sights),
    )


def _with_edits(
    look: Look, snapshot: Snapshot, promotion: Promotion, current: PullRequest
) -> Snapshot:
    """The edits that events told; the edit history where they do not account for the body, and
    once after each of our own writes, which may have overwritten a person's tick."""
    items = [item.item for item in look.policy.environment.checklist]
    edits, own = checklist.untold(promotion, look.post.edits), look.own
    ticks = checklist.attribute(promotion.ticks, edits, items, lambda login: login != own)
    agrees = not checklist.disagrees(current.body, ticks, items)
    if agrees and promotion.body_written_at is None:
        return replace(snapshot, edits=tuple(edits))
    read = promotion.edits_read_until
    try:
        told = look.outside.github.body_edits(look.target.repository, current.number, read)
    except GitHubError:
        # What does not account for the body is not the newest that people did to it.
        return replace(snapshot, edits=tuple(edits) if agrees else ())
    edits = sorted((*edits, *told), key=lambda edit: edit.at)
    until = max((edit.at for edit in told), default=read or current.updated_at)
    return replace(snapshot, edits=tuple(edits), edits_read_until=until)


def _versions_on_head(look: Look, promotion: Promotion, head: Sha) -> Seen[Mapping[str, str]]:
    trees = look.repository.trees
    try:
        tree = trees.tree(look.policy.pipeline, look.policy.environment_name, head)
        people = _set_by_people(look, promotion, head)
    except UnknownCommit:
        look.repository.trees.forget_fetch()
        return Unknown(f"{head[:7]} is not fetched yet", look.now)
    found = versions(look.policy.pipeline, tree)
    ours = {name: found[name] for name in promotion.services if name in found}
    return Known(ours | people, look.now)


def _artifacts(look: Look, promotion: Promotion, head: Sha) -> Seen[Artifacts] | None:
    if look.policy.environment.gates.artifacts is None:
        return None
    repository = look.repository
    try:
        found = repository.judge.proposal(
            repository.trees,
            look.policy,
            promotion.changes,
            base=promotion.base,
            head=head,
            source=promotion.source_commit,
        )
    except NoSchemas as missing:
        return Unknown(missing.reason, look.now, next_step=missing.next_step)
    except UnknownCommit as unknown:
        repository.trees.forget_fetch()
        return Unknown(str(unknown), look.now)
    return Known(found, look.now)


def _set_by_people(look: Look, promotion: Promotion, head: Sha) -> dict[str, str]:
    """Service to what commits that are not ours made of it; what the base has is not theirs."""
    if promotion.branch_head is None or head == promotion.branch_head:
        return {}
    trees, pipeline = look.repository.trees, look.policy.pipeline
    environment = look.policy.environment_name
    bases = (
        look.plan.versions_in_target,
        versions(pipeline, trees.tree(pipeline, environment, promotion.base)),
    )
    found = {}
    for change in trees.steps(pipeline, environment, promotion.branch_head, head):
        if change.service in promotion.services:
            other = [write for write in change.copied if write is not change.writes[0]]
            shown = (change.after, *(f"{write.path} {write.after}" for write in other))
            found[change.service] = ", ".join(shown)
        elif all(base.get(change.service) != change.after for base in bases):
            found[change.service] = change.after
    return found


def _edited_on_base(look: Look, promotion: Promotion, files: list[str]) -> bool:
    if promotion.base == look.base:
        return False
    try:
        return bool(look.repository.trees.changed(promotion.base, look.base, files))
    except UnknownCommit:
        return False


def _approvers(look: Look, number: int) -> Seen[frozenset[str]] | None:
    wanted = look.policy.environment.gates.approvers
    if wanted is None:
        return None
    if wanted.anybody:
        return seen(look, lambda github: logins(look, wanted))
    name = look.target.repository
    reviews = seen(look, lambda _: look.repository.reviews(number, look.asked))
    if isinstance(reviews, Unknown):
        return reviews
    return seen(look, lambda github: _writers(github, name, reviews.value))


def _writers(github: GitHub, repository: str, reviews: tuple[Review, ...]) -> frozenset[str]:
    return frozenset(
        review.by
        for review in reviews
        if review.state == "approved"
        and github.permission(repository, review.by) in ("admin", "write")
    )


def _renders(
    look: Look,
    promotion: Promotion,
    head: Sha,
    wanted: Sequence[Wanted],
    sights: Mapping[str, Sight],
) -> dict[str, manifests.Answer]:
    """What is not answered in time is answered at a later look."""
    known: dict[str, manifests.Answer] = {}
    questions: dict[str, manifests.Question] = {}
    for each in wanted:
        asked = rendered.question(each, sights.get(each.name), head, promotion.base)
        if isinstance(asked, manifests.Question):
            questions[each.name] = asked
        else:
            known[each.name] = asked
    told = look.outside.renders.ask(questions.values()) if questions else {}
    return known | {name: told[asked] for name, asked in questions.items() if asked in told}


def _picture(
    look: Look, promotion: Promotion, found: Mapping[str, Found], anew: bool
) -> dict[str, Sight]:
    """The target's applications before the merge, as Argo CD has them: no refresh is asked for."""
    taken = promotion.pictured_at
    known = [each for each in promotion.changes if not why_unknown(each.service, found)]
    names = {each.service: target_names(look.policy, each.service, found) for each in known}
    there = [each.service for each in known if not each.new]
    complete = all(name in promotion.picture for service in there for name in names[service])
    recent = taken is not None and look.now - taken < look.outside.settings.compare
    if complete and recent and not anew:
        return {}
    questions = []
    glance = replace(Watch.begin(look.now), requests=Requests())
    merge = Merge(look.base, look.base, MergeMethod.PUSH, "", look.now)
    for change in known:
        expected = expected_release(look.policy, promotion, merge, change, look.base)
        for name in names[change.service]:
            questions.append(Question(name, glance, expected))
    return look.sights.look(look.policy.environment.argocd, questions)


def _merged(look: Look, current: PullRequest) -> Seen[MergeSeen]:
    """Merge, squash or rebase: told from the commit's parents and the pull request's commits."""
    assert current.merge_commit is not None
    trees = look.repository.trees
    try:
        commit = trees.commit(current.merge_commit)
        if len(commit.parents) > 1:
            method, parent = MergeMethod.MERGE, commit.parents[0]
        else:
            method, parent = _squashed_or_rebased(look, current, current.merge_commit)
    except UnknownCommit:
        trees.forget_fetch()
        return Unknown(f"{current.merge_commit[:7]} is not fetched yet", look.now, look.now)
    except GitHubError as error:
        return Unknown(str(error), look.now, until_of(error))
    merge = Merge(
        sha=current.merge_commit,
        parent=parent,
        method=method,
        by=current.merged_by or "somebody",
        at=current.merged_at or look.now,
    )
    changes = trees.steps(
        look.policy.pipeline, look.policy.environment_name, parent, current.merge_commit
    )
    return Known(MergeSeen(merge, changes), look.now)


def _squashed_or_rebased(look: Look, current: PullRequest, sha: Sha) -> tuple[MergeMethod, Sha]:
    """A rebase leaves every commit's message on the branch; a squash leaves one of its own."""
    trees = look.repository.trees
    commits = look.outside.github.pull_request_commits(look.target.repository, current.number)
    landed = trees.git.first_parents(sha, len(commits) + 1)
    messages = [found.message.strip() for found in commits]
    there = [found.message.strip() for found in reversed(landed[: len(commits)])]
    if messages == there and len(landed) > len(commits):
        return MergeMethod.REBASE, landed[len(commits)].sha
    return MergeMethod.SQUASH, trees.parent(sha)
