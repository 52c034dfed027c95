"""Killed in each state, and between an act and the noting of it: the same end, nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pilotage.core.acts import Act, Result
from pilotage.core.model import State
from pilotage.core.outputs import Outputs
from pilotage.engine.perform import Performer
from pilotage.sandbox.argocd.cluster import Reason
from pilotage.sandbox.world import World
from tests.e2e.facts import (
    VERIFY_LONG,
    changed,
    deployments,
    keeps_trying,
    own_pulls,
    reverts,
    rollout_status,
    stories,
)
from tests.e2e.harness import FAST, TARGET, Service, quick_world
from tests.e2e.serve_process import ServiceProcess


def assert_reverted_once(world: World) -> None:
    """One pull request, one revert commit, one comment that tells it, one deployment record."""
    (pull,) = own_pulls(world)
    assert pull.merged
    assert pull.merge_commit_sha is not None
    assert len(reverts(world)) == 1
    assert len(stories(pull)) == 1
    assert len(deployments(world, pull.merge_commit_sha)) == 1
    assert world.version("api", "production") == "api-v9.0.4"


@pytest.mark.runbook("SYRF-8")
@pytest.mark.runbook("SYRF-10")
def test_kill_9_in_each_state_and_between_a_write_and_its_answer(tmp_path: Path) -> None:
    """Killed while it observes; when the pull request was made and when the comment was written,
    before it heard of it; while it verifies (the pods break meanwhile); and when the revert was
    pushed and not yet noted."""
    policy = changed(FAST, VERIFY_LONG, ("soak: 0.1s", "soak: 1s"))
    with quick_world(tmp_path, policy) as world, ServiceProcess(world, tmp_path) as process:
        faults = world.github.faults
        world.deploy("api", "api-v9.2.0")
        process.until_state(State.OBSERVING)
        process.kill()
        faults.then(process.kill, "POST", "/repos/*/pulls")
        process.restart()
        process.until_dead("it opened the pull request")
        (pull,) = world.pulls()
        for item in ("feature", "migrations"):
            world.github.tick(pull, item, "maria")
        process.restart()

        def ready() -> bool:
            found = world.github.statuses(world.repository, pull.head_sha).get("pilotage/ready")
            return found is not None and found.state == "success"

        process.until(ready, "it may be merged")
        faults.then(process.kill, "POST", f"/repos/*/issues/{pull.number}/comments")
        world.argocd.stop_application_sets()
        world.github.merge(pull, "maria")
        process.until_dead("it wrote the comment")
        assert len(stories(pull)) == 1
        process.restart()
        rolling = process.promotion()
        assert rolling is not None
        assert rolling.state is State.ROLLING_OUT
        world.argocd.start_application_sets()
        process.until_state(State.VERIFYING)
        process.kill()
        world.argocd.break_pods("api-production")

        def when_on_main() -> None:
            if reverts(world):
                process.kill()

        faults.then(when_on_main, "POST", "*/git-receive-pack", times=2)
        process.restart()
        process.until_dead("it pushed the revert")
        reverting = process.promotion()
        assert reverting is not None
        assert reverting.state is State.REVERTING
        assert len(reverts(world)) == 1
        process.restart()
        assert process.until_state().state is State.REVERTED
        sha = pull.merge_commit_sha or ""
        process.until(lambda: rollout_status(world, sha) == "failure", "the end is told")
        assert_reverted_once(world)


# In one process, for every kind of act --------------------------------------------------------


class Died(Exception):
    """The engine ends here, in the middle of an act."""


@dataclass(slots=True)
class Relay:
    """One service after the other on the same store: the next as soon as one has died."""

    world: World
    folder: Path
    died: list[str]
    taken_over: int = 0
    service: Service = field(init=False)

    def start(self) -> None:
        self.world.repository.hooks.clear()
        self.service = Service(self.world, self.folder)
        self.service.__enter__()

    def stop(self) -> None:
        self.service.__exit__(None, None, None)

    def until(self, holds: Callable[[Service], bool], what: str) -> None:
        while True:
            service = self.service
            service.until(lambda: self._dead or holds(service), what)  # noqa: B023
            if not self._dead:
                return
            self.taken_over = len(self.died)
            self.stop()
            self.start()
            self.service.store.wake([TARGET], datetime.now(UTC))
            self.service.engine.poke()

    @property
    def _dead(self) -> bool:
        return len(self.died) > self.taken_over

    def until_state(self, number: int, state: State) -> None:
        def there(service: Service) -> bool:
            found = service.promotion(number)
            return found is not None and found.state is state

        self.until(there, f"promotion {number} is {state}")

    def until_ready(self, number: int) -> None:
        pull = self.world.repository.pulls[number]
        self.until(lambda service: service.ready(pull) == "success", f"#{number} may be merged")


@pytest.mark.parametrize("when", ["before", "after"])
def test_dying_around_any_act_does_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Each kind of act dies once; another engine on the same store takes over each time."""
    perform = Performer.perform
    died: list[str] = []

    def dying(self: Performer, act: Act, outputs: Sequence[Outputs]) -> Result:
        if act.kind in died:
            return perform(self, act, outputs)
        if when == "after":
            perform(self, act, outputs)
        died.append(act.kind)
        raise Died(act.key)

    with quick_world(tmp_path) as world:
        relay = Relay(world, tmp_path, died)
        relay.start()
        try:
            relay.service.until_settled()
            monkeypatch.setattr(Performer, "perform", dying)
            world.deploy("api", "api-v9.2.0")
            relay.until(lambda _: len(world.pulls()) == 1, "the pull request is there")
            (pull,) = world.pulls()
            relay.until(lambda _: "notify" in died, "its message is due")
            world.github.comment(pull, "/pilotage explain", "maria")
            relay.until(lambda _: "answer_comment" in died, "the comment is answered")
            relay.until(lambda service: len(pull.comments) >= 2, "the answer is there")
            for item in ("feature", "migrations"):
                world.github.tick(pull, item, "maria")
            relay.until_ready(pull.number)
            keeps_trying(world, "api-production")
            world.argocd.fail_next_deployment("api-production", Reason.REFUSED)
            world.github.merge(pull, "maria")
            relay.until_state(1, State.REVERTED)
            answers = [each for each in pull.comments if "answer:" in each.body]
            assert len(answers) == 1
            sha = pull.merge_commit_sha or ""
            relay.until(lambda _: rollout_status(world, sha) == "failure", "the end is told")
            assert_reverted_once(world)

            world.deploy("api", "api-v9.2.1")
            relay.until(lambda _: len(world.pulls()) == 2, "the next one is there")
            app = world.argocd.application("api-production")
            app.policy = replace(app.policy, automated=False)
            world.deploy("api", "api-v9.2.1", "production", by="li")
            relay.until(lambda _: not world.pulls()[1].open, "nothing is left to change")
            relay.until_state(3, State.CONFIRMED)
            relay.until(lambda _: len(died) == 8, "each kind of act has died")
            assert set(died) == {
                "commit_branch",
                "open_pull_request",
                "close_pull_request",
                "revert_commit",
                "sync_application",
                "terminate_operation",
                "notify",
                "answer_comment",
            }
            assert len(own_pulls(world)) == 2
            assert len(reverts(world)) == 1
        finally:
            relay.stop()
