"""Looks at the outside on behalf of one target, and makes the snapshot that `decide` goes by."""

from pilotage.engine.observe.look import CannotObserve, NotPromoted
from pilotage.engine.observe.observer import Observer

__all__ = ["CannotObserve", "NotPromoted", "Observer"]
