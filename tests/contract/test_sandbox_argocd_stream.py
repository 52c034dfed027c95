"""The stream of the stand-in: frames, heart-beats, silences, cuts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.argocd_served import FAST, STAGING, Frames, Served, served
from tests.contract.argocd_world import (
    values,
)


@pytest.fixture
def cd(tmp_path: Path) -> Iterator[Served]:
    yield from served(tmp_path)


def test_a_stream_begins_with_the_present_state_and_tells_each_change(cd: Served) -> None:
    """ADDED first; then MODIFIED until the promotion is live, resource versions growing."""
    cd.plain()
    frames = Frames(cd, name="api-staging")
    assert frames.next() == "text/event-stream"
    kind, app = frames.frame()
    assert (kind, app["status"]["health"]["status"]) == ("ADDED", "Healthy")
    versions = [int(app["metadata"]["resourceVersion"])]
    sha = cd.repository.commit({STAGING: values("1.1.0")})
    cd.get("api-staging", refresh="normal")
    healths = []
    while app["status"]["summary"]["images"] != ["ghcr.io/camaradesuk/syrf-api:1.1.0"]:
        kind, app = frames.frame()
        assert kind == "MODIFIED"
        versions.append(int(app["metadata"]["resourceVersion"]))
        healths.append(app["status"]["health"]["status"])
    assert app["status"]["sync"]["revision"] == sha
    assert versions == sorted(set(versions))
    assert healths[-1] == "Healthy"
    assert "Progressing" in healths


def test_a_plain_stream_has_one_frame_on_each_line(cd: Served) -> None:
    cd.plain()
    frames = Frames(cd, sse=False, name="api-staging", fields="result.application.metadata.name")
    assert frames.next() == "application/json"
    assert frames.next() == '{"result":{"application":{"metadata":{"name":"api-staging"}}}}'


def test_heart_beats_come_only_as_events_and_after_a_first_frame(tmp_path: Path) -> None:
    for cd in served(tmp_path, replace(FAST, heartbeat=0.02)):
        missing = Frames(cd, name="nobody")
        cd.plain()
        frames = Frames(cd, name="api-staging")
        plain = Frames(cd, sse=False, name="api-staging")
        assert [frames.next()[:5] for _ in range(4)] == ["text/", "data:", ":", ":"]
        assert [plain.next()[:5] for _ in range(2)] == ["appli", '{"res']
        assert plain.silent()
        assert missing.silent()


def test_a_missing_application_gets_no_headers_until_it_exists(cd: Served) -> None:
    """Nothing at all is answered; when it is created the stream begins."""
    frames = Frames(cd, name="api-staging")
    assert frames.silent()
    cd.plain()
    assert frames.next() == "text/event-stream"
    assert frames.frame()[0] == "ADDED"


def test_a_future_resource_version_silences_a_stream(cd: Served) -> None:
    cd.plain()
    assert Frames(cd, name="api-staging", resourceVersion="999999999").silent()
    assert Frames(cd, resourceVersion="1").silent()
    assert Frames(cd, name="api-staging", resourceVersion="abc").next() == "text/event-stream"


def test_a_cut_stream_ends_and_is_not_replayed(cd: Served) -> None:
    """What happened in between is not told; a new stream begins with the state as it is."""
    cd.plain()
    frames = Frames(cd, name="api-staging")
    frames.next(), frames.frame()
    cd.argocd.cut_streams()
    assert frames.next() is None
    sha = cd.repository.commit({STAGING: values("1.1.0")})
    cd.get("api-staging", refresh="normal")
    assert cd.live("api-staging", sha)
    again = Frames(cd, name="api-staging")
    again.next()
    kind, app = again.frame()
    assert (kind, app["status"]["sync"]["revision"]) == ("ADDED", sha)


def test_a_revoked_token_keeps_its_stream_and_nothing_else(cd: Served) -> None:
    """The open stream goes on; every new request is 401."""
    cd.plain()
    frames = Frames(cd, name="api-staging")
    frames.next(), frames.frame()
    cd.argocd.accounts.revoke(cd.argocd.accounts.token("pilotage"))
    assert cd.get("api-staging").status_code == 401
    cd.argocd.refresh("api-staging")
    assert frames.frame()[0] == "MODIFIED"
