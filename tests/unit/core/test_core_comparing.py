"""What is in a step: which tags are compared, what is kept of the answers, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core import comparing, prose
from pilotage.core.comparison import (
    MOST_COMMITS,
    MOST_PULL_REQUESTS,
    Answer,
    Compared,
    Direction,
    NotCompared,
    Span,
    ref_of,
    told_by,
)
from pilotage.core.config.policy import Policy
from pilotage.core.decide import decide
from pilotage.core.model import Promotion
from pilotage.rendering import render_body
from pilotage.store.documents import PROMOTION
from tests.unit.core.worlds import (
    CONFIG,
    NOW,
    body_of,
    changes,
    opened,
    policy,
    proposal,
    snapshot,
    target,
)

SPAN = Span("acme/syrf", "api-v9.0.4", "api-v9.1.1")
COMMITS, NUMBERS = told_by(
    "acme/syrf",
    [("a" * 40, "Faster (#811)", "li"), ("b" * 40, "Closes #7 for @maria", None)],
)
FOUND = Compared(
    "https://github.example/acme/syrf/compare/api-v9.0.4...api-v9.1.1",
    Direction.AHEAD,
    14,
    0,
    COMMITS,
    NUMBERS,
)


def known(repository: str = "acme/syrf", services: str = "api") -> Policy:
    listed = ", ".join(
        f"{name}: {{ repository: {repository}, tag: '{name}-v{{version}}' }}"
        for name in services.split()
    )
    return policy(CONFIG.replace("files:", f"services: {{ {listed} }}\n    files:", 1))


def after(promotion: Promotion, answer: Answer, now: datetime = NOW) -> Promotion:
    return comparing.remembered(known(), promotion, {SPAN: answer}, now)


# Which tags ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "value", "ref"),
    [
        ("v{version}", "9.1.1", "v9.1.1"),
        ("v{version}", "api-v9.1.1", "v9.1.1"),
        ("{service}-v{version}", "api-v9.1.1", "api-v9.1.1"),
        ("{value}", "api-v9.1.1", "api-v9.1.1"),
        ("{service}@{version}", "1.4.0-rc.1", "api@1.4.0-rc.1"),
        ("v{version}", "registry:5000/acme/api:2.0.0@sha256:" + "ab" * 32, "v2.0.0"),
        ("v{version}", "2.0.0@sha256:" + "ab" * 32, "v2.0.0"),
        ("{value}", "ghcr.io/acme/api:2026.11.20", "2026.11.20"),
        ("v{version}", "ghcr.io/acme/api@sha256:" + "ab" * 32, None),
        ("v{version}", "sha256:" + "ab" * 32, None),
        ("v{version}", "4be19f2", "4be19f2"),
        ("v{version}", "c" * 40, "c" * 40),
        ("v{version}", "1" * 40, "1" * 40),
        ("{value}", "20261120", "20261120"),
        ("build-{value}", "20261120", "build-20261120"),
        ("{value}", "{version}", "{version}"),
        ("{value}", "api@1.2.3", "api@1.2.3"),
    ],
)
def test_the_tag_of_a_version(template: str, value: str, ref: str | None) -> None:
    assert ref_of(template, "api", value) == ref


@given(template=st.text(max_size=20), value=st.text(max_size=40))
def test_any_value_has_a_tag_or_none(template: str, value: str) -> None:
    ref = ref_of(template, "api", value)
    assert ref is None or isinstance(Span("acme/syrf", ref, ref).unaskable, str | None)


def test_only_services_whose_repository_is_known_are_asked_about() -> None:
    assert comparing.wanted(known(), proposal(), NOW) == (SPAN,)
    assert comparing.wanted(policy(), proposal(), NOW) == ()


def test_a_new_service_has_nothing_to_compare_with() -> None:
    new = tuple(replace(each, before=None) for each in proposal().changes)
    assert comparing.wanted(known(), proposal(changes=new), NOW) == ()


def test_the_set_that_waits_is_compared_as_well() -> None:
    waiting = changes({"api": "api-v9.2.0"})
    spans = comparing.wanted(known(), proposal(waiting=waiting), NOW)
    assert [span.after for span in spans] == ["api-v9.1.1", "api-v9.2.0"]


def test_of_many_services_the_first_twenty_are_compared_and_the_others_named() -> None:
    names = [f"s{number:02}" for number in range(50)]
    many = tuple(replace(proposal().changes[0], service=name) for name in names)
    listed = known(services=" ".join(names))
    promotion = proposal(changes=many)
    spans = comparing.wanted(listed, promotion, NOW)
    assert len(spans) == comparing.MOST == 20
    promotion = comparing.remembered(listed, promotion, dict.fromkeys(spans, FOUND), NOW)
    assert comparing.wanted(listed, promotion, NOW) == ()
    (said,) = comparing.not_compared(listed, promotion)
    assert said.startswith("s20, s21, ")
    assert said.endswith("s49: no more than 20 comparisons are made for one pull request")


# What is kept ----------------------------------------------------------------------------


def test_an_answer_is_kept_for_ever_with_the_promotion() -> None:
    promotion = after(proposal(), FOUND)
    assert comparing.wanted(known(), promotion, NOW + timedelta(days=99)) == ()
    stored = PROMOTION.read(PROMOTION.text(promotion), "here")
    assert stored == promotion


def test_another_version_another_tag_or_another_repository_is_asked_for_anew() -> None:
    promotion = after(proposal(), FOUND)
    newer = replace(promotion, changes=changes({"api": "api-v9.2.0"}))
    assert [span.after for span in comparing.wanted(known(), newer, NOW)] == ["api-v9.2.0"]
    assert comparing.remembered(known(), newer, {}, NOW).comparisons == ()
    moved = comparing.wanted(known("acme/elsewhere"), promotion, NOW)
    assert [span.repository for span in moved] == ["acme/elsewhere"]


def test_what_failed_is_asked_for_again_less_and_less_often() -> None:
    promotion, now, pauses = proposal(), NOW, []
    for _ in range(12):
        promotion = after(promotion, NotCompared("no answer"), now)
        assert comparing.wanted(known(), promotion, now) == ()
        later = promotion.comparisons[0].answer
        assert isinstance(later, NotCompared)
        assert later.until is not None
        pauses.append(later.until - now)
        now = later.until
        assert comparing.wanted(known(), promotion, now) == (SPAN,)
    minutes = [pause // timedelta(minutes=1) for pause in pauses]
    assert minutes == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]
    assert after(promotion, FOUND).comparisons[0].answer == FOUND


def test_a_rate_limit_is_waited_out() -> None:
    promotion = after(proposal(), NotCompared("limited", until=NOW + timedelta(minutes=40)))
    assert comparing.wanted(known(), promotion, NOW + timedelta(minutes=39)) == ()
    assert comparing.wanted(known(), promotion, NOW + timedelta(minutes=40)) == (SPAN,)


# What commits tell -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "subject", "numbers"),
    [
        ("Faster (#811)\n\nBody (#5)", "Faster (acme/syrf#811)", (811,)),
        ("Merge pull request #8 from a/b\n\nFaster", "Faster (acme/syrf#8)", (8,)),
        ("Merge pull request #8 from a/b", "Merge pull request acme/syrf#8 from a/b", (8,)),
        ("See #7, acme/web#9 and GH-3", "See acme/syrf#7, acme/web#9 and GH-3", ()),
        ("Fixes #7", "Fixes acme/syrf#7", ()),
        ("Half (#12) way", "Half (acme/syrf#12) way", ()),
        ("  \n", "", ()),
        ("", "", ()),
        ("x" * 500, "x" * 160, ()),
    ],
)
def test_subjects_and_the_pull_requests_that_they_name(
    message: str, subject: str, numbers: tuple[int, ...]
) -> None:
    commits, found = told_by("acme/syrf", [("a" * 40, message, None)])
    assert (commits[0].subject, found) == (subject, numbers)


@given(message=st.text(max_size=400) | st.text(alphabet="#1 (", max_size=400))
def test_a_subject_is_one_line_of_bounded_length(message: str) -> None:
    commits, _ = told_by("acme/" + "x" * 100, [("a" * 40, message, None)])
    assert len(commits[0].subject) <= 160
    assert len(commits[0].subject.splitlines()) <= 1


def test_the_newest_are_kept() -> None:
    rows = [(f"{number:040}", f"Change (#{number})", None) for number in range(1, 251)]
    commits, numbers = told_by("acme/syrf", rows)
    assert [commit.sha for commit in commits] == [sha for sha, _, _ in rows[:-21:-1]]
    assert numbers == tuple(range(250, 200, -1))
    assert (len(commits), len(numbers)) == (MOST_COMMITS, MOST_PULL_REQUESTS)


# What people read ------------------------------------------------------------------------


@pytest.mark.runbook("SYRF-4")
def test_the_request_says_what_is_in_it() -> None:
    page = body_of(replace(opened(policy=known()), compared={SPAN: FOUND}))
    text = render_body(page).translate({0x200B: None, 0x2060: None}).replace("\\", "")
    assert (
        "[14 commits](https://github.example/acme/syrf/compare/api-v9.0.4...api-v9.1.1), "
        "[#811](https://github.com/acme/syrf/pull/811) |"
    ) in text
    assert "<summary>api: 14 commits in acme/syrf</summary>" in text
    assert f"[{'b' * 7}](https://github.com/acme/syrf/commit/{'b' * 40}) Closes acme/syrf#7" in text
    assert "Faster (acme/syrf#811) · li" in text
    assert "… and 12 older ones" in text


def test_what_is_not_known_is_left_out_and_said_below() -> None:
    gone = NotCompared("acme/syrf has no tag api-v9.1.1", absent=True)
    page = body_of(replace(opened(policy=known()), compared={SPAN: gone}))
    assert page.rows[0].compare_url is None
    assert page.rows[0].compared is None
    assert page.not_compared == ("api api-v9.1.1: acme/syrf has no tag api-v9.1.1",)
    assert "<summary>Commits not known: 1</summary>" in render_body(page)


def test_what_this_token_may_not_read_is_still_linked_for_people_who_may() -> None:
    page = body_of(replace(opened(policy=known()), compared={SPAN: NotCompared("may not read")}))
    assert page.rows[0].compare_url is not None
    assert page.not_compared == ("api api-v9.1.1: may not read",)


def test_the_page_stays_the_same_while_the_same_goes_wrong() -> None:
    """A body that is rewritten at each try could take a person's tick away."""
    first = body_of(replace(opened(policy=known()), compared={SPAN: NotCompared("no answer")}))
    again = after(after(proposal(), NotCompared("no answer")), NotCompared("no answer"))
    assert body_of(opened(again, policy=known())) == first


