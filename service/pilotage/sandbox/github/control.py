"""The stand-in as the demo and the tests hold it: a world to set up and people to act in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

from pilotage.clock import utc_now
from pilotage.sandbox.github import (
    apps,
    boxes,
    branches,
    ci,
    conversation,
    merge_queue,
    pulls,
    records,
    repositories,
    rules,
)
from pilotage.sandbox.github.errors import Refused
from pilotage.sandbox.github.events import ALL_EVENTS, ping
from pilotage.sandbox.github.faults import Faults, Limits, RequestLog
from pilotage.sandbox.github.model import (
    Account,
    App,
    CheckRun,
    Comment,
    Credential,
    Deployment,
    Hook,
    Installation,
    MergeMethod,
    Permission,
    Protection,
    ProtectionKind,
    PullRequest,
    Repository,
    RequiredContext,
    Review,
    Status,
    Team,
    WorkflowRun,
)
from pilotage.sandbox.github.state import State
from pilotage.sandbox.github.webhooks import Webhooks


class GitHub:
    """A GitHub of one's own. Thread-safe; git lives in bare repositories below `root`.

    Acts take a login as `by` and raise `Refused` where github.com refuses that person.
    Pull requests are handed around as live `PullRequest` records.
    """

    def __init__(
        self,
        root: Path,
        *,
        clock: Callable[[], datetime] = utc_now,
        limits: Limits | None = None,
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.state = State(root, clock, limits or Limits())

    @property
    def url(self) -> str:
        """Where it is served: pages here, REST below `/api/v3`, git at `/owner/name.git`."""
        return self.state.base_url

    @property
    def api_url(self) -> str:
        """What PyGithub takes as `base_url`."""
        return self.state.api

    @property
    def faults(self) -> Faults:
        return self.state.faults

    @property
    def requests(self) -> RequestLog:
        return self.state.requests

    @property
    def webhooks(self) -> Webhooks:
        return self.state.webhooks

    def served_at(self, url: str) -> None:
        """Called by the server: from now on all addresses in answers begin so."""
        self.state.base_url = url

    def stop(self) -> None:
        """End the webhooks' worker. What is queued is not sent."""
        self.state.webhooks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Setting up --------------------------------------------------------------------------

    def create_user(self, login: str, name: str = "", *, machine: bool = False) -> Account:
        """The account, made if there is none. Nobody can be a `machine` on the pages."""
        account = self.state.add_account(login, "User", name)
        account.machine = account.machine or machine
        return account

    def create_organization(self, login: str, members: Iterable[str] = ()) -> Account:
        account = self.state.add_account(login, "Organization")
        held = self.state.members.setdefault(login.lower(), set())
        held.update(member.lower() for member in members)
        return account

    def create_team(
        self, organization: str, slug: str, members: Iterable[str], name: str = ""
    ) -> Team:
        """Its members become members of the organisation, and accounts if they are none."""
        with self.state.lock:
            people = [self.create_user(login).login.lower() for login in members]
            self.create_organization(organization, people)
            made = Team(self.state.next_id(), organization, slug, name or slug, set(people))
            self.state.teams[organization.lower(), slug] = made
            return made

    def token_for(self, login: str) -> str:
        """A new personal token."""
        return self.state.new_token(self.state.account(login)).token

    def create_repository(
        self,
        owner: str,
        name: str,
        files: Mapping[str, str] | None = None,
        *,
        collaborators: Mapping[str, Permission] | None = None,
        teams: Mapping[str, Permission] | None = None,
    ) -> Repository:
        """A repository with one commit of `files`, if there are any. An owner that does not
        exist becomes an organisation."""
        with self.state.lock:
            account = self.state.accounts.get(owner.lower()) or self.create_organization(owner)
            repo = repositories.create(
                self.state,
                account,
                name,
                collaborators=collaborators or {},
                teams=teams or {},
            )
            if files:
                self.commit(repo, repo.default_branch, files, "Initial commit", account.login)
            return repo

    def add_webhook(
        self,
        repo: Repository,
        url: str,
        secret: str,
        events: Sequence[str] = ALL_EVENTS,
        installation: Installation | None = None,
    ) -> Hook:
        """Also sends the `ping` that github.com sends first. With an `installation` it is the
        webhook of that App, whose events name it."""
        with self.state.lock:
            number = installation.id if installation else None
            hook = Hook(self.state.next_id(), url, secret, frozenset(events), number)
            repo.hooks.append(hook)
            self.state.webhooks.send(hook, "ping", ping(self.state, repo, hook))
            return hook

    def protect(
        self,
        repo: Repository,
        branch: str = "main",
        required_contexts: Sequence[str | RequiredContext] = (),
        *,
        bypass: Iterable[str] = (),
        strict: bool = False,
        pull_request: bool = False,
        approvals: int = 0,
        enforce_admins: bool = True,
        kind: ProtectionKind = ProtectionKind.CLASSIC,
    ) -> Protection:
        """Replace the branch's protection. `pull_request` (implied by `approvals`): changes come
        by pull request only. `bypass` names accounts that may pass. A ruleset is what
        `rules/branches/{branch}` lists; classic protection is read by administrators only."""
        with self.state.lock:
            return repositories.protect(
                self.state,
                repo,
                branch,
                required_contexts,
                bypass=bypass,
                strict=strict,
                pull_request=pull_request,
                approvals=approvals,
                enforce_admins=enforce_admins,
                kind=kind,
            )

    def unprotect(self, repo: Repository, branch: str = "main") -> None:
        repo.protections.pop(branch, None)

    def register_app(self, slug: str, public_key: str, owner: str) -> App:
        """`public_key` (PEM) checks the JWTs of the App."""
        with self.state.lock:
            account = self.state.accounts.get(owner.lower()) or self.create_organization(owner)
            return apps.register(self.state, slug, public_key, account)

    def install_app(
        self, app: App, owner: str, repositories: Iterable[Repository], reads_members: bool = True
    ) -> Installation:
        with self.state.lock:
            account = self.state.account(owner)
            return apps.install(self.state, app, account, repositories, reads_members)

    # People and CI at work ---------------------------------------------------------------

    def repository(self, full_name: str) -> Repository:
        return self.state.repository(full_name)

    def clone_url(self, repo: Repository) -> str:
        return f"{self.url}/{repo.full_name}.git"

    def pull(self, repo: Repository, number: int) -> PullRequest:
        return repo.pulls[number]

    def commit(
        self,
        repo: Repository,
        branch: str,
        files: Mapping[str, str | None],
        message: str,
        author: str,
        *,
        parent: str | None = None,
        force: bool = False,
    ) -> str:
        """Write files (None removes) on top of the branch, or of `parent`, and move the branch
        there, past any protection. A branch that is missing starts at `parent`, or at the
        default branch. Without `force` a `parent` that the branch has left behind is refused
        as git refuses it."""
        contents = {path: None if text is None else text.encode() for path, text in files.items()}
        with self.state.lock:
            return branches.commit_files(
                self.state,
                repo,
                branch,
                contents,
                message,
                self.create_user(author),
                parent=parent,
                force=force,
            )

    def delete_branch(self, repo: Repository, branch: str, by: str) -> None:
        with self.state.lock:
            tip = repo.git.branch(branch)
            if tip is None:
                raise Refused(422, "Reference does not exist")
            account = self.state.account(by)
            branches.move(self.state, repo, f"refs/heads/{branch}", None, tip, account)

    def file(self, repo: Repository, path: str, revision: str = "") -> str:
        """The text of a file on the default branch, or at a revision. Raises KeyError."""
        sha = repo.git.resolve(revision or repo.default_branch)
        entries = repo.git.tree(sha, path) if sha else []
        if not entries or entries[0].type != "blob":
            raise KeyError(path)
        return repo.git.blob(entries[0].sha).decode()

    def open_pull_request_as(
        self, by: str, repo: Repository, head: str, title: str, body: str = "", base: str = ""
    ) -> PullRequest:
        with self.state.lock:
            return pulls.open_pull(
                self.state,
                repo,
                self.state.account(by),
                head=head,
                base=base or repo.default_branch,
                title=title,
                body=body,
            )

    def edit_body(self, pull: PullRequest, body: str, by: str) -> None:
        with self.state.lock:
            pulls.edit(self.state, pull, self.state.account(by), body=body)

    def tick(self, pull: PullRequest, item: str, by: str, checked: bool = True) -> None:
        """Tick (or untick) the box of the line that carries `<!-- item:ITEM -->` or else contains
        the text. Raises KeyError if there is no such box."""
        with self.state.lock:
            line = boxes.find_box(pull.body, item)
            self.edit_body(pull, boxes.with_box(pull.body, line, checked), by)

    def comment(self, pull: PullRequest, text: str, by: str) -> Comment:
        with self.state.lock:
            return conversation.comment(self.state, pull, self.state.account(by), text)

    def label(self, pull: PullRequest, names: Sequence[str], by: str) -> None:
        with self.state.lock:
            conversation.add_labels(self.state, pull, self.state.account(by), names)

    def approve(self, pull: PullRequest, by: str) -> Review:
        with self.state.lock:
            return conversation.review(self.state, pull, self.state.account(by), "APPROVE")

    def merge(
        self,
        pull: PullRequest,
        by: str,
        method: MergeMethod | str = MergeMethod.MERGE,
        *,
        bypass: bool = False,
    ) -> str:
        """Merge as the button does and answer the SHA. `bypass`: "merge without waiting"."""
        wanted = pulls.MergeRequest(method=MergeMethod(method), bypass=bypass)
        with self.state.lock:
            return pulls.merge(self.state, pull, self.state.account(by), wanted)

    def close(self, pull: PullRequest, by: str) -> None:
        with self.state.lock:
            pulls.close(self.state, pull, self.state.account(by))

    def reopen(self, pull: PullRequest, by: str) -> None:
        with self.state.lock:
            pulls.reopen(self.state, pull, self.state.account(by))

    def status(
        self, repo: Repository, sha: str, context: str, state: str, by: str, description: str = ""
    ) -> Status:
        wanted = records.NewStatus(state, context, description)
        with self.state.lock:
            credential = Credential("", self.state.account(by))
            return records.create_status(self.state, repo, sha, credential, wanted)

    def statuses(self, repo: Repository, sha: str) -> dict[str, Status]:
        """The newest status of each context."""
        with self.state.lock:
            return rules.latest_statuses(repo, sha)

    def deployment_status(
        self,
        repo: Repository,
        sha: str,
        environment: str,
        state: str,
        *,
        by: str,
        ref: str | None = None,
        payload: object = "",
    ) -> Deployment:
        """CI says how a deployment goes. `ref` is what was asked for (a branch, a tag), `sha` what
        runs."""
        wanted = records.NewDeployment(
            ref=sha,
            environment=environment,
            payload=payload,
            required_contexts=(),
            auto_merge=False,
        )
        said = records.NewDeploymentStatus(state)
        with self.state.lock:
            account = self.state.account(by)
            return ci.report_deployment(self.state, repo, account, wanted, said, ref or sha)

    def workflow_run(
        self,
        repo: Repository,
        name: str,
        sha: str,
        conclusion: str | None = "success",
        *,
        by: str,
        path: str = ".github/workflows/ci.yml",
    ) -> WorkflowRun:
        """A run of a workflow: asked for, and over if there is a `conclusion`."""
        with self.state.lock:
            workflow = ci.Workflow(name, path, repo.default_branch, "push")
            run = ci.start_run(self.state, repo, self.create_user(by), sha, workflow)
            if conclusion is not None:
                ci.finish_run(self.state, repo, run, conclusion)
            return run

    def check_run(
        self, repo: Repository, sha: str, name: str, conclusion: str | None = "success"
    ) -> CheckRun:
        """As GitHub Actions says it; pending without a `conclusion`."""
        with self.state.lock:
            return ci.report_check(self.state, repo, sha, name, conclusion)

    def rerun_workflow(self, repo: Repository, run: WorkflowRun, conclusion: str | None) -> None:
        """The same run once more: its id stays, the attempt counts up."""
        with self.state.lock:
            ci.rerun(self.state, repo, run)
            if conclusion is not None:
                ci.finish_run(self.state, repo, run, conclusion)

    def enqueue(self, pull: PullRequest, by: str, method: str = "merge") -> str:
        """Into the merge queue. The required contexts are wanted on the SHA answered here."""
        with self.state.lock:
            account = self.state.account(by)
            return merge_queue.enqueue(self.state, pull, account, MergeMethod(method))

    def settle_queue(self, pull: PullRequest, by: str) -> bool:
        """Let the queue look at the checks: True if it has merged."""
        with self.state.lock:
            return merge_queue.settle(self.state, pull, self.state.account(by))
