"""Whether Argo CD has the applications, follows the branch with them, and syncs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pilotage.core.discovery.declared import Branch, Declared, DeclaredApplication
from pilotage.core.discovery.find import Found
from pilotage.core.discovery.reading import Misses, Near
from pilotage.core.readiness.findings import MOST_NAMED, Finding, Level, Unknown
from pilotage.core.wording import counted, listed, nearest

_RIGHTS = "docs/argocd.md lists the rights"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """One Argo CD; what comes after something unknown was not asked for."""

    name: str
    version: str | Unknown
    account: str | Unknown = ""
    declared: Declared | Unknown = field(default_factory=Declared)


@dataclass(frozen=True, slots=True)
class EnvironmentFacts:
    """One environment of a pipeline: which applications its services should have."""

    id: str
    server: str
    branch: Branch
    found: Mapping[str, Found]
    """What reads each service's files, by Argo CD's own account."""
    names: Mapping[str, tuple[str, ...]]
    """The applications that the policy names; empty with `applications: auto`."""
    misses: Mapping[str, Misses]
    """Named applications that read none of their service's files, and why."""
    may_sync: Mapping[str, bool | Unknown]
    """Asked for one application of each project, and for those without automatic sync."""
    acts: bool = True
    unrendered: Unknown | None = None
    """Why the gate would see no manifests, told by one application."""

    @property
    def applications(self) -> tuple[str, ...]:
        named = [name for each in self.names.values() for name in each]
        auto = [name for found in self.found.values() for name in found.names]
        return tuple(dict.fromkeys(named or auto))


def judge_server(facts: ServerFacts) -> Iterator[Finding]:
    about = f"Argo CD {facts.name}"
    if isinstance(facts.version, Unknown):
        yield Finding(Level.PROBLEM, about, facts.version.reason, facts.version.next_step)
        return
    if isinstance(facts.account, Unknown):
        yield Finding(Level.PROBLEM, about, facts.account.reason, facts.account.next_step)
        return
    text = f"{facts.version}, signed in as {facts.account}"
    yield Finding(Level.OK, about, text)
    if isinstance(facts.declared, Unknown):
        yield Finding(Level.PROBLEM, about, facts.declared.reason, facts.declared.next_step)
    elif not facts.declared.applications:
        text = "it shows no application to this token"
        yield Finding(Level.PROBLEM, about, text, f"grant applications, get: {_RIGHTS}")
    elif facts.declared.unseen:
        text = f"ApplicationSets cannot be seen: {facts.declared.unseen}"
        step = f"with `applications: auto` grant applicationsets, get: {_RIGHTS}"
        yield Finding(Level.NOTE, about, text, step)


def judge_unnamed(id_: str, server: str, known: list[str]) -> Finding:
    """An environment whose `argocd` the settings do not have."""
    near = nearest(server, known)
    text = f"the settings know no Argo CD {server}; they know {listed(known) or 'none'}"
    step = f"did you mean {near}?" if near else f"add [argocd.{server}] to the settings"
    return Finding(Level.PROBLEM, id_, text, step)


def judge_environment(facts: EnvironmentFacts, declared: Declared) -> Iterator[Finding]:
    if not declared.applications:
        return
    by_name = {each.name: each for each in declared.applications}
    there = [by_name[name] for name in facts.applications if name in by_name]
    missing = [name for name in facts.applications if name not in by_name]
    unread = [] if facts.names else [each for each in facts.found.values() if not each.names]
    misses = {name: miss for name, miss in facts.misses.items() if name in by_name}
    if there and not missing and not unread and not misses:
        text = f"{counted(len(there), 'application')} found, reading from the branch: "
        yield Finding(Level.OK, facts.id, text + listed(each.name for each in there))
    yield from _missing(facts, missing, by_name)
    for found in unread[:MOST_NAMED]:
        step = "name its applications, or mend theirs"
        yield Finding(Level.PROBLEM, facts.id, found.reason, step)
    yield from _elsewhere(facts, misses)
    yield from _syncing(facts, there)
    yield from _uncovered(facts)
    if facts.unrendered is not None:
        level = Level.PROBLEM if facts.acts else Level.NOTE
        yield Finding(level, facts.id, facts.unrendered.reason, facts.unrendered.next_step)


