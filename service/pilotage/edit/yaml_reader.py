"""YAML as libyaml reads it, as events."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import yaml
from yaml import YAMLError
from yaml.cyaml import CParser  # type: ignore[attr-defined] # no libyaml: say so at import

from pilotage.edit.event import MEANING, Event, Kind, make_event
from pilotage.edit.refused import EditRefused

_KINDS = {
    yaml.MappingStartEvent: Kind.MAPPING,
    yaml.MappingEndEvent: Kind.MAPPING_END,
    yaml.SequenceStartEvent: Kind.SEQUENCE,
    yaml.SequenceEndEvent: Kind.SEQUENCE_END,
    yaml.AliasEvent: Kind.ALIAS,
    yaml.DocumentStartEvent: Kind.DOCUMENT,
    yaml.DocumentEndEvent: Kind.DOCUMENT_END,
}


def yaml_events(text: str) -> Iterator[Event]:
    """The events of `text`, which has no byte order mark (libyaml would not count it).

    Raises EditRefused with the line where libyaml stops.
    """
    scalar: Any = yaml.ScalarEvent
    scalar_kind, kinds = Kind.SCALAR, _KINDS
    with _refusing(text):
        get: Callable[[], Any] = CParser(text).get_event
        while (event := get()) is not None:
            start = event.start_mark
            if type(event) is scalar:
                yield make_event(
                    (
                        scalar_kind,
                        event.value,
                        event.style,
                        event.tag,
                        event.anchor,
                        start.index,
                        event.end_mark.index,
                        start.line,
                        start.column,
                    )
                )
            elif kind := kinds.get(type(event)):
                place = (start.index, event.end_mark.index, start.line, start.column)
                yield make_event((*_meaning(kind, event), *place))


def yaml_difference(text: str, wanted: Sequence[Event]) -> int | None:
    """The line, from 1, of the first event of `text` that does not mean what is wanted.

    It is the same as comparing with `yaml_events`, in half the time. Raises EditRefused.
    """
    scalar: Any = yaml.ScalarEvent
    scalar_kind, kinds = Kind.SCALAR, _KINDS
    rest = iter(wanted)
    line = 1
    with _refusing(text):
        get: Callable[[], Any] = CParser(text).get_event
        while (event := get()) is not None:
            if type(event) is scalar:
                want = next(rest, None)
                if (
                    want is None
                    or want[1] != event.value
                    or want[0] is not scalar_kind
                    or want[2] != event.style
                    or want[3] != event.tag
                    or want[4] != event.anchor
                ):
                    return int(event.start_mark.line) + 1
            elif kind := kinds.get(type(event)):
                line = event.start_mark.line + 1
                want = next(rest, None)
                if want is None or want[:MEANING] != _meaning(kind, event):
                    return int(line)
    return None if next(rest, None) is None else int(line)


def yaml_count(text: str) -> int:
    """The number of the events of `text`, in a tenth of the time of reading them."""
    with _refusing(text):
        # Not counted here: the begin and the end of the stream, which are no events of ours.
        return int(CParser(text).raw_parse()) - 2
    raise AssertionError("unreachable")


@contextmanager
def _refusing(text: str) -> Iterator[None]:
    try:
        yield
    except YAMLError as error:
        raise _refusal(text, error) from None
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise EditRefused("the text has half of a surrogate pair", line=line) from None


def _meaning(kind: Kind, event: Any) -> tuple[Kind, str, str, str | None, str | None]:
    if kind is Kind.MAPPING or kind is Kind.SEQUENCE:
        return kind, "", "{" if event.flow_style else "", event.tag, event.anchor
    return kind, "", "", None, event.anchor if kind is Kind.ALIAS else None


def _around(text: str, index: int) -> str:
    """The line at `index`, and the one before it: a problem is often seen behind its place."""
    before = text.rfind("\n", 0, max(text.rfind("\n", 0, index), 0)) + 1
    end = text.find("\n", index)
    return text[before : end if end >= 0 else None]


def _refusal(text: str, error: YAMLError) -> EditRefused:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        problem = getattr(error, "problem", None) or "a syntax error"
        if text[mark.index : mark.index + 1] == "\t":
            problem = "a tab stands where only spaces may"
        what = ", but a template ({{ }})" if "{{" in _around(text, mark.index) else ""
        return EditRefused(f"not YAML{what}: {problem}", line=mark.line + 1)
    position = getattr(error, "position", None)
    line = text.encode()[:position].count(b"\n") + 1 if isinstance(position, int) else None
    return EditRefused(f"not YAML: {getattr(error, 'reason', 'it cannot be read')}", line=line)
