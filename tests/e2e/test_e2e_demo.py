"""The demo when it stays up: each thing that it says can be opened, and can be read."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import httpx
import pytest
from rich.console import Console

from pilotage.cli.demo import Account
from pilotage.sandbox.stories import TARGET, Running
from pilotage.sandbox.world import World


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with World(tmp_path_factory.mktemp("demo")) as world, Running(world) as found:
        yield found


def printed(width: int = 80) -> tuple[Account, io.StringIO]:
    text = io.StringIO()
    return Account(Console(file=text, width=width, highlight=False)), text


@pytest.mark.parametrize("width", [60, 80])
def test_every_address_of_the_invitation_is_a_page_in_one_piece(
    running: Running, width: int
) -> None:
    account, text = printed(width)
    account.invite(running)
    addresses = re.findall(r"http://\S+", text.getvalue())
    assert len(addresses) == 4
    for address in addresses:
        answer = httpx.get(address, follow_redirects=True)
        assert answer.status_code == 200, address
        assert answer.headers["content-type"].startswith("text/html"), address


def test_the_page_of_ci_leads_to_reviewer_cluster_and_service(running: Running) -> None:
    page = httpx.get(f"{running.world.github.url}/_sandbox/releases").text
    leads = re.findall(r'href="([^"]+)"', page)
    for expected in ("/camaradesuk/cluster-gitops/pulls", running.server.url):
        assert expected in leads
    assert any(running.world.argocd_url in lead for lead in leads)


def test_what_stands_outside_leads_back_to_the_service(running: Running) -> None:
    """The status and the body link the page where the promotion's story stands."""
    world = running.world
    world.release({"api": "api-v9.1.1"})

    def linked() -> bool:
        pulls = world.pulls()
        if not pulls:
            return False
        status = world.github.statuses(world.repository, pulls[0].head_sha).get("pilotage/ready")
        return status is not None and status.target_url is not None

    running.until(linked, "the status is there, with a link")
    (pull,) = world.pulls()
    status = world.github.statuses(world.repository, pull.head_sha)["pilotage/ready"]
    assert status.target_url == f"{running.server.url}/promotions/syrf-production-1"
    assert httpx.get(status.target_url).status_code == 200
    assert f"[history]({status.target_url})" in pull.body
    assert running.store.read_target(TARGET) is not None


def test_a_line_of_the_account_stays_in_its_columns_for_hours() -> None:
    account, text = printed()
    account.begun -= 12_345
    account.done("maria merges #1.")
    (line,) = text.getvalue().splitlines()
    assert line.rstrip() == "12345.0 s  people    maria merges #1."


def test_what_is_said_to_crash_in_production_is_that_version_and_no_other(
    running: Running,
) -> None:
    """A good one that overtakes it comes up; the bad one crashes whenever it comes."""
    world = running.world
    bad = {"service": "web", "step": "minor", "broken": "true"}
    httpx.post(f"{world.github.url}/_sandbox/releases", data=bad)

    def is_up(tag: str, health: str) -> bool:
        status = world.argocd.document("web-production")["status"]
        images = status["summary"].get("images", [])
        return status["health"]["status"] == health and any(tag in image for image in images)

    world.deploy("web", "web-v5.1.1", "production", "maria")
    assert world.argocd.wait_until(lambda: is_up("5.1.1", "Healthy"), 20)
    world.deploy("web", "web-v5.1.0", "production", "maria")
    assert world.argocd.wait_until(lambda: is_up("5.1.0", "Degraded"), 20)
