"""Byte-exact edits of single values in YAML and JSON: text in, text out."""

from .editor import read_value, read_values, set_value, set_values
from .find import Missing
from .refused import EditRefused
from .scalar import Plain, Source

__all__ = [
    "EditRefused",
    "Missing",
    "Plain",
    "Source",
    "read_value",
    "read_values",
    "set_value",
    "set_values",
]
