"""Request bodies, read as they come and never further than their limit."""

from __future__ import annotations

import anyio
from fastapi import Request
from starlette.exceptions import HTTPException

KIB = 1024
MIB = 1024 * KIB
PATIENCE = 30.0
"""Seconds for a whole body; GitHub itself gives up after ten."""


async def read_body(request: Request, limit: int) -> bytes:
    """The raw body. Raises 413 as soon as it is known to be too large, before it is read whole,
    and 408 when it does not come in time."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told[:20]) > limit:
        raise _too_large(limit)
    try:
        with anyio.fail_after(PATIENCE):
            return await _read(request, limit)
    except TimeoutError:
        why = f"the body did not come within {PATIENCE:g} s"
        raise HTTPException(408, why, {"Connection": "close"}) from None


async def _read(request: Request, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


def _too_large(limit: int) -> HTTPException:
    shown = f"{limit // MIB} MB" if limit >= MIB else f"{limit // KIB} KB"
    # What is still on its way is not read; the connection cannot be used again.
    return HTTPException(413, f"the body is larger than {shown}", {"Connection": "close"})
