"""What git says, read through one bare store and remembered by commit.

Everything below a commit never changes, so it is read once; only the heads are asked for anew.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import assert_never

from pilotage.adapters.git import (
    Commit,
    Conflict,
    Entry,
    File,
    GitStore,
    InvalidName,
    Kind,
    Missing,
    NotAFile,
    NotText,
    TooLarge,
    UnknownCommit,
)
from pilotage.clock import age
from pilotage.core.change import Part, ServiceChange, Write, files_of
from pilotage.core.config.load import FILE, ConfigError, Problem, load_config
from pilotage.core.config.policy import Config, Pipeline
from pilotage.core.layout import Layout, layout_of
from pilotage.core.model import Merge, Sha
from pilotage.core.places import FileText, hold, images
from pilotage.core.plan import Plan, Remember, Tree, plan
from pilotage.core.revert import (
    MergedMore,
    MergeWithdrawn,
    Reverse,
    ReverseConflict,
    ReverseTree,
    beyond_promoted,
)
from pilotage.core.rollout.watch import Image, Relation
from pilotage.core.steps import steps
from pilotage.engine.memory import Memory

_LARGEST_FILE = 1024 * 1024
_LARGEST_FOLDER = 64 * 1024 * 1024
"""Of one environment's files together: what does not fit is refused, unread."""
_FILES_REMEMBERED = 100_000
"""Entries of trees; the texts behind them are shared between commits."""
_KILOBYTES_REMEMBERED = 32 * 1024
_PLANS_REMEMBERED = 20_000
_MOST_CHANGED = 500
"""Files that are read one by one; where more have changed, the whole folder is listed again."""


class NoConfigError(Exception):
    """The repository has no configuration on its default branch."""


