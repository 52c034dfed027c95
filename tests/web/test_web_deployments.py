"""CI tells of a deployment, and asks what became of it (SYRF-5)."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from pilotage.core.change import ServiceChange
from pilotage.core.model import (
    Hold,
    Pause,
    Promotion,
    Proof,
    Quarantined,
    Refusal,
    State,
    Subject,
    Superseded,
    Target,
)
from pilotage.web.deployments import Question, same
from tests.web.promoted import PRODUCTION, a_promotion, a_target, an_open
from tests.web.served import DEPLOYMENTS, NOW, OPERATOR, Service, bearer, counted, serving

TOLD = {
    "repository": "acme/gitops",
    "environment": "staging",
    "service": "api",
    "value": "1.2.3",
    "run": "42",
}


def _tell(service: Service, body: Any = None, token: str = DEPLOYMENTS, **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(TOLD if body is None else body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return service.client.post(
        "/api/v1/deployments", content=raw, headers={**bearer(token), **named}
    )


def _ask(service: Service, id_: str, wait: Any = None, token: str = DEPLOYMENTS) -> httpx.Response:
    asked = {} if wait is None else {"wait": str(wait)}
    return service.client.get(f"/api/v1/deployments/{id_}", params=asked, headers=bearer(token))


def test_a_report_is_kept_twice_once_to_ask_about_and_once_to_act_upon(service: Service) -> None:
    answer = _tell(service)
    id_ = answer.json()["id"]
    assert answer.status_code == 202
    report = service.store.report(id_)
    assert report is not None
    assert (report.service, report.value, report.run) == ("api", "1.2.3", "42")
    assert [found[:2] for found in service.deliveries()] == [(f"deployment/{id_}", "deployment")]
    assert service.engine.times == 1


def test_the_operators_token_opens_it_as_well(service: Service) -> None:
    assert _tell(service, token=OPERATOR).status_code == 202


def test_a_key_makes_a_repetition_harmless(service: Service) -> None:
    first = _tell(service, Idempotency_Key="run-42-api")
    second = _tell(service, Idempotency_Key="run-42-api")
    assert first.json() == second.json() == {"id": "run-42-api"}
    assert len(service.deliveries()) == 1
    assert service.engine.times == 1


def test_a_key_of_another_deployment_is_409(service: Service) -> None:
    _tell(service, Idempotency_Key="run-42")
    answer = _tell(service, {**TOLD, "value": "1.2.4"}, Idempotency_Key="run-42")
    assert answer.status_code == 409
    assert "another deployment" in answer.json()["error"]
    assert len(service.deliveries()) == 1


@pytest.mark.parametrize("token", ["-", "the-webhook-secret", "ü"])
def test_a_wrong_bearer_is_401_and_nothing_is_kept(service: Service, token: str) -> None:
    headers = [(b"Authorization", f"Bearer {token}".encode())]
    answer = service.client.post("/api/v1/deployments", json=TOLD, headers=headers)
    assert answer.status_code == 401
    assert service.deliveries() == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "Invalid JSON"),
        ([], "body: "),
        ({**TOLD, "service": ""}, "service: "),
        ({**TOLD, "repository": "acme"}, "repository: "),
        ({**TOLD, "sevice": "api"}, "sevice: "),
        ({key: value for key, value in TOLD.items() if key != "value"}, "value: Field required"),
        ({**TOLD, "service": "a\0i"}, "service: Value error, has a control character"),
        ({**TOLD, "value": "\x1b[1m"}, "value: Value error, has a control character"),
        ({**TOLD, "environment": "\u202e"}, "environment: Value error, has a control character"),
        ({**TOLD, "run_url": "https://ci\n"}, "run_url: Value error, has a control character"),
    ],
)
def test_another_shape_is_400_with_what_was_expected(
    service: Service, body: Any, expected: str
) -> None:
    answer = _tell(service, body)
    assert answer.status_code == 400
    assert expected in answer.json()["error"]
    assert service.deliveries() == []


def test_a_large_body_is_413(service: Service) -> None:
    assert _tell(service, b" " * 70_000).status_code == 413


@pytest.mark.parametrize("key", ["", "a b", "x" * 101, "../x"])
def test_an_odd_key_is_400(service: Service, key: str) -> None:
    assert _tell(service, Idempotency_Key=key).status_code == 400


def test_without_tokens_it_is_off(tmp_path: Path) -> None:
    with serving(tmp_path, deployments_token=None, operator_token=None) as service:
        answer = _tell(service)
    assert answer.status_code == 404
    assert "PILOTAGE_DEPLOYMENTS_TOKEN" in answer.json()["error"]


def _became(at: Service, target: Target | None, *promotions: Promotion, **told: str) -> Any:
    if target is not None:
        at.know(target, *promotions)
    id_ = _tell(at, {**TOLD, **told}).json()["id"]
    answer = _ask(at, id_)
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.runbook("SYRF-5")
class TestWhatBecame:
    def test_the_pull_request_that_carries_it(self, service: Service) -> None:
        answer = _became(service, a_target(proposal=an_open()))
        assert answer["state"] == "open"
        assert answer["pull_request"] == "https://github.example/acme/gitops/pull/7"
        assert answer["promotion"] == "shop-production-1"
        assert answer["target"] == PRODUCTION
        assert answer["reason"] == "2 boxes open"
        assert answer["settled"] is True

    @pytest.mark.parametrize("value", ["api-v1.2.3", "v1.2.3", "1.2.3"])
    def test_the_value_may_come_without_its_prefix(self, service: Service, value: str) -> None:
        assert _became(service, a_target(proposal=an_open()), value=value)["state"] == "open"

    @pytest.mark.parametrize(
        "state", [State.ROLLING_OUT, State.VERIFYING, State.CONFIRMED, State.REVERTED]
    )
    def test_what_was_merged_is_told_by_its_state(self, service: Service, state: State) -> None:
        merged = an_open(state=state, ready="")
        if state in (State.ROLLING_OUT, State.VERIFYING):
            answer = _became(service, a_target(release=merged))
        else:
            answer = _became(service, a_target(), merged)
        assert (answer["state"], answer["settled"]) == (state.value, True)

    def test_not_proven_yet(self, service: Service) -> None:
        proof = Proof("api", "api-v1.2.3", "a" * 40, NOW, obstacle="soaks until 09:00 UTC")
        observed = a_promotion(State.OBSERVING)
        answer = _became(service, a_target(proposal=observed, proofs=(proof,)))
        assert (answer["state"], answer["settled"]) == ("observing", False)
        assert answer["reason"] == "api v1.2.3: soaks until 09:00 UTC"

    def test_git_does_not_have_it_yet(self, service: Service) -> None:
        answer = _became(service, a_target())
        assert (answer["state"], answer["settled"]) == ("observing", False)

    def test_no_target_is_known_yet(self, service: Service) -> None:
        assert _became(service, None)["state"] == "observing"

    def test_production_has_it_already(self, service: Service) -> None:
        answer = _became(service, a_target(running={"api": "api-v1.2.3"}))
        assert (answer["state"], answer["settled"]) == ("nothing-to-do", True)

    def test_a_quarantined_version_is_refused(self, service: Service) -> None:
        entry = Quarantined("api", "api-v1.2.3", "CrashLoopBackOff", NOW)
        answer = _became(service, a_target(quarantine=(entry,)))
        assert (answer["state"], answer["settled"]) == ("refused", True)
        assert "CrashLoopBackOff" in answer["reason"]

    def test_a_closed_pull_request_is_refused(self, service: Service) -> None:
        answer = _became(service, a_target(), an_open(state=State.CLOSED, ready=""))
        assert answer["state"] == "refused"
        assert "closed" in answer["reason"]

    def test_a_service_that_is_not_promoted_is_refused(self, service: Service) -> None:
        answer = _became(service, a_target(), service="apii")
        assert (answer["state"], answer["settled"]) == ("refused", False)
        assert "api, web" in answer["reason"]

    def test_where_promotions_end_nothing_is_promoted_from(self, service: Service) -> None:
        answer = _became(service, a_target(), environment="production")
        assert answer["state"] == "refused"

    def test_a_held_promotion(self, service: Service) -> None:
        hold = Hold(Subject.PERSON, "the database is full", NOW, "ana")
        answer = _became(service, a_target(proposal=an_open(hold=hold)))
        assert (answer["state"], answer["reason"]) == ("held", "the database is full")
        assert answer["pull_request"] is not None

    def test_a_paused_target(self, service: Service) -> None:
        pause = Pause("Black Friday", "ana", NOW)
        observed = a_promotion(State.OBSERVING)
        answer = _became(service, a_target(proposal=observed, pause=pause))
        assert (answer["state"], answer["reason"]) == ("held", "paused by ana: Black Friday")

    def test_a_configuration_that_cannot_be_used(self, service: Service) -> None:
        answer = _became(service, a_target(config_problem=".pilotage.yaml:3: unknown key"))
        assert (answer["state"], answer["settled"]) == ("held", False)
        assert ".pilotage.yaml:3" in answer["reason"]

    def test_replaced_by_a_newer_set_in_the_same_pull_request(self, service: Service) -> None:
        newer = ServiceChange("api", "api-v1.2.2", "api-v1.2.4", ())
        old = Superseded("api", "api-v1.2.3", NOW, NOW)
        rolled = an_open(changes=(newer,), superseded=(old,))
        answer = _became(service, a_target(proposal=rolled))
        assert answer["pull_request"] == "https://github.example/acme/gitops/pull/7"

    def test_an_event_of_the_services_own_repository(self, service: Service) -> None:
        answer = _became(service, a_target(proposal=an_open()), repository="acme/api")
        assert answer["state"] == "open"

    def test_the_repositorys_name_in_another_case(self, service: Service) -> None:
        service.know(a_target(running={"api": "api-v1.2.3"}))
        service.know(a_target(pipeline="other", repository="acme/other", running={}))
        answer = _became(service, None, repository=TOLD["repository"].upper())
        assert (answer["state"], answer["target"]) == ("nothing-to-do", PRODUCTION)

    @pytest.mark.parametrize("told", [{"repository": "acme/nobody"}, {"environment": "stagin"}])
    def test_what_concerns_nobody_is_refused_with_the_reason_that_the_event_has(
        self, service: Service, told: dict[str, str]
    ) -> None:
        """ "Git does not say yet" would let a job wait for what never comes."""
        service.know(a_target(running={"web": "web-v1"}))
        id_ = _tell(service, {**TOLD, **told, "service": "web"}).json()["id"]
        assert _ask(service, id_).json()["state"] == "observing"
        note = "no pipeline promotes it"
        assert service.store.settle(f"deployment/{id_}", note, ignored=True, now=NOW)
        answer = _ask(service, id_).json()
        assert (answer["state"], answer["reason"]) == ("refused", note)
        assert answer["settled"] is False, "a configuration that was pushed now may change it"

    def test_an_unknown_id_is_404(self, service: Service) -> None:
        assert _ask(service, "nobody-told").status_code == 404

    @pytest.mark.parametrize("wait", ["-1", "61", "x", "1.5", "٣", "9" * 50])
    def test_an_odd_wait_is_400(self, service: Service, wait: str) -> None:
        id_ = _tell(service).json()["id"]
        assert _ask(service, id_, wait).status_code == 400

    def test_waiting_ends_when_the_pull_request_is_there(self, service: Service) -> None:
        """The answer comes well before the time that was asked for is over."""
        service.know(a_target(proposal=a_promotion()))
        id_ = _tell(service).json()["id"]
        opened = threading.Timer(0.3, lambda: service.know(a_target(proposal=an_open())))
        opened.start()
        began = time.monotonic()
        answer = _ask(service, id_, 15).json()
        opened.join()
        assert (answer["state"], answer["settled"]) == ("open", True)
        assert 0.2 < time.monotonic() - began < 5

    def test_a_set_that_was_closed_and_is_observed_again(self, service: Service) -> None:
        observed = a_promotion(State.OBSERVING, number=2)
        refusal = Refusal(observed.versions, "shop-production-1", NOW, "ana")
        answer = _became(service, a_target(proposal=observed, refused=(refusal,)))
        assert (answer["state"], answer["settled"]) == ("refused", True)
        assert answer["reason"] == "ana closed shop-production-1, which had exactly this set"

    def test_waiting_costs_one_statement_while_nothing_moves(self, service: Service) -> None:
        service.know(a_target(), *[an_open(number=n, state=State.CLOSED) for n in range(2, 30)])
        id_ = _tell(service, {**TOLD, "value": "7.7.7"}).json()["id"]
        report = service.store.report(id_)
        assert report is not None
        question = Question(service.store, report)
        first = question.look()
        with counted(service) as statements:
            assert question.look() == first
        assert len(statements) == 1
        service.know(a_target(proposal=an_open()))
        assert question.look() == first, "another value is on its way"
        with counted(service) as statements:
            question.look()
        assert len(statements) == 1

    def test_waiting_ends_with_the_time(self, service: Service) -> None:
        id_ = _tell(service).json()["id"]
        began = time.monotonic()
        answer = _ask(service, id_, 1).json()
        assert (answer["state"], answer["settled"]) == ("observing", False)
        assert time.monotonic() - began >= 1

    def test_a_process_that_stops_lets_nobody_wait(self, tmp_path: Path) -> None:
        with serving(tmp_path) as service:
            id_ = _tell(service).json()["id"]
            threading.Timer(0.2, service.stopping.set).start()
            began = time.monotonic()
            assert _ask(service, id_, 15).status_code == 200
            assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("ours", "told", "expected"),
    [
        ("api-v9.1.1", "9.1.1", True),
        ("api-v9.1.1", "v9.1.1", True),
        ("api-v9.1.1", "api-v9.1.1", True),
        ("api-v9.1.1", "9.1.10", False),
        ("sha-0f3e", "sha-0f3e", True),
        ("sha-0f3e", "0f3e", False),
    ],
)
def test_a_value_with_and_without_its_prefix(ours: str, told: str, expected: bool) -> None:
    assert same(ours, told) is expected


def test_of_several_targets_the_one_that_carries_it_speaks(service: Service) -> None:
    """dev → staging → production: what dev deployed is on its way to staging."""
    staging = replace(an_open(), id="shop-staging-1", target="shop/staging")
    service.know(a_target(environment="staging", proposal=staging))
    answer = _became(service, a_target(), environment="dev")
    assert (answer["state"], answer["target"]) == ("open", "shop/staging")
