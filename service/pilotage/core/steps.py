"""What one commit did to the promoted values: from its parent's files to its own."""

from __future__ import annotations

from collections.abc import Mapping

from pilotage.core import places
from pilotage.core.change import Part, Place, ServiceChange, Write, content_id, telling
from pilotage.core.config.policy import Pipeline
from pilotage.core.layout import WHOLE, Fixed, Layout, layout_of
from pilotage.core.places import Refused
from pilotage.core.plan import Tree


def steps(pipeline: Pipeline, before: Tree, after: Tree) -> tuple[ServiceChange, ...]:
    """The services whose copied values differ between two trees of the same environment.

    A file that cannot be read afterwards tells nothing and is left out. One that was not there, or
    could not be read before, came as a whole.
    """
    layout = layout_of(pipeline, after.environment)
    changes = []
    for service in layout.services(after.files):
        if not _same(layout, service, before, after):
            changes += _step(layout, service, before, after)
    return tuple(changes)


def _step(layout: Layout, service: str, before: Tree, after: Tree) -> list[ServiceChange]:
    new = _values(layout, service, after)
    at = layout.version_rule(service).place
    if at not in new:
        return []
    old = _values(layout, service, before)
    writes = [
        Write(place.file, place.path, old.get(place), new[place], place.document, place.part)
        for place in sorted(new, key=lambda place: place != at)
    ]
    copied = {rule.place for rule in layout.placed(service) if not isinstance(rule, Fixed)}
    told = telling(write for write in writes if write.place in copied)
    if all(write.before == write.after for write in told):
        return []
    writes += _whole(layout.files_of(service), before, after, (old, new))
    version = places.shown(at, old[at]) if at in old else None
    return [ServiceChange(service, version, places.shown(at, new[at]), tuple(writes))]


def _whole(
    files: tuple[str, ...],
    before: Tree,
    after: Tree,
    values: tuple[Mapping[Place, str], Mapping[Place, str]],
) -> list[Write]:
    """The files that were not there, or of which no value could be read."""
    read, known = values
    writes = []
    for file in files:
        old, new = before.files.get(file), after.files.get(file)
        there = any(place.file == file for place in read)
        if there or new is None or Place(file, WHOLE, part=Part.FILE) in known:
            continue
        was = None if old is None else old.id or content_id(old.text.encode())
        writes.append(Write(file, WHOLE, was, content_id(new.text.encode()), part=Part.FILE))
    return writes


def _same(layout: Layout, service: str, before: Tree, after: Tree) -> bool:
    """Nothing is read of a service whose files are the very same."""
    files = layout.files_of(service)
    return all(before.files.get(file) == after.files.get(file) for file in files)


def _values(layout: Layout, service: str, tree: Tree) -> dict[Place, str]:
    """What can be read of the service's places."""
    found: dict[Place, str] = {}
    for rule in layout.placed(service):
        try:
            found |= places.read([rule.place], tree.files)
        except Refused:
            continue
    return found
