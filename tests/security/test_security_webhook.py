"""Webhooks and tokens, attacked over a socket: what is not proven to be the sender's stays out."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr

from pilotage.web.bodies import LARGEST_GITHUB
from tests.web.served import DEPLOYMENTS, SECRET, Service, bearer, serving, sign

PUSH: dict[str, Any] = {
    "ref": "refs/heads/main",
    "after": "a" * 40,
    "repository": {"full_name": "acme/gitops"},
}
RAW = json.dumps(PUSH).encode()
DEPLOYED = {
    "repository": "acme/gitops",
    "environment": "staging",
    "service": "api",
    "value": "api-v1.2.3",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def service(running: Service) -> Service:
    running.wipe()
    return running


def _raw(service: Service, request: bytes, patience: float = 10) -> bytes:
    """What comes back to exactly these bytes."""
    parts = urlsplit(service.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), patience) as line:
        line.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            some = line.recv(4096)
            if not some:
                break
            answer += some
    return answer


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_webhook_secret_opens_nothing(tmp_path: Path, empty: str) -> None:
    """`SECRET=${UNSET}` in a deployment is common; anybody can sign with an empty key."""
    github = {"token": "a-machine-users-token", "webhook_secret": empty}
    with serving(tmp_path / "s", github=github) as service:
        answer = service.hook(PUSH, X_Hub_Signature_256=sign(RAW, empty))
        assert answer.status_code == 404
        assert service.deliveries() == []


@pytest.mark.parametrize("empty", ["", " ", "\t"])
def test_an_empty_token_opens_nothing(tmp_path: Path, empty: str) -> None:
    tokens = {
        name: SecretStr(empty)
        for name in ("operator_token", "deployments_token", "argocd_hook_token")
    }
    with serving(tmp_path / "s", **tokens) as service:
        for path in ("/hooks/argocd", "/api/v1/deployments", "/api/v1/targets/a/b/commands"):
            for shown in ("Bearer", "Bearer x", f"Bearer {empty}x"):
                answer = service.client.post(
                    path, json={"app": "api"}, headers={"Authorization": shown}
                )
                assert answer.status_code == 404, (path, shown)
        assert service.deliveries() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Hub-Signature": "sha1=" + hmac.new(SECRET.encode(), RAW, "sha1").hexdigest()},
        {"X-Hub-Signature-256": "sha1=" + hmac.new(SECRET.encode(), RAW, "sha1").hexdigest()},
        {"X-Hub-Signature-256": "sha256=" + hashlib.sha256(SECRET.encode() + RAW).hexdigest()},
        {"X-Hub-Signature-256": sign(RAW)[:-1]},
        {"X-Hub-Signature-256": sign(RAW) + "00"},
        {"X-Hub-Signature-256": sign(RAW).removeprefix("sha256=")},
        {"X-Hub-Signature-256": sign(b"")},
        {"X-Hub-Signature-256": f"{sign(b'')}, {sign(RAW)}"},
        {"Authorization": f"Bearer {SECRET}"},
        {},
    ],
)
def test_nothing_but_the_hmac_of_the_body_is_a_signature(
    service: Service, headers: dict[str, str]
) -> None:
    sent = {"X-GitHub-Event": "push", "X-GitHub-Delivery": "d-1", **headers}
    answer = service.client.post("/hooks/github", content=RAW, headers=sent)
    assert answer.status_code == 401
    assert service.deliveries() == []


def test_the_first_of_two_signatures_does_not_hide_that_they_differ(service: Service) -> None:
    """Headers given twice are one value for us or no signature, never a choice."""
    headers = [
        ("X-GitHub-Event", "push"),
        ("X-GitHub-Delivery", "d-1"),
        ("X-Hub-Signature-256", "sha256=" + "0" * 64),
        ("X-Hub-Signature-256", sign(RAW)),
    ]
    answer = service.client.post("/hooks/github", content=RAW, headers=headers)
    assert answer.status_code == 401


def test_a_compressed_body_is_taken_as_it_came(service: Service) -> None:
    """Nothing is unpacked before the signature, nor after it: no bomb."""
    bomb = gzip.compress(b" " * (8 * LARGEST_GITHUB // 8))
    answer = service.hook(bomb, Content_Encoding="gzip")
    assert answer.status_code == 400
    packed = gzip.compress(RAW)
    answer = service.hook(packed, Content_Encoding="gzip", X_Hub_Signature_256=sign(RAW))
    assert answer.status_code == 401
    assert service.deliveries() == []


@pytest.mark.parametrize("length", [b"\xb2", b"1e9", b"-1", b"+1", b"0x10", b"9" * 5_000, b"1 1"])
def test_an_odd_content_length_is_refused(service: Service, length: bytes) -> None:
    answer = _raw(
        service,
        b"POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n{}",
    )
    assert 400 <= _status(answer) < 500


def test_both_ways_of_telling_the_length_smuggle_nothing(service: Service) -> None:
    signature = sign(RAW).encode()
    answer = _raw(
        service,
        b"POST /hooks/github HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: push\r\n"
        b"X-GitHub-Delivery: d-1\r\nX-Hub-Signature-256: " + signature + b"\r\n"
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n"
        % (len(RAW), len(RAW))
        + RAW
        + b"\r\n0\r\n\r\n",
    )
    assert _status(answer) in (202, 400)
    assert [body for _, _, body in service.deliveries()] in ([], [RAW])


def test_one_sender_cannot_use_up_the_ids_of_another(service: Service) -> None:
    """GitHub's ids, Argo CD's and CI's share a table; the same id of two kinds is two."""
    for id_ in ("deployment-run-1", "deployment/run-1", "run-1"):
        service.hook(PUSH, id_=id_)
    answer = service.client.post(
        "/api/v1/deployments",
        json=DEPLOYED,
        headers={**bearer(DEPLOYMENTS), "Idempotency-Key": "run-1"},
    )
    assert answer.status_code == 202
    kinds = {each.kind for each in service.store.waiting_deliveries(10)}
    assert kinds == {"github", "deployment"}


def test_methods_that_are_not_asked_for_are_refused(service: Service) -> None:
    for method in ("GET", "PUT", "DELETE", "TRACE", "OPTIONS"):
        assert httpx.request(method, f"{service.url}/hooks/github").status_code == 405
