"""A git server and a service's clone of it, in memory: commits are values, branches are names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from pilotage.adapters.git import (
    Commit,
    Conflict,
    EmptyCommit,
    Entry,
    File,
    Identity,
    InvalidName,
    Kind,
    LeaseLost,
    Missing,
    NotFastForward,
    Protected,
    Relation,
    UnknownCommit,
    Unreachable,
)
from tests.engine.chaos import Chaos

URL = "https://github.example/acme/gitops.git"
MAIN = "main"


@lru_cache(maxsize=20_000)
def blob_id(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    sha: str
    parents: tuple[str, ...]
    files: Mapping[str, str]
    message: str
    author: str
    at: datetime

    def trailer(self) -> str | None:
        """The key of the act that made it."""
        for line in self.message.splitlines():
            if line.startswith("Pilotage-Act: "):
                return line.removeprefix("Pilotage-Act: ")
        return None


def make(
    parents: tuple[str, ...], files: Mapping[str, str], message: str, author: str, at: datetime
) -> Made:
    tree = "".join(f"{path}\0{blob_id(text)}\n" for path, text in sorted(files.items()))
    whole = f"{parents}\n{tree}\n{message}\n{author}\n{int(at.timestamp())}"
    return Made(blob_id(whole), parents, files, message, author, at)


class Server:
    """What everybody shares. `on_push(branch, old, new, by)` hears of each change of a branch."""

    def __init__(self, chaos: Chaos) -> None:
        self.chaos = chaos
        self.commits: dict[str, Made] = {}
        self.refs: dict[str, str] = {}
        self.default = MAIN
        self.trees: dict[str, Mapping[str, str]] = {}
        self.on_push: Callable[[str, str | None, str | None, str], None] = lambda *_: None
        self.protects: Callable[[str, str], str | None] = lambda branch, sha: None
        self._ancestors: dict[str, frozenset[str]] = {}

    def add(self, made: Made) -> str:
        self.commits.setdefault(made.sha, made)
        return made.sha

    def move(self, branch: str, sha: str | None, by: str) -> None:
        old = self.refs.get(branch)
        if sha is None:
            self.refs.pop(branch, None)
        else:
            self.refs[branch] = sha
        self.on_push(branch, old, sha, by)

    def commit(self, branch: str, files: Mapping[str, str], message: str, by: str) -> str:
        """Somebody's commit on top of a branch."""
        head = self.refs.get(branch)
        before = self.commits[head].files if head else {}
        parents = (head,) if head else ()
        made = make(parents, {**before, **files}, message, by, self.chaos.now)
        self.add(made)
        self.move(branch, made.sha, by)
        return made.sha

    def main(self) -> Made:
        return self.commits[self.refs[MAIN]]

    def ancestors(self, sha: str) -> frozenset[str]:
        """It and everything that it contains."""
        if sha not in self._ancestors:
            todo, found = [sha], {sha}
            while todo:
                for parent in self.commits[todo.pop()].parents:
                    if parent in self._ancestors:
                        found |= self._ancestors[parent]
                    elif parent not in found:
                        found.add(parent)
                        todo.append(parent)
            self._ancestors[sha] = frozenset(found)
        return self._ancestors[sha]

    def contains(self, sha: str, other: str) -> bool:
        return other in self.ancestors(sha)

    def first_parents(self, sha: str) -> list[Made]:
        line = [self.commits[sha]]
        while line[-1].parents:
            line.append(self.commits[line[-1].parents[0]])
        return line

    def fork_point(self, one: str, other: str) -> str:
        shared = self.ancestors(other)
        todo = [one]
        while todo:
            sha = todo.pop(0)
            if sha in shared:
                return sha
            todo += self.commits[sha].parents
        raise AssertionError("no common commit")

    def merged_files(self, base: str, head: str) -> dict[str, str] | None:
        """A merge, file by file; None for a conflict."""
        fork = self.commits[self.fork_point(head, base)].files
        ours, theirs = self.commits[base].files, self.commits[head].files
        files = dict(ours)
        for path, text in theirs.items():
            if text == fork.get(path) or text == ours.get(path):
                continue
            if ours.get(path) != fork.get(path):
                return None
            files[path] = text
        return files


