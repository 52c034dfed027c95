"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

import anyio
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from pilotage.store import StoreError
from pilotage.web.backend import READING, Backend

_PATIENCE = 5.0


def routes(backend: Backend) -> APIRouter:
    router = APIRouter()

    @router.api_route("/healthz", methods=READING)
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @router.api_route("/readyz", methods=READING)
    async def readyz() -> JSONResponse:
        """503 with the reason while the database does not do its work or the workers are gone."""
        problems = await _problems(backend)
        if problems:
            return JSONResponse({"status": "not ready", "problems": problems}, 503)
        return JSONResponse({"status": "ready"})

    return router


async def _problems(backend: Backend) -> list[str]:
    problems = []
    try:
        with anyio.fail_after(_PATIENCE):
            await backend.run(backend.store.next_wake)
            if not await backend.run(backend.store.takes_writes):
                problems.append("the database takes no writes")
    except TimeoutError:
        problems.append(f"the database did not answer within {_PATIENCE:g} s")
    except StoreError:
        problems.append("the database cannot be used")
    if not getattr(backend.engine, "alive", True):
        problems.append("a worker has ended")
    if not getattr(backend.engine, "has_folder", True):
        problems.append("the data folder was removed; what happens now is lost with this process")
    if backend.stopping.is_set():
        problems.append("the process is stopping")
    return problems
