"""Boxes of the pull request's body: read back, and who ticked what.

A box is a line `- [ ] text <!-- item:NAME -->`. A tick counts only when a person can be named for
it; the service's own rewriting of the body never unticks anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from hashlib import sha256

from markdown_it import MarkdownIt

from pilotage.core.forge import BODY_LIMIT
from pilotage.core.model import BodyEdit, Promotion, Tick

_BOX = re.compile(r"\[(?P<mark>[ xX])\][ \t].*<!--[ \t]*item:(?P<item>[a-z0-9-]+)[ \t]*-->[ \t]*")
_SET = re.compile(r"<!-- set:([0-9a-f]{12}) -->")
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


def set_id(versions: Iterable[tuple[str, str]]) -> str:
    """Names a set of values in the body, so that a tick counts for the set that it was made on."""
    text = "\n".join(f"{service}={version}" for service, version in sorted(versions))
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def set_in(body: str) -> str | None:
    found = _SET.search(body)
    return found[1] if found else None


def ticked_items(promotion: Promotion) -> set[str]:
    return {tick.item for tick in promotion.ticks}


def attribute(
    ticks: Sequence[Tick],
    edits: Sequence[BodyEdit],
    items: Sequence[str],
    is_person: Callable[[str], bool],
) -> tuple[Tick, ...]:
    """The ticks after these edits, oldest first.

    An edit changes a box when the text before it had it otherwise: the text that the event told,
    else what the edit before it left, else the ticks so far. Edits of the service and of other
    robots change nothing, and no edit takes back a tick that is younger.
    """
    state = {tick.item: tick for tick in ticks}
    left: str | None = None
    for edit in sorted(edits, key=lambda found: found.at):
        earlier = edit.before if edit.before is not None else left
        left = edit.after
        if not is_person(edit.editor):
            continue
        after = read_boxes(edit.after)
        before = read_boxes(earlier) if earlier is not None else dict.fromkeys(state, True)
        for item in items:
            if item not in after or after[item] == before.get(item, False):
                continue
            if after[item]:
                state.setdefault(item, Tick(item, edit.editor, edit.at))
            elif item in state and state[item].at <= edit.at:
                del state[item]
    return tuple(tick for item, tick in state.items() if item in items)


def untold(promotion: Promotion, edits: Iterable[BodyEdit]) -> list[BodyEdit]:
    """The edits of its body but for those that the history has told of: an event that comes late,
    or again, must not undo what a person did since."""
    known = promotion.edits_read_until
    return [
        edit
        for edit in edits
        if edit.pull_request == promotion.pull_request and (known is None or edit.at >= known)
    ]


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
