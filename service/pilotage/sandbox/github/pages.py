"""Pages for a browser, without JavaScript: be the reviewer, without any account."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Cookie, Depends, Form, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pilotage.resources import template_folder
from pilotage.sandbox.github import boxes, conversation, pulls, views, writing
from pilotage.sandbox.github.control import GitHub
from pilotage.sandbox.github.errors import Refused
from pilotage.sandbox.github.model import Account, MergeMethod, Permission, PullRequest, Repository
from pilotage.sandbox.github.pulls import MergeRequest
from pilotage.sandbox.github.sandbox_api import Control

router = APIRouter(include_in_schema=False)

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(template_folder() / "sandbox" / "github"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["ago"] = views.ago
    made.filters["diff"] = views.diff_html
    return made


class Visit:
    """One person at the browser."""

    def __init__(
        self, request: Request, github: Control, you: Annotated[str, Cookie()] = ""
    ) -> None:
        self.request = request
        self.github: GitHub = github
        with github.state.lock:
            self.people = views.people(github.state)
        chosen = [who for who in self.people if who.login == you]
        self.maybe = next(iter(chosen or self.people), None)

    @property
    def you(self) -> Account:
        if self.maybe is None:
            raise Refused(403, "There is nobody yet whom you could be.")
        return self.maybe

    def page(self, name: str, status: int = 200, **values: object) -> HTMLResponse:
        text = (
            _environment()
            .get_template(name)
            .render(
                you=self.maybe.login if self.maybe else "",
                people=[who.login for who in self.people],
                here=self.request.url.path,
                notice=values.pop("notice", ""),
                again=self.request.query_params.get("again") == "true",
                **values,
            )
        )
        return HTMLResponse(text, status, _HEADERS)

    def back(self, *parts: str, again: bool = False) -> Response:
        """`again`: load the page once more a little later, when others have reacted."""
        query = "?again=true" if again else ""
        return RedirectResponse("/" + quote("/".join(parts)) + query, 303)


Visiting = Annotated[Visit, Depends(Visit)]


def _repository(github: Control, owner: str, name: str) -> Repository:
    found = github.state.repositories.get(f"{owner}/{name}".lower())
    if found is None:
        raise Refused(404, f"There is no repository {owner}/{name}.")
    return found


Repo = Annotated[Repository, Depends(_repository)]


def _pull(repo: Repo, number: Annotated[int, Path()]) -> PullRequest:
    found = repo.pulls.get(number)
    if found is None:
        raise Refused(404, f"There is no pull request {number} in {repo.full_name}.")
    return found


Pull = Annotated[PullRequest, Depends(_pull)]


def refused_page(request: Request, refused: Refused) -> Response:
    """What a page answers that cannot do what was asked."""
    github: GitHub = request.app.state.control
    visit = Visit(request, github, request.cookies.get("you", ""))
    return visit.page("sorry.html.j2", refused.status, title="Not possible", reason=words(refused))


def words(refused: Refused) -> str:
    more = [each if isinstance(each, str) else each.get("message", "") for each in refused.errors]
    return " ".join([refused.message, *filter(None, more)])


@router.get("/style.css")
def style() -> Response:
    text = (template_folder() / "sandbox" / "style.css").read_text()
    return Response(text, media_type="text/css", headers={"cache-control": "no-cache"})


@router.post("/_sandbox/you")
def be(
    visit: Visiting, login: Annotated[str, Form()], here: Annotated[str, Form()] = "/"
) -> Response:
    answer = visit.back(here.lstrip("/"))
    if login in (who.login for who in visit.people):
        answer.set_cookie("you", login, httponly=True, samesite="strict")
    return answer


@router.get("/")
def repositories(visit: Visiting) -> Response:
    with visit.github.state.lock:
        known = list(visit.github.state.repositories.values())
        return visit.page("repositories.html.j2", repositories=known)


@router.get("/{owner}/{name}")
@router.get("/{owner}/{name}/pulls")
def repository(visit: Visiting, repo: Repo) -> Response:
    with visit.github.state.lock:
        return visit.page("repository.html.j2", view=views.repository_view(repo))


# Files and commits -----------------------------------------------------------------------


@router.get("/{owner}/{name}/tree/{branch:path}")
def tree(visit: Visiting, repo: Repo, branch: str) -> Response:
    with visit.github.state.lock:
        tip = repo.git.resolve(branch)
        if tip is None:
            raise Refused(404, f"There is no {branch} in {repo.full_name}.")
        files = [each.path for each in repo.git.tree(tip, recursive=True) if each.type == "blob"]
        return visit.page("tree.html.j2", repo=repo, branch=branch, files=files)


@router.get("/{owner}/{name}/blob/{place:path}")
def file(visit: Visiting, repo: Repo, place: str) -> Response:
    return _file(visit, repo, *_revision_and_path(repo, place))


def _revision_and_path(repo: Repository, place: str) -> tuple[str, str]:
    """`promotion/one/api/config.yaml`: branches have slashes in their names too."""
    parts = place.split("/")
    for count in range(1, len(parts)):
        revision = "/".join(parts[:count])
        if repo.git.resolve(revision) is not None:
            return revision, "/".join(parts[count:])
    raise Refused(404, f"There is no {place} in {repo.full_name}.")


def _file(
    visit: Visit, repo: Repository, revision: str, path: str, notice: str = "", status: int = 200
) -> Response:
    with visit.github.state.lock:
        try:
            text = visit.github.file(repo, path, revision)
        except (KeyError, UnicodeDecodeError) as error:
            raise Refused(404, f"There is no text file {path} at {revision}.") from error
        log = repo.git.log("-10", repo.git.resolve(revision) or revision, "--", path)
        editable = repo.git.branch(revision) is not None
        return visit.page(
            "file.html.j2",
            status,
            repo=repo,
            revision=revision,
            path=path,
            text=text,
            log=log,
            editable=editable,
            notice=notice,
        )


@router.post("/{owner}/{name}/blob/{place:path}")
def write_file(
    visit: Visiting,
    repo: Repo,
    place: str,
    text: Annotated[str, Form()],
    message: Annotated[str, Form()] = "",
) -> Response:
    """A commit on the branch, as far as its protection lets you."""
    with visit.github.state.lock:
        git, you = repo.git, visit.you
        revision, path = _revision_and_path(repo, place)
        tip = git.branch(revision)
        if tip is None or not git.tree(tip, path):
            raise Refused(404, f"There is no {path} on {revision}.")
        pulls.require(visit.github.state, repo, you, Permission.WRITE)
        text = text.replace("\r\n", "\n")
        if "\r\n" in visit.github.file(repo, path, revision):
            text = text.replace("\n", "\r\n")  # the browser sends both kinds alike
        files: dict[str, bytes | None] = {path: text.encode()}
        sha = git.write_commit(
            git.with_files(tip, files),
            [tip],
            message or f"Update {path}",
            pulls.person(you),
            visit.github.state.now(),
        )
        try:
            writing.commit_to_branch(visit.github.state, repo, revision, sha, tip, you)
        except Refused as refused:
            return _file(visit, repo, revision, path, words(refused), refused.status)
    return visit.back(repo.full_name, "commit", sha)


@router.get("/{owner}/{name}/commit/{sha}")
def commit(visit: Visiting, repo: Repo, sha: str) -> Response:
    with visit.github.state.lock:
        found = repo.git.resolve(sha)
        if found is None:
            raise Refused(404, f"There is no commit {sha} in {repo.full_name}.")
        shown = repo.git.commit(found)
        before = shown.parents[0] if shown.parents else repo.git.run("mktree").strip()
        return visit.page(
            "commit.html.j2",
            repo=repo,
            commit=shown,
            checks=views.checks(repo, found, ""),
            changes=repo.git.changes(before, found),
        )


@router.get("/{owner}/{name}/compare/{base}...{head}")
def compare(visit: Visiting, repo: Repo, base: str, head: str) -> Response:
    with visit.github.state.lock:
        git = repo.git
        start, end = git.resolve(base), git.resolve(head)
        common = git.merge_base(start, end) if start and end else None
        if common is None or end is None:
            raise Refused(404, f"{base} and {head} cannot be compared.")
        return visit.page(
            "compare.html.j2",
            repo=repo,
            base=base,
            head=head,
            commits=git.log("--reverse", f"{start}..{end}"),
            changes=git.changes(common, end),
        )


# Pull requests ---------------------------------------------------------------------------


@router.get("/{owner}/{name}/pull/{number}")
def pull_request(visit: Visiting, pull: Pull) -> Response:
    return _pull_page(visit, pull)


def _pull_page(visit: Visit, pull: PullRequest, notice: str = "", status: int = 200) -> Response:
    with visit.github.state.lock:
        view = views.pull_view(visit.github.state, pull, visit.you)
        return visit.page(
            "pull.html.j2",
            status,
            view=view,
            repo=pull.repository,
            version=_version(pull),
            notice=notice,
        )


def _version(pull: PullRequest) -> str:
    """Changes with the body: a box is ticked only in the text that was shown."""
    return hashlib.sha256(pull.body.encode()).hexdigest()[:16]


@router.post("/{owner}/{name}/pull/{number}/tick")
def tick(
    visit: Visiting,
    pull: Pull,
    line: Annotated[str, Form()],
    version: Annotated[str, Form()] = "",
) -> Response:
    """`line` is the box's line and what it is to be: `12:1` ticks line 12."""
    number, _, wanted = line.partition(":")
    with visit.github.state.lock:
        known = number.isdigit() and int(number) in boxes.box_lines(pull.body)
        if not known or version != _version(pull):
            return _pull_page(visit, pull, "The description has changed; look again.", 409)
        body = boxes.with_box(pull.body, int(number), wanted == "1")
        try:
            pulls.edit(visit.github.state, pull, visit.you, body=body)
        except Refused as refused:
            return _pull_page(visit, pull, words(refused), refused.status)
    return visit.back(pull.repository.full_name, "pull", str(pull.number), again=True)


