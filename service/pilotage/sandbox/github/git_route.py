"""git over HTTP: who may, under which rules, and what follows from a push."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from pilotage.sandbox.git_http import backend, body_of, push_commands
from pilotage.sandbox.github import branches, writing
from pilotage.sandbox.github.bare import ZERO
from pilotage.sandbox.github.errors import Refused
from pilotage.sandbox.github.faults import Asked
from pilotage.sandbox.github.gate import LONGEST_HANG, identify
from pilotage.sandbox.github.model import App, Credential, Permission, Repository
from pilotage.sandbox.github.state import State

_RECEIVE = "git-receive-pack"


class GitRoute:
    """ASGI application for `/{owner}/{name}.git/...`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        path = scope["path"]
        fault = self._state.faults.take(request.method, path)
        if fault is not None and fault.kind == "hang":
            await asyncio.sleep(min(fault.seconds, LONGEST_HANG))
        if fault is not None and fault.kind == "answer" and not fault.after:
            await self._end(request, "", fault.status, scope, receive, send)
            return
        owner, _, rest = path.lstrip("/").partition("/")
        name, _, path_info = rest.partition(".git/")
        try:
            who, repo = await run_in_threadpool(self._admit, request, f"{owner}/{name}", path_info)
        except Refused as refused:
            await self._end(request, "", refused.status, scope, receive, send)
            return
        login = who.account.login
        if path_info == _RECEIVE and request.method == "POST":
            lost = fault is not None and fault.after
            then = fault.then if fault is not None else None
            await self._push(scope, receive, _silenced(send) if lost else send, who, repo, then)
            if lost and fault is not None:
                await self._end(request, login, fault.status, scope, receive, send)
                return
        else:
            await backend(
                scope,
                body_of(receive),
                send,
                repository=repo.git.path,
                path_info=f"/{path_info}",
                user=login,
            )
        self._log(request, login, 200)

    def _admit(
        self, request: Request, full_name: str, path_info: str
    ) -> tuple[Credential, Repository]:
        who = identify(self._state, request.headers.get("authorization", ""))
        with self._state.lock:
            repo = self._state.repositories.get(full_name.lower())
            if isinstance(who, App) or repo is None or not self._state.visible(repo, who):
                raise Refused(404, "Not Found")
            held = self._state.permission(repo, who.account.login)
        writes = path_info == _RECEIVE or request.query_params.get("service") == _RECEIVE
        if writes and held < Permission.WRITE:
            raise Refused(403, f"Permission to {full_name}.git denied to {who.account.login}.")
        return who, repo

    async def _push(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        who: Credential,
        repo: Repository,
        then: Callable[[], None] | None = None,
    ) -> None:
        body = body_of(receive)
        commands, seen = await push_commands(body)
        with tempfile.TemporaryDirectory(prefix="sandbox-push-") as folder:
            verdicts = Path(folder)
            await run_in_threadpool(self._judge, repo, who, commands, verdicts)

            async def follow() -> None:
                await run_in_threadpool(self._accepted, repo, who, verdicts)
                if then is not None:
                    await run_in_threadpool(then)

            await backend(
                scope,
                _after(seen, body),
                send,
                repository=repo.git.path,
                path_info=f"/{_RECEIVE}",
                user=who.account.login,
                environment={"SANDBOX_VERDICTS": folder},
                before_end=follow,
            )

    def _judge(
        self,
        repo: Repository,
        who: Credential,
        commands: list[tuple[str, str, str]],
        verdicts: Path,
    ) -> None:
        with self._state.lock:
            for ref, _, new in commands:
                if not repo.git.valid_ref(ref):
                    continue  # git refuses it by itself
                old, wanted = repo.git.ref(ref), None if new == ZERO else new
                said = writing.judge(self._state, repo, ref, old, wanted, who.account)
                texts = {
                    ".refused": said.refused,
                    ".forward": said.forward_only,
                    ".note": said.note,
                }
                for name, text in texts.items():
                    if text:
                        (verdicts / ref).mkdir(parents=True, exist_ok=True)
                        (verdicts / ref / name).write_text(text)

    def _accepted(self, repo: Repository, who: Credential, verdicts: Path) -> None:
        accepted = verdicts / ".accepted"
        if not accepted.exists():
            return
        with self._state.lock:
            for line in accepted.read_text().splitlines():
                old, new, ref = line.split(" ", 2)
                before, after = (None if sha == ZERO else sha for sha in (old, new))
                branches.moved(self._state, repo, ref, before, after, who.account)

    async def _end(
        self,
        request: Request,
        login: str,
        status: int,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._log(request, login, status)
        headers = {"www-authenticate": 'Basic realm="GitHub"'} if status == 401 else {}
        answer: Response = PlainTextResponse(
            "Repository not found.\n" if status == 404 else "\n", status, headers
        )
        await answer(scope, receive, send)

    def _log(self, request: Request, login: str, status: int) -> None:
        asked = Asked(request.method, request.url.path, status, login, self._state.clock())
        self._state.requests.add(asked)


async def _after(seen: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield seen
    async for chunk in rest:
        yield chunk


def _silenced(send: Send) -> Send:
    async def nothing(message: object) -> None:
        return None

    return nothing
