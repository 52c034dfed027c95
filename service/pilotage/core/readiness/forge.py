"""Whether GitHub knows the account and everybody whom the configuration names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pilotage.core.config.policy import Config, People
from pilotage.core.forge import Access, Need
from pilotage.core.readiness.findings import Finding, Level, Target, Unknown, targets_of
from pilotage.core.wording import listed

_ABOUT = "GitHub"
_GRANT = "grant it: docs/github.md lists what is needed"


@dataclass(frozen=True, slots=True)
class ForgeFacts:
    """What GitHub says; `people` and `teams` answer for those that `named` gives."""

    access: Access | Unknown
    webhook_secret: bool = True
    labels: frozenset[str] | Unknown = frozenset()
    people: Mapping[str, bool | Unknown] = field(default_factory=dict)
    """Login to whether it may read the repository."""
    teams: Mapping[str, frozenset[str] | Unknown] = field(default_factory=dict)
    sources: Mapping[str, Unknown | None] = field(default_factory=dict)
    """The services' own repositories; None for one that can be read."""


@dataclass(frozen=True, slots=True)
class Named:
    """Who is named in a configuration, and as what."""

    people: Mapping[str, tuple[str, ...]]
    teams: Mapping[str, tuple[str, ...]]
    sources: tuple[str, ...]
    labels: tuple[str, ...]


def named(config: Config) -> Named:
    people: dict[str, dict[str, None]] = {}
    teams: dict[str, dict[str, None]] = {}
    labels: dict[str, None] = {}
    for target in targets_of(config):
        for role, group in _roles(target):
            for known, names in ((people, group.users), (teams, group.teams)):
                for name in names:
                    known.setdefault(name, {})[f"{role} of {target.id}"] = None
        labels |= dict.fromkeys(target.environment.labels)
    services = (each for found in config.pipelines.values() for each in found.services.values())
    return Named(
        {name: tuple(roles) for name, roles in people.items()},
        {name: tuple(roles) for name, roles in teams.items()},
        tuple(dict.fromkeys(each.repository for each in services if each.repository is not None)),
        tuple(labels),
    )


def _roles(target: Target) -> Iterator[tuple[str, People]]:
    environment = target.environment
    if environment.gates.approvers is not None:
        yield "approver", environment.gates.approvers
    yield "reviewer", environment.reviewers
    yield "commander", environment.commands
    yield "assignee", People(users=environment.assignees)


def judge_forge(facts: ForgeFacts, config: Config | None) -> Iterator[Finding]:
    access = facts.access
    if isinstance(access, Unknown):
        yield Finding(Level.PROBLEM, _ABOUT, access.reason, access.next_step)
        return
    yield from _account(access)
    targets = targets_of(config) if config is not None else ()
    wanted = named(config) if config is not None else Named({}, {}, (), ())
    yield from _permissions(access, any(each.acts for each in targets), bool(wanted.teams))
    yield from _webhook(facts)
    if config is None:
        return
    yield from _labels(facts, wanted)
    yield from _themselves(facts, access, wanted)
    yield from _people(facts, wanted)
    yield from _teams(facts, wanted)
    for target in targets:
        yield from _approvers(facts, access, target)
    yield from _sources(facts, wanted)


def _account(access: Access) -> Iterator[Finding]:
    if access.app is not None:
        yield Finding(Level.OK, _ABOUT, f"signed in as {access.identity}, App {access.app}")
    else:
        text = f"signed in as {access.identity}; it must be a machine user, nobody's own account"
        yield Finding(Level.OK, _ABOUT, text)
    if access.archived:
        text = "the repository is archived: nothing can be written"
        yield Finding(Level.PROBLEM, _ABOUT, text, "unarchive it")


def _permissions(access: Access, acts: bool, teams: bool) -> Iterator[Finding]:
    needs = [each for each in access.needs if teams or not _is(each, "members")]
    if has := [each.permission for each in needs if each.granted]:
        yield Finding(Level.OK, _ABOUT, f"has {', '.join(has)}")
    for need in needs:
        if need.granted is False:
            text = f"lacks {need.permission}, to {need.purpose}"
            if _is(need, "administration"):
                yield Finding(Level.NOTE, _ABOUT, text, "only this check needs it")
            elif acts or _is(need, "members"):
                yield Finding(Level.PROBLEM, _ABOUT, text, _GRANT)
            else:
                yield Finding(Level.NOTE, _ABOUT, text, "mode: observe does not need it")
    if unsaid := [each.permission for each in needs if each.granted is None]:
        text = f"the token does not say whether it has {', '.join(unsaid)}"
        yield Finding(Level.NOTE, _ABOUT, text, "compare it with docs/github.md")


