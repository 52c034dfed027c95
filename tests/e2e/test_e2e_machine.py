"""What happens to the machine that the service runs on: its git stores are only a cache."""

from __future__ import annotations

import shutil
from pathlib import Path

from structlog.testing import capture_logs

from pilotage.sandbox.world import BOT
from tests.e2e.harness import Service, quick_world


def _gone(store: Path) -> None:
    shutil.rmtree(store)


def _damaged(store: Path) -> None:
    """As a disk that lost what was written last: a branch whose commit is not there."""
    main = store / "refs" / "remotes" / "origin" / "main"
    main.parent.mkdir(parents=True, exist_ok=True)
    main.write_text("1" * 40 + "\n")


def _locked(store: Path) -> None:
    """As a git that was killed in the middle leaves it."""
    for name in ("packed-refs.lock", "refs/remotes/origin/main.lock"):
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).touch()


def test_a_store_that_does_not_work_is_said_and_replaced(tmp_path: Path) -> None:
    """Without a restart, and the log says why nothing goes on meanwhile."""
    with (
        capture_logs() as lines,
        quick_world(tmp_path) as world,
        Service(world, tmp_path) as service,
    ):
        service.until_settled()
        for number, harm in enumerate((_gone, _damaged, _locked), 1):
            [store] = (tmp_path / "data" / "git").glob("*.git")
            lines.clear()
            harm(store)
            world.deploy("api", f"api-v9.{number}.0")
            title = f"api v9.{number}.0"
            service.until(lambda title=title: title in service.until_open().title, title)  # type: ignore[misc]
            told = [line for line in lines if line["log_level"] == "warning" and "reason" in line]
            assert told, harm


def test_after_the_loss_of_the_database_no_second_pull_request_is_opened(tmp_path: Path) -> None:
    """What the service itself opened and forgot blocks like a stranger's, until it is gone."""
    with quick_world(tmp_path) as world:
        with Service(world, tmp_path) as service:
            service.until_settled()
            world.deploy("api", "api-v9.1.1")
            forgotten = service.until_open()
        shutil.rmtree(tmp_path / "data")
        world.deploy("web", "web-v5.1.0")
        with Service(world, tmp_path) as service:
            service.until(lambda: bool(service.events("blocked")), "it is told of")
            assert f"#{forgotten.number} by {BOT}" in service.events("blocked")[0].text
            assert world.pulls() == [forgotten]
            world.github.close(forgotten, "maria")
            service.until(lambda: len(world.pulls()) == 2, "a new one takes its place")
