"""Who edited a pull request's body, and when. Only GraphQL tells; REST has no such list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise

from pydantic import Field

from pilotage.adapters.github.answers import Answer, Time, read
from pilotage.adapters.github.calls import Calls
from pilotage.adapters.github.errors import NotFound
from pilotage.adapters.github.paths import repository_path
from pilotage.core.model import BodyEdit

MOST_PAGES = 10
QUERY = """\
query ($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      userContentEdits(first: 100, after: $after) {
        nodes { editor { __typename login } editedAt diff }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""


class _Editor(Answer):
    typename: str = Field(default="User", alias="__typename")
    login: str

    @property
    def name(self) -> str:
        """REST says `app[bot]` where GraphQL says `app`; one name for one account."""
        bare = self.typename != "Bot" or self.login.endswith("[bot]")
        return self.login if bare else f"{self.login}[bot]"


class _Edit(Answer):
    editor: _Editor | None
    editedAt: Time  # noqa: N815 (GitHub's name)
    diff: str | None


class _PageInfo(Answer):
    hasNextPage: bool  # noqa: N815
    endCursor: str | None  # noqa: N815


class _Edits(Answer):
    nodes: list[_Edit]
    pageInfo: _PageInfo  # noqa: N815


class _PullRequest(Answer):
    userContentEdits: _Edits  # noqa: N815


class _Repository(Answer):
    pullRequest: _PullRequest | None  # noqa: N815


class _Data(Answer):
    repository: _Repository | None


def read_edits(
    calls: Calls, repository: str, number: int, since: datetime | None
) -> tuple[BodyEdit, ...]:
    """Edits at or after `since`, oldest first; `after` is the text that the edit left.

    GitHub lists the newest first and calls the whole text `diff`. Left out is an edit whose text
    somebody deleted from the history, and one whose editor is no more: nobody can be named for it.
    """
    nodes: list[_Edit] = []
    for page in _pages(calls, repository, number):
        nodes += page
        newest_first = bool(page) and page[0].editedAt >= page[-1].editedAt
        if since is not None and newest_first and page[-1].editedAt < since:
            break
    edits = _oldest_first(nodes)
    found = [
        BodyEdit(
            pull_request=number,
            editor=edit.editor.name,
            at=edit.editedAt,
            before=former.diff if former else None,
            after=edit.diff,
        )
        for former, edit in pairwise((None, *edits))
        if edit is not None and edit.diff is not None and edit.editor is not None
    ]
    return tuple(edit for edit in found if since is None or edit.at >= since)


def _oldest_first(nodes: Iterable[_Edit]) -> list[_Edit]:
    listed = list(nodes)
    if listed and listed[0].editedAt >= listed[-1].editedAt:
        listed.reverse()  # several edits within a second stay in their order
    return sorted(listed, key=lambda edit: edit.editedAt)


def _pages(calls: Calls, repository: str, number: int) -> Iterator[list[_Edit]]:
    repository_path(repository)  # the name is checked
    owner, _, name = repository.partition("/")
    variables: dict[str, object] = {"owner": owner, "name": name, "number": number, "after": None}
    what = f"reading the edits of pull request {number}"
    for _ in range(MOST_PAGES):
        data = read(_Data, calls.query(repository, what, QUERY, variables), what, "POST /graphql")
        pull = data.repository.pullRequest if data.repository else None
        if pull is None:
            step = "Check the number, and that the credentials may see the repository."
            raise NotFound(what, "POST /graphql", "there is no such pull request", step)
        yield pull.userContentEdits.nodes
        info = pull.userContentEdits.pageInfo
        if not info.hasNextPage or info.endCursor is None:
            return
        variables["after"] = info.endCursor
