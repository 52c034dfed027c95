"""Events in: what is verified, what is refused, and what is kept before the answer."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from pilotage.web.bodies import LARGEST_GITHUB
from tests.web.served import ARGOCD, Service, bearer, serving, sign

PUSH: dict[str, Any] = {
    "ref": "refs/heads/main",
    "after": "a" * 40,
    "repository": {"full_name": "acme/gitops"},
    "sender": {"login": "ana"},
}


def test_a_signed_delivery_is_kept_and_then_answered(service: Service) -> None:
    answer = service.hook(PUSH)
    assert (answer.status_code, answer.json()) == (202, {"id": "d-1", "stored": True})
    assert service.deliveries() == [("d-1", "push", json.dumps(PUSH).encode())]
    assert service.engine.times == 1, "the engine is told at once"


def test_a_redelivery_is_accepted_and_changes_nothing(service: Service) -> None:
    service.hook(PUSH)
    answer = service.hook({**PUSH, "after": "b" * 40})
    assert (answer.status_code, answer.json()) == (202, {"id": "d-1", "stored": False})
    assert service.deliveries() == [("d-1", "push", json.dumps(PUSH).encode())]
    assert service.engine.times == 1


@pytest.mark.parametrize(
    "signature",
    ["", "sha256=", "sha256=" + "0" * 64, "sha1=abc", "0" * 64, "sha256=ü", sign(b"other")],
)
def test_a_wrong_signature_is_401_and_nothing_is_kept(service: Service, signature: str) -> None:
    raw = json.dumps(PUSH).encode()
    headers = [(b"X-GitHub-Event", b"push"), (b"X-GitHub-Delivery", b"d-1")]
    if signature:
        headers.append((b"X-Hub-Signature-256", signature.encode()))
    answer = service.client.post("/hooks/github", content=raw, headers=headers)
    assert answer.status_code == 401
    assert "X-Hub-Signature-256" in answer.json()["error"]
    assert service.deliveries() == []
    assert service.engine.times == 0


def test_a_refused_sender_is_told_of_in_the_log(service: Service) -> None:
    """GitHub only notes it in a list that nobody looks at; the signature itself stays out."""
    with capture_logs() as lines:
        service.hook(PUSH, X_Hub_Signature_256=sign(b"", "another secret"))
        service.client.get("/api/v1/targets", headers=bearer("another token"))
    assert [(each["path"], each["status"]) for each in lines] == [
        ("/hooks/github", 401),
        ("/api/v1/targets", 401),
    ]
    assert "another" not in str(lines)
    assert sign(b"", "another secret").removeprefix("sha256=") not in str(lines)


def test_the_signature_covers_the_raw_bytes(service: Service) -> None:
    """The same JSON written differently is another body."""
    answer = service.hook(json.dumps(PUSH, indent=1).encode(), X_Hub_Signature_256=sign(b"{}"))
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"id_": None}, "X-GitHub-Delivery"),
        ({"id_": "x" * 101}, "X-GitHub-Delivery"),
        ({"id_": "two words"}, "X-GitHub-Delivery"),
        ({"event": ""}, "X-GitHub-Event"),
        ({"event": "Push!"}, "X-GitHub-Event"),
        ({"Content_Type": "application/x-www-form-urlencoded"}, "content type"),
    ],
)
def test_what_is_missing_is_named(service: Service, headers: dict[str, Any], expected: str) -> None:
    answer = service.hook(PUSH, **headers)
    assert answer.status_code == 400
    assert expected in answer.json()["error"]
    assert service.deliveries() == []


@pytest.mark.parametrize(
    ("event", "body", "expected"),
    [
        ("push", b"", "Invalid JSON"),
        ("push", b"not json", "Invalid JSON"),
        ("push", b"\xff\xfe", "Invalid JSON"),
        ("push", b"[]", "valid dictionary"),
        ("push", {**PUSH, "ref": 7}, "ref: "),
        ("push", {"ref": "refs/heads/main", "after": "a"}, "repository: Field required"),
        ("push", {**PUSH, "repository": {"full_name": "acme"}}, "repository.full_name"),
        ("issue_comment", PUSH, "comment: Field required"),
        ("deployment_status", PUSH, "deployment: Field required"),
        ("star", b"[1]", "expected a JSON object"),
    ],
)
def test_another_shape_is_400_with_what_was_expected(
    service: Service, event: str, body: Any, expected: str
) -> None:
    answer = service.hook(body, event)
    assert answer.status_code == 400
    assert expected in answer.json()["error"].replace("an object", "valid dictionary")
    assert service.deliveries() == []


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("ping", {"zen": "Keep it logically awesome."}),
        ("star", {"action": "created"}),
        ("push", {**PUSH, "repository": {"full_name": "somebody/else"}}),
    ],
)
def test_what_is_not_used_is_accepted_and_kept(
    service: Service, event: str, body: dict[str, Any]
) -> None:
    """GitHub is not told off for it; the inbox records why it was ignored."""
    assert service.hook(body, event).status_code == 202
    assert [found[:2] for found in service.deliveries()] == [("d-1", event)]


@pytest.mark.parametrize("name", ["acme/git\0ops", "acme/gitops\n", "a" * 201, 7, None])
def test_a_name_that_is_none_is_not_kept_as_one(service: Service, name: Any) -> None:
    """Of events that are not used nothing is checked, and not every database keeps a NUL."""
    assert service.hook({"repository": {"full_name": name}}, "star").status_code == 202
    (kept,) = service.store.waiting_deliveries(1)
    assert kept.repository == ""


def test_a_body_that_is_announced_too_large_is_refused_unread(service: Service) -> None:
    head = (
        f"POST /hooks/github HTTP/1.1\r\nHost: here\r\nContent-Length: {LARGEST_GITHUB + 1}\r\n"
        f"X-Hub-Signature-256: {sign(b'')}\r\n\r\n"
    )
    assert _answer(service, head.encode()).startswith("HTTP/1.1 413")


def test_a_stream_is_cut_off_at_the_limit(service: Service) -> None:
    """Without a length: 413 comes while the sender is still sending."""
    part = b"x" * (1024 * 1024)
    head = (
        "POST /hooks/github HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n"
        f"X-Hub-Signature-256: {sign(b'')}\r\n\r\n"
    ).encode()
    chunk = f"{len(part):x}\r\n".encode() + part + b"\r\n"
    answer = _answer(service, head + chunk * 26)
    assert answer.startswith("HTTP/1.1 413")
    assert "25 MB" in answer
    assert service.deliveries() == []


def _answer(service: Service, sent: bytes) -> str:
    """What comes back although the request was never finished."""
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # refused while sending
            connection.sendall(sent)
        answer = b""
        with suppress(ConnectionResetError):
            while part := connection.recv(4096):
                answer += part
        return answer.decode()


def test_a_webhook_without_a_secret_is_off(tmp_path: Path) -> None:
    with serving(tmp_path, github={"token": "a-machine-users-token"}) as service:
        answer = service.hook(PUSH)
    assert answer.status_code == 404
    assert "PILOTAGE_GITHUB__WEBHOOK_SECRET" in answer.json()["error"]


class TestArgoCD:
    def test_a_notification_is_kept(self, service: Service) -> None:
        answer = _notify(service, {"app": "api-production"})
        assert answer.status_code == 202
        assert answer.json()["stored"] is True
        assert [body for _, _, body in service.deliveries()] == [b'{"app": "api-production"}']
        assert service.engine.times == 1

    def test_two_of_the_same_are_two(self, service: Service) -> None:
        """Argo CD gives no id: each notification says that something changed again."""
        _notify(service, {"app": "api-production"})
        _notify(service, {"app": "api-production"})
        assert len(service.deliveries()) == 2

    @pytest.mark.parametrize("token", ["-", "wrong", "the-operator-token"])
    def test_a_wrong_bearer_is_401(self, service: Service, token: str) -> None:
        answer = _notify(service, {"app": "api"}, token)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert service.deliveries() == []

    @pytest.mark.parametrize("body", [{}, {"app": ""}, {"app": 7}, {"app": "a\0b"}, [], "x"])
    def test_another_shape_is_400(self, service: Service, body: Any) -> None:
        assert _notify(service, body).status_code == 400
        assert service.deliveries() == []

    def test_without_a_token_it_is_off(self, tmp_path: Path) -> None:
        with serving(tmp_path, argocd_hook_token=None) as service:
            answer = _notify(service, {"app": "api"})
        assert answer.status_code == 404
        assert "PILOTAGE_ARGOCD_HOOK_TOKEN" in answer.json()["error"]


def _notify(service: Service, body: Any, token: str = ARGOCD) -> httpx.Response:
    return service.client.post("/hooks/argocd", content=json.dumps(body), headers=bearer(token))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["repository", "full_name", "ref", "after", "sender", "action", "body"])
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    event=st.sampled_from(["push", "pull_request", "issue_comment", "merge_group", "ping", "star"]),
    body=st.one_of(
        st.binary(max_size=200),
        JSON.map(lambda value: json.dumps(value).encode()),
        JSON.map(lambda value: json.dumps({**PUSH, "after": "b", "x": value}).encode()),
    ),
)
def test_no_body_is_a_mistake_of_ours(service: Service, event: str, body: bytes) -> None:
    assert service.hook(body, event).status_code in (202, 400)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"ref": "\\ud800", "after": "a", "repository": {"full_name": "acme/gitops"}}',
        b'{"number": 1' + b"0" * 5_000 + b"}",
        b'{"action": "x", "number": 1e400}',
    ],
)
@pytest.mark.parametrize("event", ["push", "pull_request", "star"])
def test_hostile_bodies_are_answered(service: Service, event: str, body: bytes) -> None:
    """Deep nesting, half a surrogate pair, numbers that no machine holds."""
    assert service.hook(body, event).status_code in (202, 400)
