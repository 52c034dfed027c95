"""`pilotage set` on real files: one value changes, byte for byte, or nothing does."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pilotage.cli.file import MOST_BYTES, read_file
from tests.cli.clones import git
from tests.cli.conftest import Run

VALUES = """\
# Promoted by Pilotage.
image:
    repository:   registry.example:5000/shop/api   # é
    tag:   "1.2.0"   # quoted
replicas:  3
enabled: true
ratio: 1.9
"""
MANIFESTS = """\
kind: Service
metadata: {name: shop}
spec: {port: 80}
---
kind: Deployment
metadata: {name: shop}
spec:
  template:
    spec:
      containers:
        - name: app
          image: registry:5000/shop/api:1.2.0@sha256:DIGEST
        - name: proxy
          image: "envoy:v1"
""".replace("DIGEST", "0" * 64)
IMAGE = "spec.template.spec.containers[name=app].image"


@pytest.fixture
def values(tmp_path: Path) -> Path:
    return written(tmp_path / "values.yaml", VALUES)


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    return written(tmp_path / "manifests.yaml", MANIFESTS)


def written(file: Path, text: str) -> Path:
    file.write_bytes(text.encode())
    return file


def text_of(file: Path) -> str:
    return file.read_bytes().decode()


def test_it_sets_one_value_and_says_where(values: Path, run: Run) -> None:
    ran = run("set", values, "image.tag", "1.10")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{values}:4: image.tag: 1.2.0 -> 1.10\n"
    assert text_of(values) == VALUES.replace("1.2.0", "1.10")


@pytest.mark.parametrize("text", ["", "# what production has otherwise\n"])
def test_a_file_without_any_value_gets_its_first(tmp_path: Path, run: Run, text: str) -> None:
    file = written(tmp_path / "values.yaml", text)
    assert run("set", file, "image.tag", "1.10").code == 1
    ran = run("set", file, "image.tag", "1.10", "--insert")
    line = text.count("\n") + 2
    assert (ran.code, ran.out) == (0, f"{file}:{line}: image.tag: nothing -> 1.10\n")
    assert text_of(file) == f'{text}image:\n  tag: "1.10"\n'


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_every_other_byte_stays(
    tmp_path: Path, run: Run, mark: str, newline: str, end: str
) -> None:
    """Byte order mark, CRLF and a missing last line end are the file's own affair."""
    text = mark + VALUES.strip().replace("\n", newline) + end
    file = written(tmp_path / "values.yaml", text)
    assert run("set", file, "image.tag", "2.0.0").code == 0
    assert text_of(file) == text.replace("1.2.0", "2.0.0")


@pytest.mark.parametrize(
    ("path", "value", "options", "line"),
    [
        ("replicas", "5", [], "replicas:  5"),
        ("replicas", "05", [], 'replicas:  "05"'),
        ("replicas", "5", ["--type", "text"], 'replicas:  "5"'),
        ("replicas", "null", ["--type", "plain"], "replicas:  null"),
        ("replicas", "1234567890123456", [], 'replicas:  "1234567890123456"'),
        ("enabled", "false", [], "enabled: false"),
        ("enabled", "no", [], 'enabled: "no"'),
        ("ratio", "1.10", [], 'ratio: "1.10"'),
        ("ratio", "1.10", ["--type", "plain"], "ratio: 1.10"),
        ("image.repository", "0123456", [], '    repository:   "0123456"   # é'),
        ("image.tag", "5", ["--type", "plain"], '    tag:   "5"   # quoted'),
    ],
)
def test_a_value_keeps_its_type(
    values: Path, run: Run, path: str, value: str, options: list[str], line: str
) -> None:
    """A whole number or a boolean stays one; a string stays one, whatever YAML would read."""
    assert run("set", values, path, value, *options).code == 0
    assert line in text_of(values).splitlines()


def test_a_value_that_stands_there_already(values: Path, run: Run) -> None:
    before = values.stat()
    ran = run("set", values, "image.tag", "1.2.0")
    assert (ran.code, ran.out) == (0, f"{values}:4: image.tag: is 1.2.0 already\n")
    assert values.stat().st_ino == before.st_ino
    assert run("set", values, "image.tag", "1.2.0", "--json").json["written"] is False


