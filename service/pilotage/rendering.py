"""Pages in, Markdown out: the pull request's body and the story of its rollout.

Values come from repositories and people and are hostile. Every expression of a template is
escaped unless it is `Markdown` already: no value can mention somebody, open a box, carry a hidden
marker, break out of its table cell or link anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from functools import cache
from urllib.parse import quote

from jinja2 import FileSystemLoader, StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pilotage.core import prose
from pilotage.core.forge import BODY_LIMIT, hidden
from pilotage.core.outputs import BodyPage, StoryPage
from pilotage.resources import template_folder

_GAP = "\u200b"
"""Unseen by readers; between `@` and a name it keeps GitHub from seeing a mention."""
_UNSEEN = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]")
_CONTROL = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_ACTIVE = re.compile(r"[\\`*_\[\]#~$]")
_BEGINS_BLOCK = re.compile(r"^(?:[-+=]|\d+(?=[.)]))")
_LINKED = re.compile(r"@(?=\w)|(?<=\\#)(?=\d)|(?<=\bGH-)(?=\d)|(?<=:)(?=//)|(?<=www)(?=\.)", re.I)
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")


class Markdown(str):
    """Text that goes out as it stands."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of a page is shown; each next step shows less until it fits."""

    differences: bool = True
    links: bool = True
    rows: int = 100_000
    longest: int = 300
    """Characters of one value before it is cut."""
    notes: int = 100


_DETAILS = (
    Detail(),
    Detail(differences=False),
    Detail(differences=False, links=False),
    Detail(differences=False, links=False, rows=100),
    Detail(differences=False, links=False, rows=100, longest=80, notes=20),
    Detail(differences=False, links=False, rows=20, longest=40, notes=10),
)


def render_body(page: BodyPage) -> str:
    """The pull request's body: at most 65,536 characters, with every box.

    What does not fit goes in this order: differences, compare links, rows after the first 100,
    then the length of single values.
    """
    return _fitting("pull_request.md.j2", page)


def render_story(page: StoryPage) -> str:
    """The comment that tells the rollout, at most 65,536 characters."""
    return _fitting("rollout.md.j2", page)


def _fitting(name: str, page: BodyPage | StoryPage) -> str:
    text = ""
    for detail in _DETAILS:
        text = _template(name, detail.longest).render(
            page=page, detail=detail, marker=Markdown(hidden(page.marker))
        )
        if len(text) <= BODY_LIMIT:
            return text
    raise ValueError(f"{page.marker} does not fit: {len(text)} characters")


@cache
def _template(name: str, longest: int) -> Template:
    """A template whose values are cut to `longest` characters each."""

    def escaped(value: object) -> Markdown:
        return value if isinstance(value, Markdown) else escape(str(value), longest)

    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(template_folder()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        finalize=escaped,
    )
    environment.filters |= {
        "code": lambda value: Markdown(f"<code>{escaped(value)}</code>"),
        "moment": prose.moment,
        "clock": lambda at: f"{at.astimezone(UTC):%H:%M:%S} UTC",
        "link": link,
        "mention": mention,
        "signed": lambda proof: signed(proof, longest),
        "item": lambda name: Markdown(f"<!-- item:{name} -->"),
        "box": lambda ticked: Markdown("- [x]" if ticked else "- [ ]"),
    }
    return environment.get_template(name)


def escape(value: str, longest: int = 300) -> Markdown:
    """One line that GitHub shows exactly as it is written, and does nothing else with."""
    line = _CONTROL.sub(" ", _UNSEEN.sub("", value)).strip()
    if len(line) > longest:
        line = line[: longest - 1].rstrip() + "…"
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _ACTIVE.sub(lambda found: "\\" + found[0], line).replace("|", "&#124;")
    line = _BEGINS_BLOCK.sub(_disarmed, line)
    return Markdown(_LINKED.sub(lambda found: found[0] + _GAP, line))


def _disarmed(found: re.Match[str]) -> str:
    return found[0] + "\\" if found[0].isdigit() else "\\" + found[0]


def link(text: str, url: str | None) -> Markdown:
    """A link of ours; an address that is no plain web address is left out."""
    if url is None or not url.startswith(("https://", "http://")):
        return escape(text)
    return Markdown(f"[{escape(text)}]({quote(url, safe=':/?#@!$&+,;=%~')})")


def mention(login: str) -> Markdown:
    """`@login`, which GitHub tells them of; anything else is only text."""
    return Markdown(f"@{login}") if _LOGIN.fullmatch(login) else escape(login)


def signed(proof: str, longest: int = 300) -> Markdown:
    """A proof that begins with the one who gave it: `@li 18 Nov 13:40 UTC`."""
    first, *rest = proof.split(" ")
    if not first.startswith("@") or not _LOGIN.fullmatch(first[1:]):
        return escape(proof, longest)
    return Markdown(f"**{first}** {escape(' '.join(rest), longest)}".rstrip())
