"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from pilotage.store import StoreError, StoreUnavailable
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
    problems = await _problems_of_the_database(backend)
    if not getattr(backend.engine, "alive", True):
        problems.append("a worker has ended")
    if not getattr(backend.engine, "has_folder", True):
        problems.append("the data folder was removed; what happens now is lost with this process")
    if backend.stopping.is_set():
        problems.append("the process is stopping")
    return problems


async def _problems_of_the_database(backend: Backend) -> list[str]:
    what = "cannot be used"
    try:
        await backend.run_within(_PATIENCE, backend.store.next_wake)
        what = "takes no writes"
        await backend.run_within(_PATIENCE, backend.store.demand_writes)
    except TimeoutError:
        return [f"the database did not answer within {_PATIENCE:g} s"]
    except StoreUnavailable as error:
        # The reason may name hosts and users; anybody may ask here.
        return [f"the database {what}: {error.advice or 'the log says why'}"]
    except StoreError:
        return [f"the database {what}: the log says why"]
    return []
