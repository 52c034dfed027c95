"""What must never happen, whatever goes wrong: checked at the moment at which it would."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pilotage.core.checklist import set_in
from pilotage.core.forge import READY, Status, StatusState
from tests.engine.chaos import Chaos
from tests.engine.simulated_git import MAIN, Made, Server

if TYPE_CHECKING:
    from tests.engine.simulated_argocd import Cluster
    from tests.engine.simulated_github import Forge, Pull

OWN = "pilotage[bot]"
SERVICES = ("api", "web")
_SECOND = timedelta(seconds=1)


class Broken(AssertionError):
    """A law of the service was broken."""


class Laws:
    def __init__(
        self,
        chaos: Chaos,
        git: Server,
        version: Callable[[str, str, str], str],
        reverts_outside_gate: bool,
    ) -> None:
        self.chaos, self.git, self._version = chaos, git, version
        self.cluster: Cluster
        self.rollback_asked = False
        """A person who may has asked for a rollback; whatever it names may be put back."""
        self.check_failed = False
        """The service was given a bad reading of a check of production."""
        self._reverts_outside_gate = reverts_outside_gate
        self._merged_past_gate = False
        self._commits: dict[str, str] = {}
        self._pulls: dict[str, int] = {}
        self._refused: dict[tuple[tuple[str, str], ...], Pull] = {}
        self._rolled_back: dict[tuple[str, str], str] = {}
        self._put_back: set[tuple[str, str]] = set()
        self._merges: set[str] = set()
        self._deeds: dict[tuple[int, str | None, str], tuple[bool, datetime]] = {}
        """Pull request, set and box to what a person last did to it, and when."""

    def _break(self, text: str) -> None:
        self.chaos.note(f"BROKEN: {text}")
        raise Broken(text)

    # What people did

    def rolled_back(self, service: str, value: str, sha: str) -> None:
        self._rolled_back[service, value] = sha

    def released_by_person(self, service: str, value: str) -> None:
        self._rolled_back.pop((service, value), None)

    def merged(self, pull: Pull, ready: bool) -> None:
        assert pull.merge_commit is not None
        for made in self.git.first_parents(pull.merge_commit):
            if made.sha == pull.merged_onto:
                break
            self._merges.add(made.sha)  # a rebase lands several
        self._merged_past_gate |= not ready
        for service, value in self._values(pull.last_head):
            self._rolled_back.pop((service, value), None)

    def closed(self, pull: Pull) -> None:
        marker = pull.marker or ""
        if pull.closed_by == OWN or not marker.startswith("promotion:"):
            return
        if self.git.commits[pull.last_head].author == OWN:
            self._refused[self._set(pull.last_head)] = pull

    def deed(self, pull: Pull, item: str, *, ticked: bool) -> None:
        self._deeds[pull.number, set_in(pull.body), item] = ticked, self.chaos.now

    # What the service did

    def status(self, forge: Forge, sha: str, context: str, status: Status) -> None:
        """The merge is not opened over a box that the service has seen a person clear."""
        if context != READY or status.state is not StatusState.SUCCESS:
            return
        for pull in forge.pulls.values():
            if not pull.open or forge.head(pull) != sha or pull.marker is None:
                continue
            for (number, set_, item), (ticked, at) in self._deeds.items():
                mine = (number, set_) == (pull.number, set_in(pull.body))
                known = pull.read_at is not None and pull.read_at > at
                stamp = at - forge.slow
                overwritten = any(e.editor == OWN and e.at >= stamp - _SECOND for e in pull.edits)
                if mine and not ticked and known and not overwritten:
                    self._break(f"#{number} is ready over {item}, which was cleared at {at:%X}")

    def pushed(self, branch: str, old: str | None, new: str | None, by: str) -> None:
        if by != OWN or new is None:
            return
        made = self.git.commits[new]
        key = made.trailer()
        if key is not None:
            known = self._commits.setdefault(key, new)
            if known != new:
                self._break(f"act {key} made {new[:7]} after {known[:7]}")
        if branch == MAIN:
            self._reverted(made)
        elif old is not None and self.git.commits[old].author != OWN:
            self._break(f"a person's commit {old[:7]} on {branch} was overwritten")

    def _reverted(self, made: Made) -> None:
        """On the branch itself the service writes nothing but what puts values back."""
        parent = made.parents[0]
        changed = [
            service
            for service in SERVICES
            if self._version(parent, "production", service)
            != self._version(made.sha, "production", service)
        ]
        if not changed:
            self._break(f"{made.sha[:7]} puts nothing back: {made.message.splitlines()[0]}")
        asked = self.rollback_asked or (self._reverts_outside_gate and self._merged_past_gate)
        failing = {
            (service, self._version(parent, "production", service)) for service in SERVICES
        } & self.cluster.seen_bad
        if not asked and not failing and not self.check_failed:
            self._break(f"{made.sha[:7]} puts {changed} back, and nothing was seen to fail")
        for service in changed:
            self._allowed(service, parent, made)

    def _allowed(self, service: str, parent: str, made: Made) -> None:
        writer = self._writer(service, parent)
        was = self._version(parent, "production", service)
        if writer.sha not in self._merges and not self.rollback_asked:
            self._break(f"{made.sha[:7]} undoes {writer.author}'s {service} {was}")
        if (service, writer.sha) in self._put_back:
            self._break(f"{service} {was} of {writer.sha[:7]} was put back twice")
        self._put_back.add((service, writer.sha))

    def _writer(self, service: str, sha: str) -> Made:
        """The commit on the branch's own line that brought the present value."""
        line = self.git.first_parents(sha)
        for made in line:
            if not made.parents:
                return made
            before = self._version(made.parents[0], "production", service)
            if before != self._version(made.sha, "production", service):
                return made
        raise AssertionError("a line ends with a commit without parents")

    def opened(self, pull: Pull) -> None:
        marker = pull.marker
        if marker is None:
            return
        what = marker if marker.startswith("promotion:") else f"{marker} from {pull.branch}"
        if what in self._pulls:
            self._break(f"#{pull.number} is a second pull request of {what}")
        self._pulls[what] = pull.number
        head = self.git.commits[pull.last_head]
        if head.author != OWN:
            self._break(f"#{pull.number} is opened over {head.author}'s {head.sha[:7]}")
        if marker.startswith("promotion:"):
            refusal = self._refused.get(self._set(pull.last_head))
            if refusal is not None and not refusal.reopened:
                self._break(f"#{pull.number} proposes what was refused with #{refusal.number}")
            self._not_fought(pull)

    def _not_fought(self, pull: Pull) -> None:
        base = self.git.commits[pull.last_head].parents[0]
        for service, value in self._set(pull.last_head):
            by = self._rolled_back.get((service, value))
            if by is not None and self.git.contains(base, by):
                self._break(f"#{pull.number} fights {by[:7]}, which took {service} {value} back")

    def _values(self, sha: str) -> list[tuple[str, str]]:
        return [(service, self._version(sha, "production", service)) for service in SERVICES]

    def _set(self, head: str) -> tuple[tuple[str, str], ...]:
        """What the head of a pull request changes."""
        fork = self.git.fork_point(head, self.git.refs[MAIN])
        return tuple(found for found in self._values(head) if found not in self._values(fork))

    # At any time

    def check(self, forge: Forge) -> None:
        ours = [
            pull
            for pull in forge.pulls.values()
            if pull.open and (pull.marker or "").startswith("promotion:") and not pull.reopened
        ]
        if len(ours) > 1:
            self._break(f"two pull requests of ours are open: {[pull.number for pull in ours]}")
