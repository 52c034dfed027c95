"""Events in: verified, kept, then answered. What they mean is looked at later, from the store."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pilotage.engine import events
from pilotage.engine.events import NotExpected
from pilotage.store import Delivery
from pilotage.web.auth import is_signed, require_bearer
from pilotage.web.backend import Backend
from pilotage.web.bodies import KIB, LARGEST_GITHUB

LARGEST_ARGOCD = 256 * KIB
_DELIVERY = re.compile(r"[\x21-\x2e\x30-\x7e]{1,100}")
"""Without a slash, which the ids of other senders have: nobody can use up somebody else's."""
_EVENT = re.compile(r"[a-z_]{1,40}")


def routes(backend: Backend) -> APIRouter:
    router = APIRouter(prefix="/hooks")

    @router.post("/github")
    async def github(request: Request) -> JSONResponse:
        """202 once the delivery is on disk, or was before."""
        if backend.settings.github.webhook_secret is None:
            raise HTTPException(
                404, "GitHub's webhook is off: set PILOTAGE_GITHUB__WEBHOOK_SECRET to turn it on"
            )
        signature = request.headers.get("x-hub-signature-256")
        if signature is None:
            raise _not_signed()
        async with backend.room.share() as share:
            body = await backend.body(request, LARGEST_GITHUB, share)
            delivery = await backend.run(_from_github, backend, request, body, signature)
            return await _kept(backend, delivery)

    @router.post("/argocd")
    async def argocd(request: Request) -> JSONResponse:
        """The notification of docs/argocd.md: `{"app": NAME}`."""
        require_bearer(
            request,
            "Argo CD's notification",
            argocd_hook_token=backend.settings.argocd_hook_token,
        )
        body = await backend.body(request, LARGEST_ARGOCD)
        _expect(lambda: events.read_argocd(body))
        now = backend.clock()
        return await _kept(
            backend, Delivery(f"argocd/{uuid.uuid4()}", "argocd", "notification", "", body, now)
        )

    return router


def _not_signed() -> HTTPException:
    return HTTPException(
        401,
        "X-Hub-Signature-256 is missing, or was not made with the webhook's secret",
        {"Connection": "close"},
    )


def _from_github(backend: Backend, request: Request, body: bytes, signature: str) -> Delivery:
    secret = backend.settings.github.webhook_secret
    assert secret is not None
    if not is_signed(body, signature, secret):
        raise _not_signed()
    id_ = request.headers.get("x-github-delivery", "")
    event = request.headers.get("x-github-event", "")
    if not _DELIVERY.fullmatch(id_):
        raise HTTPException(400, "expected X-GitHub-Delivery, the delivery's unique id")
    if not _EVENT.fullmatch(event):
        raise HTTPException(400, "expected X-GitHub-Event, such as push")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        raise HTTPException(400, "expected JSON: set the webhook's content type to it at GitHub")
    _expect(lambda: events.read_github(event, body))
    return Delivery(id_, "github", event, events.repository_of(body), body, backend.clock())


def _expect(read: Callable[[], object]) -> None:
    try:
        read()
    except NotExpected as error:
        raise HTTPException(400, f"the body is not as expected: {error}") from None


async def _kept(backend: Backend, delivery: Delivery) -> JSONResponse:
    stored = await backend.run(_keep, backend, delivery)
    return JSONResponse({"id": delivery.id, "stored": stored}, 202)


def _keep(backend: Backend, delivery: Delivery) -> bool:
    stored = backend.store.receive(delivery)
    if stored:
        backend.engine.poke()
    return stored
