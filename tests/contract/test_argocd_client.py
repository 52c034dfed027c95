"""The client against a real server on loopback that answers as a real Argo CD was recorded to."""

from __future__ import annotations

import gzip
import json
import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from pilotage.adapters.argocd import (
    ArgoCD,
    Done,
    Limits,
    Listing,
    Refused,
    Timeouts,
    wire,
)
from pilotage.core.application import (
    Application,
    ApplicationRef,
    CannotSee,
    Gone,
    Health,
    Phase,
    Refresh,
    RenderAt,
    Rendered,
    RenderFailed,
    ResourceTree,
    Sync,
    SyncWindows,
)
from pilotage.core.rollout.watch import (
    Requests,
)
from tests.contract.argocd_replay import RECORDINGS, body, recorded
from tests.contract.argocd_server import Told, serving

TOKEN = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.dG9rZW4"
REF = ApplicationRef("main", "syrf-staging", "argocd", "api-staging")
QUICK = Timeouts(connect=1, read=0.3, refresh=0.3, render=0.3)


@pytest.fixture(scope="module")
def server() -> Iterator[Told]:
    with serving(Told()) as told:
        yield told


@pytest.fixture(scope="module")
def client(server: Told) -> Iterator[ArgoCD]:
    token = SecretStr(TOKEN + "\n")
    with ArgoCD("main", server.url + "/argo-cd/", token, timeouts=QUICK) as client:
        yield client


@pytest.fixture
def told(server: Told) -> Told:
    """The server as new: it answers 200 with an empty object."""
    server.answer_anew()
    return server


@pytest.fixture
def argocd(told: Told, client: ArgoCD) -> ArgoCD:
    return client


# What is sent


def test_every_request_names_project_and_namespace_under_the_root_path(
    told: Told, argocd: ArgoCD
) -> None:
    told.body = body("app-suspended")
    argocd.look(REF, Requests(Refresh.NORMAL, None, True, True, (RenderAt(((0, "a" * 40),)),)))
    base = "/argo-cd/api/v1/applications/api-staging"
    assert [(each.method, each.path) for each in told.asked] == [
        ("GET", base),
        ("GET", f"{base}/resource-tree"),
        ("GET", f"{base}/syncwindows"),
        ("GET", f"{base}/manifests"),
    ]
    for asked in told.asked:
        assert asked.query[:2] == (("project", "syrf-staging"), ("appNamespace", "argocd"))
        assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert told.asked[0].query[2:] == (("refresh", "normal"),)
    assert told.asked[3].query[2:] == (("revision", "a" * 40),)


def test_sources_are_rendered_by_their_1_based_position(told: Told, argocd: ArgoCD) -> None:
    told.as_recorded("manifests-multi-both")
    rendered = argocd.render(REF, RenderAt(((1, "main"), (2, "b" * 40))))
    assert isinstance(rendered, Rendered)
    assert {str(key) for key in rendered.digests} == {"ConfigMap/multi-config", "Deployment/multi"}
    assert told.asked[0].query[2:] == (
        ("revisions", "main"),
        ("revisions", "b" * 40),
        ("sourcePositions", "1"),
        ("sourcePositions", "2"),
    )


def test_the_longest_progress_deadline_is_read_from_the_manifests(
    told: Told, argocd: ArgoCD
) -> None:
    def deployment(name: str, seconds: object) -> str:
        spec = {"progressDeadlineSeconds": seconds}
        metadata = {"name": name}
        whole = {"apiVersion": "apps/v1", "kind": "D", "metadata": metadata, "spec": spec}
        return json.dumps(whole)

    manifests = [deployment("a", 60), deployment("b", 1200), deployment("c", "9999")]
    manifests += [deployment("d", 10**12), deployment("e", True), deployment("f", -1)]
    told.body = json.dumps({"manifests": manifests}).encode()
    rendered = argocd.render(REF, RenderAt(((0, "a" * 40),)))
    assert isinstance(rendered, Rendered)
    assert rendered.progress_deadline == timedelta(seconds=1200)


