"""Looks at everything outside that a configuration needs, and never fails: what cannot be learnt is
a finding. Reads only; nothing is written or stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from pilotage.adapters.argocd import ArgoCD
from pilotage.adapters.git import GitError
from pilotage.adapters.github import Forbidden, GitHubError, NotFound, RateLimited, Unreachable
from pilotage.core.application import (
    CannotSee,
    RenderAt,
    Rendered,
    RenderFailed,
    normalised_repository,
)
from pilotage.core.config.load import FILE
from pilotage.core.config.policy import Config, Environment, Mode, Pipeline
from pilotage.core.discovery.declared import Branch, Declared
from pilotage.core.discovery.find import discover, nearest_miss
from pilotage.core.discovery.names import names_in
from pilotage.core.forge import Access
from pilotage.core.layout import layout_of
from pilotage.core.manifests import said
from pilotage.core.model import Sha
from pilotage.core.readiness.argocd import (
    EnvironmentFacts,
    ServerFacts,
    judge_environment,
    judge_server,
    judge_unnamed,
)
from pilotage.core.readiness.branch import judge_branch
from pilotage.core.readiness.findings import (
    Checked,
    Finding,
    GitFacts,
    Unknown,
    judge_channels,
    judge_git,
    targets_of,
)
from pilotage.core.readiness.forge import ForgeFacts, judge_forge, named
from pilotage.engine.outside import Outside
from pilotage.engine.readers import read_for
from pilotage.engine.trees import Trees

T = TypeVar("T")

_MOST_RIGHTS = 20
"""Applications without automatic sync whose rights are asked for one by one."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked: the files of one commit, and the configuration that is to be used."""

    trees: Trees
    origin: str
    """The address that the clone was made from; empty where there is none."""
    checked: Checked
    config: Config | None


def look(outside: Outside, subject: Subject) -> Iterator[Finding]:
    """Findings about the clone, GitHub, the branch's rules and each Argo CD, in this order."""
    names = outside.settings.repositories
    repository = _repository(outside, subject.origin)
    name = repository or (names[0] if len(names) == 1 else None)
    origin = subject.origin and normalised_repository(subject.origin)
    git = GitFacts(origin, repository, names, subject.checked)
    branch = ""
    if name is None:
        yield from judge_git(git)
    else:
        asking = _Asking(outside, name)
        access = asking.ask(partial(outside.github.check_access, name))
        branch = "" if isinstance(access, Unknown) else access.default_branch
        yield from judge_git(asking.git(git, branch) if branch else git)
        yield from judge_forge(asking.forge(access, subject.config), subject.config)
        if isinstance(access, Access):
            targets = targets_of(subject.config) if subject.config is not None else ()
            protection = asking.ask(partial(outside.github.protection, name, branch))
            yield from judge_branch(protection, access, branch, targets)
    if subject.config is not None:
        yield from judge_channels(frozenset(outside.settings.channels), subject.config)
    address = _address(outside, name) if name is not None else subject.origin
    followed = Branch(normalised_repository(address), branch or subject.trees.base_branch)
    yield from _clusters(outside, subject, followed)


def _address(outside: Outside, name: str) -> str:
    return f"{str(outside.settings.github.git_url).rstrip('/')}/{name}"


def _repository(outside: Outside, origin: str) -> str | None:
    """The repository of the settings that an address is one of."""
    known = {
        normalised_repository(_address(outside, name)): name
        for name in outside.settings.repositories
    }
    return known.get(normalised_repository(origin)) if origin else None


