"""The stand-in answers recorded requests, above all wrong ones, as the real Argo CD answered."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pilotage.sandbox.argocd import Account, Rule, Source, SyncWindow, applications, create_app
from pilotage.sandbox.serve import Server
from tests.contract.argocd_world import CONFIG_URL, World, make_world, recording, values

ACCOUNTS = (
    Account("admin", (Rule("*", "*", "*"),)),
    Account("pilotage", applications("get", "sync")),
    Account("outsider"),
    Account("stagingonly", applications("get", of="syrf-staging/*")),
    Account("short-lived"),
    Account("expired"),
)
_REPLAYED = """
error-delete-without-content-type error-get-401-bad-token error-get-401-no-token
error-get-403-outsider-existing error-get-403-outsider-missing
error-get-admin-missing-app-with-project error-get-admin-missing-app error-get-bad-appname-chars
error-get-expired-token error-get-pilotage-missing-app-with-project
error-get-pilotage-missing-app error-get-pilotage-wrong-project
error-get-stagingonly-missing-app error-get-stagingonly-production-app
error-get-stagingonly-production-with-project error-list-no-token error-method
error-rollback-autosync-on-as-pilotage error-rollback-autosync-on
error-sync-autosync-other-revision error-sync-bad-revision error-sync-invalid-json
error-sync-missing-app error-sync-no-content-type error-sync-no-token
error-sync-stagingonly-has-only-get error-sync-text-content-type error-sync-wrong-type
error-trailing-slash error-unknown-path list-bad-selector operation-terminate-none-running
rollback-unknown-id revision-metadata-unknown revision-metadata-HEAD-symbolic
manifests-unknown-revision manifests-branch-name projects-get healthz userinfo userinfo-no-token
userinfo-expired-token userinfo-bad-token version syncwindows-none
can-i-delete-syrf-staging_api-staging can-i-get-syrf-staging_api-staging can-i-outsider
can-i-stagingonly-production can-i-sync-nonexistent_nothing can-i-sync-syrf-staging_star
webhook-github-push webhook-bad-signature webhook-no-signature webhook-garbage webhook-get
"""
REPLAYED = _REPLAYED.split()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, httpx.Client]]:
    """Nothing here changes the world for good, so one does for all."""
    world = make_world(tmp_path_factory.mktemp("errors"), accounts=ACCOUNTS)
    world.repository.commit({"helm-values/production.yaml": values("1.0.0")})
    for name in ("api-staging", "web-staging", "worker-staging"):
        world.plain(name)
    source = Source(
        CONFIG_URL, path="charts/svc", value_files=("../../helm-values/production.yaml",)
    )
    world.argocd.add_application(
        "api-production", "syrf-production", sources=[source], automated=False
    )
    world.argocd.accounts.expire(world.argocd.accounts.token("expired"))
    world.argocd.accounts.revoke(world.argocd.accounts.token("short-lived"))
    with (
        Server(create_app(world.argocd)) as server,
        httpx.Client(base_url=server.url, verify=False) as client,
    ):
        yield world, client


def ask(
    served: tuple[World, httpx.Client], request: dict[str, Any], secret: str = ""
) -> httpx.Response:
    """Send a recorded request, as whom it was sent."""
    world, client = served
    world.argocd.webhook_secret = secret
    headers = dict(request.get("headers") or {})
    match request.get("as") or "pilotage":
        case "none":
            pass
        case "other":
            headers["Authorization"] = "Bearer not-a-token"
        case who:
            name = {"admin_session": "admin", "expiring": "expired"}.get(who, who)
            headers["Authorization"] = f"Bearer {world.argocd.accounts.token(name)}"
    body = request.get("body")
    content = body if isinstance(body, str) else None if body is None else json.dumps(body)
    return client.request(
        request["method"],
        request["path"],
        params=request.get("query") or {},
        content=content,
        headers=headers,
    )


def neutral(body: Any) -> Any:
    """Without the moment at which a token was issued."""
    return json.loads(re.sub(r"iat: [^\"]+", "iat", json.dumps(body)))


def content_of(answer: httpx.Response) -> Any:
    kind = answer.headers.get("content-type")
    return answer.json() if kind == "application/json" else answer.text


@pytest.mark.parametrize("name", REPLAYED)
def test_a_recorded_request_is_answered_as_recorded(
    name: str, served: tuple[World, httpx.Client]
) -> None:
    """Status, content type and body are the same, word for word."""
    recorded = recording(name)
    request = recorded["request"] | {}
    with_type = request["method"] in ("POST", "PUT", "DELETE") and "content-type" not in name
    if with_type and not name.startswith("webhook"):
        request["headers"] = {"Content-Type": "application/json"} | (request["headers"] or {})
    secret = signing_secret(request) if name.startswith("webhook") else ""
    answer = ask(served, request, secret)
    expected = recorded["response"]
    assert answer.status_code == expected["status"]
    assert answer.headers.get("content-type") == expected["headers"].get("Content-Type")
    assert neutral(content_of(answer)) == neutral(expected["body"])


def signing_secret(request: dict[str, Any]) -> str:
    """The recorded signatures were made with a secret that was not kept: sign anew where the
    real one was right."""
    import hashlib
    import hmac

    signature = (request["headers"] or {}).get("X-Hub-Signature-256")
    if signature and "eb1fbc94" in request["body"]:
        digest = hmac.new(b"secret", request["body"].encode(), hashlib.sha256).hexdigest()
        request["headers"] = request["headers"] | {"X-Hub-Signature-256": f"sha256={digest}"}
    return "secret"


def test_a_shut_window_refuses_a_sync_and_says_so(served: tuple[World, httpx.Client]) -> None:
    """403 for POST /sync, and `canSync: false`, word for word."""
    world, _ = served
    world.argocd.set_window("api-production", SyncWindow("deny"))
    try:
        for name in ("error-sync-window-deny", "syncwindows-deny"):
            recorded = recording(name)
            request = recorded["request"] | {"headers": {"Content-Type": "application/json"}}
            answer = ask(served, request)
            assert answer.status_code == recorded["response"]["status"]
            assert answer.json() == recorded["response"]["body"]
    finally:
        world.argocd.set_window("api-production", None)


@pytest.mark.parametrize("name", ["sync-reposerver-down", "revision-metadata-reposerver-down"])
def test_a_repository_server_that_is_down_is_told_of(
    name: str, served: tuple[World, httpx.Client]
) -> None:
    """400 for a sync, 503 for a commit's metadata, word for word."""
    world, _ = served
    recorded = recording(name)
    request = recorded["request"] | {"headers": {"Content-Type": "application/json"}}
    world.argocd.faults.repo_server_down = True
    try:
        answer = ask(served, request)
    finally:
        world.argocd.faults.repo_server_down = False
    assert answer.status_code == recorded["response"]["status"]
    assert answer.json() == recorded["response"]["body"]


