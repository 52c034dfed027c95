"""The target's applications as they were before the merge: what is good to go back to."""

from __future__ import annotations

from collections.abc import Mapping

from pilotage.core.application import Application, Health, Sync
from pilotage.core.model import Promotion
from pilotage.core.snapshot import Sight


def picture(promotion: Promotion, sights: Mapping[str, Sight]) -> dict[str, Application]:
    """The newest reading of each application that had no operation running."""
    taken = dict(promotion.picture)
    for name, sight in sights.items():
        application = sight.look.application
        if not isinstance(application, Application) or application.being_deleted:
            continue
        operation = application.operation
        if operation is None or not operation.phase.live:
            taken[name] = application
    return taken


def was_good(application: Application) -> bool:
    """Live and healthy, so that going back to it is safe.

    OutOfSync alone is no fault: what only wants pruning, or drifted, ran as well.
    """
    return application.health is Health.HEALTHY and application.sync is not Sync.UNKNOWN
