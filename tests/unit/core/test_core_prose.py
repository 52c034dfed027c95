"""What people read in one line, and what every page holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core import prose
from pilotage.core.change import ServiceChange
from pilotage.core.config.policy import Policy
from pilotage.core.decide import decide
from pilotage.core.forge import DESCRIPTION_LIMIT, hidden, marker_in
from pilotage.core.model import Outcome, Quarantined, Reason, Revert, State, Superseded
from pilotage.core.outputs import Advice, Outputs
from pilotage.core.snapshot import Known, Snapshot
from pilotage.rendering import render_body
from tests.unit.core.pages import hostile
from tests.unit.core.worlds import (
    CONFIG,
    MERGED,
    NOW,
    SOURCE,
    STAGING,
    body_of,
    changes,
    opened,
    pipeline,
    policy,
    production,
    proposal,
    pull_request,
    release,
    snapshot,
    target,
)


def outputs_of(before: Snapshot) -> Outputs:
    (found,) = decide(before, NOW).outputs
    return found


def many(count: int) -> tuple[ServiceChange, ...]:
    return changes(
        {f"s{n}": f"s{n}-v1.1.0" for n in range(count)},
        {f"s{n}": f"s{n}-v1.0.0" for n in range(count)},
    )


def test_one_long_version_hides_no_other_service_in_the_title() -> None:
    wanted = changes({"api": "x" * 5_000, "web": "web-v5.0.1"})
    title = prose.title(policy(), proposal(changes=wanted))
    assert title == f"Promote syrf to production: api {'x' * 59}…, web v5.0.1"


@pytest.mark.parametrize("turning", ["\u202e", "\u2066", "\u200f"])
def test_no_line_of_ours_is_shown_backwards(turning: str) -> None:
    """A version may hold what turns the text around; titles, commits and statuses stay readable."""
    wanted = changes({"api": f"api-v9.1.1{turning}gpj.exe"})
    hostile = proposal(changes=wanted)
    back = Revert(("api",), f"crashed {turning}", "pilotage", NOW)
    written = (
        prose.title(policy(), hostile),
        prose.commit_message(policy(), hostile, "key"),
        prose.revert_title(policy(), release(changes=wanted), ("api",), back.reason),
        prose.revert_message(policy(), release(changes=wanted), ("api",), back, "key"),
        *(status.description for status in outputs_of(opened(hostile)).statuses.values()),
    )
    assert not [text for text in written if turning in text]


@pytest.mark.runbook("SYRF-4")
def test_the_title_names_the_changes() -> None:
    assert prose.title(policy(), proposal()) == (
        "Promote syrf to production: api v9.1.1, web v5.0.1"
    )
    assert prose.title(policy(), proposal(changes=many(8))).endswith(
        "s0 v1.1.0, s1 v1.1.0, s2 v1.1.0, s3 v1.1.0, s4 v1.1.0 and 3 more"
    )


def test_the_commit_says_what_and_where_it_was_proven() -> None:
    message = prose.commit_message(policy(), proposal(), "key-1")
    assert message.splitlines() == [
        "promote(syrf): api v9.1.1, web v5.0.1",
        "",
        "api: api-v9.0.4 -> api-v9.1.1",
        "web: web-v5.0.0 -> web-v5.0.1",
        "",
        f"Proven in staging at {SOURCE}.",
        "",
        "Pilotage-Act: key-1",
    ]


@given(value=hostile)
def test_no_value_adds_a_line_to_a_commit(value: str) -> None:
    """A trailer in a version would be taken for the trailer of an act."""
    change = replace(changes()[0], before=value, after=f"{value}\n\nPilotage-Act: other")
    given_ = proposal(changes=(change,))
    message = prose.commit_message(policy(), given_, "key-1")
    assert [line for line in message.splitlines() if line.startswith("Pilotage-Act")] == [
        "Pilotage-Act: key-1"
    ]
    revert = Revert(("api",), f"{value}\nPilotage-Act: other", "li", NOW)
    message = prose.revert_message(policy(), release(changes=(change,)), ("api",), revert, "key-2")
    assert [line for line in message.splitlines() if line.startswith("Pilotage-Act")] == [
        "Pilotage-Act: key-2"
    ]


@pytest.mark.runbook("SYRF-10")
def test_a_revert_says_what_runs_again_and_why() -> None:
    one = prose.revert_title(policy(), release(), ("api",), "5xx above 5 %")
    assert one == "rollback(api): revert production to v9.0.4 due to 5xx above 5 %"
    both = prose.revert_title(policy(), release(), ("api", "web"), "x")
    assert both == "rollback(api, web): revert production to api v9.0.4, web v5.0.0 due to x"
    names = tuple(f"s{n}" for n in range(7))
    seven = prose.revert_title(policy(), release(changes=many(7)), names, "x" * 500)
    assert "and 2 more due to" in seven
    assert len(seven) <= 200


def test_a_revert_names_the_commit_and_who_asked() -> None:
    revert = Revert(("api",), "too slow", "maria", NOW)
    message = prose.revert_message(policy(), release(), ("api",), revert, "key-2")
    assert message.splitlines()[2:] == [
        "Reason: too slow",
        "Asked for by maria.",
        "",
        "api: api-v9.1.1 -> api-v9.0.4",
        "",
        f"This reverts a part of {MERGED}.",
        "",
        "Pilotage-Act: key-2",
    ]
    whole = prose.revert_message(policy(), release(), ("api", "web"), revert, "key-2")
    assert f"This reverts commit {MERGED}." in whole.splitlines()


@pytest.mark.parametrize(
    ("run", "branch"),
    [
        ("18277361", "production-promotion-18277361"),
        ("4be19f2", "production-promotion-4be19f2"),
        ("a b/c~^:?*[\\", "production-promotion-a-b-c-------"),
        ("../x.lock", "production-promotion----x-lock"),
    ],
)
def test_the_branch_carries_the_run(run: str, branch: str) -> None:
    assert prose.branch_name(policy(), run) == branch


def test_our_branches_are_told_by_how_they_begin_and_end() -> None:
    chosen = production(branch="'rel/{environment}-{run}-x'")
    assert prose.branch_pattern(chosen) == ("rel/production-", "-x")


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=90), "90 s"),
        (timedelta(minutes=2), "2 min"),
        (timedelta(minutes=15), "15 min"),
        (timedelta(minutes=119), "119 min"),
        (timedelta(hours=5), "5 h"),
        (timedelta(days=3), "3 d"),
        (timedelta(hours=30), "30 h"),
        (timedelta(0), "0 s"),
        (timedelta(hours=1, minutes=30), "90 min"),
    ],
)
def test_a_span_as_people_say_it(span: timedelta, said: str) -> None:
    assert prose.span(span) == said


def test_moments_are_absolute_and_in_utc() -> None:
    assert prose.moment(NOW) == "20 Nov 12:00 UTC"
    elsewhere = NOW.astimezone(timezone(timedelta(hours=-5)))
    assert prose.moment(elsewhere) == "20 Nov 12:00 UTC"
    assert prose.second(elsewhere) == "20 Nov 12:00:00 UTC"
    assert prose.moment(NOW.replace(day=3)) == "3 Nov 12:00 UTC"


@given(st.text(max_size=300))
def test_a_status_is_one_line_that_github_takes(text: str) -> None:
    line = prose.clipped(text)
    assert len(line) <= DESCRIPTION_LIMIT
    assert "\n" not in line


def test_markers_are_found_again() -> None:
    for marker in (prose.marker(proposal()), prose.story_marker(proposal())):
        assert marker_in(hidden(marker)) == marker


def test_an_explanation_is_a_list_of_text() -> None:
    assert prose.explanation([]) == "Nothing stands in the way."
    assert prose.explanation([Reason("checklist", "1 box <open>", "tick it")]) == (
        "- **checklist**: 1 box &lt;open&gt; → tick it"
    )


@pytest.mark.runbook("SYRF-14")
def test_the_last_word_on_a_release() -> None:
    confirmed = release(outcomes=dict.fromkeys(STAGING, Outcome.CONFIRMED))
    assert prose.conclusion(confirmed, State.CONFIRMED, NOW) == (
        "Confirmed 10 min after the merge: api v9.1.1, web v5.0.1"
    )
    mixed = release(
        outcomes={"api": Outcome.REVERTED, "web": Outcome.CONFIRMED}, reasons={"api": "crashed"}
    )
    assert prose.conclusion(mixed, State.REVERTED, NOW) == (
        "Reverted 10 min after the merge: api runs v9.0.4 again (crashed); web v5.0.1 is confirmed"
    )


# pages ----------------------------------------------------------------------------------------


@pytest.mark.runbook("SYRF-4")
def test_the_body_of_an_open_request() -> None:
    page = body_of(opened())
    assert [(row.service, row.before, row.after) for row in page.rows] == [
        ("api", "api-v9.0.4", "api-v9.1.1"),
        ("web", "web-v5.0.0", "web-v5.0.1"),
    ]
    assert [(box.item, box.ticked) for box in page.proven] == [
        ("staging-healthy", True),
        ("soak", True),
    ]
    assert page.people[0].proof == "@li 20 Nov 11:40 UTC"
    assert page.rollback_command.startswith("pilotage rollback syrf/production api")
    assert render_body(page).count("- [x]") == 4


DIGEST = "@sha256:abc1234" + "0" * 57


@pytest.mark.runbook("SYRF-15")
def test_how_far_it_goes_stands_beside_each_service() -> None:
    """Also that it goes back, in the title and at the top of the body."""
    back = {"api": "api-v9.0.3", "web": f"web-v5.3.0{DIGEST}"}
    promotion = proposal(changes=changes(back))
    page = body_of(opened(promotion, staging=back))
    assert [(row.after, str(row.step)) for row in page.rows] == [
        ("api-v9.0.3", "back (-1 patch)"),
        ("web-v5.3.0@sha256:abc1234…", "minor (+3)"),
    ]
    assert [row.service for row in page.going_back] == ["api"]
    assert (
        "> **This goes back:** api from api-v9.0.4 to the older api-v9.0.3. Staging went back, and "
        "the policy allows it."
    ) in render_body(page).splitlines()
    assert prose.title(policy(), promotion) == (
        "Promote syrf to production: api back to v9.0.3, web v5.3.0@sha256:abc1234…"
    )


def test_digests_are_cut_wherever_people_read_them() -> None:
    """In the status, the list of what was superseded, and in why the gate is closed."""
    wanted, old = f"api-v9.2.0{DIGEST}", f"api-v9.1.0{DIGEST}"
    promotion = proposal(
        changes=changes({"api": wanted}), superseded=(Superseded("api", old, NOW, NOW),)
    )
    before = opened(promotion, staging={"api": wanted}, versions_on_head=Known({"api": old}, NOW))
    decision = decide(before, NOW)
    texts = [render_body(body_of(before)), *(each.text for each in decision.target.because)]
    assert "the branch holds api v9.1.0@sha256:abc1234…, not the proven" in "".join(texts)
    assert not [text for text in texts if DIGEST in text]


def test_the_body_of_a_promotion_that_goes_forward_says_nothing_of_going_back() -> None:
    assert "goes back" not in render_body(body_of(opened()))


def test_a_service_that_stays_is_shown_as_it_is() -> None:
    page = body_of(
        opened(
            proposal(changes=changes({"api": "api-v9.1.1"})),
            staging={**STAGING, "pm": "pm-v1.0.0"},
            running={"api": "api-v9.0.4", "web": "web-v5.0.1", "pm": "pm-v1.0.0"},
        )
    )
    assert [(row.service, row.before, row.after) for row in page.rows[1:]] == [
        ("pm", "pm-v1.0.0", None),
        ("web", "web-v5.0.1", None),
    ]


def test_what_is_left_out_is_named_with_its_reason() -> None:
    aim = target(quarantine=(Quarantined("web", "web-v5.0.1", "crashed", NOW),))
    before = snapshot(
        policy=pipeline(together="proven"), staging={**STAGING, "new": "new-v1.0.0"}, target=aim
    )
    assert body_of(before).left_out == (
        Advice("web v5.0.1 is in quarantine: crashed"),
        Advice("only in staging: new; to let it in, comment", "/pilotage add new"),
    )


def test_what_is_no_service_because_of_its_name_is_left_out_aloud() -> None:
    """Hidden folders and templates are left out by everybody, and not named."""
    before = snapshot()
    plan = replace(before.plan, misnamed=(".git-notes", "_template", "caf\u00e9", "my app"))
    (advice,) = body_of(replace(before, plan=plan)).left_out
    assert advice.text.startswith('no service, because of the name: "caf\u00e9", "my app"; it must')


def compared(tag: str) -> Policy:
    source = f"services: {{ api: {{ repository: acme/syrf, tag: '{tag}' }} }}\n    files:"
    return policy(CONFIG.replace("files:", source, 1))


@pytest.mark.runbook("SYRF-4")
@pytest.mark.parametrize(
    ("tag", "url"),
    [
        ("api-v{version}", "https://github.com/acme/syrf/compare/api-v9.0.4...api-v9.1.1"),
        ("{value}", "https://github.com/acme/syrf/compare/api-v9.0.4...api-v9.1.1"),
        ("r/{version}", "https://github.com/acme/syrf/compare/r/9.0.4...r/9.1.1"),
        ("a b{version}", "https://github.com/acme/syrf/compare/a%20b9.0.4...a%20b9.1.1"),
    ],
)
def test_what_changed_is_linked_where_the_repository_is_known(tag: str, url: str) -> None:
    page = body_of(opened(policy=compared(tag)))
    assert [row.compare_url for row in page.rows] == [url, None]


@pytest.mark.runbook("SYRF-17")
@pytest.mark.parametrize(
    ("on_failure", "said"),
    [
        ("revert", "production is put back by itself, by a revert commit, when"),
        ("revert-pull-request", "production is put back by itself, by a revert pull request, when"),
        ("hold", "Nothing is put back by itself"),
    ],
)
def test_what_happens_by_itself_is_said_before_the_merge(on_failure: str, said: str) -> None:
    assert said in body_of(opened(policy=production(on_failure=on_failure))).rollback[0]


def test_a_foreign_commit_is_shown_and_ours_is_not() -> None:
    assert body_of(opened()).notes == ()
    other = opened(pull_request=Known(pull_request(head=SOURCE), NOW))
    assert "bbbbbbb is a commit that Pilotage did not write" in body_of(other).notes[0]
