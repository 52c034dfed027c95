"""Does each act once: looks whether it is done, does it, and says what came of it.

A result of type `Outrun` or `Refused` ends an act as well; what is raised leaves it to be tried
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, assert_never

import structlog

from pilotage.adapters import argocd
from pilotage.adapters import git as git_adapter
from pilotage.adapters.git import (
    Conflict,
    Identity,
    Protected,
    PushRefused,
    RemoteError,
    UnknownCommit,
)
from pilotage.adapters.github import BaseModified, Forbidden, GitHub, Moved, NotFound, NotMergeable
from pilotage.adapters.github import Conflict as GitHubConflict
from pilotage.adapters.github import Refused as GitHubRefused
from pilotage.adapters.messages import MessageError
from pilotage.core.acts import (
    Act,
    AnswerComment,
    ClosePullRequest,
    CommitBranch,
    Committed,
    Done,
    Notify,
    Opened,
    OpenPullRequest,
    Outrun,
    Refused,
    Result,
    ReverseMerge,
    RevertCommit,
    Reverted,
    SyncApplication,
    TerminateOperation,
    WriteFiles,
)
from pilotage.core.application import Application, ApplicationRef, CannotSee
from pilotage.core.forge import READY, Status, StatusState, hidden
from pilotage.core.markdown import escape
from pilotage.core.model import Sha
from pilotage.core.outputs import Outputs
from pilotage.core.prose import clipped
from pilotage.engine.outside import Outside, Repository
from pilotage.rendering import render_body

log = structlog.get_logger()

_SAID = 300
"""Characters of what a server said that are kept."""
_METHODS: tuple[Literal["merge", "squash", "rebase"], ...] = ("merge", "squash", "rebase")
_METHOD_REFUSED = "are not allowed on this repository"
"""GitHub, of a merge method."""


class NotYet(Exception):
    """The act stays pending: nothing was done, or whether it was is looked up next time."""


class Performer:
    """Performs the acts of one target's decision."""

    def __init__(self, outside: Outside, repository: Repository, own: str, server: str) -> None:
        self._outside = outside
        self._repository = repository
        self._identity = Identity(own, f"{own}@users.noreply.github.com")
        self._own = own
        self._server = server

    @property
    def _github(self) -> GitHub:
        return self._outside.github

    def perform(self, act: Act, outputs: Sequence[Outputs]) -> Result:
        """Raises GitHubError, RemoteError or NotYet when it may be tried again."""
        match act:
            case CommitBranch():
                return self._commit_branch(act)
            case OpenPullRequest():
                return self._open(act, outputs)
            case ClosePullRequest():
                return self._close(act)
            case RevertCommit():
                return self._revert(act)
            case SyncApplication() | TerminateOperation():
                return self._argocd(act)
            case Notify():
                return self._notify(act)
            case AnswerComment():
                return self._answer(act)
            case _ as never:
                assert_never(never)

    def _written(
        self, base: Sha, files: dict[str, bytes | None], message: str, at: datetime
    ) -> Sha:
        """The recorded date makes a retry the same commit."""
        try:
            return self._repository.trees.git.write_commit(
                base,
                files,
                message=message,
                author=self._identity,
                committer=self._identity,
                when=at,
            )
        except UnknownCommit as unknown:
            # Another replica recorded the act, and this one has not fetched since.
            self._repository.trees.forget_fetch()
            raise NotYet(str(unknown)) from None

    def _commit_branch(self, act: CommitBranch) -> Result:
        files: dict[str, bytes | None] = {path: text.encode() for path, text in act.files.items()}
        git = self._repository.trees.git
        sha = self._written(act.base, files, act.message, act.at)
        try:
            git.push(sha, act.branch, act.expected, may_rewrite=True)
        except git_adapter.LeaseLost as lost:
            return Outrun(f"{act.branch} is at {lost.actual or 'nothing'}, not where it was")
        except Protected as refused:
            return Refused(f"{act.branch} may not be written: {refused}")
        except PushRefused as refused:
            return Refused(str(refused))
        return Committed(sha)

    def _open(self, act: OpenPullRequest, outputs: Sequence[Outputs]) -> Result:
        name = self._repository.name
        found = self._github.find_pull_request(name, act.branch, act.base_branch)
        if found is not None and found.author == self._own and hidden(act.marker) in found.body:
            return Opened(found.number, found.url)
        if found is not None and found.open:
            return Outrun(f"#{found.number} by {found.author} is open from {act.branch}")
        page = next((each.body for each in outputs if each.promotion == act.promotion), None)
        if page is None:
            raise NotYet("its body is not decided yet")
        try:
            made = self._github.create_pull_request(
                name,
                title=act.title,
                body=render_body(page),
                branch=act.branch,
                base=act.base_branch,
            )
        except GitHubRefused as refused:
            return Refused(str(refused))
        if hidden(act.marker) not in made.body:
            return Outrun(f"#{made.number} by {made.author} is open from {act.branch}")
        return Opened(made.number, made.url)

    def _close(self, act: ClosePullRequest) -> Result:
        current = self._github.pull_request(self._repository.name, act.number)
        if current.open:
            self._say_once(act.number, act.comment, f"closed:{act.promotion}")
            self._github.close_pull_request(self._repository.name, act.number)
        return Done()

    def _say_once(self, number: int, text: str, name: str) -> None:
        """A comment that a retry finds by its hidden marker."""
        marker = hidden(name)
        known = self._github.comments(self._repository.name, number)
        if not any(marker in comment.body for comment in known):
            self._github.create_comment(self._repository.name, number, f"{text}\n\n{marker}")

    def _revert_written(self, act: RevertCommit) -> Sha | Outrun:
        match act.contents:
            case WriteFiles(files=files):
                contents: dict[str, bytes | None] = {
                    path: text.encode() if text is not None else None
                    for path, text in files.items()
                }
                return self._written(act.base, contents, act.message, act.at)
            case ReverseMerge() as reverse:
                return self._reverse_written(act, reverse)
            case _ as never:
                assert_never(never)

    def _reverse_written(self, act: RevertCommit, reverse: ReverseMerge) -> Sha | Outrun:
        """Made anew from the same commits: the store that decided may have been another one."""
        git = self._repository.trees.git
        try:
            tree = git.revert_tree(reverse.merge, reverse.parent, act.base)
            if isinstance(tree, Conflict) or tree != reverse.tree:
                return Outrun(f"the reverse of {reverse.merge[:7]} is another one here")
            return git.write_commit_of_tree(
                act.base,
                tree,
                message=act.message,
                author=self._identity,
                committer=self._identity,
                when=act.at,
            )
        except UnknownCommit as unknown:
            self._repository.trees.forget_fetch()
            raise NotYet(str(unknown)) from None

    def _revert(self, act: RevertCommit) -> Result:
        """Side branch, `pilotage/ready` there, then the same commit fast-forward to the base."""
        git = self._repository.trees.git
        sha = self._revert_written(act)
        if isinstance(sha, Outrun):
            return sha
        git.fetch()
        head = git.head(act.base_branch)
        if head is not None and _contains(git, sha, head):
            self._tidy(act.side_branch, sha)
            return Reverted(sha)
        if head != act.base:
            return Outrun(f"{act.base_branch} has moved on from {act.base[:7]}")
        if git.head(act.side_branch) != sha:
            try:
                git.push(sha, act.side_branch, git.head(act.side_branch), may_rewrite=True)
            except PushRefused as refused:
                return Refused(_refusal(refused))
        ready = Status(StatusState.SUCCESS, "puts back what was live before")
        self._github.set_status(self._repository.name, sha, READY, ready)
        if act.by_pull_request:
            return self._revert_request(act, sha, "the policy asks for a pull request")
        try:
            git.push(sha, act.base_branch, act.base)
        except git_adapter.LeaseLost:
            self._tidy(act.side_branch, sha)
            return Outrun(f"{act.base_branch} has moved on from {act.base[:7]}")
        except PushRefused as refused:
            return self._revert_request(act, sha, _refusal(refused))
        self._tidy(act.side_branch, sha)
        return Reverted(sha)

    def _tidy(self, side_branch: str, sha: Sha) -> None:
        """A side branch that is left behind harms nobody: what matters is on the base branch."""
        git = self._repository.trees.git
        try:
            if git.head(side_branch) == sha:
                git.delete_branch(side_branch, sha)
        except RemoteError as error:
            log.info("the side branch stays", branch=side_branch, reason=str(error))

    def _revert_request(self, act: RevertCommit, sha: Sha, why: str) -> Result:
        """A revert pull request, merged at once where the rules allow that."""
        name = self._repository.name
        found = self._github.find_pull_request(name, act.side_branch, act.base_branch)
        if found is not None and found.merged and found.head != sha:
            found = None  # somebody's, of other contents
        made = found or self._github.create_pull_request(
            name,
            title=act.title,
            body=revert_body(act.message, act.promotion),
            branch=act.side_branch,
            base=act.base_branch,
        )
        if made.merged and made.merge_commit is not None:
            return Reverted(made.merge_commit, made.number, made.url)
        try:
            merged = self._merged(act, made.number, sha)
        except (Moved, BaseModified) as moved:
            raise NotYet(str(moved)) from None
        except (NotMergeable, Forbidden, GitHubRefused, GitHubConflict) as refused:
            said = clipped(f"the merge was refused: {refused}", _SAID)
            return Reverted(None, made.number, made.url, f"{why}; {said}")
        self._tidy(act.side_branch, sha)
        return Reverted(merged, made.number, made.url)

    def _merged(self, act: RevertCommit, number: int, sha: Sha) -> Sha:
        """By a merge commit, or else as the rules have it: of one commit, all three are the same
        change. Raises the refusal that is not about the method, if there is one."""
        refusals = []
        _, _, text = act.message.partition("\n\n")
        for method in _METHODS:
            title, message = (act.title, text) if method == "squash" else (None, None)
            try:
                return self._github.merge_pull_request(
                    self._repository.name, number, sha, method, title=title, message=message
                )
            except NotMergeable as refused:
                refusals.append(refused)
        others = [each for each in refusals if _METHOD_REFUSED not in str(each)]
        raise (others or refusals)[0]

    def _argocd(self, act: SyncApplication | TerminateOperation) -> Result:
        server = self._outside.argocd.get(self._server)
        if server is None:
            return Refused(f"the settings know no Argo CD named {self._server}")
        ref = _reference(server, act.application)
        if isinstance(ref, CannotSee):
            raise NotYet(ref.reason)
        if ref is None:
            return Outrun(f"{act.application} is not there")
        if isinstance(act, TerminateOperation):
            look = server.get(ref)
            application = look.application
            if not isinstance(application, Application):
                raise NotYet("the application cannot be read")
            running = application.operation
            if running is None or not running.phase.live or running.identity != act.operation:
                return Outrun("that operation is over")
            written = server.terminate(ref)
        else:
            written = server.sync(ref, infos={"pilotage": act.key})
        match written:
            case argocd.Done():
                return Done()
            case argocd.Refused(message=message):
                return Refused(message)
            case CannotSee(reason=reason):
                raise NotYet(reason)

    def _notify(self, act: Notify) -> Result:
        try:
            self._outside.messages.send(act)
        except MessageError as error:
            if error.final:
                return Refused(str(error))
            raise NotYet(str(error)) from None
        return Done()

    def _answer(self, act: AnswerComment) -> Result:
        name = self._repository.name
        try:
            self._github.react(name, act.comment, act.reaction)
            if act.reply:
                self._say_once(act.number, act.reply, f"answer:{act.comment}{act.part}")
        except NotFound:
            return Outrun("the comment is gone")
        return Done()


def revert_body(message: str, promotion: str) -> str:
    """The commit's message as Markdown: what the cluster or a person said in it is only text."""
    lines = [escape(line, 1_000) for line in message.splitlines()]
    return "\n".join((*lines, hidden(f"revert:{promotion}")))


def _refusal(refused: PushRefused) -> str:
    """Which branch and which rule: what a person needs who has to mend either."""
    return clipped(f"the push to {refused.branch} was refused: {refused.message}", _SAID)


def _contains(git: git_adapter.GitStore, sha: Sha, head: Sha) -> bool:
    found = git.relation(sha, head)
    return found in (git_adapter.Relation.SAME, git_adapter.Relation.DESCENDANT)


def _reference(server: argocd.ArgoCD, name: str) -> ApplicationRef | CannotSee | None:
    names = server.names()
    if isinstance(names, CannotSee):
        return names
    return next((found for found in names if found.name == name), None)
