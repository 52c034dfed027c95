"""From GitHub's refusals to errors of ours: status, headers and body in, one error out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from pilotage.adapters.github import errors

LONGEST_WAIT = timedelta(hours=1)
"""The window of GitHub's primary limit; whatever a header claims, it is worth asking then."""
SECONDARY_WAIT = timedelta(minutes=1)
"""What GitHub's documentation asks for when a secondary limit names no time."""
MESSAGE_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: in words for people, and as method and path."""

    what: str
    verb: str
    path: str
    write: bool

    @property
    def where(self) -> str:
        return f"{self.verb} {self.path}"


def refusal(
    request: Request, status: int, headers: Mapping[str, str], body: object, now: datetime
) -> errors.GitHubError:
    """The error for an answer other than 2xx. Header names are lower-case."""
    what, where = request.what, request.where
    message = message_of(body) or "no message"
    if status == 429 or (status == 403 and _is_limit(headers, message)):
        why = f"GitHub limits the rate of calls: {message}"
        return errors.RateLimited(what, where, why, patience(headers, now))
    if status >= 500 or status == 408:
        why = f"GitHub answered {status}"
        return errors.Unreachable(what, where, why, may_have_taken_hold=request.write)
    if status < 400:
        return errors.Renamed(
            what,
            where,
            f"GitHub answered {status}: the repository was renamed or moved",
            "Put its present name into the configuration.",
        )
    match status:
        case 401:
            step = "Check the token, or the App's id and private key; it may have been revoked."
            return errors.Unauthorised(what, where, f"GitHub answered 401: {message}", step)
        case 403:
            step = "Grant the missing permission; `pilotage check --live` lists what is needed."
            return errors.Forbidden(what, where, f"GitHub answered 403: {message}", step)
        case 404 | 410:
            step = "Check the name, and that the credentials may see the repository."
            return errors.NotFound(what, where, f"GitHub answered {status}: {message}", step)
        case 409:
            return errors.Conflict(
                what, where, message, status=409, next_step="It is read again before the next try."
            )
        case _:
            return errors.Refused(what, where, message, status=status, reasons=_reasons(body))


def merge_failure(refused: errors.Refused) -> errors.Refused:
    """GitHub tells four things apart by two statuses and a sentence."""
    what, where, message = refused.what, refused.where, refused.message
    if refused.status == 409:
        step = "It is read again; the new head is judged afresh."
        return errors.Moved(what, where, message, status=409, next_step=step)
    if refused.status != 405:
        return refused
    if "base branch was modified" in message.lower():
        step = "It is tried again."
        return errors.BaseModified(what, where, message, status=405, next_step=step)
    step = "It is tried again when what GitHub names has changed."
    return errors.NotMergeable(what, where, message, status=405, next_step=step)


def patience(headers: Mapping[str, str], now: datetime) -> datetime:
    """When to ask again: `retry-after`, else the reset of an exhausted limit, else a minute.

    Between one second and one hour from `now`, whatever the headers claim.
    """
    seconds = _retry_after(headers.get("retry-after"), now)
    if seconds is None and headers.get("x-ratelimit-remaining") == "0":
        reset = _number(headers.get("x-ratelimit-reset"))
        # One more second: it is not said when within that second the limit is lifted.
        seconds = None if reset is None else reset - now.timestamp() + 1
    if seconds is None:
        seconds = SECONDARY_WAIT.total_seconds()
    return now + timedelta(seconds=min(max(seconds, 1.0), LONGEST_WAIT.total_seconds()))


def message_of(body: object) -> str:
    """GitHub's sentence, made safe to print: one line, of bounded length."""
    if isinstance(body, Mapping) and isinstance(message := body.get("message"), str):
        return _tidy(message)
    return ""


def _is_limit(headers: Mapping[str, str], message: str) -> bool:
    words = message.lower()
    return (
        "retry-after" in headers
        or headers.get("x-ratelimit-remaining") == "0"
        or "rate limit" in words
        or "abuse detection" in words
    )


def _reasons(body: object) -> tuple[str, ...]:
    found = body.get("errors") if isinstance(body, Mapping) else None
    return tuple(_reason(entry) for entry in found[:5]) if isinstance(found, list) else ()


def _reason(entry: object) -> str:
    if isinstance(entry, str):
        return _tidy(entry)
    if not isinstance(entry, Mapping):
        return "an error without words"
    if isinstance(message := entry.get("message"), str):
        return _tidy(message)
    parts = (entry.get(key) for key in ("resource", "field", "code"))
    return _tidy(" ".join(part for part in parts if isinstance(part, str)))


def _retry_after(value: str | None, now: datetime) -> float | None:
    if value is None:
        return None
    if (seconds := _number(value)) is not None:
        return seconds
    try:
        date = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return (aware - now).total_seconds()


def _number(value: str | None) -> float | None:
    return float(value) if value and value.isascii() and value.isdigit() else None


def _tidy(text: str) -> str:
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= MESSAGE_LIMIT else line[: MESSAGE_LIMIT - 1] + "…"
