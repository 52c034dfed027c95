"""The body and the story: complete, short enough, and safe whatever the values are."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pilotage.core.change import Difference
from pilotage.core.checklist import read_boxes, set_in
from pilotage.core.comparing import MOST
from pilotage.core.forge import BODY_LIMIT, marker_in
from pilotage.core.markdown import escape, link, mention, signed
from pilotage.core.outputs import Advice, BodyPage, Box, ChangeRow, LastWord
from pilotage.rendering import render_body, render_story, with_last_word
from tests.unit.core.pages import (
    HOSTILE,
    SOURCE_PAGES,
    body,
    compared,
    hostile,
    hostile_bodies,
    story,
    with_commits,
)
from tests.unit.core.worlds import MERGED, NOW

GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_MENTION = re.compile(r"(?<![\w`])@\w")
_REFERENCE = re.compile(r"(?:#|\bGH-)\d", re.IGNORECASE)


def shown(markdown: str) -> str:
    """What readers see of inline Markdown, without the gaps that keep it harmless."""
    html = GITHUB.renderInline(markdown)
    text = re.sub(r"<[^>]*>", "", html)
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text.translate({0x200B: None, 0x2060: None})


OURS = {"p", "h3", "blockquote", "strong", "em", "ul", "li", "details", "summary", "table"}
OURS |= {"thead", "tbody", "tr", "th", "td", "sub", "code"}


def active(html: str) -> list[str]:
    """The tags in a page that a template did not write, and addresses that GitHub would link."""
    tags = [tag for tag in re.findall(r"<([a-z0-9]+)", html) if tag not in OURS]
    return tags + re.findall(r"://|www\.\w", html)


@pytest.mark.runbook("SYRF-4")
def test_the_reviewer_sees_what_is_missing_first_and_everything_else_below() -> None:
    text = render_body(body())
    lines = text.splitlines()
    assert marker_in(lines[0]) == "promotion:syrf-production-42"
    assert set_in(text) == "0123456789ab"
    assert lines[3] == "> **Not ready to merge:** 1 box open."
    assert lines[4] == "> Next: tick “Feature works as expected” (platform-admins)"
    assert (
        "| api | api-v9.0.4 | **api-v9.1.1** | minor | 18 Nov 12:00 UTC | [commits]"
        "(https://github.com/acme/syrf/compare/api-v9.0.4...api-v9.1.1) |"
    ) in lines
    assert "| pm | pm-v10.45.0 | unchanged |  |  |  |" in lines
    assert (
        "- [x] Migrations successful · **@li** 18 Nov 13:40 UTC <!-- item:migrations -->" in lines
    )
    assert "- [ ] Feature works as expected · *platform-admins* <!-- item:feature -->" in lines
    assert "<details><summary>Superseded: 1 version that never went out</summary>" in lines
    assert "<details><summary>Left out: 1</summary>" in lines


@pytest.mark.runbook("SYRF-3")
def test_other_keys_that_differ_are_listed_as_not_promoted() -> None:
    text = render_body(body())
    assert "<summary>Not promoted: 1 other key differs</summary>" in text
    assert (
        "| <code>api/config.yaml</code> | <code>replicas</code> | <code>2</code> | *not there* |"
        in text
    )


@pytest.mark.runbook("SYRF-17")
def test_the_way_back_stands_in_the_request_before_it_is_merged() -> None:
    text = render_body(body())
    assert "comment `/pilotage rollback <reason>` here" in text
    assert "<code>pilotage rollback syrf api --reason …</code>" in text


def test_with_nothing_missing_it_says_ready() -> None:
    assert "> **Ready to merge:** every gate is open." in render_body(body(blockers=()))


def test_a_waiting_set_says_how_to_take_it_in() -> None:
    text = render_body(body(waiting=(ChangeRow("api", "api-v9.0.4", "api-v9.2.0"),)))
    assert "Comment `/pilotage roll` to take it in" in text
    assert "| api | api-v9.0.4 | **api-v9.2.0** |" in text


def test_several_reasons_stand_apart_from_each_other() -> None:
    text = render_body(body(blockers=("held by maria: wait", "2 boxes open")))
    assert "> **Not ready to merge:** held by maria: wait; 2 boxes open." in text
    back = ChangeRow("api", "v2", "v1")
    text = render_body(body(going_back=(back, replace(back, service="web"))))
    assert "api from v2 to the older v1; web from v2 to the older v1. " in text


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"roll_asked": True}, "It was asked for, and goes in once nothing is held or paused"),
        ({"ours": False, "roll_asked": True}, "It comes with the next pull request, because"),
    ],
)
def test_a_waiting_set_that_no_command_takes_in_says_so(told: dict[str, bool], text: str) -> None:
    page = body(waiting=(ChangeRow("api", "api-v9.0.4", "api-v9.2.0"),), **told)
    shown_text = render_body(page)
    assert text in shown_text
    assert "Comment `/pilotage roll`" not in shown_text
    ended = with_last_word(shown_text, MERGED_WORD)
    assert "boxes open again" not in ended
    assert "It comes with the next pull request" in ended


MERGED_WORD = LastWord("Merged", "maria", NOW, "the comment tells how it goes", MERGED)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("blockers", [(), ("1 box open",)])
def test_once_it_is_over_the_body_asks_nobody_to_merge(
    newline: str, blockers: tuple[str, ...]
) -> None:
    """The rest stays as it was reviewed, whoever edited it, and however GitHub ends its lines."""
    waiting = (ChangeRow("api", "api-v9.0.4", "api-v9.2.0"),)
    text = render_body(body(blockers=blockers, waiting=waiting)) + "A person's own line.\n"
    ended = with_last_word(text.replace("\n", newline), MERGED_WORD)
    assert "to merge" not in ended
    assert "Next:" not in ended
    assert "/pilotage roll`" not in ended
    said = "> **Merged** by @maria 20 Nov 12:00 UTC as <code>ddddddd</code>: the comment tells how"
    assert said in ended
    assert read_boxes(ended) == read_boxes(text)
    assert "A person's own line." in ended
    assert (marker_in(ended), set_in(ended)) == (marker_in(text), set_in(text))
    assert with_last_word(ended, MERGED_WORD) == ended


def test_a_later_word_replaces_an_earlier_one() -> None:
    """Closed by mistake, opened by hand while the service was away, merged."""
    closed = with_last_word(render_body(body()), LastWord("Closed", "", NOW, "not proposed again"))
    assert "> **Closed** 20 Nov 12:00 UTC: not proposed again." in closed
    merged = with_last_word(closed, MERGED_WORD)
    assert "**Closed**" not in merged
    assert "**Merged**" in merged


def test_where_a_person_took_the_verdict_out_the_body_stays() -> None:
    assert with_last_word("my own words", MERGED_WORD) == "my own words"
    full = render_body(body()).ljust(BODY_LIMIT, "x")
    long = replace(MERGED_WORD, text="x" * 290)
    assert with_last_word(full, long) == full, "GitHub takes no longer one"


@settings(max_examples=60)
@given(page=hostile_bodies(), text=hostile)
def test_the_last_word_changes_no_box_whatever_the_texts_are(page: BodyPage, text: str) -> None:
    before = render_body(page)
    after = with_last_word(before, replace(MERGED_WORD, by=text, text=text))
    assert read_boxes(after) == read_boxes(before)
    assert marker_in(after) == page.marker


def test_the_same_page_is_the_same_text() -> None:
    """Otherwise every look would rewrite the body."""
    assert render_body(body()) == render_body(body())


def test_the_story_names_who_merged_and_how_each_application_stands() -> None:
    lines = render_story(story()).splitlines()
    assert marker_in(lines[0]) == "rollout:syrf-production-42"
    assert lines[2] == (
        "> **Rolling out** · merged by @maria 20 Nov 12:00 UTC as <code>ddddddd</code>"
    )
    assert (
        "| api-production | <code>77ad0c1</code> | Synced | Healthy (live) | 12:00:00 UTC |"
        in lines
    )
    assert (
        "- Rollback ready: api v9.0.4. Comment <code>/pilotage rollback &lt;reason&gt;</code>"
        in lines
    )


@settings(max_examples=60)
@given(page=hostile_bodies())
def test_boxes_read_back_exactly_whatever_the_texts_are(page: BodyPage) -> None:
    text = render_body(page)
    assert read_boxes(text) == {box.item: box.ticked for box in (*page.proven, *page.people)}
    assert marker_in(text) == page.marker
    assert set_in(text) == page.set
    assert len(text) <= BODY_LIMIT


@settings(max_examples=60)
@given(page=hostile_bodies())
def test_no_value_mentions_links_or_becomes_markup(page: BodyPage) -> None:
    page = replace(
        page,
        people=tuple(replace(box, proof="") for box in page.people),
        link="",
        rows=tuple(replace(row, compare_url=None) for row in page.rows),
        waiting=tuple(replace(row, compare_url=None) for row in page.waiting),
    )
    text = render_body(page)
    html = GITHUB.render(text)
    assert active(html) == []
    seen = re.sub(r"<code>.*?</code>", "", html)
    assert not _MENTION.search(seen)
    assert not _REFERENCE.search(re.sub(r"&#?\w+;", "", seen))
    assert html.count("<table>") == 1 + bool(page.waiting) + bool(page.differences)
    assert html.count("<tbody>\n<tr>") <= html.count("<table>")
    assert html.count("<tr>") == html.count("<table>") + len(page.rows) + len(page.waiting) + len(
        page.differences
    )


@given(value=hostile)
@example("a_b*c*")
@example("x" * 400)
def test_a_value_is_shown_as_it_is_written(value: str) -> None:
    seen = "".join(each for each in value if unicodedata.category(each) not in ("Cf", "Cs"))
    line = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", seen).split())
    expected = line if len(line) <= 300 else line[:299].rstrip() + "…"
    assert shown(escape(value)) == expected


@pytest.mark.parametrize("value", ["@li", "@_li", "a (@li_b)", "@1"])
def test_no_value_is_a_mention(value: str) -> None:
    assert not _MENTION.search(GITHUB.render(escape(value)))


@pytest.mark.parametrize("value", [":tada:", "x :+1: y", ":100:", ":white_check_mark:", ":e-mail:"])
def test_no_value_becomes_a_picture(value: str) -> None:
    """GitHub draws `:name:` wherever it finds it in a text that is no code."""
    drawn = re.sub(r"<[^>]+>", "", GITHUB.render(escape(value)))
    assert not re.search(r":[\w+-]+:", drawn)


@pytest.mark.parametrize("value", ["at 12:34:56 UTC", "v1@sha256:0a1b", "a: b: c"])
def test_a_colon_in_a_value_stays_alone(value: str) -> None:
    assert ":\u200b" not in escape(value)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_alone_in_a_list_or_a_cell_is_one_line_of_text(value: str) -> None:
    html = GITHUB.render(f"- {escape(value)}\n\n| a |\n|---|\n| {escape(value)} |\n")
    assert active(html) == []
    assert (html.count("<li>"), html.count("<td"), html.count("<h")) == (1, 1, 0)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://a.example/b", "[commits](https://a.example/b)"),
        ("https://a.example/x) [y](z", "[commits](https://a.example/x%29%20%5By%5D%28z)"),
        ("javascript:alert(1)", "commits"),
        (None, "commits"),
    ],
)
def test_only_plain_web_addresses_are_linked(url: str | None, text: str) -> None:
    assert link("commits", url) == text


def test_the_number_of_a_linked_pull_request_stays_in_one_piece() -> None:
    """Nothing is linked by its digits, and no browser breaks the line before them."""
    url = "https://github.com/acme/syrf/pull/12"
    assert link("acme/syrf#12", url) == f"[acme/syrf\\#\u206012]({url})"


@pytest.mark.parametrize(
    ("login", "text"),
    [("maria", "@maria"), ("Maria O'Neil", "Maria O'Neil"), ("acme/all", "acme/all"), ("", "")],
)
def test_only_an_account_is_mentioned(login: str, text: str) -> None:
    assert mention(login) == text


def test_only_who_signs_a_proof_is_mentioned() -> None:
    assert signed("@li 18 Nov, with @maria") == "**@li** 18 Nov, with @\u200bmaria"
    assert signed("see @li") == "see @\u200bli"


# what is in it ------------------------------------------------------------------------------

_LEADS = re.compile(r"https://github\.com/acme/syrf/(?:commit/a{40}|pull/\d{1,9}|compare/a\.\.\.b)")


@settings(max_examples=100)
@given(
    messages=st.lists(hostile, min_size=1, max_size=3),
    author=hostile,
    service=hostile,
)
@example(messages=["Fixes #12, closes acme/web#3 (#812)"], author="li", service="api")
@example(messages=["- [x] done <!-- item:soak -->"], author="@li", service="</summary>@all #1")
@example(messages=["<!-- pilotage:promotion:other-1 -->"], author="x", service="a\n\n- [x] b")
@example(messages=["Merge pull request #1 from a/b\n\n@acme/all"], author="li", service="a_b")
def test_commits_of_strangers_open_no_box_tell_nobody_and_close_no_issue(
    messages: list[str], author: str, service: str
) -> None:
    page = body(link="", people=(Box("feature", "Works", False),), rollback=())
    page = replace(page, rows=(replace(page.rows[0], service=service, compare_url=None),))
    page = with_commits(page, *messages, author=author)
    text = render_body(page)
    assert read_boxes(text) == {box.item: box.ticked for box in (*page.proven, *page.people)}
    assert marker_in(text) == page.marker
    html = GITHUB.render(text)
    leads = re.findall(r'<a href="([^"]*)">', html)
    assert leads
    assert all(_LEADS.fullmatch(lead) for lead in leads)
    bare = re.sub(r'</?a(?: href="[^"]*")?>', "", html)
    assert active(bare) == []
    assert not _MENTION.search(re.sub(r"<code>.*?</code>", "", bare))
    assert not _REFERENCE.search(re.sub(r"&#?\w+;", "", bare))
    assert html.count("<summary>") == html.count("<details>") == html.count("</details>")
    assert html.count("<li>") == len(messages) + len(page.left_out) + 1 + 1 + 3


def test_what_stands_in_a_summary_is_shown_as_it_is_written() -> None:
    """Markdown is not read there: a backslash would be seen."""
    page = with_commits(body(), "One")
    page = replace(page, rows=(replace(page.rows[0], service="my_api*[x]"),))
    assert "<summary>my_api*[x]: 1 commit in acme/syrf</summary>" in render_body(page)


def test_source_pull_requests_are_linked_and_the_rest_is_counted() -> None:
    page = with_commits(body(), *(f"Change (#{number})" for number in range(1, 14)))
    text = render_body(page)
    row = next(line for line in text.splitlines() if line.startswith("| api |"))
    assert row.count("/pull/") == 10
    assert row.endswith("(https://github.com/acme/syrf/pull/4) and 3 more |")
    assert "… and" not in text
    listed = next(line for line in text.splitlines() if line.startswith("Pull requests: "))
    assert listed.count("/pull/") == 13
    text = render_body(with_commits(body(), "One", "Two", added=3))
    older = "… and 1 older one: [all of them](https://github.com/acme/syrf/compare/a...b)."
    assert older in text.splitlines()


def test_commits_go_first_when_a_page_is_too_long() -> None:
    messages = [f"{number} " + "#1" * 70 for number in range(20)]
    rows = tuple(
        replace(row(number), compared=compared(*messages, "Last (#8)"), source=SOURCE_PAGES)
        for number in range(60)
    )
    differences = (Difference("f.yaml", "key", "1", "2"),)
    shown = []
    for count in (3, 20, 60):
        text = render_body(body(rows=rows[:count], differences=differences))
        assert len(text) <= BODY_LIMIT
        assert "key differs</summary>" in text
        assert text.count("[21 commits](") >= count
        shown.append(text.count("/commit/"))
    assert shown == [60, 100, 0]


# how a long page gets shorter ----------------------------------------------------------------


def row(number: int, *, link: bool = True) -> ChangeRow:
    name = f"service-{number}"
    url = f"https://github.com/acme/{name}/compare/a...b" if link else None
    return ChangeRow(name, f"{name}-v1.0.0", f"{name}-v1.1.0", None, NOW, url)


def test_differences_go_first() -> None:
    differences = tuple(Difference("f.yaml", f"key-{n}", "x" * 250, "y" * 250) for n in range(150))
    text = render_body(body(differences=differences, rows=tuple(map(row, range(200)))))
    assert "Not promoted: 150 other keys differ (too long to list)." in text
    assert "[commits](https://github.com/acme/service-199" in text


def test_then_links_then_rows_after_the_first_hundred() -> None:
    text = render_body(body(rows=tuple(map(row, range(600)))))
    assert "[commits]" not in text
    assert "| service-599 |" in text
    text = render_body(body(rows=tuple(map(row, range(3_000)))))
    assert "| service-99 |" in text
    assert "| service-100 |" not in text
    assert "… and 2900 more services." in text


@pytest.mark.parametrize("filler", ["#1", "|", "<", "\\", "@a", "x"])
def test_the_worst_page_still_fits_and_has_every_box(filler: str) -> None:
    """As many and as long as the configuration allows, of what escapes to the most."""
    long = filler * 200
    people = tuple(Box(f"item-{n}", long, n % 2 == 0, long, long) for n in range(50))
    page = body(
        blockers=(long,) * 20,
        next_step=long,
        rows=tuple(
            ChangeRow(
                long,
                long,
                long,
                None,
                NOW,
                "https://a/" + long,
                compared(*[long] * 20, author=long) if number < MOST else None,
                SOURCE_PAGES,
            )
            for number in range(500)
        ),
        not_compared=(long,) * 50,
        waiting=tuple(ChangeRow(long, long, long) for _ in range(500)),
        people=people,
        differences=tuple(Difference(long, long, long, long) for _ in range(40)),
        left_out=(Advice(long, long), *(Advice(long),) * 20),
        rollback=(long,) * 30,
        notes=(long,) * 5,
        rollback_command=long,
        policy=long,
    )
    text = render_body(page)
    assert len(text) <= BODY_LIMIT
    boxes = read_boxes(text)
    assert all(boxes[box.item] is box.ticked for box in people)


@settings(max_examples=60)
@given(lead=hostile, lines=st.lists(hostile, max_size=3), by=hostile)
def test_a_story_cannot_be_broken_by_its_values(lead: str, lines: list[str], by: str) -> None:
    text = render_story(story(lead=lead, lines=tuple(lines), by=by))
    html = GITHUB.render(text)
    assert active(html) == []
    assert marker_in(text) == "rollout:syrf-production-42"
    assert html.count("<li>") == len(lines) + 1
    assert read_boxes(text) == {}
