"""Byte-exact edits of single values in YAML and JSON: text in, text out.

`set_value` replaces one scalar and leaves every other byte alone; what it cannot do safely it
refuses with `EditRefused`. `pilotage.edit.image` does the same inside an image reference.
"""

from pilotage.edit.editor import (
    Allowed,
    Scalar,
    Where,
    delete_value,
    find_line,
    read_value,
    read_values,
    scalars,
    set_value,
    set_values,
)
from pilotage.edit.find import Document, Missing, read_match
from pilotage.edit.path import parse_path
from pilotage.edit.refused import EditRefused
from pilotage.edit.scalar import Plain, Source

__all__ = [
    "Allowed",
    "Document",
    "EditRefused",
    "Missing",
    "Plain",
    "Scalar",
    "Source",
    "Where",
    "delete_value",
    "find_line",
    "parse_path",
    "read_match",
    "read_value",
    "read_values",
    "scalars",
    "set_value",
    "set_values",
]
