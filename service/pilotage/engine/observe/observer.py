"""Reads everything that one decision goes by, once, and says when it was read.

What cannot be read becomes `Unknown` in the snapshot; only git being out of reach, or a
configuration that is wrong, ends the look as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from pilotage.adapters.git import RemoteError, UnknownCommit
from pilotage.adapters.github import GitHubError
from pilotage.core import comparing
from pilotage.core.change import ServiceChange, Write
from pilotage.core.choice import let_in
from pilotage.core.comparison import Answer, Span
from pilotage.core.config.load import ConfigError
from pilotage.core.config.policy import Config, Policy, policy_for
from pilotage.core.discovery.names import source_names, why_unknown
from pilotage.core.model import Proof, Sha, Target
from pilotage.core.proof import find
from pilotage.core.rollout.watch import Relation
from pilotage.core.snapshot import (
    Rhythm,
    Sight,
    Snapshot,
)
from pilotage.engine.mail import Post
from pilotage.engine.observe.look import CannotObserve, Look, NotPromoted, is_due, until_of
from pilotage.engine.observe.others import with_others
from pilotage.engine.observe.people import permitted, with_people
from pilotage.engine.observe.proposal import with_proposal
from pilotage.engine.observe.release import with_release
from pilotage.engine.outside import Outside
from pilotage.engine.readers import Readers
from pilotage.engine.sights import (
    Applications,
    Question,
    Sights,
    expected_proof,
)
from pilotage.engine.trees import NoConfigError, Trees
from pilotage.store import Store


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
            base_branch=look.base_branch,
            base=look.base,
            plan=look.plan,
            own=look.own,
            rhythm=Rhythm(settings.compare, settings.look),
            link=settings.public_url.rstrip("/"),
            forge=str(settings.github.git_url).rstrip("/"),
            compared=_compared(look),
            commands=post.commands,
            queued=post.queued,
            permitted=permitted(look),
        )
        snapshot = _with_readers(look, snapshot)
        snapshot = replace(snapshot, proof_sights=_proof_sights(look, snapshot))
        snapshot = with_proposal(look, snapshot)
        snapshot = with_others(look, snapshot)
        snapshot = with_release(look, snapshot)
        return with_people(look, snapshot)

    def _begin(self, target: Target, post: Post, now: datetime) -> Look:
        repository = self._outside.repository(target.repository)
        trees = repository.trees
        try:
            trees.refresh(now, self._outside.settings.fetch, post.newest_hint)
            if _is_behind(trees, target):
                trees.forget_fetch()
                trees.refresh(now, self._outside.settings.fetch, post.newest_hint)
            branch = trees.base_branch
            base = trees.git.head(branch)
            if base is None:
                raise CannotObserve(f"{target.repository} has no branch {branch}")
            config, policy, problem = _configured(trees, target, base)
            planned = trees.plan(
                policy.pipeline, policy.source_name, policy.environment_name, base, let_in(target)
            )
            own = self._outside.github.identity()
        except (ConfigError, NoConfigError) as error:
            raise CannotObserve(_unusable(error), configuration=True) from None
        except RemoteError as error:
            raise CannotObserve(str(error)) from None
        except GitHubError as error:
            raise CannotObserve(str(error), until_of(error)) from None
        sights = Sights(repository, self._applications, now)
        return Look(
            outside=self._outside,
            store=self._store,
            repository=repository,
            target=target,
            post=post,
            now=now,
            base_branch=branch,
            base=base,
            config=config,
            policy=policy,
            problem=problem,
            plan=planned,
            sights=sights,
            readers=Readers(repository, self._applications, now, post.changed),
            own=own,
        )


def _compared(look: Look) -> dict[Span, Answer]:
    """Of a set that an earlier look has found: nothing of it is on the way to finding one."""
    proposal = look.target.proposal
    if proposal is None:
        return {}
    spans = comparing.wanted(look.policy, proposal, look.now)
    return look.outside.comparisons.ask(spans) if spans else {}


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


def _with_readers(look: Look, snapshot: Snapshot) -> Snapshot:
    """The applications of what differs and of what is proposed, where the policy names none."""
    policy, plan = look.policy, look.plan
    if policy.source.finds_applications:
        read = {name: _files(planned.source) for name, planned in plan.services.items()}
        found = look.readers.find(policy.source.argocd, policy, read, look.base)
        snapshot = replace(snapshot, found_in_source=found)
    if policy.environment.finds_applications:
        changes = [*plan.changes, *(look.target.proposal.changes if look.target.proposal else ())]
        written = {change.service: _files(change.writes) for change in changes}
        found = look.readers.find(policy.environment.argocd, policy, written, look.base)
        snapshot = replace(snapshot, found_in_target=found)
    return snapshot


def _files(writes: Iterable[Write]) -> list[str]:
    return [write.file for write in writes]


def _proof_sights(look: Look, snapshot: Snapshot) -> dict[str, dict[str, Sight]]:
    """Looks at the source's applications whose time has come, or that something changed in."""
    questions: dict[str, list[Question]] = {}
    found = snapshot.found_in_source
    for service, planned in look.plan.services.items():
        proof = _proof(look, service, planned.change)
        expected = expected_proof(look.policy, proof, planned)
        for name in source_names(look.policy, service, found):
            watch = proof.watches.get(name)
            if watch is not None and not is_due(look, name, watch.look_again_at, proof.proven):
                continue
            question = Question(name, watch, expected, unknown=why_unknown(service, found))
            questions.setdefault(service, []).append(question)
    asked = [question for each in questions.values() for question in each]
    sights = look.sights.look(look.policy.source.argocd, asked)
    return {
        service: {question.name: sights[question.name] for question in each}
        for service, each in questions.items()
    }


def _proof(look: Look, service: str, change: ServiceChange) -> Proof:
    known = find(look.target.proofs, service, change.after)
    return known or Proof(service, change.after, look.plan.source, look.now)


def _is_behind(trees: Trees, target: Target) -> bool:
    """Another replica has seen a head of the branch that ours, last fetched, does not contain."""
    head, release, proposal = trees.head(), target.release, target.proposal
    if head is None:
        return False
    seen = [target.running_at, proposal.base if proposal is not None else None]
    if release is not None:
        seen.append(release.merge.sha if release.merge is not None else None)
        seen += [revert.sha for revert in release.reverts]
    older = (Relation.UNKNOWN, Relation.ANCESTOR)
    return any(
        trees.relation(sha, head) in older for sha in seen if sha is not None and sha != head
    )
