"""Setting one value: every byte outside it stays, whatever the file looks like."""

import json
from textwrap import dedent

import pytest

from pilotage.edit import EditRefused, Plain, Source, read_value, read_values, set_value, set_values
from pilotage.edit.image import replace_tag

# (what it is about, text with the value between « and », path, new value, written)
KEPT = [
    ("a plain value", "tag: «v1»\n", "tag", "v2", "v2"),
    ("double quotes", 'tag: «"v1"»\n', "tag", "v2", '"v2"'),
    ("single quotes", "tag: «'v1'»\n", "tag", "v2", "'v2'"),
    ("a comment on the line", "tag: «v1»   # pinned\nb: 1\n", "tag", "v2", "v2"),
    ("spaces before the value", "tag:     «v1»   \n", "tag", "v2", "v2"),
    ("a flow mapping", "image: {tag: «v1», x: y}\n", "image.tag", "v2", "v2"),
    ("a flow mapping over lines", "image: {\n  tag: «v1»,\n x: y\n  }\n", "image.tag", "v2", "v2"),
    ("an anchor that nobody uses", "tag: &v «v1»\n", "tag", "v2", "v2"),
    ("a tag", "tag: !custom «v1»\n", "tag", "v2", "v2"),
    ("a comment between a tag and its value", "tag: !t # c\n  «v1»\n", "tag", "v2", "v2"),
    ("an anchor and a tag", "tag: &v !!str «v1» # c\n", "tag", "v2", "v2"),
    ("a tag and an anchor", "tag: !!str   &v «'v1'»\n", "tag", "v2", "'v2'"),
    ("CRLF", "a: 1\r\ntag: «v1»\r\nb: 2\r\n", "tag", "v2", "v2"),
    ("a lone CR", "a: 1\rtag: «v1»\rb: 2\r", "tag", "v2", "v2"),
    ("no line break at the end", "a: 1\ntag: «v1»", "tag", "v2", "v2"),
    ("a byte order mark", "\ufefftag: «v1»\n", "tag", "v2", "v2"),
    ("non-ASCII earlier on the line", "{é: ü, 日本: 語, 😀: x, tag: «v1»}\n", "tag", "v2", "v2"),
    ("odd indentation", "a:\n     b:\n      tag: «v1»\n", "a.b.tag", "v2", "v2"),
    ("a sequence at the key's column", "a:\n- b: x\n  tag: «v1»\n", "a[0].tag", "v2", "v2"),
    ("nested dashes", "- - - «a»\n    - b\n", "[0][0][0]", "c", "c"),
    ("a value on the next line", "tag:\n  «v1»\nb: 2\n", "tag", "v2", "v2"),
    ("a plain value over lines", "tag: «one\n  two»\nb: 2\n", "tag", "v2", "v2"),
    ("quotes over lines", 'tag: «"one\n  two"»\nb: 2\n', "tag", "v2", '"v2"'),
    ("a document start with content", "--- {tag: «v1»}\n", "tag", "v2", "v2"),
    ("a root scalar", "--- «v1»\n...\n", ".", "v2", "v2"),
    ("an empty value", "tag:« »\nb: 1\n", "tag", "v2", " v2"),
    ("an empty value and a comment", "tag:«»   # none\n", "tag", "v2", " v2"),
    ("an empty value at the end", "tag:«»", "tag", "v2", " v2"),
    ("an empty item", "a:\n  -«»\n  - b\n", "a[0]", "v2", " v2"),
    ("an empty value in a flow mapping", "{tag: «», b: 1}\n", "tag", "v2", "v2"),
    ("an empty value with an anchor", "tag: &v«»\n", "tag", "v2", " v2"),
    ("null", "tag: «~»\n", "tag", "v2", "v2"),
    ("an explicit key", "? tag\n: «v1»\n", "tag", "v2", "v2"),
    ("a directive", "%YAML 1.1\n---\ntag: «v1»\n", "tag", "v2", "v2"),
    ("a tag with a handle", "%TAG !e! tag:e,2000:\n---\ntag: !e!x «v1»\n", "tag", "v2", "v2"),
    ("a key in quotes", '"tag": «v1»\n', "tag", "v2", "v2"),
    ("a key with dots", "a:\n  b.c/d: «v1»\n", 'a["b.c/d"]', "v2", "v2"),
    ("a numeric key", "ports:\n  8080: «v1»\n", "ports.8080", "v2", "v2"),
    ("another key that stands twice", "b: 1\nb: 2\ntag: «v1»\n", "tag", "v2", "v2"),
    (
        "another key that is merged",
        "<<: *b\ntag: «v1»\n".replace("*b", "{b: 1}"),
        "tag",
        "2x",
        "2x",
    ),
    ("an alias elsewhere", "a: &a 1\nb: *a\ntag: «v1»\n", "tag", "v2", "v2"),
    ("a block scalar before", "a: |+\n  tag: no\n\n\ntag: «v1»\n", "tag", "v2", "v2"),
    ("a comment that looks like it", "# tag: v0\ntag: «v1»\n# tag: v3\n", "tag", "v2", "v2"),
    ("a colon in a flow value", "{image: «reg:5000/a:1.2», b: c}\n", "image", "r/b:2", "r/b:2"),
    ("JSON", '{"a": {"tag":  «"v1"» ,"b":1}}', "a.tag", "v2", '"v2"'),
    ("JSON with a tab after the colon", '{"tag":\t«"v1"»}\n', "tag", "v2", '"v2"'),
    ("JSON with a long key", '{"%s": 1, "tag":«"v1"»}' % ("k" * 2000), "tag", "v2", '"v2"'),
    ("JSON with surrogate escapes", '{"a": "\\ud83d\\ude00", "tag": «"v1"»}', "tag", "v", '"v"'),
    ("JSON with CRLF and a mark", '\ufeff{\r\n  "tag": «"v1"»\r\n}\r\n', "tag", "v2", '"v2"'),
    ("a string for a number in JSON", '{"tag": «1»}', "tag", "2", '"2"'),
    ("a string for null in JSON", '{"tag": «null»}', "tag", "x", '"x"'),
]


