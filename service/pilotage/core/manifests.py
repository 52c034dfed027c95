"""What Argo CD makes of an application at the head of a promotion's branch, before the merge."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, assert_never

from pilotage.core.application import (
    ApplicationRef,
    CannotSee,
    RenderAt,
    Rendered,
    RenderFailed,
    Rendering,
    ResourceKey,
)

RIGHTS = "the token needs applications, get: docs/argocd.md lists the rights"
_LONGEST = 300
"""Characters that are kept of what a cluster says."""
_FAILED = "` failed "
"""Follows the command line, which names every API of the cluster and may be very long."""
_STATUS = re.compile(r"^exit status \d+:\s*(?:Error:\s*)?")
_PASSWORD = re.compile(r"://[^/\s@]*@")
_NOT_TRIED = (
    "failed to initialize repository resources",
    "failed to list refs",
    "unable to resolve",
    "code = Unavailable",
    "code = DeadlineExceeded",
)
"""What Argo CD says where it did not come to the manifests, whatever stands in them."""


@dataclass(frozen=True, slots=True)
class Question:
    """One application, at a branch's head and at the commit that the branch was made on."""

    application: ApplicationRef
    head: RenderAt
    base: RenderAt


@dataclass(frozen=True, slots=True)
class Renders:
    """`changed` counts the resources that are not as at the base; None where that is not known."""

    resources: int
    changed: int | None = None
    kind: Literal["renders"] = "renders"


@dataclass(frozen=True, slots=True)
class DoesNotRender:
    """`at_base`: without the promotion it renders as little."""

    message: str
    at_base: bool = False
    until: datetime | None = None
    """When it is asked for again."""
    attempts: int = 0
    kind: Literal["does_not_render"] = "does_not_render"


@dataclass(frozen=True, slots=True)
class NotSeen:
    """Nothing was learnt."""

    reason: str
    next_step: str = ""
    until: datetime | None = None
    """When it is asked for again."""
    attempts: int = 0
    kind: Literal["not_seen"] = "not_seen"


@dataclass(frozen=True, slots=True)
class NotAsked:
    """Rendering would tell nothing of what the merge does to this application."""

    reason: str
    kind: Literal["not_asked"] = "not_asked"


Answer: TypeAlias = Renders | DoesNotRender | NotSeen | NotAsked


@dataclass(frozen=True, slots=True)
class Render:
    """What is known of one application at one head (a full commit id)."""

    application: str
    head: str
    answer: Answer


def answer(head: Rendering, base: Rendering) -> Answer:
    """What two renderings of one application say of the branch."""
    match head:
        case CannotSee(reason=reason, unauthorised=unauthorised):
            return NotSeen(said(reason), RIGHTS if unauthorised else "")
        case RenderFailed(message=message) if _is_not_tried(message):
            return NotSeen(said(message))
        case RenderFailed(message=message):
            at_base = isinstance(base, RenderFailed) and not _is_not_tried(base.message)
            return DoesNotRender(said(message), at_base)
        case Rendered(digests=digests):
            before = base.digests if isinstance(base, Rendered) else None
            return Renders(len(digests), _changed(digests, before))
        case _ as never:
            assert_never(never)


def _changed(
    now: Mapping[ResourceKey, str], before: Mapping[ResourceKey, str] | None
) -> int | None:
    if before is None:
        return None
    return sum(now.get(key) != before.get(key) for key in now.keys() | before.keys())


def _is_not_tried(message: str) -> bool:
    """By Argo CD's own words: a chart may write anything into those of its generator."""
    own = message.partition(_FAILED)[0]
    return any(each in own for each in _NOT_TRIED)


def said(message: str) -> str:
    """One line: the generator's own words, without the command line that Argo CD puts before them.

    Who may write a chart may write these words.
    """
    command, failed, how = message.partition(_FAILED)
    words = (how if failed else command)[: 20 * _LONGEST]
    own = _STATUS.sub("", words, count=1) or words
    line = " ".join("".join(each if each.isprintable() else " " for each in own).split())
    line = _PASSWORD.sub("://", line)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
