"""Reads everything that one decision goes by, once, and says when it was read.

What cannot be read becomes `Unknown` in the snapshot; only git being out of reach, or a
configuration that is wrong, ends the look as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from pilotage.adapters.git import RemoteError, UnknownCommit
from pilotage.adapters.github import GitHub, GitHubError, RateLimited
from pilotage.core import checklist, verification
from pilotage.core.config import ConfigError
from pilotage.core.forge import PullRequest, PullRequestBrief, Review
from pilotage.core.model import (
    Merge,
    MergeMethod,
    Outcome,
    Promotion,
    Proof,
    ServiceChange,
    Sha,
    State,
    Target,
)
from pilotage.core.people import running_now
from pilotage.core.plan import Pattern, Plan, versions
from pilotage.core.policy import Config, People, Policy, policy_for
from pilotage.core.proof import find
from pilotage.core.prose import branch_pattern
from pilotage.core.rollout_watch import Requests, Watch
from pilotage.core.snapshot import (
    Known,
    MergeSeen,
    OtherPullRequest,
    Reading,
    RevertSeen,
    Rhythm,
    Seen,
    Sight,
    Snapshot,
    Unknown,
    Written,
)
from pilotage.engine.mail import Post
from pilotage.engine.outside import Asked, Outside, Repository
from pilotage.engine.sights import (
    Applications,
    Sights,
    expected_proof,
    expected_release,
    expected_revert,
    names_of,
)
from pilotage.engine.touched import touched_targets
from pilotage.engine.trees import NoConfigError, Trees
from pilotage.store import Store

T = TypeVar("T")

_COMMITS_WALKED = 50
_WHOLE_SECONDS = timedelta(seconds=5)
"""An edit's time has whole seconds: one that was read is read again rather than missed."""


