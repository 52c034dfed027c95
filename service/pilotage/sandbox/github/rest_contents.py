"""REST: commits, comparisons and file contents."""

from __future__ import annotations

import base64
from typing import Any

from fastapi.responses import JSONResponse

from pilotage.sandbox.github import pulls, render, render_commits, render_pulls, writing
from pilotage.sandbox.github.bare import Commit, Entry
from pilotage.sandbox.github.call import AskingRepository, Body, LockedRouter, RepositoryCall
from pilotage.sandbox.github.errors import Refused, not_found
from pilotage.sandbox.github.merging import GITHUB
from pilotage.sandbox.github.model import Permission
from pilotage.sandbox.github.render import Json
from pilotage.sandbox.github.rest_git import Signature, check_path, decoded

router = LockedRouter(prefix="/repos/{owner}/{repo}")

_FILES_OF_COMPARISON = 300
_COMMITS_OF_COMPARISON = 250
_LARGEST_CONTENT = 1024 * 1024  # bytes; larger files come without their content


# Commits ---------------------------------------------------------------------------------


@router.get("/commits")
def commits(
    call: AskingRepository, sha: str = "", path: str = "", author: str = ""
) -> JSONResponse:
    start = call.repo.git.resolve(sha or call.repo.default_branch)
    if start is None:
        raise not_found()
    where = ["--", path] if path else []
    found = call.repo.git.log(start, *where)
    if author:
        found = [each for each in found if author in (each.author.email, each.author.name)]
    return call.page(found, lambda c: render_commits.commit(call.state, call.repo, c))


@router.get("/commits/{sha}/pulls")
def pulls_of_commit(call: AskingRepository, sha: str) -> JSONResponse:
    git = call.repo.git
    found = [
        pull
        for pull in call.repo.pulls.values()
        if sha in (pull.merge_commit_sha, pull.head_sha)
        or (
            git.object_type(sha) == "commit"
            and git.contains(pull.head_sha, sha)
            and not git.contains(pull.base_sha, sha)
        )
    ]
    return call.page(found, lambda p: render_pulls.pull_summary(call.state, p))


@router.get("/compare/{basehead:path}")
def compare(call: AskingRepository, basehead: str, page: str = "", per_page: str = "") -> Any:
    """Pages run from the oldest commit, and only the first has the files. Without paging it is
    the newest commits that are listed."""
    base_name, dots, head_name = basehead.partition("...")
    git = call.repo.git
    base, head = (git.resolve(name.rpartition(":")[2]) for name in (base_name, head_name))
    if not dots or base is None or head is None:
        raise not_found()
    common = git.merge_base(base, head)
    if common is None:
        raise Refused(404, f"No common ancestor between {base_name} and {head_name}.")
    ahead, behind = git.ahead_behind(base, head)
    word = {(False, False): "identical", (True, False): "ahead", (False, True): "behind"}
    found = git.log("--reverse", "--topo-order", f"{base}..{head}")
    changes = git.changes(common, head)[:_FILES_OF_COMPARISON] if page in ("", "1") else []
    html = f"{call.state.base_url}/{call.repo.full_name}/compare/{basehead}"

    def rendered(commit: Commit) -> Json:
        return render_commits.commit(call.state, call.repo, commit)

    body = {
        "url": f"{render.repository_url(call.state, call.repo)}/compare/{basehead}",
        "html_url": html,
        "permalink_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "base_commit": rendered(git.commit(base)),
        "merge_base_commit": rendered(git.commit(common)),
        "status": word.get((bool(ahead), bool(behind)), "diverged"),
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": len(found),
        "files": [
            render_commits.file_change(call.state, call.repo, head, each) for each in changes
        ],
    }
    if not page and not per_page:
        return body | {"commits": [rendered(commit) for commit in found[-_COMMITS_OF_COMPARISON:]]}
    return call.page(found, rendered, "commits", around=body)