class Trees:
    """One repository's git, for reading."""

    def __init__(self, git: GitStore, presets: Mapping[str, str]) -> None:
        self.git = git
        self._presets = presets
        self._memory = Memory(20_000)
        self._trees = Memory(_FILES_REMEMBERED, _files_of)
        self._files = Memory(_KILOBYTES_REMEMBERED, _kilobytes_of)
        self._plans = Memory(_PLANS_REMEMBERED)
        self._newest = Memory(_FILES_REMEMBERED, _files_of)
        """Layout to the tree that was read last: another commit's differs in few files, or none."""
        self._fetched_at: datetime | None = None
        self._lock = threading.Lock()

    def refresh(self, now: datetime, at_most: timedelta, newer_than: datetime | None) -> None:
        """Fetch, unless it was done recently and after the last hint. Raises a RemoteError."""
        with self._lock:
            at = self._fetched_at
            late = at is None or (newer_than is not None and at <= newer_than)
            if at is not None and not late and age(at, now) < at_most:
                return
            self.git.fetch()
            self._fetched_at = now

    def forget_fetch(self) -> None:
        """The next refresh fetches: something outside named a commit that is not here."""
        with self._lock:
            self._fetched_at = None

    @property
    def base_branch(self) -> str:
        return self.git.default_branch() or "main"

    def head(self) -> Sha | None:
        return self.git.head(self.base_branch)

    def commit(self, sha: Sha) -> Commit:
        return self._memory.once(("commit", sha), lambda: self.git.commit(sha))

    def parent(self, sha: Sha) -> Sha:
        """The first parent; a root commit is its own."""
        parents = self.commit(sha).parents
        return parents[0] if parents else sha

    def config(self, commit: Sha) -> Config:
        """The configuration at a commit. Raises ConfigError and NoConfigError."""

        def read() -> Config | ConfigError | NoConfigError:
            found = self.git.read_files(commit, [FILE])[FILE]
            match found:
                case File():
                    return self._memory.once(("parsed", found.id), lambda: self._parsed(found))
                case Missing():
                    return NoConfigError(f"{FILE} is not on {self.base_branch}")
                case NotText(offset=offset):
                    why = f"is not UTF-8 text, from byte {offset} on: save it as UTF-8"
                case TooLarge(size=size):
                    why = f"is too large to be read: {size // 1024} KB"
                case NotAFile(kind=kind):
                    why = f"is a {kind.value}, which is never followed: commit it as a file"
                case _:
                    assert_never(found)
            return ConfigError([Problem(FILE, None, "", why)])

        config = self._memory.once(("config", commit), read)
        if isinstance(config, ConfigError | NoConfigError):
            raise config
        return config

    def _parsed(self, file: File) -> Config | ConfigError:
        try:
            return load_config(file.text, self._presets)
        except ConfigError as error:
            return error

    def tree(self, pipeline: Pipeline, environment: str, commit: Sha) -> Tree:
        """All services' files of one environment at a commit.

        Costs what lies in its folders the first time, then what has changed there.
        """
        layout = layout_of(pipeline, environment)
        return self._trees.once(("tree", layout, commit), lambda: self._tree(layout, commit))

    def _tree(self, layout: Layout, commit: Sha) -> Tree:
        known = self._newest.get(layout)
        tree = self._changed(layout, known, commit) if isinstance(known, Tree) else None
        if tree is None:
            listed = self.git.list_files(commit, layout.prefixes)
            files = self._read([entry for entry in listed if layout.has(entry.path)])
            tree = Tree(layout.environment, commit, files, commit, _misnamed(layout, listed))
        self._newest.put(layout, tree)
        return tree

    def _changed(self, layout: Layout, known: Tree, commit: Sha) -> Tree | None:
        """What is known, with the files in which this commit differs; None where that is much."""
        try:
            paths = self.git.changed_paths(known.commit, commit, layout.prefixes)
        except UnknownCommit:
            return None
        ours = {path for path in paths if layout.has(path) or layout.misnamed(path) is not None}
        if not ours:
            return replace(known, commit=commit)
        if len(ours) > _MOST_CHANGED:
            return None
        listed = [each for each in self.git.list_files(commit, sorted(ours)) if each.path in ours]
        files = self._read([entry for entry in listed if layout.has(entry.path)])
        same = {path: file for path, file in known.files.items() if path not in ours}
        others = {path: name for path, name in known.misnamed.items() if path not in ours}
        misnamed = others | _misnamed(layout, listed)
        return Tree(layout.environment, commit, same | files, commit, misnamed)

    def _read(self, entries: Sequence[Entry]) -> dict[str, FileText]:
        """The files, by path; each blob is read and decoded once, whatever commit it is in."""
        found: dict[str, FileText] = {}
        unknown: list[Entry] = []
        together = 0
        for entry in entries:
            together += entry.size if entry.size <= _LARGEST_FILE else 0
            known = self._files.get((entry.path, entry.id))
            if isinstance(known, FileText):
                found[entry.path] = known
            elif (refused := _refused(entry, together)) is not None:
                found[entry.path] = FileText(entry.path, "", refused, entry.id)
            else:
                unknown.append(entry)
        contents = self.git.read_blobs({entry.id for entry in unknown}) if unknown else {}
        for entry in unknown:
            file = _file(entry, contents[entry.id])
            self._files.put((entry.path, entry.id), file)
            found[entry.path] = file
        return found

    def plan(
        self,
        pipeline: Pipeline,
        source: str,
        target: str,
        commit: Sha,
        asked: frozenset[str] = frozenset(),
    ) -> Plan:
        """A service is planned again only when one of its files has changed."""
        theirs, ours = (self.tree(pipeline, each, commit) for each in (source, target))
        layouts = layout_of(pipeline, source), layout_of(pipeline, target)
        key = ("plan", layouts, pipeline.new_services, asked, theirs.since, ours.since)

        remember: Remember = self._plans.once
        found = self._trees.once(
            key, lambda: plan(pipeline, theirs, ours, asked=asked, remember=remember)
        )
        return replace(found, source=commit, running=commit)

    def steps(
        self, pipeline: Pipeline, environment: str, before: Sha, after: Sha
    ) -> tuple[ServiceChange, ...]:
        return steps(
            pipeline,
            self.tree(pipeline, environment, before),
            self.tree(pipeline, environment, after),
        )

    def texts(self, commit: Sha, files: Sequence[str]) -> dict[str, str | None]:
        """Each file's text at a commit; None where none can be read.

        A service's file is read along with those of its neighbours, once for all of them.
        """
        texts: dict[str, str | None] = {}
        for layout in self._newest.known():
            assert isinstance(layout, Layout)
            mine = [path for path in files if path not in texts and layout.has(path)]
            if mine:
                tree = self._trees.once(
                    ("tree", layout, commit), partial(self._tree, layout, commit)
                )
                for path in mine:
                    found = tree.files.get(path)
                    texts[path] = None if found is None or found.refused else found.text
        rest = tuple(path for path in files if path not in texts)
        return texts | (self._alone(commit, rest) if rest else {})

    def _alone(self, commit: Sha, files: tuple[str, ...]) -> dict[str, str | None]:
        key = ("texts", commit, files)

        def read() -> dict[str, str | None]:
            found = self.git.read_files(commit, files)
            return {
                path: item.text if isinstance(item, File) else None for path, item in found.items()
            }

        return self._memory.once(key, read)

    def holds(self, commit: Sha, writes: tuple[Write, ...]) -> bool | None:
        """Whether every value stands in the tree of a commit; None when git does not have it."""
        try:
            return hold(writes, self.texts(commit, _files(writes)))
        except UnknownCommit:
            return None

    def images(self, commit: Sha, writes: tuple[Write, ...]) -> tuple[Image, ...]:
        """The images that promoted tags are part of, as a commit's files have them."""

        def read() -> tuple[Image, ...]:
            return images(writes, self.texts(commit, _files(writes)))

        if not any(write.part is Part.IMAGE for write in writes):
            return ()
        try:
            return self._memory.once(("images", commit, writes), read)
        except UnknownCommit:
            return ()

    def reverse(self, merge: Merge, changes: Sequence[ServiceChange], head: Sha) -> Reverse:
        """`head` without what the merge brought, which must be what was promoted and no more.

        Nine git processes, once for each head. Raises UnknownCommit.
        """
        return self._memory.once(
            ("reverse", merge.sha, merge.parent, head),
            lambda: self._reverse(merge, changes, head),
        )

    def _reverse(self, merge: Merge, changes: Sequence[ServiceChange], head: Sha) -> Reverse:
        paths = self.git.changed_paths(merge.parent, merge.sha)
        files = files_of(changes)
        before, after = self._standing(merge.parent, files), self._standing(merge.sha, files)
        more = beyond_promoted(changes, paths, before, after)
        if more:
            return MergedMore(more)
        try:
            found = self.git.revert_tree(merge.sha, merge.parent, head)
        except InvalidName:
            return MergeWithdrawn()
        return ReverseConflict(found.paths) if isinstance(found, Conflict) else ReverseTree(found)

    def _standing(self, commit: Sha, files: Sequence[str]) -> dict[str, str | None]:
        """The files that are there; None for what is no text."""
        found = self.git.read_files(commit, files)
        return {
            path: item.text if isinstance(item, File) else None
            for path, item in found.items()
            if not isinstance(item, Missing)
        }

    def relation(self, ours: Sha, other: Sha) -> Relation:
        def ask() -> Relation:
            try:
                return self.git.relation(ours, other)
            except UnknownCommit:
                return Relation.UNKNOWN

        found = self._memory.once(("relation", ours, other), ask)
        if found is Relation.UNKNOWN:
            self._memory.forget(("relation", ours, other))
        return found

    def changed(self, old: Sha, new: Sha, files: Sequence[str]) -> tuple[str, ...]:
        return self._memory.once(
            ("changed", old, new, tuple(files)), lambda: self.git.changed_paths(old, new, files)
        )