def test_writes_say_application_json_and_nothing_more(told: Told, argocd: ArgoCD) -> None:
    """Anything else, or nothing on a DELETE, is a 415 (recorded)."""
    assert argocd.sync(REF, prune=True, infos={"pilotage": "17"}) == Done()
    assert argocd.terminate(REF) == Done()
    post, delete = told.asked
    assert (post.method, delete.method) == ("POST", "DELETE")
    assert post.headers["content-type"] == delete.headers["content-type"] == "application/json"
    assert json.loads(post.body) == {
        "appNamespace": "argocd",
        "project": "syrf-staging",
        "prune": True,
        "infos": [{"name": "pilotage", "value": "17"}],
    }
    assert delete.path.endswith("/api-staging/operation")
    assert delete.query == (("project", "syrf-staging"), ("appNamespace", "argocd"))


def test_a_name_cannot_leave_its_place_in_the_path(told: Told, argocd: ArgoCD) -> None:
    argocd.get(ApplicationRef("main", "p", "n", "a/../../b?x=1#y"))
    assert told.asked[0].path == "/argo-cd/api/v1/applications/a%2F..%2F..%2Fb%3Fx%3D1%23y"


def test_rights_are_asked_of_the_object_that_argo_cd_checks(told: Told, argocd: ArgoCD) -> None:
    told.as_recorded("can-i-sync-syrf-staging_api-staging")
    assert argocd.can_i("sync", REF) is True
    told.as_recorded("can-i-outsider")
    assert argocd.can_i("get", ApplicationRef("main", "p", "team", "x")) is False
    assert told.asked[0].path.endswith("/can-i/applications/sync/syrf-staging/api-staging")
    assert told.asked[1].path.endswith("/can-i/applications/get/p/team/x")


# What is understood


