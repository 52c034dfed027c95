"""What people ask for by hand: a single service now, and a new one, to the verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotage.clock import utc_now
from pilotage.core.model import Command, Outcome, State
from pilotage.engine.mail import Commanded, posted
from pilotage.sandbox.github import PullRequest
from pilotage.sandbox.world import CI, World, file_text, path_of
from tests.e2e.harness import TARGET, Service, quick_world

NEW = path_of("production", "reports")


def new_service(world: World, version: str = "reports-v1.0.0") -> str:
    """CI brings a service to staging that production does not know; its file."""
    text = file_text("staging", "web", version).replace("'web'", "'reports'")
    path = path_of("staging", "reports")
    world.github.commit(world.repository, "main", {path: text}, "ci: reports", CI)
    return text


def answers(pull: PullRequest) -> str:
    bodies = [comment.body for comment in pull.comments]
    return "\n".join(bodies).replace("\\", "").replace("\u200b", "")


def command(service: Service, name: str, argument: str) -> None:
    """As somebody's `pilotage` at the terminal."""
    given = Command(f"{name}-{len(service.ticks)}", name, argument, "maria", utc_now())
    service.store.post([posted(TARGET, Commanded(given), utc_now())])
    service.engine.poke()


def reviewed(service: Service, pull: PullRequest) -> None:
    service.tick_all(pull)
    service.until_ready(pull)
    service.world.github.merge(pull, "maria")


@pytest.mark.runbook("SYRF-13")
def test_a_single_service_is_promoted_by_hand_and_the_rest_follows(tmp_path: Path) -> None:
    """The open pull request of both becomes that of one; after its merge the other is proposed."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.release({"api": "api-v9.1.1", "web": "web-v5.0.1"})
        pull = service.until_open()
        service.until(lambda: "web v5.0.1" in pull.title, "both are proposed")

        world.github.comment(pull, "/pilotage promote api", "maria")
        service.until(
            lambda: pull.title == "promote(api): v9.1.1 → production", "it is narrowed to one"
        )
        service.until(lambda: "Asked for by maria" in pull.body, "it says who asked")
        assert "was not asked for by maria" in pull.body
        head = world.repository.git.run("log", "-1", "--format=%s", pull.head_ref).strip()
        assert head == "promote(api): v9.1.1 → production"
        assert "only api is promoted now; #" in answers(pull)

        reviewed(service, pull)
        assert service.until_state(1).state is State.CONFIRMED, service.story()
        assert world.version("api", "production") == "api-v9.1.1"
        assert world.version("web", "production") == "web-v5.0.0"
        rest = service.until_open(2)
        assert rest.title == "Promote syrf to production: web v5.0.1"


@pytest.mark.runbook("SYRF-3")
def test_a_new_service_goes_from_staging_to_a_confirmed_production(tmp_path: Path) -> None:
    """Named first; let in by a comment; proven, merged, watched though nothing ran there before."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        theirs = new_service(world)
        world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        service.until(lambda: "<code>/pilotage add reports</code>" in pull.body, "it is named")

        world.github.comment(pull, "/pilotage add reports", "maria")
        row = "| reports | *new* | **reports-v1.0.0** | new |"
        service.until(lambda: row in pull.body, "it is let in")
        written = world.github.file(world.repository, NEW, pull.head_ref)
        assert written == theirs.replace("envName: 'staging'", "envName: 'production'")

        reviewed(service, pull)
        confirmed = service.until_state(1)
        assert confirmed.state is State.CONFIRMED, service.story()
        assert set(confirmed.outcomes.items()) == {
            ("api", Outcome.CONFIRMED),
            ("reports", Outcome.CONFIRMED),
        }
        assert "reports-production" in world.argocd.names
        target = service.target()
        assert target is not None
        assert target.admitted == ()


@pytest.mark.runbook("SYRF-3")
def test_a_new_service_that_fails_is_taken_out_again(tmp_path: Path) -> None:
    """Asked for alone; its files go, its application goes, its version is in quarantine."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        new_service(world)
        service.until(lambda: "only staging has it" in service.because(), "it is explained")
        command(service, "promote", "reports")
        pull = service.until_open()
        assert pull.title == "promote(reports): v1.0.0 → production"
        world.argocd.bad_version("1.0.0")
        reviewed(service, pull)
        reverted = service.until_state(1)
        assert reverted.state is State.REVERTED, service.story()
        assert "reports is taken out again" in reverted.conclusion
        assert NEW not in world.repository.git.run("ls-tree", "-r", "--name-only", "main")
        target = service.target()
        assert target is not None
        assert [(each.service, each.version) for each in target.quarantine] == [
            ("reports", "reports-v1.0.0")
        ]
        service.until(
            lambda: "reports-production" not in world.argocd.names, "its application is gone"
        )
