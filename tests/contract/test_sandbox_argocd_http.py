"""The stand-in as a client on a socket meets it: refreshes, webhooks, operations, deletion."""

import hashlib
import hmac
import json
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from pilotage.sandbox.argocd import (
    Timings,
)
from tests.contract.argocd_served import JSON, STAGING, Frames, Served, served
from tests.contract.argocd_world import (
    CONFIG_URL,
    make_world,
    values,
)


@pytest.fixture
def cd(tmp_path: Path) -> Iterator[Served]:
    yield from served(tmp_path)


@pytest.fixture
def polling(tmp_path: Path) -> Iterator[Served]:
    yield from served(tmp_path, Timings().scaled(0.03))


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[Served]:
    yield from served(tmp_path, secret="hush")


def test_nothing_moves_without_a_refresh(cd: Served) -> None:
    """A plain GET describes the old commit as synced and healthy; `refresh` waits for the new."""
    cd.plain()
    sha = cd.repository.commit({STAGING: values("1.1.0")})
    before = cd.get("api-staging").json()["status"]
    after = cd.get("api-staging", refresh="").json()["status"]
    assert before["sync"]["status"] == "Synced"
    assert before["sync"]["revision"] != sha
    assert (after["sync"]["status"], after["sync"]["revision"]) == ("OutOfSync", sha)
    assert after["health"]["status"] == "Healthy"
    assert cd.live("api-staging", sha)


def test_polling_notices_by_itself(polling: Served) -> None:
    polling.plain()
    sha = polling.repository.commit({STAGING: values("1.1.0")})
    assert polling.live("api-staging", sha)


def test_a_refresh_waits_for_a_controller_that_is_down(cd: Served) -> None:
    """No answer until it is back; a plain GET and POST /sync are answered meanwhile."""
    cd.plain()
    cd.argocd.stop_controller()
    with pytest.raises(httpx.ReadTimeout):
        cd.client.get("/api/v1/applications/api-staging?refresh=normal", timeout=0.2)
    assert cd.get("api-staging").status_code == 200
    sync = cd.client.post("/api/v1/applications/api-staging/sync", json={})
    assert sync.json()["operation"]
    assert "operationState" not in sync.json()["status"]
    cd.argocd.start_controller()
    assert cd.argocd.wait_until(
        lambda: "operationState" in cd.argocd.document("api-staging")["status"]
    )
    assert cd.get("api-staging", refresh="normal").status_code == 200


def push(url: str, secret: str, *files: str) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(
        {"repository": {"html_url": url}, "commits": [{"modified": list(files)}]}
    ).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={signature}"}
    return body, headers | JSON


def test_a_signed_push_refreshes_what_reads_the_repository(signed: Served) -> None:
    """However the URL is spelled; a wrong signature is refused and does nothing."""
    signed.plain()
    sha = signed.repository.commit({STAGING: values("1.1.0")})
    body, headers = push("http://127.0.0.1:13000/Cluster-GitOps", "wrong")
    assert signed.client.post("/api/webhook", content=body, headers=headers).status_code == 400
    assert not signed.argocd.application("api-staging").refresh
    body, headers = push("http://127.0.0.1:13000/Cluster-GitOps", "hush")
    assert signed.client.post("/api/webhook", content=body, headers=headers).status_code == 200
    assert signed.live("api-staging", sha)


def test_a_push_elsewhere_does_not_wake_an_application_with_generate_paths(cd: Served) -> None:
    """Yet a refresh moves its revision, without an operation."""
    annotation = "argocd.argoproj.io/manifest-generate-paths"
    cd.plain(annotations={annotation: "/helm-values"})
    sha = cd.repository.commit({"README.md": "docs\n"})
    cd.argocd.pushed(frozenset({CONFIG_URL}), frozenset({"README.md"}))
    assert not cd.argocd.application("api-staging").refresh
    assert cd.get("api-staging", refresh="normal").json()["status"]["sync"]["revision"] == sha
    assert len(cd.argocd.application("api-staging").history) == 1


def test_an_older_operation_blocks_a_newer_commit_until_it_is_terminated(cd: Served) -> None:
    """The retrying operation pins its revision; DELETE lets the newer commit through."""
    cd.plain()
    cd.repository.commit({STAGING: values("1.1.0", podLabels={"app": "other"})})
    cd.get("api-staging", refresh="normal")

    def retrying() -> bool:
        state = cd.argocd.document("api-staging")["status"].get("operationState", {})
        return bool(state.get("retryCount"))

    assert cd.argocd.wait_until(retrying)
    good = cd.repository.commit({STAGING: values("1.2.0")})
    blocked = cd.get("api-staging", refresh="normal").json()
    assert blocked["status"]["sync"] == blocked["status"]["sync"] | {
        "status": "OutOfSync",
        "revision": good,
    }
    assert blocked["operation"]["sync"]["revision"] != good
    path = "/api/v1/applications/api-staging/operation"
    assert cd.client.request("DELETE", path).status_code == 415
    assert cd.client.request("DELETE", path, headers=JSON).json() == {}
    assert cd.live("api-staging", good)