def whole_answers() -> list[str]:
    names = []
    for path in sorted(RECORDINGS.glob("*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        answer = (told.get("response") or {}).get("body") if isinstance(told, dict) else None
        if isinstance(answer, dict) and {"metadata", "spec"} <= answer.keys():
            names.append(path.stem)
    return names


@pytest.mark.parametrize("name", whole_answers())
def test_every_recorded_application_is_read(name: str, told: Told, argocd: ArgoCD) -> None:
    """Compared with the raw answer, field by field, for what the table asks."""
    told.as_recorded(name)
    raw = recorded(name)["response"]["body"]
    seen = argocd.get(REF).application
    assert isinstance(seen, Application), seen
    status, metadata = raw.get("status", {}), raw["metadata"]
    compared = status.get("sync", {})
    state = status.get("operationState")
    assert (seen.ref.name, seen.uid) == (metadata["name"], metadata["uid"])
    assert seen.ref.project == raw["spec"]["project"]
    assert seen.sync == (compared.get("status") or "Unknown")
    assert seen.health == status.get("health", {}).get("status")
    one = [compared["revision"]] if compared.get("revision") else []
    assert list(seen.revisions) == (compared.get("revisions") or one)
    assert len(seen.sources) == len(raw["spec"].get("sources") or [raw["spec"]["source"]])
    assert (seen.last_operation is None) == (state is None)
    if state is not None and seen.last_operation is not None:
        assert seen.last_operation.phase == state["phase"]
        assert seen.last_operation.retry_count == state.get("retryCount", 0)
    assert (seen.requested is None) == ("operation" not in raw)
    assert len(seen.resources) == len(status.get("resources") or [])
    assert seen.automated == ("automated" in raw["spec"].get("syncPolicy", {}))
    assert seen.being_deleted == ("deletionTimestamp" in metadata)


def test_the_facts_of_one_answer(told: Told, argocd: ArgoCD) -> None:
    told.as_recorded("app-postsync-failed")
    seen = argocd.get(REF).application
    assert isinstance(seen, Application)
    assert (seen.sync, seen.health, seen.automated) == (Sync.SYNCED, Health.HEALTHY, True)
    operation = seen.last_operation
    assert operation is not None
    assert (operation.phase, operation.automated, operation.partial) == (Phase.FAILED, True, False)
    (hook,) = [result for result in operation.results if result.failed_hook]
    assert (str(hook.key), hook.hook_type) == ("Job/smoke", "PostSync")
    assert [str(each.key) for each in seen.resources if each.hook] == ["Job/migrate", "Job/smoke"]


def test_the_marks_that_make_an_operation_count_for_nothing(told: Told, argocd: ArgoCD) -> None:
    for name, dry_run, partial in [
        ("app-after-dryrun", True, False),
        ("app-after-partial-sync", False, True),
        ("app-needs-prune", False, False),
    ]:
        told.as_recorded(name)
        seen = argocd.get(REF).application
        assert isinstance(seen, Application)
        assert seen.last_operation is not None
        assert (seen.last_operation.dry_run, seen.last_operation.partial) == (dry_run, partial)
        assert (seen.operation is None) is dry_run


def test_pods_tell_why_they_do_not_come_up(told: Told, argocd: ArgoCD) -> None:
    told.as_recorded("resource-tree-degraded")
    tree = argocd.resource_tree(REF)
    assert isinstance(tree, ResourceTree)
    good, bad = tree.pods
    assert (good.reason, good.restarts, good.ready) == ("Running", 0, "1/1")
    assert (bad.reason, bad.restarts, bad.ready) == ("CrashLoopBackOff", 1, "0/1")
    assert bad.images == ("ghcr.io/camaradesuk/syrf-api:1.3.0-bad",)
    assert [str(owner) for owner in bad.owners] == ["ReplicaSet/api-c787c4c68", "Deployment/api"]


def test_a_window_that_forbids_is_told_from_none(told: Told, argocd: ArgoCD) -> None:
    told.as_recorded("syncwindows-deny")
    denied = argocd.sync_windows(REF)
    assert isinstance(denied, SyncWindows)
    assert denied.closed is not None
    told.as_recorded("syncwindows-none")
    assert argocd.sync_windows(REF) == SyncWindows(can_sync=True)


@pytest.mark.parametrize("name", ["list-selector", "list-outsider", "list-projects-fields"])
def test_lists_are_read_also_when_nothing_may_be_seen(
    name: str, told: Told, argocd: ArgoCD
) -> None:
    told.as_recorded(name)
    raw = recorded(name)["response"]["body"]["items"] or []
    listing = argocd.list()
    assert isinstance(listing, Listing)
    names = [each.ref.name for each in listing.applications]
    assert len(names) + len(listing.unreadable) == len(raw)


def test_names_are_asked_for_without_the_rest(told: Told, argocd: ArgoCD) -> None:
    """A cluster has hundreds of applications of 9 KB: where they are is all that is wanted."""
    told.body = json.dumps(
        {
            "items": [
                {
                    "metadata": {"name": "api", "namespace": "argocd"},
                    "spec": {"project": "syrf", "sources": [{"repoURL": "x"}]},
                },
                {"metadata": {}, "spec": None},
            ]
        }
    ).encode()
    assert argocd.names() == (ApplicationRef("main", "syrf", "argocd", "api"),)
    fields = dict(told.asked[0].query)["fields"].split(",")
    assert fields == ["items.metadata.name", "items.metadata.namespace", "items.spec"]
    told.body = b'{"items": null}'
    assert argocd.names() == ()
    told.body = b'{"items": 3}'
    assert isinstance(argocd.names(), CannotSee)


def test_one_bad_entry_of_a_list_hides_none_of_the_others(told: Told, argocd: ArgoCD) -> None:
    good = recorded("app-suspended")["response"]["body"]
    told.body = json.dumps({"items": [good, None, {"metadata": 7}, good]}).encode()
    listing = argocd.list()
    assert isinstance(listing, Listing)
    assert len(listing.applications) == 2
    assert [each.partition(":")[0] for each in listing.unreadable] == [
        "items[1].the answer",
        "items[2].metadata",
    ]


def test_whose_token_it_is(told: Told, argocd: ArgoCD) -> None:
    told.as_recorded("userinfo")
    assert argocd.userinfo() == wire.UserInfo(loggedIn=True, username="pilotage")
    told.as_recorded("userinfo-no-token")
    nobody = argocd.userinfo()
    assert isinstance(nobody, wire.UserInfo)
    assert nobody.logged_in is False
    told.as_recorded("version")
    assert argocd.version() == "v3.5.1"


# What is refused and what cannot be seen

ERRORS = sorted(path.stem for path in RECORDINGS.glob("error-get-*.json"))


@pytest.mark.parametrize("name", ERRORS)
def test_every_recorded_refusal_of_a_get_is_a_value(name: str, told: Told, argocd: ArgoCD) -> None:
    told.as_recorded(name)
    seen = argocd.get(REF).application
    match told.status:
        case 200:
            assert isinstance(seen, Application)  # an unknown refresh value is taken for normal
        case 404:
            assert isinstance(seen, Gone)
        case 401 | 403:
            assert isinstance(seen, CannotSee)
            assert seen.unauthorised
            assert str(told.status) in seen.reason
        case other:
            pytest.fail(f"unexpected {other}")


@pytest.mark.parametrize("name", ["error-unknown-path", "error-trailing-slash"])
def test_a_404_that_is_not_argo_cds_is_a_wrong_address_and_nobody_is_gone(
    name: str, told: Told, argocd: ArgoCD
) -> None:
    told.as_recorded(name)
    assert isinstance(argocd.get(REF).application, CannotSee)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("error-sync-window-deny", 403),
        ("error-sync-stagingonly-has-only-get", 403),
        ("error-sync-autosync-other-revision", 400),
        ("sync-while-running", 400),
        ("error-sync-no-content-type", 415),
        ("sync-reposerver-down", 400),
    ],
)
def test_a_refused_sync_says_why(name: str, status: int, told: Told, argocd: ArgoCD) -> None:
    told.as_recorded(name)
    refused = argocd.sync(REF)
    assert isinstance(refused, Refused)
    assert refused.status == status
    assert refused.message


