"""What one commit did to the promoted values: from its parent's files to its own."""

from __future__ import annotations

from pilotage import edit
from pilotage.core.model import ServiceChange, Write
from pilotage.core.plan import FileText, Tree
from pilotage.core.policy import CopyValue, Pipeline


def steps(pipeline: Pipeline, before: Tree, after: Tree) -> tuple[ServiceChange, ...]:
    """The services whose copied values differ between two trees of the same environment.

    A file that cannot be read on either side tells nothing and is left out.
    """
    changes = []
    for service in sorted(after.files):
        new = _values(pipeline, after.files[service])
        if new is None:
            continue
        old = _values(pipeline, before.files.get(service)) or {}
        writes = tuple(
            Write(after.files[service].path, path, old.get(path), value)
            for path, value in new.items()
        )
        copied = [rule.copy_ for rule in pipeline.promote if isinstance(rule, CopyValue)]
        if any(write.before != write.after for write in writes if write.path in copied):
            at = pipeline.version_path
            changes.append(ServiceChange(service, old.get(at), new[at], writes))
    return tuple(changes)


def _values(pipeline: Pipeline, file: FileText | None) -> dict[str, str] | None:
    if file is None or file.refused is not None:
        return None
    paths = [rule.copy_ if isinstance(rule, CopyValue) else rule.set_ for rule in pipeline.promote]
    try:
        found = edit.read_values(file.text, paths)
    except edit.EditRefused:
        return None
    values = {path: value for path, value in found.items() if isinstance(value, str)}
    return values if pipeline.version_path in values else None
