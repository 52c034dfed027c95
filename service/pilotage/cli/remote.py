"""The running service, as the terminal's commands speak to it over HTTP."""

from __future__ import annotations

import getpass
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from pilotage.cli.output import Exit, fail
from pilotage.core.wording import nearest

TOKEN = "PILOTAGE_OPERATOR_TOKEN"  # noqa: S105 - the name of a variable
_TIMEOUT = 30.0
_EXITS = {
    400: Exit.USAGE,
    413: Exit.USAGE,
    500: Exit.UNREACHABLE,
    503: Exit.UNREACHABLE,
}

Url = Annotated[
    str, typer.Option("--url", envvar="PILOTAGE_URL", help="Where the service listens.")
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        envvar="PILOTAGE_OPERATOR_TOKEN_FILE",
        help=f"A file with the operator's token; else {TOKEN} holds it.",
    ),
]
Wait = Annotated[
    int, typer.Option("--wait", min=0, max=60, help="Seconds to wait for what came of it.")
]
Where = Annotated[
    str,
    typer.Argument(
        metavar="PIPELINE", help="A pipeline, or PIPELINE/ENVIRONMENT.", show_default=False
    ),
]
Anywhere = Annotated[
    str | None,
    typer.Argument(metavar="PIPELINE", help="A pipeline, or PIPELINE/ENVIRONMENT; else all."),
]
LOCAL = "http://127.0.0.1:8080"
PATIENCE = 15


@dataclass(frozen=True, slots=True)
class Remote:
    """One service. Whatever goes wrong ends the command with a sentence and its exit code."""

    url: str
    token: str

    def get(self, path: str, **query: str | int) -> Any:
        return self._asked("GET", path, query=query)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._asked("POST", path, body=body)

    def find(self, path: str) -> Any | None:
        """None when there is no such thing."""
        return self._asked("GET", path, may_lack=True)

    def _asked(
        self,
        method: str,
        path: str,
        query: dict[str, str | int] | None = None,
        body: dict[str, Any] | None = None,
        may_lack: bool = False,
    ) -> Any:
        import httpx

        url = f"{self.url}/api/v1/{quote(path, safe='/')}"
        waits = float((query or {}).get("wait", 0))
        try:
            answer = httpx.request(
                method,
                url,
                params=query,
                json=body,
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=_TIMEOUT + waits,
            )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            fail(f"{self.url} is no address such as {LOCAL}", Exit.USAGE)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            fail(f"the service at {self.url} cannot be reached: {reason}", Exit.UNREACHABLE)
        if may_lack and answer.status_code == 404:
            return None
        return self._read(answer.status_code, answer.content)

    def _read(self, status: int, content: bytes) -> Any:
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        if not isinstance(found, dict) or (status >= 300 and "error" not in found):
            what = f"it answered {status}, and not as Pilotage does"
            fail(f"{self.url} cannot be used: {what}", Exit.UNREACHABLE)
        if status < 300:
            return found
        if status == 401:
            fail(f"{found['error']}; the token was not accepted", Exit.USAGE)
        return fail(str(found["error"]), _EXITS.get(status, Exit.NO))


def connect(url: str, token_file: Path | None) -> Remote:
    """The token comes from a file or the environment, never from an argument that others see."""
    if token_file is not None:
        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            fail(f"{token_file} cannot be read: {reason}", Exit.USAGE)
    else:
        token = os.environ.get(TOKEN, "").strip()
    if not token:
        fail(f"the operator's token is missing: set {TOKEN}, or give --token-file", Exit.USAGE)
    if not token.isascii() or not token.isprintable():
        fail("the operator's token has characters that no token has", Exit.USAGE)
    return Remote(url.rstrip("/"), token)


def targets(remote: Remote, where: str | None = None) -> list[dict[str, Any]]:
    """All targets, or those of a pipeline, or the one that is named; ends when there is none."""
    found: list[dict[str, Any]] = remote.get("targets")["targets"]
    if where is None:
        return found
    chosen = [each for each in found if where in (each["id"], each["pipeline"])]
    if not chosen:
        names = sorted({name for each in found for name in (each["id"], each["pipeline"])})
        if near := nearest(where, names):
            hint = f" (did you mean `{near}`?)"
        else:
            hint = f"; there are {', '.join(names)}" if names else "; the service knows none yet"
        fail(f"there is no pipeline or target {where}{hint}", Exit.USAGE)
    return chosen


def one_target(remote: Remote, where: str) -> dict[str, Any]:
    chosen = targets(remote, where)
    if len(chosen) > 1:
        names = ", ".join(each["id"] for each in chosen)
        fail(f"{where} has several targets; name one of {names}", Exit.USAGE)
    return chosen[0]


def me() -> str:
    """Who is at the terminal, for the history."""
    try:
        return getpass.getuser()[:100] or "operator"
    except (OSError, KeyError):
        return "operator"
