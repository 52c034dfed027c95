"""Logs: one line for each event, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest
import structlog

from pilotage import logs
from pilotage.logs import HIDDEN, Redactor
from tests.web.served import ARGOCD, DEPLOYMENTS, OPERATOR, SECRET, settings


def _lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_says_what_when_and_whose(written: io.StringIO) -> None:
    logs.configure(json=True, to=written)
    with structlog.contextvars.bound_contextvars(target="shop/production"):
        structlog.get_logger().info("opened", promotion="shop-production-1")
    (line,) = _lines(written)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "opened",
        "level": "info",
        "promotion": "shop-production-1",
        "target": "shop/production",
    }


def test_other_libraries_take_the_same_road(written: io.StringIO) -> None:
    logs.configure(json=True, to=written, secrets=["p4ssw0rd"])
    logging.getLogger("uvicorn.error").error("failed with %s", "p4ssw0rd")
    logging.getLogger("httpx").info("not shown: only what is wrong is")
    (line,) = _lines(written)
    assert (line["event"], line["level"]) == (f"failed with {HIDDEN}", "error")


@pytest.mark.parametrize("as_json", [True, False])
def test_exceptions_are_told_without_their_secrets(written: io.StringIO, as_json: bool) -> None:
    logs.configure(json=as_json, to=written, secrets=["p4ssw0rd"])
    try:
        int("https://bot:p4ssw0rd@example.org said no")
    except ValueError:
        structlog.get_logger().exception("a tick failed")
    assert "ValueError" in written.getvalue()
    assert "p4ssw0rd" not in written.getvalue()


def test_every_secret_of_the_settings_is_known(tmp_path: Path) -> None:
    given = settings(
        tmp_path,
        argocd={"main": {"url": "https://argocd.example", "token": "argocd-token"}},
        channels={"ops": {"url": "https://hooks.example/abc", "secret": "channel-secret"}},
    )
    assert logs.secrets_of(given) == {
        SECRET,
        OPERATOR,
        DEPLOYMENTS,
        ARGOCD,
        "a-machine-users-token",
        "argocd-token",
        "https://hooks.example/abc",
        "channel-secret",
    }


@pytest.mark.parametrize(
    "text",
    [
        "ghp_0123456789abcdefghij0123456789abcdef",
        "github_pat_0123456789ABCDEFGHIJKL_0123",
        "xoxb-0123456789-abcdef",
        "Authorization: Bearer 0123456789abcdef0123",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwaWxvdGFnZSJ9.c2lnbmF0dXJlMDEyMzQ1",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
        "https://x-access-token:0123456789@github.com/acme/gitops.git",
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    shown = Redactor().text(f"before {text} after")
    assert HIDDEN in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    for part in ("0123456789", "MIIEow", "c2lnbmF0dXJl"):
        assert part not in shown


def test_names_tell_and_nesting_does_not_hide() -> None:
    line = {
        "event": "x",
        "operator_token": "abc",
        "headers": {"Authorization": "abc", "list": ["known-secret"]},
        "number": 7,
        "path": Path("known-secret"),
    }
    assert Redactor(["known-secret"])(None, "info", line) == {
        "event": "x",
        "operator_token": HIDDEN,
        "headers": {"Authorization": HIDDEN, "list": [HIDDEN]},
        "number": 7,
        "path": HIDDEN,
    }


def test_ordinary_words_stay() -> None:
    text = "api v1.2.3 is live at 0f3e2d1 (https://example.org:8080/path?q=1)"
    assert Redactor(["", "abc"]).text(text) == text