@pytest.mark.parametrize(
    ("marked", "path", "value", "written"), [k[1:] for k in KEPT], ids=[k[0] for k in KEPT]
)
def test_only_the_value_changes(marked: str, path: str, value: str, written: str) -> None:
    """The bytes before and after the value are the same, and the value is read back."""
    before, rest = marked.split("«")
    old, after = rest.split("»")
    if old == " ":
        old = ""
    text = before + old + after
    new = set_value(text, path, value)
    assert new == before + written + after
    assert read_value(new, path) == value
    assert type(read_value(new, path)) is str


# Each is another type to some reader of YAML 1.1, YAML 1.2 or Go, or no plain scalar at all.
QUOTED = [
    "1.10",
    "12e5",
    "1e3",
    "0123456",
    "1234567",
    "0x1F",
    "0o17",
    "017",
    "0b11",
    "1_000",
    "1e1_0",
    ".1e1_0",
    "0o-52",
    "0b+1",
    "0_x1F",
    "-_.5",
    "2026-1-1 1:2:3",
    "-_",
    "+_1",
    "+1",
    "-1",
    ".5",
    "1.",
    ".inf",
    "-.Inf",
    ".NaN",
    "nan:",
    "1:30",
    "190:20:30",
    "2026-11-21",
    "2001-12-14t21:59:43.10-05:00",
    "yes",
    "No",
    "ON",
    "off",
    "y",
    "N",
    "true",
    "False",
    "TRUE",
    "null",
    "Null",
    "~",
    "=",
    "<<",
    "*a",
    "&a",
    "!t",
    "|x",
    ">x",
    "@x",
    "`x",
    "%x",
    "#x",
    "-:",
    "?:",
    ",x",
    "[x",
    "]x",
    "{x",
    "}x",
    '"x',
    "'x",
    "a:",
    "x:",
    "-",
    "?",
    ":",
    "",
    " ",
    " a",
    "a ",
    "a: b",
    "a #b",
    "- a",
    "? a",
    ": a",
    "a\tb",
    "a\nb",
    "a\r\nb",
    "\ufeffa",
    "\x85",
    "\u2028",
    "---",
    "... ",
    "--- a",
    "\x00",
    "\x07",
    "\x7f",
    "\ufffe",
    "2001-12-14 21:59:43",
]


