"""What exactly to put back, and when not to.

By value first: in today's head the old values go back, only where the value is still the promoted
one; later edits of other keys and files are not touched. Where that cannot be done, the merge as a
whole goes back, if it brought nothing else and all of it goes. Else a person is asked.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from pilotage.core import places
from pilotage.core.change import Part, ServiceChange, Write, content_id, files_of, telling
from pilotage.core.model import Merge, MergeMethod, Outcome, Promotion, Sha
from pilotage.core.wording import listed
from pilotage.edit import Plain, Source


@dataclass(frozen=True, slots=True)
class ByValue:
    """The whole texts of the files that change, and the services that this puts back."""

    services: tuple[str, ...]
    files: Mapping[str, str | None]
    """None: the file is removed."""


@dataclass(frozen=True, slots=True)
class ByMerge:
    """The merge as a whole goes back, where git can do that; `why` it does not go by value."""

    services: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing left to put back: somebody replaced or restored every value."""

    reason: str


@dataclass(frozen=True, slots=True)
class ByPerson:
    """A person must do it; `commands` say how."""

    reason: str
    commands: str


RevertPlan: TypeAlias = ByValue | ByMerge | Nothing | ByPerson


@dataclass(frozen=True, slots=True)
class ReverseTree:
    """The tree of the base branch's head without what the release's merge brought."""

    tree: Sha


@dataclass(frozen=True, slots=True)
class ReverseConflict:
    """Later work stands on what the merge brought."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MergedMore:
    """The merge did more at these paths than set what was promoted: that is somebody's work."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MergeWithdrawn:
    """The base branch does not contain the merge any more."""


Reverse: TypeAlias = ReverseTree | ReverseConflict | MergedMore | MergeWithdrawn


def plan_revert(
    promotion: Promotion,
    services: Sequence[str],
    texts: Mapping[str, str | None],
    before: Mapping[str, str | None] | None = None,
) -> RevertPlan:
    """`texts` are the promotion's files at today's head of the base branch; `before` those that
    whole files replaced, as they were before the merge."""
    there = [change for change in promotion.changes if still_there(change, texts)]
    chosen = [change for change in there if change.service in services]
    if not chosen:
        return Nothing("the promoted values are no longer there")
    names = tuple(change.service for change in chosen)
    files: dict[str, str | None] = {}
    for change in chosen:
        try:
            left = replace(
                change, writes=tuple(each for each in change.writes if not _is_back(each, files))
            )
            files |= _texts(left, {**texts, **files}, before or {})
        except _NotByValue as refused:
            staying = [change for change in there if change.service not in services]
            return _with_merge(promotion, names, staying, f"{change.service}: {refused}")
    return ByValue(names, files)


def still_there(change: ServiceChange, texts: Mapping[str, str | None]) -> bool:
    return places.hold(telling(change.copied), texts)


class _NotByValue(Exception):
    """Single values are not enough to put a service back."""


def _is_back(write: Write, files: Mapping[str, str | None]) -> bool:
    """Whether another service's revert has put the whole file back already."""
    if write.part is not Part.FILE or write.file not in files:
        return False
    text = files[write.file]
    return write.before == (None if text is None else content_id(text.encode()))


def _texts(
    change: ServiceChange, texts: Mapping[str, str | None], before: Mapping[str, str | None]
) -> dict[str, str | None]:
    """What the promoted values' files become; None: is removed. Raises _NotByValue."""
    changed: dict[str, str | None] = {}
    for write in change.copied:
        if write.part is Part.FILE:
            changed[write.file] = _file_before(write, texts.get(write.file), before)
    values = [write for write in change.copied if write.file not in changed]
    back = [_reversed(write) for write in values]
    new = [write for write, old in zip(back, values, strict=True) if old.before is None]
    present = {file: text for file, text in texts.items() if text is not None}
    try:
        changed |= places.written([write for write in back if write not in new], present, {})
        for write in new:
            text = changed.get(write.file, present[write.file])
            changed[write.file] = places.without(write.place, text or "")
    except places.Refused as refused:
        raise _NotByValue(str(refused)) from None
    return changed


def _reversed(write: Write) -> Write:
    """What was no string gets no quotes, even if the promoted value has some."""
    old = write.before or ""
    was = Source(old) if isinstance(write.before, Plain) else old
    return replace(write, before=write.after, after=was)


