"""One measured figure beside its target."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`most`: the largest value that meets the target."""

    row: str
    what: str
    value: float
    unit: str
    most: float

    @property
    def met(self) -> bool:
        return self.value <= self.most

    def __str__(self) -> str:
        verdict = "met" if self.met else "MISSED"
        return (
            f"{self.row:<8} {self.what:<52} {self.value:>8.2f} {self.unit:<10}"
            f" target <= {self.most:g} {self.unit}: {verdict}"
        )
