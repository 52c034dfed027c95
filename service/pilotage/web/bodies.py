"""Request bodies, read as they come and never further than their limit."""

from __future__ import annotations

from fastapi import Request
from starlette.exceptions import HTTPException

KIB = 1024
MIB = 1024 * KIB


async def read_body(request: Request, limit: int) -> bytes:
    """The raw body. Raises 413 as soon as it is known to be too large, before it is read whole."""
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told[:20]) > limit:
        raise _too_large(limit)
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