class CannotObserve(Exception):
    """Nothing can be decided now. `until` is when to try again, if the outside said so.

    `configuration`: it will be so until somebody mends the file.
    """

    def __init__(
        self, reason: str, until: datetime | None = None, *, configuration: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason, self.until, self.configuration = reason, until, configuration


class NotPromoted(Exception):
    """The configuration does not promote to this target (any more)."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one target: what the parts below share."""

    outside: Outside
    store: Store
    repository: Repository
    target: Target
    post: Post
    now: datetime
    base: Sha
    config: Config
    policy: Policy
    problem: str | None
    """Why today's configuration cannot be used, while a release needs that of its merge."""
    plan: Plan
    sights: Sights
    own: str

    @property
    def asked(self) -> Asked:
        return Asked(self.now, self.outside.settings.compare, self.post.newest_hint)


class Observer:
    """Makes snapshots. Shared by the workers."""

    def __init__(self, outside: Outside, store: Store) -> None:
        self._outside = outside
        self._store = store
        self._applications = {name: Applications(server) for name, server in outside.argocd.items()}

    def observe(self, target: Target, post: Post, now: datetime) -> Snapshot:
        """Raises CannotObserve and NotPromoted."""
        look = self._begin(target, post, now)
        settings = self._outside.settings
        snapshot = Snapshot(
            target=replace(
                target,
                run_hint=post.run or target.run_hint,
                config_problem=look.problem,
                blind=None,
            ),
            policy=look.policy,
            base_branch=look.repository.trees.base_branch,
            base=look.base,
            plan=look.plan,
            own=look.own,
            rhythm=Rhythm(settings.compare, settings.look),
            link=settings.public_url.rstrip("/"),
            commands=post.commands,
            queued=post.queued,
            permitted=_permitted(look),
            proof_sights=_proof_sights(look),
        )
        snapshot = _with_proposal(look, snapshot)
        snapshot = _with_others(look, snapshot)
        snapshot = _with_release(look, snapshot)
        return _with_people(look, snapshot)

    def _begin(self, target: Target, post: Post, now: datetime) -> Look:
        repository = self._outside.repository(target.repository)
        trees = repository.trees
        try:
            trees.refresh(now, self._outside.settings.fetch, post.newest_hint)
            base = trees.head()
            if base is None:
                raise CannotObserve(f"{target.repository} has no branch {trees.base_branch}")
            config, policy, problem = _configured(trees, target, base)
            planned = trees.plan(policy.pipeline, policy.source_name, policy.environment_name, base)
            own = self._outside.github.identity()
        except (ConfigError, NoConfigError) as error:
            raise CannotObserve(_unusable(error), configuration=True) from None
        except RemoteError as error:
            raise CannotObserve(str(error)) from None
        except GitHubError as error:
            raise CannotObserve(str(error), _until(error)) from None
        sights = Sights(repository, self._applications, now)
        return Look(
            outside=self._outside,
            store=self._store,
            repository=repository,
            target=target,
            post=post,
            now=now,
            base=base,
            config=config,
            policy=policy,
            problem=problem,
            plan=planned,
            sights=sights,
            own=own,
        )


def _configured(trees: Trees, target: Target, base: Sha) -> tuple[Config, Policy, str | None]:
    """Today's configuration. A release goes on with that of its merge when there is none.

    Raises ConfigError, NoConfigError and NotPromoted.
    """
    try:
        config = trees.config(base)
        policy = policy_for(config, target.pipeline, target.environment, base)
        if policy is not None:
            return config, policy, None
        wrong: Exception = NotPromoted(f"{target.id} is not in the configuration at {base[:7]}")
        problem = str(wrong)
    except (ConfigError, NoConfigError) as error:
        wrong, problem = error, _unusable(error)
    release = target.release
    if release is None or release.merge is None:
        raise wrong
    at = release.merge.parent
    try:
        config = trees.config(at)
        policy = policy_for(config, target.pipeline, target.environment, at)
    except UnknownCommit:
        raise wrong from None
    if policy is None:
        raise wrong
    return config, policy, problem


def _unusable(error: Exception) -> str:
    return f"the configuration cannot be used: {error}"


def _until(error: Exception) -> datetime | None:
    return error.until if isinstance(error, RateLimited) else None


def seen(look: Look, read: Callable[[GitHub], T]) -> Seen[T]:
    """A reading of GitHub; what goes wrong is a value."""
    try:
        return Known(read(look.outside.github), look.now)
    except GitHubError as error:
        return Unknown(str(error), look.now, _until(error))


def _permitted(look: Look) -> frozenset[str]:
    """Commands of people that the policy allows; the operator's own are always."""
    return frozenset(
        command.id
        for command in look.post.commands
        if command.comment is None or _may_command(look, command.by)
    )


def _may_command(look: Look, login: str) -> bool:
    allowed = look.policy.environment.commands
    try:
        if not allowed.anybody:
            permission = look.outside.github.permission(look.target.repository, login)
            return permission in ("admin", "write")
        return login in _logins(look, allowed)
    except GitHubError:
        return False


def _logins(look: Look, people: People) -> frozenset[str]:
    organization = look.target.repository.partition("/")[0]
    logins = set(people.users)
    for team in people.teams:
        logins |= look.outside.github.team_members(organization, team)
    return frozenset(logins)


def _proof_sights(look: Look) -> dict[str, dict[str, Sight]]:
    """Looks at the source's applications whose time has come, or that something changed in."""
    found: dict[str, dict[str, Sight]] = {}
    source = look.repository.trees
    tree = source.tree(look.policy.pipeline, look.policy.source_name, look.base)
    for service, planned in look.plan.services.items():
        proof = _proof(look, service, planned.change)
        expected = expected_proof(look.policy, proof, planned.change, tree.files[service].path)
        for name in names_of(look.policy, service, source=True):
            watch = proof.watches.get(name)
            if watch is not None and not _due(look, name, watch.look_again_at, proof.proven):
                continue
            sight = look.sights.look(look.policy.source.argocd, name, watch, expected, None)
            found.setdefault(service, {})[name] = sight
    return found


def _proof(look: Look, service: str, change: ServiceChange) -> Proof:
    known = find(look.target.proofs, service, change.after)
    return known or Proof(service, change.after, look.plan.source, look.now)


def _due(look: Look, name: str, again: datetime, proven: bool) -> bool:
    if name in look.post.changed:
        return True
    if proven:
        return look.now - again >= look.outside.settings.look
    return look.now >= again


def _with_proposal(look: Look, snapshot: Snapshot) -> Snapshot:
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
    return replace(
        snapshot,
        versions_on_head=_versions_on_head(look, promotion, current.head),
        edited_on_base=_edited_on_base(look, promotion),
        reviews=seen(look, lambda _: look.repository.reviews(number, look.asked)),
        approvers=_approvers(look, number),
        sights=_picture(look, promotion),
    )


def _with_edits(
    look: Look, snapshot: Snapshot, promotion: Promotion, current: PullRequest
) -> Snapshot:
    """The edits that events told; the edit history where they do not account for the body, and
    once after each of our own writes, which may have overwritten a person's tick."""
    items = [item.item for item in look.policy.environment.checklist]
    edits, own = look.post.edits, look.own
    snapshot = replace(snapshot, edits=edits)
    ticks = checklist.attribute(promotion.ticks, edits, items, lambda login: login != own)
    written, read = promotion.body_written_at, promotion.edits_read_until
    overwritten = written is not None and (read is None or written > read)
    if not overwritten and not checklist.disagrees(current.body, ticks, items):
        return snapshot
    since = read - _WHOLE_SECONDS if read is not None else None
    try:
        told = look.outside.github.body_edits(look.target.repository, current.number, since)
    except GitHubError:
        return snapshot
    edits = tuple(sorted((*edits, *told), key=lambda edit: edit.at))
    return replace(snapshot, edits=edits, edits_read_at=look.now)


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


def _set_by_people(look: Look, promotion: Promotion, head: Sha) -> dict[str, str]:
    """Service to what commits that are not ours made of it; what the base has is not theirs."""
    if promotion.branch_head is None or head == promotion.branch_head:
        return {}
    trees, pipeline = look.repository.trees, look.policy.pipeline
    environment = look.policy.environment_name
    bases = (
        running_now(look.plan),
        versions(pipeline, trees.tree(pipeline, environment, promotion.base)),
    )
    found = {}
    for change in trees.steps(pipeline, environment, promotion.branch_head, head):
        if change.service in promotion.services:
            other = [write for write in change.copied if write.path != pipeline.version_path]
            shown = (change.after, *(f"{write.path} {write.after}" for write in other))
            found[change.service] = ", ".join(shown)
        elif all(base.get(change.service) != change.after for base in bases):
            found[change.service] = change.after
    return found


def _edited_on_base(look: Look, promotion: Promotion) -> bool:
    if promotion.base == look.base:
        return False
    files = sorted({write.file for change in promotion.changes for write in change.writes})
    try:
        return bool(look.repository.trees.changed(promotion.base, look.base, files))
    except UnknownCommit:
        return False


def _approvers(look: Look, number: int) -> Seen[frozenset[str]] | None:
    wanted = look.policy.environment.gates.approvers
    if wanted is None:
        return None
    if wanted.anybody:
        return seen(look, lambda github: _logins(look, wanted))
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


def _picture(look: Look, promotion: Promotion) -> dict[str, Sight]:
    """The target's applications before the merge, as Argo CD has them: no refresh is asked for."""
    taken = promotion.pictured_at
    if taken is not None and look.now - taken < look.outside.settings.compare:
        return {}
    found = {}
    glance = replace(Watch.begin(look.now), requests=Requests())
    merge = Merge(look.base, look.base, MergeMethod.PUSH, "", look.now)
    for change in promotion.changes:
        expected = expected_release(look.policy, promotion, merge, change, look.base)
        for name in names_of(look.policy, change.service):
            found[name] = look.sights.look(
                look.policy.environment.argocd, name, glance, expected, None
            )
    return found


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
        return Unknown(str(error), look.now, _until(error))
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


def _with_others(look: Look, snapshot: Snapshot) -> Snapshot:
    """Everybody else's pull requests into the branch, as far as they edit files of this target."""
    try:
        rows = look.repository.pull_requests(look.asked)
    except GitHubError as error:
        if look.target.proposal is None or look.target.proposal.state is State.OBSERVING:
            raise CannotObserve(str(error), _until(error)) from None
        return snapshot
    reopened = foreign = None
    others = []
    for row in rows:
        ours = _our_promotion(look, row)
        if ours is not None:
            if ours.state is State.CLOSED and ours.pull_request == row.number:
                reopened = ours
            continue
        if row.author == look.own and row.body_marker is not None:
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


def _our_promotion(look: Look, row: PullRequestBrief) -> Promotion | None:
    if row.author != look.own or row.body_marker is None:
        return None
    kind, _, promotion = row.body_marker.partition(":")
    if kind != "promotion":
        return None
    for current in (look.target.proposal, look.target.release):
        if current is not None and current.id == promotion:
            return current
    prefix = f"{look.target.pipeline}-{look.target.environment}-"
    return look.store.promotion(promotion) if promotion.startswith(prefix) else None


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
    foreign = next((found for found in touched if found != mine), None)
    if foreign is not None:
        return OtherPullRequest(row, (), f"edits promoted files of {foreign} as well; split it")
    try:
        changes = look.repository.trees.steps(
            look.policy.pipeline, look.policy.environment_name, look.base, row.head
        )
    except UnknownCommit:
        refusal = "comes from a fork and edits promoted files, which cannot be read there"
        return OtherPullRequest(row, (), refusal)
    return OtherPullRequest(row, changes)


def _with_release(look: Look, snapshot: Snapshot) -> Snapshot:
    release = look.target.release
    if release is None or release.merge is None:
        return replace(snapshot, last_release=_last_release(look))
    policy = _pinned(look, release)
    if policy is None:
        return snapshot
    files = sorted({write.file for change in release.changes for write in change.writes})
    return replace(
        snapshot,
        release_policy=policy,
        release_at_head=look.repository.trees.texts(look.base, files),
        sights=_release_sights(look, policy, release),
        revert_sights=_revert_sights(look, policy, release),
        revert_request=_revert_request(look, release),
        readings=_readings(look, policy, release),
    )


def _pinned(look: Look, release: Promotion) -> Policy | None:
    """The configuration as of the merge; today's where that one cannot be read any more."""
    assert release.merge is not None
    try:
        config = look.repository.trees.config(release.merge.parent)
    except (UnknownCommit, ConfigError, NoConfigError):
        return look.policy
    target = look.target
    pinned = policy_for(config, target.pipeline, target.environment, release.merge.parent)
    return pinned or look.policy


def _release_sights(look: Look, policy: Policy, release: Promotion) -> dict[str, Sight]:
    assert release.merge is not None
    found = {}
    for change in release.changes:
        if release.outcomes.get(change.service) not in (Outcome.ROLLING_OUT, Outcome.LIVE):
            continue
        for name in names_of(policy, change.service):
            watch = release.watches.get(name)
            if watch is not None and not _due(look, name, watch.look_again_at, False):
                continue
            expected = expected_release(policy, release, release.merge, change, look.base)
            picture = release.picture.get(name)
            found[name] = look.sights.look(
                policy.environment.argocd, name, watch, expected, picture
            )
    return found


def _revert_sights(look: Look, policy: Policy, release: Promotion) -> dict[str, Sight]:
    found = {}
    for revert in release.reverts:
        parent = _parent(look, revert.sha) if revert.sha is not None else None
        if revert.sha is None or parent is None:
            continue
        for change in release.changes:
            reverting = release.outcomes.get(change.service) is Outcome.REVERTING
            if change.service not in revert.services or not reverting:
                continue
            for name in names_of(policy, change.service):
                watch = revert.watches.get(name)
                if watch is not None and not _due(look, name, watch.look_again_at, False):
                    continue
                expected = expected_revert(policy, release, revert, change, look.base, parent)
                picture = release.picture.get(name)
                found[name] = look.sights.look(
                    policy.environment.argocd, name, watch, expected, picture
                )
    return found


def _parent(look: Look, sha: Sha) -> Sha | None:
    """None when another replica made the commit since we last fetched: the next look fetches."""
    try:
        return look.repository.trees.parent(sha)
    except UnknownCommit:
        look.repository.trees.forget_fetch()
        return None


def _revert_request(look: Look, release: Promotion) -> Seen[RevertSeen] | None:
    waiting = [found.pull_request for found in release.reverts if found.sha is None]
    number = next((found for found in waiting if found is not None), None)
    if number is None:
        return None
    current = seen(look, lambda github: github.pull_request(look.target.repository, number))
    if isinstance(current, Unknown):
        return current
    merged = current.value.merge_commit if current.value.merged else None
    return Known(RevertSeen(merged, current.value.open), look.now)


def _readings(look: Look, policy: Policy, release: Promotion) -> tuple[Reading, ...]:
    if release.live_at is None:
        return ()
    due = verification.due(policy.environment.verification, release.checks, look.now)
    readings = []
    for check in due:
        good, text = look.outside.probe.read(check)
        readings.append(Reading(check.name, good, text, look.now))
    return tuple(readings)


def _last_release(look: Look) -> Promotion | None:
    if not any(command.name == "rollback" for command in look.post.commands):
        return None
    found = look.store.promotions(look.target.id, [State.CONFIRMED], 1)
    return found[0] if found else None


def _with_people(look: Look, snapshot: Snapshot) -> Snapshot:
    """Who changed versions on the branch since the last look, where that was not us."""
    since = look.target.running_at
    if since is None or since == look.base:
        return snapshot
    now = running_now(look.plan)
    before = look.target.running
    moved = [name for name, found in now.items() if before.get(name, found) != found]
    if not moved:
        return snapshot
    written: dict[str, Written] = {}
    changes: dict[Sha, tuple[ServiceChange, ...]] = {}
    pattern = Pattern(look.policy.pipeline.files, look.policy.environment_name)
    for service in moved:
        commit = _last_change(look, since, pattern.path(service))
        written[service] = commit
        changes[commit.sha] = look.repository.trees.steps(
            look.policy.pipeline, look.policy.environment_name, commit.parent, commit.sha
        )
    return replace(snapshot, head_moved_by=written, written_changes=changes)


def _last_change(look: Look, since: Sha, file: str) -> Written:
    """The newest commit on the branch's own line that changed this file."""
    trees = look.repository.trees
    for commit in trees.git.first_parents(look.base, _COMMITS_WALKED):
        if commit.sha == since or not commit.parents:
            break
        if trees.changed(commit.parents[0], commit.sha, [file]):
            return Written(commit.sha, commit.parents[0], commit.author.name, commit.committed_at)
    head = trees.commit(look.base)
    return Written(head.sha, trees.parent(look.base), head.author.name, head.committed_at)
