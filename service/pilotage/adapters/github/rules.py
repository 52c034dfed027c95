"""What protects a branch, and what of it the account of the service may pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import Field

from pilotage.adapters.github import errors
from pilotage.adapters.github.answers import Answer, Login, Slug, read
from pilotage.adapters.github.calls import Calls
from pilotage.adapters.github.paths import repository_path, segment
from pilotage.adapters.github.sign_in import SignIn
from pilotage.core.forge import FREE, BranchRules, Bypass, Protection, RuleSet

_BYPASSES = {
    "always": Bypass.ALWAYS,
    "exempt": Bypass.ALWAYS,
    "pull_requests_only": Bypass.PULL_REQUESTS,
    "never": Bypass.NEVER,
}
_HARMLESS = ("deletion", "non_fast_forward", "creation", "copilot_code_review")
"""The service neither removes, rewrites nor creates a base branch; the last one refuses nothing."""


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
    ruleset_id: int | None = None
    parameters: dict[str, object] | None = None


class _PullRequests(Answer):
    """The rule of a ruleset, or the section of classic protection."""

    required_approving_review_count: int = 0
    require_code_owner_review: bool = False
    require_code_owner_reviews: bool = False
    allowed_merge_methods: list[str] | None = None
    bypass_pull_request_allowances: _Named | None = None

    @property
    def rules(self) -> BranchRules:
        owners = self.require_code_owner_review or self.require_code_owner_reviews
        methods = self.allowed_merge_methods
        return replace(
            FREE,
            pull_request_required=True,
            approvals=max(self.required_approving_review_count, int(owners)),
            merge_methods=None if methods is None else frozenset(methods),
        )


class _Named(Answer):
    users: list[Login] = Field(default_factory=list)
    apps: list[Slug] = Field(default_factory=list)

    def has(self, identity: str) -> bool:
        return identity in {
            *(each.login for each in self.users),
            *(f"{each.slug}[bot]" for each in self.apps),
        }


class _Bypass(Answer):
    current_user_can_bypass: str | None = None


class _Switch(Answer):
    enabled: bool = False


class _Classic(Answer):
    enabled: bool | None = None
    """Told of a branch only: whether there is any of the classic kind."""
    required_status_checks: _Checks | None = None
    required_pull_request_reviews: _PullRequests | None = None
    restrictions: _Named | None = None
    enforce_admins: _Switch = _Switch(enabled=True)
    required_signatures: _Switch = _Switch()
    required_linear_history: _Switch = _Switch()
    lock_branch: _Switch = _Switch()


class _Branch(Answer):
    protected: bool
    protection: _Classic = Field(default_factory=_Classic)


def protection(calls: Calls, sign_in: SignIn, repository: str, branch: str) -> Protection:
    """Rulesets and classic protection of a branch together.

    Two requests; one more for each ruleset, to learn whether it binds us, and one where the classic
    kind may not be read, to learn whether there is any.
    """
    rulesets = _rulesets(calls, repository, branch)
    classic = _classic(calls, sign_in, repository, branch)
    return Protection((*rulesets.sets, *classic.sets), rulesets.known and classic.known)


def _rulesets(calls: Calls, repository: str, branch: str) -> Protection:
    path = f"{repository_path(repository)}/rules/branches/{segment(branch)}"
    what = f"reading the rules of {branch}"
    found: dict[int | None, BranchRules] = {}
    try:
        for row in calls.rows(repository, path, what):
            rule = read(_Rule, row, what, f"GET {path}")
            rules = found.get(rule.ruleset_id, FREE)
            found[rule.ruleset_id] = rules.together(_from_rule(rule, what, path))
    except (errors.Forbidden, errors.NotFound):
        return Protection(known=False)
    return Protection(
        tuple(
            RuleSet(rules, _bypass(calls, repository, ruleset))
            for ruleset, rules in found.items()
            if rules != FREE
        )
    )


def _from_rule(rule: _Rule, what: str, path: str) -> BranchRules:
    parameters = rule.parameters or {}
    match rule.type:
        case "required_status_checks":
            checks = read(_Checks, parameters, what, f"GET {path}")
            strict = checks.strict_required_status_checks_policy
            return replace(FREE, required_contexts=checks.required, strict=strict)
        case "pull_request":
            return read(_PullRequests, parameters, what, f"GET {path}").rules
        case other if other in _HARMLESS:
            return FREE
        case other:
            return replace(FREE, others=(other,))


def _bypass(calls: Calls, repository: str, ruleset: int | None) -> Bypass:
    if ruleset is None:
        return Bypass.UNKNOWN
    path = f"{repository_path(repository)}/rulesets/{ruleset}"
    what = f"asking whether ruleset {ruleset} binds us"
    try:
        seen = read(_Bypass, calls.get(repository, path, what), what, f"GET {path}")
    except (errors.Forbidden, errors.NotFound):
        return Bypass.UNKNOWN
    return _BYPASSES.get(seen.current_user_can_bypass or "", Bypass.UNKNOWN)


def _classic(calls: Calls, sign_in: SignIn, repository: str, branch: str) -> Protection:
    path = f"{repository_path(repository)}/branches/{segment(branch)}/protection"
    what = f"reading the protection of {branch}"
    try:
        body = calls.get(repository, path, what)
    except errors.NotFound as error:
        if "branch not protected" in error.why.lower():
            return Protection()
    except errors.Forbidden:
        pass
    else:
        seen = read(_Classic, body, what, f"GET {path}")
        return Protection(tuple(_from_classic(seen, sign_in.identity())))
    return _classic_from_outside(calls, repository, branch)


def _classic_from_outside(calls: Calls, repository: str, branch: str) -> Protection:
    """What everybody may see of the classic kind: that there is some, and its required checks."""
    path = f"{repository_path(repository)}/branches/{segment(branch)}"
    what = f"asking whether {branch} is protected"
    try:
        seen = read(_Branch, calls.get(repository, path, what), what, f"GET {path}")
    except (errors.Forbidden, errors.NotFound):
        return Protection(known=False)
    if not seen.protected or seen.protection.enabled is False:
        return Protection()
    checks = seen.protection.required_status_checks or _Checks()
    rules = replace(FREE, required_contexts=checks.required, strict=checks.strict)
    return Protection((RuleSet(rules, Bypass.UNKNOWN),), known=False)


def _from_classic(seen: _Classic, identity: str) -> list[RuleSet]:
    """Its parts: who may skip pull requests need not be who may push."""
    checks = seen.required_status_checks or _Checks()
    chosen = seen.restrictions is not None and not seen.restrictions.has(identity)
    others: Mapping[str, bool] = {
        "restrictions": chosen,
        "required_signatures": seen.required_signatures.enabled,
        "required_linear_history": seen.required_linear_history.enabled,
        "lock_branch": seen.lock_branch.enabled,
    }
    rules = replace(
        FREE,
        required_contexts=checks.required,
        strict=checks.strict,
        others=tuple(name for name, present in others.items() if present),
    )
    pass_ = not seen.enforce_admins.enabled
    found = [RuleSet(rules, Bypass.NEVER, pass_)]
    pulls = seen.required_pull_request_reviews
    if pulls is not None:
        named = pulls.bypass_pull_request_allowances
        free = named is not None and named.has(identity)
        found.append(RuleSet(pulls.rules, Bypass.ALWAYS if free else Bypass.NEVER, pass_))
    return [each for each in found if each.rules != FREE]
