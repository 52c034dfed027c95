"""GitHub's merge queue: what it would merge asks for the required status itself, then it lands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from pilotage.core.forge import READY, StatusState
from tests.engine.simulated_git import MAIN, Made
from tests.engine.simulated_github import Forge, Pull

_LOOKS = timedelta(seconds=10)
_PATIENCE = timedelta(minutes=6)
_BOT = "github-merge-queue[bot]"


class MergeQueue:
    """One at a time is enough: the others find a base that has moved, and are put in again."""

    def __init__(self, forge: Forge, landed: Callable[[Pull], None]) -> None:
        self._forge, self._chaos, self._git = forge, forge.chaos, forge.git
        self._landed = landed
        self._waiting: set[int] = set()

    def add(self, pull: Pull, by: str, method: str) -> None:
        if pull.number in self._waiting:
            return
        base, head = self._git.refs[MAIN], self._forge.head(pull)
        made = self._forge.made_of(pull, base, method, by)
        if made is None:
            return
        self._waiting.add(pull.number)
        self._git.add(made)
        branch = f"gh-readonly-queue/{MAIN}/pr-{pull.number}-{base}"
        self._chaos.note(f"{by} puts #{pull.number} in the queue as {made.sha[:7]}")
        self._git.move(branch, made.sha, _BOT)
        group = {"head_sha": made.sha, "head_ref": f"refs/heads/{branch}"}
        self._forge.tell("merge_group", _BOT, action="checks_requested", merge_group=group)
        ends = self._chaos.now + _PATIENCE

        def look() -> None:
            status = self._forge.statuses.get((made.sha, READY))
            moved = self._git.refs[MAIN] != base or self._forge.head(pull) != head
            if not pull.open or moved or self._chaos.now >= ends:
                self._leave(pull, branch, "it is out of date" if moved else "it waited too long")
            elif status is not None and status.state is StatusState.FAILURE:
                self._leave(pull, branch, status.description)
            elif status is not None and status.state is StatusState.SUCCESS:
                self._land(pull, made, base, branch)
            else:
                self._chaos.plan(_LOOKS, look)

        self._chaos.plan(_LOOKS, look)

    def _leave(self, pull: Pull, branch: str, why: str) -> None:
        self._waiting.discard(pull.number)
        self._chaos.note(f"#{pull.number} leaves the queue: {why}")
        self._git.move(branch, None, _BOT)

    def _land(self, pull: Pull, made: Made, base: str, branch: str) -> None:
        self._waiting.discard(pull.number)
        self._forge.land(pull, made, base, self._chaos.random.choice(("maria", _BOT)))
        self._git.move(branch, None, _BOT)
        self._landed(pull)
