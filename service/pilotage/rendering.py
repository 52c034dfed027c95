"""Pages in, Markdown out: the pull request's body and the story of its rollout.

Every expression of a template is escaped unless it is `Markdown` already, so that a template
cannot forget it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC
from functools import cache

from jinja2 import FileSystemLoader, StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pilotage.core import prose
from pilotage.core.forge import BODY_LIMIT, hidden
from pilotage.core.markdown import Markdown, escape, heading, link, mention, signed
from pilotage.core.outputs import BodyPage, LastWord, StoryPage
from pilotage.resources import template_folder


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of a page is shown; each next step shows less until it fits."""

    differences: bool = True
    links: bool = True
    rows: int = 100_000
    longest: int = 300
    """Characters of one value before it is cut."""
    notes: int = 100
    commits: int = 20
    """Of each service."""
    pull_requests: int = 10
    """In a row of the table."""


_FEW = Detail(commits=0, differences=False)
_PLAIN = replace(_FEW, links=False, pull_requests=0)
_DETAILS = (
    Detail(),
    Detail(commits=5),
    Detail(commits=0),
    _FEW,
    _PLAIN,
    replace(_PLAIN, rows=100),
    replace(_PLAIN, rows=100, longest=80, notes=20),
    replace(_PLAIN, rows=20, longest=40, notes=10),
)


def render_body(page: BodyPage) -> str:
    """The pull request's body: at most 65,536 characters, with every box.

    What does not fit goes in this order: commits, differences, links into the services'
    repositories, rows after the first 100, then the length of single values.
    """
    return _fitting("pull_request.md.j2", page)


def render_story(page: StoryPage) -> str:
    """The comment that tells the rollout, at most 65,536 characters."""
    return _fitting("rollout.md.j2", page)


_VERDICT = re.compile(
    r"^> \*\*(?:(?:Not ready|Ready) to merge:|Merged|Closed|Superseded)\*\*[^\r\n]*"
    r"(?:\r?\n> Next: [^\r\n]*)?",
    re.MULTILINE,
)
_ROLL = re.compile(
    r"(?:Comment `/pilotage roll` to take it in|"
    r"It was asked for, and goes in once nothing is held or paused); the boxes open again\."
)


def with_last_word(body: str, word: LastWord) -> str:
    """The body of a pull request that is over: as it was reviewed, but for what was to be done.

    As it was, too, where a person took out the place.
    """
    said = _template("last_word.md.j2", 300).render(page=word).rstrip("\n")
    ended = _VERDICT.sub(lambda _: said, body, count=1)
    ended = _ROLL.sub("It comes with the next pull request.", ended, count=1)
    return ended if len(ended) <= BODY_LIMIT else body


def _fitting(name: str, page: BodyPage | StoryPage) -> str:
    text = ""
    for detail in _DETAILS:
        marker = Markdown(hidden(page.marker))
        text = _template(name, detail.longest).render(page=page, detail=detail, marker=marker)
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
        "heading": lambda value: heading(str(value), longest),
        "moment": prose.moment,
        "clock": lambda at: f"{at.astimezone(UTC):%H:%M:%S} UTC",
        "link": link,
        "mention": mention,
        "signed": lambda proof: signed(proof, longest),
        "item": lambda name: Markdown(f"<!-- item:{name} -->"),
        "set": lambda name: Markdown(f"<!-- set:{name} -->"),
        "box": lambda ticked: Markdown("- [x]" if ticked else "- [ ]"),
    }
    return environment.get_template(name)
