"""Several processes of the service on one database: the lease keeps them apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import text

from pilotage.core.model import State
from pilotage.store import Store
from tests.e2e.facts import (
    VERIFY_LONG,
    changed,
    deployments,
    own_commits,
    own_pulls,
    reverts,
    stories,
)
from tests.e2e.harness import FAST, TARGET, quick_world
from tests.e2e.serve_process import ServiceProcess

_AUDIT = """
CREATE TABLE taken (target, owner, fence, taken_at, before, before_until);
CREATE TRIGGER audit AFTER UPDATE OF fence ON target WHEN NEW.lease_owner IS NOT NULL BEGIN
INSERT INTO taken VALUES (
    NEW.id, NEW.lease_owner, NEW.fence, strftime('%Y-%m-%d %H:%M:%f', 'now'),
    OLD.lease_owner, OLD.due_at
); END
"""
"""The database itself says who took which target, and who had it then."""


class Taken(NamedTuple):
    target: str
    owner: str
    fence: int
    taken_at: str
    before: str | None
    before_until: str


def audit(store: Store) -> None:
    table, trigger = _AUDIT.strip().split(";\n", 1)
    with store._database.write() as connection:
        connection.execute(text(table))
        connection.exec_driver_sql(trigger)


def taken(store: Store) -> Sequence[Taken]:
    with store._database.read() as connection:
        return [Taken(*row) for row in connection.execute(text("SELECT * FROM taken"))]


@pytest.mark.runbook("SYRF-8")
def test_two_processes_on_one_database_do_everything_once(tmp_path: Path) -> None:
    """Both are told of everything and look at everything, from the first look to the revert; no
    target is ever taken while another worker has it, in whichever process."""
    policy = changed(FAST, VERIFY_LONG)
    database = f"sqlite:///{tmp_path / 'shared.db'}"
    with (
        quick_world(tmp_path, policy) as world,
        ServiceProcess(world, tmp_path / "first", database) as first,
    ):
        audit(first.store)
        first.until(lambda: bool(taken(first.store)), "the first takes a target")
        of_the_first = {each.owner for each in taken(first.store)}
        with ServiceProcess(world, tmp_path / "second", database) as second:
            world.deploy("api", "api-v9.2.0")
            first.until_state(State.OPEN)
            first.until(lambda: len(world.pulls()) == 1, "the pull request is there")
            (pull,) = world.pulls()
            for item in ("feature", "migrations"):
                first.until(lambda: f"item:{item}" in pull.body, "its boxes are there")  # noqa: B023
                world.github.tick(pull, item, "maria")

            def ready() -> bool:
                found = world.github.statuses(world.repository, pull.head_sha)
                return "pilotage/ready" in found and found["pilotage/ready"].state == "success"

            first.until(ready, "it may be merged")
            world.github.merge(pull, "maria")
            first.until_state(State.VERIFYING)
            world.argocd.break_pods("api-production")
            assert first.until_state().state is State.REVERTED
            first.stop()
            alone = len(taken(second.store))
            second.until(lambda: len(taken(second.store)) > alone, "the second goes on alone")
            everything = taken(second.store)
            assert not of_the_first & {each.owner for each in everything[alone:]}
    assert pull.merge_commit_sha is not None
    assert own_pulls(world) == [pull]
    assert len(reverts(world)) == 1
    assert len(own_commits(world)) == 1, "the revert"
    assert len(stories(pull)) == 1
    assert len(deployments(world, pull.merge_commit_sha)) == 1
    early = [each for each in everything if each.before and each.taken_at < each.before_until]
    assert early == [], "taken while its lease still ran"
    fences = [each.fence for each in everything if each.target == TARGET]
    assert fences == sorted(set(fences)), "no two leases have one fence"
