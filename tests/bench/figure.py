"""One measured figure beside its target."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`most`: the largest value that meets the target; `least`: the smallest. With
    neither it is only told, beside one that has a target."""

    what: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None

    @property
    def met(self) -> bool:
        above = self.least is None or self.value >= self.least
        return above and (self.most is None or self.value <= self.most)

    @property
    def measured(self) -> str:
        """Three digits are what such a measurement is good for."""
        if self.value == 0 or abs(self.value) >= 100:
            return f"{self.value:,.0f} {self.unit}"
        digits = 2 - math.floor(math.log10(abs(self.value)))
        return f"{self.value:.{min(digits, 4)}f} {self.unit}"

    @property
    def target(self) -> str:
        if self.most is None and self.least is None:
            return "no target"
        bounds = (("at most", self.most), ("at least", self.least))
        return " and ".join(
            f"{word} {bound:,g} {self.unit}" for word, bound in bounds if bound is not None
        )

    @property
    def verdict(self) -> str:
        if self.most is None and self.least is None:
            return "told"
        return "met" if self.met else "missed"
