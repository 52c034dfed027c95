"""Real files: every scalar of every file set and put back gives the same bytes.

The files are those that the installed packages ship, those of this project, and those below, which
are written as teams write theirs: comments in columns, odd indentation, flow mappings, templates
in block scalars, several documents, CRLF.
"""

import sysconfig
from collections import Counter, defaultdict
from pathlib import Path
from textwrap import dedent

import pytest

import pilotage.edit.image
from pilotage.edit import EditRefused, Scalar, delete_value, scalars, set_value, set_values

PROJECT = Path(__file__).parents[3]
PACKAGES = Path(sysconfig.get_path("purelib"))
ONE_BY_ONE = 25  # of a file; fewer of one that is large
LARGE = 250_000

WRITTEN = {
    "values.yaml": """\
        # Default values for checkout.   \t
        ## @param image.tag  The tag
        image:
            repository:   registry.example:5000/shop/checkout   # port and all
            tag:          "1.10"      # quoted: it is no number
            pullPolicy: IfNotPresent

            pullSecrets: [ ]
        replicaCount: 3
        resources: {limits: {cpu: 500m, memory: 1Gi}, requests: {cpu: .5, memory: '512Mi' } }

        podAnnotations: {
           "prometheus.io/scrape": 'true',   # annotations are strings
           "prometheus.io/port"  : "8080" ,
        }
        config: |
          server:
            port: 8080   # not a comment of ours

          tag: "v0"
        script: >-
            one
            two

              three
        env:
        - name: LOG_LEVEL
          value: info
        -   name:   "QUOTE 'S"
            value:  'It''s "fine"'
        - {name: EMPTY, value: }
        - name: NONE
          value:
        sha: 0123456
        exponent: 12e5
        when: 2026-11-21
        time: 12:30
        switch: off
        nothing: ~
        multi: one
          two
           three
        folded: "one
          two\\
          three \\u00e9"
        é: "ü"   # 日本語
        😀: [ 😀, "😀", '😀' ]
        """,
    "manifests.yaml": """\
        %YAML 1.1
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: &meta
          name: checkout-service
          labels: &labels
            app.kubernetes.io/name: checkout
            "app.kubernetes.io/version": &version "1.2.0"
        spec:
          selector: {matchLabels: *labels}
          template:
            metadata:
              labels:
                <<: *labels
                extra: "yes"
            spec:
              containers:
                - name: app
                  image: !!str registry:5000/shop/checkout:1.2.0@sha256:0000000000000000000000000000000000000000000000000000000000000000
                  args: ["--version", *version, '--x={{ .y }}']
        ...
        ---
        # a document of comments
        ---
        - - deep
          - [er, [and, {er: "!"}]]
        -
          - x
        --- # the last
        just text
        """,  # noqa: E501
    "kustomization.yaml": """\
        apiVersion: kustomize.config.k8s.io/v1beta1
        kind: Kustomization
        resources: [../../base]
        images:
          - name: shop/checkout
            newTag: 1.2.0
          - {name: shop/basket, digest: "sha256:1111111111111111111111111111111111111111111111111111111111111111"}
        patches:
          - target: {kind: Deployment}
            patch: |-
              - op: replace
                path: /spec/replicas
                value: 3
        """,  # noqa: E501
    "state.json": """\
        {
          "version" :\t"1.2.0",
          "list": [1, -2.5e-3, true, false, null, "", {"a": []}, {}],
          "escapes": "\\ud83d\\ude00 \\/ \\u00e9 \\" \\\\ é",
            "odd"  :   { "x":1 ,"y" : [ ] }
        }
        """,
}


def _written() -> dict[str, str]:
    texts = {name: dedent(text) for name, text in WRITTEN.items()}
    texts |= {f"CRLF {name}": text.replace("\n", "\r\n") for name, text in texts.items()}
    texts |= {f"cut {name}": text.rstrip() for name, text in texts.items()}
    return texts | {"mark " + name: "\ufeff" + text for name, text in texts.items()}


def _shipped() -> dict[str, Path]:
    roots = [PACKAGES, PROJECT / "policies", PROJECT / "docs", PROJECT / ".github"]
    files = [p for root in roots for end in ("yaml", "yml", "json") for p in root.rglob(f"*.{end}")]
    return {str(path.relative_to(path.parents[1])): path for path in sorted(files)}


TEXTS = _written()
FILES = _shipped()


def _round(text: str, document: int, group: list[Scalar], value: str) -> None:
    """All of `group` set at once and put back at once."""
    paths = {scalar.path: value for scalar in group}
    new = set_values(text, paths, document=document, block_scalars=True, shared=True)
    assert new != text or all(scalar.value == value for scalar in group)
    back = {scalar.path: scalar.source for scalar in group}
    assert set_values(new, back, document=document, block_scalars=True, shared=True) == text


def _check(text: str) -> int:
    found = list(scalars(text))
    groups = defaultdict(list)
    counts = Counter((scalar.document, scalar.path) for scalar in found)
    for scalar in found:
        is_empty_document = scalar.path == "." and not scalar.source
        if counts[scalar.document, scalar.path] == 1 and not is_empty_document:
            groups[scalar.document].append(scalar)
    for document, group in groups.items():
        _round(text, document, group, "v1.0")
        count = min(ONE_BY_ONE, max(LARGE // len(text), 1))
        for scalar in group[:: len(group) // count + 1]:
            _round(text, document, [scalar], "1.10")
    return sum(map(len, groups.values()))


@pytest.mark.parametrize("name", TEXTS)
def test_every_scalar_of_files_as_teams_write_them(name: str) -> None:
    """Block scalars, aliased values and all: each comes back byte for byte."""
    assert _check(TEXTS[name]) >= 9


@pytest.mark.parametrize("name", FILES)
def test_every_scalar_of_files_that_packages_ship(name: str) -> None:
    """Files that nobody wrote for this test; what is no YAML is refused as such."""
    text = FILES[name].read_bytes().decode()
    try:
        _check(text)
    except EditRefused as refused:
        pytest.skip(f"{name}: {refused}")


def test_the_corpus_is_there() -> None:
    """A corpus that shrinks to nothing would pass for the wrong reason."""
    assert len(FILES) >= 10


def test_every_entry_of_a_values_file_can_be_deleted_or_is_refused() -> None:
    """What is deleted is one entry; the other scalars are all there as before."""
    text = TEXTS["values.yaml"]
    deleted = 0
    for scalar in scalars(text):
        try:
            new = delete_value(text, scalar.path, block_scalars=True)
        except EditRefused:
            continue
        deleted += 1
        before = Counter(s.source for s in scalars(text))
        after = Counter(s.source for s in scalars(new))
        assert before - after == Counter([scalar.source])
        assert not after - before
    assert deleted > 20


def test_the_tags_of_a_manifest_are_found_by_name() -> None:
    """The path that a person would write leads to the image."""
    path = "spec.template.spec.containers[name=app].image"
    text = TEXTS["manifests.yaml"]
    old = pilotage.edit.read_value(text, path, document="kind=Deployment")
    assert isinstance(old, str)
    new = pilotage.edit.image.replace_tag(old, "1.3.0")
    assert set_value(text, path, new, document=0) == text.replace(
        old, "registry:5000/shop/checkout:1.3.0"
    )
