"""What is made of measured numbers: percentiles, medians of rounds, slopes, ratios against bars."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

Compare = Literal["at most", "at least"]

_SLOPE_POINTS = 200


class Bar(NamedTuple):
    """A ratio of two figures of one run, and what it has to be."""

    name: str
    ratio: float
    compare: Compare
    limit: float

    @property
    def met(self) -> bool:
        """A ratio that could not be measured meets nothing."""
        return self.ratio <= self.limit if self.compare == "at most" else self.ratio >= self.limit


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of them do not exceed; NaN of none.

    Raises:
        ValueError: `share` is no share.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a percentile's share is {share}; expected 0 to 1")
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


def ratio(value: float, by: float) -> float:
    """NaN where there is nothing to divide by."""
    return value / by if by else math.nan


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """By name, over rounds that have the same names; a figure that is NaN in one round does not count there."""
    return {name: _median([one[name] for one in rounds]) for name in rounds[0]} if rounds else {}


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Change of `values` a unit of `times`: the median of the slopes between all pairs (Theil-Sen).

    A step or two, as of a cache that is freed, does not move it. NaN for fewer than two different times.
    """
    step = max(1, len(times) // _SLOPE_POINTS)
    points = list(zip(times, values, strict=True))[::step]
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2]
    return statistics.median(slopes) if slopes else math.nan


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return statistics.median(known) if known else math.nan
