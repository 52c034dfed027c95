"""Paths as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.edit import EditRefused
from pilotage.edit.path import Index, Key, Match, format_path, parse_path

READ = {
    ".": (),
    "a": (Key("a"),),
    "a.b[0].c": (Key("a"), Key("b"), Index(0), Key("c")),
    "[0][1]": (Index(0), Index(1)),
    "c[name=app].image": (Key("c"), Match(("name",), "app"), Key("image")),
    "c[metadata.name=app]": (Key("c"), Match(("metadata", "name"), "app")),
    'c[name="a]b"].x': (Key("c"), Match(("name",), "a]b"), Key("x")),
    "c[image=reg:5000/a/b].x": (Key("c"), Match(("image",), "reg:5000/a/b"), Key("x")),
    'labels["app.kubernetes.io/name"]': (Key("labels"), Key("app.kubernetes.io/name")),
    "labels['a\"b']": (Key("labels"), Key('a"b')),
    '["a\\"b\\\\"]': (Key('a"b\\'),),
    '[""]': (Key(""),),
    "a-b_c/d:e": (Key("a-b_c/d:e"),),
    "a b.c d": (Key("a b"), Key("c d")),
    "8080.0x1": (Key("8080"), Key("0x1")),
}


@pytest.mark.parametrize("path", READ)
def test_a_path_is_read(path: str) -> None:
    """Keys, indexes, matches and keys in quotes."""
    assert parse_path(path) == READ[path]
    assert parse_path(format_path(READ[path])) == READ[path]


@pytest.mark.parametrize("path", ["", "a.", ".a", "a..b", "a[", "a[]", "a[-1]", "a[b]", "a]", "a[0]b", "a[=x]", "a[n=]", "a.[0]", " a", "a=b", "a" * 5000])  # fmt: skip  # noqa: E501
def test_a_path_that_cannot_be_read_is_refused(path: str) -> None:
    """Nothing is guessed; the message shows where reading stopped."""
    with pytest.raises(EditRefused) as refused:
        parse_path(path)
    assert refused.value.path == path[:80] if len(path) > 80 else refused.value.path == path


STEPS = st.one_of(
    st.text(max_size=20).map(Key),
    st.integers(0, 10**6).map(Index),
    st.builds(Match, st.just(("name",)), st.text(max_size=20)),
)


@given(st.lists(STEPS, max_size=8).map(tuple))
def test_every_path_can_be_written(steps: tuple[Key | Index | Match, ...]) -> None:
    """What is formatted is read as the same steps, whatever the keys hold."""
    assert parse_path(format_path(steps)) == steps
