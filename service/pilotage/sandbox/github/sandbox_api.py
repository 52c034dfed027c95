"""The sandbox's own switches over HTTP, below `/_sandbox`: faults, the request log, deliveries."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from pilotage.sandbox.github.control import GitHub
from pilotage.sandbox.github.render import Json, time
from pilotage.sandbox.github.webhooks import Delivery

router = APIRouter(prefix="/_sandbox")


def _control(request: Request) -> GitHub:
    control: GitHub = request.app.state.control
    return control


Control = Annotated[GitHub, Depends(_control)]


class FaultWish(BaseModel):
    """One switch. `event` and `seconds` are for webhooks and time-outs, the rest for requests."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal[
        "answer",
        "hang",
        "stale",
        "secondary_limit",
        "primary_limit",
        "drop_webhook",
        "double_webhook",
        "delay_webhook",
        "reverse_webhooks",
    ]
    method: str = "*"
    path: str = "*"
    times: int = Field(default=1, ge=1)
    status: int = Field(default=502, ge=400, le=599)
    after: bool = False
    message: str = "Server Error"
    seconds: float = Field(default=1.0, ge=0, le=3600)
    event: str = "*"


@router.get("/faults")
def faults(github: Control) -> list[Json]:
    return github.faults.active()


@router.post("/faults", status_code=201)
def add_fault(github: Control, wish: FaultWish) -> list[Json]:
    method, path, times = wish.method, wish.path, wish.times
    match wish.kind:
        case "answer":
            github.faults.answer(
                wish.status, method, path, times=times, after=wish.after, message=wish.message
            )
        case "hang":
            github.faults.hang(wish.seconds, method, path, times=times)
        case "stale":
            github.faults.stale(path, times=times)
        case "secondary_limit":
            github.faults.secondary_limit(int(wish.seconds), method, path, times=times)
        case "primary_limit":
            reset = github.state.clock() + timedelta(seconds=wish.seconds)
            github.faults.primary_limit(reset, method, path, times=times)
        case "drop_webhook":
            github.webhooks.drop(wish.event, times)
        case "double_webhook":
            github.webhooks.double(wish.event, times)
        case "delay_webhook":
            github.webhooks.delay(wish.seconds, wish.event, times)
        case "reverse_webhooks":
            github.webhooks.reverse(times, wish.event)
    return github.faults.active()


@router.delete("/faults", status_code=204)
def clear_faults(github: Control) -> None:
    github.faults.clear()
    github.webhooks.calm()


@router.get("/requests")
def requests(github: Control, path: str = "*", login: str = "*") -> Json:
    entries = github.requests.entries(path=path, login=login)
    return {
        "writes": sum(asked.is_write for asked in entries),
        "reads": sum(not asked.is_write for asked in entries),
        "requests": [
            {"method": each.method, "path": each.path, "status": each.status, "login": each.login}
            for each in entries
        ],
    }


@router.get("/deliveries")
def deliveries(github: Control) -> list[Json]:
    return [_delivery(delivery) for delivery in list(github.webhooks.log)]


def _delivery(delivery: Delivery) -> Json:
    return {
        "id": delivery.id,
        "guid": delivery.guid,
        "event": delivery.event,
        "action": delivery.action,
        "url": delivery.hook.url,
        "redelivery": delivery.redelivery,
        "dropped": delivery.dropped,
        "status_code": delivery.status_code,
        "error": delivery.error,
        "delivered_at": time(delivery.delivered_at),
    }


@router.post("/deliveries/{number}/redeliver", status_code=202)
def redeliver(github: Control, number: int) -> Response:
    try:
        github.webhooks.redeliver(number)
    except KeyError:
        return JSONResponse({"message": f"no delivery {number}"}, 404)
    return JSONResponse({}, 202)


@router.get("/avatar/{number}")
def avatar(number: int) -> Response:
    """A coloured square."""
    hue = number * 47 % 360
    image = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">'
        f'<rect width="1" height="1" fill="hsl({hue} 45% 55%)"/></svg>'
    )
    return Response(image, media_type="image/svg+xml")
