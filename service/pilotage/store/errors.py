"""What can go wrong with the store. No message contains stored contents or a password."""

from __future__ import annotations

from collections.abc import Collection


class StoreError(Exception):
    """Base of everything that the store raises on purpose."""


class StoreUnavailable(StoreError):
    """The database cannot be opened, or did not answer. Nothing was written; try again later."""

    def __init__(self, url: str, reason: str, advice: str = "") -> None:
        self.url = url
        self.reason = reason
        self.advice = advice
        """What to do about it, in words of ours; names neither hosts nor users nor paths."""
        more = f"; {advice}" if advice else ""
        super().__init__(f"the database {url} is not available: {reason}{more}")


class SchemaNewer(StoreError):
    """A newer version of the service has already changed the schema."""

    def __init__(self, found: str, known: str) -> None:
        self.found = found
        self.known = known
        super().__init__(
            f"the database has schema {found}, which this version of Pilotage does not know "
            f"(its newest is {known}): start the newer version again, or restore the backup from "
            "before its migration"
        )


class SchemaOlder(StoreError):
    """The schema must be migrated first, and the caller asked not to."""

    def __init__(self, found: str | None, known: str) -> None:
        self.found = found
        self.known = known
        super().__init__(
            f"the database has {f'schema {found}' if found else 'no schema yet'}, and this version "
            f"of Pilotage needs {known}: start `pilotage serve` once, which migrates it"
        )


class LeaseLost(StoreError):
    """Somebody else has the target now (or the lease was given back). Nothing was written."""

    def __init__(self, target: str, owner: str, fence: int) -> None:
        self.target = target
        self.owner = owner
        self.fence = fence
        super().__init__(
            f"{owner} no longer holds the lease of target {target} (fence {fence}); "
            "nothing was written, and whoever holds it now goes on"
        )


class UnknownTarget(StoreError):
    """Something was addressed to targets that do not exist."""

    def __init__(self, targets: Collection[str]) -> None:
        self.targets = tuple(sorted(targets))
        super().__init__(f"no such target: {', '.join(self.targets)}")


class ActNotPending(StoreError):
    """The act was never recorded for this target, or is finished; what is stored was left alone."""

    def __init__(self, key: str, target: str) -> None:
        self.key = key
        self.target = target
        super().__init__(f"target {target} has no pending act {key}")


class UnreadableDocument(StoreError):
    """A stored document does not fit the type that it was written as."""

    def __init__(self, where: str, fields: Collection[str]) -> None:
        self.where = where
        self.fields = tuple(fields)
        super().__init__(
            f"the stored document of {where} cannot be read by this version of Pilotage "
            f"(at {', '.join(self.fields) or 'its beginning'}): was it written by a newer version?"
        )
