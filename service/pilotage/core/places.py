"""Reading and writing values at their places in the files of an environment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pilotage import edit
from pilotage.core.change import Part, Place, Write, content_id
from pilotage.core.config.load import Problem
from pilotage.core.rollout.watch import Image
from pilotage.edit import image

_SHOWN = 12


@dataclass(frozen=True, slots=True)
class FileText:
    """One file of an environment; `refused` says why it could not be read."""

    path: str
    text: str
    refused: str | None = None
    id: str = ""
    """What git calls its content."""


class Refused(Exception):
    """A value cannot be read or written; `problem` says where and why."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


def shown(place: Place, value: str) -> str:
    """The value as a version: of a whole file, the beginning of its id."""
    return value[:_SHOWN] if place.part is Part.FILE else value


def read(places: Iterable[Place], files: Mapping[str, FileText]) -> dict[Place, str]:
    """What stands at these places. Raises Refused where one of them cannot be read."""
    asked = list(places)
    found: dict[Place, str] = {}
    for (file, document), group in _grouped(asked).items():
        known = files.get(file)
        if known is None:
            raise Refused(Problem(file, None, "", "there is no such file"))
        if known.refused is not None:
            raise Refused(Problem(file, None, "", known.refused))
        found |= _read(known, document, group)
    return {place: found[place] for place in asked}


def is_absent(place: Place, files: Mapping[str, FileText]) -> bool:
    """Whether the file can be read, and no such value is in it."""
    known = files.get(place.file)
    if place.part is Part.FILE or known is None or known.refused is not None:
        return False
    try:
        found = edit.read_value(known.text, place.path, document=place.document)
    except edit.EditRefused:
        return _is_empty(known.text)
    return isinstance(found, edit.Missing)


def _is_empty(text: str) -> bool:
    """Whether there is nothing in it, or comments alone."""
    return all(not line.strip() or line.lstrip()[0] == "#" for line in text.splitlines())


def _read(file: FileText, document: str | int | None, places: Sequence[Place]) -> dict[Place, str]:
    found = {each: content_id(file.text.encode()) for each in places if each.part is Part.FILE}
    rest = [each for each in places if each.part is not Part.FILE]
    if not rest:
        return found
    try:
        present = edit.read_values(file.text, [each.path for each in rest], document=document)
        for place in rest:
            found[place] = _part(file, place, present[place.path])
    except edit.EditRefused as refused:
        raise Refused(_problem(file.path, refused)) from None
    return found


def _part(file: FileText, place: Place, value: str | edit.Missing) -> str:
    if isinstance(value, edit.Missing):
        nearest = "" if value.nearest in ("", ".") else f"; only {value.nearest} is there"
        raise Refused(
            Problem(file.path, value.line, place.path, f"there is no such value{nearest}")
        )
    if place.part is Part.VALUE:
        return value
    try:
        return _version_of(value)
    except edit.EditRefused as refused:
        line = edit.find_line(file.text, place.path, document=place.document)
        at = line if isinstance(line, int) else line.line
        reason = f"{refused.reason}; `copy` promotes a value that is no image"
        raise Refused(Problem(file.path, at, place.path, reason)) from None


def _version_of(value: str) -> str:
    found = image.parse(value)
    digest = f"@{found.digest}" if found.digest is not None else ""
    if found.tag is None and not digest:
        raise edit.EditRefused(f"{value[:80]!r} has neither a tag nor a digest")
    return f"{found.tag or ''}{digest}"


def present(places: Sequence[Place], files: Mapping[str, str | None]) -> dict[Place, str] | None:
    """What stands at these places, or None where one cannot be read; None is no such file."""
    known = {path: FileText(path, text) for path, text in files.items() if text is not None}
    try:
        return read(places, known)
    except Refused:
        return None


def hold(writes: Sequence[Write], files: Mapping[str, str | None]) -> bool:
    """Whether every promoted value stands in these files (None: the file is not there)."""
    found = present([write.place for write in writes], files)
    return found is not None and all(found[write.place] == write.after for write in writes)


def images(writes: Sequence[Write], files: Mapping[str, str | None]) -> tuple[Image, ...]:
    """The whole images that promoted tags and digests are part of, as these files have them.

    Not those of a CronJob: no pod has one until it is time, and another workload may run the old.
    """
    named = [
        write for write in writes if write.part is Part.IMAGE and "jobTemplate" not in write.path
    ]
    if not hold(named, files):
        return ()
    whole = {write: replace(write.place, part=Part.VALUE) for write in named}
    found = present(tuple(whole.values()), files) or {}
    return tuple(
        Image(found[place], _with_version(found[place], write.before) if write.before else "")
        for write, place in whole.items()
    )


def written(
    writes: Sequence[Write],
    files: Mapping[str, str],
    contents: Mapping[str, str],
    *,
    create: Collection[str] = (),
) -> dict[str, str]:
    """The files that change, as they will be. Raises Refused; then nothing is to be written.

    `contents` are the texts of whole files by the id that a write names; `create` are the paths
    that may be inserted.
    """
    changed: dict[str, str] = {}
    for write in writes:
        if write.part is Part.FILE and write.before != write.after:
            changed[write.file] = contents[write.after]
    values = [write for write in writes if write.part is not Part.FILE]
    for (file, document), group in _grouped(write.place for write in values).items():
        text = changed.get(file, files.get(file))
        if text is None:
            raise Refused(Problem(file, None, "", "there is no such file"))
        wanted = {write.place: write.after for write in values if write.place in group}
        try:
            changed[file] = _set(text, document, wanted, create)
        except edit.EditRefused as refused:
            raise Refused(_problem(file, refused)) from None
    return {file: text for file, text in changed.items() if text != files.get(file)}


def without(place: Place, text: str) -> str:
    """The file without a value that was inserted. Raises Refused."""
    try:
        return edit.delete_value(text, place.path, document=place.document)
    except edit.EditRefused as refused:
        raise Refused(_problem(place.file, refused)) from None


def _set(
    text: str,
    document: str | int | None,
    wanted: Mapping[Place, str],
    create: Collection[str],
) -> str:
    found = edit.read_values(text, [place.path for place in wanted], document=document)
    values = {}
    for place, value in wanted.items():
        old = found[place.path]
        if place.part is Part.VALUE:
            values[place.path] = value
        elif isinstance(old, edit.Missing):
            raise edit.EditRefused("there is no such value", path=place.path, line=old.line)
        elif _version_of(old) != value:
            values[place.path] = _with_version(old, value)
    changed = {path: value for path, value in values.items() if found[path] != value}
    new = {path: changed.pop(path) for path in create if path in changed}
    text = edit.set_values(text, changed, document=document) if changed else text
    return edit.set_values(text, new, create=True, document=document) if new else text


def _with_version(reference: str, version: str) -> str:
    tag, _, digest = version.partition("@")
    if not tag:
        return image.replace_digest(reference, digest)
    return image.replace_tag(reference, tag, digest=digest or None)


def _grouped(places: Iterable[Place]) -> dict[tuple[str, str | int | None], list[Place]]:
    """By what is parsed at once."""
    groups: dict[tuple[str, str | int | None], list[Place]] = {}
    for place in places:
        groups.setdefault((place.file, place.document), []).append(place)
    return groups


def _problem(file: str, refused: edit.EditRefused) -> Problem:
    return Problem(file, refused.line, refused.path or "", refused.reason)
