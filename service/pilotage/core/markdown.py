"""Values of repositories and people in Markdown: shown exactly as written, and nothing else.

No value can mention somebody, open a box, carry a hidden marker, break out of its table cell, be
a block of its own or link anywhere.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

_GAP = "\u200b"
"""Unseen by readers; between `@` and a name it keeps GitHub from seeing a mention."""
_UNSEEN = ("Cf", "Cs")
"""Unicode's categories of what has no shape of its own, or turns text around."""
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_ACTIVE = re.compile(r"[\\`*_\[\]#~$]")
_BEGINS_BLOCK = re.compile(r"^(?:[-+=]|\d+(?=[.)]))")
_LINKED = re.compile(
    r"@(?=\\?\w)|(?<=#)(?=\d)|(?<=\bGH-)(?=\d)|(?<=:)(?=//)|(?<=www)(?=\.)"
    r"|(?<=:)(?=(?:[+-]1|100|1234|(?=\d*[a-z])[\w\\+-]{1,80}):)",
    re.I,
)
"""Where GitHub makes a mention, a reference, a link or (`:name:`) a picture of it."""
_JOINT = "\u2060"
"""The same between `#` and a number in a link of ours, where no line may be broken."""
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}")


class Markdown(str):
    """Text that goes out as it stands."""

    __slots__ = ()


def escape(value: str, longest: int = 300) -> Markdown:
    """One line of at most `longest` characters that GitHub shows as they are."""
    line = _ACTIVE.sub(lambda found: "\\" + found[0], _line(value, longest))
    line = _unlinked(line).replace("|", "&#124;")
    return Markdown(_BEGINS_BLOCK.sub(_disarmed, line))


def heading(value: str, longest: int = 300) -> Markdown:
    """One line inside a block of HTML, such as `<summary>`: there a backslash would be seen."""
    return Markdown(_unlinked(_line(value, longest)))


def _line(value: str, longest: int) -> str:
    """As much as is to be seen, harmless as HTML."""
    most = 20 * longest
    seen = (each for each in value[:most] if unicodedata.category(each) not in _UNSEEN)
    line = _BLANK.sub(" ", "".join(seen)).strip()
    if len(line) > longest or len(value) > most:
        line = line[: longest - 1].rstrip() + "…"
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _unlinked(line: str) -> str:
    return _LINKED.sub(lambda found: found[0] + _GAP, line)


def _disarmed(found: re.Match[str]) -> str:
    return found[0] + "\\" if found[0].isdigit() else "\\" + found[0]


def link(text: str, url: str | None) -> Markdown:
    """A link of ours; an address that is no plain web address is left out."""
    if url is None or not url.startswith(("https://", "http://")):
        return escape(text)
    label = escape(text).replace(f"#{_GAP}", f"#{_JOINT}")
    return Markdown(f"[{label}]({quote(url, safe=':/?#@!$&+,;=%~')})")


def mention(login: str) -> Markdown:
    """`@login`, which GitHub tells them of; anything else is only text."""
    return Markdown(f"@{login}") if _LOGIN.fullmatch(login) else escape(login)


def signed(proof: str, longest: int = 300) -> Markdown:
    """A proof that begins with the one who gave it: `@li 18 Nov 13:40 UTC`."""
    first, _, rest = proof.partition(" ")
    if not first.startswith("@") or not _LOGIN.fullmatch(first[1:]):
        return escape(proof, longest)
    return Markdown(f"**{first}** {escape(rest, longest)}".rstrip())
