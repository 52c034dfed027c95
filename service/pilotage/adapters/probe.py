"""Reads one HTTP check: was it answered as expected, answered otherwise, or not answered?"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping

import httpx
from pydantic import JsonValue

from pilotage.core.config.policy import HttpCheck

_LARGEST = 256 * 1024
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


class Probe:
    """Safe to share between threads. Redirects are not followed: they are the answer.

    What is asked is the release that is being judged, so it gets nothing of ours, and its time is
    for the whole answer: a byte now and then holds nobody. Only asyncio has such a limit.
    """

    def __init__(self) -> None:
        self._trust = httpx.create_ssl_context()

    def read(self, check: HttpCheck) -> tuple[bool | None, str]:
        """(good, text): True as expected, False answered otherwise, None no answer."""
        try:
            status, body = asyncio.run(self._answer(check))
        except (httpx.HTTPError, TimeoutError) as error:
            return None, f"no answer ({type(error).__name__})"
        wanted = check.expect
        if status != wanted.status:
            return False, f"answered {status}, expected {wanted.status}"
        if not wanted.json_:
            return True, f"answered {status}"
        return _compared(body, wanted.json_)

    async def _answer(self, check: HttpCheck) -> tuple[int, bytes]:
        """Status and the beginning of the body. Raises HTTPError and TimeoutError."""
        seconds = check.timeout.total_seconds()
        async with (
            asyncio.timeout(seconds),
            httpx.AsyncClient(
                verify=self._trust, timeout=seconds, headers={"User-Agent": "pilotage"}
            ) as client,
            client.stream("GET", str(check.http), follow_redirects=False) as response,
        ):
            body = b""
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _LARGEST:
                    break
            return response.status_code, body


def _compared(body: bytes, expected: Mapping[str, JsonValue]) -> tuple[bool, str]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return False, "the answer is not JSON"
    for path, value in expected.items():
        present = _at(found, path)
        if present != value or isinstance(present, bool) != isinstance(value, bool):
            return False, f"{path} is {_shown(present)}, expected {_shown(value)}"
    return True, ", ".join(f"{path} is {_shown(value)}" for path, value in expected.items())


def _at(node: JsonValue, path: str) -> JsonValue:
    for key, index in _STEP.findall(path):
        if index and isinstance(node, list):
            node = node[int(index)] if int(index) < len(node) else None
        elif key and isinstance(node, dict):
            node = node.get(key)
        else:
            return None
    return node


def _shown(value: JsonValue) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
