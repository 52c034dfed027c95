"""The pages that links in statuses lead to: readable, escaped, without scripts."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import httpx
import pytest
import sqlalchemy.event

from pilotage.core.change import ServiceChange
from pilotage.core.model import Hold, Outcome, Pause, Quarantined, Reason, State, Subject
from pilotage.store import Event
from pilotage.store.schema import promotion
from tests.web.promoted import a_promotion, a_target, an_open
from tests.web.served import NOW, OPERATOR, Service, bearer

HOSTILE = "<script>alert(1)</script>\"'{{ 7 * 7 }}"


def test_the_overview_tells_what_runs_and_what_is_on_its_way(service: Service) -> None:
    service.know(a_target(proposal=an_open()))
    page = service.client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for expected in ("shop/production", "2 boxes open", "v1.2.2", "/promotions/shop-production-1"):
        assert expected in page.text


def test_the_overview_before_anything_is_known(service: Service) -> None:
    assert "No target is known yet" in service.client.get("/").text


def test_a_promotion_tells_its_story(service: Service) -> None:
    merged = an_open(state=State.VERIFYING, ready="", outcomes={"api": Outcome.LIVE})
    happened = Event(NOW, "merged", "merged by ana", by="ana", promotion=merged.id)
    service.know(a_target(release=merged), events=[happened])
    page = service.client.get("/promotions/shop-production-1")
    assert page.status_code == 200
    for expected in ("verifying", "api-v1.2.3", "live", "merged by ana", "08:30:00 UTC"):
        assert expected in page.text
    assert 'href="https://github.example/acme/gitops/pull/7"' in page.text


def test_an_unknown_promotion_is_a_page_too(service: Service) -> None:
    page = service.client.get(f"/promotions/{HOSTILE}x".replace("/script", "script"))
    assert page.status_code == 404
    assert "There is no promotion" in page.text
    assert "<script" not in page.text


@pytest.mark.parametrize("path", ["/", "/promotions/shop-production-1"])
def test_what_repositories_and_people_wrote_is_only_text(service: Service, path: str) -> None:
    change = ServiceChange(HOSTILE, HOSTILE, HOSTILE, ())
    hostile = a_promotion(
        changes=(change,),
        hold=Hold(Subject.PERSON, HOSTILE, NOW, HOSTILE),
        pull_request=7,
        pull_request_url="javascript:alert(1)",
        ready=HOSTILE,
        conclusion=HOSTILE,
    )
    target = a_target(
        proposal=hostile,
        running={HOSTILE: HOSTILE},
        pause=Pause(HOSTILE, HOSTILE, NOW),
        quarantine=(Quarantined(HOSTILE, HOSTILE, HOSTILE, NOW),),
        config_problem=HOSTILE,
    )
    told = Event(NOW, "held", HOSTILE, by=HOSTILE, promotion=hostile.id)
    service.know(target, events=[told])
    text = service.client.get(path).text
    assert "<script" not in text
    assert "javascript:" not in text
    assert "49" not in re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "", text), "templates ran twice"
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("path", ["/", "/nothing", "/healthz", "/style.css", "/api/v1/targets"])
def test_every_answer_is_guarded(service: Service, path: str) -> None:
    headers = service.client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


def test_pages_need_no_script_and_fit_a_phone(service: Service) -> None:
    service.know(a_target(proposal=an_open()))
    for path in ("/", "/promotions/shop-production-1"):
        text = service.client.get(path).text
        assert "<script" not in text
        assert 'name="viewport"' in text


@pytest.mark.parametrize("path", ["/", "/promotions/shop-production-1", "/healthz", "/readyz"])
def test_a_monitor_may_ask_without_the_answer(service: Service, path: str) -> None:
    service.know(a_target(proposal=an_open()))
    read, asked = service.client.get(path), service.client.head(path)
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["content-length"] == read.headers["content-length"]


def plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.mark.parametrize("path", ["/", "/promotions/shop-production-1"])
def test_what_is_not_proposed_yet_says_what_it_waits_for_and_what_comes_next(
    service: Service, path: str
) -> None:
    """Somebody who looks because no pull request has come reads why, and what to do."""
    because = Reason("api", "api v1.2.3 is in quarantine: crashed", "pilotage quarantine lift …")
    waits = Reason("web", "web v5.0.1 soaks in staging until 20 Nov 12:00:00 UTC")
    observed = a_promotion(state=State.OBSERVING)
    service.know(a_target(proposal=observed, because=(because, waits)))
    text = plain(service.client.get(path).text)
    for reason in (because, waits):
        assert reason.text in text
    assert f"Next: {because.next_step}" in text


@pytest.mark.parametrize("path", ["/", "/promotions/shop-production-1"])
def test_a_text_of_the_cluster_turns_nothing_around(service: Service, path: str) -> None:
    because = Reason("api", "crashed: \u202eexe.gnp \u2066x")
    service.know(a_target(proposal=a_promotion(state=State.OBSERVING), because=(because,)))
    page = service.client.get(path).text
    assert "exe.gnp" in page
    assert not set(page) & set("\u202e\u2066")


@pytest.mark.parametrize("path", ["/", "/promotions/shop-production-1"])
def test_a_quarantine_is_shown_with_the_command_that_lifts_it(service: Service, path: str) -> None:
    ended = a_promotion(state=State.REVERTED, conclusion="Reverted 7 s after the merge")
    entry = Quarantined("api", "api-v1.2.3", "crashed", NOW)
    service.know(a_target(release=ended))
    service.know(a_target(quarantine=(entry,)))
    text = plain(service.client.get(path).text)
    assert "Next: pilotage quarantine lift shop/production api api-v1.2.3" in text


@pytest.mark.parametrize("path", ["/", "/promotions/shop-production-1"])
def test_a_hold_says_who_holds_it_and_what_takes_it_away(service: Service, path: str) -> None:
    hold = Hold(Subject.BLIND, "Argo CD is out of reach", NOW, next_step="/pilotage resume")
    service.know(a_target(release=an_open(state=State.VERIFYING, hold=hold)))
    text = plain(service.client.get(path).text)
    assert "eld by pilotage: Argo CD is out of reach" in text
    assert "Next: /pilotage resume" in text


@pytest.mark.parametrize("path", ["/", "/promotions/shop-production-1"])
def test_what_closes_the_gate_comes_first_with_its_next_step(service: Service, path: str) -> None:
    because = (
        Reason("paused", "not paused"),
        Reason("checklist", "2 boxes open", "tick “Feature works as expected”"),
    )
    proposal = an_open(ready="2 boxes open; production is verifying shop-production-0")
    service.know(a_target(proposal=proposal, because=because))
    text = plain(service.client.get(path).text)
    assert "2 boxes open Next: tick “Feature works as expected”" in text
    assert text.index("Next: tick") < text.index("not paused")


def test_a_line_of_history_does_not_say_ready_of_what_is_not(service: Service) -> None:
    promotion = an_open()
    told = Event(NOW, "ready", "not ready to merge: 2 boxes open", promotion=promotion.id)
    service.know(a_target(proposal=promotion), events=[told])
    text = plain(service.client.get("/promotions/shop-production-1").text)
    assert "gates not ready to merge: 2 boxes open" in text


def test_a_promotion_in_the_list_says_which_versions(service: Service) -> None:
    service.know(a_target(proposal=an_open()))
    assert "shop-production-1 api v1.2.3" in plain(service.client.get("/").text)


def test_who_asks_for_pages_without_end_keeps_no_event_waiting(service: Service) -> None:
    """Pages ask for no sign-in; GitHub gives a delivery up after ten seconds."""
    service.know(a_target())
    engine, enough = service.store._database.engine, threading.Event()

    def slow(*told: Any) -> None:
        if "ORDER BY target.id" in told[2]:
            enough.wait(20)

    sqlalchemy.event.listen(engine, "before_cursor_execute", slow)
    try:
        with ThreadPoolExecutor(12) as strangers:
            pages = [strangers.submit(httpx.get, service.url, timeout=30) for _ in range(12)]
            assert not wait(pages, timeout=0.3).done
            assert service.hook({}, "ping").status_code == 202
            assert service.client.get("/readyz").status_code == 200
            enough.set()
        assert {page.result().status_code for page in pages} == {200}
    finally:
        enough.set()
        sqlalchemy.event.remove(engine, "before_cursor_execute", slow)


def test_a_target_that_cannot_be_read_hides_no_other(service: Service) -> None:
    """As after going back to an older version: whoever looks for the reason finds it."""
    service.know(a_target())
    service.know(a_target(pipeline="odd", proposal=a_promotion(id="p-1", target="odd/production")))
    with service.store._database.write() as connection:
        connection.execute(promotion.update().values(document='{"odd": 1}'))
    page = service.client.get("/")
    assert page.status_code == 200
    answer = service.client.get("/api/v1/targets", headers=bearer(OPERATOR)).json()
    blind = {each["id"]: each["blind"] for each in answer["targets"]}
    assert blind["shop/production"] is None
    assert "promotion" in blind["odd/production"]
    assert "newer version" in blind["odd/production"]
    assert "newer version" in page.text