def _files(writes: Iterable[Write]) -> list[str]:
    return sorted({write.file for write in writes})


def _misnamed(layout: Layout, entries: Iterable[Entry]) -> dict[str, str]:
    names = ((entry.path, layout.misnamed(entry.path)) for entry in entries)
    return {path: name for path, name in names if name is not None}


def _refused(entry: Entry, together: int) -> str | None:
    """Why this is not even read."""
    if entry.kind not in (Kind.FILE, Kind.EXECUTABLE):
        return f"is a {entry.kind.value}, which is never edited"
    if entry.size > _LARGEST_FILE:
        return f"is larger than {_LARGEST_FILE // 1024} KB"
    if together > _LARGEST_FOLDER:
        return f"is too much: together the files have more than {_LARGEST_FOLDER // 1024} KB"
    return None


def _file(entry: Entry, content: bytes) -> FileText:
    try:
        return FileText(entry.path, content.decode("utf-8"), id=entry.id)
    except UnicodeDecodeError:
        return FileText(entry.path, "", "is not UTF-8 text", entry.id)


def _files_of(made: object) -> int:
    match made:
        case Tree():
            return 1 + len(made.files) + len(made.misnamed)
        case Plan():
            return 1 + len(made.unchanged) + 10 * len(made.services)
        case _:
            return 1


def _kilobytes_of(made: object) -> int:
    return 1 + len(made.text) // 1024 if isinstance(made, FileText) else 1
