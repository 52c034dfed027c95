"""`.pilotage.yaml` as types: what a team may write, with its defaults.

Durations are written `90s`, `15m`, `2h`, `1d` (or a sum such as `1h30m`) and are `timedelta` here.
Placeholders in strings are `{environment}`, `{service}`, `{value}` (as it stands in the file),
`{version}` (without its prefix), `{run}` and `{changes}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    JsonValue,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from pilotage.core.rollout_watch import Budgets

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
OWN_ITEMS = frozenset({"staging-healthy", "soak"})
"""The boxes that the service ticks itself."""
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


def duration(value: object) -> timedelta:
    """`1h30m` and the like; a bare number is refused because nobody agrees on its unit."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not any(match.groups()):
        raise ValueError("expected a duration such as 30s, 15m, 2h or 1h30m")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def duration_text(value: timedelta) -> str:
    """The duration as `duration` reads it: `1h30m`."""
    rest, text = value, ""
    for unit, size in (
        ("d", timedelta(days=1)),
        ("h", timedelta(hours=1)),
        ("m", timedelta(minutes=1)),
    ):
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    seconds = rest.total_seconds()
    return text + f"{seconds:f}".rstrip("0").rstrip(".") + "s" if seconds or not text else text


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


_DURATION_SCHEMA: dict[str, JsonValue] = {
    "type": "string",
    "pattern": r"^(?=.)(\d+d)?(\d+h)?(\d+m)?(\d+(\.\d+)?s)?$",
    "examples": ["30s", "15m", "1h30m", "2d"],
}
_NAMES_SCHEMA: dict[str, JsonValue] = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
}

Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    PlainSerializer(duration_text, return_type=str),
    WithJsonSchema(_DURATION_SCHEMA),
]
Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_many), WithJsonSchema(_NAMES_SCHEMA)]
Name = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$", max_length=60)
]
"""Of a pipeline or an environment: it becomes part of branches, addresses and hidden markers."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mode(StrEnum):
    OBSERVE = "observe"
    PROPOSE = "propose"


class Together(StrEnum):
    ALL = "all"
    PROVEN = "proven"


class Roll(StrEnum):
    UNTIL_TOUCHED = "until-touched"
    ALWAYS = "always"
    NEVER = "never"


class OnFailure(StrEnum):
    REVERT = "revert"
    REVERT_PULL_REQUEST = "revert-pull-request"
    HOLD = "hold"


class OutsideGate(StrEnum):
    NOTE = "note"
    HOLD = "hold"
    REVERT = "revert"


class CopyValue(_Section):
    """Take one value from the source environment's file."""

    copy_: str = Field(alias="copy", min_length=1)


class SetValue(_Section):
    """Write a fixed value, which may name the environment or the service."""

    set_: str = Field(alias="set", min_length=1)
    to: str


Rule = CopyValue | SetValue


class ServiceSource(_Section):
    """Where a service's versions come from: its own repository, its CI, its tags and image."""

    repository: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$")
    workflow: str | None = None
    tag: str = "v{version}"
    image: str | None = None


class People(_Section):
    teams: Names = ()
    users: Names = ()

    @property
    def anybody(self) -> bool:
        return bool(self.teams or self.users)


class Approvers(People):
    count: int = Field(default=1, ge=1, le=20)


class Item(_Section):
    """One box of the review checklist, ticked by a person."""

    item: str = Field(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=60)
    text: str = Field(min_length=1, max_length=300)
    owner: str | None = Field(default=None, max_length=100)


class Gates(_Section):
    soak: Duration = timedelta()
    approvers: Approvers | None = None


class Expected(_Section):
    status: int = Field(default=200, ge=100, le=599)
    json_: Mapping[str, str | int | float | bool | None] = Field(default={}, alias="json")
    """Paths such as `status` or `checks[0].state`, and the value that must stand there."""


class HttpCheck(_Section):
    """A request that must be answered as expected; three bad answers in a row fail it."""

    http: HttpUrl
    expect: Expected = Expected()
    every: Duration = timedelta(seconds=30)
    failures: int = Field(default=3, ge=1)
    timeout: Duration = timedelta(seconds=5)

    @property
    def name(self) -> str:
        return str(self.http)


class Verification(_Section):
    for_: Duration = Field(default=timedelta(minutes=30), alias="for")
    checks: tuple[HttpCheck, ...] = ()


