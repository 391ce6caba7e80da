"""When requests are meant to be sent: evenly spaced, whatever became of the ones before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Schedule:
    """`rate` a second, `count` in all. Times are seconds after the start."""

    rate: float
    count: int

    @classmethod
    def lasting(cls, seconds: float, rate: float) -> Self:
        return cls(rate, max(1, round(seconds * rate)))

    @property
    def seconds(self) -> float:
        """Until the last one's turn is over."""
        return self.count / self.rate

    def intended(self, number: int) -> float:
        """When the request of this number (from 0) is meant to be sent."""
        return number / self.rate

    def due(self, elapsed: float) -> int:
        """How many are meant to have been sent by now."""
        return min(self.count, int(elapsed * self.rate) + 1) if elapsed >= 0 else 0
