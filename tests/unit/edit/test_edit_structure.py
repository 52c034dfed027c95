"""Creating, deleting and rewriting lines, each without touching any other byte."""

import pytest

from pilotage.edit import (
    EditRefused,
    Plain,
    Source,
    delete_value,
    read_value,
    set_value,
    set_values,
)

CREATED = [
    ("at the end of the mapping", "a: 1\nb:\n  c: 2\n", "b.d", "a: 1\nb:\n  c: 2\n  d: new\n"),
    ("before the next key", "b:\n  c: 2 # c\n\n# about e\ne: 1\n", "b.d", "b:\n  c: 2 # c\n  d: new\n\n# about e\ne: 1\n"),  # noqa: E501
    ("at the root", "a: 1\n", "d", "a: 1\nd: new\n"),
    ("at the root's end of a document", "a: 1\n---\nb: 2\n", "d", None),
    ("without a last line break", "a:\n  b: 1", "a.d", "a:\n  b: 1\n  d: new"),
    ("with CRLF", "a:\r\n  b: 1\r\nc: 2\r\n", "a.d", "a:\r\n  b: 1\r\n  d: new\r\nc: 2\r\n"),
    ("nested, indented as the file is", "a:\n    b: 1\nz: 1\n", "x.v", "a:\n    b: 1\nz: 1\nx:\n    v: new\n"),  # noqa: E501
    ("several levels", "a: 1\n", "x.v.z", "a: 1\nx:\n  v:\n    z: new\n"),
    ("in an item", "a:\n- n: x\n- n: y\n", "a[n=x].v", "a:\n- n: x\n  v: new\n- n: y\n"),
    ("after a nested sequence", "a:\n  s:\n  - 1\nb: 2\n", "a.d", "a:\n  s:\n  - 1\n  d: new\nb: 2\n"),  # noqa: E501
    ("after a block scalar", "a:\n  s: |\n    x\nb: 2\n", "a.d", "a:\n  s: |\n    x\n  d: new\nb: 2\n"),  # noqa: E501
    ("after a flow collection", "a:\n  s: [1,\n    2] # c\nb: 2\n", "a.d", "a:\n  s: [1,\n    2] # c\n  d: new\nb: 2\n"),  # noqa: E501
    ("under a key without value", "a: # c\nb: 2\n", "a.d", "a: # c\n  d: new\nb: 2\n"),
    ("under a key without value at the end", "b: 2\na:", "a.d", "b: 2\na:\n  d: new"),
    ("in a flow mapping", "a: {b: 1} # c\n", "a.d", "a: {b: 1, d: new} # c\n"),
    ("in a flow mapping over lines", "a: {\n  b: 1,\n  c: 2\n}\n", "a.d", "a: {\n  b: 1,\n  c: 2,\n  d: new\n}\n"),  # noqa: E501
    ("in an empty flow mapping", "a: {}\n", "a.d", "a: {d: new}\n"),
    ("nested in a flow mapping", "a: {}\n", "a.x.v", "a: {x: {v: new}}\n"),
    ("a key that needs quotes", "a:\n  b: 1\n", 'a["yes"]', 'a:\n  b: 1\n  "yes": new\n'),
    ("JSON", '{"a": {"b": 1}}\n', "a.d", '{"a": {"b": 1, "d": "new"}}\n'),
    ("tight JSON", '{"a":{"b":1,"c":2}}', "a.d", '{"a":{"b":1,"c":2,"d":"new"}}'),
    ("JSON over lines", '{\n  "a": 1,\n  "b": 2\n}\n', "d", '{\n  "a": 1,\n  "b": 2,\n  "d": "new"\n}\n'),  # noqa: E501
    ("one entry of JSON over lines", '{\n  "a": 1\n}\n', "d", '{\n  "a": 1,\n  "d": "new"\n}\n'),
    ("empty JSON", "{}", "x.v", '{"x": {"v": "new"}}'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "path", "expected"), [c[1:] for c in CREATED], ids=[c[0] for c in CREATED]
)
def test_a_missing_key_is_created_when_allowed(text: str, path: str, expected: str | None) -> None:
    """New keys stand at the end of the nearest mapping, written as the file is written."""
    with pytest.raises(EditRefused, match="nothing is there"):
        set_value(text, path, "new")
    if expected is None:
        with pytest.raises(EditRefused, match="several documents"):
            set_value(text, path, "new", create=True)
        return
    assert set_value(text, path, "new", create=True) == expected
    assert read_value(expected, path) == "new"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "image:\n  tag: new\n"),
        ("\n", "\nimage:\n  tag: new\n"),
        ("\ufeff# what differs here\r\n", "\ufeff# what differs here\r\nimage:\r\n  tag: new\r\n"),
        ("# no line break", "# no line break\nimage:\n  tag: new\n"),
    ],
)
def test_the_first_key_of_a_text_is_created_when_allowed(text: str, expected: str) -> None:
    """Values of an environment that says nothing of its own are an empty file, or comments."""
    with pytest.raises(EditRefused, match="the text is empty"):
        set_value(text, "image.tag", "new")
    assert set_value(text, "image.tag", "new", create=True) == expected
    both = set_values(text, {"image.tag": "1.10", "image.on": Plain("true")}, create=True)
    assert read_value(both, "image.tag") == "1.10"
    assert type(read_value(both, "image.on")) is Plain
    for path in ("image[0]", "."):
        with pytest.raises(EditRefused, match="the text is empty"):
            set_value(text, path, "new", create=True)


