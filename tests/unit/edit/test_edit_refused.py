"""What cannot be edited safely is refused, with path, line and reason."""

import time
from contextlib import suppress

import pytest

from pilotage.edit import EditRefused, read_value, scalars, set_value
from pilotage.edit.stream import MAX_DEPTH

ALIASED = "base: &base\n  tag: v1\nprod: *base\nother:\n  <<: *base\n  name: x\nv: &v 1\nw: *v\n"

# (text, path, line, words of the reason)
REFUSED = [
    (ALIASED, "w", 8, "it is the alias \\*v"),
    (ALIASED, "prod", 3, "it is the alias \\*base"),
    (ALIASED, "prod.tag", 3, "prod is the alias \\*base"),
    (ALIASED, "other.tag", 5, "may come from the merge key <<"),
    (ALIASED, 'other["<<"]', 5, "merge key"),
    (ALIASED, 'other["<<"].tag', 5, "merge key"),
    (ALIASED, "v", 7, "alias \\*v on line 8 repeats it"),
    (ALIASED, "base.tag", 2, "alias \\*base on line 3 repeats it"),
    ("a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "c", 3, "alias \\*x on line 4 repeats it"),
    ("a: 1\nb: 2\na: 3\n", "a", 3, "'a' stands twice in its mapping, first on line 1"),
    ("a: {x: 1}\nb: 2\na: {y: 3}\n", "a.x", 3, "'a' stands twice"),
    ('{"a": 1, "a": 2}', "a", 1, "'a' stands twice"),
    ('1: x\n"1": y\n', "1", 2, "'1' stands twice"),
    ("a:\n  b: 1\n", "a", 2, "it is a mapping, not a single value"),
    ("a:\n  - b\n", "a", 2, "it is a sequence, not a single value"),
    ("a: |\n  text\n", "a", 1, "it is a block scalar"),
    ("a: >-\n  text\n", "a", 1, "it is a block scalar"),
    ("a:\n  b: 1\n", "a.c", 2, "nearest path that exists is a$"),
    ("a:\n  b: 1\n", "a.b.c", 2, "nearest path that exists is a.b$"),
    ("a:\n  b: 1\n", "x.y", 1, "nothing is there$"),
    ("a:\n  - b\n", "a[1]", 2, "nearest path that exists is a$"),
    ("a:\n  - b\n", "a.b", 2, "nearest path that exists is a$"),
    (
        "a:\n  - n: x\n    v: 1\n  - n: x\n",
        "a[n=x].v",
        4,
        "two items have n=x, the first on line 2",
    ),
    ("a: 1\nb: [1, 2\n", "a", 3, "not YAML"),
    ("a: 1\nb: {{ .x }}:{{ .y }}\n", "a", 2, "not YAML"),
    ("a: 1\n\tb: 2\n", "a", 2, "not YAML: a tab stands where only spaces may$"),
    ("a: 1\nb: \x00\n", "a", 2, "not YAML"),
    ("a: 1\nb: \ud800\n", "a", 2, "surrogate"),
    ("", "a", None, "the text is empty"),
    ("# only a comment\n", "a", None, "the text is empty"),
    ("{a}\n", "a", 1, "not even a colon"),
    ("a: !!int 3\n", "a", 1, "tagged !!int"),
    ('a: !!int "3"\n', "a", 1, "tagged !!int"),
]


@pytest.mark.parametrize(("text", "path", "line", "reason"), REFUSED)
def test_an_unsafe_edit_is_refused(text: str, path: str, line: int | None, reason: str) -> None:
    """The refusal names path and line, and says why."""
    with pytest.raises(EditRefused, match=reason) as refused:
        set_value(text, path, "new")
    assert refused.value.line == line
    assert refused.value.path in (path, "")


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("a: ! x\n", "1.10", "tagged !, with which '1.10' is no string to all readers"),
        ("a: ! 'x'\n", "yes", "tagged !"),
        ("a: !!int |\n  1\n", "2", "tagged !!int"),
    ],
)
def test_a_tag_that_makes_no_string_of_the_value_is_refused(
    text: str, value: str, reason: str
) -> None:
    """Behind `!` libyaml and Go read `"1.10"` as a number, quotes or not."""
    with pytest.raises(EditRefused, match=reason):
        set_value(text, "a", value, block_scalars=True)
    assert read_value(set_value("a: ! x\n", "a", "v2"), "a") == "v2"


@pytest.mark.parametrize(
    ("text", "path", "option"),
    [(ALIASED, "v", "shared"), ("a: |\n  x\n", "a", "block_scalars"), (ALIASED, "w", "")],
)
def test_a_refusal_names_the_option_that_would_allow_it(text: str, path: str, option: str) -> None:
    """Whether there is such an option where it is told is not the editor's to know."""
    with pytest.raises(EditRefused) as refused:
        set_value(text, path, "new")
    assert refused.value.option == option


