"""What a branch demands, and what the credentials may do: read for `pilotage check` and reverts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import Field

from pilotage.adapters.github import errors
from pilotage.adapters.github.answers import Answer, Repository, read
from pilotage.adapters.github.calls import Calls
from pilotage.adapters.github.credentials import App
from pilotage.adapters.github.paths import repository_path, segment
from pilotage.adapters.github.sign_in import SignIn
from pilotage.core.forge import Access, BranchRules, Need

NOTHING = BranchRules(required_contexts={}, pull_request_required=False, strict=False)
UNKNOWN = replace(NOTHING, known=False)


class _Check(Answer):
    context: str
    integration_id: int | None = None
    app_id: int | None = None

    @property
    def app(self) -> int | None:
        identifier = self.integration_id or self.app_id
        return identifier if identifier and identifier > 0 else None


class _Checks(Answer):
    """Required checks, in the words of rulesets and in those of classic protection."""

    required_status_checks: list[_Check] = Field(default_factory=list)
    strict_required_status_checks_policy: bool = False
    checks: list[_Check] = Field(default_factory=list)
    contexts: list[str] = Field(default_factory=list)
    strict: bool = False

    @property
    def required(self) -> dict[str, int | None]:
        named: dict[str, int | None] = dict.fromkeys(self.contexts)
        return named | {
            check.context: check.app for check in (*self.required_status_checks, *self.checks)
        }


class _Rule(Answer):
    type: str
    parameters: dict[str, object] | None = None


class _Switch(Answer):
    enabled: bool = False


class _Protection(Answer):
    enabled: bool | None = None
    """Told of a branch only: whether there is any of the classic kind."""
    required_status_checks: _Checks | None = None
    required_pull_request_reviews: dict[str, object] | None = None
    restrictions: dict[str, object] | None = None
    required_signatures: _Switch = _Switch()
    required_linear_history: _Switch = _Switch()
    lock_branch: _Switch = _Switch()


class _Branch(Answer):
    protected: bool
    protection: _Protection = Field(default_factory=_Protection)


def branch_rules(calls: Calls, repository: str, branch: str) -> BranchRules:
    """Rulesets and classic protection of a branch together.

    Two requests; a third where the classic kind may not be read, to learn whether there is any.
    """
    return _together(_rulesets(calls, repository, branch), _classic(calls, repository, branch))


def _together(one: BranchRules, other: BranchRules) -> BranchRules:
    contexts = dict(one.required_contexts)
    for context, app in other.required_contexts.items():
        contexts[context] = app or contexts.get(context)
    return BranchRules(
        required_contexts=contexts,
        pull_request_required=one.pull_request_required or other.pull_request_required,
        strict=one.strict or other.strict,
        known=one.known and other.known,
        others=tuple(dict.fromkeys((*one.others, *other.others))),
    )


def _rulesets(calls: Calls, repository: str, branch: str) -> BranchRules:
    path = f"{repository_path(repository)}/rules/branches/{segment(branch)}"
    what = f"reading the rules of {branch}"
    total = NOTHING
    try:
        for row in calls.rows(repository, path, what):
            total = _together(total, _from_rule(read(_Rule, row, what, f"GET {path}"), what, path))
    except (errors.Forbidden, errors.NotFound):
        return UNKNOWN
    return total


def _from_rule(rule: _Rule, what: str, path: str) -> BranchRules:
    match rule.type:
        case "required_status_checks":
            checks = read(_Checks, rule.parameters or {}, what, f"GET {path}")
            strict = checks.strict_required_status_checks_policy
            return replace(NOTHING, required_contexts=checks.required, strict=strict)
        case "pull_request":
            return replace(NOTHING, pull_request_required=True)
        case "deletion" | "non_fast_forward":  # the service does neither to a base branch
            return NOTHING
        case other:
            return replace(NOTHING, others=(other,))


def _classic(calls: Calls, repository: str, branch: str) -> BranchRules:
    path = f"{repository_path(repository)}/branches/{segment(branch)}/protection"
    what = f"reading the protection of {branch}"
    try:
        body = calls.get(repository, path, what)
    except errors.NotFound as error:
        if "branch not protected" in error.why.lower():
            return NOTHING
    except errors.Forbidden:
        pass
    else:
        return _from_protection(read(_Protection, body, what, f"GET {path}"))
    return _classic_from_outside(calls, repository, branch)


def _classic_from_outside(calls: Calls, repository: str, branch: str) -> BranchRules:
    """What everybody may see of the classic kind: that there is some, and its required checks."""
    path = f"{repository_path(repository)}/branches/{segment(branch)}"
    what = f"asking whether {branch} is protected"
    try:
        seen = read(_Branch, calls.get(repository, path, what), what, f"GET {path}")
    except (errors.Forbidden, errors.NotFound):
        return UNKNOWN
    if not seen.protected or seen.protection.enabled is False:
        return NOTHING
    return replace(_from_protection(seen.protection), known=False)


def _from_protection(protection: _Protection) -> BranchRules:
    checks = protection.required_status_checks or _Checks()
    others: Mapping[str, bool] = {
        "restrictions": protection.restrictions is not None,
        "required_signatures": protection.required_signatures.enabled,
        "required_linear_history": protection.required_linear_history.enabled,
        "lock_branch": protection.lock_branch.enabled,
    }
    return BranchRules(
        required_contexts=checks.required,
        pull_request_required=protection.required_pull_request_reviews is not None,
        strict=checks.strict,
        others=tuple(name for name, present in others.items() if present),
    )


# What the service needs: GitHub's name of the permission, the level, what it is for.
_NEEDS = (
    ("contents", "write", "push promotion branches and revert commits"),
    ("pull_requests", "write", "open, label and edit pull requests"),
    ("statuses", "write", "post pilotage/ready"),
    ("deployments", "write", "record deployments"),
    ("members", "read", "tell who belongs to an approving team"),
    ("administration", "read", "see what the base branch requires"),
)
_LEVELS = ("none", "read", "write", "admin")


def check_access(calls: Calls, sign_in: SignIn, repository: str) -> Access:
    """Two requests, and one to learn who we are."""
    path, what = repository_path(repository), f"reading {repository}"
    headers, body = calls.get_with_headers(repository, path, what)
    seen = read(Repository, body, what, f"GET {path}")
    granted: dict[str, bool | None]
    if isinstance(sign_in.credential, App):
        granted = _of_installation(sign_in, repository)
    else:
        granted = _of_machine_user(headers, seen)
        granted["members"] = _may_read_teams(calls, repository)
    needs = tuple(
        Need(f"{name}: {level}", purpose, granted[name]) for name, level, purpose in _NEEDS
    )
    return Access(sign_in.identity(), seen.default_branch, needs)


def _of_installation(sign_in: SignIn, repository: str) -> dict[str, bool | None]:
    has = sign_in.installation(repository).permissions
    return {name: _level(has.get(name, "none")) >= _level(level) for name, level, _ in _NEEDS}


def _of_machine_user(headers: Mapping[str, str], seen: Repository) -> dict[str, bool | None]:
    """The account's role and, for a classic token, its scopes.

    A fine-grained token does not say what it was given: what the role allows stays unknown then.
    """
    role = seen.permissions
    scopes = headers.get("x-oauth-scopes")
    words = set() if scopes is None else {scope.strip() for scope in scopes.split(",")}

    def may(by_role: bool | None, *any_scope: str) -> bool | None:
        if by_role is False:
            return False
        if scopes is None:
            return None
        return bool(words & set(any_scope)) and by_role

    push = role.push if role else None
    admin = role.admin if role else None
    return {
        "contents": may(push, "repo", "public_repo"),
        "pull_requests": may(push, "repo", "public_repo"),
        "statuses": may(push, "repo", "repo:status"),
        "deployments": may(push, "repo", "repo_deployment"),
        "administration": may(admin, "repo", "public_repo"),
    }


def _may_read_teams(calls: Calls, repository: str) -> bool | None:
    """Tried, because no scope or role tells it. A person's account has no teams at all."""
    owner = repository.partition("/")[0]
    try:
        next(
            calls.rows(
                repository, f"/orgs/{segment(owner)}/teams", "looking at the teams", limit=1
            ),
            None,
        )
    except errors.Forbidden:
        return False
    except errors.NotFound:
        return None
    return True


def _level(word: str) -> int:
    return _LEVELS.index(word) if word in _LEVELS else 0
