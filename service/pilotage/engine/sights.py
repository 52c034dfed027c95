"""Looks at Argo CD's applications, with the facts that git adds to what they name."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pilotage.adapters.argocd import ArgoCD
from pilotage.adapters.git import UnknownCommit
from pilotage.clock import age
from pilotage.core import version
from pilotage.core.application import (
    Application,
    ApplicationRef,
    CannotSee,
    Gone,
    Look,
)
from pilotage.core.change import Place, ServiceChange, Write, telling
from pilotage.core.config.policy import Pipeline, Policy
from pilotage.core.discovery.declared import Declared
from pilotage.core.model import Merge, Promotion, Proof, Revert, Sha
from pilotage.core.rollout.judge import revisions_to_place, route_of
from pilotage.core.rollout.watch import (
    Expectation,
    HeadFacts,
    Image,
    Relation,
    RevisionFacts,
    Route,
    Value,
    Watch,
)
from pilotage.core.service_plan import ServicePlan
from pilotage.core.snapshot import Sight
from pilotage.engine.memory import Memory
from pilotage.engine.outside import Repository

_AT_ONCE = 8
"""Looks at one Argo CD for one target at the same time."""
_LISTED_FOR = timedelta(seconds=60)
_LISTED_FOR_AFTER_EVENTS = timedelta(seconds=10)
_SEARCHES_REMEMBERED = 100


@dataclass(frozen=True, slots=True)
class _Listed:
    at: datetime
    refs: Mapping[str, ApplicationRef]


@dataclass(frozen=True, slots=True)
class _Declared:
    at: datetime
    declared: Declared

    def is_outdated(self, now: datetime, changed: frozenset[str]) -> bool:
        """An event may tell of another specification, and of an application that is new."""
        old = age(self.at, now)
        if old >= _LISTED_FOR or (changed and old >= _LISTED_FOR_AFTER_EVENTS):
            return True
        known = {each.name for each in self.declared.applications}
        return old >= timedelta(seconds=1) and not changed <= known


class Applications:
    """Finds applications by name on one server; the list is kept for a minute."""

    def __init__(self, server: ArgoCD) -> None:
        self.server = server
        self._listed: _Listed | None = None
        self._declared: _Declared | None = None
        self.found = Memory(_SEARCHES_REMEMBERED)
        """What was found by the last list."""
        self._lock = threading.Lock()

    def find(self, name: str, now: datetime) -> ApplicationRef | Gone | CannotSee:
        known = self._listed
        if known is not None and age(known.at, now) < _LISTED_FOR and name in known.refs:
            return known.refs[name]
        with self._lock:
            known = self._listed
            if known is None or age(known.at, now) >= timedelta(seconds=1):
                names = self.server.names()
                if isinstance(names, CannotSee):
                    return names
                if not names:
                    # Without rights the list is empty as well, and says nothing.
                    return CannotSee(f"{self.server.server} shows no application to this token")
                refs = {found.name: found for found in names}
                known = self._listed = _Listed(now, refs)
        found = known.refs.get(name)
        if found is not None:
            return found
        return Gone(f"{self.server.server} shows no application {name} to this token")

    def declared(self, now: datetime, changed: frozenset[str]) -> Declared | CannotSee:
        """What all of them are declared to read. The last list is kept where there is no newer."""
        with self._lock:
            known = self._declared
            if known is not None and not known.is_outdated(now, changed):
                return known.declared
            found = self.server.declared()
            if isinstance(found, Declared) and not found.applications:
                found = CannotSee(f"{self.server.server} shows no application to this token")
            if isinstance(found, CannotSee):
                return known.declared if known is not None else found
            if known is not None and known.declared == found:
                found = known.declared
            else:
                self.found = Memory(_SEARCHES_REMEMBERED)
            self._declared = _Declared(now, found)
            self._listed = _Listed(now, {each.name: each.ref for each in found.applications})
            return found


@dataclass(frozen=True, slots=True)
class Expected:
    """What one service's applications should come to: the commit, its values and the context."""

    service: str
    sha: Sha
    parent: Sha
    since: datetime
    writes: tuple[Write, ...]
    version: Place
    """Which of them is called the version."""
    images: tuple[Image, ...] = ()
    """As the configuration names them; without that, the files may."""
    head: Sha | None = None
    revert: bool = False
    terminated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Question:
    """What to look at: the application, what is remembered of it, and what it should come to."""

    name: str
    watch: Watch | None
    expected: Expected
    picture: Application | None = None
    unknown: str = ""
    """Why it is not known which application this is."""


