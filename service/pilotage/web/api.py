"""The API for CI and for the terminal. Answers are JSON; so is every error: `{"error": …}`."""

from __future__ import annotations

import re
import secrets
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from starlette.exceptions import HTTPException

from pilotage.core.model import Command, Promotion
from pilotage.core.wording import nearest
from pilotage.engine import events
from pilotage.engine.events import NotExpected
from pilotage.engine.mail import Commanded, posted, sort
from pilotage.store import Delivery, Report, Store, TargetRow
from pilotage.web import deployments, reasons, shown
from pilotage.web.auth import require_bearer
from pilotage.web.backend import Backend
from pilotage.web.bodies import KIB

LARGEST = 64 * KIB
LONGEST_WAIT = 60
COMMANDS = (
    "hold",
    "resume",
    "retry",
    "roll",
    "rollback",
    "promote",
    "add",
    "pause",
    "unpause",
    "quarantine",
    "lift",
)
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


class Ask(BaseModel):
    """The body of a command."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(max_length=40)]
    argument: Annotated[str, Field(max_length=1_000)] = ""
    by: Annotated[events.Line, Field(min_length=1, max_length=100)] = "operator"


def routes(backend: Backend) -> APIRouter:
    router = APIRouter(prefix="/api/v1")
    _for_ci(router, backend)
    _for_the_terminal(router, backend)
    _commands(router, backend)
    return router


def _for_ci(router: APIRouter, backend: Backend) -> None:
    store = backend.store

    @router.post("/deployments")
    async def deployed(request: Request) -> JSONResponse:
        """CI deployed something: a hint to look, and an id to ask with."""
        _ci(backend, request)
        key = request.headers.get("idempotency-key")
        if key is not None and not _KEY.fullmatch(key):
            raise HTTPException(400, "expected an Idempotency-Key of letters, digits and . _ : -")
        body = await backend.body(request, LARGEST)
        report = await backend.run(_report, backend, body, key or secrets.token_hex(12))
        return JSONResponse({"id": report.id}, 202)

    @router.get("/deployments/{id_}")
    async def what_became(request: Request, id_: str) -> JSONResponse:
        """Its state; with `wait`, once its pull request is there or it is clear that none comes."""
        _ci(backend, request)
        seconds = _seconds(request.query_params.get("wait"))
        report = await backend.run(store.report, id_)
        if report is None:
            raise HTTPException(404, f"no deployment {id_} was reported")
        question = deployments.Question(store, report)
        found = await backend.until(seconds, lambda answer: answer.settled, question.look)
        return JSONResponse(_answered(report, found))


def _answered(report: Report, answer: deployments.Answer) -> dict[str, JsonValue]:
    promotion = answer.promotion
    return {
        **shown.report(report),
        "state": answer.state,
        "reason": answer.reason,
        "target": answer.target,
        "promotion": promotion.id if promotion else None,
        "pull_request": (promotion.pull_request_url or None) if promotion else None,
        "settled": answer.settled,
    }


def _report(backend: Backend, body: bytes, id_: str) -> Report:
    """Kept twice, each time once: as a report to ask about, and as an event to act upon."""
    try:
        told = events.read_deployment(body)
    except NotExpected as error:
        raise HTTPException(400, f"the body is not as expected: {error}") from None
    now = backend.clock()
    report = Report(
        id=id_,
        repository=told.repository,
        environment=told.environment,
        service=told.service,
        value=told.value,
        run=told.run,
        run_url=told.run_url,
        received_at=now,
    )
    if not backend.store.add_report(report):
        known = backend.store.report(id_)
        if known is not None and shown.report(known) != shown.report(report):
            raise HTTPException(409, f"{id_} was given to another deployment; use a new key")
    named = deployments.delivery_of(id_)
    delivery = Delivery(named, "deployment", "deployment", told.repository, body, now)
    if backend.store.receive(delivery):
        backend.engine.poke()
    return report


def _seconds(wait: str | None) -> float:
    if wait is None:
        return 0
    if not wait.isascii() or not wait.isdigit() or len(wait) > 4 or int(wait) > LONGEST_WAIT:
        raise HTTPException(400, f"expected wait as whole seconds from 0 to {LONGEST_WAIT}")
    return float(wait)


def _for_the_terminal(router: APIRouter, backend: Backend) -> None:
    store = backend.store

    @router.get("/targets")
    async def targets(request: Request) -> JSONResponse:
        _operator(backend, request)
        return JSONResponse(await backend.run(_targets, store))

    @router.get("/promotions/{id_}")
    async def promotion(request: Request, id_: str) -> JSONResponse:
        _operator(backend, request)
        found = await backend.run(_promotion, store, id_)
        return JSONResponse(shown.promotion(found))

    @router.get("/explain/{name:path}")
    async def explain(request: Request, name: str) -> JSONResponse:
        _operator(backend, request)
        return JSONResponse(await backend.run(_explained, store, name))


def _targets(store: Store) -> dict[str, JsonValue]:
    found: list[JsonValue] = []
    repositories: list[JsonValue] = []
    for row in store.targets():
        target = shown.readable(store, row)
        if target is None:
            continue
        if row.pipeline:
            found.append(shown.target(row, target))
        else:
            repositories.append(shown.repository(row, target))
    return {"targets": found, "repositories": repositories}


def _promotion(store: Store, id_: str) -> Promotion:
    found = store.promotion(id_)
    if found is None:
        raise HTTPException(404, f"there is no promotion {id_}")
    return found


def _explained(store: Store, name: str) -> dict[str, JsonValue]:
    """A target or a promotion: its state, why, and what happened to it."""
    promotion = store.promotion(name)
    if promotion is not None:
        history = store.history(promotion=name, newest=True)
        return {
            "subject": name,
            "promotion": shown.promotion(promotion),
            "target": None,
            "reasons": list(reasons.of_promotion(promotion, store.read_target(promotion.target))),
            "history": [shown.event(each) for each in history],
        }
    row, target = _row(store, name), store.read_target(name)
    assert target is not None, "rows are retired, and never removed"
    history = store.history(target=name, newest=True)
    return {
        "subject": name,
        "promotion": None,
        "target": shown.target(row, target, store.last_release(name)),
        "reasons": list(reasons.of_target(target)),
        "history": [shown.event(each) for each in history],
    }


def _row(store: Store, name: str) -> TargetRow:
    rows = {row.id: row for row in store.targets() if row.pipeline}
    if name not in rows:
        near = nearest(name, rows)
        hint = f"; did you mean {near}?" if near else ""
        raise HTTPException(404, f"there is no target or promotion {name}{hint}")
    return rows[name]


def _commands(router: APIRouter, backend: Backend) -> None:
    store = backend.store

    @router.post("/targets/{pipeline}/{environment}/commands")
    async def command(request: Request, pipeline: str, environment: str) -> JSONResponse:
        """Left for the target's next look, which is at once; ask with its id what came of it."""
        _operator(backend, request)
        body = await backend.body(request, LARGEST)
        id_ = await backend.run(_command, backend, f"{pipeline}/{environment}", body)
        return JSONResponse({"id": id_}, 202)

    @router.get("/commands/{id_:path}")
    async def what_came(request: Request, id_: str) -> JSONResponse:
        _operator(backend, request)
        seconds = _seconds(request.query_params.get("wait"))
        found = await backend.until(
            seconds, lambda answer: answer["state"] != "waiting", lambda: _taken(store, id_)
        )
        return JSONResponse(found)


