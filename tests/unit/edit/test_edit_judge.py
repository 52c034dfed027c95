"""The judges: an edit that would do more than was asked for is found and refused."""

from collections.abc import Callable, Sequence

import pytest

from pilotage.edit import EditRefused
from pilotage.edit.event import Event, Kind
from pilotage.edit.json_reader import json_difference
from pilotage.edit.judge import Splice, apply
from pilotage.edit.stream import Stream, read
from pilotage.edit.yaml_reader import yaml_difference

TEXT = "a: 1\nb:\n  tag: v1 # c\n  other: x\nc: 2\n"


def splice(stream: Stream, text: str, value: str, *, before: int = 0, after: int = 0) -> Splice:
    """`b.tag` replaced by `text`, which is said to mean `value`."""
    at = next(i for i, event in enumerate(stream.events) if event.value == "v1")
    event = stream.events[at]
    new = event._replace(value=value, style="")
    return Splice(
        "b.tag", event.start - before, event.end + after, text, at, at + 1, (new,), at - 1, at
    )


WRONG = [
    ("another value than was asked for", TEXT, "v3", "v2", 0, 0),
    ("a comment instead of a value", TEXT, "#v2", "v2", 0, 0),
    ("one more entry", TEXT, "v2\n  more: x", "v2", 0, 0),
    ("one more entry at the root", TEXT, "v2\nmore: x", "v2", 0, 0),
    ("one more document", TEXT, "v2\n---", "v2", 0, 0),
    ("an open quote", TEXT, '"v2', "v2", 0, 0),
    ("an open bracket", TEXT, "[v2", "v2", 0, 0),
    ("an anchor", TEXT, "&a v2", "v2", 0, 0),
    ("a tag", TEXT, "!a v2", "v2", 0, 0),
    ("the key too", TEXT, "tug: v2", "v2", 5, 0),
    ("the next line too", TEXT, "v2", "v2", 0, 13),
    ("the entry that follows", TEXT, "v2 ", "v2", 0, 21),
    ("a number", TEXT, "12e5", "12e5", 0, 0),
    ("a boolean of YAML 1.1", TEXT, "yes", "yes", 0, 0),
    ("a number in JSON", '{"b": {"tag": "v1"}}', "2", "2", 0, 0),
    ("an open quote in JSON", '{"b": {"tag": "v1"}}', '"v2', "v2", 0, 0),
    ("another value in JSON", '{"b": {"tag": "v1"}}', '"v3"', "v2", 0, 0),
    ("one more entry in JSON", '{"b": {"tag": "v1"}}', '"v2", "x": 1', "v2", 0, 0),
]


@pytest.mark.parametrize(
    ("text", "written", "value", "before", "after"),
    [w[1:] for w in WRONG],
    ids=[w[0] for w in WRONG],
)
def test_an_edit_that_does_more_is_refused(
    text: str, written: str, value: str, before: int, after: int
) -> None:
    """Whatever goes wrong in finding or writing, the text that comes of it is not handed out."""
    stream = read(text)
    with pytest.raises(EditRefused, match=r"^(line \d+, )?b.tag: it cannot be edited safely"):
        apply(stream, [splice(stream, written, value, before=before, after=after)])


def test_the_right_edit_passes() -> None:
    """The judges are not simply against everything."""
    stream = read(TEXT)
    assert apply(stream, [splice(stream, "v2", "v2")]) == TEXT.replace("v1", "v2")


def test_an_edit_elsewhere_is_found_far_away() -> None:
    """A splice that says one place and changes another is refused."""
    stream = read(TEXT)
    right = splice(stream, "v2", "v2")
    away = TEXT.index("2")
    wrong = Splice("b.tag", away, away + 1, "3", right.at, right.upto, right.events, 6, 7)
    with pytest.raises(EditRefused, match="would change with it"):
        apply(stream, [wrong])
    new = Event(Kind.SCALAR, "3")
    at = next(i for i, event in enumerate(stream.events) if event.value == "2")
    assert apply(
        stream, [Splice("c", away, away + 1, "3", at, at + 1, (new,), at - 1, at, strings=False)]
    ) == TEXT.replace("2", "3")


@pytest.mark.parametrize("difference", [yaml_difference, json_difference])
@pytest.mark.parametrize(
    ("other", "line"),
    [
        ('{\n"a": "x",\n"b": ["y"]}', None),
        ('{\n"a": "x",\n"b": ["z"]}', 3),
        ('{\n"a": "x",\n"c": ["y"]}', 3),
        ('{\n"a": "x",\n"b": {"y": "y"}}', 3),
        ('{\n"a": "x"}', 2),
        ('{\n"a": "x",\n"b": ["y"],\n"c": "z"}', 4),
    ],
)
def test_the_first_judge_alone_finds_what_differs(
    difference: Callable[[str, Sequence[Event]], int | None], other: str, line: int | None
) -> None:
    """Without the second reader, which would have found most of it as well."""
    wanted = read('{\n"a": "x",\n"b": ["y"]}', "json").events
    assert difference(other, wanted) == line
