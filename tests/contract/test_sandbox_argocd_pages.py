"""The stand-in as a person meets it: pages, switches, notifications."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.argocd_served import STAGING, Receiver, Served, served
from tests.contract.argocd_world import (
    values,
)


@pytest.fixture
def cd(tmp_path: Path) -> Iterator[Served]:
    yield from served(tmp_path)


def test_pages_let_a_person_be_the_cluster(cd: Served) -> None:
    """State at a glance, no script; a button breaks the next deployment, another mends it."""
    cd.plain()
    page = cd.client.get("/")
    assert 'http-equiv="refresh"' in page.text
    assert "viewport" in page.text
    assert "<script" not in page.text
    assert "api-staging" in page.text
    assert "ghcr.io/camaradesuk/syrf-api:1.0.0" in page.text
    assert 'http-equiv="refresh"' not in cd.client.get("/?still=true").text
    answer = cd.client.post("/applications/api-staging/fail/crash-loop")
    assert (answer.status_code, answer.headers["location"]) == (303, "/#api-staging")
    assert "The next deployment fails: crash loop" in cd.client.get("/").text
    cd.repository.commit({STAGING: values("1.1.0")})
    cd.client.post("/applications/api-staging/refresh")
    assert cd.argocd.wait_until(
        lambda: cd.argocd.document("api-staging")["status"]["health"]["status"] == "Degraded"
    )
    page = cd.client.get("/applications/api-staging")
    assert "missing env DATABASE_URL" in page.text
    assert "CrashLoopBackOff" in page.text
    assert cd.client.post("/applications/api-staging/terminate").status_code == 409
    assert cd.client.post("/applications/api-staging/fail/bad").status_code == 404
    assert cd.client.post("/applications/nobody/sync").status_code == 404
    assert cd.client.get("/style.css").headers["content-type"].startswith("text/css")
    for action in ("fail/slow", "fail/works", "window/deny", "window/open", "sync"):
        assert cd.client.post(f"/applications/api-staging/{action}").status_code == 303


def test_argo_cd_itself_is_switched_on_the_page(cd: Served) -> None:
    """Each part off and on again; the page shows what is off."""
    for part in ("controller", "applicationset", "api"):
        assert cd.client.post(f"/switch/{part}/off").status_code == 303
    page = cd.client.get("/").text
    assert "Switched off: the application controller" in page
    assert "Switched off: the ApplicationSet controller" in page
    assert cd.get("nobody").status_code == 503
    for part in ("controller", "applicationset", "api"):
        assert cd.client.post(f"/switch/{part}/on").status_code == 303
    assert cd.client.post("/switch/streams/cut").status_code == 303
    assert cd.client.post("/switch/everything/off").status_code == 404
    assert "Switched off" not in cd.client.get("/").text
    assert cd.get("nobody").status_code == 403


def test_what_is_hostile_in_git_stays_text_on_the_page(cd: Served) -> None:
    cd.plain()
    cd.repository.commit({STAGING: values("<b>1</b>")})
    cd.get("api-staging", refresh="normal")
    assert cd.image("api-staging", "ghcr.io/camaradesuk/syrf-api:<b>1</b>")
    page = cd.client.get("/").text
    assert "<b>1</b>" not in page
    assert "&lt;b&gt;1&lt;/b&gt;" in page


def test_faults_are_switched_from_outside(cd: Served) -> None:
    """503 while unreachable, some 500s, versions that fail; what is unknown is refused."""
    cd.plain()

    def switch(**wanted: Any) -> httpx.Response:
        return cd.client.post("/_sandbox/faults", json=wanted)

    assert switch(serverErrors=1).json()["serverErrors"] == 1
    assert [cd.get("api-staging").status_code for _ in range(2)] == [500, 200]
    switch(unreachableSeconds=60)
    assert cd.get("api-staging").status_code == 503
    switch(unreachableSeconds=60, hang=True)
    with pytest.raises(httpx.ReadTimeout):
        cd.client.get("/api/v1/applications", timeout=0.1)
    switch(unreachableSeconds=0)
    assert cd.get("api-staging").status_code == 200
    switch(fail=[{"version": "6.6.6", "reason": "image-pull"}])
    assert cd.client.get("/_sandbox/faults").json()["badVersions"] == {"6.6.6": "image-pull"}
    assert switch(fail=[{"application": "nobody"}]).status_code == 400
    assert switch(nonsense=True).status_code == 422
    switch(controllerDown=True, slowness={"api-staging": 2.0}, windows={"api-staging": "deny"})
    assert cd.argocd.faults.controller_down
    assert not cd.get("api-staging/syncwindows").json()["canSync"]


def test_notifications_tell_deployed_degraded_and_failed(cd: Served) -> None:
    """With the bearer and the documented body; an error of the receiver is tried again."""
    receiver = Receiver(failing=1)
    try:
        cd.plain()
        cd.argocd.notify(receiver.url, "sesame")
        sha = cd.repository.commit({STAGING: values("1.1.0")})
        cd.get("api-staging", refresh="normal")
        body = receiver.until(sync__revision=sha, op__phase="Succeeded")
        assert body.keys() == {"app", "ns", "project", "sync", "health", "op", "conditions"}
        assert (body["app"], body["ns"], body["project"]) == (
            "api-staging", "argocd", "syrf-staging")  # fmt: skip
        cd.repository.commit({STAGING: values("1.2.0-bad")})
        cd.get("api-staging", refresh="normal")
        receiver.until(health__status="Degraded")
        cd.plain("manual", automated=False)
        cd.argocd.fail_next_deployment("manual", "refused")
        cd.argocd.sync("manual")
        cd.repository.commit({STAGING: values("1.3.0")})
        cd.get("manual", refresh="normal")
        assert cd.argocd.wait_until(lambda: not cd.argocd.application("manual").busy)
        cd.argocd.sync("manual")
        receiver.until(app="manual", op__phase="Failed")
    finally:
        cd.argocd.close()
        receiver.close()
