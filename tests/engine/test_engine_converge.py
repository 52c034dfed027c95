"""What is readable outside becomes what was decided: only the difference is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from pilotage.adapters.github import GitHub
from pilotage.core.forge import READY, Status, StatusState, hidden
from pilotage.core.outputs import DeploymentRecord, LastWord, Outputs
from pilotage.engine.converge import Converged, Convergence, Mirror
from pilotage.rendering import render_body, render_story
from pilotage.store.database import Database
from tests.engine.simulated_github import OWN, REPOSITORY, Pull
from tests.engine.test_engine_findings import Calm
from tests.unit.core.pages import body, story

HOUR = timedelta(hours=1)
RED = Status(StatusState.FAILURE, "held")
GREEN = Status(StatusState.SUCCESS, "every gate is open")
HEAD, MERGED = "1" * 40, "2" * 40


class World(Calm):
    """With one pull request of ours, on which nobody else works."""

    def __init__(self, known: Database) -> None:
        super().__init__(known)
        self.forge, git = self.world.forge, self.world.git
        git.refs["topic"] = git.refs["main"]
        self.pull: Pull = self.forge.open("Promote", "to be written", "topic", OWN)
        self.convergence = self.another()

    def another(self) -> Convergence:
        """As after a restart: nothing is remembered."""
        return Convergence(cast(GitHub, self.world.github), Mirror(HOUR))

    def converge(self, by: Convergence | None = None, **wanted: Any) -> Converged:
        facts = {"since": None, "pull_request": self.pull.number} | wanted
        since, stale = facts.pop("since"), facts.pop("seen", None)
        current = stale or self.world.github.pull_request(REPOSITORY, self.pull.number)
        outputs = Outputs("p", **facts)
        now = self.chaos.now
        return (by or self.convergence).converge(REPOSITORY, outputs, current, now, since)

    def comments(self) -> list[str]:
        return [each.body for each in self.forge.remarks.values()]


@pytest.fixture
def world(known: Database) -> World:
    return World(known)


def test_what_is_there_is_not_written_again(world: World) -> None:
    page: dict[str, Any] = {"title": "Promote api", "body": body(), "labels": frozenset({"review"})}
    first = world.converge(**page)
    assert (first.body, first.stale, first.pull_request, first.writes) == (True, False, True, 2)
    assert world.pull.title == "Promote api"
    assert world.pull.body == render_body(body())
    assert world.pull.labels == {"review"}
    assert world.converge(**page) == Converged()
    world.pull.labels.add("of-a-person")
    assert world.converge(**page) == Converged(), "a label of somebody's stays"
    renamed = world.converge(**{**page, "title": "Promote web"})
    assert (renamed.body, renamed.writes) == (False, 1)
    assert world.pull.title == "Promote web"


def test_line_ends_of_the_web_editor_are_no_difference(world: World) -> None:
    theirs = render_body(body()).replace("\n", "\r\n") + "\r\n"
    world.forge.edit(world.pull, theirs, "li")
    assert world.converge(title="Promote", body=body()) == Converged()
    assert world.pull.body == theirs


def test_what_a_person_wrote_since_it_was_read_is_never_overwritten(world: World) -> None:
    """A tick between the look and the write: it is read with the next look."""
    seen = world.world.github.pull_request(REPOSITORY, world.pull.number)
    world.minutes(1)
    world.forge.edit(world.pull, "ticked", "li")
    done = world.converge(title="Promote", body=body(), seen=seen)
    assert (done.body, done.stale, done.writes) == (False, True, 0)
    assert world.pull.body == "ticked"


def test_what_is_closed_is_left_as_it_is_but_for_its_last_word(world: World) -> None:
    world.converge(body=body())
    seen = world.world.github.pull_request(REPOSITORY, world.pull.number)
    word = LastWord("Closed", "li", world.chaos.now, "a set like it may be proposed")
    assert world.converge(last_word=word) == Converged(), "it is open"
    world.forge.close(world.pull, "li")
    world.minutes(1)
    late = world.converge(body=body(blockers=()), seen=seen)
    assert (late.stale, world.pull.body) == (True, render_body(body()))
    done = world.converge(last_word=word)
    assert done.writes == 1
    assert "a set like it may be proposed" in world.pull.body
    assert world.converge(world.another(), last_word=word).writes == 0


def test_each_commit_gets_each_of_its_statuses(world: World) -> None:
    wanted = {(HEAD, READY): RED, (HEAD, "pilotage/checklist"): GREEN, (MERGED, READY): GREEN}
    assert world.converge(statuses=wanted).writes == 3
    assert {key: world.forge.statuses[key] for key in wanted} == wanted
    assert world.converge(statuses=wanted).writes == 0
    assert world.converge(statuses={**wanted, (MERGED, READY): RED}).writes == 1
    assert world.forge.statuses[MERGED, READY] == RED


def test_what_somebody_broke_is_mended_when_it_is_compared_again(world: World) -> None:
    wanted = {(HEAD, READY): RED}
    world.converge(statuses=wanted)
    world.forge.statuses[HEAD, READY] = GREEN
    assert world.converge(statuses=wanted).writes == 0, "it is taken for known for a while"
    since = world.chaos.now
    assert world.converge(statuses=wanted, since=since).writes == 1, "another replica was there"
    world.forge.statuses[HEAD, READY] = GREEN
    world.chaos.now += HOUR
    assert world.converge(statuses=wanted).writes == 1
    assert world.forge.statuses[HEAD, READY] == RED


def test_the_story_is_one_comment_edited_in_place(world: World) -> None:
    page = story()
    assert world.converge(story=page).writes == 1
    assert world.converge(story=page).writes == 0
    row = replace(page.rows[0], health="Degraded")
    assert world.converge(story=replace(page, rows=(row,))).writes == 0, "it waits for a while"
    world.chaos.now += timedelta(seconds=31)
    assert world.converge(story=replace(page, rows=(row,))).writes == 1
    ended = replace(page, heading="Confirmed")
    assert world.converge(story=ended).writes == 1, "what matters is written at once"
    assert world.comments() == [render_story(ended)]


def test_a_story_that_two_replicas_began_becomes_one_again(world: World) -> None:
    for text in ("first", "second", "third"):
        world.forge.comment(world.pull.number, f"{text}\n\n{hidden(story().marker)}", OWN)
    world.forge.comment(world.pull.number, f"an answer\n\n{hidden('answer:1')}", OWN)
    assert world.converge(story=story()).writes == 3
    assert world.comments() == [render_story(story()), f"an answer\n\n{hidden('answer:1')}"]


def test_a_deployment_is_recorded_once_and_follows_its_state(world: World) -> None:
    record = DeploymentRecord(MERGED, "production", True, "in_progress", "api v9.1.1")
    assert world.converge(deployment=record).writes == 2
    assert world.converge(world.another(), deployment=record).writes == 0
    assert world.converge(deployment=replace(record, state="success")).writes == 1
    (made,) = world.forge.deployments[MERGED, "production"]
    assert made.state == "success"


def test_a_mirror_keeps_the_newest_and_not_more_than_it_may(world: World) -> None:
    mirror, now = Mirror(HOUR), world.chaos.now
    for number in range(20_001):
        mirror.put(("key", str(number)), number, now + timedelta(milliseconds=number))
    known = [n for n in range(20_001) if mirror.get(("key", str(n)), now) is not None]
    assert known == list(range(5_000, 20_001))
    mirror.forget(("key", "20000"))
    assert mirror.get(("key", "20000"), now) is None
