"""`.pilotage.yaml` as types: what a team may write, with its defaults.

Durations are written `90s`, `15m`, `2h`, `1d` (or a sum such as `1h30m`) and are `timedelta` here.
Placeholders in strings are `{environment}`, `{service}`, `{value}` (as it stands in the file),
`{version}` (without its prefix), `{run}` and `{changes}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    field_validator,
    model_validator,
)

from pilotage.core.config.rules import FilePattern, Rule, SetValue, written
from pilotage.core.config.values import (
    AUTO,
    ITEM,
    REPOSITORY,
    Applications,
    Duration,
    KubernetesVersion,
    Labels,
    Logins,
    Name,
    Names,
    Teams,
    branch_template,
    filled_by,
    misplaced,
)
from pilotage.core.rollout.watch import Budgets
from pilotage.core.version import Scheme
from pilotage.core.wording import nearest

if TYPE_CHECKING:
    from pilotage.core.layout import Layout

OWN_ITEMS = frozenset({"staging-healthy", "soak", "artifacts-valid"})
"""The boxes that the service ticks itself."""


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


class NewServices(StrEnum):
    ADD = "add"
    ASK = "ask"
    IGNORE = "ignore"


class RemovedServices(StrEnum):
    ASK = "ask"
    IGNORE = "ignore"


class Permission(StrEnum):
    REFUSE = "refuse"
    ALLOW = "allow"


class VersionRules(_Section):
    """Which versions may go out; that the source environment runs them goes without saying."""

    scheme: Scheme = Scheme.ANY
    backwards: Permission = Permission.REFUSE
    prereleases: Permission = Permission.ALLOW


def _check_rules(rules: tuple[Rule, ...], *at: str) -> None:
    if all(isinstance(rule, SetValue) for rule in rules):
        raise misplaced("expected at least one `copy:` or `image:`; the first is the version", *at)
    known: set[tuple[str, ...]] = set()
    for index, rule in enumerate(rules):
        what = written(rule)
        if what in known:
            raise misplaced(f"{what[-1] or 'the whole file'} is written twice", *at, index)
        known.add(what)


class ServiceSource(_Section):
    """Where a service's versions come from: its own repository, its CI, its tags and image."""

    repository: str | None = Field(default=None, pattern=REPOSITORY)
    workflow: str | None = None
    tag: Annotated[str, filled_by("version", "value", "service")] = "v{version}"
    image: Annotated[str, filled_by("version", "value", "service")] | None = None
    promote: tuple[Rule, ...] | None = Field(default=None, json_schema_extra={"minItems": 1})
    """Rules of its own, instead of the pipeline's."""

    @field_validator("promote")
    @classmethod
    def _checked(cls, rules: tuple[Rule, ...] | None) -> tuple[Rule, ...] | None:
        if rules is not None:
            _check_rules(rules)
        return rules


class People(_Section):
    teams: Teams = ()
    users: Logins = ()

    @property
    def anybody(self) -> bool:
        return bool(self.teams or self.users)


class Approvers(People):
    count: int = Field(default=1, ge=1, le=20)


class Item(_Section):
    """One box of the review checklist, ticked by a person."""

    item: str = Field(pattern=ITEM, max_length=60)
    text: str = Field(min_length=1, max_length=300)
    owner: str | None = Field(default=None, max_length=100)


class ArtifactRules(_Section):
    """What the changed files are held to: that they parse and are the source's goes unsaid."""

    kubernetes: KubernetesVersion | None = None
    """Whose schemas its resources must fit."""
    removed: Permission = Permission.REFUSE
    """Whether a resource that is there now may be gone."""
    render: bool = True
    """Whether Argo CD must render the branch before it may be merged."""


