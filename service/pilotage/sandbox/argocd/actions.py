"""The API's writes: sync, terminate, rollback, delete; and GitHub's webhook."""

import hashlib
import hmac
import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from pilotage.sandbox.argocd.accounts import Account
from pilotage.sandbox.argocd.answers import (
    ApiError,
    AppNamespace,
    Caller,
    Cd,
    body_of,
    ok,
    permitted,
    text,
)
from pilotage.sandbox.argocd.operation import NothingToTerminateError, OperationInProgressError
from pilotage.sandbox.argocd.render_error import RenderError
from pilotage.sandbox.argocd.stand_in import ArgoCD
from pilotage.sandbox.argocd.state import Application, Deployed, Json, Operation

router = APIRouter()


@router.post("/api/v1/applications/{name}/sync")
async def sync(name: str, request: Request, cd: Cd, caller: Caller) -> Response:
    body = await body_of(request, "ApplicationSyncRequest")
    return await run_in_threadpool(_sync, cd, caller, name, body)


def _sync(cd: ArgoCD, caller: Account, name: str, body: Json) -> Response:
    with cd.store.lock:
        app = _permitted(cd, caller, "sync", name, body)
        if app.window is not None and app.window.kind == "deny" and not app.window.manual_sync:
            raise ApiError(7, "cannot sync: blocked by sync window")
        instead = _instead(app, body)
        for index, revision in instead.items():
            target = app.sources[index].target_revision
            if app.policy.automated and not body.get("dryRun") and revision != target:
                raise ApiError(9, f"Cannot sync to {revision}: auto-sync currently set to {target}")
        try:
            with cd.controller.git() as opened:
                revisions = cd.controller.resolve(opened, app.sources, instead)
        except RenderError as error:
            raise ApiError(9, f"error resolving repo revision: {error.rpc()}") from error
        limit = (body.get("retryStrategy") or {}).get("limit", 0)
        _request(
            cd,
            app,
            Operation(
                revisions,
                app.sources,
                prune=bool(body.get("prune")),
                dry_run=bool(body.get("dryRun")),
                resources=tuple(body.get("resources") or ()),
                username=caller.name,
                retry_limit=limit if isinstance(limit, int) else 0,
                infos=tuple(body.get("infos") or ()),
                strategy=body.get("strategy"),
            ),
        )
        return ok(cd.document(name))


def _instead(app: Application, body: Json) -> dict[int, str]:
    """Which source is to be at which revision; positions count from 1."""
    if app.multi:
        revisions = [str(one) for one in body.get("revisions") or ()]
        positions = body.get("sourcePositions") or ()
        if len(revisions) != len(positions):
            raise ApiError(9, "source positions and revisions must be of the same length")
        if any(
            not isinstance(each, int) or not 1 <= each <= len(app.sources) for each in positions
        ):
            raise ApiError(9, "source position is out of range")
        return {each - 1: revision for each, revision in zip(positions, revisions, strict=True)}
    return {0: body["revision"]} if body.get("revision") else {}


def _permitted(cd: ArgoCD, caller: Account, action: str, name: str, body: Json) -> Application:
    project, namespace = body.get("project") or "", body.get("appNamespace") or ""
    return permitted(cd, caller, action, name, project, namespace)


def _request(cd: ArgoCD, app: Application, operation: Operation) -> None:
    try:
        cd.operations.request(app, operation)
    except OperationInProgressError as error:
        raise ApiError(9, "another operation is already in progress") from error


@router.delete("/api/v1/applications/{name}/operation")
def terminate(
    name: str, cd: Cd, caller: Caller, project: str = "", app_namespace: AppNamespace = ""
) -> Response:
    with cd.store.lock:
        app = permitted(cd, caller, "sync", name, project, app_namespace)
        try:
            cd.operations.terminate(app)
        except NothingToTerminateError as error:
            raise ApiError(
                3, "Unable to terminate operation. No operation is in progress"
            ) from error
    return ok({})


@router.post("/api/v1/applications/{name}/rollback")
async def rollback(name: str, request: Request, cd: Cd, caller: Caller) -> Response:
    body = await body_of(request, "ApplicationRollbackRequest")
    return await run_in_threadpool(_rollback, cd, caller, name, body)


def _rollback(cd: ArgoCD, caller: Account, name: str, body: Json) -> Response:
    with cd.store.lock:
        app = _permitted(cd, caller, "sync", name, body)
        if app.policy.automated:
            raise ApiError(9, "rollback cannot be initiated when auto-sync is enabled")
        entry = _deployment(app, body.get("id") or 0)
        _request(
            cd,
            app,
            Operation(
                entry.revisions,
                entry.sources,
                prune=bool(body.get("prune")),
                dry_run=bool(body.get("dryRun")),
                username=caller.name,
                strategy={"apply": {}},
            ),
        )
        return ok(cd.document(name))


def _deployment(app: Application, number: int) -> Deployed:
    for entry in app.history:
        if entry.number == number:
            return entry
    raise ApiError(3, f"application argocd/{app.name} does not have deployment with id {number}")


@router.delete("/api/v1/applications/{name}")
def delete(
    name: str, cd: Cd, caller: Caller, project: str = "", app_namespace: AppNamespace = ""
) -> Response:
    with cd.store.lock:
        cd.controller.delete(permitted(cd, caller, "delete", name, project, app_namespace))
    return ok({})


@router.api_route("/api/webhook", methods=["GET", "POST"])
async def webhook(request: Request, cd: Cd) -> Response:
    """GitHub's push; anything else of GitHub's is ignored, anything else refused."""
    event = request.headers.get("x-github-event")
    if request.method != "POST" or event is None:
        return text(400, "Unknown webhook event")
    raw = await request.body()
    if cd.webhook_secret:
        digest = hmac.new(cd.webhook_secret.encode(), raw, hashlib.sha256).hexdigest()
        signature = request.headers.get("x-hub-signature-256", "")
        if not hmac.compare_digest(signature.encode(), f"sha256={digest}".encode()):
            return text(400, "Webhook processing failed")
    try:
        payload = json.loads(raw)
        if event == "push":
            await run_in_threadpool(cd.pushed, _urls(cd, payload), _changed(payload))
    except (ValueError, TypeError, AttributeError, KeyError):
        return text(400, "Webhook processing failed")
    return Response(status_code=200)


def _urls(cd: ArgoCD, payload: Any) -> frozenset[str]:
    """The spellings under which the pushed repository is known, by host and path as Argo CD
    compares them."""
    pushed = payload["repository"]["html_url"]
    return frozenset(url for url in cd.repositories if _place(url) == _place(pushed))


def _place(url: str) -> str:
    bare = url.lower().rstrip("/").removesuffix(".git")
    bare = bare.partition("://")[2] or bare.replace(":", "/", 1)
    return bare.rpartition("@")[2]


def _changed(payload: Any) -> frozenset[str] | None:
    commits = payload.get("commits")
    if not commits:
        return None
    return frozenset(
        file
        for commit in commits
        for kind in ("added", "removed", "modified")
        for file in commit.get(kind) or ()
    )
