"""Turns the wheel: observe, decide, record, perform; one leased target at a time."""
