"""Who ticked what: told by events or by the edit history, and never by the service's own hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core.checklist import attribute, disagrees, read_boxes, set_id, tick, untold
from pilotage.core.decide import decide
from pilotage.core.forge import StatusState
from pilotage.core.model import BodyEdit, Tick
from pilotage.core.people import is_person
from tests.unit.core.worlds import (
    NOW,
    ago,
    command,
    commanded,
    opened,
    proposal,
    ready,
)

OWN = "pilotage[bot]"
ITEMS = ("feature", "migrations")


def body(*ticked: str, items: tuple[str, ...] = ITEMS) -> str:
    lines = [f"- [{'x' if item in ticked else ' '}] {item} <!-- item:{item} -->" for item in items]
    return "### To be ticked\n" + "\n".join(lines) + "\n"


def edit(
    editor: str,
    after: str,
    before: str | None = None,
    minutes: float = 10,
    at: datetime | None = None,
) -> BodyEdit:
    return BodyEdit(7, editor, at or ago(minutes=minutes), before, after)


def names(*edits: BodyEdit, ticks: tuple[Tick, ...] = ()) -> dict[str, str]:
    """Item to who ticked it, after these edits."""
    found = attribute(ticks, edits, ITEMS, lambda login: is_person(login, OWN))
    return {each.item: each.by for each in found}


LI = Tick("feature", "li", ago(minutes=30))


def test_an_event_names_who_ticked() -> None:
    assert names(edit("li", body("feature"), body())) == {"feature": "li"}


def test_the_history_names_who_ticked_when_the_event_was_lost() -> None:
    assert names(edit("li", body("feature"))) == {"feature": "li"}


def test_an_event_and_the_history_tell_the_same_edit_once() -> None:
    by_event = edit("li", body("feature"), body(), at=ago(minutes=10, seconds=-0.4))
    by_history = edit("li", body("feature"), at=ago(minutes=10))
    assert names(by_event, by_history) == {"feature": "li"}
    assert names(by_history, by_event, ticks=(LI,)) == {"feature": "li"}


def test_two_people_are_told_apart() -> None:
    edits = (
        edit("li", body("feature"), body(), minutes=10),
        edit("maria", body("feature", "migrations"), body("feature"), minutes=5),
    )
    assert names(*edits) == {"feature": "li", "migrations": "maria"}


def test_an_untick_takes_the_tick_away() -> None:
    assert names(edit("maria", body(), body("feature")), ticks=(LI,)) == {}
    assert names(edit("maria", body()), ticks=(LI,)) == {}, "told by the history alone"


def test_the_first_who_ticked_stays_named() -> None:
    assert names(edit("maria", body("feature"), body()), ticks=(LI,)) == {"feature": "li"}


@pytest.mark.parametrize("robot", [OWN, "renovate[bot]", ""])
def test_a_robots_tick_does_not_count(robot: str) -> None:
    assert names(edit(robot, body("feature"), body())) == {}


def test_our_own_rewriting_never_unticks() -> None:
    """The service wrote an older text over a tick that it had not heard of yet."""
    assert names(edit(OWN, body(), body("feature")), ticks=(LI,)) == {"feature": "li"}


def test_a_tick_that_our_rewriting_lost_is_restored_from_the_history() -> None:
    edits = (
        edit("li", body("feature"), minutes=10),
        edit(OWN, body(), minutes=9),
        edit("maria", body("migrations"), minutes=8),
    )
    assert names(*edits) == {"feature": "li", "migrations": "maria"}


def test_who_edits_after_a_tick_that_nobody_heard_of_is_not_named_for_it() -> None:
    """The text that the event told was ticked already, though no edit before it says by whom."""
    both = body("feature", "migrations")
    edits = (
        edit("li", body("feature"), body()),
        edit("maria", both + "\nLooks good.\n", both, minutes=5),
    )
    assert names(*edits) == {"feature": "li"}


def test_an_event_that_the_history_has_told_of_counts_no_more() -> None:
    """It comes late, or again: what a person did since stands."""
    late, last, new = (edit("li", body(), body("feature"), minutes=each) for each in (9, 6, 5))
    known = proposal(edits_read_until=ago(minutes=6))
    assert untold(known, (late, last, new)) == [last, new]
    assert untold(proposal(), (late, last, new)) == [late, last, new]


def test_an_edit_elsewhere_in_the_body_changes_no_box() -> None:
    edits = (
        edit("li", body("feature"), body()),
        edit("maria", body("feature") + "\nLooks good.\n", body("feature"), minutes=5),
    )
    assert names(*edits) == {"feature": "li"}


def test_a_box_that_somebody_deleted_stays_as_it_was() -> None:
    assert names(edit("maria", "nothing left", body("feature")), ticks=(LI,)) == {"feature": "li"}


def test_items_that_the_policy_no_longer_has_are_forgotten() -> None:
    old = Tick("old", "li", NOW)
    assert attribute((old, LI), (), ITEMS, lambda _: True) == (LI,)


def test_a_box_of_no_item_is_ignored() -> None:
    text = body("other", items=("other",))
    assert names(edit("li", text, "")) == {}


# what counts as a box ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ("- [x] a <!-- item:a -->", {"a": True}),
        ("- [X] a <!-- item:a -->", {"a": True}),
        ("* [ ] a <!--item:a-->", {"a": False}),
        ("+ [x]  a <!--  item:a  -->  ", {"a": True}),
        ("1. [x] a <!-- item:a -->", {"a": True}),
        ("- [x] a <!-- item:a -->\r\n- [ ] b <!-- item:b -->\r\n", {"a": True, "b": False}),
        ("  - [x] a <!-- item:a -->", {"a": True}),
        ("- outer\n  - [x] a <!-- item:a -->", {"a": True}),
        ("> - [x] a <!-- item:a -->", {"a": True}),
        ("<details>\n\n- [x] a <!-- item:a -->\n\n</details>", {"a": True}),
        ("- [x] a <!-- item:a -->\n- [ ] again <!-- item:a -->", {"a": True}),
        ("- [x]a <!-- item:a -->", {}),
        ("- [y] a <!-- item:a -->", {}),
        ("[x] a <!-- item:a -->", {}),
        ("- [x] a <!-- item:a --> more", {}),
        ("- [x] a", {}),
        ("- [x] a `<!-- item:a -->`", {}),
        ("```\n- [x] a <!-- item:a -->\n```", {}),
        ("~~~~\n- [x] a <!-- item:a -->\n~~~\n", {}),
        ("```\n- [x] a <!-- item:a -->", {}),
        ("    - [x] a <!-- item:a -->", {}),
        ("<!--\n- [x] a <!-- item:a -->\n-->", {}),
        ("<details>\n- [x] a <!-- item:a -->\n</details>", {}),
        ("", {}),
    ],
)
def test_a_box_is_what_github_shows_as_one(text: str, boxes: dict[str, bool]) -> None:
    """A hidden box in a comment or a code block would be ticked without anybody seeing it."""
    assert read_boxes(text) == boxes


@given(st.text(alphabet="-*[]xX <!item:a>\n`~#> \t", max_size=80))
def test_any_text_has_boxes_or_none(text: str) -> None:
    assert all(isinstance(ticked, bool) for ticked in read_boxes(text).values())


def test_a_body_that_shows_something_else_is_noticed() -> None:
    assert disagrees(body("feature"), (), ITEMS)
    assert disagrees(body(), (LI,), ITEMS)
    assert disagrees(body("migrations"), (LI, Tick("migrations", "li", NOW)), ITEMS)
    assert disagrees(body("feature"), (LI, Tick("migrations", "li", NOW)), ITEMS)
    assert not disagrees(body("feature"), (LI,), ITEMS)
    assert not disagrees("no boxes", (LI,), ITEMS)


def test_a_tick_by_command_keeps_the_first_name() -> None:
    first = tick(proposal(ticks=()), "feature", "li", NOW)
    assert tick(first, "feature", "maria", NOW).ticks == (Tick("feature", "li", NOW),)


# through a whole decision ---------------------------------------------------------------------


@pytest.mark.runbook("SYRF-7")
def test_the_last_tick_opens_the_merge() -> None:
    given_ = proposal(ticks=proposal().ticks[:1])
    before = opened(given_, edits=(edit("li", body("feature", "migrations"), body("feature")),))
    decision = decide(before, NOW)
    assert ready(decision).state is StatusState.SUCCESS


def test_the_history_counts_as_read_only_when_it_was() -> None:
    """What an event told says nothing of edits whose events were lost."""
    told = opened(proposal(), edits=(edit("li", body("feature"), body()),))
    for at in (None, NOW):
        decided = decide(replace(told, edits_read_until=at), NOW).target.proposal
        assert decided is not None
        assert decided.edits_read_until == at


def test_a_tick_that_was_made_on_another_set_does_not_count() -> None:
    """The set was replaced between the tick and its event."""
    given_ = proposal(ticks=())
    older = f"<!-- set:{set_id([('api', 'api-v9.1.0')])} -->\n"
    now = f"<!-- set:{set_id(given_.versions)} -->\n"
    both = body("feature", "migrations")
    late = decide(opened(given_, edits=(edit("li", older + both, older + body()),)), NOW)
    assert ready(late).state is StatusState.PENDING
    right = decide(opened(given_, edits=(edit("li", now + both, now + body()),)), NOW)
    assert ready(right).state is StatusState.SUCCESS


def test_an_edit_of_another_pull_request_does_not_count() -> None:
    other = replace(edit("li", body("feature", "migrations"), body()), pull_request=8)
    assert ready(decide(opened(proposal(ticks=()), edits=(other,)), NOW)).state is (
        StatusState.PENDING
    )


def test_a_tick_by_comment_counts_and_an_unknown_box_is_refused() -> None:
    given_ = proposal(ticks=proposal().ticks[:1])
    done = decide(commanded(opened(given_), command("tick", "migrations")), NOW)
    assert ready(done).state is StatusState.SUCCESS
    refused = decide(commanded(opened(given_), command("tick", "migration")), NOW)
    assert ready(refused).state is StatusState.PENDING
    assert "no box migration; there are feature, migrations" in str(refused.acts)


def test_no_older_edit_takes_back_a_tick() -> None:
    """Read again with the history: by now the box was ticked by comment."""
    unticked = edit("maria", body(), body("feature"))
    younger = Tick("feature", "li", unticked.at + timedelta(seconds=1))
    assert attribute((younger,), (unticked,), ITEMS, lambda login: True) == (younger,)
    assert attribute((replace(younger, at=unticked.at),), (unticked,), ITEMS, lambda _: True) == ()
