"""What should be readable outside: levels, compared with what is there and written when different.

Texts are values here; `templates/` turns them into Markdown at the edge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pilotage.core.change import Difference
from pilotage.core.comparison import Compared
from pilotage.core.distance import Distance
from pilotage.core.forge import Status
from pilotage.core.model import Sha, Superseded


@dataclass(frozen=True, slots=True)
class SourcePages:
    """Where the forge shows what is in the repository (`owner/name`) of a service."""

    repository: str
    url: str

    def commit(self, sha: Sha) -> str:
        return f"{self.url}/commit/{sha}"

    def pull_request(self, number: int) -> str:
        return f"{self.url}/pull/{number}"


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One line of the table of versions; `after` is None for what stays as it is."""

    service: str
    before: str | None
    after: str | None
    step: Distance | None = None
    live_since: datetime | None = None
    compare_url: str | None = None
    """Of the commits between, where they were not compared here."""
    compared: Compared | None = None
    source: SourcePages | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """One box of a checklist; `proof` stands behind it when it is ticked."""

    item: str
    text: str
    ticked: bool
    proof: str = ""
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """What a reader should know or may do, and the command that does it, if there is one."""

    text: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class BodyPage:
    """The pull request's body (`templates/pull_request.md.j2`)."""

    promotion: str
    marker: str
    """As `forge.hidden` takes it and `forge.marker_in` gives it back."""
    set: str
    """`checklist.set_id` of what is shown: ticks on another set do not count for it."""
    pipeline: str
    environment: str
    source: str
    blockers: tuple[str, ...]
    next_step: str
    rows: tuple[ChangeRow, ...]
    proven: tuple[Box, ...]
    people: tuple[Box, ...]
    differences: tuple[Difference, ...]
    superseded: tuple[Superseded, ...]
    waiting: tuple[ChangeRow, ...]
    """A newer set; `roll_asked` and `ours` say when it goes in."""
    left_out: tuple[Advice, ...]
    rollback: tuple[str, ...]
    rollback_command: str
    policy: str
    notes: tuple[str, ...] = ()
    going_back: tuple[ChangeRow, ...] = ()
    """Rows whose version after the merge is older than the one now."""
    link: str = ""
    not_compared: tuple[str, ...] = ()
    """Services whose commits are not told, with the reasons."""
    roll_asked: bool = False
    """Somebody wants the newer set, and a hold or a pause keeps it out."""
    ours: bool = True
    """Nobody else has a commit on the branch: then nothing is ever put on top of it."""


@dataclass(frozen=True, slots=True)
class ApplicationRow:
    application: str
    revision: str
    sync: str
    health: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class StoryPage:
    """The one comment that tells the rollout (`templates/rollout.md.j2`), edited in place."""

    marker: str
    heading: str
    by: str
    at: datetime
    sha: Sha
    lead: str
    rows: tuple[ApplicationRow, ...]
    lines: tuple[str, ...]
    advice: tuple[Advice, ...] = ()


@dataclass(frozen=True, slots=True)
class LastWord:
    """What the body says, once its pull request is over, instead of whether it may be merged
    (`templates/last_word.md.j2`). The rest of the body stays as it was reviewed."""

    heading: Literal["Merged", "Closed", "Superseded"]
    by: str
    """Empty where it was the service."""
    at: datetime
    text: str
    sha: Sha | None = None


DeploymentState = Literal["in_progress", "success", "failure", "inactive"]


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """The deployment that should be recorded on the merge commit."""

    sha: Sha
    environment: str
    production: bool
    """Whether GitHub is to show it apart from test environments."""
    state: DeploymentState
    description: str


@dataclass(frozen=True, slots=True)
class Outputs:
    """Everything that one promotion (or somebody else's pull request) should show."""

    promotion: str
    pull_request: int | None = None
    body: BodyPage | None = None
    title: str | None = None
    labels: frozenset[str] = frozenset()
    assignees: frozenset[str] = frozenset()
    reviewers: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    statuses: Mapping[tuple[Sha, str], Status] = field(default_factory=dict)
    last_word: LastWord | None = None
    story: StoryPage | None = None
    deployment: DeploymentRecord | None = None
