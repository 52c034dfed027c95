"""Reads one HTTP check: was it answered as expected, answered otherwise, or not answered?"""

from __future__ import annotations

import json
import re
from typing import Any

import httpx

from pilotage.core.policy import HttpCheck

_LARGEST = 256 * 1024
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


class Probe:
    """Safe to share between threads. Redirects are not followed: they are the answer."""

    def __init__(self) -> None:
        self._client = httpx.Client(follow_redirects=False, headers={"User-Agent": "pilotage"})

    def close(self) -> None:
        self._client.close()

    def read(self, check: HttpCheck) -> tuple[bool | None, str]:
        """(good, text): True as expected, False answered otherwise, None no answer."""
        seconds = check.timeout.total_seconds()
        try:
            with self._client.stream("GET", str(check.http), timeout=seconds) as response:
                body = b""
                for part in response.iter_bytes():
                    body += part
                    if len(body) > _LARGEST:
                        break
        except httpx.HTTPError as error:
            return None, f"no answer ({type(error).__name__})"
        wanted = check.expect
        if response.status_code != wanted.status:
            return False, f"answered {response.status_code}, expected {wanted.status}"
        if not wanted.json_:
            return True, f"answered {response.status_code}"
        return _compared(body, dict(wanted.json_))


def _compared(body: bytes, expected: dict[str, Any]) -> tuple[bool, str]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return False, "the answer is not JSON"
    for path, value in expected.items():
        present = _at(found, path)
        if present != value or isinstance(present, bool) != isinstance(value, bool):
            return False, f"{path} is {_shown(present)}, expected {_shown(value)}"
    return True, ", ".join(f"{path} is {_shown(value)}" for path, value in expected.items())


def _at(node: Any, path: str) -> Any:
    for key, index in _STEP.findall(path):
        if index and isinstance(node, list):
            node = node[int(index)] if int(index) < len(node) else None
        elif key and isinstance(node, dict):
            node = node.get(key)
        else:
            return None
    return node


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
