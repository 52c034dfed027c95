"""What people say about a pull request: labels, comments, reactions, reviews, assignees."""

from __future__ import annotations

from collections.abc import Sequence

from pilotage.sandbox.github import render, render_pulls
from pilotage.sandbox.github.errors import Refused, invalid, invalid_field
from pilotage.sandbox.github.events import comment_event, pull_event, repository_event
from pilotage.sandbox.github.model import (
    Account,
    Comment,
    Credential,
    Label,
    Permission,
    PullRequest,
    Reaction,
    Repository,
    Review,
)
from pilotage.sandbox.github.pulls import LONGEST_BODY, require
from pilotage.sandbox.github.state import State

_LONGEST_LABEL = 50


# Labels ----------------------------------------------------------------------------------


def known_label(state: State, repo: Repository, name: str) -> Label:
    """The label, made with the default colour if the repository has none of this name."""
    found = repo.labels.get(name.lower())
    if found is None:
        found = create_label(state, repo, name)
    return found


def create_label(
    state: State,
    repo: Repository,
    name: str,
    color: str = "ededed",
    description: str | None = None,
) -> Label:
    if not name.strip():
        raise invalid_field("Label", "name", "missing_field")
    if len(name) > _LONGEST_LABEL:
        raise invalid_field("Label", "name")
    if name.lower() in repo.labels:
        raise invalid_field("Label", "name", "already_exists")
    made = Label(state.next_id(), name, color, description)
    repo.labels[name.lower()] = made
    return made


def add_labels(state: State, pull: PullRequest, by: Account, names: Sequence[str]) -> None:
    require(state, pull.repository, by, Permission.TRIAGE)
    for name in names:
        label = known_label(state, pull.repository, name)
        if label.name not in pull.labels:
            pull.labels.append(label.name)
            _label_event(state, pull, label, "labeled", by)


def remove_label(state: State, pull: PullRequest, by: Account, name: str) -> None:
    require(state, pull.repository, by, Permission.TRIAGE)
    label = pull.repository.labels.get(name.lower())
    if label is None or label.name not in pull.labels:
        raise Refused(404, "Label does not exist")
    pull.labels.remove(label.name)
    _label_event(state, pull, label, "unlabeled", by)


def set_labels(state: State, pull: PullRequest, by: Account, names: Sequence[str]) -> None:
    wanted = {name.lower() for name in names}
    for name in [name for name in pull.labels if name.lower() not in wanted]:
        remove_label(state, pull, by, name)
    add_labels(state, pull, by, names)


def _label_event(state: State, pull: PullRequest, label: Label, action: str, by: Account) -> None:
    pull.updated_at = state.now()
    pull_event(state, pull, action, by, label=render.label(state, pull.repository, label))


# Comments --------------------------------------------------------------------------------


def comment(state: State, pull: PullRequest, by: Account, body: str) -> Comment:
    _check_comment(body)
    now = state.now()
    made = Comment(state.next_id(), by, body, now, now)
    pull.comments.append(made)
    pull.updated_at = now
    comment_event(state, pull, made, "created", by)
    return made


def edit_comment(state: State, pull: PullRequest, which: Comment, by: Account, body: str) -> None:
    _check_comment(body)
    if which.user is not by:
        require(state, pull.repository, by, Permission.WRITE)
    before, which.body = which.body, body
    which.updated_at = state.now()
    comment_event(state, pull, which, "edited", by, changes={"body": {"from": before}})


def delete_comment(state: State, pull: PullRequest, which: Comment, by: Account) -> None:
    if which.user is not by:
        require(state, pull.repository, by, Permission.WRITE)
    pull.comments.remove(which)
    comment_event(state, pull, which, "deleted", by)


def find_comment(repo: Repository, comment_id: int) -> tuple[PullRequest, Comment]:
    for pull in repo.pulls.values():
        for which in pull.comments:
            if which.id == comment_id:
                return pull, which
    raise Refused(404, "Not Found")


def _check_comment(body: str) -> None:
    if not body.strip():
        raise invalid("IssueComment", "body can't be blank", "body")
    if len(body) > LONGEST_BODY:
        message = f"body is too long (maximum is {LONGEST_BODY} characters)"
        raise invalid("IssueComment", message, "body")


