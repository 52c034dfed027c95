"""Knowing that no other process uses the data folder, so that what a dead one held is free."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Folder:
    """A mark on the data folder that lasts as long as this process does, however it ends."""

    def __init__(self, data: Path) -> None:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._handle = os.open(data / "serving", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.alone = True
        except BlockingIOError:
            self.alone = False

    def is_there(self) -> bool:
        """Nobody has removed it, and with it the database that this process goes on writing to."""
        return os.fstat(self._handle).st_nlink > 0

    def close(self) -> None:
        os.close(self._handle)
