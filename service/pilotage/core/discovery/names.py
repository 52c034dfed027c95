"""What a service's applications are called: as the policy writes it, or as they were found.

With `applications: auto` the names are those of the applications that read the service's files.
They are pinned to a promotion when it is merged: a verdict loses no application because Argo CD
lists others later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from pilotage.core.config.policy import Environment, Policy
from pilotage.core.discovery.find import Found
from pilotage.core.model import Promotion, Reason
from pilotage.core.snapshot import Snapshot

Names: TypeAlias = Mapping[str, tuple[str, ...]]
"""Service to the applications that were found for it; without those that none was found for."""


def nobody(service: str) -> str:
    """Stands where no application was found, so that something is waited for.

    No application has such a name: it is never seen, and what is never seen is never live.
    """
    return f"the application of {service}"


def names_in(
    environment: Environment, environment_name: str, service: str, found: Names
) -> list[str]:
    if environment.finds_applications:
        return list(found.get(service) or (nobody(service),))
    return [
        name.replace("{service}", service).replace("{environment}", environment_name)
        for name in environment.applications
    ]


def source_names(policy: Policy, service: str, found: Mapping[str, Found]) -> list[str]:
    return names_in(policy.source, policy.source_name, service, names_found(found))


def target_names(policy: Policy, service: str, found: Mapping[str, Found]) -> list[str]:
    return names_in(policy.environment, policy.environment_name, service, names_found(found))


def release_names(policy: Policy, release: Promotion, service: str) -> list[str]:
    """Of a merged promotion: those that were pinned to it."""
    return names_in(policy.environment, policy.environment_name, service, release.applications)


def why_unknown(service: str, found: Mapping[str, Found]) -> str:
    """Why there is `nobody`; empty where there is somebody, and where names are written."""
    return found[service].reason if service in found else ""


def names_found(found: Mapping[str, Found]) -> Names:
    return {service: each.names for service, each in found.items() if each.names}


def pinned(release: Promotion, found: Mapping[str, Found]) -> Promotion:
    """With the applications of those of its services that had none; what is pinned stays."""
    names = {
        service: names
        for service, names in names_found(found).items()
        if service in release.outcomes and service not in release.applications
    }
    if not names:
        return release
    nobodies = {nobody(service) for service in names}
    watches = {name: watch for name, watch in release.watches.items() if name not in nobodies}
    return replace(release, applications={**release.applications, **names}, watches=watches)


def explained(seen: Snapshot) -> Iterator[Reason]:
    """Why which applications stand for which service, where the policy leaves it to Argo CD."""
    for environment, found in (
        (seen.policy.source_name, seen.found_in_source),
        (seen.policy.environment_name, seen.found_in_target),
    ):
        for service, each in found.items():
            subject = f"{service} in {environment}"
            if not each.names:
                yield Reason(subject, each.reason, "name its applications, or mend theirs")
                continue
            yield Reason(subject, "; ".join(str(match) for match in each.matches))
            for file in each.unread:
                yield Reason(subject, f"no application reads {file}")
            for match in each.uncovered:
                text = f"manifest-generate-paths of {match.application} do not cover {match.file}"
                yield Reason(subject, text, "add it, so that Argo CD notices a change by itself")
