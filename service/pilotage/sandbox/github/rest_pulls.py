"""REST: pull requests."""

from __future__ import annotations

from typing import Literal

from fastapi.responses import JSONResponse
from pydantic import Field

from pilotage.sandbox.github import conversation, pulls, render, render_commits, render_pulls
from pilotage.sandbox.github.call import AskingRepository, Body, LockedRouter
from pilotage.sandbox.github.errors import Refused, invalid_field
from pilotage.sandbox.github.model import MergeMethod, Permission, PullRequest
from pilotage.sandbox.github.render import Json
from pilotage.sandbox.github.state import State

router = LockedRouter(prefix="/repos/{owner}/{repo}")


class NewPull(Body):
    title: str
    head: str
    base: str
    body: str | None = None
    draft: bool = False


@router.post("/pulls", status_code=201)
def create(call: AskingRepository, new: NewPull) -> Json:
    call.require(Permission.WRITE)
    made = pulls.open_pull(
        call.state,
        call.repo,
        call.by,
        head=new.head,
        base=new.base,
        title=new.title,
        body=new.body or "",
        draft=new.draft,
    )
    return pulls.shown(call.state, made)


@router.get("/pulls")
def list_(
    call: AskingRepository,
    state: str = "open",
    head: str = "",
    base: str = "",
    sort: str = "created",
    direction: str = "",
) -> JSONResponse:
    if state not in ("open", "closed", "all"):
        raise invalid_field("PullRequest", "state")
    found = [each for each in call.repo.pulls.values() if state in ("all", each.state)]
    owner, colon, branch = head.partition(":")
    if colon:  # a head without its owner filters nothing, silently
        same = owner.lower() == call.repo.owner.login.lower()
        found = [each for each in found if same and each.head_ref == branch]
    if base:
        found = [each for each in found if each.base_ref == base]
    newest_first = (direction or ("desc" if sort == "created" else "asc")) == "desc"
    found.sort(key=lambda p: _sort_key(p, sort), reverse=newest_first)
    return call.page(found, lambda p: render_pulls.pull_summary(call.state, p))


def _sort_key(pull: PullRequest, sort: str) -> tuple[float, int]:
    match sort:
        case "updated":
            return pull.updated_at.timestamp(), pull.number
        case "popularity":
            return float(len(pull.comments)), pull.number
        case _:
            return pull.created_at.timestamp(), pull.number


@router.get("/pulls/{number}")
def get(call: AskingRepository, number: int) -> Json:
    return pulls.read(call.state, call.pull(number))


class PullChanges(Body):
    title: str | None = None
    body: str | None = None
    state: Literal["open", "closed"] | None = None
    base: str | None = None


@router.patch("/pulls/{number}")
def edit(call: AskingRepository, number: int, changes: PullChanges) -> Json:
    pull = call.pull(number)
    change(call.state, call, pull, changes)
    return pulls.shown(call.state, pull)


def change(state: State, call: AskingRepository, pull: PullRequest, changes: PullChanges) -> None:
    """What PATCH of a pull request and of its issue have in common."""
    given = changes.model_fields_set
    body = (changes.body or "") if "body" in given else None
    if given & {"title", "body", "base"}:
        pulls.edit(state, pull, call.by, title=changes.title, body=body, base=changes.base)
    if changes.state == "closed":
        pulls.close(state, pull, call.by)
    elif changes.state == "open":
        pulls.reopen(state, pull, call.by)


class Merging(Body):
    commit_title: str | None = None
    commit_message: str | None = None
    sha: str | None = None
    merge_method: Literal["merge", "squash", "rebase"] = "merge"


@router.put("/pulls/{number}/merge")
def merge(call: AskingRepository, number: int, wanted: Merging | None = None) -> Json:
    asked = wanted or Merging()
    sha = pulls.merge(
        call.state,
        call.pull(number),
        call.by,
        pulls.MergeRequest(
            MergeMethod(asked.merge_method), asked.commit_title, asked.commit_message, asked.sha
        ),
    )
    return {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}


@router.get("/pulls/{number}/merge", status_code=204)
def is_merged(call: AskingRepository, number: int) -> None:
    if not call.pull(number).merged:
        raise Refused(404, "Not Found")


class BranchUpdate(Body):
    expected_head_sha: str | None = None


@router.put("/pulls/{number}/update-branch", status_code=202)
def update_branch(call: AskingRepository, number: int, wanted: BranchUpdate | None = None) -> Json:
    pull = call.pull(number)
    expected = wanted.expected_head_sha if wanted else None
    pulls.update_branch(call.state, pull, call.by, expected)
    return {
        "message": "Updating pull request branch.",
        "url": render_pulls.pull_url(call.state, pull),
    }


@router.get("/pulls/{number}/files")
def files(call: AskingRepository, number: int) -> JSONResponse:
    pull, git = call.pull(number), call.repo.git
    base = git.merge_base(pull.base_sha, pull.head_sha)
    changes = git.changes(base, pull.head_sha) if base else []
    return call.page(
        changes, lambda c: render_commits.file_change(call.state, call.repo, pull.head_sha, c)
    )


@router.get("/pulls/{number}/commits")
def commits(call: AskingRepository, number: int) -> JSONResponse:
    pull = call.pull(number)
    found = call.repo.git.log("--reverse", "--topo-order", f"{pull.base_sha}..{pull.head_sha}")
    return call.page(found, lambda c: render_commits.commit(call.state, call.repo, c))


# Reviews ---------------------------------------------------------------------------------


class Reviewers(Body):
    reviewers: list[str] = Field(default_factory=list)
    team_reviewers: list[str] = Field(default_factory=list)


@router.post("/pulls/{number}/requested_reviewers", status_code=201)
def request_reviewers(call: AskingRepository, number: int, wanted: Reviewers) -> Json:
    pull = call.pull(number)
    conversation.request_reviewers(
        call.state, pull, call.credential, wanted.reviewers, wanted.team_reviewers
    )
    return render_pulls.pull_summary(call.state, pull)


@router.delete("/pulls/{number}/requested_reviewers")
def remove_reviewers(call: AskingRepository, number: int, wanted: Reviewers) -> Json:
    call.require(Permission.WRITE)
    pull = call.pull(number)
    pull.reviewers = [who for who in pull.reviewers if who.login not in wanted.reviewers]
    pull.team_reviewers = [
        each for each in pull.team_reviewers if each.slug not in wanted.team_reviewers
    ]
    return render_pulls.pull_summary(call.state, pull)


@router.get("/pulls/{number}/requested_reviewers")
def requested_reviewers(call: AskingRepository, number: int) -> Json:
    pull = call.pull(number)
    return {
        "users": [render.account(call.state, who) for who in pull.reviewers],
        "teams": [render.team(call.state, team) for team in pull.team_reviewers],
    }


class NewReview(Body):
    body: str = ""
    event: str | None = None
    commit_id: str | None = None


@router.post("/pulls/{number}/reviews")
def review(call: AskingRepository, number: int, new: NewReview) -> Json:
    pull = call.pull(number)
    if new.commit_id not in (None, pull.head_sha):
        raise Refused(422, "Unprocessable Entity", ["commit_id is not the head"])
    made = conversation.review(call.state, pull, call.by, new.event or "COMMENT", new.body)
    return render_pulls.review(call.state, pull, made)


@router.get("/pulls/{number}/reviews")
def reviews(call: AskingRepository, number: int) -> JSONResponse:
    pull = call.pull(number)
    return call.page(pull.reviews, lambda r: render_pulls.review(call.state, pull, r))
