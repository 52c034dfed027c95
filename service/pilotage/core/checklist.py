"""Boxes of the pull request's body: read back, and who ticked what.

A box is a line `- [ ] text <!-- item:NAME -->`. A tick counts only when a person can be named for
it; the service's own rewriting of the body never unticks anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache

from markdown_it import MarkdownIt

from pilotage.core.forge import BODY_LIMIT
from pilotage.core.model import BodyEdit, Promotion, Tick

_BOX = re.compile(r"\[(?P<mark>[ xX])\][ \t].*<!--[ \t]*item:(?P<item>[a-z0-9-]+)[ \t]*-->[ \t]*")
_MOST_BOXES = 500


@cache
def _blocks() -> MarkdownIt:
    """GitHub's block structure: what stands in a comment or a code fence is no box to anybody."""
    parser = MarkdownIt("commonmark")
    parser.core.ruler.disable("inline")
    return parser


def read_boxes(body: str) -> dict[str, bool]:
    """Item to ticked, for the boxes that GitHub shows. The first box of a name counts."""
    boxes: dict[str, bool] = {}
    tokens = _blocks().parse(body[:BODY_LIMIT])
    for item, paragraph, text in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (item.type, paragraph.type) != ("list_item_open", "paragraph_open"):
            continue
        match = _BOX.fullmatch(text.content.split("\n", 1)[0])
        if match is not None:
            boxes.setdefault(match["item"], match["mark"] != " ")
        if len(boxes) >= _MOST_BOXES:
            break
    return boxes


def ticked_items(promotion: Promotion) -> set[str]:
    return {tick.item for tick in promotion.ticks}


def attribute(
    ticks: Sequence[Tick],
    edits: Sequence[BodyEdit],
    items: Sequence[str],
    is_person: Callable[[str], bool],
) -> tuple[Tick, ...]:
    """The ticks after these edits, oldest first.

    An edit changes a box when the text before it (where the event told it; otherwise the ticks so
    far) had it otherwise. Edits of the service and of other robots change nothing.
    """
    state = {tick.item: tick for tick in ticks}
    for edit in sorted(edits, key=lambda found: found.at):
        if not is_person(edit.editor):
            continue
        after = read_boxes(edit.after)
        before = _before(edit, state)
        for item in items:
            if item not in after or after[item] == before.get(item, False):
                continue
            if after[item]:
                state.setdefault(item, Tick(item, edit.editor, edit.at))
            else:
                state.pop(item, None)
    return tuple(tick for item, tick in state.items() if item in items)


def _before(edit: BodyEdit, state: Mapping[str, Tick]) -> dict[str, bool]:
    if edit.before is not None:
        return read_boxes(edit.before)
    return dict.fromkeys(state, True)


def tick(promotion: Promotion, item: str, by: str, at: datetime) -> Promotion:
    """A tick by comment command; the first who ticked stays named."""
    if item in ticked_items(promotion):
        return promotion
    return replace(promotion, ticks=(*promotion.ticks, Tick(item, by, at)))


def disagrees(body: str, ticks: Sequence[Tick], items: Sequence[str]) -> bool:
    """Whether the body shows a box otherwise than the ticks that are accounted for."""
    boxes = read_boxes(body)
    ticked = {found.item for found in ticks}
    return any(item in boxes and boxes[item] != (item in ticked) for item in items)