class Clone:
    """One process's bare store: the part of `GitStore` that the engine uses."""

    def __init__(self, server: Server, login: str) -> None:
        self._server = server
        self._chaos = server.chaos
        self._login = login
        self._known: set[str] = set()
        self._heads: dict[str, str] = {}
        self._default = MAIN

    def _unreachable(self, _: bool) -> Exception:
        return Unreachable(URL, "no answer within 60 s")

    def _made(self, sha: str) -> Made:
        if sha not in self._known:
            raise UnknownCommit(sha)
        return self._server.commits[sha]

    def fetch(self) -> Mapping[str, str]:
        def do() -> Mapping[str, str]:
            self._heads = dict(self._server.refs)
            self._default = self._server.default
            for sha in self._heads.values():
                self._known |= self._server.ancestors(sha)
            return self._heads

        return self._chaos.around("git fetch", do, error=self._unreachable)

    def head(self, branch: str) -> str | None:
        return self._heads.get(branch)

    def default_branch(self) -> str:
        return self._default

    def push(
        self, sha: str, branch: str, expected: str | None, *, may_rewrite: bool = False
    ) -> None:
        if expected is not None and not may_rewrite:
            relation = self.relation(expected, sha)
            if relation not in (Relation.SAME, Relation.DESCENDANT):
                raise NotFastForward(URL, branch, expected, sha)
        self._chaos.around(
            f"git push {sha[:7]} to {branch} (expecting {(expected or 'nothing')[:7]})",
            lambda: self._put(branch, sha, expected),
            write=True,
            error=self._unreachable,
        )
        self._heads[branch] = sha

    def _put(self, branch: str, sha: str | None, expected: str | None) -> None:
        actual = self._server.refs.get(branch)
        if actual == sha:
            return
        if actual != expected:
            raise LeaseLost(URL, branch, expected, actual)
        refusal = self._server.protects(branch, sha) if sha is not None else None
        if refusal is not None:
            raise Protected(URL, branch, refusal)
        self._server.move(branch, sha, self._login)

    def delete_branch(self, branch: str, expected: str) -> None:
        self._chaos.around(
            f"git delete {branch}",
            lambda: self._put(branch, None, expected),
            write=True,
            error=self._unreachable,
        )
        self._heads.pop(branch, None)

    def commit(self, sha: str) -> Commit:
        made = self._made(sha)
        who = Identity(made.author, f"{made.author}@acme.example")
        at = made.at.replace(microsecond=0)
        return Commit(sha, sha, made.parents, who, at, who, at, made.message)

    def first_parents(self, head: str, count: int) -> tuple[Commit, ...]:
        self._made(head)
        return tuple(self.commit(made.sha) for made in self._server.first_parents(head)[:count])

    def log(
        self, since: str, until: str, prefixes: Sequence[str] = ("",), *, limit: int = 1000
    ) -> tuple[Commit, ...]:
        """As git simplifies history: a merge that took one side's files is left out."""
        self._made(since)
        new = self._server.ancestors(until) - self._server.ancestors(since)
        touching = [
            self._made(sha)
            for sha in new
            if all(self.changed_paths(parent, sha, prefixes) for parent in self._made(sha).parents)
        ]
        newest = sorted(
            touching, key=lambda made: len(self._server.ancestors(made.sha)), reverse=True
        )
        return tuple(self.commit(made.sha) for made in newest[:limit])

    def relation(self, ours: str, other: str) -> Relation:
        self._made(ours)
        if other not in self._known:
            return Relation.UNKNOWN
        if ours == other:
            return Relation.SAME
        if self._server.contains(other, ours):
            return Relation.DESCENDANT
        ancestor = self._server.contains(ours, other)
        return Relation.ANCESTOR if ancestor else Relation.DIVERGED

    def changed_paths(self, old: str, new: str, prefixes: Sequence[str] = ("",)) -> tuple[str, ...]:
        before, after = self._made(old).files, self._made(new).files
        paths = sorted({*before, *after})
        return tuple(
            path
            for path in paths
            if before.get(path) != after.get(path)
            and any(path.startswith(prefix) for prefix in prefixes)
        )

    def list_files(self, commit: str, prefixes: Sequence[str]) -> tuple[Entry, ...]:
        files = self._made(commit).files
        return tuple(
            Entry(path, Kind.FILE, blob_id(files[path]))
            for path in sorted(files)
            if any(path.startswith(prefix) for prefix in prefixes)
        )

    def read_files(self, commit: str, paths: Iterable[str]) -> Mapping[str, File | Missing]:
        files = self._made(commit).files
        return {
            path: File(path, Kind.FILE, blob_id(files[path]), files[path].encode())
            if path in files
            else Missing(path)
            for path in paths
        }

    def read_blobs(self, ids: Iterable[str]) -> Mapping[str, bytes]:
        wanted = set(ids)
        found: dict[str, bytes] = {}
        for sha in self._known:
            for text in self._server.commits[sha].files.values():
                if (blob := blob_id(text)) in wanted:
                    found[blob] = text.encode()
            if len(found) == len(wanted):
                break
        return found

    def write_commit(
        self,
        base: str,
        changes: Mapping[str, bytes | None],
        *,
        message: str,
        author: Identity,
        committer: Identity,
        when: datetime,
    ) -> str:
        before = self._made(base).files
        files = dict(before)
        for path, content in changes.items():
            assert content is not None
            files[path] = content.decode()
        if files == before:
            raise EmptyCommit(base)
        made = make((base,), files, message, author.name, when)
        self._server.add(made)
        self._known.add(made.sha)
        return made.sha

    def revert_tree(self, merge: str, mainline_parent: str, head: str) -> str | Conflict:
        """File by file: one that was changed since, and is not as it was before, conflicts."""
        brought, old = self._made(merge).files, self._made(mainline_parent).files
        if not self._server.contains(head, merge):
            raise InvalidName("revision", head, f"does not contain the merge {merge}")
        files = dict(self._made(head).files)
        conflicts = []
        for path in sorted({*brought, *old}):
            if brought.get(path) == old.get(path) or files.get(path) == old.get(path):
                continue
            if files.get(path) != brought.get(path):
                conflicts.append(path)
            elif path in old:
                files[path] = old[path]
            else:
                del files[path]
        if conflicts:
            return Conflict(tuple(conflicts))
        tree = blob_id("".join(f"{path}\0{text}\0" for path, text in sorted(files.items())))
        self._server.trees[tree] = files
        return tree

    def write_commit_of_tree(
        self,
        parent: str,
        tree: str,
        *,
        message: str,
        author: Identity,
        committer: Identity,
        when: datetime,
    ) -> str:
        self._made(parent)
        made = make((parent,), self._server.trees[tree], message, author.name, when)
        self._server.add(made)
        self._known.add(made.sha)
        return made.sha
