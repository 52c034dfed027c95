"""REST: labels, assignees, comments and reactions, all of which GitHub hangs on issues."""

from __future__ import annotations

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import Field

from pilotage.sandbox.github import conversation, render, render_pulls
from pilotage.sandbox.github.call import AskingRepository, Body, LockedRouter
from pilotage.sandbox.github.errors import Refused, not_found
from pilotage.sandbox.github.model import Permission
from pilotage.sandbox.github.render import Json
from pilotage.sandbox.github.rest_pulls import PullChanges, change

router = LockedRouter(prefix="/repos/{owner}/{repo}")


@router.get("/issues/{number}")
def get(call: AskingRepository, number: int) -> Json:
    """Only this answer tells who closed it."""
    pull = call.pull(number)
    closer = render.account(call.state, pull.closed_by) if pull.closed_by else None
    return render_pulls.issue(call.state, pull) | {"closed_by": closer}


class IssueChanges(PullChanges):
    labels: list[str] | None = None
    assignees: list[str] | None = None


@router.patch("/issues/{number}")
def edit(call: AskingRepository, number: int, changes: IssueChanges) -> Json:
    pull = call.pull(number)
    change(call.state, call, pull, changes)
    if changes.labels is not None:
        conversation.set_labels(call.state, pull, call.by, changes.labels)
    if changes.assignees is not None:
        gone = [who.login for who in pull.assignees if who.login not in changes.assignees]
        conversation.unassign(call.state, pull, call.by, gone)
        conversation.assign(call.state, pull, call.by, changes.assignees)
    return render_pulls.issue(call.state, pull)


# Labels ----------------------------------------------------------------------------------


class Labels(Body):
    labels: list[str] = Field(default_factory=list)


@router.get("/issues/{number}/labels")
def labels(call: AskingRepository, number: int) -> JSONResponse:
    return call.page(render_pulls.labels(call.state, call.pull(number)), lambda label: label)


@router.post("/issues/{number}/labels")
def add_labels(call: AskingRepository, number: int, wanted: Labels | list[str]) -> list[Json]:
    pull = call.pull(number)
    names = wanted if isinstance(wanted, list) else wanted.labels
    conversation.add_labels(call.state, pull, call.by, names)
    return render_pulls.labels(call.state, pull)


@router.put("/issues/{number}/labels")
def set_labels(call: AskingRepository, number: int, wanted: Labels | list[str]) -> list[Json]:
    pull = call.pull(number)
    names = wanted if isinstance(wanted, list) else wanted.labels
    conversation.set_labels(call.state, pull, call.by, names)
    return render_pulls.labels(call.state, pull)


@router.delete("/issues/{number}/labels/{name:path}")
def remove_label(call: AskingRepository, number: int, name: str) -> list[Json]:
    pull = call.pull(number)
    conversation.remove_label(call.state, pull, call.by, name)
    return render_pulls.labels(call.state, pull)


class NewLabel(Body):
    name: str
    color: str = "ededed"
    description: str | None = None


@router.get("/labels")
def repository_labels(call: AskingRepository) -> JSONResponse:
    known = call.repo.labels.values()
    return call.page(known, lambda label: render.label(call.state, call.repo, label))


@router.post("/labels", status_code=201)
def create_label(call: AskingRepository, new: NewLabel) -> Json:
    call.require(Permission.WRITE)
    made = conversation.create_label(
        call.state, call.repo, new.name, new.color.removeprefix("#"), new.description
    )
    return render.label(call.state, call.repo, made)


@router.get("/labels/{name:path}")
def repository_label(call: AskingRepository, name: str) -> Json:
    found = call.repo.labels.get(name.lower())
    if found is None:
        raise not_found()
    return render.label(call.state, call.repo, found)


# Assignees -------------------------------------------------------------------------------


class Assignees(Body):
    assignees: list[str] = Field(default_factory=list)


@router.post("/issues/{number}/assignees", status_code=201)
def assign(call: AskingRepository, number: int, wanted: Assignees) -> Json:
    pull = call.pull(number)
    conversation.assign(call.state, pull, call.by, wanted.assignees)
    return render_pulls.issue(call.state, pull)


@router.delete("/issues/{number}/assignees")
def unassign(call: AskingRepository, number: int, wanted: Assignees) -> Json:
    pull = call.pull(number)
    conversation.unassign(call.state, pull, call.by, wanted.assignees)
    return render_pulls.issue(call.state, pull)


# Comments --------------------------------------------------------------------------------


class CommentBody(Body):
    body: str


@router.get("/issues/{number}/comments")
def comments(call: AskingRepository, number: int) -> JSONResponse:
    pull = call.pull(number)
    return call.page(pull.comments, lambda c: render_pulls.comment(call.state, call.repo, pull, c))


@router.post("/issues/{number}/comments", status_code=201)
def create_comment(call: AskingRepository, number: int, new: CommentBody) -> Json:
    pull = call.pull(number)
    made = conversation.comment(call.state, pull, call.by, new.body)
    return render_pulls.comment(call.state, call.repo, pull, made)


@router.get("/issues/comments/{comment_id}")
def get_comment(call: AskingRepository, comment_id: int) -> Json:
    pull, found = conversation.find_comment(call.repo, comment_id)
    return render_pulls.comment(call.state, call.repo, pull, found)


@router.patch("/issues/comments/{comment_id}")
def edit_comment(call: AskingRepository, comment_id: int, new: CommentBody) -> Json:
    pull, found = conversation.find_comment(call.repo, comment_id)
    conversation.edit_comment(call.state, pull, found, call.by, new.body)
    return render_pulls.comment(call.state, call.repo, pull, found)


@router.delete("/issues/comments/{comment_id}", status_code=204)
def delete_comment(call: AskingRepository, comment_id: int) -> None:
    pull, found = conversation.find_comment(call.repo, comment_id)
    conversation.delete_comment(call.state, pull, found, call.by)


# Reactions -------------------------------------------------------------------------------


class NewReaction(Body):
    content: str


@router.get("/issues/comments/{comment_id}/reactions")
def reactions(call: AskingRepository, comment_id: int) -> JSONResponse:
    _, found = conversation.find_comment(call.repo, comment_id)
    return call.page(found.reactions, lambda r: render_pulls.reaction(call.state, r))


@router.post("/issues/comments/{comment_id}/reactions")
def react(call: AskingRepository, comment_id: int, new: NewReaction, response: Response) -> Json:
    _, found = conversation.find_comment(call.repo, comment_id)
    made, is_new = conversation.react(call.state, found, call.by, new.content)
    response.status_code = 201 if is_new else 200
    return render_pulls.reaction(call.state, made)


@router.delete("/issues/comments/{comment_id}/reactions/{reaction_id}", status_code=204)
def unreact(call: AskingRepository, comment_id: int, reaction_id: int) -> None:
    _, found = conversation.find_comment(call.repo, comment_id)
    kept = [each for each in found.reactions if each.id != reaction_id or each.user is not call.by]
    if len(kept) == len(found.reactions):
        raise Refused(404, "Not Found")
    found.reactions = kept
