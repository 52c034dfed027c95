"""Who hears of an application: at once, later and once, or when a look may have missed it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pilotage.engine.attention import Attention, Listening

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


class Heard(Listening):
    """With a clock that stands where the test puts it."""

    def __init__(self) -> None:
        self.now = NOW
        super().__init__(lambda: self.now)

    def wants(
        self, target: str, *applications: str, others: tuple[str, ...] = (), began: datetime = NOW
    ) -> bool:
        attention = Attention(target, frozenset(applications), frozenset(others), LATER)
        return self.attend(attention, began)


@pytest.fixture
def listening() -> Heard:
    return Heard()


def test_what_is_waited_for_wakes_all_that_wait_and_once_until_they_look(listening: Heard) -> None:
    for target in ("b", "a"):
        listening.wants(target, "api", "web")
    listening.wants("c", "web")
    assert listening.heard("api") == ["a", "b"]
    assert sorted(listening.changed("api")) == [("a", NOW), ("b", NOW)]
    assert listening.changed("api") == [], "they are woken already"
    assert sorted(listening.changed("web")) == [("a", NOW), ("b", NOW), ("c", NOW)]
    assert listening.take("a") == {"api", "web"}
    assert listening.take("a") == frozenset()
    assert listening.changed("api") == [("a", NOW)], "the look may have begun before it"
    assert listening.changed("unknown") == []


def test_of_others_the_first_asks_for_one_look_when_it_is_time(listening: Heard) -> None:
    listening.wants("a", "api", others=("x", "y"))
    assert listening.changed("x") == [("a", LATER)]
    assert listening.changed("x") == []
    assert listening.changed("y") == [], "the look that was asked for sees all of them"
    assert listening.changed("api") == [("a", NOW)], "what is waited for is heard all the same"
    listening.wants("a", "api", others=("x", "y"))
    listening.now = LATER + timedelta(minutes=1)
    assert listening.changed("y") == [("a", listening.now)], "never in the past"


def test_who_waits_for_something_else_by_now_is_left_alone(listening: Heard) -> None:
    listening.wants("a", "api", "web", others=("x", "y"))
    listening.wants("a", "web", "job", others=("y", "z"))
    assert listening.changed("api") == []
    assert listening.changed("x") == []
    assert listening.heard("web") == listening.heard("job") == ["a"]
    assert listening.changed("z") == [("a", LATER)]


@pytest.mark.parametrize(
    ("heard", "began", "missed"),
    [
        ("api", NOW, True),
        ("api", NOW - timedelta(seconds=1), True),
        ("api", NOW + timedelta(seconds=1), False),
        ("web", NOW, False),
        ("job", NOW, False),
    ],
    ids=["just then", "during the look", "before the look", "it was waited for", "not its own"],
)
@pytest.mark.parametrize("by", ["notification", "stream"])
def test_what_was_heard_during_the_look_that_first_wants_it_is_looked_at_again(
    listening: Heard, heard: str, began: datetime, missed: bool, by: str
) -> None:
    """Nobody waited for it then: what was seen of it may be older than what was heard."""
    listening.wants("a", "web")
    (listening.heard if by == "notification" else listening.changed)(heard)
    listening.take("a")
    assert listening.wants("a", "web", "api", began=began) is missed
    assert listening.take("a") == ({heard} if missed else frozenset())
