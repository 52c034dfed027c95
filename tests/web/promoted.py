"""Targets and promotions as the engine leaves them, for what is read of them."""

from __future__ import annotations

from typing import Any

from pilotage.core.change import ServiceChange, Write
from pilotage.core.model import Promotion, State, Target
from tests.web.served import BEFORE, NOW

PRODUCTION = "shop/production"
SHA = "a" * 40


def a_target(**changed: Any) -> Target:
    given: dict[str, Any] = {
        "repository": "acme/gitops",
        "pipeline": "shop",
        "environment": "production",
        "running": {"api": "api-v1.2.2", "web": "web-v5.0.0"},
        "running_at": SHA,
        **changed,
    }
    return Target(id=f"{given['pipeline']}/{given['environment']}", **given)


def a_promotion(state: State = State.OPEN, number: int = 1, **changed: Any) -> Promotion:
    write = Write("production/api.yaml", "image.tag", "api-v1.2.2", "api-v1.2.3")
    given: dict[str, Any] = {
        "id": f"shop-production-{number}",
        "target": PRODUCTION,
        "created_at": BEFORE,
        "changes": (ServiceChange("api", "api-v1.2.2", "api-v1.2.3", (write,)),),
        "source_commit": SHA,
        "base": SHA,
        "run": "42",
        **changed,
    }
    return Promotion(number=number, state=state, **given)


def an_open(**changed: Any) -> Promotion:
    return a_promotion(
        **{
            "pull_request": 7,
            "pull_request_url": "https://github.example/acme/gitops/pull/7",
            "opened_at": NOW,
            "ready": "2 boxes open",
            **changed,
        }
    )
