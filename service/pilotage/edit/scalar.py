"""How one value is written, and what a written one means."""

import json
import re

from yaml import ScalarNode
from yaml.resolver import Resolver

from pilotage.edit.event import Event
from pilotage.edit.refused import EditRefused


class Plain(str):
    """A value that is not a string: a number, a boolean, a date or null, as it is written.

    Reading gives it for a scalar without quotes that YAML 1.1 or 1.2 reads as another type.
    Writing it puts no quotes around it; a value that already has quotes keeps them.
    """

    __slots__ = ()


class Source(str):
    """A scalar exactly as it stands in a file, quotes and all; it replaces quotes and all."""

    __slots__ = ()


# What any reader in use takes for something else than a string: YAML 1.1 (PyYAML, Ruby), the 1.2
# core schema (ruamel.yaml, JavaScript), and Go's mixture of both (Helm, Argo CD, kubectl).
_TYPED = re.compile(
    r"""
      (?i: null | true | false | yes | no | on | off | y | n )
    | ~ | = | <<
    | [-+] [0-9_]+
    | [-+]? (?: 0[xX][0-9a-fA-F_]+ | 0[oO][-+]?[0-7_]+ | 0[bB][-+]?[01_]+ )
    | [-+]? (?: [0-9][0-9_]*(?:\.[0-9_]*)? | \.[0-9_]+ ) (?: [eE][-+]?[0-9]+ )?
    | [-+]? [0-9][0-9_]* (?: :[0-5]?[0-9] )+ (?: \.[0-9_]* )?
    | [-+]? \. (?i: inf ) | \. (?i: nan )
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2} (?: (?:[Tt]|[ \t]+) [0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2} .* )?
    |
    """,
    re.VERBOSE,
)
_RESOLVER = Resolver()
_STRING_TAG = "tag:yaml.org,2002:str"
_CORE_TAG = "tag:yaml.org,2002:"
# Printable in every YAML version, and no line break in any.
_PRINTABLE = re.compile(
    r"[\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*"
)
_NOT_PRINTABLE = re.compile(
    r"[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_NUMBER = tuple("+-.0123456789")
_INDICATORS = "-?:,[]{}#&*!|>'\"%@`"


def is_typed(value: str) -> bool:
    """Whether some YAML reads `value`, written without quotes, as something else than a string."""
    if _TYPED.fullmatch(value) or _resolved(value) != _STRING_TAG:
        return True
    # Go drops every underscore before it looks for a number, wherever it stands.
    number = value[:1] in _NUMBER and "_" in value
    return number and _TYPED.fullmatch(value.replace("_", "")) is not None


def _resolved(value: str) -> str:
    return str(_RESOLVER.resolve(ScalarNode, value, (True, False)))  # type: ignore[no-untyped-call]


def meaning(event: Event) -> str:
    """The value of a scalar as a string, or as `Plain` when it is none."""
    if event.tag in (None, "!"):
        typed = not event.style and event.tag is None and is_typed(event.value)
    else:
        typed = _is_core(event.tag)
    return Plain(event.value) if typed else event.value


def _is_core(tag: str | None) -> bool:
    return tag is not None and tag.startswith(_CORE_TAG) and tag != _STRING_TAG


def fits_plain(value: str, *, flow: bool) -> bool:
    """Whether `value` without quotes is one scalar there, whatever its type."""
    if not value or value != value.strip() or "\t" in value or not _PRINTABLE.fullmatch(value):
        return False
    if value[0] in _INDICATORS and not (
        value[0] in ("-" if flow else "-?:") and len(value) > 1 and value[1] not in " ,[]{}"
    ):
        return False
    if ": " in value or value[-1] == ":" or " #" in value or value[:3] in ("---", "..."):
        return False
    # Go ends a plain value within a flow collection at "?" too.
    return not (flow and any(sign in value for sign in ",[]{}?"))


def write(value: str, event: Event, *, flow: bool, is_json: bool) -> str:
    """`value` as text in place of the scalar `event`: in its quotes if possible, plain if it may.

    Raises EditRefused if no text there can mean it.
    """
    if isinstance(value, Source):
        return str(value)
    if _SURROGATE.search(value):
        raise EditRefused("the value has half of a surrogate pair")
    if not event.style and isinstance(value, Plain):
        if value and not fits_plain(value, flow=flow):
            raise EditRefused(f"{value[:40]!r} cannot be written without quotes")
        return str(value)
    if not isinstance(value, Plain):
        check_tag(value, event)
    if event.style == "'" and _PRINTABLE.fullmatch(value):
        return "'" + value.replace("'", "''") + "'"
    may_be_plain = not event.style and not is_json and fits_plain(value, flow=flow)
    if may_be_plain and (event.tag not in (None, "!") or not is_typed(value)):
        return str(value)
    return double_quoted(value)


def check_tag(value: str, event: Event) -> None:
    """Raises EditRefused where the string `value` would not be one with the tag of `event`."""
    if _is_core(event.tag):
        tag = str(event.tag).replace(_CORE_TAG, "!!")
        raise EditRefused(f"it is tagged {tag}, and the new value is a string")
    # libyaml and what was made after it (Go) forget the quotes that stand behind this tag.
    if event.tag == "!" and is_typed(value):
        raise EditRefused(f"it is tagged !, with which {value[:40]!r} is no string to all readers")


def double_quoted(value: str) -> str:
    """`value` in double quotes, the same in JSON and in YAML."""
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_PRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