@pytest.mark.parametrize("value", QUOTED)
def test_a_value_that_would_be_something_else_gets_quotes(value: str) -> None:
    """A plain value is quoted if YAML 1.1, 1.2 or Go would not read it as this string."""
    new = set_value("a: 1\ntag: old # c\n", "tag", value)
    assert new.startswith('a: 1\ntag: "')
    assert new.endswith('" # c\n')
    assert read_value(new, "tag") == value


@pytest.mark.parametrize("value", QUOTED)
@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_quoted_value_takes_any_string(value: str, quote: str) -> None:
    """Within quotes any string is what was set; single quotes become double only if they must."""
    new = set_value(f"tag: {quote}old{quote}\n", "tag", value)
    assert read_value(new, "tag") == value
    printable = value.isprintable()
    assert new[5] == (quote if printable else new[5])


@pytest.mark.parametrize("value", ["v1.2.3", "1.2.3", "api-v9.1.1", "1.4.0-rc.1", "a1b2c3d", "e12", "reg:5000/a/b:c", "a,b", "x]", "-x", "a#b", "é", "2026.11.21", "1.2.3+b", "http://a", "a b", "yes-no"])  # fmt: skip  # noqa: E501
def test_an_ordinary_string_stays_plain(value: str) -> None:
    """What every reader takes for this string needs no quotes and gets none."""
    assert set_value("tag: old\n", "tag", value) == f"tag: {value}\n"


@pytest.mark.parametrize("value", ["a,b", "x]", "{a", "[", "a}", "http://x?y"])
def test_within_a_flow_collection_its_signs_are_quoted(value: str) -> None:
    """Commas and brackets end a plain value within a flow collection, and to Go a ? does."""
    assert set_value("{tag: old, b: c}\n", "tag", value) == f'{{tag: "{value}", b: c}}\n'


@pytest.mark.parametrize(("text", "value", "expected"), [
    ("replicas: 3 # c\n", Plain("5"), "replicas: 5 # c\n"),
    ("replicas: 3\n", "5", 'replicas: "5"\n'),
    ('tag: "1.9"\n', Plain("1.10"), 'tag: "1.10"\n'),
    ("on: true\n", Plain("false"), "on: false\n"),
    ("tag: v1 # c\n", Plain(""), "tag: # c\n"),
    ("tag: v1\n", Plain("~"), "tag: ~\n"),
    ('{"n": 1}', Plain("2"), '{"n": 2}'),
    ('{"n": "a"}', Plain("2"), '{"n": "2"}'),
    ('tag: "a" # c\n', Source("1.10"), "tag: 1.10 # c\n"),
    ("tag: 1.10\n", Source("'a' "), None),
    ("tag: 1.10\n", Source('"\\x61"'), 'tag: "\\x61"\n'),
    ("tag: 1.10\n", Source("a: b"), None),
    ("tag: 1.10\n", Source("a # b"), None),
    ("tag: 1.10\n", Source("*a"), None),
    ("tag: 1.10\n", Source("a\nother: b"), None),
    ("tag: 1.10\n", Plain("a: b"), None),
    ('{"n": 1}', Plain("abc"), None),
    ('{"n": 1}', Plain("0x1F"), None),
    ('{"n": 1}', Source("'a'"), None),
])  # fmt: skip
def test_plain_writes_other_types_and_source_writes_the_text_itself(
    text: str, value: str, expected: str | None
) -> None:
    """`Plain` keeps a number a number, `Source` restores what stood there; never anything more."""
    path = text.lstrip('{"').split(":")[0].strip('"')
    if expected is None:
        with pytest.raises(EditRefused) as refused:
            set_value(text, path, value)
        assert refused.value.path == path
    else:
        assert set_value(text, path, value) == expected