@dataclass(frozen=True, slots=True)
class _Asking:
    """Questions about one repository of GitHub's."""

    outside: Outside
    name: str

    def ask(self, question: Callable[[], T]) -> T | Unknown:
        try:
            return question()
        except Unreachable as error:
            step = f"see that {self.outside.settings.github.url} answers from here"
            return Unknown(f"{error.what} failed: {error.why}", step)
        except RateLimited as error:
            step = f"check again after {error.until:%H:%M} UTC"
            return Unknown(f"{error.what} failed: {error.why}", step)
        except Forbidden as error:
            step = "grant the permission: docs/github.md lists what is needed"
            return Unknown(f"{error.what} failed: {error.why}", step)
        except GitHubError as error:
            missing = isinstance(error, NotFound)
            return Unknown(f"{error.what} failed: {error.why}", error.next_step, missing)
        except ValueError as error:  # a name that can be none
            return Unknown(str(error), "mend the name")

    def git(self, facts: GitFacts, branch: str) -> GitFacts:
        """As the service would: by the settings' address, with the service's credentials."""
        head: Sha | Unknown | None
        try:
            head = self.outside.repository(self.name).trees.git.remote_head(branch)
        except GitError as error:
            head = Unknown(str(error), "see git_url, and what the account may do")
        except GitHubError as error:
            head = Unknown(error.why, error.next_step)
        pushed: str | Unknown | None = None
        if isinstance(head, str):
            pushed = self.ask(partial(self.outside.github.text_of, self.name, FILE, head))
        return replace(facts, branch=branch, head=head, pushed=pushed)

    def forge(self, access: Access | Unknown, config: Config | None) -> ForgeFacts:
        facts = ForgeFacts(access, self.outside.settings.github.webhook_secret is not None)
        if config is None or isinstance(access, Unknown):
            return facts
        github, wanted = self.outside.github, named(config)
        members = partial(github.team_members, self.name.partition("/")[0])
        return replace(
            facts,
            labels=self.ask(partial(github.labels, self.name)) if wanted.labels else frozenset(),
            people={login: self._may_read(login) for login in wanted.people},
            teams={team: self.ask(partial(members, team)) for team in wanted.teams},
            sources={source: self._readable(source) for source in wanted.sources},
        )

    def _may_read(self, login: str) -> bool | Unknown:
        found = self.ask(partial(self.outside.github.permission, self.name, login))
        return found if isinstance(found, Unknown) else found != "none"

    def _readable(self, source: str) -> Unknown | None:
        found = self.ask(partial(self.outside.github.default_branch, source))
        return found if isinstance(found, Unknown) else None


def _clusters(outside: Outside, subject: Subject, branch: Branch) -> Iterator[Finding]:
    """Each server that an environment is on; all of them where no configuration says which."""
    servers = dict(outside.argocd)
    used = list(_used(subject.config)) if subject.config is not None else []
    wanted = dict.fromkeys(server for _, _, server in used) if used else dict.fromkeys(servers)
    facts = {name: _server(servers[name]) for name in wanted if name in servers}
    for each in facts.values():
        yield from judge_server(each)
    for pipeline, environment, server in used:
        id_ = f"{pipeline}/{environment}"
        if server not in facts:
            yield judge_unnamed(id_, server, list(servers))
            continue
        declared = facts[server].declared
        if isinstance(declared, Declared) and subject.config is not None:
            found = subject.config.pipelines[pipeline]
            environments = _environment(subject, found, id_, servers[server], declared, branch)
            yield from judge_environment(environments, declared)


def _used(config: Config) -> Iterator[tuple[str, str, str]]:
    """Pipeline, environment and server, wherever something is promoted from or to."""
    for name, pipeline in config.pipelines.items():
        sources = {pipeline.environments[each].from_ for each in pipeline.targets}
        for environment, found in pipeline.environments.items():
            if environment in sources or environment in pipeline.targets:
                yield name, environment, found.argocd


