"""Ports that a test names before anything listens on them."""

from __future__ import annotations

import random
import socket

_BELOW_WHAT_SYSTEMS_GIVE_AWAY = range(10_000, 30_000)
"""A port that the system picked would be given to any connection of any test, once it is let go."""


def free_port() -> int:
    """A port of loopback on which nobody listens, now and until the test does."""
    while True:
        port = random.choice(_BELOW_WHAT_SYSTEMS_GIVE_AWAY)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