class TestWhichDocument:
    @pytest.mark.parametrize(
        "which", ["1", "kind=Deployment", "kind=Deployment,metadata.name=shop"]
    )
    def test_it_is_chosen_by_index_or_match(self, manifests: Path, run: Run, which: str) -> None:
        assert run("set", manifests, "metadata.name", "cart", "--document", which).code == 0
        first, second = MANIFESTS.split("---")
        assert text_of(manifests) == f"{first}---{second.replace('name: shop', 'name: cart')}"

    def test_without_a_choice_it_is_refused(self, manifests: Path, run: Run) -> None:
        ran = run("set", manifests, "metadata.name", "cart")
        assert ran.code == 1
        assert ran.err == (
            f"pilotage: {manifests}:6: metadata.name: 2 documents of the text have it: say which,"
            " by index or by a match such as kind=Deployment\n"
        )

    @pytest.mark.parametrize(
        ("which", "expected"), [("2", "there is no document 2"), ("kind=Job", "none of the 2")]
    )
    def test_one_that_is_not_there(
        self, manifests: Path, run: Run, which: str, expected: str
    ) -> None:
        ran = run("set", manifests, "kind", "x", "--document", which)
        assert (ran.code, expected in ran.err) == (1, True)


@pytest.mark.runbook("CHECKOUT-1")
class TestImage:
    @pytest.mark.parametrize(
        ("part", "value", "image"),
        [
            ("tag", "1.3.0", "registry:5000/shop/api:1.3.0"),
            ("tag", f"1.3.0@sha256:{'1' * 64}", f"registry:5000/shop/api:1.3.0@sha256:{'1' * 64}"),
            ("digest", f"sha256:{'2' * 64}", f"registry:5000/shop/api@sha256:{'2' * 64}"),
        ],
    )
    def test_only_a_part_of_it(
        self, manifests: Path, run: Run, part: str, value: str, image: str
    ) -> None:
        """A digest or a tag of the old build never stays beside one of the new."""
        old = f"registry:5000/shop/api:1.2.0@sha256:{'0' * 64}"
        ran = run("set", manifests, IMAGE, value, "--image", part, "--json")
        assert (ran.code, ran.json["before"], ran.json["after"]) == (0, old, image)
        assert text_of(manifests) == MANIFESTS.replace(old, image)

    @pytest.mark.parametrize(
        ("path", "value", "expected"),
        [
            (IMAGE, "1.3 0", f":12: {IMAGE}: '1.3 0' is not a tag"),
            (IMAGE, "v1@sha256:12", f":12: {IMAGE}: 'sha256:12' is not a digest"),
            ("apiVersion", "1", ":5: apiVersion: nothing is there"),
            ("kind", "1", ":5: kind: 'Deployment' is not an image reference"),
        ],
    )
    def test_what_is_no_tag_or_has_none(
        self, manifests: Path, run: Run, path: str, value: str, expected: str
    ) -> None:
        ran = run("set", manifests, path, value, "--image", "tag", "--document", "1")
        assert ran.code == 1
        assert f"pilotage: {manifests}{expected}" in ran.err
        assert text_of(manifests) == MANIFESTS


NEAR = """\
metadata: { labels: { app.kubernetes.io/name: shop } }
spec:
  containers:
    - { name: app, image: "a:1" }
    - { name: side, image: "b:1" }
"""


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("spec.container[name=app].image", "spec.containers[name=app].image"),
        ("spec.containers[name=sid].image", "spec.containers[name=side].image"),
        ("spec.containers[7].image", "spec.containers[1].image"),
        ("spec.containers.0.image", "spec.containers[0].image"),
        ("spec/containers[0].image", "spec.containers[0].image"),
        ("metadata.labels.app.kubernetes.io/name", 'metadata.labels["app.kubernetes.io/name"]'),
        ("metadata.annotations", ""),
        ("spec.replicas", ""),
    ],
)
def test_a_path_that_is_not_there_names_the_nearest(
    tmp_path: Path, run: Run, path: str, meant: str
) -> None:
    file = written(tmp_path / "a.yaml", NEAR)
    ran = run("set", file, path, "x")
    assert (ran.code, text_of(file)) == (1, NEAR)
    assert ("did you mean" in ran.err) is bool(meant), ran.err
    assert f"(did you mean `{meant}`?)" in ran.err or not meant
    assert run("set", file, meant, "x").code == 0 or not meant


def test_items_are_counted_from_the_first(tmp_path: Path, run: Run) -> None:
    ran = run("set", written(tmp_path / "a.yaml", NEAR), "spec.containers[-1].image", "x")
    assert "on: items are counted from the first, which is [0]" in ran.err


class TestInsertAndDelete:
    def test_a_missing_key_is_added_only_when_asked(self, values: Path, run: Run) -> None:
        ran = run("set", values, "image.pullPolicy", "Always")
        assert ran.code == 1
        assert ran.err == (
            f"pilotage: {values}:3: image.pullPolicy: nothing is there; the nearest path that"
            " exists is image; --insert adds keys that are missing\n"
        )
        ran = run("set", values, "image.pullPolicy", "Always", "--insert")
        assert (ran.code, ran.out) == (0, f"{values}:5: image.pullPolicy: nothing -> Always\n")
        added = "# quoted\n    pullPolicy: Always\n"
        assert text_of(values) == VALUES.replace("# quoted\n", added)

    def test_an_entry_is_removed(self, values: Path, run: Run) -> None:
        ran = run("set", values, "image.tag", "--delete")
        assert (ran.code, ran.out) == (0, f"{values}:4: image.tag: 1.2.0 -> nothing\n")
        assert text_of(values) == VALUES.replace('    tag:   "1.2.0"   # quoted\n', "")


