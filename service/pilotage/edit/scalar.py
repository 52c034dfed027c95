"""How one value is written, and what a written one means."""

import json
import re

from yaml.resolver import Resolver

from .refused import EditRefused


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
    | [-+]? (?: 0[xX][0-9a-fA-F_]+ | 0[oO][0-7_]+ | 0[bB][01_]+ )
    | [-+]? (?: [0-9][0-9_]*(?:\.[0-9_]*)? | \.[0-9_]+ ) (?: [eE][-+]?[0-9]+ )?
    | [-+]? [0-9][0-9_]* (?: :[0-5]?[0-9] )+ (?: \.[0-9_]* )?
    | [-+]? \. (?i: inf ) | \. (?i: nan )
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2} (?: (?:[Tt]|[ \t]+) [0-9]{1,2}:[0-9]{2}:[0-9]{2} .* )?
    |
    """,
    re.VERBOSE,
)
_RESOLVER = Resolver()  # type: ignore[no-untyped-call]
_STRING_TAG = "tag:yaml.org,2002:str"
_CORE_TAG = "tag:yaml.org,2002:"
# Printable in every YAML version, and no line break in any.
_PRINTABLE = re.compile(
    r"[\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*"
)
_NOT_PRINTABLE = re.compile(
    r"[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_INDICATORS = "-?:,[]{}#&*!|>'\"%@`"


def is_typed(value: str) -> bool:
    """Whether some YAML reads `value`, written without quotes, as something else than a string."""
    return bool(_TYPED.fullmatch(value)) or _resolved(value) != _STRING_TAG


def _resolved(value: str) -> str:
    from yaml import ScalarNode

    return str(_RESOLVER.resolve(ScalarNode, value, (True, False)))  # type: ignore[no-untyped-call]


def meaning(value: str, style: str, tag: str | None) -> str:
    """`value` as a string, or as `Plain` when it is none."""
    if tag is None or tag == "!":
        return Plain(value) if not style and tag is None and is_typed(value) else value
    if tag.startswith(_CORE_TAG) and tag != _STRING_TAG:
        return Plain(value)
    return value


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
    return not (flow and any(sign in value for sign in ",[]{}"))


def write(value: str, *, style: str, tag: str | None, flow: bool, is_json: bool) -> str:
    """`value` as text: in quotes of `style` where it can be, without where it may be.

    Raises EditRefused if no text can mean it.
    """
    if isinstance(value, Source):
        return str(value)
    if re.search(r"[\ud800-\udfff]", value):
        raise EditRefused("the value has half of a surrogate pair")
    tagged = tag is not None and tag != "!"
    if not style and isinstance(value, Plain):
        if value and not fits_plain(value, flow=flow):
            raise EditRefused(f"{value[:40]!r} cannot be written without quotes")
        return str(value)
    if tagged and tag and tag.startswith(_CORE_TAG) and tag != _STRING_TAG and not style:
        raise EditRefused(f"the value is tagged {tag.replace(_CORE_TAG, '!!')}, not a string")
    if style == "'" and _PRINTABLE.fullmatch(value):
        return "'" + value.replace("'", "''") + "'"
    if not style and not is_json and fits_plain(value, flow=flow):
        if tagged or not is_typed(value):
            return value
    return double_quoted(value)


def double_quoted(value: str) -> str:
    """`value` in double quotes, the same in JSON and in YAML."""
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_PRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
