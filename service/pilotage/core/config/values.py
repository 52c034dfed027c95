"""Single values of `.pilotage.yaml`: durations, names, and texts with placeholders."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    JsonValue,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from pilotage.core.wording import nearest

_DURATION = re.compile(
    r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9}(?:\.\d{1,6})?)s)?"
)
NAME = r"^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$"
ITEM = r"^[a-z0-9]+(?:-[a-z0-9]+)*$"
REPOSITORY = r"^[\w.-]+/[\w.-]+$"
KUBERNETES = r"^1\.[1-9][0-9]?$"
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")


def misplaced(what: str, *at: str | int, nearest: str | None = None) -> PydanticCustomError:
    """A mistake that a section finds in one of its parts; `at` leads there."""
    return PydanticCustomError("misplaced", "{what}", {"what": what, "at": at, "nearest": nearest})


def filled_by(*names: str) -> AfterValidator:
    """Refuses placeholders that nothing would fill."""

    def check(text: str) -> str:
        for name in _PLACEHOLDER.findall(text):
            if name not in names:
                known = ", ".join(f"{{{each}}}" for each in names)
                near = nearest(name, names)
                raise misplaced(
                    f"nothing fills {{{name}}} here; there are {known}",
                    nearest=f"{{{near}}}" if near else None,
                )
        return text

    return AfterValidator(check)


def branch_template(text: str) -> str:
    """Refuses what could not become a branch's name, or would give two promotions the same."""
    if "{run}" not in text:
        raise ValueError("must contain {run}, so that no two promotions share a branch")
    example = _PLACEHOLDER.sub("x", text)
    ends = tuple(part.endswith((".", ".lock")) for part in example.split("/"))
    if not _BRANCH.fullmatch(example) or ".." in example or any(ends):
        raise ValueError("is no branch name: letters, digits and . _ - / such as promotion-{run}")
    return text


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


def _kubernetes_version(value: object) -> object:
    if isinstance(value, float):
        text = 'expected a version in quotes, such as "1.31": 1.30 is the number 1.3'
        raise ValueError(text)  # noqa: TRY004 - pydantic tells only these
    return value


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


DURATION_EXAMPLES: list[JsonValue] = ["30s", "15m", "1h30m", "2d"]
_DURATION_SCHEMA: dict[str, JsonValue] = {
    "type": "string",
    "pattern": r"^(?=.)(\d+d)?(\d+h)?(\d+m)?(\d+(\.\d+)?s)?$",
    "examples": DURATION_EXAMPLES,
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
KubernetesVersion = Annotated[
    str,
    StringConstraints(pattern=KUBERNETES),
    BeforeValidator(_kubernetes_version),
]
Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_many), WithJsonSchema(_NAMES_SCHEMA)]


def _login(text: str) -> str:
    """With an `@`, as in a comment, nobody is called so, and no approval would ever count."""
    bare = text.removeprefix("@")
    if text != bare or not text or "/" in text or " " in text:
        near = bare if bare and not set("/ ") & set(bare) else None
        raise misplaced(f"expected a login such as maria, found {text!r}", nearest=near)
    return text


def _team(text: str) -> str:
    slug = text.rpartition("/")[2].removeprefix("@").lower().replace(" ", "-")
    if not text or set("@/ ") & set(text):
        what = f"expected a team's slug such as platform-admins, found {text!r}"
        raise misplaced(what, nearest=slug or None)
    return text


def _label(text: str) -> str:
    """As GitHub takes them."""
    if not text.strip() or len(text) > _LONGEST_LABEL:
        raise misplaced(f"expected a label of 1 to {_LONGEST_LABEL} characters, found {text!r}")
    return text


_LONGEST_LABEL = 50
Logins = Annotated[
    tuple[Annotated[str, AfterValidator(_login)], ...],
    BeforeValidator(_one_or_many),
    WithJsonSchema(_NAMES_SCHEMA),
]
Teams = Annotated[
    tuple[Annotated[str, AfterValidator(_team)], ...],
    BeforeValidator(_one_or_many),
    WithJsonSchema(_NAMES_SCHEMA),
]
Labels = Annotated[
    tuple[Annotated[str, AfterValidator(_label)], ...],
    BeforeValidator(_one_or_many),
    WithJsonSchema(_NAMES_SCHEMA),
]
AUTO = "auto"


def _some(names: tuple[str, ...]) -> tuple[str, ...]:
    """Told of what is written, not of what is left after other mistakes, as `min_length` would."""
    if not names:
        raise misplaced("expected at least 1 entry, found 0")
    return names


def _auto_alone(names: tuple[str, ...]) -> tuple[str, ...]:
    if AUTO in names and len(names) > 1:
        raise ValueError(f"{AUTO} stands alone: either all applications are found, or all named")
    return names


Applications = Annotated[
    tuple[Annotated[str, filled_by("service", "environment")], ...],
    AfterValidator(_some),
    AfterValidator(_auto_alone),
    BeforeValidator(_one_or_many),
    WithJsonSchema(_NAMES_SCHEMA),
]
Name = Annotated[str, StringConstraints(pattern=NAME, max_length=60)]
"""Of a pipeline or an environment: it becomes part of branches, addresses and hidden markers."""
