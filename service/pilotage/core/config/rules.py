"""The rules of `promote:`: what a promotion writes into the target environment's files.

Texts may name `{service}` and `{environment}`. A rule is about the pipeline's `files` unless it
says `in:`, and about the whole file's one document unless it says `document:`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

from pilotage.core.config.values import filled_by, misplaced
from pilotage.edit import EditRefused, Plain, parse_path, read_match

_FILLED = filled_by("environment", "service")


def _value_path(path: str) -> str:
    try:
        parse_path(path.replace("{service}", "x").replace("{environment}", "x"))
    except EditRefused as refused:
        raise ValueError(refused.reason) from None
    return path


def _document(which: str | int) -> str | int:
    try:
        if isinstance(which, str):
            read_match(which)
    except EditRefused as refused:
        raise misplaced(refused.reason) from None
    return which


ValuePath = Annotated[str, Field(min_length=1), _FILLED, AfterValidator(_value_path)]
DocumentMatch = Annotated[
    Annotated[str, Field(min_length=1), _FILLED] | int, AfterValidator(_document)
]


def file_pattern(files: str) -> str:
    """Refuses what is no path inside the repository."""
    parts = {part.lower() for part in files.split("/")}
    if parts & {"", ".", "..", ".git"} or not files.isprintable():
        raise ValueError("must be a path inside the repository")
    return files


FilePattern = Annotated[str, _FILLED, AfterValidator(file_pattern)]


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    in_: FilePattern | None = Field(default=None, alias="in")
    """The files that this rule is about, instead of the pipeline's."""


class _InDocument(_Rule):
    document: DocumentMatch | None = None
    """Which document of a file that has several: its index from 0, or what it must hold, such as
    `kind=Deployment,metadata.name={service}`."""


class CopyValue(_InDocument):
    """Take one value from the source environment's file."""

    copy_: ValuePath = Field(alias="copy")


class CopyImage(_InDocument):
    """Take the tag and the digest inside an image string; the repository stays the target's."""

    image: ValuePath


class CopyFile(_Rule):
    """Take the whole file; `set` rules about the same file apply after that."""

    copy_: Literal["file"] = Field(alias="copy")
    replace: Mapping[Annotated[str, Field(min_length=1)], Annotated[str, _FILLED]] = {}
    """Texts to replace on the way, such as a host's name."""


def _plain(value: object, read: ValidatorFunctionWrapHandler) -> str:
    """A whole number or a boolean is written as one; `"3"` is a string."""
    return Plain(json.dumps(value)) if isinstance(value, int) else str(read(value))


class SetValue(_InDocument):
    """Write a fixed value, which may name the environment or the service."""

    set_: ValuePath = Field(alias="set")
    to: Annotated[
        str,
        _FILLED,
        WrapValidator(_plain),
        WithJsonSchema({"type": ["string", "integer", "boolean"]}),
    ]


def _kind(value: object) -> str | None:
    if isinstance(value, CopyValue | CopyImage | CopyFile | SetValue):
        return type(value).__name__
    match value:
        case {"copy": "file"}:
            return CopyFile.__name__
        case {"copy": _}:
            return CopyValue.__name__
        case {"image": _}:
            return CopyImage.__name__
        case {"set": _}:
            return SetValue.__name__
        case _:
            return None


Rule: TypeAlias = Annotated[
    Annotated[CopyValue, Tag(CopyValue.__name__)]
    | Annotated[CopyImage, Tag(CopyImage.__name__)]
    | Annotated[CopyFile, Tag(CopyFile.__name__)]
    | Annotated[SetValue, Tag(SetValue.__name__)],
    Discriminator(
        _kind,
        custom_error_type="rule",
        custom_error_message=(
            "expected `copy: PATH`, `image: PATH`, `copy: file`, or `set: PATH` with `to: VALUE`"
        ),
    ),
]


def written(rule: Rule) -> tuple[str, ...]:
    """What two rules must not both write; a whole file leaves room for others."""
    if isinstance(rule, CopyFile):
        return ("file", rule.in_ or "", "")
    return ("value", rule.in_ or "", str(rule.document), path_of(rule))


def path_of(rule: CopyValue | CopyImage | SetValue) -> str:
    match rule:
        case SetValue():
            return rule.set_
        case CopyImage():
            return rule.image
        case CopyValue():
            return rule.copy_