@router.post("/{owner}/{name}/pull/{number}/act")
def act(
    visit: Visiting,
    pull: Pull,
    action: Annotated[str, Form()],
    text: Annotated[str, Form()] = "",
    method: Annotated[MergeMethod, Form()] = MergeMethod.MERGE,
) -> Response:
    """Comment, approve, ask for changes, merge, merge without waiting, close or reopen."""
    try:
        with visit.github.state.lock:
            _do(visit, pull, action, text.replace("\r\n", "\n"), method)
    except Refused as refused:
        return _pull_page(visit, pull, words(refused), refused.status)
    return visit.back(pull.repository.full_name, "pull", str(pull.number), again=True)


def _do(visit: Visit, pull: PullRequest, action: str, text: str, method: MergeMethod) -> None:
    state, you = visit.github.state, visit.you
    match action:
        case "comment":
            conversation.comment(state, pull, you, text)
        case "approve":
            conversation.review(state, pull, you, "APPROVE", text)
        case "request-changes":
            conversation.review(state, pull, you, "REQUEST_CHANGES", text)
        case "merge" | "bypass":
            wanted = MergeRequest(method=method, bypass=action == "bypass")
            pulls.merge(state, pull, you, wanted)
        case "close":
            pulls.close(state, pull, you)
        case "reopen":
            pulls.reopen(state, pull, you)
        case _:
            raise Refused(422, f"There is no action {action}.")
