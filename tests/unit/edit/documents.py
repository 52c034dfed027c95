"""Documents of odd but legal formatting, as Hypothesis strategies.

`documents()` draws a text together with the values that it was written from: what any reader must
find at each path. The text is made here, sign by sign, and by no library that the editor uses.
"""

import json
from dataclasses import dataclass

from hypothesis import strategies as st

from pilotage.edit.path import Index, Key, Step, format_path

WORDS = st.sampled_from(
    [
        "tag",
        "image",
        "v1",
        "1.10",
        "yes",
        "on",
        "null",
        "~",
        "0123456",
        "12e5",
        "a.b",
        "app.kubernetes.io/name",
        "é",
        "日本",
        "😀",
        "x-y",
        "reg:5000/a/b",
        "2026-11-21",
        "1:30",
        "true",
        "0x1F",
        "-x",
    ]
)
ANY = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=8)
COMMENTS = st.sampled_from(["", "", " # c", "   # tag: 'x' {[", " #", " # é 😀"])
SPACES = st.sampled_from([" ", " ", "  ", "     "])


@dataclass(frozen=True, slots=True)
class Document:
    """A text, and the value at each of its paths."""

    text: str
    values: dict[str, str]


def quoted(draw: st.DrawFn, value: str, *, key: bool = False) -> str:
    """`value` in one of the ways to write it."""
    double = json.dumps(value, ensure_ascii=draw(st.booleans()) and value.isascii())
    double = "".join(sign if sign.isprintable() else f"\\U{ord(sign):08x}" for sign in double)
    ways = [double]
    if value.isprintable():
        ways.append("'" + value.replace("'", "''") + "'")
    plain = value and value.replace(".", "").replace("-", "").replace("/", "").isalnum()
    if plain and value[0] not in "-." and not (key and value[0] == "."):
        ways += [value, value]
    return draw(st.sampled_from(ways))


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A YAML text in block and flow style with comments, blank lines, marks and odd spaces."""
    values: dict[str, str] = {}
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    lines = _mapping(draw, 0, (), values, 2)
    if draw(st.booleans()):
        lines.insert(0, "---" + draw(COMMENTS))
    text = newline.join(lines)
    if draw(st.booleans()):
        text += newline
    if draw(st.integers(0, 4)) == 0:
        text = "\ufeff" + text
    return Document(text, values)


def _keys(draw: st.DrawFn) -> list[str]:
    return draw(
        st.lists(WORDS | ANY.filter(lambda key: key != "<<"), min_size=1, max_size=3, unique=True)
    )


def _mapping(
    draw: st.DrawFn, indent: int, at: tuple[Step, ...], values: dict[str, str], depth: int
) -> list[str]:
    lines: list[str] = []
    for name in _keys(draw):
        if draw(st.integers(0, 5)) == 0:
            lines.append(draw(st.sampled_from(["", " " * indent + "# about it", "#"])))
        head = (
            " " * indent + quoted(draw, name, key=True) + draw(st.sampled_from(["", "", " "])) + ":"
        )
        lines += _value(draw, head, indent, (*at, Key(name)), values, depth)
    return lines


def _value(
    draw: st.DrawFn,
    head: str,
    indent: int,
    at: tuple[Step, ...],
    values: dict[str, str],
    depth: int,
) -> list[str]:
    kind = draw(
        st.sampled_from(
            ["scalar", "scalar", "flow", "mapping", "sequence"] if depth else ["scalar", "flow"]
        )
    )
    match kind:
        case "mapping":
            inner = indent + draw(st.integers(1, 4))
            return [head + draw(COMMENTS), *_mapping(draw, inner, at, values, depth - 1)]
        case "sequence":
            lines = [head + draw(COMMENTS)]
            column = indent + draw(st.integers(0, 3))
            for place in range(draw(st.integers(1, 3))):
                item = " " * column + "-"
                lines += _value(draw, item, column, (*at, Index(place)), values, 0)
            return lines
        case "flow":
            return [head + draw(SPACES) + _flow(draw, at, values, 2) + draw(COMMENTS)]
        case _:
            written = _scalar(draw, at, values)
            anchor = draw(st.sampled_from(["", "", "", "&a1 ", "!t ", "&b !!str "]))
            return [head + draw(SPACES) + anchor + written + draw(COMMENTS)]


def _flow(draw: st.DrawFn, at: tuple[Step, ...], values: dict[str, str], depth: int) -> str:
    comma = draw(st.sampled_from([", ", ",", " , "]))
    if draw(st.booleans()):
        parts = [
            _in_flow(draw, (*at, Index(place)), values, depth)
            for place in range(draw(st.integers(0, 3)))
        ]
        return "[" + comma.join(parts) + "]"
    parts = [
        json.dumps(name, ensure_ascii=False)
        + ": "
        + _in_flow(draw, (*at, Key(name)), values, depth)
        for name in draw(st.lists(WORDS, max_size=3, unique=True))
    ]
    return "{" + comma.join(parts) + "}"


def _in_flow(draw: st.DrawFn, at: tuple[Step, ...], values: dict[str, str], depth: int) -> str:
    if depth and draw(st.integers(0, 3)) == 0:
        return _flow(draw, at, values, depth - 1)
    return _scalar(draw, at, values)


def _scalar(draw: st.DrawFn, at: tuple[Step, ...], values: dict[str, str]) -> str:
    value = draw(WORDS | ANY)
    values[format_path(at)] = value
    return quoted(draw, value)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY, inner, max_size=4),
    max_leaves=12,
)
