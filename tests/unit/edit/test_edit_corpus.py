"""Real files: every scalar of every file set and put back gives the same bytes.

The files are those of `tests/data/corpus`, written as teams write theirs (comments in columns, odd
indentation, flow mappings, templates in block scalars, several documents, anchors, tabs), those
that the installed packages ship, and those of this project. `PILOTAGE_CORPUS=/some/folder` adds any
folder of YAML and JSON.
"""

import os
import sysconfig
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import pilotage.edit.image
from pilotage.edit import EditRefused, delete_value, scalars, set_value
from tests.unit.edit.corpus import check

PROJECT = Path(__file__).parents[3]
WRITTEN = PROJECT / "tests" / "data" / "corpus"
PACKAGES = Path(sysconfig.get_path("purelib"))
FOLDER = os.environ.get("PILOTAGE_CORPUS")
ENDS = (".yaml", ".yml", ".json")
USUAL = {"together": 500, "alone": 40_000}
FEW = {"together": 500, "alone": 4_000}
ALL = {"together": 1_000_000, "alone": 1_000_000}

VARIANTS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "with CRLF": lambda text: text.replace("\r\n", "\n").replace("\n", "\r\n"),
    "without the last line end": lambda text: text.rstrip(),
    "with a byte order mark": lambda text: "\ufeff" + text.removeprefix("\ufeff"),
}
# Tagged as a number or a boolean, and block scalars that are empty or give their indentation.
REFUSED = {
    "helm-values-documented.yaml": 1,
    "odd-spaces.yaml": 1,
    "scalars.yaml": 3,
    "sequences.yml": 1,
}


SCHEMAS = PACKAGES / "kubernetes_validate"
"""Seventeen thousand files of one kind, which would only have to be listed."""


def _below(*roots: Path) -> dict[str, Path]:
    folders = (each for root in roots for each in _folders(root) if each != SCHEMAS)
    found = (path for each in folders for path in sorted(each.rglob("*")) if path.suffix in ENDS)
    files = [path for path in found if path.is_file() and not path.is_symlink()]
    return {_name(path, roots): path for path in files if ".git" not in path.parts}


def _folders(root: Path) -> list[Path]:
    return sorted(root.iterdir()) if root == PACKAGES else [root]


def _name(path: Path, roots: Iterable[Path]) -> str:
    root = next(root for root in roots if path.is_relative_to(root))
    return path.relative_to(root.parent).as_posix()


OWN = _below(WRITTEN)
SHIPPED = _below(PACKAGES, PROJECT / "policies", PROJECT / "docs", PROJECT / ".github")
MOST_OF_ONE = 5
"""Files of one package: some ship thousands that are alike."""


def _by_package() -> dict[str, dict[str, Path]]:
    packages: dict[str, dict[str, Path]] = {}
    for name, path in SHIPPED.items():
        packages.setdefault("/".join(name.split("/")[:2]), {})[name] = path
    return {name: _spread(files) for name, files in packages.items()}


def _spread(files: dict[str, Path]) -> dict[str, Path]:
    step = -(-len(files) // MOST_OF_ONE)
    return dict(list(files.items())[::step])


PACKAGED = _by_package()
GIVEN = _below(Path(FOLDER)) if FOLDER else {}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", OWN)
def test_every_scalar_of_files_as_teams_write_them(name: str, variant: str) -> None:
    """Block scalars, aliased values and all: each comes back byte for byte."""
    text = VARIANTS[variant](_text(OWN[name]))
    report = check(text, **(USUAL if variant == "as it is" else FEW))
    assert report.scalars >= 2
    assert report.refused.total() == REFUSED.get(OWN[name].name, 0), report.refused


@pytest.mark.parametrize("package", PACKAGED)
def test_every_scalar_of_files_that_packages_ship(package: str) -> None:
    """Files that nobody wrote for this test; what is no YAML is refused as such."""
    for file in PACKAGED[package].values():
        _read(file, FEW)


@pytest.mark.skipif(not GIVEN, reason="PILOTAGE_CORPUS names no folder")
@pytest.mark.parametrize("name", GIVEN)
def test_every_scalar_of_files_of_a_given_folder(name: str) -> None:
    """Any repository's: `PILOTAGE_CORPUS=/some/clone make thorough ARGS="-k given_folder"`."""
    refused = _read(GIVEN[name], ALL)
    if refused is not None:
        pytest.skip(refused)


def _read(file: Path, much: dict[str, int]) -> str | None:
    """Why the file is no YAML; None when it was checked."""
    try:
        check(_text(file), **much)
    except (EditRefused, UnicodeDecodeError) as refused:
        return f"{file}: {refused}"
    return None


def _text(file: Path) -> str:
    return file.read_bytes().decode()


def test_the_corpus_is_there() -> None:
    """A corpus that shrinks to nothing would pass for the wrong reason."""
    assert len(OWN) >= 25
    assert len(SHIPPED) >= 10


def test_every_entry_of_a_values_file_can_be_deleted_or_is_refused() -> None:
    """What is deleted is one entry; the other scalars are all there as before."""
    text = _text(WRITTEN / "helm-values.yaml")
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
    text = _text(WRITTEN / "manifests.yaml")
    old = pilotage.edit.read_value(text, path, document="kind=Deployment")
    assert isinstance(old, str)
    new = pilotage.edit.image.replace_tag(old, "1.3.0")
    assert set_value(text, path, new, document=0) == text.replace(
        old, "registry:5000/shop/checkout:1.3.0"
    )
