"""Which files a kustomization reads, followed from file to file in git without rendering."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from posixpath import normpath
from typing import TypeAlias

from pilotage import edit

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")

_MOST_FOLDERS = 200
"""Of one kustomization: a tree that is larger is followed so far and no further."""
_LARGEST = 256 * 1024

_FILES_OR_FOLDERS = re.compile(
    r"(resources|components|bases|generators|transformers|validators)\[\d+\]"
)
_FILES = re.compile(
    r"(patches|patchesJson6902|replacements)\[\d+\]\.path"
    r"|(patchesStrategicMerge|crds|configurations)\[\d+\]"
    r"|openapi\.path"
    r"|(configMapGenerator|secretGenerator)\[\d+\]\.(files\[\d+\]|envs\[\d+\]|env)"
    r"|helmCharts\[\d+\]\.(valuesFile|additionalValuesFiles\[\d+\])"
)
_MANIFEST = re.compile(r".+\.(ya?ml|json)", re.IGNORECASE)
_REMOTE = re.compile(r".*(://|\?ref=|\?version=)|[^/]+@[^/]+:|(www\.)?github\.com[/:]")

Texts: TypeAlias = Mapping[str, str | None]
"""Path to text, as far as it was read; None where there is no such file."""


@dataclass(frozen=True, slots=True)
class Kustomized:
    """`reads` is each file with the kustomization that names it; `unread` is wanted to go on."""

    reads: Mapping[str, str]
    unread: frozenset[str] = frozenset()


def within(folder: str, path: str) -> str | None:
    """A relative path from a folder of the repository; None outside of it. "" is the root."""
    found = normpath(f"{folder}/{path}" if folder else path).strip("/")
    if found == ".." or found.startswith("../"):
        return None
    return "" if found == "." else found


def follow(folders: tuple[str, ...], texts: Texts) -> Kustomized:
    """Everything that the kustomizations of these folders read, those of their bases included."""
    reads: dict[str, str] = {}
    unread: set[str] = set()
    queue, seen = list(folders), set(folders)
    for folder in queue:
        places = [within(folder, name) or name for name in NAMES]
        unread |= {place for place in places if place not in texts}
        place = next((place for place in places if texts.get(place) is not None), None)
        if place is None:
            continue
        reads.setdefault(place, place)
        for entry, may_be_folder in _entries(texts[place] or ""):
            path = within(folder, entry)
            if path is None:
                continue
            reads.setdefault(path, place)
            further = may_be_folder and not _MANIFEST.fullmatch(path)
            if further and path not in seen and len(seen) < _MOST_FOLDERS:
                seen.add(path)
                queue.append(path)
    return Kustomized(reads, frozenset(unread))


def _entries(text: str) -> Iterator[tuple[str, bool]]:
    """Each local path that a kustomization names, and whether it may be a folder."""
    if len(text) > _LARGEST:
        return
    try:
        found = edit.scalars(text)
    except edit.EditRefused:
        return
    for scalar in found:
        entry = scalar.value
        folder = _FILES_OR_FOLDERS.fullmatch(scalar.path) is not None
        if not folder and _FILES.fullmatch(scalar.path) is None:
            continue
        if "Generator[" in scalar.path and "=" in entry:
            entry = entry.partition("=")[2]
        if entry and "\n" not in entry and not entry.startswith("/") and not _REMOTE.match(entry):
            yield entry, folder
