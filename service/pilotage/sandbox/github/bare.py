"""One bare repository on disk, worked on by git's plumbing and never checked out."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

ZERO = "0" * 40

ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "LC_ALL": "C",
}

# Pushes over HTTP are judged before git runs; the verdict on each ref waits in a file for this
# hook, so that git itself refuses the one ref and prints what github.com prints.
UPDATE_HOOK = """#!/bin/sh
verdict="$SANDBOX_VERDICTS/$1"
if [ -z "$SANDBOX_VERDICTS" ]; then echo "push over HTTP, please" >&2; exit 1; fi
if [ -f "$verdict/.refused" ]; then cat "$verdict/.refused" >&2; exit 1; fi
if [ -f "$verdict/.forward" ] && ! git merge-base --is-ancestor "$2" "$3"; then
  cat "$verdict/.forward" >&2; exit 1
fi
if [ -f "$verdict/.note" ]; then cat "$verdict/.note" >&2; fi
exit 0
"""
# Pull requests' refs are readable, as on github.com, but not to be pushed.
_CONFIGURATION = """
[http]
	receivepack = true
[receive]
	hideRefs = refs/pull
	advertiseAtomic = true
	autogc = false
[uploadpack]
	allowFilter = true
	allowReachableSHA1InWant = true
[gc]
	auto = 0