def test_a_value_that_is_set_already_changes_nothing() -> None:
    """Odd but equal writing is not rewritten needlessly."""
    text = "a:   'x'   # c\r\nb: 1\r\n"
    assert set_value(text, "a", "x") is text
    text = 'a: "\\x61\\u00e9"\nb: one\n  two\nc: &c 1.10\n'
    assert set_values(text, {"a": "aé", "b": "one two", "c": Plain("1.10")}) == text
    assert set_value(text, "c", "1.10") == text.replace("1.10", '"1.10"')


def test_two_values_on_one_line_are_both_set() -> None:
    """Several edits of one text are one new text, even on one line."""
    text = "image: {tag: v1, digest: d1} # c\nn: 1\n"
    new = set_values(text, {"image.digest": "digest-2", "image.tag": "v22", "n": Plain("10")})
    assert new == "image: {tag: v22, digest: digest-2} # c\nn: 10\n"


def test_one_refused_edit_refuses_all() -> None:
    """Nothing is produced if one of several edits is not possible."""
    with pytest.raises(EditRefused, match="nothing is there"):
        set_values("a: 1\nb: 2\n", {"a": "x", "c": "y"})


def test_the_same_place_by_two_paths_is_refused() -> None:
    """Two paths to one value cannot both be right."""
    with pytest.raises(EditRefused, match="same place"):
        set_values("a: [{n: x, v: 1}]\n", {"a[0].v": "x", "a[n=x].v": "y"})
    with pytest.raises(EditRefused, match="another of the edits has created it"):
        set_values("a: 1\n", {"b.c": "x", 'b["c"]': "y"}, create=True)


MANIFESTS = dedent("""\
    # first
    ---
    apiVersion: v1
    kind: Service
    metadata:
      name: checkout-service
    spec: {type: ClusterIP}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: checkout-service
      labels:
        app.kubernetes.io/name: checkout
        app.kubernetes.io/version: "1.2.0"
    spec:
      template:
        spec:
          initContainers:
            - {name: migrate, image: "shop/migrate:1.2.0"}
          containers:
            - name: proxy
              image: envoy:1
            - image: shop/checkout:1.2.0 # ours
              name: app
    ---
    """)


def test_a_manifest_is_edited_in_its_document() -> None:
    """A document is found by index, by a match, or by being the only one that has the path."""
    path = "spec.template.spec.containers[name=app].image"
    expected = MANIFESTS.replace("shop/checkout:1.2.0", "shop/checkout:1.3.0")
    for document in (
        None,
        1,
        "kind=Deployment,metadata.name=checkout-service",
        {"kind": "Deployment"},
    ):
        assert set_value(MANIFESTS, path, "shop/checkout:1.3.0", document=document) == expected
    label = 'metadata.labels["app.kubernetes.io/version"]'
    assert '"1.3.0"\n' in set_value(MANIFESTS, label, "1.3.0")
    assert (
        read_value(MANIFESTS, 'spec.template.spec.initContainers[name="migrate"].image')
        == "shop/migrate:1.2.0"
    )


@pytest.mark.parametrize(("document", "reason"), [
    (None, "2 documents of the text have it"),
    (7, "there is no document 7: the text has 3"),
    (-1, "there is no document -1"),
    ("kind=Ingress", "none of the 3 documents match kind=Ingress"),
    ("metadata.name=checkout-service", "2 of the 3 documents match"),
    ("kind", "selected by name=value"),
])  # fmt: skip
def test_a_document_that_is_not_certain_is_refused(document: str | int | None, reason: str) -> None:
    """No document is guessed."""
    with pytest.raises(EditRefused, match=reason):
        set_value(MANIFESTS, "metadata.name", "x", document=document)


