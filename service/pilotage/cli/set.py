"""`pilotage set`: one value of one YAML or JSON file, every other byte as it was."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilotage.cli.diff import print_diff, unified
from pilotage.cli.file import MOST_BYTES, TextFile, decoded, read_file
from pilotage.cli.output import AsJson, Exit, fail, print_json, say
from pilotage.core.wording import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotage.edit import Allowed, EditRefused, Missing, Where

_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,14})")
_BOOLEAN = re.compile(r"true|false")
_QUOTED_WORD = re.compile(r'="([A-Za-z0-9_-]+)"\]')
_SHOWN = 80
_ALIKE = 0.75
"""Below that, a key that is to be added looks like its neighbours."""
_MOST_COMPARED = 2000
"""Values whose paths are compared with one that is not there."""


class Part(Enum):
    """Which part of an image reference VALUE is."""

    TAG = "tag"
    DIGEST = "digest"


class Type(Enum):
    """How VALUE is written."""

    TEXT = "text"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class _Change:
    """What is asked for. `value` is None for a deletion."""

    path: str
    value: str | None
    part: Part | None
    type_: Type | None
    insert: bool
    allowed: Allowed


@dataclass(frozen=True, slots=True)
class _Edited:
    """The text after the edit; None stands for a value that is not there."""

    text: str
    line: int
    before: str | None
    after: str | None


File = Annotated[
    Path, typer.Argument(metavar="FILE", help="A YAML or JSON file; - is stdin to stdout.")
]
ValuePath = Annotated[
    str,
    typer.Argument(
        metavar="PATH", help='Which value: a.b[0].c, a[name=app].b, a["a key with dots"].'
    ),
]
Value = Annotated[str | None, typer.Argument(metavar="VALUE", help="What to write.")]
Document = Annotated[
    str | None,
    typer.Option(
        metavar="WHICH",
        help="Which document: its index from 0, or kind=Deployment,metadata.name=shop.",
    ),
]
Image = Annotated[Part | None, typer.Option(help="Replace only this part of an image reference.")]
Written = Annotated[
    Type | None,
    typer.Option(
        "--type", help="text: a string; plain: without quotes, read as what it looks like."
    ),
]
Insert = Annotated[bool, typer.Option("--insert", help="Add the keys that are missing.")]
Delete = Annotated[bool, typer.Option("--delete", help="Remove the entry.")]
BlockScalars = Annotated[
    bool, typer.Option("--block-scalars", help="Rewrite the lines of a | or >.")
]
Shared = Annotated[
    bool, typer.Option("--shared", help="Change what aliases repeat, and so there too.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the change as a diff, and write nothing.")
]


def set_one(
    file: File,
    path: ValuePath,
    value: Value = None,
    document: Document = None,
    image: Image = None,
    type_: Written = None,
    insert: Insert = False,
    delete: Delete = False,
    block_scalars: BlockScalars = False,
    shared: Shared = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Set one value of a file.

    Every byte outside the value stays: quotes, comments, line ends. The result is read again
    before it is written, and what cannot be done safely is refused.

    Exit code 1: it was refused, and nothing was written.
    """
    _check_use(value, delete=delete, insert=insert, image=image, type_=type_)
    allowed: Allowed = {"block_scalars": block_scalars, "shared": shared}
    if document is not None:
        allowed["document"] = int(document) if document.isdecimal() else document
    if file.suffix == ".json":
        allowed["language"] = "json"
    change = _Change(path, None if delete else value, image, type_, insert, allowed)
    found = None if str(file) == "-" else read_file(file)
    text = decoded("stdin", sys.stdin.buffer.read(MOST_BYTES + 1)) if found is None else found.text
    edited = _edit("stdin" if found is None else str(file), text, change)
    _answer(found, text, edited, path, dry_run=dry_run, as_json=as_json)


def _check_use(
    value: str | None, *, delete: bool, insert: bool, image: Part | None, type_: Type | None
) -> None:
    if delete and (value is not None or insert or image or type_):
        fail("--delete takes a FILE and a PATH, no VALUE and nothing about one", Exit.USAGE)
    if value is None and not delete:
        fail("say which VALUE to write, or --delete", Exit.USAGE)
    if image and (insert or type_):
        fail("--image replaces a part of what is there: no --insert, no --type", Exit.USAGE)


def _edit(name: str, text: str, change: _Change) -> _Edited:
    from pilotage.edit import EditRefused

    try:
        return _edited(text, change)
    except EditRefused as refused:
        line = f":{refused.line}" if refused.line else ""
        path = f"{refused.path}: " if refused.path else ""
        way_out = f"{_meant(refused, text, change)}{_way_out(refused, change)}"
        fail(f"{name}{line}: {path}{refused.reason}{way_out}", Exit.NO)


def _meant(refused: EditRefused, text: str, change: _Change) -> str:
    """The path of a value that is there and is most like the one that is not."""
    from pilotage import edit

    if refused.nearest is None or change.insert:
        return ""
    try:
        values = {
            (each.document, each.path): each.value
            for each in edit.scalars(text, language=change.allowed.get("language"))
        }
    except edit.EditRefused:
        return ""
    paths = dict.fromkeys(
        path for at in [*values][:_MOST_COMPARED] for path in (_by_name(*at, values), at[1])
    )
    near = nearest(refused.path, paths, _ALIKE)
    return f" (did you mean `{near}`?)" if near else ""


