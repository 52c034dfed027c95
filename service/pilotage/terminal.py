"""Text of any origin for people's terminals: shown, and nothing else."""

from __future__ import annotations

import re

_UNSHOWN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
"""What moves the cursor, colours, ends a line unseen or reorders; tab and newline stay."""


def shown(text: str) -> str:
    """Text without what would move the cursor, colour or reorder the terminal."""
    return _UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", text)


def escaped(json: str) -> str:
    """The same JSON, with what a terminal would act upon written as `\\uXXXX`."""
    return _UNSHOWN.sub(lambda found: f"\\u{ord(found[0]):04x}", json)