def test_many_values_are_read_at_once() -> None:
    """Absent paths are told with the nearest that exists; other types are `Plain`."""
    text = 'a: {b: [x, "1", 2]}\nn: null\nt: !!str 5\nv: &v 7\nw: *v\ni: !!int "3"\n'
    read = read_values(
        text, ["a.b[0]", "a.b[1]", "a.b[2]", "n", "t", "w", "i", "a.c.d", "a.b[9]", "n.x"]
    )
    kinds = {path: type(value).__name__ for path, value in read.items()}
    assert kinds == {
        "a.b[0]": "str", "a.b[1]": "str", "a.b[2]": "Plain", "n": "Plain", "t": "str", "w": "Plain",
        "i": "Plain", "a.c.d": "Missing", "a.b[9]": "Missing", "n.x": "Missing",
    }  # fmt: skip
    assert read["w"] == "7"
    assert not read["a.c.d"]
    nearest = [getattr(read[path], "nearest", "") for path in ("a.c.d", "a.b[9]", "n.x")]
    assert nearest == ["a", "a.b", "n"]


@pytest.mark.parametrize("text", ["[1, 2", '{"a": 1,}', '{"a": 01}', '{"a": "\t"}', "{'a': 1}", '{"a": 1} x', "nan", '["a" "b"]', ""])  # fmt: skip  # noqa: E501
def test_json_is_strict_when_it_is_asked_for(text: str) -> None:
    """A text that is no JSON is refused with the line when JSON is asked for."""
    with pytest.raises(json.JSONDecodeError if text != "nan" else EditRefused):
        json.loads(text) if text != "nan" else read_value(text, "a", language="json")
    with pytest.raises(EditRefused) as refused:
        read_value(text, "a", language="json")
    assert refused.value.line == 1


POD = """
      containers:
        - name: proxy
          image: envoy:1.30
        - {name: app, image: "registry:5000/shop/checkout:1.2.0"} # promoted
"""
KINDS = {
    "Deployment": f"spec:\n  template:\n    spec:{POD}",
    "StatefulSet": f"spec:\n  template:\n    spec:{POD}",
    "Rollout": f"spec:\n  strategy: {{canary: {{}}}}\n  template:\n    spec:{POD}",
    "CronJob": "spec:\n  jobTemplate:\n    spec:\n      template:\n        spec:"
    + POD.replace("\n", "\n    ").rstrip(" "),
}


@pytest.mark.runbook("CHECKOUT-1")
@pytest.mark.parametrize("kind", KINDS)
def test_the_tag_of_an_image_is_promoted_in_every_kind(kind: str) -> None:
    """The image of one container changes its tag, in any kind that runs pods."""
    text = f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: checkout}}\n{KINDS[kind]}"
    inner = "spec.jobTemplate." if kind == "CronJob" else ""
    path = f"{inner}spec.template.spec.containers[name=app].image"
    document = f"kind={kind},metadata.name=checkout"
    old = read_value(text, path, document=document)
    assert old == "registry:5000/shop/checkout:1.2.0"
    new = set_value(text, path, replace_tag(str(old), "1.3.0"), document=document)
    assert new == text.replace("checkout:1.2.0", "checkout:1.3.0")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: v\t\nb: 1\n", "a"),
        ("a: 'v'\t# c\nb: 1\n", "a"),
        ("a:\t\n  b:\tv\t\n", "a.b"),
        ("- v\t\n- 1\n", "[0]"),
        ("? k\n: v\nb: 1\t\n", "k"),
    ],
)
def test_tabs_that_only_separate_are_kept(text: str, path: str) -> None:
    """ruamel.yaml, the second reader, does not know them; files that people keep have them."""
    assert set_value(text, path, "new") == text.replace("v", "new")


def test_a_tab_within_a_value_is_no_space() -> None:
    """The second reader is shown the text without tabs: what has one is not said to be the same."""
    with pytest.raises(EditRefused, match="second reader"):
        set_value('a: {x: v, y: "t\tt"}\t\n', "a.x", "new")