def _by_name(document: int, path: str, values: Mapping[tuple[int, str], str]) -> str:
    """The path with the names of items in place of their indexes, where they have one."""
    from pilotage.edit.path import Index, Match, format_path, parse_path

    steps = parse_path(path)
    named = [
        Match(("name",), values[document, at])
        if isinstance(step, Index)
        and (at := f"{format_path(steps[: count + 1])}.name") != path
        and (document, at) in values
        else step
        for count, step in enumerate(steps)
    ]
    return _QUOTED_WORD.sub(r"=\1]", format_path(named))


def _way_out(refused: EditRefused, change: _Change) -> str:
    """The option that would let it through, if there is one."""
    if refused.option:
        return f"; --{refused.option.replace('_', '-')} edits it all the same"
    if refused.nearest is None or change.value is None or change.insert:
        return ""
    missing = change.path.removeprefix(refused.nearest)
    is_item = missing.startswith("[") and not missing.startswith(('["', "['"))
    return "" if is_item else "; --insert adds keys that are missing"


def _edited(text: str, change: _Change) -> _Edited:
    from pilotage import edit

    path, allowed = change.path, change.allowed
    where: Where = {"document": allowed.get("document"), "language": allowed.get("language")}
    if change.value is None:
        new = edit.delete_value(text, path, **allowed)
        before = edit.read_value(text, path, **where)
        return _Edited(new, _line(text, path, where), _text(before), None)
    is_empty = change.insert and not edit.scalars(text, language=where.get("language"))
    before = edit.Missing(path, ".", 1) if is_empty else edit.read_value(text, path, **where)
    value = _typed(before, change.value, change.type_)
    if change.part is not None and not isinstance(before, edit.Missing):
        try:
            value = _image(before, change.part, change.value)
        except edit.EditRefused as refused:
            line = _line(text, path, where)
            raise edit.EditRefused(refused.reason, path=path, line=line) from None
    new = edit.set_value(text, path, value, create=change.insert, **allowed)
    # In the old text: a match may name the very value that has changed.
    line = _line(new if isinstance(before, edit.Missing) else text, path, where)
    return _Edited(new, line, _text(before), str(value))


def _line(text: str, path: str, where: Where) -> int:
    from pilotage.edit import find_line

    found = find_line(text, path, **where)
    return found if isinstance(found, int) else found.line


def _image(before: str, part: Part, value: str) -> str:
    """A VALUE of TAG@DIGEST gives both."""
    from pilotage.edit.image import replace_digest, replace_tag

    match part:
        case Part.TAG:
            tag, _, digest = value.partition("@")
            return replace_tag(before, tag, digest=digest or None)
        case Part.DIGEST:
            return replace_digest(before, value)


def _typed(before: str | Missing, value: str, type_: Type | None) -> str:
    """A whole number in place of one, or a boolean of one, stays so; all else is a string.

    Not a fraction: after 1.9 comes 1.10, which YAML would read as 1.1. Nor more than 15 digits,
    which JSON and Helm do not hold.
    """
    from pilotage.edit import Plain

    match type_:
        case Type.TEXT:
            return value
        case Type.PLAIN:
            return Plain(value)
        case None:
            same = any(
                isinstance(before, Plain) and kind.fullmatch(before) and kind.fullmatch(value)
                for kind in (_WHOLE, _BOOLEAN)
            )
            return Plain(value) if same else value


def _text(value: str | Missing) -> str | None:
    return str(value) if isinstance(value, str) else None


def _answer(
    file: TextFile | None, text: str, edited: _Edited, path: str, *, dry_run: bool, as_json: bool
) -> None:
    changed = edited.text != text
    if file is not None and changed and not dry_run:
        file.replace(edited.text)
    name = "stdin" if file is None else file.path.as_posix()
    diff = unified(name.lstrip("/"), text, edited.text)
    if as_json:
        written = file is not None and changed and not dry_run
        print_json(_document(name, path, edited, changed=changed, written=written, diff=diff))
    elif dry_run:
        print_diff(diff)
    elif file is None:
        typer.echo(edited.text.encode("utf-8"), nl=False)
    else:
        say(f"{name}:{edited.line}: {path}: {_told(edited, changed=changed)}")


def _document(
    name: str, path: str, edited: _Edited, *, changed: bool, written: bool, diff: str
) -> dict[str, Any]:
    found = {
        "file": name,
        "line": edited.line,
        "path": path,
        "before": edited.before,
        "after": edited.after,
        "changed": changed,
        "written": written,
        "diff": diff,
    }
    return found | ({"text": edited.text} if name == "stdin" else {})


def _told(edited: _Edited, *, changed: bool) -> str:
    before, after = (_short(value) for value in (edited.before, edited.after))
    if not changed:
        return f"is {after} already"
    return f"{before or 'nothing'} -> {after or 'nothing'}"


def _short(value: str | None) -> str:
    """As JSON writes it where that is clearer: empty, of several lines, with spaces."""
    if value is None:
        return ""
    text = value if re.fullmatch(r"[!-~]+", value) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