@pytest.mark.parametrize(("text", "path", "reason"), [
    ("a: [1]\n", "a[1]", "only keys can be created"),
    ("a:\n- n: x\n", "a[n=y].v", "only keys can be created"),
    ("a: x\n", "a.b", "a is a single value, not a mapping"),
    ("a: ~\n", "a.b", "a is a single value, not a mapping"),
    ("a: [1]\n", "a.b", "a is a sequence, not a mapping"),
    ("- \n- 1\n", "[0].b", "cannot be begun"),
    ("{a: , b: 1}\n", "a.b", "cannot be begun"),
    ("? a\n: 1\n", "b", "explicit keys"),
    ("b: &b {x: 1}\na:\n  <<: *b\n", "a.x", "merge key"),
    ("b: &b {x: 1}\na: *b\n", "a.y", "alias"),
    ("b: &b {x: 1}\na: *b\n", "b.v", "repeats it"),
])  # fmt: skip
def test_a_key_that_cannot_be_created_is_refused(text: str, path: str, reason: str) -> None:
    """Only mappings grow, and only by keys."""
    with pytest.raises(EditRefused, match=reason):
        set_value(text, path, "new", create=True)


def test_several_keys_are_created_together() -> None:
    """Each finds what the one before has created; values that exist are replaced."""
    new = set_values("a: 1\n", {"x.v": "v", "x.z": Plain("2"), "a": "w"}, create=True)
    assert new == "a: w\nx:\n  v: v\n  z: 2\n"


DELETED = [
    ("a line", "a: 1\nb: 2 # c\nc: 3\n", "b", "a: 1\nc: 3\n"),
    ("the first line", "a: 1\nb: 2\n", "a", "b: 2\n"),
    ("the last line", "a: 1\nb: 2\n", "b", "a: 1\n"),
    ("the last line without its break", "a: 1\r\nb: 2", "b", "a: 1"),
    ("a nested line", "a:\n  b: 1\n  c: 2\nd: 3\n", "a.c", "a:\n  b: 1\nd: 3\n"),
    ("a value over lines", "a: 1\nb:\n  one\n  two\nc: 3\n", "b", "a: 1\nc: 3\n"),
    ("the first key of an item", "- a: 1\n  b: 2\n", "[0].a", "- b: 2\n"),
    ("an item", "a:\n  - x\n  - y # c\n  - z\n", "a[1]", "a:\n  - x\n  - z\n"),
    ("an empty item", "-\n- y\n", "[0]", "- y\n"),
    ("an entry of a flow mapping", "{a: 1, b: 2, c: 3}\n", "b", "{a: 1, c: 3}\n"),
    ("the last of a flow mapping", "{a: 1, b: 2}\n", "b", "{a: 1}\n"),
    ("the only one of a flow mapping", "x: {a: 1}\n", "x.a", "x: {}\n"),
    ("an entry of JSON", '{\n  "a": 1,\n  "b": 2\n}\n', "a", '{\n  "b": 2\n}\n'),
    ("the last of JSON", '{\n  "a": 1,\n  "b": 2\n}\n', "b", '{\n  "a": 1\n}\n'),
    ("an item of JSON", '["a", "b"]', "[1]", '["a"]'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "path", "expected"), [d[1:] for d in DELETED], ids=[d[0] for d in DELETED]
)
def test_an_entry_is_deleted_with_its_line(text: str, path: str, expected: str) -> None:
    """What is left is exactly the rest."""
    assert delete_value(text, path) == expected