def test_terminating_nothing_is_refused_and_a_lost_token_is_not_a_refusal(
    told: Told, argocd: ArgoCD
) -> None:
    told.as_recorded("operation-terminate-none-running")
    assert isinstance(argocd.terminate(REF), Refused)
    told.as_recorded("error-sync-no-token")
    lost = argocd.sync(REF)
    assert isinstance(lost, CannotSee)
    assert lost.unauthorised


@pytest.mark.parametrize("name", ["manifests-broken-values", "manifests-unknown-revision"])
def test_what_does_not_render_says_why(name: str, told: Told, argocd: ArgoCD) -> None:
    told.as_recorded(name)
    failed = argocd.render(REF, RenderAt(((0, "a" * 40),)))
    assert isinstance(failed, RenderFailed)
    assert failed.message == recorded(name)["response"]["body"]["message"]


@pytest.mark.parametrize("status", [301, 307, 429, 500, 502, 503, 504])
def test_any_other_status_cannot_be_seen(status: int, told: Told, argocd: ArgoCD) -> None:
    told.status, told.body = status, b"<html>no</html>"
    told.headers = {"Content-Type": "text/html", "Location": "/login"}
    for answer in (
        argocd.get(REF).application,
        argocd.list(),
        argocd.resource_tree(REF),
        argocd.sync_windows(REF),
        argocd.can_i("get", REF),
        argocd.userinfo(),
        argocd.version(),
    ):
        assert isinstance(answer, CannotSee)
        assert str(status) in answer.reason
        assert not answer.unauthorised
    assert len(told.asked) == 7  # nothing is repeated, and no redirect is followed


def test_a_refresh_that_is_never_answered_cannot_be_seen_and_was_asked_for(
    told: Told, argocd: ArgoCD
) -> None:
    """As with a stopped controller: the GET hangs."""
    told.answer = lambda _: time.sleep(0.6)
    look = argocd.get(REF, Refresh.NORMAL)
    assert look.refreshed is Refresh.NORMAL
    assert isinstance(look.application, CannotSee)
    assert "in time" in look.application.reason


def test_an_answer_that_trickles_is_given_up(told: Told, argocd: ArgoCD) -> None:
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(400):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)

    told.answer = trickle
    began = time.monotonic()
    assert isinstance(argocd.get(REF).application, CannotSee)
    assert time.monotonic() - began < 5


