"""What holds for every document and every value."""

import json
from typing import Any

import pytest
import ruamel.yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pilotage.edit import (
    EditRefused,
    Source,
    delete_value,
    read_value,
    read_values,
    scalars,
    set_value,
    set_values,
)
from tests.unit.edit.documents import ANY, WORDS, Document, documents, json_values

QUICK = settings(max_examples=60, suppress_health_check=list(HealthCheck))
VALUES = WORDS | ANY | st.text(st.characters(codec="utf-8"), max_size=40)


def one_of(data: st.DataObject, document: Document) -> str:
    assume(document.values)
    return data.draw(st.sampled_from(sorted(document.values)), label="path")


@QUICK
@given(documents())
def test_every_value_is_read(document: Document) -> None:
    """What the text was written from is what is read, at each path."""
    assert read_values(document.text, document.values) == document.values


@QUICK
@given(documents(), VALUES, st.data())
def test_one_value_changes_and_all_else_stays(
    document: Document, value: str, data: st.DataObject
) -> None:
    """The new value is read back; every other value and all bytes outside it are as before."""
    path = one_of(data, document)
    new = set_value(document.text, path, value)
    assert read_values(new, document.values) == {**document.values, path: value}
    before, after = _around(document.text, path)
    assert new.startswith(before)
    assert new.endswith(after)
    assert len(new) >= len(before) + len(after)


def _around(text: str, path: str) -> tuple[str, str]:
    """The text before and after the scalar, found without its marks: by what can be changed."""
    [scalar] = [scalar for scalar in scalars(text) if scalar.path == path]
    marked = set_value(text, path, Source('"\\x00"'))
    before, _, after = marked.partition('"\\x00"')
    assert before + scalar.source + after == text
    return before, after


@QUICK
@given(documents(), VALUES, st.data())
def test_set_and_put_back_gives_the_same_bytes(
    document: Document, value: str, data: st.DataObject
) -> None:
    """A value put back as its `source` leaves no trace."""
    path = one_of(data, document)
    [scalar] = [scalar for scalar in scalars(document.text) if scalar.path == path]
    new = set_value(document.text, path, value)
    assert set_value(new, path, scalar.source) == document.text


@QUICK
@given(documents(), st.data())
def test_a_value_in_ordinary_writing_is_set_and_set_back(
    document: Document, data: st.DataObject
) -> None:
    """What was read restores the bytes, unless they were escapes that nobody needs."""
    path = one_of(data, document)
    [scalar] = [scalar for scalar in scalars(document.text) if scalar.path == path]
    assume("\\" not in scalar.source)
    old = read_value(document.text, path)
    assert isinstance(old, str)
    there = set_value(document.text, path, "v1")
    assert set_value(there, path, old) == document.text


@QUICK
@given(documents(), st.data())
def test_several_values_at_once_are_the_same_as_one_by_one(
    document: Document, data: st.DataObject
) -> None:
    """The order of edits does not matter."""
    assume(document.values)
    paths = data.draw(st.lists(st.sampled_from(sorted(document.values)), unique=True, max_size=5))
    values = {path: data.draw(VALUES) for path in paths}
    text = document.text
    for path, value in values.items():
        text = set_value(text, path, value)
    assert set_values(document.text, values) == text


@QUICK
@given(documents(), st.data())
def test_a_deleted_value_is_gone_and_nothing_else(document: Document, data: st.DataObject) -> None:
    """A deletion takes one value, or is refused."""
    path = one_of(data, document)
    assume(not path.endswith("]") or path.endswith('"]'))
    try:
        new = delete_value(document.text, path)
    except EditRefused:
        return
    left = {other: value for other, value in document.values.items() if other != path}
    assert read_values(new, left) == left
    assert not read_value(new, path)


@QUICK
@given(documents(), VALUES, st.sampled_from(["new", "new.nested", 'new["a.b"].c']))
def test_a_created_value_is_there_and_nothing_else_changed(
    document: Document, value: str, path: str
) -> None:
    """What is created is read back; all that was there is as before."""
    assume(not document.text.startswith("--- {"))
    new = set_value(document.text, path, value, create=True)
    assert read_values(new, [*document.values, path]) == {**document.values, path: value}


@QUICK
@given(st.text(st.characters(codec="utf-8"), max_size=60))
@pytest.mark.parametrize(
    "text", ["a: v\n", "a: 'v'\n", 'a: "v"\n', "{a: v}\n", "[{b: v}]", '{"a": "v"}', "v\n"]
)
def test_what_is_set_is_what_any_reader_reads(text: str, value: str) -> None:
    """Any string, in any quotes, is this string to a reader that the editor does not use."""
    path = "." if text == "v\n" else "[0].b" if "b" in text else "a"
    new = set_value(text, path, value)
    assert read_value(new, path) == value
    read = json.loads(new) if text.startswith('{"') else _ruamel(new)
    found = read if path == "." else read[0]["b"] if "b" in text else read["a"]
    assert found == value
    assert type(found) is str


def _ruamel(text: str) -> Any:
    return ruamel.yaml.YAML(typ="safe", pure=True).load(text)


@QUICK
@given(json_values, st.sampled_from([None, 2, "\t"]), st.booleans(), VALUES, st.data())
def test_json_is_edited_like_yaml(
    value: object, indent: int | str | None, ascii_only: bool, new: str, data: st.DataObject
) -> None:
    """Every scalar of any JSON can be set, is read back by Python's json, and put back."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    found = list(scalars(text, language="json"))
    assume(found)
    scalar = data.draw(st.sampled_from(found))
    changed = set_value(text, scalar.path, new, language="json")
    json.loads(changed)
    assert read_value(changed, scalar.path, language="json") == new
    assert set_value(changed, scalar.path, scalar.source, language="json") == text


SOUP = st.text(
    st.sampled_from(list("ab:-?[]{},&*!|>'\"%@# \t\n\r~<1.é\ufeff\u2028\x85")), max_size=40
)


@settings(QUICK, max_examples=400)
@given(
    SOUP, st.sampled_from(["a", "b", "a.b", "[0]", "a[0]", ".", "a[b=1].a"]), VALUES, st.booleans()
)
def test_any_text_is_edited_rightly_or_refused(
    text: str, path: str, value: str, create: bool
) -> None:
    """A text of syntax alone never makes the editor fail in another way, or change another value."""  # noqa: E501
    try:
        old = {(s.document, s.path): s.source for s in scalars(text)}
        new = set_value(text, path, value, create=create)
    except EditRefused:
        return
    assert read_value(new, path) == value
    others = {(s.document, s.path): s.source for s in scalars(new) if s.path != path}
    assert others == {at: source for at, source in old.items() if at[1] != path}


@settings(QUICK, max_examples=200)
@given(SOUP.filter(bool))
def test_no_source_breaks_out_of_its_place(source: str) -> None:
    """`Source` is one value or it is refused."""
    text = "a: x # c\nb:\n- {c: 1}\n"
    try:
        new = set_value(text, "a", Source(source))
    except EditRefused:
        return
    assert new == text.replace("x", source, 1)
    assert read_value(new, "b[0].c") == "1"
