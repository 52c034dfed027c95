"""Frozen values as JSON text and back, unchanged.

The text is plain ASCII: whatever a hostile payload contains (NUL, half a surrogate pair) is
escaped, so that it fits into every database. (Keys of mappings are names of ours and must be
encodable; half a pair in one is replaced.) Fields that the type does not have are skipped, and
missing ones take their default: a document of another version can be read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Annotated, Generic, TypeVar

from pydantic import Discriminator, JsonValue, TypeAdapter, ValidationError

from pilotage.core.acts import Act, Result
from pilotage.core.model import Promotion, Target
from pilotage.store.errors import UnreadableDocument

T = TypeVar("T")
Payload = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Document(Generic[T]):
    """How one type is written and read."""

    adapter: TypeAdapter[T]

    def text(self, value: T) -> str:
        plain = self.adapter.dump_python(value, mode="json")
        return json.dumps(plain, ensure_ascii=True, separators=(",", ":"))

    def read(self, text: str, where: str) -> T:
        """`where` names the row in the error.

        Raises:
            UnreadableDocument: the text does not fit the type.
        """
        try:
            plain = json.loads(text)
        except ValueError:
            raise UnreadableDocument(where, ()) from None
        try:
            return self.adapter.validate_python(plain)
        except ValidationError as error:
            # The error's own text would show stored values.
            places = (".".join(map(str, found["loc"])) for found in error.errors())
            raise UnreadableDocument(where, tuple(places)) from None


PROMOTION: Document[Promotion] = Document(TypeAdapter(Promotion))
TARGET: Document[Target] = Document(TypeAdapter(Target))
ACT: Document[Act] = Document(TypeAdapter(Annotated[Act, Discriminator("kind")]))
RESULT: Document[Result] = Document(TypeAdapter(Annotated[Result, Discriminator("kind")]))
PAYLOAD: Document[Payload] = Document(TypeAdapter(Payload))


def target_text(target: Target) -> str:
    """The target without its promotions (rows of their own) and its wake (a column)."""
    return TARGET.text(replace(target, proposal=None, release=None, wake_at=None))