def _missing(
    facts: EnvironmentFacts, missing: list[str], known: Mapping[str, DeclaredApplication]
) -> Iterator[Finding]:
    for name in missing[:MOST_NAMED]:
        near = nearest(name, known)
        step = f"did you mean {near}?" if near else "mend `applications`, or write auto"
        text = f"Argo CD {facts.server} shows no application {name}"
        yield Finding(Level.PROBLEM, facts.id, text, step)
    if missing[MOST_NAMED:]:
        text = f"nor {counted(len(missing) - MOST_NAMED, 'further application')}"
        yield Finding(Level.PROBLEM, facts.id, text)


def _elsewhere(facts: EnvironmentFacts, misses: Mapping[str, Misses]) -> Iterator[Finding]:
    """Another branch or repository is certain; what else it may read is not."""
    grouped: dict[tuple[Near, str], list[str]] = {}
    for name, miss in misses.items():
        grouped.setdefault((miss.near, miss.elsewhere or miss.why), []).append(name)
    for (near, where), names in grouped.items():
        branch, which = facts.branch, listed(names)
        match near:
            case Near.OTHER_BRANCH:
                text = f"{which}: targetRevision is {where}, and promotions go to {branch.name}"
                step = f"let it be {branch.name} or HEAD"
                yield Finding(Level.PROBLEM, facts.id, text, step)
            case Near.OTHER_REPOSITORY:
                text = f"{which}: repoURL is {where}, and promotions go to {branch.repository}"
                yield Finding(Level.PROBLEM, facts.id, text, "let it be the same repository")
            case _:
                text = f"{which}: not seen to read the files of its service, it {where}"
                yield Finding(Level.NOTE, facts.id, text, "see that it is the right application")


def _syncing(facts: EnvironmentFacts, there: list[DeclaredApplication]) -> Iterator[Finding]:
    by_hand = [each.name for each in there if not each.automated]
    may = facts.may_sync
    refused = [name for name in by_hand if may.get(name) is False]
    ours = [name for name in by_hand if name not in refused]
    if refused:
        text = f"automatic sync is off and the token may not sync {listed(refused)}: nobody does"
        level = Level.PROBLEM if facts.acts else Level.NOTE
        yield Finding(level, facts.id, text, "turn it on, or grant applications, sync")
    if ours:
        text = f"automatic sync is off for {listed(ours)}: Pilotage asks for the sync"
        yield Finding(Level.NOTE, facts.id, text, "turn it on if Argo CD shall do it by itself")
    others = [name for name, can in may.items() if can is False and name not in by_hand]
    if others:
        text = f"the token may not sync {listed(others)}: a sync that is missing is only waited for"
        yield Finding(Level.NOTE, facts.id, text, "grant applications, sync")
    automated = [each for each in there if each.automated]
    if there and not by_hand and not others:
        yield Finding(Level.OK, facts.id, "automatic sync is on, and the token may sync")
    if off := [each.name for each in automated if not each.prune]:
        text = f"prune is off for {listed(off)}: what a release removes stays in the cluster"
        yield Finding(Level.NOTE, facts.id, text)
    if off := [each.name for each in automated if not each.self_heal]:
        text = f"selfHeal is off for {listed(off)}: what somebody changes in the cluster stays"
        yield Finding(Level.NOTE, facts.id, text)


def _uncovered(facts: EnvironmentFacts) -> Iterator[Finding]:
    matches = [match for found in facts.found.values() for match in found.uncovered]
    names = dict.fromkeys(each.application for each in matches)
    if names:
        text = f"manifest-generate-paths of {listed(names)} do not cover the promoted files"
        step = "add them, so that Argo CD notices a change by itself"
        yield Finding(Level.NOTE, facts.id, text, step)
