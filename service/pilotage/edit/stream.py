"""A text as the flat list of its events.

Events are flat and read in a loop: no depth of nesting can exhaust the stack, and an alias is an
event like any other and is never expanded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from pilotage.edit.event import Event, Kind
from pilotage.edit.json_reader import NotJsonError, json_events
from pilotage.edit.refused import EditRefused
from pilotage.edit.yaml_reader import yaml_events

MAX_CHARACTERS = 4_000_000
MAX_DEPTH = 200
MAX_EVENTS = 250_000
BOM = "\ufeff"

_ENDS = (Kind.MAPPING_END, Kind.SEQUENCE_END)

Language = Literal["yaml", "json"]


@dataclass(frozen=True, slots=True)
class Stream:
    """The events of `text`, which has no byte order mark.

    `close[i]` is where the value that begins at event `i` ends: at `i` itself for a scalar or an
    alias, else at its end event. `roots` are the events where the documents' values begin.
    """

    text: str
    language: Language
    events: list[Event]
    close: list[int]
    roots: list[int]

    def line(self, at: int) -> int:
        """The line of event `at`, from 1."""
        return self.events[at].line + 1

    def text_end(self, at: int) -> int:
        """Where the text of the value at `at` ends.

        libyaml ends a block collection only where the next text begins, so its last value counts.
        """
        last = self.close[at]
        while last > at and self.events[last].kind in _ENDS and not self._has_sign(last):
            last -= 1
        return self.events[last].end

    def _has_sign(self, end: int) -> bool:
        event = self.events[end]
        return event.end - event.start == 1 and self.text[event.start] in "}]"

    def entries(self, mapping: int) -> Iterator[tuple[int, int]]:
        """(event of the key, event of the value) of each entry of a mapping."""
        at, end = mapping + 1, self.close[mapping]
        while at < end:
            value = self.close[at] + 1
            yield at, value
            at = self.close[value] + 1

    def items(self, sequence: int) -> Iterator[int]:
        """The event of each item of a sequence."""
        at, end = sequence + 1, self.close[sequence]
        while at < end:
            yield at
            at = self.close[at] + 1


def read(text: str, language: Language | None = None) -> Stream:
    """The events of `text` without its byte order mark.

    Without `language`, a text that is strict JSON is JSON and any other is YAML. Raises
    EditRefused if it is neither, too large or too deep.
    """
    if len(text) > MAX_CHARACTERS:
        raise EditRefused(f"the text is too large: more than {MAX_CHARACTERS:,} characters")
    text = text.removeprefix(BOM)
    if language == "json" or (language is None and text.lstrip(" \t\r\n")[:1] in ("{", "[")):
        try:
            return _collect(text, "json")
        except NotJsonError:
            if language == "json":
                raise
    return _collect(text, "yaml")


def _collect(text: str, language: Language) -> Stream:
    events: list[Event] = []
    close: list[int] = []
    roots: list[int] = []
    open_at: list[int] = []
    reader = json_events if language == "json" else yaml_events
    for at, event in enumerate(islice(reader(text), MAX_EVENTS + 1)):
        events.append(event)
        close.append(at)
        kind = event[0]
        if kind is Kind.SCALAR:
            continue
        if kind is Kind.MAPPING or kind is Kind.SEQUENCE:
            open_at.append(at)
        elif kind is Kind.MAPPING_END or kind is Kind.SEQUENCE_END:
            close[open_at.pop()] = at
        elif kind is Kind.DOCUMENT:
            roots.append(at + 1)
        if len(open_at) > MAX_DEPTH:
            raise EditRefused(
                f"the text is nested too deeply: more than {MAX_DEPTH} levels", line=event.line + 1
            )
    if len(events) > MAX_EVENTS:
        raise EditRefused(f"the text is too large: more than {MAX_EVENTS:,} keys and values")
    return Stream(text, language, events, close, roots)
