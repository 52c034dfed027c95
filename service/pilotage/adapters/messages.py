"""Sends a message to people: a Slack-compatible webhook, or JSON signed with HMAC-SHA256.

The signature stands in `X-Pilotage-Signature-256` as `sha256=…` over the raw body; `key` in the
body is the same when a message is sent again, so that a receiver can drop the second.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import httpx
from pydantic import SecretStr

from pilotage.core.acts import Notify


@dataclass(frozen=True, slots=True)
class Channel:
    kind: Literal["slack", "json"]
    url: SecretStr
    secret: SecretStr | None = None


class MessageError(Exception):
    """A message could not be delivered. Never names the address, which may be a secret."""

    def __init__(self, channel: str, why: str, *, final: bool) -> None:
        super().__init__(f"channel {channel}: {why}")
        self.channel = channel
        self.final = final


class Messages:
    """All channels of the settings. Safe to share between threads."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._channels = channels
        self._client = httpx.Client(timeout=10, headers={"User-Agent": "pilotage"})

    def close(self) -> None:
        self._client.close()

    def send(self, message: Notify) -> None:
        """To every channel that the message names and the settings know.

        Raises MessageError; `final` when sending again would not help.
        """
        for name in message.channels:
            channel = self._channels.get(name)
            if channel is None:
                raise MessageError(name, "is not in the settings", final=True)
            self._post(name, channel, message)

    def _post(self, name: str, channel: Channel, message: Notify) -> None:
        body = json.dumps(_slack(message) if channel.kind == "slack" else _plain(message)).encode()
        headers = {"Content-Type": "application/json"}
        if channel.secret is not None:
            key = channel.secret.get_secret_value().encode()
            digest = hmac.new(key, body, hashlib.sha256).hexdigest()
            headers["X-Pilotage-Signature-256"] = f"sha256={digest}"
        try:
            answer = self._client.post(
                channel.url.get_secret_value(), content=body, headers=headers
            )
        except httpx.HTTPError as error:
            raise MessageError(name, f"no answer ({type(error).__name__})", final=False) from None
        if answer.is_success:
            return
        again = answer.status_code == 429 or answer.status_code >= 500
        raise MessageError(name, f"answered {answer.status_code}", final=not again)


def _plain(message: Notify) -> dict[str, str]:
    return {
        "key": message.key,
        "event": message.event,
        "promotion": message.promotion,
        "title": message.title,
        "text": message.text,
        "url": message.url,
    }


def _slack(message: Notify) -> dict[str, str]:
    link = f"\n<{message.url}|pull request>" if message.url else ""
    return {"text": f"*{_escaped(message.title)}*\n{_escaped(message.text)}{link}"}


def _escaped(text: str) -> str:
    """Slack's own three characters; so nobody is mentioned by a resource's message."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
