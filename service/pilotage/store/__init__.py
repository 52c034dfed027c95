"""What the service remembers: inbox, targets with their leases, promotions, acts, history."""

from pilotage.store.errors import (
    ActNotPending,
    LeaseLost,
    SchemaNewer,
    SchemaOlder,
    StoreError,
    StoreUnavailable,
    UnknownTarget,
    UnreadableDocument,
)
from pilotage.store.records import (
    ActState,
    Delivery,
    Event,
    Happening,
    Lease,
    Loaded,
    Mail,
    RecordedAct,
    Report,
    TargetRow,
)
from pilotage.store.store import Store

__all__ = [
    "ActNotPending",
    "ActState",
    "Delivery",
    "Event",
    "Happening",
    "Lease",
    "LeaseLost",
    "Loaded",
    "Mail",
    "RecordedAct",
    "Report",
    "SchemaNewer",
    "SchemaOlder",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "TargetRow",
    "UnknownTarget",
    "UnreadableDocument",
]
