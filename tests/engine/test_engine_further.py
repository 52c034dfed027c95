"""One source with two targets, and a chain of environments: each target decides for itself."""

from __future__ import annotations

from pilotage.core.model import State, Target
from pilotage.store.database import Database
from tests.engine.simulated_argocd import Temper
from tests.engine.simulated_github import OWN, Pull
from tests.engine.simulated_world import ITEMS, with_tick
from tests.engine.test_engine_findings import Calm
from tests.store.counting import counted


class Further(Calm):
    """Staging goes to production and to canada, and production to the archive."""

    def __init__(self, known: Database) -> None:
        super().__init__(known, {"canada": "staging", "archive": "production"})
        # They know of one target.
        self.world.laws.check = lambda forge: None  # type: ignore[method-assign]
        self.world.laws._reverted = lambda made: None  # type: ignore[method-assign]

    def opened(self, environment: str) -> list[Pull]:
        return [
            pull
            for pull in self.world.forge.pulls.values()
            if pull.author == OWN
            and (pull.marker or "").startswith(f"promotion:syrf-{environment}-")
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
        found = self.store.read_target(f"syrf/{environment}")
        assert found is not None
        return found

    def api_in(self, environment: str) -> str:
        return self.world.now_in(environment)["api"]

    def ended(self, environment: str) -> list[State]:
        found = self.store.promotions(f"syrf/{environment}")
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
