"""The operator's settings: from the environment (`PILOTAGE_…`), a TOML file, or both.

Secrets are `SecretStr`, or files named by `…_file`; they are never printed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as NotJson

from pilotage.core.config.values import REPOSITORY, duration

Duration = Annotated[timedelta, BeforeValidator(duration)]


def _more_than_nothing(value: timedelta) -> timedelta:
    if value <= timedelta():
        raise ValueError("expected more than 0s")
    return value


Span = Annotated[Duration, AfterValidator(_more_than_nothing)]
"""What something may take, or is repeated after: with 0s it would never succeed, or spin."""


def _unless_blank(value: object) -> object:
    """`${UNSET}` in a deployment is no secret: whatever it protects stays off."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    return None if isinstance(text, str) and not text.strip() else value


Secret = Annotated[SecretStr | None, BeforeValidator(_unless_blank)]


class SettingsError(Exception):
    """The settings cannot be used; says which one and why."""


def _secret_in(file: Path, name: str) -> SecretStr:
    try:
        return SecretStr(file.read_text(encoding="utf-8").strip())
    except OSError as error:
        raise ValueError(f"{name}_file cannot be read: {error.strerror} ({file})") from None


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GitHubSettings(_Section):
    """A machine user's token, or a GitHub App's id and private key."""

    url: HttpUrl = HttpUrl("https://api.github.com")
    git_url: HttpUrl = HttpUrl("https://github.com")
    token: Secret = None
    token_file: Path | None = None
    app_id: int | str | None = None
    private_key: Secret = None
    private_key_file: Path | None = None
    webhook_secret: Secret = None
    webhook_secret_file: Path | None = None
    timeout: int = Field(default=20, ge=1, le=120)

    @model_validator(mode="before")
    @classmethod
    def _files(cls, values: object) -> object:
        return _with_files(values, ("token", "private_key", "webhook_secret"))

    @model_validator(mode="after")
    def _one_credential(self) -> GitHubSettings:
        if (self.token is None) == (self.app_id is None):
            raise ValueError("give either token, or app_id and private_key")
        if self.app_id is not None and self.private_key is None:
            raise ValueError("an App needs its private_key (or private_key_file)")
        return self


class ArgoCDSettings(_Section):
    url: HttpUrl
    token: SecretStr = Field(min_length=1)
    token_file: Path | None = None
    ca: Path | None = None
    verify: bool = True
    control_plane: str = "argocd"
    refresh_timeout: Span = timedelta(seconds=20)
    """A refresh is answered after the next comparison: never, while the controller is down."""

    @model_validator(mode="before")
    @classmethod
    def _files(cls, values: object) -> object:
        return _with_files(values, ("token",))


class ChannelSettings(_Section):
    """Where messages go: a Slack-compatible webhook, or JSON signed with a secret."""

    kind: Literal["slack", "json"] = "slack"
    url: SecretStr
    secret: Secret = None


def _with_files(values: object, names: tuple[str, ...]) -> object:
    if not isinstance(values, Mapping):
        return values
    filled = dict(values)
    for name in names:
        file = filled.get(f"{name}_file")
        if file is not None and _unless_blank(filled.get(name)) is None:
            filled[name] = _secret_in(Path(str(file)), name)
    return filled


class Settings(BaseSettings):
    """What one process is told. `repositories` are the GitOps repositories, `owner/name`."""

    model_config = SettingsConfigDict(
        env_prefix="PILOTAGE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    repositories: tuple[Annotated[str, Field(pattern=REPOSITORY)], ...] = Field(min_length=1)
    data: Path = Path("pilotage-data")
    database: SecretStr | None = None
    """An SQLAlchemy URL; without one a SQLite file in `data`."""
    database_file: Path | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    public_url: str = ""
    github: GitHubSettings
    argocd: Mapping[str, ArgoCDSettings] = {}
    argocd_hook_token: Secret = None
    argocd_hook_token_file: Path | None = None
    deployments_token: Secret = None
    """The bearer that CI shows at `POST /api/v1/deployments`."""
    deployments_token_file: Path | None = None
    operator_token: Secret = None
    """The bearer that the terminal shows to the service."""
    operator_token_file: Path | None = None
    channels: Mapping[str, ChannelSettings] = {}
    workers: int = Field(default=4, ge=1, le=64)
    compare: Span = timedelta(minutes=5)
    """How often each target is compared when no event asks for it."""
    look: Span = timedelta(seconds=30)
    """How often a release is looked at when no event asks for it."""
    repair: Span = timedelta(hours=1)
    """How often what the service wrote outside is compared again, in case somebody broke it."""
    fetch: Duration = timedelta(seconds=10)
    """How old the last fetch of a repository may be when no event asks for a newer one."""
    lease: Span = timedelta(minutes=5)
    """How long a worker that died keeps its target from the others."""
    git_timeout: Span = timedelta(seconds=60)
    keep_bodies: Duration = timedelta(days=14)
    connections: int = Field(default=400, ge=10)
    """How many may be open at once; never more than half of the files that the process may open."""
    body_timeout: Span = timedelta(seconds=30)
    """How long the head of a request, and then its body, may take; GitHub gives up after 10 s."""
    body_memory: int = Field(default=64, ge=50)
    """MB of bodies that are held while their signature is not known; one of them may have 25."""
    body_wait: Duration = timedelta(seconds=5)
    """How long a body waits for room in that memory before its sender is told to come again."""
    allow_insecure_git: bool = False
    """Lets git speak plain http; for the sandbox."""
    json_logs: bool = False

    @model_validator(mode="before")
    @classmethod
    def _files(cls, values: object) -> object:
        return _with_files(
            values, ("database", "argocd_hook_token", "deployments_token", "operator_token")
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, as operators expect."""
        return env_settings, init_settings

    @property
    def database_url(self) -> str:
        """Holds a password where the database has one."""
        if self.database is not None:
            return self.database.get_secret_value()
        return f"sqlite:///{self.data / 'pilotage.db'}"


def load_settings(file: Path | None) -> Settings:
    """Raises SettingsError that names each setting that is missing or wrong, never its value."""
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8")) if file is not None else {}
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not TOML: {error}") from None
    try:
        return Settings(**given)
    except NotJson as error:
        found = re.search(r'field "(\w+)"', str(error))
        variable = f"PILOTAGE_{found[1].upper()}" if found else "a variable"
        raise SettingsError(f"{variable} is not JSON, which is expected there") from None
    except ValidationError as error:
        lines = [_line(found["loc"], found["msg"]) for found in error.errors(include_input=False)]
        raise SettingsError("the settings cannot be used:\n" + "\n".join(lines)) from None


def _line(loc: tuple[int | str, ...], message: str) -> str:
    name = ".".join(str(part) for part in loc)
    variable = "PILOTAGE_" + "__".join(str(part).upper() for part in loc)
    return f"  {name or 'settings'}: {message} (in the file, or {variable})"
