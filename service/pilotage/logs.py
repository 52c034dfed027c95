"""Logs of one process: structured, to stderr, without secrets.

What other libraries log takes the same road, so that one line always looks like the next.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

import structlog
from pydantic import BaseModel, SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from pilotage.terminal import shown

HIDDEN = "[hidden]"
_NAMES = re.compile(r"token|secret|password|passwd|authorization|private_?key|api_?key", re.I)
_SHAPES = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{20,}|xox[abps]-[A-Za-z0-9-]{10,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,})"
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"
    r"|(?i:(?<=bearer )|(?<=token ))[\w.~+/=-]{16,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.S,
)
_SHORTEST = 6
"""A shorter secret would blank ordinary words."""
_DEEPEST = 6
_TRACES = ("exception", "stack")


class Redactor:
    """Takes secrets out of a log line: those that are known, and whatever looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({each for each in secrets if len(each) >= _SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, _logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        return {name: self._value(name, value, 0) for name, value in line.items()}

    def text(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        return _SHAPES.sub(HIDDEN, text)

    def _value(self, name: str, value: Any, depth: int) -> Any:
        if _NAMES.search(name) and value not in (None, "", True, False):
            return HIDDEN
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                return self.text(value)
            case Mapping() if depth < _DEEPEST:
                return {
                    self.text(str(key)): self._value(str(key), each, depth + 1)
                    for key, each in value.items()
                }
            case list() | tuple() | set() | frozenset() if depth < _DEEPEST:
                return [self._value("", each, depth + 1) for each in value]
            case _:
                return self.text(str(value))


class Plain:
    """Takes out of a log line what would act upon a terminal, or look like another line."""

    def __init__(self, *, lines: bool) -> None:
        self._lines = lines
        """Whether a line break within a value would begin a line of the log."""

    def __call__(self, _logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        return {
            shown(name).replace("\n", " "): self._value(name, each) for name, each in line.items()
        }

    def _value(self, name: str, value: Any) -> Any:
        match value:
            case str() if not self._lines:
                return shown(value)
            case str():
                broken = "\n    " if name in _TRACES else "\\n"
                return shown(value).replace("\n", broken)
            case dict():
                return {shown(key): self._value("", each) for key, each in value.items()}
            case list():
                return [self._value("", each) for each in value]
            case _:
                return value


def secrets_of(settings: BaseModel) -> set[str]:
    """Every secret that these settings hold, however deep."""
    return set(_secrets(settings))


def _secrets(value: object) -> Iterable[str]:
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case BaseModel():
            for _, each in value:
                yield from _secrets(each)
        case Mapping():
            for each in value.values():
                yield from _secrets(each)
        case list() | tuple():
            for each in value:
                yield from _secrets(each)
        case _:
            pass


def configure(
    *, json: bool = False, secrets: Iterable[str] = (), to: TextIO | None = None
) -> Redactor:
    """Set up the logs of this process; the redactor is for whoever prints past them."""
    stream = to if to is not None else sys.stderr
    redactor = Redactor(secrets)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=24)
    )
    finishing: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redactor,
        Plain(lines=not json),
        last,
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=finishing)
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("pilotage").setLevel(logging.INFO)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=lambda *_: logging.getLogger("pilotage"),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    return redactor


def silence() -> None:
    """Only what is worse than a warning, for commands whose own account is what people read."""
    configure()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.getLogger().setLevel(logging.CRITICAL)