class Gates(_Section):
    soak: Duration = timedelta()
    approvers: Approvers | None = None
    artifacts: ArtifactRules | None = None


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

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def name(self) -> str:
        """Its readings are kept under it: no two checks of an environment have the same."""
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
    files: FilePattern | None = None
    """Its files, where they are not called as the pipeline says."""
    applications: Applications = ("{service}-{environment}",)
    argocd: str = "main"
    branch: Annotated[
        str, filled_by("environment", "pipeline", "run"), AfterValidator(branch_template)
    ] = "{environment}-promotion-{run}"
    title: Annotated[str, filled_by("pipeline", "environment", "changes", "run")] = (
        "Promote {pipeline} to {environment}: {changes}"
    )
    commit: Annotated[str, filled_by("pipeline", "environment", "changes", "run")] = (
        "promote({pipeline}): {changes}"
    )
    labels: Labels = ("requires-review",)
    reviewers: People = People()
    assignees: Logins = ()
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

    @property
    def finds_applications(self) -> bool:
        """Whether they are those that read the files, instead of those named here."""
        return self.applications == (AUTO,)

    @model_validator(mode="after")
    def _checked(self) -> Environment:
        known: set[str] = set()
        for index, item in enumerate(self.checklist):
            at = ("checklist", index, "item")
            if item.item in known:
                raise misplaced(f"there is a box {item.item} already; names must differ", *at)
            if item.item in OWN_ITEMS:
                raise misplaced(f"the service ticks {item.item} itself; choose another name", *at)
            known.add(item.item)
        addresses: set[str] = set()
        for index, check in enumerate(self.verification.checks):
            if check.name in addresses:
                place = ("verification", "checks", index, "http")
                raise misplaced(f"{check.name} is checked already", *place)
            addresses.add(check.name)
        return self


class Pipeline(_Section):
    mode: Mode = Mode.PROPOSE
    preset: str | None = None
    files: FilePattern
    promote: tuple[Rule, ...] = Field(json_schema_extra={"minItems": 1})
    new_services: NewServices = NewServices.ASK
    removed_services: RemovedServices = RemovedServices.ASK
    together: Together = Together.ALL
    versions: VersionRules = VersionRules()
    services: Mapping[Name, ServiceSource] = {}
    environments: Mapping[Name, Environment] = Field(min_length=2)

    @cached_property
    def layouts(self) -> dict[str, Layout]:
        """Kept with the pipeline that they are made of; see `core/layout.py`."""
        return {}

    @property
    def discovers(self) -> bool:
        """Whether the services are those that have a file, or those that are named."""
        return "{service}" in self.files

    @model_validator(mode="after")
    def _checked(self) -> Pipeline:
        _check_rules(self.promote, "promote")
        self._check_files()
        if not self.targets:
            raise misplaced("no environment has `from:`, so nothing is promoted", "environments")
        for name in self.targets:
            self._check_source(name)
        return self

    def _check_files(self) -> None:
        for name, environment in self.environments.items():
            own = environment.files
            if own is not None and ("{service}" in own) is not self.discovers:
                does = "names" if self.discovers else "does not name"
                raise misplaced(
                    f"`files` of the pipeline {does} {{service}}, and this one must do the same",
                    *("environments", name, "files"),
                )
            if own is None and "{environment}" not in self.files:
                example = "environments/{environment}/{service}.yaml"
                raise misplaced(
                    f"must contain {{environment}}, such as {example}, unless every environment "
                    f"has `files` of its own; {name} has none",
                    "files",
                )

    def _check_source(self, name: str) -> None:
        at = ("environments", name, "from")
        source = self.environments[name].from_
        if source not in self.environments:
            known = ", ".join(self.environments)
            raise misplaced(
                f"there is no environment {source}; there are {known}",
                *at,
                nearest=nearest(source or "", self.environments),
            )
        way = [name]
        while source is not None and source in self.environments:
            way.insert(0, source)
            if source in way[1:]:
                shown = f": {' -> '.join(way)}" if len(way) > 2 else ""
                raise misplaced(f"{name} would be promoted from itself{shown}", *at)
            source = self.environments[source].from_

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(name for name, found in self.environments.items() if found.from_ is not None)


class Config(_Section):
    """The whole file."""

    version: Literal[1]
    pipelines: Mapping[Name, Pipeline] = Field(min_length=1)

    @field_validator("pipelines")
    @classmethod
    def _named(cls, pipelines: Mapping[str, Pipeline]) -> Mapping[str, Pipeline]:
        """A pipeline whose files name no service is about one of its own name, or those given."""
        return {
            name: pipeline
            if pipeline.discovers or pipeline.services
            else pipeline.model_copy(update={"services": {name: ServiceSource()}})
            for name, pipeline in pipelines.items()
        }


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
