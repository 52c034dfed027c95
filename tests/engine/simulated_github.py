"""GitHub in memory: pull requests, statuses, comments, deployments, and the events they cause."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar, cast

from pilotage.adapters.github import (
    GitHubError,
    Moved,
    NotFound,
    NotMergeable,
    RateLimited,
    Refused,
    Unreachable,
)
from pilotage.core import forge
from pilotage.core.forge import READY, StatusState, marker_in
from pilotage.core.model import BodyEdit
from tests.engine.chaos import Chaos
from tests.engine.simulated_git import MAIN, Made, Server, make

REPOSITORY = "acme/gitops"
OWN = "pilotage[bot]"
WRITERS = frozenset({"maria", "li"})

T = TypeVar("T")

_BEHIND = timedelta(seconds=6)


@dataclass(slots=True)
class Remark:
    id: int
    number: int
    author: str
    body: str
    at: datetime


@dataclass(slots=True)
class Pull:
    number: int
    title: str
    body: str
    author: str
    branch: str
    made_at: datetime
    last_head: str
    updated_at: datetime
    state: Literal["open", "closed"] = "open"
    merged_by: str | None = None
    merged_at: datetime | None = None
    merge_commit: str | None = None
    merged_onto: str | None = None
    closed_by: str | None = None
    closed_at: datetime | None = None
    labels: set[str] = field(default_factory=set)
    edits: list[BodyEdit] = field(default_factory=list)
    reviews: list[forge.Review] = field(default_factory=list)
    read_at: datetime | None = None
    """When the service last read it, and got what was true then."""
    reopened: bool = False
    """A person opened it again after it was closed."""

    @property
    def open(self) -> bool:
        return self.state == "open"

    @property
    def merged(self) -> bool:
        return self.merge_commit is not None

    @property
    def marker(self) -> str | None:
        return marker_in(self.body) if self.author == OWN else None


class Forge:
    """The server's side: what is true, and what people do there."""

    def __init__(self, chaos: Chaos, git: Server) -> None:
        self.chaos, self.git = chaos, git
        self.pulls: dict[int, Pull] = {}
        self.remarks: dict[int, Remark] = {}
        self.statuses: dict[tuple[str, str], forge.Status] = {}
        self.deployments: dict[tuple[str, str], list[forge.ForgeDeployment]] = {}
        self.reactions: dict[int, set[str]] = {}
        self.send: Callable[[str, dict[str, Any]], None] = lambda event, body: None
        self.on_opened: Callable[[Pull], None] = lambda pull: None
        self.on_closed: Callable[[Pull], None] = lambda pull: None
        self.on_status: Callable[[str, str, forge.Status], None] = lambda sha, context, status: None
        self.slow = timedelta()
        """How much GitHub's clock is behind the service's."""
        self._ids = itertools.count(1)
        git.on_push = self._pushed

    def now(self) -> datetime:
        return (self.chaos.now - self.slow).replace(microsecond=0)

    def head(self, pull: Pull) -> str:
        if pull.open:
            pull.last_head = self.git.refs.get(pull.branch, pull.last_head)
        return pull.last_head

    def tell(self, event: str, by: str, **body: Any) -> None:
        self.send(event, {"repository": {"full_name": REPOSITORY}, "sender": {"login": by}, **body})

    def tell_of(self, pull: Pull, action: str, by: str, **body: Any) -> None:
        pull.updated_at = self.now()
        part = {"number": pull.number, "body": pull.body, "updated_at": self.now().isoformat()}
        self.tell("pull_request", by, action=action, number=pull.number, pull_request=part, **body)

    def _pushed(self, branch: str, old: str | None, new: str | None, by: str) -> None:
        self.chaos.note(f"{by} moves {branch} to {(new or 'nothing')[:7]}")
        self.tell("push", by, ref=f"refs/heads/{branch}", after=new or "0" * 40)
        for pull in self.pulls.values():
            if not pull.open or pull.branch != branch:
                continue
            if new is None:
                self.close(pull, by)
            else:
                pull.last_head = new
                self.tell_of(pull, "synchronize", by)

    # What people do (and the service, through its client)

    def open(self, title: str, body: str, branch: str, by: str) -> Pull:
        number = next(self._ids)
        head, now = self.git.refs[branch], self.now()
        pull = Pull(number, title, body, by, branch, now, head, now)
        self.pulls[number] = pull
        self.chaos.note(f"{by} opens #{number} from {branch}: {title}")
        self.tell_of(pull, "opened", by)
        self.on_opened(pull)
        return pull

    def edit(self, pull: Pull, body: str, by: str) -> None:
        before, pull.body = pull.body, body
        pull.edits.append(BodyEdit(pull.number, by, self.now(), before, body))
        self.tell_of(pull, "edited", by, changes={"body": {"from": before}})

    def close(self, pull: Pull, by: str) -> None:
        if not pull.open:
            return
        self.head(pull)
        pull.state, pull.closed_by, pull.closed_at = "closed", by, self.now()
        self.chaos.note(f"{by} closes #{pull.number}")
        self.tell_of(pull, "closed", by)
        self.on_closed(pull)

    def reopen(self, pull: Pull, by: str) -> bool:
        if pull.open or pull.merged or self.git.refs.get(pull.branch) != pull.last_head:
            return False
        if any(each.open and each.branch == pull.branch for each in self.pulls.values()):
            return False
        pull.state, pull.closed_by, pull.closed_at, pull.reopened = "open", None, None, True
        self.chaos.note(f"{by} reopens #{pull.number}")
        self.tell_of(pull, "reopened", by)
        return True

    def merge(self, pull: Pull, by: str, method: str = "merge") -> str | None:
        """None when it conflicts."""
        base = self.git.refs[MAIN]
        made = self.made_of(pull, base, method, by)
        if made is None:
            return None
        self.chaos.note(f"{by} merges #{pull.number} ({method}) as {made.sha[:7]}")
        self.land(pull, made, base, by)
        return made.sha

    def made_of(self, pull: Pull, base: str, method: str, by: str) -> Made | None:
        """What its merge would bring; None when it conflicts."""
        head = self.head(pull)
        files = self.git.merged_files(base, head)
        if files is None or not pull.open:
            return None
        line = [self.git.commits[head]]
        while not self.git.contains(base, line[-1].parents[0]):
            line.append(self.git.commits[line[-1].parents[0]])
        at = self.chaos.now
        match method:
            case "merge":
                made = make((base, head), files, f"Merge #{pull.number}\n", by, at)
            case "squash":
                made = make((base,), files, f"{pull.title} (#{pull.number})\n", by, at)
            case _:
                made = self.git.commits[base]
                for commit in reversed(line):
                    step = self.git.merged_files(made.sha, commit.sha)
                    if step is None:
                        return None
                    made = make((made.sha,), step, commit.message, commit.author, at)
                    self.git.add(made)
        return made

    def land(self, pull: Pull, made: Made, base: str, by: str) -> None:
        pull.state, pull.merged_by, pull.merged_at = "closed", by, self.now()
        pull.merge_commit, pull.merged_onto = self.git.add(made), base
        self.git.move(MAIN, made.sha, by)
        self.tell_of(pull, "closed", by)

    def comment(self, number: int, body: str, by: str) -> Remark:
        remark = Remark(next(self._ids), number, by, body, self.now())
        self.remarks[remark.id] = remark
        said = body.splitlines()[0]
        self.chaos.note(f"{by} comments on #{number}: {said}")
        part = {
            "id": remark.id,
            "body": body,
            "user": {"login": by},
            "created_at": remark.at.isoformat(),
        }
        issue = {"number": number, "pull_request": {}}
        self.tell("issue_comment", by, action="created", issue=issue, comment=part)
        return remark

    def approve(self, pull: Pull, by: str) -> None:
        pull.reviews.append(forge.Review(by, "approved", self.head(pull), self.now()))
        pull.updated_at = self.now()
        self.tell("pull_request_review", by, action="submitted")

    def is_ready(self, sha: str) -> bool:
        status = self.statuses.get((sha, READY))
        return status is not None and status.state is StatusState.SUCCESS


