"""The application's own repository: the pull requests and tags that its versions are made of."""

from __future__ import annotations

from collections.abc import Iterable

from pilotage.core.comparison import Span
from pilotage.sandbox.github import GitHub, MergeMethod, Repository

_WORK = {
    "api": (
        "Answer a search from the index",
        "Refuse an upload that is too large before it is read",
        "Say which field of a study is missing",
    ),
    "web": (
        "Show who screened a study",
        "Keep the filters when a page is left",
        "Tell screen readers of the progress",
    ),
}
_ANYTHING = ("Renew the dependencies",)


def tag(repository: Repository, names: Iterable[str]) -> None:
    """Tags that are missing, on the newest commit; what cannot be a tag is left out."""
    head = repository.git.branch(repository.default_branch)
    known = repository.git.refs("refs/tags/")
    lines = [
        f"create refs/tags/{name} {head}\n"
        for name in names
        if f"refs/tags/{name}" not in known and Span("", name, name).unaskable is None
    ]
    if lines:
        repository.git.run("update-ref", "--stdin", stdin="".join(lines).encode())


def develop(github: GitHub, repository: Repository, service: str, version: str) -> None:
    """One pull request by li, squashed by maria, and a small commit by sam, tagged."""
    count = len(repository.pulls)
    work = _WORK.get(service, _ANYTHING)
    title = work[count % len(work)]
    branch = f"{service}-{count + 1}"
    file = f"{service}/{branch}.md"
    github.commit(repository, branch, {file: f"{title}\n"}, title, "li")
    pull = github.open_pull_request_as("li", repository, branch, title)
    github.merge(pull, "maria", MergeMethod.SQUASH)
    notes = {f"{service}/VERSION": f"{version}\n"}
    github.commit(repository, repository.default_branch, notes, f"Prepare {version}", "sam")
    tag(repository, [version])
