"""git's own `http-backend` behind ASGI: a real smart-HTTP server over bare repositories."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

ZERO = "0" * 40
_CHUNK = 65_536


async def body_of(receive: Receive) -> AsyncIterator[bytes]:
    """The request's body, chunk by chunk, as it arrives."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        if chunk := message.get("body", b""):
            yield chunk
        if not message.get("more_body", False):
            return


async def push_commands(
    body: AsyncIterator[bytes],
) -> tuple[list[tuple[str, str, str]], bytes]:
    """The (ref, old, new) of a push, and the bytes read so far: the commands are the packet lines
    that come before the pack."""
    seen = b""
    commands: list[tuple[str, str, str]] = []
    position = 0
    async for chunk in body:
        seen += chunk
        while len(seen) >= position + 4:
            length = int(seen[position : position + 4], 16)
            if length == 0:
                return commands, seen
            if len(seen) < position + length:
                break
            line = seen[position + 4 : position + length].split(b"\0")[0].decode().rstrip("\n")
            position += length
            old, _, rest = line.partition(" ")
            new, _, ref = rest.partition(" ")
            if len(old) == 40 and len(new) == 40 and ref:
                commands.append((ref, old, new))
    return commands, seen


async def backend(
    scope: Scope,
    body: AsyncIterator[bytes],
    send: Send,
    *,
    repository: Path,
    path_info: str,
    user: str,
    environment: Mapping[str, str] | None = None,
    before_end: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Answer one request with `git http-backend`.

    `path_info` is the part behind the repository (`/info/refs`). With `before_end` the answer is
    held back until that has run: who sees a push succeed also sees all that follows from it.
    """
    request = Request(scope)
    process = await asyncio.create_subprocess_exec(
        "git",
        "http-backend",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(request, repository, path_info, user) | dict(environment or {}),
        start_new_session=True,
    )
    feeder = asyncio.create_task(_feed(process, body))
    try:
        await _answer(process, send, before_end)
    finally:
        feeder.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await feeder
        await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Leaves no child behind. `Process.kill` would reap it under the feet of asyncio's watcher."""
    try:
        await asyncio.wait_for(process.wait(), 1)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()


def _environment(request: Request, repository: Path, path_info: str, user: str) -> dict[str, str]:
    headers = request.headers
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_PROJECT_ROOT": str(repository.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{repository.name}{path_info}",
        "REMOTE_USER": user,
        "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.url.query,
        "CONTENT_TYPE": headers.get("content-type", ""),
        "GIT_PROTOCOL": headers.get("git-protocol", ""),
    }
    if "content-length" in headers:
        environment["CONTENT_LENGTH"] = headers["content-length"]
    if "content-encoding" in headers:
        environment["HTTP_CONTENT_ENCODING"] = headers["content-encoding"]
    return environment


async def _feed(process: asyncio.subprocess.Process, body: AsyncIterator[bytes]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):
        async for chunk in body:
            process.stdin.write(chunk)
            await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()


async def _answer(
    process: asyncio.subprocess.Process,
    send: Send,
    before_end: Callable[[], Awaitable[None]] | None,
) -> None:
    assert process.stdout is not None
    status, headers = 200, []
    while line := (await process.stdout.readline()).rstrip(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"status":
            status = int(value.split()[0])
        else:
            headers.append((name.lower(), value.strip()))
    start = {"type": "http.response.start", "status": status, "headers": headers}
    if before_end is not None:
        whole = await process.stdout.read()
        await process.wait()
        await before_end()
        await send(start)
        await send({"type": "http.response.body", "body": whole})
        return
    await send(start)
    while chunk := await process.stdout.read(_CHUNK):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
