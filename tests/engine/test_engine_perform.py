"""What is written to Argo CD: to the operation that was meant and no other one, each act once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pilotage.core.acts import Done, Outrun, Refused, Result, SyncApplication, TerminateOperation
from pilotage.core.application import Operation, Phase
from pilotage.engine.perform import NotYet, Performer
from pilotage.store.database import Database
from tests.engine.simulated_argocd import Running
from tests.engine.simulated_github import OWN, REPOSITORY
from tests.engine.test_engine_findings import Calm

NAME = "api-production"


class World(Calm):
    """With the application of api in production, on which an operation has just begun."""

    def __init__(self, known: Database) -> None:
        super().__init__(known)
        self.cluster = self.world.cluster
        self.cluster.start(self.app)

    @property
    def app(self) -> Running:
        return self.cluster.running[NAME]

    @property
    def operation(self) -> Operation:
        assert self.app.operation is not None
        return self.app.operation

    def perform(self, act: TerminateOperation | SyncApplication, server: str = "main") -> Result:
        outside = self.processes["a"].outside
        return Performer(outside, outside.repository(REPOSITORY), OWN, server).perform(act, ())

    def stop(self, operation: str | None = None) -> Result:
        identity = self.operation.identity if operation is None else operation
        return self.perform(TerminateOperation("key", "p", NAME, identity))

    def sync(self, name: str = NAME, server: str = "main") -> Result:
        return self.perform(SyncApplication("key", "p", name), server)


@pytest.fixture
def world(known: Database) -> World:
    return World(known)


def test_the_operation_that_was_meant_is_stopped_and_only_once(world: World) -> None:
    identity = world.operation.identity
    assert world.stop() == Done()
    assert (world.operation.phase, world.app.ends_at) == (Phase.FAILED, None)
    assert world.stop(identity) == Outrun("that operation is over")


def test_another_operation_is_left_alone(world: World) -> None:
    """Somebody's, or another commit's: it began since the act was decided."""
    old = world.operation.identity
    started = world.operation.started_at
    assert started is not None
    world.app.operation = replace(world.operation, started_at=started + timedelta(seconds=1))
    assert world.stop(old) == Outrun("that operation is over")
    assert world.operation.phase is Phase.RUNNING


def test_an_operation_that_was_only_asked_for_is_over_when_it_is_gone(world: World) -> None:
    identity = world.operation.identity
    world.app.operation = None
    assert world.stop(identity) == Outrun("that operation is over")


def test_what_cannot_be_seen_is_written_to_later(world: World) -> None:
    world.cluster.blind_until = world.chaos.now + timedelta(hours=1)
    with pytest.raises(NotYet, match="could not be reached"):
        world.stop()
    with pytest.raises(NotYet, match="could not be reached"):
        world.sync()
    assert world.operation.phase is Phase.RUNNING


def test_an_application_that_is_not_there_any_more_is_written_to_no_more(world: World) -> None:
    assert world.sync("gone-production") == Outrun("gone-production is not there")
    world.cluster.born_again(world.app, timedelta(hours=1))
    assert world.stop("at noon") == Outrun(f"{NAME} is not there")


def test_a_sync_begins_where_nothing_is_under_way(world: World) -> None:
    assert world.sync() == Refused("another operation is already in progress")
    world.app.operation, world.app.ends_at = replace(world.operation, phase=Phase.SUCCEEDED), None
    assert world.sync() == Done()
    assert world.operation.phase is Phase.RUNNING


def test_a_server_that_the_settings_no_longer_name_is_a_matter_for_a_person(world: World) -> None:
    assert world.sync(server="old") == Refused("the settings know no Argo CD named old")
