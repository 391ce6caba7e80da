"""The kinds of test alerts: how often each is sent, and which answer is right."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

_UNLIMITED = 1 << 60


class Kind(StrEnum):
    MARKET = "market"
    BY_VALUE = "market by value"
    BY_EQUITY = "market by equity"
    LIMIT = "limit at the market"
    RESTING = "resting limit"
    STOP = "stop"
    TARGET = "target"
    CANCEL = "cancel"
    CLOSE = "close"
    DUPLICATE = "duplicate"
    NAN = "NaN in an optional field"
    UNKNOWN_SYMBOL = "unknown symbol"
    STALE = "stale"
    LOW_CONFIDENCE = "low confidence"
    TOO_SMALL = "too small"
    WRONG_FIELD = "wrong field"
    BAD_SIGNATURE = "bad signature"


class Rule(NamedTuple):
    """`weight` is a share of all, in thousandths; `status` the right answer; `most` is for one run."""

    weight: float
    status: int
    reason: str = ""
    most: int = _UNLIMITED


RULES: Mapping[Kind, Rule] = {
    Kind.MARKET: Rule(600, 202),
    Kind.BY_VALUE: Rule(80, 202),
    Kind.BY_EQUITY: Rule(30, 202),
    Kind.LIMIT: Rule(120, 202),
    Kind.RESTING: Rule(30, 202),
    Kind.STOP: Rule(15, 202),
    Kind.TARGET: Rule(15, 202),
    Kind.CANCEL: Rule(40, 202),
    Kind.CLOSE: Rule(10, 202),
    Kind.DUPLICATE: Rule(15, 202),
    Kind.NAN: Rule(5, 202, most=5),
    Kind.UNKNOWN_SYMBOL: Rule(10, 422, "unknown_symbol"),
    Kind.STALE: Rule(8, 422, "stale"),
    Kind.LOW_CONFIDENCE: Rule(10, 422, "low_confidence"),
    Kind.TOO_SMALL: Rule(7, 422, "below_minimum"),
    Kind.WRONG_FIELD: Rule(4, 422, "invalid_field", most=20),
    Kind.BAD_SIGNATURE: Rule(1, 401, "signature", most=2),
}
"""What is bad stays below what alert rules take for a fault: a run of this traffic is healthy."""

BAD = frozenset(kind for kind, rule in RULES.items() if rule.reason)

AT_A_PRICE = frozenset({Kind.LIMIT, Kind.RESTING, Kind.STOP, Kind.TARGET})
"""They need the market's price, which is learned from fills."""

SELLING = frozenset({Kind.STOP, Kind.TARGET, Kind.CLOSE})
"""They need something that was bought before."""
