"""Checks of whatever comes from outside before git sees it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from pilotage.adapters.git.errors import InvalidName
from pilotage.adapters.git.values import Identity, Sha

_SHA = re.compile(r"[0-9a-f]{40}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_IN_REFS = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{")
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f<>]")
# What git itself would strip from the ends of a name.
_CRUD = " .,:;<>\"\\'"


def sha(value: str) -> Sha:
    """Only a full SHA: short ones, tags and `HEAD` mean different commits at different times."""
    if not _SHA.fullmatch(value):
        raise InvalidName("revision", value, "is not a full SHA of 40 hexadecimal digits")
    return value


def branch(value: str) -> str:
    """The rules of `git check-ref-format --branch`, and not a full ref name."""
    reason = None
    if not value or value == "HEAD":
        reason = "is not a branch"
    elif value.startswith(("-", "/", "refs/")) or value.endswith(("/", ".")):
        reason = "starts or ends in a way that git does not allow for a branch"
    elif _NOT_IN_REFS.search(value):
        reason = "contains characters that git does not allow in a branch"
    elif any(part.startswith(".") or part.endswith(".lock") for part in value.split("/")):
        reason = "has a component that starts with '.' or ends with '.lock'"
    elif not _encodes(value):
        reason = "is not valid Unicode"
    if reason:
        raise InvalidName("branch", value, reason)
    return value


def path(value: str) -> str:
    """A path of the repository: relative, normal, without control characters, not into `.git`."""
    parts = value.split("/")
    reason = None
    if not value or value.startswith("/"):
        reason = "is not relative to the repository"
    elif any(part in {"", ".", ".."} for part in parts):
        reason = "has an empty, '.' or '..' component"
    elif any(part.lower() == ".git" for part in parts):
        reason = "leads into .git"
    elif _CONTROL.search(value) or not _encodes(value):
        reason = "contains a control character or is not valid Unicode"
    if reason:
        raise InvalidName("path", value, reason)
    return value


def prefixes(values: Iterable[str]) -> tuple[str, ...] | None:
    """Directories or files to look below; None when one of them is `""`, the whole repository."""
    checked = tuple(value and path(value.removesuffix("/")) for value in values)
    return None if "" in checked else checked


def identity(value: Identity) -> Identity:
    for kind, text in (("name", value.name), ("e-mail address", value.email)):
        if not text or text != text.strip(_CRUD) or _NOT_IN_NAMES.search(text):
            raise InvalidName(kind, text, "is empty or contains what git does not allow there")
    return value


def url(value: str, allow_protocols: Iterable[str]) -> str:
    """The repository's URL, of an allowed protocol and without credentials."""
    parts = urlsplit(value)
    shown = re.sub(r"//.*@", "//***@", value)
    if parts.scheme not in allow_protocols or _CONTROL.search(value) or " " in value:
        allowed = ", ".join(sorted(allow_protocols))
        raise InvalidName("URL", shown, f"is not of an allowed protocol ({allowed})")
    if "@" in parts.netloc:
        raise InvalidName("URL", shown, "contains credentials; give them by their own setting")
    if parts.scheme != "file" and not parts.hostname:
        raise InvalidName("URL", shown, "has no host")
    return value


def origin_of(value: str) -> str:
    """`https://host[:port]/`: what a credential is bound to."""
    parts = urlsplit(value)
    return f"{parts.scheme}://{parts.netloc}/"


def _encodes(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