def test_nobody_listening_and_half_an_answer_cannot_be_seen(told: Told, argocd: ArgoCD) -> None:
    def half(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"metadata"')
        handler.close_connection = True

    told.answer = half
    assert isinstance(argocd.get(REF).application, CannotSee)
    with ArgoCD("main", "http://127.0.0.1:1", SecretStr(TOKEN), timeouts=QUICK) as nobody:
        assert isinstance(nobody.get(REF).application, CannotSee)
        assert isinstance(nobody.sync(REF), CannotSee)


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_that_is_too_large_is_not_read(packed: bool, told: Told) -> None:
    huge = b" " * 5_000_000
    told.body = gzip.compress(huge) if packed else huge
    if packed:
        told.headers["Content-Encoding"] = "gzip"
    with ArgoCD("main", told.url, SecretStr(TOKEN), limits=Limits(application=100_000)) as client:
        seen = client.get(REF).application
    assert isinstance(seen, CannotSee)
    assert "100000" in seen.reason


def changed(path: str, value: object) -> bytes:
    whole = recorded("app-postsync-failed")["response"]["body"]
    place: Any = whole
    *outer, last = path.split(".")
    for part in outer:
        place = place[int(part) if part.isdigit() else part]
    place[last] = value
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", None),
        ("metadata.name", 7),
        ("metadata.uid", ["x"]),
        ("spec.source", "x"),
        ("spec.sources", {"a": 1}),
        ("status.sync.status", 7),
        ("status.sync.revision", 7),
        ("status.sync.revisions", ["a", 7]),
        ("status.health", "Healthy"),
        ("status.operationState.phase", "Exploded"),
        ("status.operationState.retryCount", "3"),
        ("status.operationState.retryCount", -1),
        ("status.operationState.startedAt", "yesterday"),
        ("status.operationState.startedAt", "9999-12-31T23:59:59Z"),
        ("status.reconciledAt", "2026-11-21T03:00:00"),
        ("status.resources", {"a": 1}),
        ("status.resources", [None]),
        ("status.conditions", [7]),
        ("status.summary.images", [None, 7]),
    ],
)
def test_an_answer_of_another_shape_cannot_be_seen_and_its_content_is_not_repeated(
    path: str, value: object, told: Told, argocd: ArgoCD
) -> None:
    told.body = changed(path, value)
    seen = argocd.get(REF).application
    assert isinstance(seen, CannotSee), seen
    assert path.rpartition(".")[0].split(".")[0] in seen.reason
    assert "Exploded" not in seen.reason


@pytest.mark.parametrize(
    "path",
    ["status", "operation", "status.operationState", "status.conditions", "status.resources",
     "status.health.status", "status.reconciledAt", "metadata.annotations", "spec.syncPolicy"],
)  # fmt: skip
def test_what_argo_cd_leaves_out_may_also_be_null(path: str, told: Told, argocd: ArgoCD) -> None:
    told.body = changed(path, None)
    assert isinstance(argocd.get(REF).application, Application)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["metadata", "spec", "status", "items", "nodes", "name", "manifests"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(answer=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_answer_whatever_is_a_traceback(told: Told, argocd: ArgoCD, answer: bytes) -> None:
    told.body = answer
    argocd.look(REF, Requests(tree=True, windows=True, renders=(RenderAt(((0, "a"),)),)))
    for call in (argocd.list, argocd.userinfo, argocd.version):
        call()
    argocd.resource_tree(REF)
    argocd.sync_windows(REF)
    argocd.render(REF, RenderAt(((0, "a"),)))


def test_messages_of_strangers_are_cut_and_cleaned(told: Told, argocd: ArgoCD) -> None:
    told.status = 403
    told.body = json.dumps({"message": "no\u202e\x1b[31m" + "x" * 9000, "code": 7}).encode()
    seen = argocd.get(REF).application
    assert isinstance(seen, CannotSee)
    assert "\x1b" not in seen.reason
    assert "\u202e" not in seen.reason
    assert len(seen.reason) < 2100


# The token


def test_the_token_is_in_one_header_and_nowhere_else(
    told: Told, argocd: ArgoCD, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told.status, told.body = 500, b"{}"
    answers = [argocd.get(REF), argocd.sync(REF), argocd.terminate(REF), argocd.userinfo()]
    everything = repr(answers) + repr(argocd) + repr(vars(argocd)) + caplog.text
    assert TOKEN not in everything
    assert TOKEN not in "".join(asked.path + repr(asked.query) for asked in told.asked)


@pytest.mark.parametrize("token", ["ge heim", "geheim\nX-Other: 1", "gehéim", "geheim\x00"])
def test_a_token_that_cannot_be_one_is_refused_without_being_repeated(token: str) -> None:
    with pytest.raises(ValueError, match="token") as raised:
        ArgoCD("main", "https://argocd.example", SecretStr(token))
    assert token not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "argocd.example",
        "ftp://x",
        "https://",
        "https://me:geheim@x",
        "https://x/?a=1",
        "https://x#y",
    ],
)
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="address") as raised:
        ArgoCD("main", url, SecretStr(TOKEN))
    assert "geheim" not in str(raised.value)
