"""Reads `.pilotage.yaml`: text in, `Config` out, or every mistake with its line.

A preset is the same kind of text with two parts, `pipeline` and `environment`: defaults for the
pipeline that names it, and for each of its environments that has `from`.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean

from pilotage.core.config.policy import Config, Environment
from pilotage.core.config.schema import names_at
from pilotage.core.config.values import ITEM, KUBERNETES, NAME, REPOSITORY
from pilotage.core.wording import counted, nearest

FILE = ".pilotage.yaml"
_VALUE_OF_DOUBLE_KEY = re.compile(r"(found duplicate key \S+) with value .*", re.DOTALL)
_LARGEST = 256 * 1024
_MOST_NODES = 20_000
_MOST_ALIASES = 500
_MOST_PROBLEMS = 100
_DEEPEST = 50

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
        hint = f" (did you mean `{self.suggestion}`?)" if self.suggestion else ""
        return f"{self._place} {self.expected}{hint}"

    @property
    def brief(self) -> str:
        """For one short line: what would be right, where that is known, stands for the rest."""
        hint = f"did you mean `{self.suggestion}`?" if self.suggestion else self.expected
        return f"{self._place} {hint}"

    @property
    def _place(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}:" + (f" {self.where}:" if self.where else "")


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
    filled = _with_presets(_plain(written, file), written, presets, file)
    try:
        return _shared(Config.model_validate(filled))
    except ValidationError as error:
        found = error.errors()[:_MOST_PROBLEMS]
        problems = [_problem(each, written, file) for each in found]
        raise ConfigError(sorted(set(problems), key=_order)) from None


def _shared(config: Config) -> Config:
    """Equal environments become one: a hundred pipelines of one preset differ in their paths."""
    known: dict[Environment, Environment] = {}
    pipelines = {}
    for name, pipeline in config.pipelines.items():
        environments = {
            each: known.setdefault(found, found) for each, found in pipeline.environments.items()
        }
        pipelines[name] = pipeline.model_copy(update={"environments": environments})
    return config.model_copy(update={"pipelines": pipelines})


def _order(problem: Problem) -> tuple[int, str]:
    return problem.line or 0, str(problem)


def _parse(text: str, file: str) -> object:
    if len(text) > _LARGEST:
        raise ConfigError([Problem(file, None, "", f"larger than {_LARGEST // 1024} KB")])
    _refuse_too_much(text, file)
    try:
        return YAML().load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        said = [part for part in (error.context, error.problem) if part]
        message = ", ".join(str(part).split("\n")[0] for part in said) or "it cannot be read"
        message = _VALUE_OF_DOUBLE_KEY.sub(r"\1", message)
        raise ConfigError([Problem(file, line, "", f"not valid YAML: {message}")]) from None
    except (YAMLError, RecursionError, ValueError) as error:
        what = str(error).split("\n")[0] or type(error).__name__
        raise ConfigError([Problem(file, None, "", f"not valid YAML: {what}")]) from None


def _refuse_too_much(text: str, file: str) -> None:
    """Asked of libyaml first: ruamel takes seconds for what is deep or long."""
    depth = nodes = aliases = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            nodes += isinstance(event, yaml.NodeEvent)
            aliases += isinstance(event, yaml.AliasEvent)
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > _DEEPEST:
                what = f"nested more than {_DEEPEST} levels deep"
            elif nodes > _MOST_NODES:
                what = f"more than {_MOST_NODES:,} keys and values"
            elif aliases > _MOST_ALIASES:
                what = f"more than {_MOST_ALIASES} aliases"
            else:
                continue
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise ConfigError([Problem(file, line, "", what)])
    except (yaml.YAMLError, UnicodeError):
        return  # ruamel says what is wrong, and where


def _plain(node: object, file: str) -> Any:
    """Plain dicts and lists; refuses what aliases would blow up, and what holds itself."""
    budget = iter(range(_MOST_NODES))

    def copy(part: object, depth: int) -> Any:
        if next(budget, None) is None or depth > _DEEPEST:
            raise ConfigError([Problem(file, None, "", "too many values; are aliases nested?")])
        if isinstance(part, CommentedMap):
            return {str(key): copy(value, depth + 1) for key, value in part.items()}
        if isinstance(part, CommentedSeq):
            return [copy(value, depth + 1) for value in part]
        return _scalar(part)

    return copy(node, 0)


def _scalar(part: object) -> object:
    # ruamel keeps the written form in subclasses of str, int and float
    if isinstance(part, ScalarBoolean):
        return bool(part)
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
        _empty_environments(pipeline)
        preset = pipeline.get("preset") if isinstance(pipeline, dict) else None
        if not isinstance(preset, str):
            continue
        if preset not in presets:
            where: Where = ("pipelines", name, "preset")
            message = f"there is no preset {preset}; there are {', '.join(sorted(presets))}"
            meant = nearest(preset, presets, 0.5)
            line = _line(written, where)
            raise ConfigError([Problem(file, line, _dotted(where), message, meant)])
        pipelines[name] = _filled(pipeline, _defaults(preset, presets[preset]))
    return config


@lru_cache(maxsize=16)
def _defaults(preset: str, text: str) -> dict[str, Any]:
    """A preset, read once; nobody changes what is in it."""
    source = f"policies/{preset}.yaml"
    read: dict[str, Any] = _plain(_parse(text, source), source)
    return read


def _empty_environments(pipeline: object) -> None:
    """`staging:` with nothing below it is an environment with all defaults."""
    environments = pipeline.get("environments") if isinstance(pipeline, dict) else None
    if isinstance(environments, dict):
        environments |= {name: {} for name, found in environments.items() if found is None}


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
    context = error.get("ctx", {})
    where = tuple(_existing(written, (*error["loc"], *context.get("at", ()))))
    message, suggestion = _said(error)
    return Problem(file, _line(written, where), _dotted(where), message, suggestion)


def _said(error: ErrorDetails) -> tuple[str, str | None]:
    """What was expected, in words, and the nearest thing that would be right."""
    context, value = error.get("ctx", {}), error["input"]
    match error["type"]:
        case "extra_forbidden":
            key = str(error["loc"][-1])
            names = names_at(error["loc"][:-1])
            return f"unknown key; known here: {', '.join(names)}", nearest(key, names, 0.5)
        case "missing":
            return f"`{error['loc'][-1]}` is required here", None
        case "rule":
            return _said_rule(error["msg"], value)
        case "misplaced":
            return str(context["what"]), context["nearest"]
        case "enum" | "literal_error":
            choices = [part.strip(" '") for part in re.split(",| or ", str(context["expected"]))]
            expected = f"expected {' or '.join(choices)}"
            return f"{expected}, found {_shown(value)}", nearest(str(value), choices, 0.5)
        case "string_pattern_mismatch":
            return f"expected {_PATTERNS[context['pattern']]}, found {_shown(value)}", None
        case "too_short":
            least, found = context["min_length"], context["actual_length"]
            return f"expected at least {counted(least, 'entry', 'entries')}, found {found}", None
        case "too_long":
            return f"expected at most {counted(context['max_length'], 'entry', 'entries')}", None
        case "value_error":
            message = error["msg"].removeprefix("Value error, ")
            return f"{message}, found {_shown(value)}", None
        case kind if kind in _TYPES:
            return f"expected {_TYPES[kind]}, found {_shown(value)}", None
        case _:
            message = error["msg"].removeprefix("Input should be ")
            expected = message if message.startswith("expected") else f"expected {message}"
            return f"{expected}, found {_shown(value)}", None


def _said_rule(expected: str, value: object) -> tuple[str, str | None]:
    match value:
        case str():
            return f"{expected}, found {_shown(value)}", f"copy: {value}"
        case Mapping() if value:
            keys = [str(key)[:60] for key in value]
            near = (nearest(key, ("copy", "image", "set")) for key in keys)
            found = " and ".join(f"`{key}`" for key in keys[:3])
            return f"{expected}, found {found}", next((key for key in near if key), None)
        case _:
            return f"{expected}, found {_shown(value)}", None


_TYPES = {
    "string_type": "text",
    "string_too_short": "text that is not empty",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "url_type": "an address such as https://example.org/health",
    "url_parsing": "an address such as https://example.org/health",
    "url_scheme": "an address such as https://example.org/health",
}
_PATTERNS = {
    NAME: "a name of letters, digits and single . _ -",
    ITEM: "a name of lower-case letters, digits and single hyphens",
    REPOSITORY: "a repository such as owner/name",
    KUBERNETES: 'a version of Kubernetes such as "1.31"',
}


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            shown = repr(value)
            return shown if len(shown) <= 60 else shown[:57] + "..."
        case datetime.date():
            return f"a date ({value}; quotes make it text)"
        case _:
            return "something with a tag of its own"


def _existing(node: object, where: Sequence[str | int]) -> Iterator[str | int]:
    """The parts of a location that the file really has (pydantic adds names of its own)."""
    for part in where:
        if isinstance(node, CommentedMap):
            key = next((found for found in node if str(found) == part), None)
            if key is None:
                continue
            node = node[key]
            yield key
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
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