def test_a_planned_failure_befalls_one_deployment_only(cd: Served) -> None:
    """The next version crashes; put back and deployed again it works."""
    cd.plain()
    cd.argocd.fail_next_deployment("api-staging", "crash-loop", "missing env DATABASE_URL")
    cd.repository.commit({STAGING: values("1.1.0")})
    cd.get("api-staging", refresh="normal")
    assert cd.argocd.wait_until(
        lambda: cd.argocd.document("api-staging")["status"]["health"]["status"] == "Degraded"
    )
    for version in ("1.0.0", "1.1.0"):
        sha = cd.repository.commit({STAGING: values(version)})
        cd.get("api-staging", refresh="normal")
        assert cd.live("api-staging", sha)
        assert cd.image("api-staging", f"ghcr.io/camaradesuk/syrf-api:{version}")


def test_a_rollback_in_the_cluster_shows_as_drift(cd: Served) -> None:
    """After `kubectl rollout undo` the old image runs, OutOfSync at the same revision."""
    cd.plain(self_heal=False)
    sha = cd.argocd.document("api-staging")["status"]["sync"]["revision"]
    cd.argocd.set_image("api-staging", "ghcr.io/camaradesuk/syrf-api:0.9.0")
    assert cd.image("api-staging", "ghcr.io/camaradesuk/syrf-api:0.9.0")
    status = cd.get("api-staging", refresh="normal").json()["status"]
    assert (status["sync"]["status"], status["sync"]["revision"]) == ("OutOfSync", sha)


def test_a_deleted_application_is_forbidden_or_not_found(cd: Served) -> None:
    """DELETED on the stream; then 403 without a project, 404 with it."""
    cd.plain()
    frames = Frames(cd, name="api-staging")
    frames.next()
    admin = {"Authorization": f"Bearer {cd.argocd.accounts.token('admin')}"} | JSON
    path = "/api/v1/applications/api-staging"
    assert cd.client.request("DELETE", path, headers=JSON).status_code == 403
    assert cd.client.request("DELETE", path, headers=admin).json() == {}
    seen = [frames.frame()]
    while seen[-1][0] != "DELETED":
        seen.append(frames.frame())
    assert any("deletionTimestamp" in app["metadata"] for _, app in seen)
    assert cd.get("api-staging").status_code == 403
    assert cd.get("api-staging", project="syrf-staging").status_code == 404


def test_a_manual_application_is_synced_and_rolled_back_on_request(cd: Served) -> None:
    """History grows with each; the rollback names its entry, by whom it was asked for."""
    cd.plain(automated=False)
    sha = cd.repository.commit({STAGING: values("1.1.0")})
    assert cd.get("api-staging", refresh="normal").json()["status"]["sync"]["status"] == "OutOfSync"
    cd.client.post("/api/v1/applications/api-staging/sync", json={"prune": True})
    assert cd.live("api-staging", sha)
    cd.client.post("/api/v1/applications/api-staging/rollback", json={"id": 0})
    assert cd.image("api-staging", "ghcr.io/camaradesuk/syrf-api:1.0.0")
    status = cd.argocd.document("api-staging")["status"]
    assert [entry["id"] for entry in status["history"]] == [0, 1, 2]
    assert status["history"][-1]["initiatedBy"] == {"username": "pilotage"}
    assert status["sync"]["status"] == "OutOfSync"


def test_requests_without_sense_are_never_an_error_of_the_server(cd: Served) -> None:
    """Odd bodies, revisions with newlines, positions out of range."""
    cd.plain()
    sync = "/api/v1/applications/api-staging/sync"
    bodies = [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"{",
        b"\xff",
        b'{"resources": 3}',
        b'{"revisions": [1]}',
    ]
    for body in bodies:
        assert cd.client.post(sync, content=body, headers=JSON).status_code in (200, 400), body
    for revision in ("main\nHEAD", "--help", "main:README.md", "a..b", "é", " "):
        answer = cd.get("api-staging/manifests", revision=revision)
        assert answer.json()["code"] == 2, revision
    assert cd.get("api-staging/manifests", sourcePositions="x", revisions="y").status_code == 200
    with socket.create_connection((cd.client.base_url.host, cd.client.base_url.port or 0)) as raw:
        raw.sendall(b"GET /api/version HTTP/1.1\r\n\r\n")
        assert b" 400 " in raw.recv(1000) or b" 421 " in raw.recv(1000)


def test_a_look_at_git_costs_one_process_for_all_applications(tmp_path: Path) -> None:
    """Polling twenty applications of one repository: one `git cat-file`, whatever they render."""
    world = make_world(tmp_path, replace(Timings(), polling=1.0))
    for number in range(20):
        world.plain(f"api-{number}")
    world.commit({STAGING: values("1.1.0")})
    started: list[str] = []
    sys.addaudithook(
        lambda event, args: started.append(str(args[0])) if event == "subprocess.Popen" else None
    )
    before = len(started)
    world.argocd.advance(1.0)
    assert len(started) - before == 1
    assert all(world.state(f"api-{number}")[0] == "OutOfSync" for number in range(20))
