"""Which versions a pipeline lets out: `versions:` of the configuration (SYRF-15).

Never a name that moves, nor backwards unless that is allowed. Leaving versions out is fine: what
counts is that this one was proven.
"""

from __future__ import annotations

from dataclasses import dataclass

from pilotage.core.change import Part, ServiceChange
from pilotage.core.config.policy import Permission, Policy
from pilotage.core.distance import Step, distance
from pilotage.core.version import (
    Calendar,
    Commit,
    Digest,
    Image,
    Scheme,
    Semantic,
    Version,
    cut,
    moves,
    read,
    short,
)


@dataclass(frozen=True, slots=True)
class Refused:
    reason: str
    next_step: str


def is_older(change: ServiceChange, policy: Policy) -> bool:
    scheme = policy.pipeline.versions.scheme
    return distance(change.before, change.after, scheme).step is Step.BACK


def refused(change: ServiceChange, policy: Policy, source_ran: bool) -> Refused | None:
    """`source_ran`: the source environment was seen to run what the target runs now.

    Without that, an older version in the source is no going back of the source: somebody brought
    the target forward by hand, and that is not taken back.
    """
    name = f"{change.service} {cut(change.after) or 'nothing'}"
    if moves(change.before, change.after):
        return Refused(
            f"{name} is no version that stays what it is",
            "name a version such as v1.2.3, or a commit",
        )
    return _by_scheme(name, change, policy) or _by_order(change, policy, source_ran)


def _by_scheme(name: str, change: ServiceChange, policy: Policy) -> Refused | None:
    """Of a whole file the version is its content, which no scheme is about."""
    rules = policy.pipeline.versions
    if change.writes[0].part is Part.FILE:
        return None
    found = read(change.after, rules.scheme)
    if not _fits(found, rules.scheme):
        what, example = _NAMED[rules.scheme]
        return Refused(
            f"{name} is no {what}, and `versions.scheme` is `{rules.scheme}`",
            f"deploy a {what} such as {example} to {policy.source_name}, or change the scheme",
        )
    tag = found.tag if isinstance(found, Image) else found
    early = tag.prerelease if isinstance(tag, Semantic | Calendar) else ""
    if early and rules.prereleases is Permission.REFUSE:
        return Refused(
            f"{name} is a prerelease ({early}), and `versions.prereleases` is `refuse`",
            f"deploy the finished version to {policy.source_name}",
        )
    return None


_NAMED = {
    Scheme.SEMVER: ("semantic version", "v1.2.3"),
    Scheme.CALVER: ("calendar version", "2026.11.21"),
    Scheme.DIGEST: ("digest", "v1.2.3@sha256:…"),
    Scheme.COMMIT: ("commit", "4be19f2"),
}


def _fits(found: Version, scheme: Scheme) -> bool:
    match scheme:
        case Scheme.ANY:
            return True
        case Scheme.DIGEST:
            return isinstance(found, Digest | Image)
        case Scheme.SEMVER | Scheme.CALVER | Scheme.COMMIT:
            tag = found.tag if isinstance(found, Image) else found
            wanted = {Scheme.SEMVER: Semantic, Scheme.CALVER: Calendar, Scheme.COMMIT: Commit}
            return isinstance(tag, wanted[scheme])


def _by_order(change: ServiceChange, policy: Policy, source_ran: bool) -> Refused | None:
    if not is_older(change, policy):
        return None
    name, runs = change.service, short(change.before or "", change.service)
    older = (
        f"{name} {short(change.after, name)} is older than {runs}, "
        f"which {policy.environment_name} runs"
    )
    if policy.pipeline.versions.backwards is Permission.REFUSE:
        return Refused(
            older,
            f"release a newer version to {policy.source_name}, roll back by `pilotage rollback`, "
            "or set `versions.backwards: allow`",
        )
    if not source_ran:
        return Refused(
            f"{older} and {policy.source_name} was never seen to run",
            f"bring {policy.source_name} forward: what a person released is not taken back",
        )
    return None