def _file_before(write: Write, text: str | None, before: Mapping[str, str | None]) -> str | None:
    """What a whole file replaced, where nobody has edited it since. Raises _NotByValue."""
    if text is None or content_id(text.encode()) != write.after:
        raise _NotByValue(f"{write.file} has changed since it went along as a whole")
    if write.before is None:
        return None
    old = before.get(write.file)
    if old is None or content_id(old.encode()) != write.before:
        raise _NotByValue(f"what {write.file} was before cannot be read")
    return old


def _with_merge(
    promotion: Promotion, names: tuple[str, ...], staying: Sequence[ServiceChange], why: str
) -> ByMerge | ByPerson:
    if not staying:
        return ByMerge(names, why)
    named = ", ".join(change.service for change in staying)
    reason = f"{why}; and the merge cannot go back as a whole, because {named} stays"
    return ByPerson(reason, git_commands(promotion, keep=files_of(staying)))


def by_merge(promotion: Promotion, planned: ByMerge, reverse: Reverse) -> ReverseTree | ByPerson:
    """Whether the merge can go back as a whole, now that its reverse was read."""
    match reverse:
        case ReverseTree():
            return reverse
        case ReverseConflict(paths=paths):
            reason = f"{planned.why}; and later work on {listed(paths)} conflicts with the reverse"
            return ByPerson(f"{reason} of the merge", git_commands(promotion, mend=paths))
        case MergedMore(paths=paths):
            reason = f"{planned.why}; and the merge brought more than what was promoted, in "
            promoted = files_of(promotion.changes)
            keep = [path for path in paths if path not in promoted]
            return ByPerson(reason + listed(paths), git_commands(promotion, keep=keep))
        case MergeWithdrawn():
            reason = f"{planned.why}; and the branch no longer contains the merge"
            return ByPerson(reason, git_commands(promotion))
        case _ as never:
            assert_never(never)


def beyond_promoted(
    changes: Sequence[ServiceChange],
    paths: Iterable[str],
    before: Mapping[str, str | None],
    after: Mapping[str, str | None],
) -> tuple[str, ...]:
    """Of the paths that a merge changed those where it did more than set what was promoted.

    `before` and `after` are the promoted files at its parent and at the merge: a file that is not
    there has no entry, one that is no text is None.
    """
    return tuple(path for path in paths if not _only_promoted(changes, path, before, after))


def _only_promoted(
    changes: Sequence[ServiceChange],
    path: str,
    before: Mapping[str, str | None],
    after: Mapping[str, str | None],
) -> bool:
    writes = [write for change in changes for write in change.copied if write.file == path]
    new = after.get(path)
    if not writes or new is None:
        return False
    if path not in before:
        return True
    old = before[path]
    whole = [write.after for write in writes if write.part is Part.FILE]
    if whole:
        return content_id(new.encode()) in whole
    return old is not None and _set_only(writes, path, old, new)


def _set_only(writes: Sequence[Write], path: str, old: str, new: str) -> bool:
    inserted = {write.path for write in writes if write.before is None}
    try:
        text = places.written(writes, {path: old}, {}, create=inserted).get(path, old)
    except places.Refused:
        return False
    return text == new


def git_commands(
    promotion: Promotion, *, keep: Sequence[str] = (), mend: Sequence[str] = ()
) -> str:
    """The commands that put the merge back, but for the files to `keep`; `mend` are conflicts."""
    assert promotion.merge is not None, "what is put back was merged"
    what = _revision(promotion.merge)
    if mend:
        add = f"git add -- {shlex.join(mend)}"
        return f"git revert {what}; mend the files; {add} && git revert --continue && git push"
    if keep:
        restore = f"git restore --staged --worktree --source=HEAD -- {shlex.join(keep)}"
        return f"git revert --no-commit {what} && {restore} && git commit && git push"
    return f"git revert {what} && git push"


def _revision(merge: Merge) -> str:
    """What `git revert` is told; a push may have been of a merge commit."""
    match merge.method:
        case MergeMethod.MERGE | MergeMethod.PUSH:
            return f"-m 1 {merge.sha}"
        case MergeMethod.SQUASH:
            return merge.sha
        case MergeMethod.REBASE:
            return f"{merge.parent}..{merge.sha}"
        case _ as never:
            assert_never(never)


def to_put_back(promotion: Promotion, failed: Sequence[str], *, together: bool) -> tuple[str, ...]:
    """Which services go back when these failed; what was overtaken or is back already stays."""
    untouchable = {Outcome.OVERTAKEN, Outcome.REVERTED, Outcome.REVERTING}
    chosen = promotion.services if together else failed
    return tuple(
        service for service in chosen if promotion.outcomes.get(service) not in untouchable
    )