def react(state: State, which: Comment, by: Account, content: str) -> tuple[Reaction, bool]:
    """The reaction, and whether it is new: the same person reacts in one way once."""
    if content not in render_pulls.REACTIONS:
        raise invalid_field("Reaction", "content")
    for found in which.reactions:
        if found.user is by and found.content == content:
            return found, False
    made = Reaction(state.next_id(), content, by, state.now())
    which.reactions.append(made)
    return made, True


# Reviews ---------------------------------------------------------------------------------

_REVIEW_STATES = {
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    "COMMENT": "COMMENTED",
}


def review(state: State, pull: PullRequest, by: Account, event: str, body: str = "") -> Review:
    """`event` is APPROVE, REQUEST_CHANGES or COMMENT."""
    if event not in _REVIEW_STATES:
        raise invalid_field("PullRequestReview", "event")
    if event == "APPROVE" and pull.author is by:
        raise Refused(422, "Unprocessable Entity", ["Can not approve your own pull request"])
    if event == "REQUEST_CHANGES" and pull.author is by:
        message = "Can not request changes on your own pull request"
        raise Refused(422, "Unprocessable Entity", [message])
    if event != "APPROVE" and not body.strip():
        raise Refused(422, "Unprocessable Entity", ["Body can't be blank"])
    made = Review(state.next_id(), by, _REVIEW_STATES[event], body, pull.head_sha, state.now())
    pull.reviews.append(made)
    pull.updated_at = made.submitted_at
    if by in pull.reviewers:
        pull.reviewers.remove(by)
    payload = {
        "action": "submitted",
        "review": render_pulls.review(state, pull, made) | {"state": made.state.lower()},
        "pull_request": render_pulls.pull_summary(state, pull),
    }
    repository_event(state, pull.repository, "pull_request_review", payload, by)
    return made


def request_reviewers(
    state: State,
    pull: PullRequest,
    credential: Credential,
    logins: Sequence[str],
    slugs: Sequence[str],
) -> None:
    """Raises Refused (422), with nobody requested, if one of them cannot be."""
    by, repo = credential.account, pull.repository
    require(state, repo, by, Permission.WRITE)
    if pull.author.login.lower() in (login.lower() for login in logins):
        raise Refused(422, "Review cannot be requested from pull request author.")
    owner = repo.owner.login
    if slugs and not state.may_read_teams(owner, credential):
        names = ", ".join(slugs)
        raise Refused(422, f"Could not resolve to a node with the global id of '{names}'.")
    people = [state.accounts.get(login.lower()) for login in logins]
    teams = [state.teams.get((owner.lower(), slug.lower())) for slug in slugs]
    known = all(
        who is not None and state.permission(repo, who.login) >= Permission.READ for who in people
    ) and all(team is not None and team.slug in repo.teams for team in teams)
    if not known:
        raise Refused(
            422,
            "Reviews may only be requested from collaborators. One or more of the users or teams "
            f"you specified is not a collaborator of the {repo.full_name} repository.",
        )
    for who in people:
        if who is not None and who not in pull.reviewers:
            pull.reviewers.append(who)
            reviewer = render.account(state, who)
            pull_event(state, pull, "review_requested", by, requested_reviewer=reviewer)
    for team in teams:
        if team is not None and team not in pull.team_reviewers:
            pull.team_reviewers.append(team)
            rendered = render.team(state, team)
            pull_event(state, pull, "review_requested", by, requested_team=rendered)


def assign(state: State, pull: PullRequest, by: Account, logins: Sequence[str]) -> None:
    """People who cannot be assigned are left out without a word, as on github.com."""
    require(state, pull.repository, by, Permission.TRIAGE)
    for login in logins:
        who = state.accounts.get(login.lower())
        allowed = who and state.permission(pull.repository, login) >= Permission.READ
        if who is not None and allowed and who not in pull.assignees:
            pull.assignees.append(who)
            pull_event(state, pull, "assigned", by, assignee=render.account(state, who))


def unassign(state: State, pull: PullRequest, by: Account, logins: Sequence[str]) -> None:
    require(state, pull.repository, by, Permission.TRIAGE)
    gone = {login.lower() for login in logins}
    for who in [who for who in pull.assignees if who.login.lower() in gone]:
        pull.assignees.remove(who)
        pull_event(state, pull, "unassigned", by, assignee=render.account(state, who))