class Client:
    """The part of `GitHub` that the engine uses; every call may go wrong."""

    def __init__(self, forge: Forge) -> None:
        self._forge = forge
        self._chaos = forge.chaos
        self._answered: dict[str, tuple[datetime, Any]] = {}
        self.merges_itself = True
        """Whether the rules let the service merge a pull request of its own."""

    def _call(self, what: str, do: Callable[[], T], *, write: bool = False) -> T:
        def error(may_have_taken_hold: bool) -> GitHubError:
            if not may_have_taken_hold or self._chaos.random.random() < 0.7:
                return Unreachable(what, "GitHub", "502", may_have_taken_hold)
            return self._limited(what)

        return self._chaos.around(what, do, write=write, error=error)

    def _read(self, what: str, do: Callable[[], T]) -> T:
        def error(_: bool) -> GitHubError:
            if self._chaos.random.random() < 0.5:
                return Unreachable(what, "GitHub", "no answer", False)
            return self._limited(what)

        return self._chaos.around(what, do, error=error)

    def _may_be_stale(self, what: str, do: Callable[[], T]) -> T:
        """GitHub's copies are a few seconds behind each other."""

        def answer() -> T:
            at, before = self._answered.get(what, (None, None))
            recent = at is not None and self._chaos.now - at < _BEHIND
            if recent and self._chaos.chance(self._chaos.odds.stale):
                self._chaos.note(f"{what} is answered as before")
                return cast(T, before)
            found = do()
            self._answered[what] = self._chaos.now, found
            return found

        return self._read(what, answer)

    def _limited(self, what: str) -> RateLimited:
        until = self._chaos.now + timedelta(seconds=self._chaos.random.choice((5, 60)))
        return RateLimited(what, "GitHub", "403 secondary rate limit", until)

    def _pull(self, number: int) -> Pull:
        if number not in self._forge.pulls:
            raise NotFound(f"reading {number}", "GitHub", "404", "Check the number.")
        return self._forge.pulls[number]

    def _value(self, pull: Pull) -> forge.PullRequest:
        return forge.PullRequest(
            number=pull.number,
            url=f"https://github.example/{REPOSITORY}/pull/{pull.number}",
            title=pull.title,
            body=pull.body,
            author=pull.author,
            head=self._forge.head(pull),
            head_branch=pull.branch,
            head_repository=REPOSITORY,
            base_branch=MAIN,
            open=pull.open,
            merged=pull.merged,
            merged_by=pull.merged_by,
            merged_at=pull.merged_at,
            merge_commit=pull.merge_commit,
            closed_by=pull.closed_by,
            closed_at=pull.closed_at,
            commits=1,
            labels=frozenset(pull.labels),
            assignees=frozenset(),
            requested_reviewers=frozenset(),
            requested_teams=frozenset(),
            updated_at=pull.updated_at,
        )

    def identity(self) -> str:
        return OWN

    def pull_request(self, repository: str, number: int) -> forge.PullRequest:
        def do() -> forge.PullRequest:
            pull = self._pull(number)
            pull.read_at = self._chaos.now
            return self._value(pull)

        return self._may_be_stale(f"GET pull {number}", do)

    def find_pull_request(
        self, repository: str, branch: str, base: str
    ) -> forge.PullRequest | None:
        def do() -> forge.PullRequest | None:
            found = [pull for pull in self._forge.pulls.values() if pull.branch == branch]
            if not found:
                return None
            return self._value(next((pull for pull in found if pull.open), found[-1]))

        return self._read(f"GET pulls of {branch}", do)

    def open_pull_requests(self, repository: str, base: str) -> tuple[forge.PullRequestBrief, ...]:
        def do() -> tuple[forge.PullRequestBrief, ...]:
            return tuple(
                forge.PullRequestBrief(
                    number=pull.number,
                    url=f"https://github.example/{REPOSITORY}/pull/{pull.number}",
                    author=pull.author,
                    head=self._forge.head(pull),
                    head_branch=pull.branch,
                    head_repository=REPOSITORY,
                    updated_at=pull.updated_at,
                    body_marker=marker_in(pull.body),
                )
                for pull in self._forge.pulls.values()
                if pull.open
            )

        return self._may_be_stale("GET pulls", do)

    def reviews(self, repository: str, number: int) -> tuple[forge.Review, ...]:
        return self._read(
            f"GET reviews of {number}",
            lambda: tuple({each.by: each for each in self._pull(number).reviews}.values()),
        )

    def statuses(self, repository: str, sha: str) -> Mapping[str, forge.Status]:
        def do() -> Mapping[str, forge.Status]:
            known = self._forge.statuses.items()
            return {context: status for (at, context), status in known if at == sha}

        return self._read(f"GET statuses of {sha[:7]}", do)

    def comments(self, repository: str, number: int) -> tuple[forge.Comment, ...]:
        def do() -> tuple[forge.Comment, ...]:
            return tuple(
                forge.Comment(each.id, each.author, each.body, each.at)
                for each in self._forge.remarks.values()
                if each.number == number and each.author == OWN and marker_in(each.body)
            )

        return self._read(f"GET comments of {number}", do)

    def body_edits(
        self, repository: str, number: int, since: datetime | None = None
    ) -> tuple[BodyEdit, ...]:
        def do() -> tuple[BodyEdit, ...]:
            edits = self._pull(number).edits
            return tuple(edit for edit in edits if since is None or edit.at >= since)

        return self._read(f"POST graphql: edits of {number}", do)

    def pull_request_commits(
        self, repository: str, number: int
    ) -> tuple[forge.PullRequestCommit, ...]:
        def do() -> tuple[forge.PullRequestCommit, ...]:
            pull, git = self._pull(number), self._forge.git
            until = git.commits[pull.merge_commit].parents[0] if pull.merge_commit else MAIN
            sha = self._forge.head(pull)
            line = []
            base = git.refs[MAIN] if until == MAIN else until
            while not git.contains(base, sha):
                made = git.commits[sha]
                line.append(forge.PullRequestCommit(sha, made.author, made.at, made.message))
                sha = made.parents[0]
            return tuple(reversed(line))

        return self._read(f"GET commits of {number}", do)

    def changed_files(self, repository: str, number: int) -> forge.ChangedFiles:
        def do() -> forge.ChangedFiles:
            git, head = self._forge.git, self._forge.head(self._pull(number))
            before = git.commits[git.fork_point(head, git.refs[MAIN])].files
            after = git.commits[head].files
            paths = {path for path in {*before, *after} if before.get(path) != after.get(path)}
            return forge.ChangedFiles(frozenset(paths), True)

        return self._read(f"GET files of {number}", do)

    def team_members(self, organization: str, team: str) -> frozenset[str]:
        return self._read(f"GET members of {team}", lambda: WRITERS)

    def permission(self, repository: str, login: str) -> Literal["admin", "write", "read", "none"]:
        return self._read(
            f"GET permission of {login}", lambda: "write" if login in WRITERS else "read"
        )

    def deployment(
        self, repository: str, sha: str, environment: str
    ) -> forge.ForgeDeployment | None:
        def do() -> forge.ForgeDeployment | None:
            found = self._forge.deployments.get((sha, environment))
            return found[-1] if found else None

        return self._read(f"GET deployment of {sha[:7]}", do)

    # Writes

    def create_pull_request(
        self, repository: str, *, title: str, body: str, branch: str, base: str
    ) -> forge.PullRequest:
        what = f"opening a pull request from {branch}"

        def do() -> forge.PullRequest:
            git = self._forge.git
            known = [each for each in self._forge.pulls.values() if each.branch == branch]
            there = next((each for each in known if each.open), None)
            if there is not None:
                return self._value(there)
            head = git.refs.get(branch)
            if head is None or git.contains(git.refs[MAIN], head):
                raise Refused(what, "GitHub", "Validation Failed: no commits between", status=422)
            return self._value(self._forge.open(title, body, branch, OWN))

        return self._call(what, do, write=True)

    def edit_pull_request(
        self, repository: str, number: int, *, title: str | None = None, body: str | None = None
    ) -> forge.PullRequest:
        def do() -> forge.PullRequest:
            pull = self._pull(number)
            pull.title = title or pull.title
            if body is not None:
                self._forge.edit(pull, body, OWN)
            return self._value(pull)

        return self._call(f"PATCH pull {number}", do, write=True)

    def close_pull_request(self, repository: str, number: int) -> forge.PullRequest:
        def do() -> forge.PullRequest:
            self._forge.close(self._pull(number), OWN)
            return self._value(self._pull(number))

        return self._call(f"close pull {number}", do, write=True)

    def merge_pull_request(
        self, repository: str, number: int, sha: str, method: str, **_: object
    ) -> str:
        what = f"merge pull {number}"

        def do() -> str:
            pull = self._pull(number)
            if self._forge.head(pull) != sha:
                raise Moved(what, "GitHub", "Head branch was modified", status=409)
            if not self.merges_itself or not self._forge.is_ready(sha):
                raise NotMergeable(what, "GitHub", "At least 1 approving review", status=405)
            merged = self._forge.merge(pull, OWN, method)
            if merged is None:
                raise NotMergeable(what, "GitHub", "not mergeable", status=405)
            return merged

        return self._call(what, do, write=True)

    def add_labels(self, repository: str, number: int, labels: Iterable[str]) -> None:
        wanted = set(labels)

        def do() -> None:
            self._pull(number).labels |= wanted

        self._call(f"label {number}", do, write=True)

    def add_assignees(self, repository: str, number: int, logins: Iterable[str]) -> frozenset[str]:
        return frozenset()

    def request_reviewers(self, repository: str, number: int, **_: object) -> None:
        return None

    def set_status(self, repository: str, sha: str, context: str, status: forge.Status) -> None:
        def do() -> None:
            self._forge.statuses[sha, context] = status
            self._forge.on_status(sha, context, status)

        what = f"status {context} of {sha[:7]}: {status.state} {status.description}"
        self._call(what, do, write=True)

    def create_comment(self, repository: str, number: int, body: str) -> forge.Comment:
        def do() -> forge.Comment:
            made = self._forge.comment(number, body, OWN)
            return forge.Comment(made.id, OWN, body, made.at)

        return self._call(f"comment on {number}", do, write=True)

    def edit_comment(self, repository: str, comment: int, body: str) -> forge.Comment:
        def do() -> forge.Comment:
            remark = self._remark(comment)
            remark.body = body
            return forge.Comment(comment, OWN, body, remark.at)

        return self._call(f"edit comment {comment}", do, write=True)

    def _remark(self, comment: int) -> Remark:
        if comment not in self._forge.remarks:
            raise NotFound(f"comment {comment}", "GitHub", "404", "It is gone.")
        return self._forge.remarks[comment]

    def delete_comment(self, repository: str, comment: int) -> None:
        def do() -> None:
            self._forge.remarks.pop(comment, None)

        self._call(f"delete comment {comment}", do, write=True)

    def react(self, repository: str, comment: int, content: str) -> None:
        def do() -> None:
            self._remark(comment)
            self._forge.reactions.setdefault(comment, set()).add(content)

        self._call(f"react {content} to {comment}", do, write=True)

    def create_deployment(
        self, repository: str, sha: str, environment: str, *, description: str = "", **_: object
    ) -> forge.ForgeDeployment:
        def do() -> forge.ForgeDeployment:
            known = self._forge.deployments.setdefault((sha, environment), [])
            known.append(forge.ForgeDeployment(len(self._forge.deployments) * 10 + len(known), ""))
            return known[-1]

        return self._call(f"deployment of {sha[:7]}", do, write=True)

    def set_deployment_state(
        self, repository: str, deployment: int, state: Any, **_: object
    ) -> None:
        def do() -> None:
            for known in self._forge.deployments.values():
                for index, each in enumerate(known):
                    if each.id == deployment:
                        known[index] = forge.ForgeDeployment(deployment, state)

        self._call(f"deployment {deployment} is {state}", do, write=True)


def payload(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()
