"""REST: people, organisations, teams, Apps, and what each may do."""

from __future__ import annotations

from datetime import timedelta

from fastapi.responses import JSONResponse

from pilotage.sandbox.github import render
from pilotage.sandbox.github.call import (
    Asking,
    AskingRepository,
    Body,
    Call,
    LockedRouter,
)
from pilotage.sandbox.github.errors import Refused, not_found
from pilotage.sandbox.github.model import Account, App, Installation, Permission, Team
from pilotage.sandbox.github.render import Json

router = LockedRouter()

_TOKEN_LIFE = timedelta(hours=1)


@router.get("/user")
def user(call: Asking) -> Json:
    if call.credential.installation is not None:
        raise Refused(403, "Resource not accessible by integration")
    return render.full_account(call.state, call.by)


@router.get("/users/{login}")
def any_user(call: Asking, login: str) -> Json:
    found = call.state.accounts.get(login.lower())
    if found is None:
        raise not_found()
    return render.full_account(call.state, found)


@router.get("/rate_limit")
def rate_limit(call: Asking) -> Json:
    """Asking costs nothing; the figures are those of the headers."""
    limit = call.state.limits.primary_per_hour
    used = call.request.scope["used"]
    core = {
        "limit": limit,
        "used": used,
        "remaining": max(0, limit - used),
        "reset": call.request.scope["reset"],
        "resource": "core",
    }
    resources = {"core": core, "search": core, "graphql": core}
    return {"resources": resources, "rate": core}


# Apps ------------------------------------------------------------------------------------


def _app(call: Call) -> App:
    if not isinstance(call.identity, App):
        raise Refused(401, "A JSON web token could not be decoded")
    return call.identity


@router.get("/app")
def app(call: Asking) -> Json:
    return render.app(call.state, _app(call))


@router.get("/app/installations")
def installations(call: Asking) -> JSONResponse:
    app = _app(call)
    found = [each for each in call.state.installations.values() if each.app is app]
    return call.page(found, lambda i: render.installation(call.state, i))


def _installation(call: Call, number: int) -> Installation:
    found = call.state.installations.get(number)
    if found is None or found.app is not _app(call):
        raise not_found()
    return found


@router.get("/app/installations/{number}")
def installation(call: Asking, number: int) -> Json:
    return render.installation(call.state, _installation(call, number))


class TokenWish(Body):
    repositories: list[str] | None = None
    permissions: dict[str, str] | None = None


@router.post("/app/installations/{number}/access_tokens", status_code=201)
def access_token(call: Asking, number: int, wish: TokenWish | None = None) -> Json:
    found = _installation(call, number)
    expires = call.state.now() + _TOKEN_LIFE
    made = call.state.new_token(found.app.bot, found, expires)
    rendered = render.installation(call.state, found)
    return {
        "token": made.token,
        "expires_at": render.time(expires),
        "permissions": rendered["permissions"],
        "repository_selection": "selected",
    }


@router.get("/repos/{owner}/{repo}/installation")
def installation_of_repository(call: Asking, owner: str, repo: str) -> Json:
    app = _app(call)
    name = f"{owner}/{repo}".lower()
    for found in call.state.installations.values():
        if found.app is app and name in {each.lower() for each in found.repositories}:
            return render.installation(call.state, found)
    raise not_found()


@router.get("/installation/repositories")
def installation_repositories(call: Asking) -> JSONResponse:
    held = call.credential.installation
    if held is None:
        raise Refused(403, "You must authenticate with an installation access token")
    found = [call.state.repository(name) for name in sorted(held.repositories)]
    login = call.by.login
    return call.page(found, lambda r: render.repository(call.state, r, login), "repositories")


# Organisations and teams -----------------------------------------------------------------


def _organization(call: Call, org: str) -> Account:
    found = call.state.accounts.get(org.lower())
    if found is None or found.type != "Organization":
        raise not_found()
    return found


def _team(call: Call, org: str, slug: str) -> Team:
    _organization(call, org)
    found = call.state.teams.get((org.lower(), slug.lower()))
    if found is None or not call.state.may_read_teams(org, call.credential):
        raise not_found()
    return found


@router.get("/orgs/{org}")
def organization(call: Asking, org: str) -> Json:
    return render.organization(call.state, _organization(call, org))


@router.get("/orgs/{org}/members/{login}", status_code=204)
def member(call: Asking, org: str, login: str) -> None:
    _organization(call, org)
    if not call.state.is_member(org, login):
        raise not_found()


@router.get("/orgs/{org}/teams")
def teams(call: Asking, org: str) -> JSONResponse:
    _organization(call, org)
    if not call.state.may_read_teams(org, call.credential):
        raise Refused(403, "Must have admin rights to Repository.")
    found = [each for (owner, _), each in call.state.teams.items() if owner == org.lower()]
    return call.page(found, lambda t: render.team(call.state, t))


@router.get("/orgs/{org}/teams/{slug}")
def team(call: Asking, org: str, slug: str) -> Json:
    found = _team(call, org, slug)
    owner = render.organization(call.state, _organization(call, org))
    return render.team(call.state, found) | {
        "created_at": owner["created_at"],
        "updated_at": owner["updated_at"],
        "members_count": len(found.members),
        "repos_count": 0,
        "organization": owner,
    }


@router.get("/orgs/{org}/teams/{slug}/members")
def team_members(call: Asking, org: str, slug: str) -> JSONResponse:
    logins = sorted(_team(call, org, slug).members)
    return call.page(logins, lambda x: render.account(call.state, call.state.account(x)))


@router.get("/orgs/{org}/teams/{slug}/memberships/{login}")
def team_membership(call: Asking, org: str, slug: str, login: str) -> Json:
    found = _team(call, org, slug)
    if login.lower() not in found.members:
        raise not_found()
    url = f"{render.team(call.state, found)['url']}/memberships/{login}"
    return {"url": url, "role": "member", "state": "active"}


# Permissions -----------------------------------------------------------------------------


@router.get("/repos/{owner}/{repo}/collaborators/{login}/permission")
def permission(call: AskingRepository, login: str) -> Json:
    call.require(Permission.WRITE)
    who = call.state.accounts.get(login.lower())
    if who is None:
        raise Refused(404, f"{login} is not a user")
    held = call.state.permission(call.repo, login)
    coarse = {Permission.TRIAGE: "read", Permission.MAINTAIN: "write"}
    return {
        "permission": coarse.get(held, held.name.lower()),
        "role_name": held.name.lower(),
        "user": render.account(call.state, who)
        | {"permissions": render.permissions(held), "role_name": held.name.lower()},
    }


@router.get("/repos/{owner}/{repo}/collaborators/{login}", status_code=204)
def is_collaborator(call: AskingRepository, login: str) -> None:
    call.require(Permission.WRITE)
    who = call.state.accounts.get(login.lower())
    if who is None or call.state.permission(call.repo, login) < Permission.READ:
        raise not_found()


@router.get("/repos/{owner}/{repo}/collaborators")
def collaborators(call: AskingRepository) -> JSONResponse:
    call.require(Permission.WRITE)
    found = [
        (who, call.state.permission(call.repo, who.login))
        for who in call.state.accounts.values()
        if who.type == "User"
    ]
    found = [(who, held) for who, held in found if held >= Permission.READ]
    return call.page(
        found,
        lambda pair: (
            render.account(call.state, pair[0])
            | {"permissions": render.permissions(pair[1]), "role_name": pair[1].name.lower()}
        ),
    )
