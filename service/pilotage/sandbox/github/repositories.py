"""Making repositories and protecting their branches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pilotage.sandbox.github.bare import BareRepository
from pilotage.sandbox.github.model import (
    Account,
    Permission,
    Protection,
    ProtectionKind,
    Repository,
    RequiredContext,
)
from pilotage.sandbox.github.state import State

_BRANCH = "main"


def create(
    state: State,
    owner: Account,
    name: str,
    *,
    collaborators: Mapping[str, Permission],
    teams: Mapping[str, Permission],
) -> Repository:
    """An empty one. Collaborators become accounts if they are none."""
    path = state.root / owner.login / f"{name}.git"
    made = Repository(
        id=state.next_id(),
        owner=owner,
        name=name,
        git=BareRepository.create(path, _BRANCH),
        created_at=state.now(),
        default_branch=_BRANCH,
        collaborators={login.lower(): held for login, held in collaborators.items()},
        teams=dict(teams),
    )
    for login in collaborators:
        state.add_account(login)
    state.repositories[made.full_name.lower()] = made
    return made


def protect(
    state: State,
    repo: Repository,
    branch: str,
    contexts: Sequence[str | RequiredContext],
    *,
    bypass: Iterable[str],
    strict: bool,
    pull_request: bool,
    approvals: int,
    enforce_admins: bool,
    kind: ProtectionKind,
) -> Protection:
    made = Protection(
        branch=branch,
        kind=kind,
        contexts=tuple(
            one if isinstance(one, RequiredContext) else RequiredContext(one) for one in contexts
        ),
        strict=strict,
        pull_request=pull_request or approvals > 0,
        approvals=approvals,
        bypass=frozenset(login.lower() for login in bypass),
        enforce_admins=enforce_admins,
        ruleset_id=state.next_id(),
    )
    repo.protections[branch] = made
    return made