def _server(server: ArgoCD) -> ServerFacts:
    version = server.version()
    if isinstance(version, CannotSee):
        step = f"see that {server.url} is right and answers from here"
        return ServerFacts(server.server, Unknown(version.reason, step))
    user = server.userinfo()
    step = "give it a token of its account: docs/argocd.md"
    if isinstance(user, CannotSee):
        return ServerFacts(server.server, version, Unknown(user.reason, step))
    if not user.logged_in:
        refused = Unknown("the token is not valid", step)
        return ServerFacts(server.server, version, refused)
    declared = server.declared()
    if isinstance(declared, CannotSee):
        reason = f"applications cannot be listed: {declared.reason}"
        seen: Declared | Unknown = Unknown(reason, "grant applications, get: docs/argocd.md")
    else:
        seen = declared
    return ServerFacts(server.server, version, user.username, seen)


def _environment(
    subject: Subject,
    pipeline: Pipeline,
    id_: str,
    server: ArgoCD,
    declared: Declared,
    branch: Branch,
) -> EnvironmentFacts:
    name = id_.partition("/")[2]
    environment, trees, commit = pipeline.environments[name], subject.trees, subject.checked.commit
    every = {each: trees.tree(pipeline, each, commit).files for each in pipeline.environments}
    layout = layout_of(pipeline, name)
    idle = _without_version(trees, pipeline, name, commit)
    services = [each for each in layout.services(every[name]) if each not in idle]
    files = {service: layout.files_of(service) for service in services}
    known = tuple(sorted({path for each in every.values() for path in each}))
    texts = read_for(files, known, declared, branch, trees, commit)
    found = discover(files, known, declared, branch, texts)
    auto = environment.finds_applications
    names = {each: tuple(names_in(environment, name, each, {})) for each in services if not auto}
    by_name = {each.name: each for each in declared.applications}
    misses = {
        application: miss
        for service, each in names.items()
        for application in each
        if application in by_name and application not in found[service].names
        if (miss := nearest_miss(by_name[application], files[service], branch, texts)) is not None
    }
    acts = pipeline.mode is Mode.PROPOSE
    facts = EnvironmentFacts(id_, server.server, branch, found, names, misses, {}, acts)
    return replace(
        facts,
        may_sync=_rights(server, facts, declared),
        unrendered=_unrendered(server, environment, facts, declared),
    )


def _unrendered(
    server: ArgoCD, environment: Environment, facts: EnvironmentFacts, declared: Declared
) -> Unknown | None:
    """Where the gate needs it: why the first application's manifests are not to be had today."""
    rules = environment.gates.artifacts
    there = [each for each in declared.applications if each.name in facts.applications]
    if rules is None or not rules.render or not there:
        return None
    name = there[0].name
    match server.render(there[0].ref, RenderAt(())):
        case CannotSee(reason=reason):
            step = "grant applications, get: docs/argocd.md; or gates.artifacts.render: false"
            return Unknown(f"the manifests of {name} cannot be read: {said(reason)}", step)
        case RenderFailed(message=message):
            return Unknown(f"{name} does not render as it stands: {said(message)}", "mend it")
        case Rendered():
            return None


def _without_version(
    trees: Trees, pipeline: Pipeline, environment: str, commit: Sha
) -> frozenset[str]:
    """Files like those of a service that are none: nothing is promoted for them."""
    pairs = [(pipeline.environments[each].from_ or "", each) for each in pipeline.targets]
    plans = [
        trees.plan(pipeline, source, target, commit)
        for source, target in pairs
        if environment in (source, target)
    ]
    return frozenset(name for each in plans for name in each.without_version)


def _rights(
    server: ArgoCD, facts: EnvironmentFacts, declared: Declared
) -> Mapping[str, bool | Unknown]:
    """Rights are given by project: one application of each, and those that need it most."""
    by_name = {each.name: each for each in declared.applications}
    there = [by_name[name] for name in facts.applications if name in by_name]
    first = {each.ref.project: each for each in reversed(there)}
    by_hand = [each for each in there if not each.automated][:_MOST_RIGHTS]
    answers: dict[str, bool | Unknown] = {}
    for each in (*first.values(), *by_hand):
        if each.name not in answers:
            can = server.can_i("sync", each.ref)
            answers[each.name] = Unknown(can.reason) if isinstance(can, CannotSee) else can
    return answers