def _command(backend: Backend, target: str, body: bytes) -> str:
    try:
        ask = Ask.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "body"
        raise HTTPException(400, f"the body is not as expected: {where}: {first['msg']}") from None
    if ask.name not in COMMANDS:
        raise HTTPException(400, f"no command {ask.name}; there are {', '.join(COMMANDS)}")
    _row(backend.store, target)
    now = backend.clock()
    command = Command(
        id=f"{target}/{secrets.token_hex(8)}",
        name=ask.name,
        argument=" ".join(ask.argument.split()),
        by=ask.by,
        at=now,
    )
    backend.store.post([posted(target, Commanded(command), now)])
    backend.engine.poke()
    return command.id


def _taken(store: Store, id_: str) -> dict[str, JsonValue]:
    """`done` or `refused` once the history says so; until then it waits in the target's mail.

    The history is read again where neither has it: it may have been taken in between.
    """
    target = id_.rpartition("/")[0]
    if (answer := _answer(store, target, id_)) is not None:
        return answer
    if any(message.id == id_ for message in sort(store.mail(target)).commands):
        return {"id": id_, "state": "waiting", "text": "it has not been looked at yet"}
    if (answer := _answer(store, target, id_)) is not None:
        return answer
    none = f"there is no command {id_}: none waits, and the latest history tells of none"
    raise HTTPException(404, none)


def _answer(store: Store, target: str, id_: str) -> dict[str, JsonValue] | None:
    for event in reversed(store.history(target=target, newest=True)):
        if event.data.get("command") == id_:
            state = "refused" if event.kind == "refused" else "done"
            return {"id": id_, "state": state, "text": event.text}
    return None


def _ci(backend: Backend, request: Request) -> None:
    require_bearer(
        request,
        "the API for deployments",
        deployments_token=backend.settings.deployments_token,
        operator_token=backend.settings.operator_token,
    )


def _operator(backend: Backend, request: Request) -> None:
    require_bearer(request, "the operator's API", operator_token=backend.settings.operator_token)
