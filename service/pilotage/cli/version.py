"""`pilotage version`."""

from __future__ import annotations

from pilotage import __version__
from pilotage.cli.output import AsJson, print_json, say


def version(as_json: AsJson = False) -> None:
    """Say which version this is."""
    if as_json:
        print_json({"version": __version__})
    else:
        say(f"pilotage {__version__}")
