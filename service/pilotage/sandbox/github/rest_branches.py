"""REST: the repository itself, its branches and what protects them."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse

from pilotage.sandbox.github import render, render_commits
from pilotage.sandbox.github.call import AskingRepository, LockedRouter
from pilotage.sandbox.github.errors import Refused, not_found
from pilotage.sandbox.github.model import Permission, Protection, ProtectionKind, Repository
from pilotage.sandbox.github.render import Json
from pilotage.sandbox.github.rules import may_bypass
from pilotage.sandbox.github.state import State

router = LockedRouter(prefix="/repos/{owner}/{repo}")


@router.get("")
def repository(call: AskingRepository) -> Json:
    return render.repository(call.state, call.repo, call.by.login)


@router.get("/branches")
def branches(call: AskingRepository, protected: bool | None = None) -> JSONResponse:
    found = [
        (ref.removeprefix("refs/heads/"), sha)
        for ref, sha in call.repo.git.refs("refs/heads/").items()
    ]
    if protected is not None:
        found = [(name, sha) for name, sha in found if (name in call.repo.protections) == protected]
    return call.page(found, lambda pair: _short_branch(call.state, call.repo, *pair))


def _short_branch(state: State, repo: Repository, name: str, sha: str) -> Json:
    url = render.repository_url(state, repo)
    protection = repo.protections.get(name)
    return {
        "name": name,
        "commit": {"sha": sha, "url": f"{url}/commits/{sha}"},
        "protected": protection is not None,
        "protection": _protection_summary(protection),
        "protection_url": f"{url}/branches/{name}/protection",
    }


def _protection_summary(protection: Protection | None) -> Json:
    classic = protection is not None and protection.kind is ProtectionKind.CLASSIC
    contexts = protection.contexts if classic and protection is not None else ()
    return {
        "enabled": classic,
        "required_status_checks": {
            "enforcement_level": "everyone" if contexts else "off",
            "contexts": [each.context for each in contexts],
            "checks": [
                {"context": each.context, "app_id": each.integration_id} for each in contexts
            ],
        },
    }


# Before `/branches/{branch}`: both take names with slashes.
@router.get("/branches/{branch:path}/protection")
def protection(call: AskingRepository, branch: str) -> Json:
    """Classic protection only, and for administrators only: a ruleset is not seen here."""
    call.require(Permission.READ)
    if call.state.permission(call.repo, call.by.login) < Permission.ADMIN:
        raise Refused(404, "Not Found")
    found = call.repo.protections.get(branch)
    if found is None or found.kind is not ProtectionKind.CLASSIC:
        raise Refused(404, "Branch not protected")
    return _full_protection(call.state, call.repo, found)


def _full_protection(state: State, repo: Repository, found: Protection) -> Json:
    url = f"{render.repository_url(state, repo)}/branches/{found.branch}/protection"
    body: Json = {
        "url": url,
        "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": found.enforce_admins},
        "required_linear_history": {"enabled": False},
        "allow_force_pushes": {"enabled": False},
        "allow_deletions": {"enabled": False},
        "block_creations": {"enabled": False},
        "required_conversation_resolution": {"enabled": False},
        "lock_branch": {"enabled": False},
        "allow_fork_syncing": {"enabled": False},
        "required_signatures": {"url": f"{url}/required_signatures", "enabled": False},
    }
    if found.contexts:
        checks = f"{url}/required_status_checks"
        body["required_status_checks"] = {
            "url": checks,
            "strict": found.strict,
            "contexts": [each.context for each in found.contexts],
            "contexts_url": f"{checks}/contexts",
            "checks": [
                {"context": each.context, "app_id": each.integration_id} for each in found.contexts
            ],
        }
    if found.pull_request:
        users = [render.account(state, state.account(login)) for login in sorted(found.bypass)]
        body["required_pull_request_reviews"] = {
            "url": f"{url}/required_pull_request_reviews",
            "dismiss_stale_reviews": False,
            "require_code_owner_reviews": False,
            "require_last_push_approval": False,
            "required_approving_review_count": found.approvals,
            "bypass_pull_request_allowances": {"users": users, "teams": [], "apps": []},
        }
    return body


@router.get("/branches/{branch:path}")
def branch(call: AskingRepository, branch: str) -> Json:
    sha = call.repo.git.branch(branch)
    if sha is None:
        raise Refused(404, "Branch not found")
    short = _short_branch(call.state, call.repo, branch, sha)
    commit = render_commits.commit(call.state, call.repo, call.repo.git.commit(sha))
    html = f"{call.state.base_url}/{call.repo.full_name}/tree/{branch}"
    links = {"self": f"{render.repository_url(call.state, call.repo)}/branches/{branch}"}
    return short | {"commit": commit, "_links": links | {"html": html}}


@router.get("/rules/branches/{branch:path}")
def rules_of_branch(call: AskingRepository, branch: str) -> JSONResponse:
    """What rulesets ask of the branch. Classic protection is not listed here."""
    found = call.repo.protections.get(branch)
    listed = _rules(call.repo, found) if found else []
    return call.page(listed, lambda rule: rule)


@router.get("/rulesets/{number}")
def ruleset(call: AskingRepository, number: int) -> Json:
    """One ruleset, and whether it binds who asks. Who else may pass it, administrators see."""
    found = next(
        (each for each in call.repo.protections.values() if each.ruleset_id == number), None
    )
    if found is None or found.kind is not ProtectionKind.RULESET:
        raise not_found()
    passes = may_bypass(call.state, call.repo, found, call.by.login)
    return {
        "id": number,
        "name": found.branch,
        "target": "branch",
        "source_type": "Repository",
        "source": call.repo.full_name,
        "enforcement": "active",
        "current_user_can_bypass": "always" if passes else "never",
    }


def _rules(repo: Repository, found: Protection) -> list[Json]:
    if found.kind is not ProtectionKind.RULESET:
        return []
    source = {
        "ruleset_source_type": "Repository",
        "ruleset_source": repo.full_name,
        "ruleset_id": found.ruleset_id,
    }
    rules: list[Json] = [{"type": "deletion", **source}, {"type": "non_fast_forward", **source}]
    if found.contexts:
        checks: list[Any] = [
            {"context": each.context}
            | ({"integration_id": each.integration_id} if each.integration_id is not None else {})
            for each in found.contexts
        ]
        parameters = {
            "strict_required_status_checks_policy": found.strict,
            "do_not_enforce_on_create": False,
            "required_status_checks": checks,
        }
        rules.append({"type": "required_status_checks", "parameters": parameters, **source})
    if found.pull_request:
        parameters = {
            "required_approving_review_count": found.approvals,
            "dismiss_stale_reviews_on_push": False,
            "require_code_owner_review": False,
            "require_last_push_approval": False,
            "required_review_thread_resolution": False,
            "allowed_merge_methods": sorted(repo.allowed_methods),
        }
        rules.append({"type": "pull_request", "parameters": parameters, **source})
    return rules
