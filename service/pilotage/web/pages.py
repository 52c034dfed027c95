"""Two small pages to read: what runs and is on its way, and the story of one promotion.

Server-rendered and escaped; no JavaScript. The links in statuses and comments lead here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pilotage.core import prose, version
from pilotage.core.decision import EventKind
from pilotage.resources import template_folder
from pilotage.store import Store, UnreadableDocument
from pilotage.terminal import shown as shown_text
from pilotage.web import reasons, shown
from pilotage.web.backend import READING, Backend

_RECENT = 20


def routes(backend: Backend) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    store = backend.store

    @router.api_route("/", methods=READING)
    async def overview() -> HTMLResponse:
        return await backend.run_for_strangers(_overview, store)

    @router.api_route("/promotions/{id_}", methods=READING)
    async def promotion(request: Request, id_: str) -> HTMLResponse:
        return await backend.run_for_strangers(_promotion, store, id_)

    @router.api_route("/style.css", methods=READING)
    async def style() -> Response:
        return Response(
            _style(), media_type="text/css", headers={"Cache-Control": "public, max-age=3600"}
        )

    return router


def _overview(store: Store) -> HTMLResponse:
    found = (shown.readable(store, row) for row in store.targets())
    targets = [target for target in found if target is not None]
    lines = {target.id: reasons.of_target(target) for target in targets}
    try:
        recent = store.promotions(limit=_RECENT)
    except UnreadableDocument:
        recent = ()  # its target says so
    return _page("overview", targets=targets, reasons=lines, recent=recent)


def _promotion(store: Store, id_: str) -> HTMLResponse:
    told = store.promotion(id_)
    if told is None:
        return _page("missing", 404, id=id_)
    lines = reasons.of_promotion(told, store.read_target(told.target))
    history = store.history(promotion=id_, newest=True)
    return _page("promotion", promotion=told, history=history, reasons=lines)


def _page(name: str, status: int = 200, **values: object) -> HTMLResponse:
    template = _environment().get_template(f"{name}.html.j2")
    return HTMLResponse(template.render(**values), status)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_seen,
    )
    environment.filters |= {
        "changes": prose.list_changes,
        "kind": _kind,
        "moment": _moment,
        "short": version.short,
        "web": _web,
    }
    return environment


def _seen(value: object) -> object:
    """A text of any origin, which shall not turn around what stands beside it."""
    return shown_text(value) if type(value) is str else value


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _kind(kind: str) -> str:
    """What a line of history is about: whether it is ready is what the gates say."""
    return "gates" if kind == EventKind.READY else kind.replace("_", " ")


def _web(url: str) -> str:
    """An address that may stand in a link; whatever else stands there leads nowhere."""
    return url if url.startswith(("https://", "http://")) else ""


@cache
def _style() -> str:
    return (_folder() / "style.css").read_text("utf-8")


def _folder() -> Path:
    return template_folder() / "web"
