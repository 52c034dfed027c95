"""REST: git's refs, commits, trees and blobs; commits, comparisons and file contents."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Literal

from fastapi.responses import JSONResponse
from pydantic import Field

from pilotage.sandbox.github import branches, pulls, render, render_commits, writing
from pilotage.sandbox.github.bare import Entry, Person
from pilotage.sandbox.github.call import AskingRepository, Body, LockedRouter, RepositoryCall
from pilotage.sandbox.github.errors import Refused, not_found
from pilotage.sandbox.github.model import Permission
from pilotage.sandbox.github.render import Json

router = LockedRouter(prefix="/repos/{owner}/{repo}")

# Refs ------------------------------------------------------------------------------------


def _ref(call: RepositoryCall, ref: str, sha: str) -> Json:
    url = render.repository_url(call.state, call.repo)
    kind = call.repo.git.object_type(sha) or "commit"
    return {
        "ref": ref,
        "node_id": base64.b64encode(ref.encode()).decode(),
        "url": f"{url}/git/{ref}",
        "object": {"type": kind, "sha": sha, "url": f"{url}/git/{kind}s/{sha}"},
    }


@router.get("/git/ref/{ref:path}")
def get_ref(call: AskingRepository, ref: str) -> Json:
    sha = call.repo.git.ref(f"refs/{ref}")
    if sha is None:
        raise not_found()
    return _ref(call, f"refs/{ref}", sha)


@router.get("/git/matching-refs/{ref:path}")
def matching_refs(call: AskingRepository, ref: str) -> JSONResponse:
    found = call.repo.git.refs(f"refs/{ref}")
    return call.page(found.items(), lambda pair: _ref(call, *pair))


class NewRef(Body):
    ref: str
    sha: str


@router.post("/git/refs", status_code=201)
def create_ref(call: AskingRepository, new: NewRef) -> Json:
    call.require(Permission.WRITE)
    branches.create_branch(call.state, call.repo, new.ref, new.sha, call.by)
    return _ref(call, new.ref, new.sha)


class MovedRef(Body):
    sha: str
    force: bool = False


@router.patch("/git/refs/{ref:path}")
def update_ref(call: AskingRepository, ref: str, new: MovedRef) -> Json:
    writing.move_ref(call.state, call.repo, f"refs/{ref}", new.sha, call.by, force=new.force)
    return _ref(call, f"refs/{ref}", new.sha)


@router.delete("/git/refs/{ref:path}", status_code=204)
def delete_ref(call: AskingRepository, ref: str) -> None:
    writing.delete_ref(call.state, call.repo, f"refs/{ref}", call.by)


# Objects ---------------------------------------------------------------------------------


@router.get("/git/commits/{sha}")
def git_commit(call: AskingRepository, sha: str) -> Json:
    if call.repo.git.object_type(sha) != "commit":
        raise not_found()
    return render_commits.git_commit(call.state, call.repo, call.repo.git.commit(sha))


class Signature(Body):
    name: str
    email: str
    date: str | None = None

    def person(self) -> Person:
        return Person(self.name, self.email)


class NewCommit(Body):
    message: str
    tree: str
    parents: list[str] = Field(default_factory=list)
    author: Signature | None = None
    committer: Signature | None = None


@router.post("/git/commits", status_code=201)
def create_commit(call: AskingRepository, new: NewCommit) -> Json:
    call.require(Permission.WRITE)
    git = call.repo.git
    if git.object_type(new.tree) != "tree":
        raise Refused(422, "Tree SHA does not exist")
    if any(git.object_type(parent) != "commit" for parent in new.parents):
        raise Refused(422, "Parent SHA does not exist or is not a commit object")
    author = new.author.person() if new.author else pulls.person(call.by)
    authored = _when(call, new.author)
    committer = new.committer or new.author
    sha = git.write_commit(
        new.tree,
        new.parents,
        new.message,
        author,
        authored,
        committer.person() if committer else author,
        _when(call, committer),
    )
    return render_commits.git_commit(call.state, call.repo, git.commit(sha))


def _when(call: RepositoryCall, who: Signature | None) -> datetime:
    if who is None or who.date is None:
        return call.state.now()
    try:
        return datetime.fromisoformat(who.date)
    except ValueError as error:
        raise Refused(422, "Invalid request.\n\nFor 'properties/date', not a time.") from error


class NewBlob(Body):
    content: str
    encoding: Literal["utf-8", "base64"] = "utf-8"


@router.post("/git/blobs", status_code=201)
def create_blob(call: AskingRepository, new: NewBlob) -> Json:
    call.require(Permission.WRITE)
    data = new.content.encode() if new.encoding == "utf-8" else decoded(new.content)
    sha = call.repo.git.write_blob(data)
    url = render.repository_url(call.state, call.repo)
    return {"sha": sha, "url": f"{url}/git/blobs/{sha}"}


@router.get("/git/blobs/{sha}")
def blob(call: AskingRepository, sha: str) -> Json:
    if call.repo.git.object_type(sha) != "blob":
        raise not_found()
    data = call.repo.git.blob(sha)
    return {
        "sha": sha,
        "node_id": base64.b64encode(f"Blob:{sha}".encode()).decode(),
        "size": len(data),
        "url": f"{render.repository_url(call.state, call.repo)}/git/blobs/{sha}",
        "content": base64.encodebytes(data).decode(),
        "encoding": "base64",
    }


def decoded(content: str) -> bytes:
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(422, "content is not valid Base64") from error


@router.get("/git/trees/{sha:path}")
def tree(call: AskingRepository, sha: str, recursive: str = "") -> Json:
    git = call.repo.git
    found = sha if git.object_type(sha) == "tree" else None
    commit = git.resolve(sha) if found is None else None
    if commit is not None:
        found = git.commit(commit).tree
    if found is None:
        raise not_found()
    return _tree(call, found, git.tree(found, recursive=bool(recursive)))


def _tree(call: RepositoryCall, sha: str, entries: list[Entry]) -> Json:
    url = render.repository_url(call.state, call.repo)
    listed = []
    for entry in entries:
        item: Json = {
            "path": entry.path,
            "mode": entry.mode,
            "type": entry.type,
            "sha": entry.sha,
            "url": f"{url}/git/{entry.type}s/{entry.sha}",
        }
        if entry.size is not None:
            item["size"] = entry.size
        listed.append(item)
    return {"sha": sha, "url": f"{url}/git/trees/{sha}", "tree": listed, "truncated": False}


class NewEntry(Body):
    path: str
    mode: Literal["100644", "100755", "040000", "160000", "120000"] = "100644"
    type: Literal["blob", "tree", "commit"] = "blob"
    sha: str | None = None
    content: str | None = None


class NewTree(Body):
    tree: list[NewEntry]
    base_tree: str | None = None


@router.post("/git/trees", status_code=201)
def create_tree(call: AskingRepository, new: NewTree) -> Json:
    call.require(Permission.WRITE)
    git = call.repo.git
    if not new.tree:
        raise Refused(422, "Invalid tree info")
    if new.base_tree is not None and git.object_type(new.base_tree) not in ("tree", "commit"):
        raise Refused(422, "base_tree is not a valid tree oid")
    entries = []
    for item in new.tree:
        check_path(item.path)
        if item.type != "blob" or item.mode not in ("100644", "100755", "120000"):
            raise Refused(422, "tree.type: this stand-in takes blobs only")
        if item.content is not None and item.sha is not None:
            raise Refused(422, "Must supply either tree.sha or tree.content, not both")
        sha = item.sha if item.content is None else git.write_blob(item.content.encode())
        if sha is not None and git.object_type(sha) != "blob":
            raise Refused(422, "tree.sha does not exist or is not a blob object")
        entries.append((item.mode, sha, item.path))
    made = git.write_tree(new.base_tree, entries)
    return _tree(call, made, git.tree(made))


def check_path(path: str) -> None:
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts) or "\0" in path:
        raise Refused(422, "tree.path contains a malformed path component")
