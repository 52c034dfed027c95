"""The one way in which an edit or a reading says no."""


class EditRefused(Exception):
    """The text cannot be read or edited safely there; nothing was produced.

    `path` is the path that was asked for (empty when the whole text is meant), `line` the line
    of the text that the reason is about, from 1, `reason` a sentence for a person, `nearest` the
    longest part of a missing path that does exist ("." for the document itself), and `option` the
    keyword of `set_value` that would allow it ("" if none would).
    """

    def __init__(
        self,
        reason: str,
        *,
        path: str = "",
        line: int | None = None,
        nearest: str | None = None,
        option: str = "",
    ) -> None:
        super().__init__(reason, path, line, nearest, option)
        self.reason = reason
        self.path = path
        self.line = line
        self.nearest = nearest
        self.option = option

    def __str__(self) -> str:
        where = ", ".join(
            part for part in (f"line {self.line}" if self.line else "", self.path) if part
        )
        return f"{where}: {self.reason}" if where else self.reason