class TestShown:
    def test_a_dry_run_writes_nothing_and_shows_what_git_applies(
        self, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        git(tmp_path, "init", "--quiet")
        monkeypatch.chdir(tmp_path)
        file = written(tmp_path / "values.yaml", VALUES)
        ran = run("set", "values.yaml", "replicas", "4", "--dry-run")
        assert (ran.code, text_of(file)) == (0, VALUES)
        git(tmp_path, "apply", "-", given=ran.out)
        assert text_of(file) == VALUES.replace("replicas:  3", "replicas:  4")

    def test_as_json(self, values: Path, run: Run) -> None:
        found = run("set", values, "replicas", "4", "--json").json
        diff = found.pop("diff")
        assert found == {
            "file": str(values),
            "line": 5,
            "path": "replicas",
            "before": "3",
            "after": "4",
            "changed": True,
            "written": True,
        }
        assert "-replicas:  3\n+replicas:  4\n" in diff

    def test_what_a_file_says_cannot_steer_the_terminal(self, tmp_path: Path, run: Run) -> None:
        file = written(tmp_path / "a.yaml", 'a: "\\e[31mx\\a"\n')
        assert "\x1b" not in run("set", file, "a", "y").out


def through(*arguments: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
    pilotage = Path(sys.executable).with_name("pilotage")
    return subprocess.run([pilotage, "set", *arguments], input=given, capture_output=True)


def test_from_stdin_to_stdout_byte_for_byte() -> None:
    text = "\ufeff" + VALUES.replace("\n", "\r\n")
    done = through("-", "image.tag", "2.0.0", given=text.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == text.replace("1.2.0", "2.0.0").encode()


def test_a_refusal_gives_nothing_to_the_next_in_the_pipe() -> None:
    done = through("-", "a", "x", given=b"a: 1\na: 2\n")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"pilotage: stdin:2: a: the key 'a' stands twice")


REFUSED = {
    "alias": ("a: &x 1\nb: *x\n", "b", ":2: b: it is the alias *x"),
    "aliased": ("a: &x 1\nb: *x\n", "a", ":1: a: the alias *x on line 2 repeats it"),
    "merge key": ("a: &x {t: 1}\nb:\n  <<: *x\n", "b.t", ":3: b.t: 't' is not in its mapping"),
    "duplicate key": ("a: 1\nb: 2\na: 3\n", "a", ":3: a: the key 'a' stands twice"),
    "block scalar": ("a: |\n  x\n", "a", ":1: a: it is a block scalar"),
    "mapping": ("a:\n  b: 1\n", "a", ":2: a: it is a mapping"),
    "missing item": ("a: [1]\n", "a[3]", ":1: a[3]: nothing is there"),
    "template": ("a: 1\nb: {{ .x }}:{{ .y }}\n", "a", ":2: not YAML"),
    "templates": ("{{- if .x }}\na: 1\n{{ end }}\n", "a", ":1: not YAML, but a template"),
    "too deep": ("[" * 300 + "]" * 300, "a", ":1: the text is nested too deeply"),
    "too large": ("#" * 4_100_000 + "\na: 1\n", "a", ": the text is too large"),
    "not a path": ("a: 1\n", "a..b", ": a..b: the path cannot be read from '..b' on"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_safe_is_refused_with_file_line_and_reason(
    tmp_path: Path, run: Run, name: str
) -> None:
    text, path, expected = REFUSED[name]
    file = written(tmp_path / "a.yaml", text)
    ran = run("set", file, path, "new")
    assert (ran.code, ran.out) == (1, "")
    assert f"pilotage: {file}{expected}" in ran.err
    assert text_of(file) == text


@pytest.mark.parametrize(
    ("text", "path", "option"),
    [("a: |\n  x\n", "a", "--block-scalars"), ("a: &x 1\nb: *x\n", "a", "--shared")],
)
def test_what_may_be_allowed(tmp_path: Path, run: Run, text: str, path: str, option: str) -> None:
    file = written(tmp_path / "a.yaml", text)
    refused = run("set", file, path, "v2")
    assert (refused.code, text_of(file)) == (1, text)
    assert f"; {option} edits it all the same\n" in refused.err
    assert run("set", file, path, "v2", option).code == 0
    assert "v2" in text_of(file)


@pytest.mark.parametrize(("path", "helps"), [("b.c", True), ('["b.c"]', True), ("a[3]", False)])
def test_insert_is_named_only_where_it_helps(
    tmp_path: Path, run: Run, path: str, helps: bool
) -> None:
    file = written(tmp_path / "a.yaml", "a: [1]\n")
    assert ("--insert adds" in run("set", file, path, "v2").err) is helps
    assert (run("set", file, path, "v2", "--insert").code == 0) is helps


def test_a_json_file_is_never_taken_for_yaml(tmp_path: Path, run: Run) -> None:
    """YAML would read this, and write a string without quotes."""
    file = written(tmp_path / "package.json", "{version: 1,}\n")
    ran = run("set", file, "version", "v2")
    assert (ran.code, "not JSON" in ran.err) == (1, True)


class TestTheFile:
    def test_its_permissions_stay(self, values: Path, run: Run) -> None:
        for mode in (0o600, 0o755, 0o444):
            values.chmod(mode)
            assert run("set", values, "image.tag", f"1.{mode}").code == 0
            assert stat.S_IMODE(values.stat().st_mode) == mode

    def test_nothing_else_is_left_in_its_folder(self, values: Path, run: Run) -> None:
        assert run("set", values, "image.tag", "2").code == 0
        assert run("set", values, "image", "2").code == 1
        assert list(values.parent.iterdir()) == [values]

    def test_a_link_is_refused(self, values: Path, run: Run) -> None:
        link = values.with_name("link.yaml")
        link.symlink_to(values)
        ran = run("set", link, "image.tag", "2")
        assert ran.code == 1
        assert ran.err.startswith(f"pilotage: {link} is a symbolic link, which is never edited")
        assert (link.is_symlink(), text_of(values)) == (True, VALUES)

    def test_a_folder_and_a_pipe_are_refused(self, tmp_path: Path, run: Run) -> None:
        os.mkfifo(tmp_path / "pipe")
        for file, reason in ((tmp_path, "is a folder"), (tmp_path / "pipe", "is not a regular")):
            ran = run("set", file, "a", "b")
            assert (ran.code, f"{file} {reason}" in ran.err) == (1, True)

    def test_one_that_is_not_there(self, tmp_path: Path, run: Run) -> None:
        ran = run("set", tmp_path / "missing.yaml", "a", "b")
        assert (ran.code, "cannot be read: No such file" in ran.err) == (2, True)

    def test_what_is_no_text_or_too_much_of_it(self, tmp_path: Path, run: Run) -> None:
        (tmp_path / "a").write_bytes(b"a: 1\nb: \xff\n")
        assert f"{tmp_path}/a:2: it is not UTF-8 text" in run("set", tmp_path / "a", "a", "b").err
        with (tmp_path / "b").open("wb") as file:
            file.truncate(MOST_BYTES + 1)
        ran = run("set", tmp_path / "b", "a", "b")
        assert (ran.code, "too large" in ran.err) == (1, True)

    def test_what_somebody_wrote_meanwhile_is_not_lost(
        self, values: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        found = read_file(values)
        values.write_text("theirs: 1\n")
        with pytest.raises(BaseException, match="1"):
            found.replace("ours: 1\n")
        assert "changed by somebody else" in capsys.readouterr().err
        assert text_of(values) == "theirs: 1\n"
        assert list(values.parent.iterdir()) == [values]


@pytest.mark.parametrize(
    "arguments",
    [
        ["a"],
        ["a", "b", "--delete"],
        ["a", "--delete", "--insert"],
        ["a", "b", "--image", "tag", "--insert"],
        ["a", "b", "--image", "tag", "--type", "text"],
        ["a", "b", "--image", "name"],
    ],
)
def test_used_wrongly(values: Path, run: Run, arguments: list[str]) -> None:
    assert run("set", values, *arguments).code == 2
    assert text_of(values) == VALUES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n  // why\n  "a": 1\n}\n', ":2: not JSON: it has a comment, and JSON has none"),
        ('{"a": 1 /* why */}\n', ":1: not JSON: it has a comment, and JSON has none"),
        ('{"a": 1,\n}\n', ":2: not JSON: a comma stands before }"),
        ('{"a": [1,]}\n', ":1: not JSON: a comma stands before ]"),
        ('{"a": 1}\n{"a": 2}\n', ":2: not JSON: expected nothing more after the first value"),
        ('{"a" 1}\n', ":1: not JSON: expected a colon"),
    ],
)
def test_what_only_looks_like_json_is_told_apart(
    tmp_path: Path, run: Run, text: str, said: str
) -> None:
    file = written(tmp_path / "a.json", text)
    ran = run("set", file, "a", "x")
    assert (ran.code, text_of(file)) == (1, text)
    assert ran.err == f"pilotage: {file}{said}\n"
