"""Reads `.pilotage.yaml`: text in, `Config` out, or every mistake with its line.

A preset is the same kind of text with two parts, `pipeline` and `environment`: defaults for the
pipeline that names it, and for each of its environments that has `from`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pilotage.core.policy import Config

FILE = ".pilotage.yaml"
_LARGEST = 256 * 1024
_MOST_NODES = 50_000

Where = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where it is, what was expected, and the nearest thing that would be right."""

    file: str
    line: int | None
    where: str
    expected: str
    suggestion: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        at = f" {self.where}:" if self.where else ""
        hint = f" (did you mean `{self.suggestion}`?)" if self.suggestion else ""
        return f"{place}:{at} {self.expected}{hint}"


class ConfigError(Exception):
    """The configuration cannot be used; `problems` holds every mistake that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def load_config(text: str, presets: Mapping[str, str], *, file: str = FILE) -> Config:
    """The configuration in `text`, with the presets (name to text) that it names filled in.

    Raises ConfigError with one problem for each mistake.
    """
    written = _parse(text, file)
    if not isinstance(written, CommentedMap):
        raise ConfigError([Problem(file, 1, "", "expected a mapping with `version: 1`")])
    filled = _with_presets(_plain(written), written, presets, file)
    try:
        return Config.model_validate(filled)
    except ValidationError as error:
        problems = [_problem(found, written, file) for found in error.errors()]
        raise ConfigError(sorted(set(problems), key=lambda found: found.line or 0)) from None


def _parse(text: str, file: str) -> object:
    if len(text) > _LARGEST:
        raise ConfigError([Problem(file, None, "", f"larger than {_LARGEST // 1024} KB")])
    try:
        return YAML().load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        message = str(error.problem or error.context or "not YAML").split("\n")[0]
        raise ConfigError([Problem(file, line, "", f"not valid YAML: {message}")]) from None
    except (YAMLError, RecursionError, ValueError) as error:
        what = str(error).split("\n")[0] or type(error).__name__
        raise ConfigError([Problem(file, None, "", f"not valid YAML: {what}")]) from None


def _plain(node: object) -> Any:
    """Plain dicts and lists; refuses what aliases would blow up."""
    budget = iter(range(_MOST_NODES))

    def copy(part: object) -> Any:
        if next(budget, None) is None:
            raise ConfigError([Problem(FILE, None, "", "too many values; are aliases nested?")])
        if isinstance(part, CommentedMap):
            return {str(key): copy(value) for key, value in part.items()}
        if isinstance(part, CommentedSeq):
            return [copy(value) for value in part]
        return _scalar(part)

    return copy(node)


def _scalar(part: object) -> object:
    # ruamel keeps the written form in subclasses of str, int and float
    for kind in (bool, int, float, str):
        if isinstance(part, kind):
            return kind(part)
    return part


def _with_presets(
    config: dict[str, Any], written: CommentedMap, presets: Mapping[str, str], file: str
) -> dict[str, Any]:
    pipelines = config.get("pipelines")
    if not isinstance(pipelines, dict):
        return config
    for name, pipeline in pipelines.items():
        preset = pipeline.get("preset") if isinstance(pipeline, dict) else None
        if not isinstance(preset, str):
            continue
        if preset not in presets:
            where: Where = ("pipelines", name, "preset")
            known = ", ".join(sorted(presets))
            nearest = _nearest(preset, presets)
            problem = Problem(
                file, _line(written, where), _dotted(where), f"no such preset; {known}", nearest
            )
            raise ConfigError([problem])
        defaults = _plain(_parse(presets[preset], f"policies/{preset}.yaml"))
        pipelines[name] = _filled(pipeline, defaults)
    return config


def _filled(pipeline: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    filled: dict[str, Any] = _merged(defaults.get("pipeline", {}), pipeline)
    environments = filled.get("environments")
    if isinstance(environments, dict):
        for name, environment in environments.items():
            if isinstance(environment, dict) and "from" in environment:
                environments[name] = _merged(defaults.get("environment", {}), environment)
    return filled


def _merged(default: Any, own: Any) -> Any:
    """Mappings are merged key by key; everything else of the team's own replaces the default."""
    if not isinstance(default, dict) or not isinstance(own, dict):
        return own
    merged = dict(default)
    for key, value in own.items():
        merged[key] = _merged(default[key], value) if key in default else value
    return merged


def _problem(error: ErrorDetails, written: CommentedMap, file: str) -> Problem:
    where = tuple(_existing(written, error["loc"]))
    message = error["msg"].removeprefix("Value error, ")
    suggestion = None
    if error["type"] == "extra_forbidden":
        key = str(error["loc"][-1])
        names = _names_at(error["loc"][:-1])
        suggestion = _nearest(key, names)
        message = f"unknown key; known here: {', '.join(sorted(names))}" if names else "unknown key"
    elif error["type"] == "missing":
        message = f"`{error['loc'][-1]}` is required here"
    elif error["type"] == "enum":
        suggestion = _nearest(str(error["input"]), _choices(error))
        message = message[0].lower() + message[1:]
    else:
        message = f"{message[0].lower()}{message[1:]}, found {_shown(error['input'])}"
    return Problem(file, _line(written, where), _dotted(where), message, suggestion)


def _choices(error: ErrorDetails) -> list[str]:
    expected = str(error.get("ctx", {}).get("expected", ""))
    return [part.strip(" '") for part in expected.replace(" or ", ",").split(",")]


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _existing(node: object, where: Sequence[str | int]) -> Iterator[str | int]:
    """The parts of a location that the file really has (pydantic adds names of union members)."""
    for part in where:
        if (isinstance(node, CommentedMap) and part in node) or (
            isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node)
        ):
            node = node[part]
            yield part


def _line(written: CommentedMap, where: Where) -> int | None:
    node: Any = written
    line = 0
    for part in where:
        try:
            line = node.lc.key(part)[0] if isinstance(node, CommentedMap) else node.lc.item(part)[0]
        except (KeyError, AttributeError, TypeError):
            break
        node = node[part]
    return int(line) + 1


def _dotted(where: Sequence[str | int]) -> str:
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _names_at(where: Sequence[str | int]) -> list[str]:
    """The keys that the schema allows at a location."""
    schema = Config.model_json_schema(by_alias=True)
    nodes = [schema]
    for part in where:
        nodes = [found for node in nodes for found in _below(node, part, schema)] or nodes
    return sorted({key for node in nodes for key in node.get("properties", {})})


def _below(node: dict[str, Any], part: str | int, schema: dict[str, Any]) -> list[dict[str, Any]]:
    if isinstance(part, str) and part in node.get("properties", {}):
        children = [node["properties"][part]]
    elif isinstance(part, str) and isinstance(node.get("additionalProperties"), dict):
        children = [node["additionalProperties"]]
    elif isinstance(part, int) and "items" in node:
        children = [node["items"]]
    else:
        return []
    found: list[dict[str, Any]] = []
    while children:
        child = children.pop()
        children += child.get("anyOf", []) + child.get("oneOf", []) + child.get("allOf", [])
        if "$ref" in child:
            found.append(schema["$defs"][child["$ref"].rsplit("/", 1)[1]])
        else:
            found.append(child)
    return found


def _nearest(name: str, names: Sequence[str] | Mapping[str, str]) -> str | None:
    found = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return found[0] if found else None