class Sights:
    """Looks on behalf of one target."""

    def __init__(
        self, repository: Repository, applications: Mapping[str, Applications], now: datetime
    ) -> None:
        self._repository = repository
        self._applications = applications
        self._now = now
        self._silent: set[str] = set()
        """Servers that a refresh was not answered by: none is asked of them again in this look."""

    def look(self, server: str, questions: Sequence[Question]) -> dict[str, Sight]:
        """One look at each, by name. A refresh takes Argo CD a while, so they go side by side."""
        if len(questions) < 2:
            return {each.name: self._sight(server, each) for each in questions}
        with ThreadPoolExecutor(min(_AT_ONCE, len(questions)), "look") as pool:
            sights = pool.map(lambda each: self._sight(server, each), questions)
            return {each.name: sight for each, sight in zip(questions, sights, strict=True)}

    def _sight(self, server: str, question: Question) -> Sight:
        watch = question.watch or Watch.begin(self._now)
        look = self._look(server, question, watch)
        return Sight(look, self._expectation(look, question.expected, question.picture))

    def _look(self, server: str, question: Question, watch: Watch) -> Look:
        applications = self._applications.get(server)
        if applications is None:
            return Look(CannotSee(f"the settings know no Argo CD named {server}"))
        ref: ApplicationRef | Gone | CannotSee = CannotSee(question.unknown)
        if not question.unknown:
            ref = applications.find(question.name, self._now)
        requests = watch.due(self._now)
        if isinstance(ref, Gone | CannotSee):
            # Nobody was there to ask. A refresh that stays due would be asked for at once, again.
            return Look(ref, requests.refresh)
        if server in self._silent:
            requests = replace(requests, refresh=None)
        look = applications.server.look(ref, requests)
        if requests.refresh is not None and isinstance(look.application, CannotSee):
            self._silent.add(server)
        return look

    def _expectation(
        self, look: Look, expected: Expected, picture: Application | None
    ) -> Expectation:
        application = look.application if isinstance(look.application, Application) else None
        values = {
            write.place: Value(write.file, write.path, write.before, write.after)
            for write in expected.writes
        }
        images = expected.images or self._repository.trees.images(expected.sha, expected.writes)
        versions = tuple(value for place, value in values.items() if place == expected.version)
        return Expectation(
            sha=expected.sha,
            parent=expected.parent,
            since=expected.since,
            repository=self._repository.normalised,
            branch=self._repository.trees.base_branch,
            values=tuple(values.values()),
            head=self._head(expected),
            revisions=self._revisions(application, expected),
            picture=picture,
            route=self._route(versions, picture, application),
            images=images,
            revert=expected.revert,
            terminated=expected.terminated,
        )

    def _head(self, expected: Expected) -> HeadFacts | None:
        if expected.head is None:
            return None
        trees = self._repository.trees
        relation = trees.relation(expected.sha, expected.head)
        if relation is Relation.UNKNOWN:
            # Our commit is not here: this head may well be from before it.
            trees.forget_fetch()
            return HeadFacts(expected.head)
        holds = trees.holds(expected.head, expected.writes)
        return HeadFacts(expected.head, relation.ours, holds)

    def _revisions(
        self, application: Application | None, expected: Expected
    ) -> dict[Sha, RevisionFacts]:
        if application is None:
            return {}
        trees = self._repository.trees
        facts = {}
        for revision in revisions_to_place(application, self._repository.normalised):
            relation = trees.relation(expected.sha, revision)
            differs = None
            if application.generate_paths is not None and relation is Relation.ANCESTOR:
                differs = self._differs(revision, expected.sha)
            holds = trees.holds(revision, expected.writes)
            facts[revision] = RevisionFacts(relation, holds, differs)
        return facts

    def _differs(self, old: Sha, new: Sha) -> tuple[str, ...] | None:
        try:
            return self._repository.trees.changed(old, new, ("",))
        except UnknownCommit:
            return None

    def _route(
        self,
        values: tuple[Value, ...],
        picture: Application | None,
        application: Application | None,
    ) -> Route:
        before = picture or application
        return route_of(values, before, _version_source(values, before))


def _version_source(values: Sequence[Value], application: Application | None) -> int | None:
    """The source whose `targetRevision` looks like the value: the same prefix and a version.

    An ApplicationSet may still hold a version that nobody here has ever recorded. What none owns
    changes only where it is written: a chart of a fixed version may look the same.
    """
    if application is None or not application.application_set:
        return None
    for value in values:
        wanted = _numbered(value.new)
        if wanted is None:
            continue
        for index, source in enumerate(application.sources):
            if _numbered(source.target_revision) == wanted:
                return index
    return None


def _numbered(value: str) -> tuple[type, str] | None:
    """Semantic version or date, and what stands before it; None for anything else."""
    found = version.read(value)
    if not isinstance(found, version.Semantic | version.Calendar):
        return None
    return type(found), value.removesuffix(version.plain(value))


def images_of(pipeline: Pipeline, change: ServiceChange) -> tuple[Image, ...]:
    """The image that a version names, where the configuration says how."""
    source = pipeline.services.get(change.service)
    if source is None or source.image is None:
        return ()
    old = _image(source.image, change.before) if change.before is not None else ""
    return (Image(_image(source.image, change.after), old),)


def _image(template: str, value: str) -> str:
    return template.replace("{value}", value).replace("{version}", version.plain(value))


def expected_proof(policy: Policy, proof: Proof, planned: ServicePlan) -> Expected:
    """The source's own files hold the values, at whatever commit."""
    return Expected(
        service=proof.service,
        sha=proof.commit,
        parent=proof.commit,
        since=proof.first_seen,
        writes=telling(planned.source),
        version=planned.source[0].place,
        images=images_of(policy.pipeline, planned.change),
    )


def expected_release(
    policy: Policy, release: Promotion, merge: Merge, change: ServiceChange, head: Sha
) -> Expected:
    return Expected(
        service=change.service,
        sha=merge.sha,
        parent=merge.parent,
        since=merge.at,
        writes=telling(change.writes),
        version=change.writes[0].place,
        images=images_of(policy.pipeline, change),
        head=head,
        terminated=frozenset(release.terminated),
    )


def expected_revert(
    policy: Policy,
    release: Promotion,
    revert: Revert,
    change: ServiceChange,
    head: Sha,
    parent: Sha,
) -> Expected:
    """The same values the other way round."""
    assert revert.sha is not None
    writes = tuple(
        replace(write, before=write.after, after=write.before)
        for write in telling(change.copied)
        if write.before is not None
    )
    back = ServiceChange(change.service, change.after, change.before or "", writes)
    return Expected(
        service=change.service,
        sha=revert.sha,
        parent=parent,
        since=revert.landed_at or revert.asked_at,
        writes=writes,
        version=change.writes[0].place,
        images=images_of(policy.pipeline, back) if change.before is not None else (),
        head=head,
        revert=True,
        terminated=frozenset(release.terminated),
    )
