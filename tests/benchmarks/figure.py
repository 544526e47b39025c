"""One measured figure, as `var/bench.json` holds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """`goal` is None where there is none. `better`: lower or higher."""

    name: str
    value: float
    unit: str
    goal: float | None
    better: str = "lower"

    @property
    def is_met(self) -> bool | None:
        """None without a goal."""
        if self.goal is None:
            return None
        return self.value <= self.goal if self.better == "lower" else self.value >= self.goal
