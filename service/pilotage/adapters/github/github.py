"""GitHub as the service sees it: values out, one request for each thing asked.

Every method may raise the errors of `errors`: RateLimited, Unreachable, Unauthorised, Forbidden,
NotFound, Refused. It is synchronous: never call it on an event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal, Self

from pydantic import SecretStr

from pilotage.adapters.github import access, answers, errors, rules
from pilotage.adapters.github.calls import Calls, InRepository
from pilotage.adapters.github.comparisons import compare
from pilotage.adapters.github.credentials import Credential
from pilotage.adapters.github.edits import read_edits
from pilotage.adapters.github.failures import merge_failure
from pilotage.adapters.github.paths import segment
from pilotage.adapters.github.sign_in import SignIn
from pilotage.adapters.github.teams import Teams
from pilotage.adapters.github.transport import Counts, Transport
from pilotage.clock import utc_now
from pilotage.core import forge
from pilotage.core.comparison import Answer, Span
from pilotage.core.model import BodyEdit, Sha

DEFAULT_URL = "https://api.github.com"
MOST_FILES = 3_000
PUSH_TIME = timedelta(minutes=10)


class GitHub:
    """One instance for a credential, usable from several threads.

    `timeout` is in seconds: for a write's turn, for connecting and for the answer, so that a write
    ends within three times as long. `base_url` is that of the REST API (`https://HOST/api/v3` for
    GitHub Enterprise).
    """

    def __init__(
        self,
        credential: Credential,
        *,
        base_url: str = DEFAULT_URL,
        timeout: int = 20,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._transport = Transport(base_url, timeout, clock)
        self._sign_in = SignIn(credential, self._transport)
        self._calls = Calls(self._transport, self._sign_in)
        self._teams = Teams(self._calls, clock)

    @property
    def counts(self) -> Counts:
        return self._transport.counts

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Who we are --------------------------------------------------------------------------

    def identity(self) -> str:
        """The login under which our own writes appear; asked once."""
        return self._sign_in.identity()

    def token(self, repository: str) -> SecretStr:
        """A token for git (user name `x-access-token`), good for longer than any push takes."""
        return self._sign_in.token(repository, PUSH_TIME)

    # Reading -----------------------------------------------------------------------------

    def default_branch(self, repository: str) -> str:
        what = f"reading {repository}"
        return self._in(repository).get(answers.Repository, "", what).default_branch

    def pull_request(self, repository: str, number: int) -> forge.PullRequest:
        """One request; a second one tells who closed a pull request that was not merged."""
        pull = self._in(repository).get(
            answers.Pull, f"/pulls/{number}", f"reading pull request {number}"
        )
        closed_by = None
        if pull.state == "closed" and not pull.merged:
            issue = self._in(repository).get(
                answers.Issue, f"/issues/{number}", f"asking who closed {number}"
            )
            closed_by = issue.closed_by.login if issue.closed_by else None
        return pull.value(closed_by)

    def find_pull_request(
        self, repository: str, branch: str, base: str
    ) -> forge.PullRequest | None:
        """The open pull request from our `branch` into `base`, else the newest closed one."""
        owner = repository.partition("/")[0]
        params = {
            # Without the owner GitHub ignores the filter, silently.
            "head": f"{owner}:{branch}",
            "base": base,
            "state": "all",
            "sort": "created",
            "direction": "desc",
        }
        what = f"looking for the pull request of {branch}"
        found = [
            pull
            for pull in self._in(repository).rows(answers.PullSummary, "/pulls", what, params)
            if pull.is_from(branch, base)
        ]
        if not found:
            return None
        best = next((pull for pull in found if pull.state == "open"), found[0])
        return self.pull_request(repository, best.number)

    def open_pull_requests(self, repository: str, base: str) -> tuple[forge.PullRequestBrief, ...]:
        params = {"base": base, "state": "open"}
        what = f"listing the pull requests into {base}"
        rows = self._in(repository).rows(answers.PullSummary, "/pulls", what, params)
        return tuple(pull.brief() for pull in rows)

    def reviews(self, repository: str, number: int) -> tuple[forge.Review, ...]:
        """The newest verdict of each reviewer."""
        what = f"reading the reviews of {number}"
        path = f"/pulls/{number}/reviews"
        return answers.newest_verdicts(self._in(repository).rows(answers.PullReview, path, what))

    def statuses(self, repository: str, sha: Sha) -> Mapping[str, forge.Status]:
        """The newest status of each context."""
        what = f"reading the statuses of {sha[:7]}"
        path = f"/commits/{segment(sha)}/status"
        rows = self._in(repository).rows(answers.CommitStatus, path, what, within="statuses")
        newest: dict[str, forge.Status] = {}
        for row in rows:
            newest.setdefault(row.context, row.value())
        return newest

    def comments(self, repository: str, number: int) -> tuple[forge.Comment, ...]:
        """Our own: written by us and carrying a hidden marker. Oldest first."""
        mine = self.identity()
        what = f"reading the comments of {number}"
        path = f"/issues/{number}/comments"
        comments = (
            row.value() for row in self._in(repository).rows(answers.IssueComment, path, what)
        )
        return tuple(each for each in comments if each.author == mine and each.marker is not None)

    def body_edits(
        self, repository: str, number: int, since: datetime | None = None
    ) -> tuple[BodyEdit, ...]:
        """Edits of the body at or after `since` (times have whole seconds), oldest first."""
        return read_edits(self._calls, repository, number, since)

    def pull_request_commits(
        self, repository: str, number: int
    ) -> tuple[forge.PullRequestCommit, ...]:
        """Oldest first; GitHub lists 250 at most."""
        what = f"reading the commits of {number}"
        rows = self._in(repository).rows(answers.PullCommit, f"/pulls/{number}/commits", what)
        return tuple(commit.value() for commit in rows)

    def changed_files(self, repository: str, number: int) -> forge.ChangedFiles:
        what = f"reading which files {number} changes"
        rows = list(self._in(repository).rows(answers.File, f"/pulls/{number}/files", what))
        names = {row.filename for row in rows}
        names |= {row.previous_filename for row in rows if row.previous_filename is not None}
        return forge.ChangedFiles(frozenset(names), complete=len(rows) < MOST_FILES)

    def compare(self, span: Span) -> Answer:
        """What lies between two versions. Raises nothing: why it is not known is an answer."""
        return compare(self._calls, span)

    def team_members(self, organization: str, team: str) -> frozenset[str]:
        """Logins, remembered for a few minutes."""
        return self._teams.members(organization, team)

    def permission(self, repository: str, login: str) -> Literal["admin", "write", "read", "none"]:
        """What an account may do; "none" as well for one that GitHub does not know."""
        path = f"/collaborators/{segment(login)}/permission"
        what = f"asking what {login} may do"
        try:
            return self._in(repository).get(answers.UserPermission, path, what).permission
        except errors.NotFound:
            return "none"

    def protection(self, repository: str, branch: str) -> forge.Protection:
        """Rulesets and classic protection; `known` is False when not all may be read."""
        return rules.protection(self._calls, self._sign_in, repository, branch)

    def check_access(self, repository: str) -> forge.Access:
        """What the credentials lack in this repository, for `pilotage check --live`."""
        return access.check_access(self._calls, self._sign_in, repository)

    def labels(self, repository: str) -> frozenset[str]:
        """The labels that there are; GitHub ignores the case of their names."""
        what = f"reading the labels of {repository}"
        rows = self._in(repository).rows(answers.Named, "/labels", what)
        return frozenset(row.name for row in rows)

    def text_of(self, repository: str, path: str, ref: str) -> str | None:
        """A text file at a branch or commit; None where there is none, or it is no small text."""
        named = "/".join(segment(part) for part in path.split("/"))
        what = f"reading {path} at {ref}"
        try:
            found = self._in(repository).get(
                answers.FileContent, f"/contents/{named}", what, {"ref": ref}
            )
        except errors.Renamed:
            raise
        except errors.NotFound:
            return None
        return answers.decoded(found)

    def deployment(
        self, repository: str, sha: Sha, environment: str
    ) -> forge.ForgeDeployment | None:
        """Our newest deployment of a commit; other tools record theirs beside it."""
        mine, within = self.identity(), self._in(repository)
        params = {"sha": sha, "environment": environment}
        what = f"looking for the deployment of {sha[:7]}"
        rows = within.rows(answers.Deployment, "/deployments", what, params)
        found = next((row for row in rows if answers.name_of(row.creator) == mine), None)
        if found is None:
            return None
        path, what = f"/deployments/{found.id}/statuses", "reading its state"
        states = within.rows(answers.DeploymentStatus, path, what, {"per_page": 1})
        newest = next(states, None)
        return forge.ForgeDeployment(found.id, newest.state if newest else "")

    # Writing -----------------------------------------------------------------------------

    def create_pull_request(
        self, repository: str, *, title: str, body: str, branch: str, base: str
    ) -> forge.PullRequest:
        """Open it, or answer the one that is open already from this branch.

        After `Unreachable` look with `find_pull_request` before asking again.
        """
        what = f"opening a pull request from {branch}"
        payload = {"title": title, "body": body, "head": branch, "base": base}
        try:
            pull = self._in(repository).send(answers.Pull, "POST", "/pulls", what, payload)
        except errors.Refused as refused:
            if not any("already exists" in reason for reason in refused.reasons):
                raise
            found = self.find_pull_request(repository, branch, base)
            if found is None or not found.open:
                raise
            return found
        return pull.value(None)

    def edit_pull_request(
        self, repository: str, number: int, *, title: str | None = None, body: str | None = None
    ) -> forge.PullRequest:
        payload = {"title": title, "body": body}
        changed = {key: value for key, value in payload.items() if value is not None}
        return self._patch_pull(repository, number, f"editing pull request {number}", changed)

    def close_pull_request(self, repository: str, number: int) -> forge.PullRequest:
        """Closing what is closed changes nothing."""
        what = f"closing pull request {number}"
        return self._patch_pull(repository, number, what, {"state": "closed"})

    def merge_pull_request(
        self,
        repository: str,
        number: int,
        sha: Sha,
        method: Literal["merge", "squash", "rebase"],
        *,
        title: str | None = None,
        message: str | None = None,
    ) -> Sha:
        """Merge exactly `sha`, and answer the commit on the base branch.

        Raises Moved (the head is another commit), BaseModified (try again) and NotMergeable.
        """
        given = {"commit_title": title, "commit_message": message}
        payload = {"sha": sha, "merge_method": method}
        payload |= {key: value for key, value in given.items() if value is not None}
        path, what = f"/pulls/{number}/merge", f"merging pull request {number}"
        try:
            return self._in(repository).send(answers.Merged, "PUT", path, what, payload).sha
        except errors.Refused as refused:
            failure = merge_failure(refused)
        raise failure

    def add_labels(self, repository: str, number: int, labels: Iterable[str]) -> None:
        """One request; a label that does not exist yet is created by GitHub."""
        payload = {"labels": sorted(labels)}
        self._in(repository).do("POST", f"/issues/{number}/labels", f"labelling {number}", payload)

    def add_assignees(self, repository: str, number: int, logins: Iterable[str]) -> frozenset[str]:
        """Who is assigned now: GitHub silently leaves out whoever cannot be."""
        payload = {"assignees": sorted(logins)}
        path, what = f"/issues/{number}/assignees", f"assigning people to {number}"
        issue = self._in(repository).send(answers.IssueWithAssignees, "POST", path, what, payload)
        return frozenset(user.login for user in issue.assignees)

    def request_reviewers(
        self,
        repository: str,
        number: int,
        *,
        author: str,
        reviewers: Iterable[str] = (),
        teams: Iterable[str] = (),
    ) -> None:
        """One request, or none when only the author, who may not review, is left."""
        people = sorted(login for login in reviewers if login.lower() != author.lower())
        payload = {"reviewers": people, "team_reviewers": sorted(teams)}
        if any(payload.values()):
            path = f"/pulls/{number}/requested_reviewers"
            self._in(repository).do("POST", path, f"asking for reviews of {number}", payload)

    def set_status(self, repository: str, sha: Sha, context: str, status: forge.Status) -> None:
        payload = {"state": status.state.value, "context": context}
        payload["description"] = status.description
        if status.url is not None:
            payload["target_url"] = status.url
        what = f"setting {context} on {sha[:7]}"
        self._in(repository).do("POST", f"/statuses/{segment(sha)}", what, payload)

    def create_comment(self, repository: str, number: int, body: str) -> forge.Comment:
        path, what = f"/issues/{number}/comments", f"commenting on {number}"
        made = self._in(repository).send(answers.IssueComment, "POST", path, what, {"body": body})
        return made.value()

    def edit_comment(self, repository: str, comment: int, body: str) -> forge.Comment:
        path, what = f"/issues/comments/{comment}", f"editing comment {comment}"
        made = self._in(repository).send(answers.IssueComment, "PATCH", path, what, {"body": body})
        return made.value()

    def delete_comment(self, repository: str, comment: int) -> None:
        """Deleting what is gone changes nothing."""
        path, what = f"/issues/comments/{comment}", f"deleting comment {comment}"
        try:
            self._in(repository).do("DELETE", path, what)
        except errors.Renamed:
            raise
        except errors.NotFound:
            return

    def react(self, repository: str, comment: int, content: Literal["+1", "-1", "eyes"]) -> None:
        """Doing it again changes nothing."""
        path, what = f"/issues/comments/{comment}/reactions", f"reacting to comment {comment}"
        self._in(repository).do("POST", path, what, {"content": content})

    def create_deployment(
        self,
        repository: str,
        sha: Sha,
        environment: str,
        *,
        production: bool,
        description: str = "",
    ) -> forge.ForgeDeployment:
        """Record it as it is: no merging of branches, no waiting for anybody's checks."""
        payload = {
            "ref": sha,
            "environment": environment,
            "description": description[: forge.DESCRIPTION_LIMIT],
            "auto_merge": False,
            "required_contexts": [],
            "production_environment": production,
        }
        what = f"recording the deployment of {sha[:7]}"
        made = self._in(repository).send(answers.Deployment, "POST", "/deployments", what, payload)
        return forge.ForgeDeployment(made.id, "")

    def set_deployment_state(
        self,
        repository: str,
        deployment: int,
        state: Literal["in_progress", "success", "failure", "inactive"],
        *,
        description: str = "",
    ) -> None:
        payload = {"state": state, "description": description[: forge.DESCRIPTION_LIMIT]}
        path = f"/deployments/{deployment}/statuses"
        self._in(repository).do("POST", path, f"recording that it is {state}", payload)

    # ---------------------------------------------------------------------------------------

    def _in(self, repository: str) -> InRepository:
        return InRepository(self._calls, repository)

    def _patch_pull(
        self, repository: str, number: int, what: str, changed: Mapping[str, object]
    ) -> forge.PullRequest:
        path = f"/pulls/{number}"
        return self._in(repository).send(answers.Pull, "PATCH", path, what, changed).value(None)
