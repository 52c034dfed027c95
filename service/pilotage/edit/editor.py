"""Set and read values by path: text in, text out, every other byte as it was."""

import re
from collections.abc import Iterable, Mapping
from typing import TypedDict, Unpack

from yaml import AliasEvent, MappingStartEvent, ScalarEvent

from .find import Document, Missing, find
from .judge import Splice, apply
from .refused import EditRefused
from .scalar import meaning, write
from .stream import BOM, Language, Stream, read

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")


class Where(TypedDict, total=False):
    """Which document of the text, and its language if that is not to be guessed."""

    document: Document | None
    language: Language | None


def set_value(text: str, path: str, value: str, **options: Unpack[Where]) -> str:
    """`text` with the scalar at `path` replaced by `value`. Raises EditRefused."""
    return set_values(text, {path: value}, **options)


def set_values(text: str, values: Mapping[str, str], **options: Unpack[Where]) -> str:
    """The same for several paths at once; one refused is all refused."""
    stream = read(text, options.get("language"))
    splices = [
        splice
        for path, value in values.items()
        if (splice := _replace(stream, path, value, options.get("document")))
    ]
    return text if not splices else _bom(text) + apply(stream, splices)


def _bom(text: str) -> str:
    return BOM if text.startswith(BOM) else ""


def _replace(stream: Stream, path: str, value: str, document: Document | None) -> Splice | None:
    found = find(stream, path, document)
    if isinstance(found, Missing):
        raise EditRefused(
            f"nothing is there; the nearest that exists is {found.nearest}",
            path=path,
            line=found.line,
            nearest=found.nearest,
        )
    event = _scalar(stream, found.at, path)
    if event.style in ("|", ">"):
        raise EditRefused("it is a block scalar", path=path, line=stream.line(found.at))
    start, end = event.start_mark.index, event.end_mark.index
    skipped = _PROPERTIES.match(stream.text, start, end)
    if skipped and (event.anchor or event.tag):
        start = skipped.end()
    flow = any(stream.events[parent].flow_style for parent, _ in found.parents)
    written = write(
        value, style=event.style, tag=event.tag, flow=flow, is_json=stream.language == "json"
    )
    if stream.text[start:end] == written:
        return None
    lead = " " if start == end else ""
    new = ScalarEvent(
        event.anchor,
        event.tag,
        event.implicit,
        str(value),
        None,
        None,
        style=written[:1] if written[:1] in ("'", '"') else "",
    )
    return Splice(path, start, end, lead + written, found.at, found.at + 1, (new,))


def _scalar(stream: Stream, at: int, path: str) -> ScalarEvent:
    event = stream.events[at]
    if isinstance(event, ScalarEvent):
        return event
    kind = "mapping" if isinstance(event, MappingStartEvent) else "sequence"
    reason = (
        f"it is the alias *{event.anchor}" if isinstance(event, AliasEvent) else f"it is a {kind}"
    )
    raise EditRefused(f"{reason}, not a single value", path=path, line=stream.line(at))


def read_value(text: str, path: str, **options: Unpack[Where]) -> str | Missing:
    """The scalar at `path`: a string, `Plain` if it is none, or `Missing`. Raises EditRefused."""
    return read_values(text, [path], **options)[path]


def read_values(
    text: str, paths: Iterable[str], **options: Unpack[Where]
) -> dict[str, str | Missing]:
    """The scalars at all `paths` from one parse; what is absent is `Missing`."""
    stream = read(text, options.get("language"))
    return {path: _value(stream, path, options.get("document")) for path in paths}


def _value(stream: Stream, path: str, document: Document | None) -> str | Missing:
    found = find(stream, path, document)
    if isinstance(found, Missing):
        return found
    event = _scalar(stream, found.at, path)
    return meaning(event.value, event.style, event.tag)
