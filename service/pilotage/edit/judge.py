"""Whether a changed text means what was asked for and nothing else.

Two judges. libyaml reads the whole new text (the strict JSON reader, if it is JSON), and its
events must be the old ones but for those that were replaced. And an independent reader, ruamel.yaml
or Python's json, must read the entry that was changed in the same way, with strings that are
strings by YAML 1.1 and by 1.2. ruamel.yaml is fifty times slower, so it sees the entry's lines
only; that they are whole is what the first judge has shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from yaml import AliasEvent, Event, ScalarEvent

from .refused import EditRefused
from .stream import BOM, Stream, events_of


@dataclass(frozen=True, slots=True)
class Splice:
    """Characters `start` to `end` replaced by `text`, and what that does to the events.

    The events from `at` up to `upto` become `events`.
    """

    path: str
    start: int
    end: int
    text: str
    at: int
    upto: int
    events: tuple[Event, ...]


def apply(stream: Stream, splices: Sequence[Splice]) -> str:
    """The text after all `splices`, judged. Raises EditRefused."""
    ordered = sorted(splices, key=lambda splice: splice.start)
    parts, done = [], 0
    for splice in ordered:
        if splice.start < done:
            raise EditRefused("two of the edits touch the same place", path=splice.path)
        parts += [stream.text[done : splice.start], splice.text]
        done = splice.end
    new = "".join([*parts, stream.text[done:]])
    _compare(stream, ordered, new)
    return new


def _compare(stream: Stream, splices: Sequence[Splice], new: str) -> None:
    expected: list[Event] = []
    done = 0
    for splice in splices:
        expected += stream.events[done : splice.at]
        expected += splice.events
        done = splice.upto
    expected += stream.events[done:]
    try:
        count = 0
        for count, (want, got) in enumerate(
            zip(expected, events_of(new, stream.language), strict=True), start=1
        ):
            if not same(want, got):
                raise _refuse(splices, f"line {got.start_mark.line + 1} would change its meaning")
    except EditRefused as error:
        if error.path:
            raise
        raise _refuse(splices, f"the text would no longer be read ({error})") from None
    except ValueError:
        raise _refuse(splices, f"the text would gain or lose values after event {count}") from None


def _refuse(splices: Sequence[Splice], reason: str) -> EditRefused:
    return EditRefused(f"not edited: {reason}", path=", ".join(s.path for s in splices))


def same(one: Event, other: Event) -> bool:
    """Whether two events mean the same, wherever they stand."""
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is ScalarEvent:
        return bool(
            one.value == other.value
            and one.style == other.style
            and one.tag == other.tag
            and one.anchor == other.anchor
        )
    if kind is AliasEvent:
        return bool(one.anchor == other.anchor)
    anchor = getattr(one, "anchor", None)
    return bool(
        anchor == getattr(other, "anchor", None)
        and getattr(one, "tag", None) == getattr(other, "tag", None)
        and getattr(one, "flow_style", None) == getattr(other, "flow_style", None)
    )


__all__ = ["BOM", "Splice", "apply", "same"]