@pytest.mark.parametrize(("text", "path", "reason"), [
    ("a:\n  b: 1\n", "a.b", "only entry"),
    ("- a\n", "[0]", "only entry"),
    ("a\n", ".", "whole document"),
    ("- a: 1\n  # about b\n  b: 2\n", "[0].a", "comment"),
    ("- - a\n  - b\n", "[0][0]", "shares its line"),
    ("[a, # about a\n b]\n", "[0]", "more than a comma"),
    ("a: 1\nb: |\n  x\n", "b", "block scalar"),
    ("a: {b: 1}\nc: 2\n", "a", "it is a mapping"),
    ("a: &a 1\nb: *a\n", "a", "alias"),
    ("a: 1\n", "b", "nothing is there"),
])  # fmt: skip
def test_a_deletion_that_takes_more_is_refused(text: str, path: str, reason: str) -> None:
    """No comment of a neighbour and no collection goes along."""
    with pytest.raises(EditRefused, match=reason):
        delete_value(text, path)


BLOCKS = [
    ("a: |\n  one\n  two\nb: 1\n", "x\ny\n", "a: |\n  x\n  y\nb: 1\n"),
    ("a: |-\n    one\n\n# c\nb: 1\n", "x", "a: |-\n    x\n\n# c\nb: 1\n"),
    ("a: |\n  one  \n\n  two \nb: 1\n", "x \n\n y\n", "a: |\n  x \n\n   y\nb: 1\n"),
    ("a: |-\n  one\n", "x\n", "a: |\n  x\n"),
    ("a: |\n  one\n", "x", "a: |-\n  x\n"),
    ("a: |+ # c\n  one\n\n\nb: 1\n", "x\n\n\n", "a: |+ # c\n  x\n\n\nb: 1\n"),
    ("a: |\r\n  one\r\nb: 1\r\n", "x\n\ny\n", "a: |\r\n  x\r\n\r\n  y\r\nb: 1\r\n"),
    ("a: >-\n  one\n  two\nb: 1\n", "x y", "a: >-\n  x y\nb: 1\n"),
    ("a: |\n  one", "x", "a: |\n  x"),
    ("- |\n one\n- b\n", "x\n", "- |\n x\n- b\n"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value", "expected"), BLOCKS)
def test_a_block_scalar_is_rewritten_when_asked(text: str, value: str, expected: str) -> None:
    """Indentation, line breaks, the header's comment and blank lines after it are kept."""
    path = "a" if text[0] == "a" else "[0]"
    assert set_value(text, path, value, block_scalars=True) == expected
    assert read_value(expected, path) == value


@pytest.mark.parametrize("value", ["", "\n", " x", "\nx", "x\ry", "x\x00", "x\u2028y"])
def test_a_value_that_lines_cannot_hold_is_refused(value: str) -> None:
    """A block scalar has no escapes."""
    with pytest.raises(EditRefused):
        set_value("a: |\n  one\nb: 1\n", "a", value, block_scalars=True)


def test_folded_lines_and_given_indentation_are_refused() -> None:
    """What a header with a digit or a folded text would need is not guessed."""
    with pytest.raises(EditRefused, match="single line"):
        set_value("a: >\n  one\n", "a", "x\ny\n", block_scalars=True)
    with pytest.raises(EditRefused, match="gives its indentation"):
        set_value("a: |2\n  one\n", "a", "x\n", block_scalars=True)


def test_a_block_scalar_is_put_back_as_it_stood() -> None:
    """`Source` restores the very lines."""
    text = "a: >-  # c\n    one\n    two\n\n    three\nb: 1\n"
    source = Source(text[3 : text.index("b: 1")])
    new = set_value(text, "a", "x", block_scalars=True)
    assert set_value(new, "a", source, block_scalars=True) == text
