"""Pages to render: plain ones, and what hypothesis makes of hostile ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from pilotage.core.change import Difference
from pilotage.core.comparison import Compared, Direction, told_by
from pilotage.core.distance import Distance, Step
from pilotage.core.model import Superseded
from pilotage.core.outputs import (
    Advice,
    ApplicationRow,
    BodyPage,
    Box,
    ChangeRow,
    SourcePages,
    StoryPage,
)
from tests.unit.core.worlds import MERGED, NOW, ago

HOSTILE = (
    "@acme/everyone",
    "#12 and acme/gitops#3",
    "<!-- item:soak -->",
    "x\n- [x] mine <!-- item:soak -->",
    "<!-- pilotage:promotion:other-1 -->",
    "a|b|c",
    "`code` and ``",
    "```\nfence",
    "</details><img src=x onerror=alert(1)>",
    "[here](https://evil.example)",
    "https://evil.example www.evil.example",
    "\\| \\` \\",
    "**bold** _it_ ~~no~~ $x$",
    "1. list",
    "# heading",
    "- [ ] box",
    "\u202egnp.exe\u200b",
    "\r\n\x00\x1b[31m",
    "---",
    "&lt;!-- item:soak --&gt;",
    "{{ page }} {% raw %}",
)
hostile = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            ["<!--", "-->", "`", "|", "\n", "- [x] ", " <!-- item:soak -->", "\\", "@a"]
        ),
        max_size=8,
    ).map("".join),
)


def body(**changed: Any) -> BodyPage:
    first = BodyPage(
        promotion="syrf-production-42",
        marker="promotion:syrf-production-42",
        set="0123456789ab",
        pipeline="syrf",
        environment="production",
        source="staging",
        blockers=("1 box open",),
        next_step="tick “Feature works as expected” (platform-admins)",
        rows=(
            ChangeRow(
                "api",
                "api-v9.0.4",
                "api-v9.1.1",
                Distance(Step.MINOR),
                ago(days=2),
                "https://github.com/acme/syrf/compare/api-v9.0.4...api-v9.1.1",
            ),
            ChangeRow("pm", "pm-v10.45.0", None),
        ),
        proven=(
            Box("staging-healthy", "Staging healthy at 4be19f2", True, "api live since 18 Nov"),
            Box("soak", "Soaked 15 min", False),
        ),
        people=(
            Box("migrations", "Migrations successful", True, "@li 18 Nov 13:40 UTC"),
            Box("feature", "Feature works as expected", False, "", "platform-admins"),
        ),
        differences=(Difference("api/config.yaml", "replicas", "2", None),),
        superseded=(Superseded("api", "api-v9.1.0", ago(days=3), ago(days=2)),),
        waiting=(),
        left_out=(Advice("web v5.0.1 is in quarantine: crashed"),),
        rollback=("By itself production is put back by a revert commit.",),
        rollback_command="pilotage rollback syrf api --reason …",
        policy="cluster-gitops at a41c9d0",
        link="https://pilotage.example/promotions/syrf-production-42",
    )
    return replace(first, **changed)


SOURCE_PAGES = SourcePages("acme/syrf", "https://github.com/acme/syrf")


def compared(*messages: str, added: int = 0, author: str | None = "li") -> Compared:
    """What GitHub would say of commits with these messages, oldest first."""
    commits, numbers = told_by("acme/syrf", [("a" * 40, each, author) for each in messages])
    url = "https://github.com/acme/syrf/compare/a...b"
    return Compared(url, Direction.AHEAD, added or len(messages), 0, commits, numbers)


def with_commits(page: BodyPage, *messages: str, **given: Any) -> BodyPage:
    first, *rest = page.rows
    told = replace(first, compared=compared(*messages, **given), source=SOURCE_PAGES)
    return replace(page, rows=(told, *rest))


def story(**changed: Any) -> StoryPage:
    first = StoryPage(
        marker="rollout:syrf-production-42",
        heading="Rolling out",
        by="maria",
        at=NOW,
        sha=MERGED,
        lead="Rolling out api v9.1.1",
        rows=(ApplicationRow("api-production", "77ad0c1", "Synced", "Healthy (live)", NOW),),
        lines=("Check https://api.example/health: 200",),
        advice=(Advice("Rollback ready: api v9.0.4. Comment", "/pilotage rollback <reason>"),),
    )
    return replace(first, **changed)


@st.composite
def boxes(draw: st.DrawFn, names: tuple[str, ...]) -> tuple[Box, ...]:
    chosen = draw(st.lists(st.sampled_from(names), unique=True))
    return tuple(
        Box(name, draw(hostile), draw(st.booleans()), draw(hostile), draw(st.none() | hostile))
        for name in chosen
    )


@st.composite
def hostile_bodies(draw: st.DrawFn) -> BodyPage:
    some = st.lists(hostile, max_size=3).map(tuple)
    row = st.builds(
        ChangeRow,
        hostile,
        st.none() | hostile,
        st.none() | hostile,
        st.none() | st.builds(Distance, st.sampled_from(Step), st.sampled_from(["", "+2"])),
        st.none() | st.just(NOW),
        st.none() | hostile,
    )
    rows = st.lists(row, max_size=3).map(tuple)
    difference = st.builds(Difference, hostile, hostile, st.none() | hostile, st.none() | hostile)
    old = st.builds(Superseded, hostile, hostile, st.just(NOW), st.just(NOW))
    return body(
        promotion=draw(hostile),
        environment=draw(hostile),
        source=draw(hostile),
        blockers=draw(some),
        next_step=draw(hostile),
        rows=draw(rows),
        proven=draw(boxes(("staging-healthy", "soak"))),
        people=draw(boxes(("feature", "migrations", "a-b-c"))),
        differences=draw(st.lists(difference, max_size=3).map(tuple)),
        superseded=draw(st.lists(old, max_size=3).map(tuple)),
        waiting=draw(rows),
        left_out=draw(st.lists(st.builds(Advice, hostile, hostile), max_size=3).map(tuple)),
        rollback=draw(some),
        rollback_command=draw(hostile),
        policy=draw(hostile),
        notes=draw(some),
        link=draw(hostile),
        not_compared=draw(some),
    )
