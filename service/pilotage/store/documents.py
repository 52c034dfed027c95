"""Frozen values as JSON text and back, unchanged.

The text is plain ASCII: whatever a hostile payload contains (NUL, half a surrogate pair) is
escaped, so that it fits into every database. (Keys of mappings are names of ours and must be
encodable; half a pair in one is replaced.) Fields that the type does not have are skipped, and
missing ones take their default: a document of another version can be read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Discriminator, JsonValue, TypeAdapter, ValidationError

from pilotage.core.acts import Act, Result
from pilotage.core.model import Command, Promotion, Target
from pilotage.store.errors import UnreadableDocument

T = TypeVar("T")
Payload = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Document(Generic[T]):
    """How one type is written and read."""

    adapter: TypeAdapter[T]

    def payload(self, value: T) -> Payload:
        """The value as plain JSON values."""
        plain: Payload = self.adapter.dump_python(value, mode="json")
        return plain

    def text(self, value: T) -> str:
        return _dump(self.adapter.dump_python(value, mode="json"))

    def read(self, text: str, where: str) -> T:
        """`where` names the row in the error.

        Raises:
            UnreadableDocument: the text does not fit the type.
        """
        try:
            plain = json.loads(text)
        except ValueError:
            raise UnreadableDocument(where, ()) from None
        return self.from_payload(plain, where)

    def from_payload(self, payload: Mapping[str, JsonValue], where: str) -> T:
        try:
            return self.adapter.validate_python(payload)
        except ValidationError as error:
            # The error's own text would show stored values.
            places = (".".join(map(str, found["loc"])) for found in error.errors())
            raise UnreadableDocument(where, tuple(places)) from None


def _dump(plain: Any) -> str:
    return json.dumps(plain, ensure_ascii=True, separators=(",", ":"))


PROMOTION: Document[Promotion] = Document(TypeAdapter(Promotion))
TARGET: Document[Target] = Document(TypeAdapter(Target))
ACT: Document[Act] = Document(TypeAdapter(Annotated[Act, Discriminator("kind")]))
RESULT: Document[Result] = Document(TypeAdapter(Annotated[Result, Discriminator("kind")]))
COMMAND: Document[Command] = Document(TypeAdapter(Command))
"""For mail: `COMMAND.payload(command)` and back by `COMMAND.from_payload(mail.payload, where)`."""
PAYLOAD: Document[Payload] = Document(TypeAdapter(Payload))


def target_text(target: Target) -> str:
    """The target without its promotions (rows of their own) and its wake (a column)."""
    return TARGET.text(replace(target, proposal=None, release=None, wake_at=None))
