"""Names as parts of an address: nothing in them can leave its place."""

from __future__ import annotations

from urllib.parse import quote


def segment(value: str) -> str:
    """A name as one segment of a path. Raises ValueError for what is none."""
    if value in ("", ".", ".."):
        raise ValueError(f"not a name: {value!r}")
    return quote(value, safe="")


def repository_path(repository: str) -> str:
    """`/repos/owner/name`. Raises ValueError for anything else."""
    owner, slash, name = repository.partition("/")
    if not slash or "/" in name:
        raise ValueError(f"not a repository, expected owner/name: {repository!r}")
    return f"/repos/{segment(owner)}/{segment(name)}"
