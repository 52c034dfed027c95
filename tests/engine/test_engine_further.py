"""Several targets: two of one source, a chain, two pipelines in one repository, each on its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pilotage.core.forge import READY
from pilotage.core.model import State, Target
from pilotage.store.database import Database
from tests.engine.simulated_argocd import Temper
from tests.engine.simulated_github import OWN, Pull
from tests.engine.simulated_world import ITEMS, file_text, path, with_tick
from tests.engine.test_engine_findings import Calm
from tests.store.counting import counted


class Further(Calm):
    """Staging goes to production and to canada, and production to the archive."""

    further: ClassVar[Mapping[str, str]] = {"canada": "staging", "archive": "production"}
    targets: ClassVar[Mapping[str, str]] = {}
    """Environment to the pipeline that promotes to it, where that is not `syrf`."""

    def __init__(self, known: Database) -> None:
        super().__init__(known, self.further)
        # They know of one target.
        self.world.laws.check = lambda forge: None  # type: ignore[method-assign]
        self.world.laws._reverted = lambda made: None  # type: ignore[method-assign]

    def of(self, environment: str) -> str:
        return self.targets.get(environment, "syrf")

    def opened(self, environment: str) -> list[Pull]:
        return [
            pull
            for pull in self.world.forge.pulls.values()
            if pull.author == OWN
            and (pull.marker or "").startswith(f"promotion:{self.of(environment)}-{environment}-")
        ]

    def merge(self, *environments: str) -> None:
        """When all of them are ready, at once."""
        pulls = [pull for name in environments for pull in self.opened(name) if pull.open]
        assert len(pulls) == len(environments), self.story()
        for pull in pulls:
            body = pull.body
            for item in ITEMS:
                body = with_tick(body, item)
            if body != pull.body:
                self.world.forge.edit(pull, body, "maria")
        self.minutes(12)
        assert all(self.is_ready(pull) for pull in pulls), self.story()
        for pull in pulls:
            assert self.world.forge.merge(pull, "maria", "squash") is not None

    def at(self, environment: str) -> Target:
        found = self.store.read_target(f"{self.of(environment)}/{environment}")
        assert found is not None
        return found

    def api_in(self, environment: str) -> str:
        return self.world.now_in(environment)["api"]

    def ended(self, environment: str) -> list[State]:
        found = self.store.promotions(f"{self.of(environment)}/{environment}")
        return [each.state for each in reversed(found) if each.ended_at is not None]


def test_two_targets_of_one_source_and_a_chain_are_promoted_each_in_its_turn(
    known: Database,
) -> None:
    simulation = Further(known)
    simulation.world.release("staging", "api", "api-v1.1.0", "ci-bot")
    simulation.minutes(5)
    assert not simulation.opened("archive"), "production does not run it yet"
    simulation.merge("production", "canada")
    simulation.minutes(15)
    assert simulation.ended("production") == [State.CONFIRMED], simulation.story()
    assert simulation.ended("canada") == [State.CONFIRMED]
    simulation.merge("archive")
    simulation.minutes(20)
    assert simulation.ended("archive") == [State.CONFIRMED]
    assert {simulation.api_in(name) for name in simulation.world.environments} == {"api-v1.1.0"}
    assert len(simulation.world.forge.pulls) == 3


def test_what_fails_in_one_target_is_put_back_there_and_nowhere_else(known: Database) -> None:
    simulation = Further(known)
    simulation.world.cluster.tempers["canada", "api-v1.1.0"] = Temper.CRASHES
    simulation.world.release("staging", "api", "api-v1.1.0", "ci-bot")
    simulation.minutes(5)
    simulation.merge("production", "canada")
    simulation.minutes(20)
    assert simulation.ended("production") == [State.CONFIRMED], simulation.story()
    assert simulation.ended("canada") == [State.REVERTED]
    assert simulation.api_in("canada") == "api-v1.0.0"
    assert simulation.api_in("production") == "api-v1.1.0"
    assert not simulation.at("production").quarantine
    assert [found.version for found in simulation.at("canada").quarantine] == ["api-v1.1.0"]
    simulation.merge("archive")
    simulation.minutes(20)
    assert simulation.ended("archive") == [State.CONFIRMED]


def test_what_production_puts_back_does_not_go_further(known: Database) -> None:
    """Whatever it looked like for a while."""
    simulation = Further(known)
    simulation.world.cluster.tempers["production", "api-v1.1.0"] = Temper.CRASHES
    simulation.world.release("staging", "api", "api-v1.1.0", "ci-bot")
    simulation.minutes(5)
    simulation.merge("production")
    simulation.minutes(20)
    assert simulation.ended("production") == [State.REVERTED], simulation.story()
    assert not simulation.opened("archive")
    assert simulation.api_in("archive") == "api-v1.0.0"


def test_what_we_opened_for_other_targets_costs_a_look_no_statements(known: Database) -> None:
    """A repository with many targets has many pull requests of ours open; each target's look goes
    through all of them, and asks the store once which are its own."""
    simulation = Further(known)
    git, forge = simulation.world.git, simulation.world.forge
    forge.on_opened = lambda pull: None  # the laws know of one target

    def opened(number: int) -> None:
        branch = f"shop-promotion-{number}"
        git.refs[branch] = git.refs["main"]
        git.commit(branch, {f"shop-{number}": "1"}, "Promote\n", "li")
        body = f"<!-- pilotage:promotion:shop-eu-{number} -->"
        assert forge.open("Promote", body, branch, OWN).marker

    def asked() -> int:
        simulation.minutes(70)
        with counted() as statements:
            simulation.minutes(70)
        return len(statements)

    opened(1)
    one = asked()
    for number in range(2, 12):
        opened(number)
    assert asked() <= one, "each of them would be asked for at each look"


class Beside(Further):
    """Another pipeline in the same repository: `shop`, from test to live."""

    further: ClassVar[Mapping[str, str]] = {"test": "", "live": ""}
    targets: ClassVar[Mapping[str, str]] = {"live": "shop"}


def test_two_pipelines_of_one_repository_are_promoted_side_by_side(known: Database) -> None:
    """What fails in one is put back there; a merge of the other in between is nothing to it."""
    simulation = Beside(known)
    world = simulation.world
    world.cluster.tempers["live", "api-v1.1.0"] = Temper.CRASHES
    for environment in ("staging", "test"):
        world.release(environment, "api", "api-v1.1.0", "ci-bot")
    simulation.minutes(5)
    simulation.merge("production", "live")
    simulation.minutes(20)
    assert simulation.ended("production") == [State.CONFIRMED], simulation.story()
    assert simulation.ended("live") == [State.REVERTED]
    assert simulation.api_in("production") == "api-v1.1.0"
    assert simulation.api_in("live") == "api-v1.0.0"
    assert not simulation.at("production").quarantine
    assert [found.version for found in simulation.at("live").quarantine] == ["api-v1.1.0"]
    kinds = {event.kind for event in simulation.store.history(target="syrf/production")}
    assert not kinds & {"person_rolled_back", "person_released", "overtaken"}
    assert len(world.forge.pulls) == 2


def test_a_pipeline_that_is_paused_keeps_no_other_one_back(known: Database) -> None:
    simulation = Beside(known)
    simulation.world.operator("pause", "incident")
    for environment in ("staging", "test"):
        simulation.world.release(environment, "web", "web-v1.1.0", "ci-bot")
    simulation.minutes(8)
    assert not simulation.opened("production")
    simulation.merge("live")
    simulation.minutes(20)
    assert simulation.ended("live") == [State.CONFIRMED], simulation.story()


def test_a_pull_request_of_a_person_into_both_pipelines_is_refused_once(known: Database) -> None:
    """Both look at it, and say the same: else each would write over the other's words, for ever,
    and GitHub takes a thousand statuses for a commit."""
    simulation = Beside(known)
    git, forge = simulation.world.git, simulation.world.forge
    written: list[str] = []
    files = {
        path(name, "api"): file_text(name, "api", "api-v1.2.0") for name in ("production", "live")
    }
    git.refs["both"] = git.refs["main"]
    head = git.commit("both", files, "Both\n", "jane")
    forge.on_status = lambda sha, context, status: written.append(status.description)
    forge.open("Both", "please", "both", "jane")
    simulation.minutes(75)
    several = "edits promoted files of several targets (syrf/production, shop/live); split it"
    assert written == [several]
    assert not forge.is_ready(head)
    assert forge.statuses[head, READY].description == written[0]
