"""Which applications a promoted file itself declares: the manifests of an "app of apps".

The application that applies such a manifest is Synced once the manifest is there; what rolls out is
the application that it declares.
"""

from __future__ import annotations

from collections.abc import Iterator

from pilotage import edit
from pilotage.core.discovery.declared import Declared

_GROUP = "argoproj.io/"


def declared_by(text: str, declared: Declared) -> Iterator[tuple[str, str]]:
    """Each application that the manifests of a file stand for, and what they declare.

    Only those that Argo CD shows: a name that a template makes is not known here.
    """
    if _GROUP not in text:
        return
    shown = {application.name for application in declared.applications}
    sets = {each.name: each.children for each in declared.sets}
    for kind, name in _objects(text):
        if kind == "Application" and name in shown:
            yield name, kind
        elif kind == "ApplicationSet":
            for child in sets.get(name, ()):
                yield child, f"{kind} {name}"


def _objects(text: str) -> list[tuple[str, str]]:
    """Kind and name of every object of Argo CD's."""
    found: dict[int, dict[str, str]] = {}
    try:
        for scalar in edit.scalars(text):
            if scalar.path in ("apiVersion", "kind", "metadata.name"):
                found.setdefault(scalar.document, {})[scalar.path] = scalar.value
    except edit.EditRefused:
        return []
    return [
        (each.get("kind", ""), each.get("metadata.name", ""))
        for each in found.values()
        if each.get("apiVersion", "").startswith(_GROUP)
    ]
