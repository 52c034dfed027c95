"""The events that a text is made of, whatever its language and its reader."""

from enum import Enum
from functools import partial
from typing import NamedTuple


class Kind(Enum):
    """What an event begins, ends or is."""

    SCALAR = "single value"
    ALIAS = "alias"
    MAPPING = "mapping"
    MAPPING_END = "end of a mapping"
    SEQUENCE = "sequence"
    SEQUENCE_END = "end of a sequence"
    DOCUMENT = "document"
    DOCUMENT_END = "end of a document"


class Event(NamedTuple):
    """One event: what it means (the first five), and the characters that it covers.

    `style` is the first character of a scalar as written: a quote, "|", ">" or "" for a plain
    one; for a collection "{" in flow style or "". `start` includes an anchor and a tag. `line`
    and `column` are where `start` is, from 0.
    """

    kind: Kind
    value: str = ""
    style: str = ""
    tag: str | None = None
    anchor: str | None = None
    start: int = 0
    end: int = 0
    line: int = 0
    column: int = 0


MEANING = 5
# A quarter of the time of Event(...), which counts with tens of thousands of events.
make_event = partial(tuple.__new__, Event)
