"""A text's documents as plain data: as Kubernetes' tools read YAML, and never more than that."""

from __future__ import annotations

import pytest

from pilotage.core.documents import documents
from pilotage.edit import EditRefused

READ = {
    "a: 1\n": [{"a": 1}],
    "a: yes\nb: 'yes'\n": [{"a": True, "b": "yes"}],
    "a: 0x1F\nb: 0644\nc: 1.5\nd: ~\n": [{"a": 31, "b": 420, "c": 1.5, "d": None}],
    "a: 1:30\nb: 2020-01-01\nc: !!binary aGk=\n": [{"a": "1:30", "b": "2020-01-01", "c": "aGk="}],
    "a: 1e3\nb: '1e3'\nc: 1e3x\n": [{"a": 1000.0, "b": "1e3", "c": "1e3x"}],
    "80: a\ntrue: b\n": [{"80": "a", "true": "b"}],
    "a: 1\n---\n---\nb: 2\n": [{"a": 1}, None, {"b": 2}],
    "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\n": [{"x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 3}}],
    "x: &x {a: 1}\ny: {b: 2, <<: [*x, {a: 5, c: 6}]}\n": [
        {"x": {"a": 1}, "y": {"a": 1, "b": 2, "c": 6}}
    ],
    '{"a": [1, "2"],\t"b": null}': [{"a": [1, "2"], "b": None}],
    "": [],
}


@pytest.mark.parametrize("text", READ)
def test_a_text_is_read_as_kubernetes_reads_it(text: str) -> None:
    assert documents(text) == READ[text]


BOMB = "a0: &a0 [1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
REFUSED = [
    ("a: [1\nb: 2\n", 2, "not YAML"),
    ("a: 1\nb: 2\na: 3\n", 3, "the key a is written twice"),
    ("{{ if .Values.x }}\na: 1\n", 2, "not YAML"),
    ("a: &a [*a]\n", 1, "an alias names what it stands in"),
    ("a: *b\n", 1, "undefined alias"),
    ("a: {<<: 1}\n", 1, "only a mapping can be merged"),
    ("? [a]\n: 1\n", 1, "a key is no single value"),
    ("a: !!int x\n", 1, "'x' is not of its type"),
    (BOMB, None, "more than 250,000 values"),
    ("a: " + "[" * 120 + "]" * 120 + "\n", 1, "nested too deeply"),
]


@pytest.mark.parametrize(("text", "line", "reason"), REFUSED)
def test_what_cannot_be_read_is_refused_with_its_line(
    text: str, line: int | None, reason: str
) -> None:
    with pytest.raises(EditRefused) as refused:
        documents(text)
    assert reason in refused.value.reason
    if line is not None:
        assert refused.value.line == line