# Contents --------------------------------------------------------------------------------


@router.get("/contents/{path:path}")
def contents(call: AskingRepository, path: str, ref: str = "") -> Json | list[Json]:
    commit = call.repo.git.resolve(ref or call.repo.default_branch)
    if commit is None:
        raise Refused(404, f"No commit found for the ref {ref}")
    path = path.strip("/")
    if not path:
        return [_entry(call, each, ref) for each in call.repo.git.tree(commit)]
    entries = call.repo.git.tree(commit, path)
    if not entries:
        raise not_found()
    if entries[0].type == "tree":
        return [_entry(call, each, ref) for each in call.repo.git.tree(commit, f"{path}/")]
    if (entries[0].size or 0) > _LARGEST_CONTENT:
        return _entry(call, entries[0], ref) | {"content": "", "encoding": "none"}
    data = call.repo.git.blob(entries[0].sha)
    encoded = base64.encodebytes(data).decode()
    return _entry(call, entries[0], ref) | {"content": encoded, "encoding": "base64"}


def _entry(call: RepositoryCall, entry: Entry, ref: str) -> Json:
    url = render.repository_url(call.state, call.repo)
    html = f"{call.state.base_url}/{call.repo.full_name}"
    revision = ref or call.repo.default_branch
    links = {
        "self": f"{url}/contents/{entry.path}?ref={revision}",
        "git": f"{url}/git/{entry.type}s/{entry.sha}",
        "html": f"{html}/blob/{revision}/{entry.path}",
    }
    is_file = entry.type == "blob"
    return {
        "name": entry.path.rpartition("/")[2],
        "path": entry.path,
        "sha": entry.sha,
        "size": entry.size or 0,
        "url": links["self"],
        "html_url": links["html"],
        "git_url": links["git"],
        "download_url": f"{html}/raw/{revision}/{entry.path}" if is_file else None,
        "type": "file" if is_file else "dir",
        "_links": links,
    }


class FileWrite(Body):
    message: str
    content: str
    sha: str | None = None
    branch: str | None = None
    author: Signature | None = None
    committer: Signature | None = None


class FileRemoval(Body):
    message: str
    sha: str
    branch: str | None = None


@router.put("/contents/{path:path}")
def write_file(call: AskingRepository, path: str, new: FileWrite) -> JSONResponse:
    check_path(path)
    data = decoded(new.content)
    commit, entry, existed = _write(call, path, new.branch, new.message, new.sha, data, new.author)
    body = {"content": entry, "commit": commit}
    return JSONResponse(body, status_code=200 if existed else 201)


@router.delete("/contents/{path:path}")
def remove_file(call: AskingRepository, path: str, old: FileRemoval) -> Json:
    commit, _, _ = _write(call, path, old.branch, old.message, old.sha, None, None)
    return {"content": None, "commit": commit}


def _write(
    call: RepositoryCall,
    path: str,
    branch: str | None,
    message: str,
    known_blob: str | None,
    data: bytes | None,
    author: Signature | None,
) -> tuple[Json, Json | None, bool]:
    call.require(Permission.WRITE)
    git, name = call.repo.git, branch or call.repo.default_branch
    tip = git.branch(name)
    if tip is None:
        raise Refused(404, f"Branch {name} not found")
    before = git.tree(tip, path)
    if before and known_blob is None:
        raise Refused(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if known_blob is not None and (not before or before[0].sha != known_blob):
        raise Refused(409, f"{path} does not match {known_blob}")
    tree = git.with_files(tip, {path: data})
    person = author.person() if author else pulls.person(call.by)
    sha = git.write_commit(tree, [tip], message, person, call.state.now(), GITHUB)
    writing.commit_to_branch(call.state, call.repo, name, sha, tip, call.by)
    after = git.tree(sha, path)
    entry = _entry(call, after[0], name) if after else None
    return render_commits.git_commit(call.state, call.repo, git.commit(sha)), entry, bool(before)