class WatchBudgets(_Section):
    """How long a rollout may take in each of its waits; what is not given has its default."""

    seen: Duration | None = None
    sync: Duration | None = None
    healthy: Duration | None = None
    suspended: Duration | None = None
    degraded: Duration | None = None
    blind: Duration | None = None
    dwell: Duration | None = None
    settle: Duration | None = None
    images: Duration | None = None
    gone: Duration | None = None
    no_news: Duration | None = None
    stuck: Duration | None = None
    post_sync: Duration | None = None
    poll: Duration | None = None
    refresh: tuple[Duration, ...] | None = None
    attempts: int | None = Field(default=None, ge=1)
    restarts: int | None = Field(default=None, ge=1)
    hook_failure_is_warning: bool | None = None

    @property
    def budgets(self) -> Budgets:
        return Budgets(**{name: value for name, value in self if value is not None})


class Environment(_Section):
    """One environment; those with `from` are promoted to."""

    from_: str | None = Field(default=None, alias="from")
    applications: Names = ("{service}-{environment}",)
    argocd: str = "main"
    branch: str = "{environment}-promotion-{run}"
    title: str = "Promote {pipeline} to {environment}: {changes}"
    commit: str = "promote({pipeline}): {changes}"
    labels: Names = ("requires-review",)
    reviewers: People = People()
    assignees: Names = ()
    gates: Gates = Gates()
    checklist: tuple[Item, ...] = Field(default=(), max_length=50)
    verification: Verification = Verification()
    on_failure: OnFailure = OnFailure.REVERT
    merge: Literal["manual"] = "manual"
    roll: Roll = Roll.UNTIL_TOUCHED
    outside_gate: OutsideGate = OutsideGate.NOTE
    budgets: WatchBudgets = WatchBudgets()
    commands: People = People()
    notify: Names = ()

    @model_validator(mode="after")
    def _checked(self) -> Environment:
        names = [item.item for item in self.checklist]
        if doubled := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"checklist items must differ; twice: {', '.join(sorted(doubled))}")
        if ours := set(names) & OWN_ITEMS:
            raise ValueError(
                f"the service ticks {', '.join(sorted(ours))} itself; name it otherwise"
            )
        if not _BRANCH.fullmatch(self.branch.replace("{", "").replace("}", "")):
            raise ValueError("branch must be a branch name, with {environment} and {run} at most")
        return self


class Pipeline(_Section):
    mode: Mode = Mode.PROPOSE
    preset: str | None = None
    files: str
    promote: tuple[Rule, ...] = Field(min_length=1)
    together: Together = Together.ALL
    services: Mapping[str, ServiceSource] = {}
    environments: Mapping[Name, Environment] = Field(min_length=2)

    @model_validator(mode="after")
    def _checked(self) -> Pipeline:
        for place in ("{environment}", "{service}"):
            if place not in self.files:
                raise ValueError(f"files must contain {place}")
        if not any(isinstance(rule, CopyValue) for rule in self.promote):
            raise ValueError("promote needs at least one `copy:`; the first names the version")
        if not self.targets:
            raise ValueError("no environment has `from:`; nothing would ever be promoted")
        for name, environment in self.environments.items():
            if environment.from_ is not None and environment.from_ not in self.environments:
                raise ValueError(f"environment {name} is from {environment.from_}, which is none")
            if environment.from_ == name:
                raise ValueError(f"environment {name} cannot be promoted from itself")
        return self

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(name for name, found in self.environments.items() if found.from_ is not None)

    @property
    def version_path(self) -> str:
        """The first copied path: what people call the version."""
        return next(rule.copy_ for rule in self.promote if isinstance(rule, CopyValue))


class Config(_Section):
    """The whole file."""

    version: Literal[1]
    pipelines: Mapping[Name, Pipeline] = Field(min_length=1)


class Policy(_Section):
    """One target's part of the file: what `decide` goes by."""

    pipeline_name: str
    pipeline: Pipeline
    environment_name: str
    environment: Environment
    source_name: str
    source: Environment
    commit: str
    """The commit of the configuration file that this was read from."""


def policy_for(config: Config, pipeline: str, environment: str, commit: str) -> Policy | None:
    """None when the file (no longer) promotes to this environment."""
    found = config.pipelines.get(pipeline)
    target = found.environments.get(environment) if found else None
    if found is None or target is None or target.from_ is None:
        return None
    return Policy(
        pipeline_name=pipeline,
        pipeline=found,
        environment_name=environment,
        environment=target,
        source_name=target.from_,
        source=found.environments[target.from_],
        commit=commit,
    )
