"""Removing one entry of a collection."""

import re

from pilotage.edit.find import Found
from pilotage.edit.judge import Splice, entry_around
from pilotage.edit.refused import EditRefused
from pilotage.edit.stream import Stream

_REST_OF_LINE = re.compile(r"[ \t]*(?:(?<=[ \t])#[^\r\n]*)?(?:\r\n|\r|\n|\Z)")
_COMMA = re.compile(r"\s*,\s*")
_DASH = re.compile(r" *- *")
_LAST_BREAK = re.compile(r"(?:\r\n|\r|\n)?\Z")


def delete_entry(stream: Stream, path: str, found: Found) -> Splice:
    """The edit that removes the scalar at `found` with its key, or with its dash.

    Raises EditRefused where a comment of a neighbour, or the collection itself, would go too.
    """
    try:
        start, end = _range(stream, found)
    except EditRefused as error:
        raise EditRefused(error.reason, path=path, line=stream.line(found.at)) from None
    collection, begin = found.parents[-1]
    around = entry_around(stream, found.parents[:-1], collection)
    return Splice(path, start, end, "", begin, found.at + 1, (), *around)


def _range(stream: Stream, found: Found) -> tuple[int, int]:
    if not found.parents:
        raise EditRefused("it is the whole document")
    collection, begin = found.parents[-1]
    if stream.events[collection].style:
        return _in_flow(stream, collection, begin, found.at)
    if stream.close[collection] == found.at + 1 and begin == collection + 1:
        raise EditRefused("it is the only entry there, which would become null without it")
    return _in_block(stream, begin, found.at)


def _in_flow(stream: Stream, collection: int, begin: int, at: int) -> tuple[int, int]:
    """The entry with the comma after it, or with the one before it if it is the last."""
    text, start, end = stream.text, stream.events[begin].start, stream.text_end(at)
    if at + 1 < stream.close[collection]:
        until = stream.events[at + 1].start
        between = text[end:until]
    elif begin == collection + 1:
        return start, end
    else:
        until, start = end, stream.events[begin - 1].end
        between = text[start : stream.events[begin].start]
    if not _COMMA.fullmatch(between):
        raise EditRefused("there is more than a comma between it and its neighbour")
    return start, until


def _in_block(stream: Stream, begin: int, at: int) -> tuple[int, int]:
    text, event = stream.text, stream.events[begin]
    start, end = event.start, stream.text_end(at)
    rest = None if text[end - 1] in "\r\n" else _REST_OF_LINE.match(text, end)
    until = rest.end() if rest else end
    if not rest and text[end - 1] not in "\r\n":
        raise EditRefused("other text follows on its line")
    lead = text[start - event.column : start]
    if not lead.strip(" ") or (begin == at and _DASH.fullmatch(lead)):
        start -= event.column
        if until == len(text) and text[until - 1] not in "\r\n":
            start -= len(_LAST_BREAK.search(text, 0, start)[0])  # type: ignore[index]
        return start, until
    if begin == at or not _DASH.fullmatch(lead):
        raise EditRefused("it shares its line with its parent")
    # The first key of an item: the next key takes its place behind the dash.
    spaces = " " * event.column
    if text[until : until + event.column] != spaces or text[until + event.column] in " #\r\n":
        raise EditRefused("a comment or a blank line stands between it and the next key")
    return start, until + event.column