def test_a_missing_path_tells_the_nearest() -> None:
    """The caller can say which part of the path exists."""
    with pytest.raises(EditRefused) as refused:
        set_value("a:\n  b:\n    c: 1\n", "a.b.x.y", "new")
    assert refused.value.nearest == "a.b"
    assert str(refused.value) == (
        "line 3, a.b.x.y: nothing is there; the nearest path that exists is a.b"
    )


def test_what_aliases_repeat_is_edited_when_allowed() -> None:
    """`shared` accepts that the value changes at the aliases too."""
    assert set_value(ALIASED, "v", "x", shared=True) == ALIASED.replace("&v 1", "&v x")
    assert set_value(ALIASED, "base.tag", "v2", shared=True) == ALIASED.replace("v1", "v2")


def test_an_alias_before_an_anchor_is_set_again_repeats_the_old_value() -> None:
    """Nothing else changes, so nothing has to be allowed."""
    text = "a: &x 1\nb: *x\nc: &x 2\n"
    assert set_value(text, "c", "v") == text.replace("2", "v")


@pytest.mark.parametrize("value", ["\ud800", "a\udfff"])
def test_half_a_surrogate_pair_is_no_value(value: str) -> None:
    """A string that has no UTF-8 is refused."""
    with pytest.raises(EditRefused, match="surrogate"):
        set_value("a: 1\n", "a", value)


def bomb() -> str:
    rows = ["l0: &l0 [x, x]"]
    rows += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 40)]
    return "\n".join([*rows, "tag: v1", ""])


HOSTILE = {
    "brackets": "[" * 1_000_000,
    "closed brackets": "[" * 100_000 + "]" * 100_000,
    "closed brackets as JSON": "[" * 100_000 + "]" * 100_000 + "\n",
    "braces": '{"a":' * 200_000,
    "dashes": "- " * 1_000_000,
    "question marks": "? " * 500_000,
    "indentation": "\n".join(" " * n + "a:" for n in range(1500)),
    "one huge plain value": "a: " + "x" * 3_900_000,
    "one huge open quote": 'a: "' + "\\n" * 1_900_000,
    "one huge open quote as JSON": '{"a": "' + "\\n" * 1_900_000,
    "backslashes as JSON": '{"a": "' + "\\" * 3_000_001,
    "many anchors": "".join(f"- &a{n} x\n" for n in range(100_000)),
    "many keys": "".join(f"k{n}: x\n" for n in range(300_000)),
    "many values": "[" + "1," * 1_900_000 + "1]",
    "many documents": "---\n" * 500_000,
    "many colons": "a" + ": " * 1_000_000,
    "digits": "a: " + "1" * 3_000_000,
    "digits and underscores": "a: " + "1_" * 1_500_000,
    "times": "a: " + "1:1" * 1_000_000,
    "too many characters": "a: 1\n" * 900_000,
    "a long key": "k" * 3_000_000 + ": 1",
    "empty lines": "a: 1" + "\n" * 3_900_000,
    "empty lines in a block scalar": "a: |\n  x" + "\n" * 3_000_000 + "  y\n",
    "comments": "a: 1" + "\n#" * 1_900_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_answered_soon(name: str) -> None:
    """No text of any size or depth exhausts the stack or takes more than linear time."""
    began = time.process_time()
    with suppress(EditRefused):
        assert read_value(HOSTILE[name], "a") is not None
        set_value(HOSTILE[name], "a", "new", block_scalars=True)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("name", ["many keys", "many values"])
def test_what_is_too_large_is_refused_and_not_read_in_part(name: str) -> None:
    """What is not read could say the same key again."""
    with pytest.raises(EditRefused, match="too large: more than 250,000 keys and values"):
        read_value(HOSTILE[name], "k0")


def test_aliases_are_never_expanded() -> None:
    """Billions of laughs stay a few hundred events, and other values can be edited."""
    text = bomb()
    assert set_value(text, "tag", "v2") == text.replace("v1", "v2")
    assert len(list(scalars(text))) == 3
    with pytest.raises(EditRefused):
        read_value(text, "l39[0][0]")


@pytest.mark.parametrize("language", ["yaml", "json"])
def test_the_depth_is_capped(language: str) -> None:
    """What is nested as deep as allowed is edited; one level more is refused with its line."""
    deep = '{"a":' * MAX_DEPTH + '"v1"' + "}" * MAX_DEPTH
    path = ".".join(["a"] * MAX_DEPTH)
    if language == "yaml":
        deep = deep.replace('"a":', "a: ")
    assert set_value(deep, path, "v2") == deep.replace("v1", "v2")
    with pytest.raises(EditRefused, match="nested too deeply") as refused:
        set_value(f"[\n{deep}]", path, "v2")
    assert refused.value.line == 2