def test_links_lead_to_the_forge_of_the_installation() -> None:
    page = body_of(replace(opened(policy=known()), forge="https://git.example"))
    assert page.rows[0].compare_url == (
        "https://git.example/acme/syrf/compare/api-v9.0.4...api-v9.1.1"
    )


def test_explain_and_the_message_say_how_much_it_is() -> None:
    seen = replace(
        opened(proposal(changes=changes({"api": "api-v9.1.1"})), policy=known()),
        compared={SPAN: FOUND},
    )
    decision = decide(seen, NOW)
    said = [reason.text for reason in decision.because if reason.subject == "api"]
    assert said == ["14 commits in acme/syrf: acme/syrf#811"]
    promotion = decision.target.proposal
    assert promotion is not None
    assert prose.opened_message(known(), promotion).startswith("api v9.1.1 (14 commits) proven")


def test_a_step_back_is_not_counted_in_the_message() -> None:
    back = replace(FOUND, direction=Direction.DIVERGED, removed=2)
    promotion = after(proposal(changes=changes({"api": "api-v9.1.1"})), back)
    assert comparing.total(promotion) is None


def test_the_first_look_asks_nothing_and_later_ones_keep_the_answer() -> None:
    """There is nothing to remember it in before something is proposed."""
    first = decide(snapshot(policy=known(), target=target(proposal=None)), NOW)
    assert first.target.proposal is not None
    assert first.target.proposal.comparisons == ()
