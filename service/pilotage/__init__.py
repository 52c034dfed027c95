"""Pilotage brings a proven version from staging to production, and back if it fails."""

__version__ = "0.1.0"
