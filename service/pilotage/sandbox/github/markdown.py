"""Markdown as github.com shows it: tables, task lists that can be ticked, folded details, and HTML
cut down to what is harmless."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup

_TAGS = {
    "a", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1",
    "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "ol", "p", "pre", "q",
    "s", "samp", "span", "strike", "strong", "sub", "summary", "sup", "table", "tbody", "td",
    "tfoot", "th", "thead", "tr", "tt", "ul", "var",
}  # fmt: skip
_VOID = {"br", "hr", "img"}
_SILENT = {"script", "style", "title", "textarea", "iframe", "noscript", "template"}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "td": {"align"},
    "th": {"align"},
    "ol": {"start"},
    "details": {"open"},
    "span": {"class"},
    "li": {"class"},
}
_CLASSES = {"add", "del", "hunk", "task"}
_SCHEMES = {"", "http", "https", "mailto"}

# A box stands in the rendered text as these private characters around its line and mark, until
# the HTML has been cleaned; in the source they are taken out.
_BOX_OPEN, _BOX_CLOSE = "\ue000", "\ue001"
_BOX = re.compile(f"{_BOX_OPEN}(\\d+):([ x]){_BOX_CLOSE}")


def render(text: str, box: Callable[[int, bool], str] | None = None) -> Markup:
    """The HTML of `text`. `box(line, checked)` gives the HTML of a task list's box."""
    source = text.replace(_BOX_OPEN, "").replace(_BOX_CLOSE, "")
    cleaner = _Cleaner()
    cleaner.feed(_PARSER.render(source))
    cleaner.close()
    show = box or _plain_box
    return Markup(_BOX.sub(lambda m: show(int(m[1]), m[2] == "x"), cleaner.html()))  # noqa: S704


def _plain_box(line: int, checked: bool) -> str:
    return f'<span class="box">{"☑" if checked else "☐"}</span>'


def _task_lists(state: StateCore) -> None:
    for before, inline in zip(state.tokens[1:], state.tokens[2:], strict=False):
        if inline.type != "inline" or before.type != "paragraph_open" or not inline.children:
            continue
        first = inline.children[0]
        match = re.match(r"\[([ xX])\]\s", first.content) if first.type == "text" else None
        item = _item_of(state.tokens, before)
        if match and item is not None and inline.map is not None:
            item.attrSet("class", "task")
            mark = f"{_BOX_OPEN}{inline.map[0]}:{match[1].lower()}{_BOX_CLOSE} "
            first.content = mark + first.content[match.end() :]


def _item_of(tokens: Sequence[Token], paragraph: Token) -> Token | None:
    """The list item that begins with this paragraph."""
    before = tokens[tokens.index(paragraph) - 1]
    return before if before.type == "list_item_open" else None


def _fence(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    lines = escape(token.content).split("\n")
    if token.info.split()[:1] == ["diff"]:
        lines = [_diff_line(line) for line in lines]
    return f"<pre><code>{chr(10).join(lines)}</code></pre>\n"


def _diff_line(line: str) -> str:
    kind = {"+": "add", "-": "del", "@": "hunk"}.get(line[:1])
    return f'<span class="{kind}">{line}</span>' if kind else line


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "breaks": True})
    parser.enable(["table", "strikethrough"])
    parser.core.ruler.push("task_lists", _task_lists)
    parser.add_render_rule("fence", _fence)
    return parser


class _Cleaner(HTMLParser):
    """Writes HTML again from what it understood: known tags and attributes, balanced."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._out: list[str] = []
        self._open: list[str] = []
        self._silent = 0

    def html(self) -> str:
        return "".join([*self._out, *(f"</{tag}>" for tag in reversed(self._open))])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif tag in _TAGS and not self._silent:
            kept = "".join(
                f' {name}="{escape(value or "")}"'
                for name, value in attrs
                if _harmless(tag, name, value or "")
            )
            self._out.append(f"<{tag}{kept}>")
            if tag not in _VOID:
                self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in self._open and not self._silent:
            while (closed := self._open.pop()) != tag:
                self._out.append(f"</{closed}>")
            self._out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._out.append(escape(data))


def _harmless(tag: str, name: str, value: str) -> bool:
    if name not in _ATTRIBUTES.get(tag, ()):
        return False
    if name == "class":
        return value in _CLASSES
    if name in ("href", "src"):
        try:
            return urlsplit(value.strip()).scheme.lower() in _SCHEMES
        except ValueError:
            return False
    return True


_PARSER = _parser()