def _is(need: Need, name: str) -> bool:
    return need.permission.startswith(f"{name}:")


def _webhook(facts: ForgeFacts) -> Iterator[Finding]:
    if not facts.webhook_secret:
        text = "the settings have no webhook_secret, so no event is taken and all is seen later"
        yield Finding(Level.NOTE, _ABOUT, text, "add the webhook that docs/github.md describes")


def _labels(facts: ForgeFacts, wanted: Named) -> Iterator[Finding]:
    if isinstance(facts.labels, Unknown):
        yield _unseen("the labels", facts.labels)
        return
    known = {label.lower() for label in facts.labels}
    missing = [label for label in wanted.labels if label.lower() not in known]
    if missing:
        text = f"no label {listed(missing)} yet; the first pull request makes it"
        yield Finding(Level.NOTE, _ABOUT, text, "make it yourself for another colour than grey")
    elif wanted.labels:
        yield Finding(Level.OK, _ABOUT, f"labels are there: {listed(wanted.labels)}")


def _themselves(facts: ForgeFacts, access: Access, wanted: Named) -> Iterator[Finding]:
    """The service among those whose word counts: then it is a person's account, or would be one."""
    mine = access.identity.lower()
    roles = [role for name, each in wanted.people.items() if name.lower() == mine for role in each]
    for team, members in facts.teams.items():
        counted = [role for role in wanted.teams[team] if not role.startswith("reviewer")]
        if not isinstance(members, Unknown) and mine in _lower(members):
            roles += [f"{role} by the team {team}" for role in counted]
    if roles:
        text = f"{access.identity} is named as {listed(roles)}: is it a person's own account?"
        step = "give the service a machine user or an App that nobody else uses"
        yield Finding(Level.PROBLEM, _ABOUT, text, step)


def _people(facts: ForgeFacts, wanted: Named) -> Iterator[Finding]:
    good = []
    for login, roles in wanted.people.items():
        match facts.people.get(login):
            case True:
                good.append(login)
            case Unknown() as unknown:
                yield _unseen(login, unknown)
            case _:
                text = f"{login}, {listed(roles)}, has no access to the repository"
                yield Finding(Level.PROBLEM, _ABOUT, text, "invite them, or mend the name")
    if good:
        yield Finding(Level.OK, _ABOUT, f"people are there: {listed(good)}")


def _teams(facts: ForgeFacts, wanted: Named) -> Iterator[Finding]:
    good = []
    for team, roles in wanted.teams.items():
        match facts.teams.get(team):
            case Unknown(missing=True):
                text = f"no team {team} ({listed(roles)}) that this account may see"
                step = "mend the name, or grant members: read"
                yield Finding(Level.PROBLEM, _ABOUT, text, step)
            case Unknown() as unknown:
                yield _unseen(f"the team {team}", unknown)
            case frozenset() as members if members:
                good.append(f"{team} ({len(members)})")
            case _:
                text = f"the team {team} ({listed(roles)}) has no members"
                yield Finding(Level.PROBLEM, _ABOUT, text, "add somebody")
    if good:
        yield Finding(Level.OK, _ABOUT, f"teams are there: {listed(good)}")


def _approvers(facts: ForgeFacts, access: Access, target: Target) -> Iterator[Finding]:
    """Whether as many as are asked for can approve at all."""
    wanted = target.environment.gates.approvers
    if wanted is None:
        return
    people = _lower(frozenset(wanted.users))
    for team in wanted.teams:
        members = facts.teams.get(team, frozenset())
        if isinstance(members, Unknown):
            return
        people |= _lower(members)
    people -= {access.identity.lower()}
    if wanted.anybody and len(people) < wanted.count:
        text = f"{wanted.count} must approve, and only {len(people)} can"
        yield Finding(Level.PROBLEM, target.id, text, "name more people in gates.approvers")


def _sources(facts: ForgeFacts, wanted: Named) -> Iterator[Finding]:
    good = [name for name in wanted.sources if facts.sources.get(name) is None]
    if good:
        yield Finding(Level.OK, _ABOUT, f"can read the services' {listed(good)}")
    for name, unknown in facts.sources.items():
        if unknown is not None:
            text = f"cannot read {name}, so no commits between versions are shown: {unknown.reason}"
            yield Finding(Level.NOTE, _ABOUT, text, "mend the name, or let the account read it")


def _unseen(what: str, unknown: Unknown) -> Finding:
    text = f"{what} cannot be looked up: {unknown.reason}"
    return Finding(Level.NOTE, _ABOUT, text, unknown.next_step)


def _lower(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)