"""
POST_RECEIVE_HOOK = '#!/bin/sh\nexec cat > "$SANDBOX_VERDICTS/.accepted"\n'


class GitError(Exception):
    """git ended with an error; the text is what it wrote to stderr."""


class RefMoved(GitError):
    """A ref was not where the caller said that it was."""


class MergeConflict(GitError):
    """Two trees do not merge without a person."""


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Commit:
    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    authored_at: datetime
    committer: Person
    committed_at: datetime
    message: str

    @property
    def title(self) -> str:
        return self.message.split("\n", 1)[0]


@dataclass(frozen=True, slots=True)
class FileChange:
    path: str
    previous_path: str | None
    status: str
    blob: str
    additions: int
    deletions: int
    patch: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    mode: str
    type: str
    sha: str
    size: int | None
    path: str


_MOST_ARGUMENTS = 500
_FORMAT = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B%x00%x01"


class BareRepository:
    """Every method runs one to four git processes; none touches a work tree."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, default_branch: str) -> BareRepository:
        path.mkdir(parents=True)
        repository = cls(path)
        repository.run("init", "--quiet", "--bare", f"--initial-branch={default_branch}", ".")
        with (path / "config").open("a") as config:
            config.write(_CONFIGURATION)
        hooks = path / "hooks"
        hooks.mkdir(exist_ok=True)
        for name, text in {"update": UPDATE_HOOK, "post-receive": POST_RECEIVE_HOOK}.items():
            (hooks / name).write_text(text)
            (hooks / name).chmod(0o755)
        return repository

    def run(
        self, *args: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, ok: int = 0
    ) -> str:
        """The output of one git command. Exit codes up to `ok` are answers, not errors."""
        return self.run_bytes(*args, stdin=stdin, env=env, ok=ok).decode("utf-8", "replace")

    def run_bytes(
        self, *args: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, ok: int = 0
    ) -> bytes:
        done = subprocess.run(
            ["git", *args],
            cwd=self.path,
            input=stdin,
            capture_output=True,
            env=ENVIRONMENT | {"GIT_DIR": "."} | dict(env or {}),
            check=False,
            timeout=120,
        )
        if not 0 <= done.returncode <= ok:
            raise GitError(done.stderr.decode("utf-8", "replace").strip() or args[0])
        return done.stdout

    # Names -------------------------------------------------------------------------------

    def resolve(self, revision: str) -> str | None:
        """The commit that a branch, tag or SHA names, in this order; None if there is none."""
        if not revision or revision.startswith("-") or any(each in revision for each in ":^~{} \n"):
            return None
        for name in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if name == revision and len(revision) < 7 and not revision.startswith("refs/"):
                continue
            found = self.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", ok=1).strip()
            if found:
                return found
        return None

    def branch(self, name: str) -> str | None:
        return self.ref(f"refs/heads/{name}")

    def ref(self, name: str) -> str | None:
        out = self.run("for-each-ref", "--format=%(refname) %(objectname)", "--", name)
        return dict(line.split(" ", 1) for line in out.splitlines()).get(name)

    def refs(self, prefix: str) -> dict[str, str]:
        """All refs whose names start with `prefix` (a plain string prefix), sorted."""
        folder = prefix.rpartition("/")[0]
        out = self.run("for-each-ref", "--format=%(refname) %(objectname)", "--", folder)
        pairs = dict(line.split(" ", 1) for line in out.splitlines())
        return {name: sha for name, sha in sorted(pairs.items()) if name.startswith(prefix)}

    def valid_ref(self, name: str) -> bool:
        try:
            self.run("check-ref-format", name)
        except GitError:
            return False
        return name.startswith("refs/")

    def update_ref(self, name: str, new: str, old: str | None) -> None:
        """Move a ref only if it is at `old` (None: only if it does not exist)."""
        try:
            self.run("update-ref", name, new, old or ZERO)
        except GitError as error:
            raise RefMoved(str(error)) from error

    def put_ref(self, name: str, new: str) -> None:
        self.run("update-ref", name, new)

    def delete_ref(self, name: str, old: str) -> None:
        try:
            self.run("update-ref", "-d", name, old)
        except GitError as error:
            raise RefMoved(str(error)) from error

    # Objects -----------------------------------------------------------------------------

    def object_type(self, sha: str) -> str | None:
        if len(sha) != 40 or not all(each in "0123456789abcdef" for each in sha):
            return None
        out = self.run("cat-file", "--batch-check", stdin=f"{sha}\n".encode()).split()
        return None if out[1:2] == ["missing"] else out[1]

    def commit(self, sha: str) -> Commit:
        return self.log("--no-walk", sha)[0]

    def log(self, *args: str) -> list[Commit]:
        """Commits as `git log ARGS` lists them."""
        out = self.run("log", f"--format={_FORMAT}", *args)
        return [_commit(part.lstrip("\n")) for part in out.split("\x00\x01")[:-1]]

    def blob(self, sha: str) -> bytes:
        return self.run_bytes("cat-file", "blob", sha)

    def write_blob(self, content: bytes) -> str:
        return self.run("hash-object", "-w", "--stdin", stdin=content).strip()

    def tree(self, tree: str, path: str = "", *, recursive: bool = False) -> list[Entry]:
        """The entries of a folder (or the one of a file) of a commit or tree."""
        flags = ["-r", "-t"] if recursive else []
        where = ["--", path] if path else []
        out = self.run("ls-tree", "-z", "-l", "--full-tree", *flags, tree, *where)
        entries = []
        for line in out.split("\0")[:-1]:
            meta, name = line.split("\t", 1)
            mode, kind, sha, size = meta.split()
            entries.append(Entry(mode, kind, sha, None if size == "-" else int(size), name))
        return entries

    def write_tree(self, base: str | None, entries: Sequence[tuple[str, str | None, str]]) -> str:
        """The tree of `base` with (mode, blob or None to remove, path) put over it."""
        with tempfile.TemporaryDirectory(prefix="sandbox-index-") as folder:
            env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self.run("read-tree", *([base] if base else ["--empty"]), env=env)
            lines = [
                f"{mode} {blob}\t{path}" if blob else f"0 {ZERO}\t{path}"
                for mode, blob, path in entries
            ]
            self.run(
                "update-index",
                "-z",
                "--index-info",
                stdin="\0".join([*lines, ""]).encode(),
                env=env,
            )
            return self.run("write-tree", env=env).strip()

    def with_files(self, base: str | None, files: Mapping[str, bytes | None]) -> str:
        """The tree of `base` with files written, or removed where the content is None. A file
        that exists keeps its mode."""
        written = {path: content for path, content in files.items() if content is not None}
        blobs = dict(zip(written, self.write_blobs(list(written.values())), strict=True))
        modes = self._modes(base, list(files)) if base else {}
        entries = [(modes.get(path, "100644"), blobs.get(path), path) for path in files]
        return self.write_tree(base, entries)

    def write_blobs(self, contents: Sequence[bytes]) -> list[str]:
        """One process, however many there are."""
        stream = b"".join(
            b"blob\nmark :%d\ndata %d\n%b\nget-mark :%d\n" % (mark, len(content), content, mark)
            for mark, content in enumerate(contents, start=1)
        )
        return self.run("fast-import", "--quiet", stdin=stream).split()

    def _modes(self, tree: str, paths: Sequence[str]) -> dict[str, str]:
        where = ["--", *paths] if len(paths) < _MOST_ARGUMENTS else ["-r"]
        out = self.run("ls-tree", "-z", "--full-tree", tree, *where)
        lines = (line.split("\t", 1) for line in out.split("\0")[:-1])
        return {path: meta.split()[0] for meta, path in lines}

    def write_commit(
        self,
        tree: str,
        parents: Sequence[str],
        message: str,
        author: Person,
        authored_at: datetime,
        committer: Person | None = None,
        committed_at: datetime | None = None,
    ) -> str:
        by = committer or author
        env = {
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.email,
            "GIT_AUTHOR_DATE": authored_at.isoformat(timespec="seconds"),
            "GIT_COMMITTER_NAME": by.name,
            "GIT_COMMITTER_EMAIL": by.email,
            "GIT_COMMITTER_DATE": (committed_at or authored_at).isoformat(timespec="seconds"),
        }
        flags = [flag for parent in parents for flag in ("-p", parent)]
        return self.run("commit-tree", tree, *flags, stdin=message.encode(), env=env).strip()

    # Relations ---------------------------------------------------------------------------

    def merge_base(self, a: str, b: str) -> str | None:
        return self.run("merge-base", a, b, ok=1).strip() or None

    def contains(self, descendant: str, ancestor: str) -> bool:
        try:
            self.run("merge-base", "--is-ancestor", ancestor, descendant)
        except GitError:
            return False
        return True

    def ahead_behind(self, base: str, head: str) -> tuple[int, int]:
        behind, ahead = self.run("rev-list", "--left-right", "--count", f"{base}...{head}").split()
        return int(ahead), int(behind)

    def merge_trees(self, ours: str, theirs: str) -> str:
        """The tree of a merge of two commits. Raises MergeConflict."""
        out = self.run(
            "merge-tree", "--write-tree", "--no-messages", "--name-only", ours, theirs, ok=1
        )
        tree, _, conflicts = out.strip().partition("\n")
        if conflicts:
            raise MergeConflict(conflicts)
        return tree

    def changes(self, old: str, new: str) -> list[FileChange]:
        """What differs between two commits, with the hunks as GitHub gives them."""
        out = self.run("diff-tree", "-r", "-M", "-z", "--raw", "--numstat", old, new)
        fields = out.split("\0")[:-1]
        raw: dict[str, tuple[str, str | None, str]] = {}
        counts: dict[str, tuple[int, int]] = {}
        position = 0
        while position < len(fields):
            head = fields[position]
            if head.startswith(":"):
                letter = head.split(" ")[4]
                renamed = letter[0] in "RC"
                path = fields[position + (2 if renamed else 1)]
                raw[path] = (letter[0], fields[position + 1] if renamed else None, head.split()[3])
                position += 3 if renamed else 2
            else:
                added, deleted, path = head.split("\t")
                if not path:
                    path = fields[position + 2]
                    position += 2
                counts[path] = tuple(int(each) if each != "-" else 0 for each in (added, deleted))  # type: ignore[assignment]
                position += 1
        patches = self._patches(old, new)
        words = {"A": "added", "D": "removed", "R": "renamed", "C": "copied"}
        return [
            FileChange(
                path=path,
                previous_path=previous,
                status=words.get(letter, "modified"),
                blob=blob,
                additions=counts.get(path, (0, 0))[0],
                deletions=counts.get(path, (0, 0))[1],
                patch=patches.get(path),
            )
            for path, (letter, previous, blob) in raw.items()
        ]

    def _patches(self, old: str, new: str) -> dict[str, str]:
        out = self.run(
            "-c",
            "core.quotePath=false",
            "diff-tree",
            "-r",
            "-M",
            "-p",
            "--no-color",
            "--full-index",
            old,
            new,
        )
        patches = {}
        for part in ("\n" + out).split("\ndiff --git ")[1:]:
            head, mark, hunks = part.partition("\n@@ ")
            if mark:
                names = [
                    line[4:] for line in head.splitlines() if line.startswith(("--- ", "+++ "))
                ]
                path = names[1] if names[1] != "/dev/null" else names[0]
                patches[path[2:]] = "@@ " + hunks.rstrip("\n")
        return patches


def _commit(text: str) -> Commit:
    sha, tree, parents, an, ae, ad, cn, ce, cd, message = text.split("\0")
    return Commit(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author=Person(an, ae),
        authored_at=datetime.fromisoformat(ad),
        committer=Person(cn, ce),
        committed_at=datetime.fromisoformat(cd),
        message=message.rstrip("\n"),
    )
