"""What one commit did to the promoted values: from its parent's files to its own."""

from __future__ import annotations

from pilotage import edit
from pilotage.core.model import ServiceChange, Write
from pilotage.core.plan import FileText, Tree
from pilotage.core.policy import CopyValue, Pipeline


def steps(pipeline: Pipeline, before: Tree, after: Tree) -> tuple[ServiceChange, ...]:
    """The services whose copied values differ between two trees of the same environment.

    A file that cannot be read afterwards tells nothing and is left out. One that was not there, or
    could not be read before, came as a whole.
    """
    changes = []
    for service in sorted(after.files):
        file, at = after.files[service], pipeline.version_path
        new = _values(pipeline, file)
        if new is None or at not in new:
            continue
        stood = _values(pipeline, before.files.get(service))
        old = stood or {}
        writes = tuple(Write(file.path, path, old.get(path), value) for path, value in new.items())
        copied = [rule.copy_ for rule in pipeline.promote if isinstance(rule, CopyValue)]
        if any(write.before != write.after for write in writes if write.path in copied):
            whole = (file.path,) if stood is None else ()
            changes.append(ServiceChange(service, old.get(at), new[at], writes, whole=whole))
    return tuple(changes)


def _values(pipeline: Pipeline, file: FileText | None) -> dict[str, str] | None:
    if file is None or file.refused is not None:
        return None
    paths = [rule.copy_ if isinstance(rule, CopyValue) else rule.set_ for rule in pipeline.promote]
    try:
        found = edit.read_values(file.text, paths)
    except edit.EditRefused:
        return None
    return {path: value for path, value in found.items() if isinstance(value, str)}