def test_a_revoked_token_is_told_so(served: tuple[World, httpx.Client]) -> None:
    """401, code 16, naming account and token."""
    world, client = served
    token = world.argocd.accounts.token("short-lived")
    answer = client.get(
        "/api/v1/applications/web-staging", headers={"Authorization": f"Bearer {token}"}
    )
    recorded = recording("error-get-revoked-token")["response"]["body"]
    assert answer.status_code == 401
    assert answer.json().keys() == recorded.keys()
    assert answer.json()["message"].startswith("invalid session: account short-lived does not")


def test_a_list_without_rights_is_empty_not_forbidden(served: tuple[World, httpx.Client]) -> None:
    recorded = recording("list-outsider")
    answer = ask(served, recorded["request"])
    assert answer.status_code == 200
    assert answer.json()["items"] is None
    assert answer.json().keys() == recorded["response"]["body"].keys()


@pytest.mark.parametrize("name", ["stream-no-token", "stream-bad-selector"])
def test_a_stream_that_cannot_start_says_so_at_once(
    name: str, served: tuple[World, httpx.Client]
) -> None:
    """An error frame with the gRPC code, and the HTTP status, before any frame."""
    recorded = recording(name)
    answer = ask(served, recorded["request"])
    [[_, frame]] = recorded["response"]["frames"]
    assert str(answer.status_code) in recorded["response"]["head"][0]
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == json.loads(frame)


def test_a_foreign_host_and_a_foreign_page_are_refused(served: tuple[World, httpx.Client]) -> None:
    """Nobody's web page reaches it through a name of its own, or by sending a form."""
    _, client = served
    assert client.get("/", headers={"Host": "argocd.example.com"}).status_code == 421
    form, own = "/applications/api-staging/refresh", str(client.base_url).rstrip("/")
    assert client.post(form, headers={"Origin": "http://example.com"}).status_code == 403
    assert client.post(form, headers={"Origin": own}).status_code == 303


def test_a_second_sync_while_one_waits_is_refused(tmp_path: Path) -> None:
    """400, code 9: the first operation has not even started."""
    world = make_world(tmp_path)
    world.plain(automated=False)
    with (
        Server(create_app(world.argocd)) as server,
        httpx.Client(base_url=server.url, verify=False) as client,
    ):
        request = {
            "method": "POST",
            "path": "/api/v1/applications/api-staging/sync",
            "headers": {"Content-Type": "application/json"},
            "body": {},
        }
        assert ask((world, client), request).json()["operation"]["sync"]["revision"]
        refused = ask((world, client), request)
    recorded = recording("sync-while-running")["response"]
    assert (refused.status_code, refused.json()) == (recorded["status"], recorded["body"])
