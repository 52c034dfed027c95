"""Whatever is sent with a right token, the answer is never a mistake of ours."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.promoted import PRODUCTION, a_target
from tests.web.served import ARGOCD, OPERATOR, Service, bearer

TEXT = st.text(max_size=30) | st.sampled_from(["acme/gitops", "\x00", "\ud800", "x" * 2_000])
VALUE = st.none() | st.booleans() | st.integers() | TEXT | st.lists(TEXT, max_size=2)
NAMES = ["repository", "environment", "service", "value", "run", "name", "argument", "by", "app"]
BODY = st.one_of(
    st.binary(max_size=100),
    st.dictionaries(st.sampled_from(NAMES), VALUE).map(lambda body: json.dumps(body).encode()),
)
PLACES = [
    ("/api/v1/deployments", OPERATOR),
    (f"/api/v1/targets/{PRODUCTION}/commands", OPERATOR),
    ("/hooks/argocd", ARGOCD),
]
FEW = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def known(service: Service) -> Service:
    service.know(a_target())
    return service


@pytest.mark.parametrize(("path", "token"), PLACES)
@FEW
@given(body=BODY)
def test_any_body_is_taken_or_refused_with_a_reason(
    known: Service, path: str, token: str, body: bytes
) -> None:
    answer = known.client.post(path, content=body, headers=bearer(token))
    assert answer.status_code in (202, 400)
    assert answer.status_code == 202 or answer.json()["error"]


@FEW
@given(
    path=st.sampled_from(["explain", "promotions", "commands", "deployments"]),
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
)
def test_any_name_that_nothing_has_is_not_found(service: Service, path: str, name: str) -> None:
    url = f"{service.url}/api/v1/{path}/" + "".join(f"%{byte:02X}" for byte in name.encode())
    answer = service.client.get(url, headers=bearer(OPERATOR))
    assert answer.status_code == 404
    assert answer.json()["error"]


def test_odd_text_is_kept_and_answered(known: Service) -> None:
    told = {"environment": "a" * 100, "service": "é \U0001f680", "value": "v" * 300}
    body = {"repository": "acme/gitops", **told}
    posted = known.client.post("/api/v1/deployments", json=body, headers=bearer(OPERATOR))
    assert posted.status_code == 202
    url = f"/api/v1/deployments/{posted.json()['id']}"
    assert known.client.get(url, headers=bearer(OPERATOR)).status_code == 200
