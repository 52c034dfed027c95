"""`/_sandbox/faults`: switching faults on and off from outside, as JSON."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from pilotage.sandbox.argocd.answers import Cd
from pilotage.sandbox.argocd.cluster import Reason
from pilotage.sandbox.argocd.stand_in import ArgoCD
from pilotage.sandbox.argocd.state import SyncWindow

router = APIRouter()


class Planned(BaseModel):
    """A failure of one application's next deployment, or of every deployment of one version."""

    model_config = ConfigDict(extra="forbid")
    application: str = ""
    version: str = ""
    reason: Reason = Reason.CRASH_LOOP
    message: str = ""


class Change(BaseModel):
    """Every field that is given is done; what is not given stays as it is."""

    model_config = ConfigDict(extra="forbid")
    controller_down: bool | None = Field(None, alias="controllerDown")
    repo_server_down: bool | None = Field(None, alias="repoServerDown")
    git_down: bool | None = Field(None, alias="gitDown")
    applicationset_down: bool | None = Field(None, alias="applicationSetDown")
    unreachable_seconds: float | None = Field(None, alias="unreachableSeconds", ge=0, le=3600)
    hang: bool = False
    server_errors: int | None = Field(None, alias="serverErrors", ge=0, le=10_000)
    cut_streams: bool = Field(False, alias="cutStreams")
    fail: list[Planned] = []
    missing_tags: list[str] = Field([], alias="missingTags")
    slowness: dict[str, float] = {}
    windows: dict[str, Literal["deny", "allow"] | None] = {}
    cannot_render: dict[str, str | None] = Field({}, alias="cannotRender")


@router.get("/_sandbox/faults")
def read(cd: Cd) -> Response:
    with cd.store.lock:
        return JSONResponse(cd.faults.document(cd.store.clock()))


@router.post("/_sandbox/faults")
def change(cd: Cd, wanted: Annotated[Change, Body()]) -> Response:
    with cd.store.lock:
        named = {*wanted.slowness, *wanted.windows, *wanted.cannot_render}
        unknown = {*named, *(each.application for each in wanted.fail)}
        unknown -= {"", *cd.store.applications}
        if unknown:
            return JSONResponse({"error": f"no such application: {sorted(unknown)}"}, 400)
        apply(cd, wanted)
        return JSONResponse(cd.faults.document(cd.store.clock()))


def apply(cd: ArgoCD, wanted: Change) -> None:
    """Switch as asked, under the lock."""
    if wanted.controller_down is not None:
        (cd.stop_controller if wanted.controller_down else cd.start_controller)()
    if wanted.applicationset_down is not None:
        down = wanted.applicationset_down
        (cd.stop_application_sets if down else cd.start_application_sets)()
    for name in ("repo_server_down", "git_down", "server_errors"):
        if (value := getattr(wanted, name)) is not None:
            setattr(cd.faults, name, value)
    if wanted.unreachable_seconds is not None:
        cd.unreachable(wanted.unreachable_seconds, hang=wanted.hang)
    cd.faults.missing_tags.update(wanted.missing_tags)
    if wanted.cut_streams:
        cd.cut_streams()
    _apply_to_applications(cd, wanted)


def _apply_to_applications(cd: ArgoCD, wanted: Change) -> None:
    for planned in wanted.fail:
        if planned.application:
            cd.fail_next_deployment(planned.application, planned.reason, planned.message)
        if planned.version:
            cd.bad_version(planned.version, planned.reason, planned.message)
    for name, factor in wanted.slowness.items():
        cd.set_slowness(name, factor)
    for name, message in wanted.cannot_render.items():
        if message is None:
            cd.faults.cannot_render.pop(name, None)
        else:
            cd.faults.cannot_render[name] = message
    for name, kind in wanted.windows.items():
        cd.set_window(name, SyncWindow(kind) if kind else None)
