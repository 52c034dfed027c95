"""Set, delete and read values by path: text in, text out, every other byte as it was."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypedDict, Unpack

from pilotage.edit.block import rewrite_block
from pilotage.edit.event import Event, Kind
from pilotage.edit.find import Document, Found, Lost, Missing, find
from pilotage.edit.grow import begin_document, create_entry
from pilotage.edit.judge import Splice, apply, entry_around
from pilotage.edit.path import Index, Key, Step, format_path
from pilotage.edit.prune import delete_entry
from pilotage.edit.refused import EditRefused
from pilotage.edit.scalar import Plain, Source, check_tag, meaning, write
from pilotage.edit.stream import BOM, Language, Stream, read

# An anchor, a tag, and a comment between them and the value.
_PROPERTIES = re.compile(r"(?:[&!]\S*(?:\s+|$)|#[^\r\n]*\s+)*")


class Where(TypedDict, total=False):
    """Which text is meant.

    `document`: its index from 0, or what it must hold ("kind=Deployment,metadata.name=shop", or
    the same as a mapping). Without it the path must exist in one document only.
    `language`: else strict JSON is taken for JSON and the rest for YAML.
    """

    document: Document | None
    language: Language | None


class Allowed(Where, total=False):
    """What an edit may do beyond replacing a value; all is False unless given.

    `block_scalars`: rewrite the lines of a `|` or `>`. `shared`: edit what aliases repeat, and so
    change it there too.
    """

    block_scalars: bool
    shared: bool


@dataclass(frozen=True, slots=True)
class Scalar:
    """One scalar of a text: where it is, what it means, and exactly how it is written.

    `start` is the character of the text at which `source` begins.
    """

    path: str
    value: str
    line: int
    document: int
    start: int
    source: Source


def set_value(
    text: str, path: str, value: str, *, create: bool = False, **options: Unpack[Allowed]
) -> str:
    """`text` with the scalar at `path` replaced by `value`, and no other byte changed.

    The quotes stay as they are. A plain value gets quotes if `value` without them would be
    something else than this string to YAML 1.1 or 1.2; `Plain` writes a number, a boolean or null
    ("" empties the value), and `Source` puts back what a file held. `create` adds missing keys of
    mappings. The result has been read again by two readers and differs at `path` only.

    Raises EditRefused, with path, line and reason, for whatever is not safe: a missing path, a
    mapping or a sequence, an alias, a merge key, a key that stands twice, a block scalar, a text
    that is too large, too deep or broken.
    """
    return set_values(text, {path: value}, create=create, **options)


def set_values(
    text: str, values: Mapping[str, str], *, create: bool = False, **options: Unpack[Allowed]
) -> str:
    """`set_value` for several paths of one text at once: if one is refused, all are."""
    stream = read(text, options.get("language"))
    if create and values and not stream.roots:
        first = next(iter(values))
        text = _with_mark(text, begin_document(stream, first, values[first]))
        stream = read(text, options.get("language"))
    splices: list[Splice] = []
    missing: list[str] = []
    for path, value in values.items():
        found = find(stream, path, options.get("document"))
        if isinstance(found, Found):
            splices += _replace(stream, path, found, value, options)
        elif create:
            missing.append(path)
        else:
            raise _absent(found)
    if splices:
        text = _with_mark(text, apply(stream, splices))
    for path in missing:
        stream = read(text, options.get("language"))
        found = find(stream, path, options.get("document"))
        if isinstance(found, Found):
            raise EditRefused("another of the edits has created it", path=path)
        _check_shared(stream, path, found, options)
        text = _with_mark(text, apply(stream, [create_entry(stream, found, values[path])]))
    return text


def delete_value(text: str, path: str, **options: Unpack[Allowed]) -> str:
    """`text` without the entry of the scalar at `path`, its line and the comment on that line.

    Raises EditRefused as `set_value` does, and where the entry is the only one of a block
    collection, which would turn into null.
    """
    stream = read(text, options.get("language"))
    found = find(stream, path, options.get("document"))
    if isinstance(found, Lost):
        raise _absent(found)
    event = _scalar(stream, path, found)
    _check_block(event, path, options)
    _check_shared(stream, path, found, options)
    return _with_mark(text, apply(stream, [delete_entry(stream, path, found)]))


def _with_mark(text: str, new: str) -> str:
    return BOM + new if text.startswith(BOM) else new


def _absent(missing: Lost) -> EditRefused:
    nearest = f"; the nearest path that exists is {missing.nearest}" if missing.steps else ""
    return EditRefused(
        f"nothing is there{nearest}",
        path=missing.path,
        line=missing.line,
        nearest=missing.nearest,
    )


def _replace(
    stream: Stream, path: str, found: Found, value: str, options: Allowed
) -> Iterator[Splice]:
    event = _scalar(stream, path, found)
    _check_block(event, path, options)
    _check_shared(stream, path, found, options)
    if not isinstance(value, Source) and _means(event, value):
        return
    start, end = _body(stream, event), event.end
    flow = any(stream.events[parent].style == "{" for parent, _ in found.parents)
    try:
        if event.style in ("|", ">") and not isinstance(value, Source):
            check_tag(value, event)
            written = rewrite_block(stream.text[start:end], value)
        else:
            written = write(value, event, flow=flow, is_json=stream.language == "json")
        if stream.text[start:end] == written:
            return
        new = _meant(event, value, written, stream.language)
        if start == end:
            written = _after_colon(stream, start, written, event)
        elif not written and not flow and stream.text[start - 1 : start] == " ":
            start -= 1
    except EditRefused as error:
        raise EditRefused(error.reason, path=path, line=event.line + 1) from None
    first, last = entry_around(stream, found.parents, found.at)
    strings = not isinstance(value, Plain | Source)
    yield Splice(path, start, end, written, found.at, found.at + 1, (new,), first, last, strings)


def _means(event: Event, value: str) -> bool:
    is_string = bool(event.style) or not isinstance(meaning(event), Plain)
    return value == event.value and (is_string or isinstance(value, Plain))


def _meant(event: Event, value: str, written: str, language: Language) -> Event:
    style = written.lstrip()[:1]
    if isinstance(value, Source):
        value = _source_value(value, language)
    return event._replace(value=str(value), style=style if style in "'\"|>" else "")


def _after_colon(stream: Stream, at: int, written: str, event: Event) -> str:
    before = stream.text[max(at - 100, 0) : at]
    if before.rstrip()[-1:] not in ("", ":", "-") and event.anchor is None and event.tag is None:
        raise EditRefused("nothing stands there, not even a colon to write a value after")
    return " " + written if before and not before[-1].isspace() else written


def _source_value(source: Source, language: Language) -> str:
    """What a scalar written as `source` means. Raises EditRefused if it is not just a scalar."""
    if not source:
        return ""
    refused = EditRefused(f"{source[:40]!r} is not how one value is written")
    try:
        text = f"[{source}]" if language == "json" else f"- {source}"
        _, _, event, *others = read(text, language).events
    except (EditRefused, ValueError):
        raise refused from None
    begin = len("[") if language == "json" else len("- ")
    is_all = event.start == begin and event.end == begin + len(source)
    if len(others) > 2 or event.kind is not Kind.SCALAR or event.anchor or event.tag or not is_all:
        raise refused
    return event.value


def _check_block(event: Event, path: str, options: Allowed) -> None:
    if event.style in ("|", ">") and not options.get("block_scalars"):
        raise EditRefused(
            f"it is a block scalar ({event.style}), whose lines stay as they are",
            path=path,
            line=event.line + 1,
            option="block_scalars",
        )


def _check_shared(stream: Stream, path: str, found: Found | Lost, options: Allowed) -> None:
    around = (found.at, *(parent for parent, _ in found.parents))
    aliases = (_alias_of(stream, at) for at in around) if not options.get("shared") else ()
    for alias in filter(None, aliases):
        raise EditRefused(
            f"the alias *{stream.events[alias].anchor} on line {stream.line(alias)} repeats it, so"
            " that it would change there too",
            path=path,
            line=stream.line(found.at),
            option="shared",
        )


def _alias_of(stream: Stream, at: int) -> int | None:
    """The first alias that repeats what begins at `at`: an anchor holds until it is set again."""
    anchor = stream.events[at].anchor
    if anchor is None:
        return None
    same = (
        each for each in range(at + 1, len(stream.events)) if stream.events[each].anchor == anchor
    )
    first = next(same, None)
    is_alias = first is not None and stream.events[first].kind is Kind.ALIAS
    return first if is_alias else None


def _scalar(stream: Stream, path: str, found: Found) -> Event:
    event = stream.events[found.at]
    if event.kind is Kind.SCALAR:
        return event
    reason = f"it is a {event.kind.value}, not a single value"
    if event.kind is Kind.ALIAS:
        reason = f"it is the alias *{event.anchor}; edit it where its anchor stands"
    raise EditRefused(reason, path=path, line=event.line + 1)


def read_value(text: str, path: str, **where: Unpack[Where]) -> str | Missing:
    """The scalar at `path`: a string, `Plain` if it is none (then its text), or `Missing`.

    An alias is read as what its anchor holds. Raises EditRefused as `set_value` does for what
    cannot be read with certainty.
    """
    return read_values(text, [path], **where)[path]


def read_values(
    text: str, paths: Iterable[str], **where: Unpack[Where]
) -> dict[str, str | Missing]:
    """`read_value` for many paths of one text, which is parsed once."""
    stream = read(text, where.get("language"))
    return {path: _value(stream, path, where.get("document")) for path in paths}


def find_line(text: str, path: str, **where: Unpack[Where]) -> int | Missing:
    """The line, from 1, on which the value at `path` begins. Raises EditRefused."""
    stream = read(text, where.get("language"))
    found = find(stream, path, where.get("document"))
    return found.public() if isinstance(found, Lost) else stream.line(found.at)


def _value(stream: Stream, path: str, document: Document | None) -> str | Missing:
    found = find(stream, path, document)
    if isinstance(found, Lost):
        return found.public()
    event = stream.events[found.at]
    if event.kind is Kind.ALIAS:
        event = _anchored(stream, found.at) or event
    return meaning(_scalar(stream, path, found) if event.kind is not Kind.SCALAR else event)


def _anchored(stream: Stream, alias: int) -> Event | None:
    name = stream.events[alias].anchor
    before = stream.events[alias - 1 :: -1]
    return next((event for event in before if _holds(event, name)), None)


def _holds(event: Event, anchor: str | None) -> bool:
    return event.kind is not Kind.ALIAS and event.anchor == anchor


def scalars(text: str, *, language: Language | None = None) -> list[Scalar]:
    """Every scalar of `text` that has a path, in order. Raises EditRefused.

    Left out is what no path names: aliases, merged mappings, and what stands under a key that is
    itself a collection.
    """
    stream = read(text, language)
    mark = len(text) - len(stream.text)
    found: list[Scalar] = []
    for document, root in enumerate(stream.roots):
        rest: list[tuple[tuple[Step, ...], int]] = [((), root)]
        while rest:
            steps, at = rest.pop()
            event = stream.events[at]
            if event.kind is Kind.SCALAR:
                start = _body(stream, event)
                source = Source(stream.text[start : event.end])
                place = event.line + 1, document, mark + start
                found.append(Scalar(format_path(steps), meaning(event), *place, source))
            else:
                rest.extend(reversed(list(_children(stream, steps, at))))
    return found


def _children(
    stream: Stream, steps: tuple[Step, ...], at: int
) -> Iterator[tuple[tuple[Step, ...], int]]:
    if stream.events[at].kind is Kind.SEQUENCE:
        for place, item in enumerate(stream.items(at)):
            yield (*steps, Index(place)), item
    elif stream.events[at].kind is Kind.MAPPING:
        for key, value in stream.entries(at):
            name = stream.events[key]
            if name.kind is Kind.SCALAR and not (name.value == "<<" and not name.style):
                yield (*steps, Key(name.value)), value


def _body(stream: Stream, event: Event) -> int:
    """Where a scalar itself begins, after its anchor and its tag."""
    if event.anchor is None and event.tag is None:
        return event.start
    properties = _PROPERTIES.match(stream.text, event.start, event.end)
    return properties.end() if properties else event.start
