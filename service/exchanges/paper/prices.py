"""Invented prices: a seeded geometric random walk, quoted with a spread at the market's tick. Pure."""

from __future__ import annotations

import math
import random
from decimal import ROUND_CEILING, Context, Decimal
from typing import Protocol

from service.core.markets import Market, Quote

_MID = Context(prec=14)
"""Finer than any tick, so that a walk of small moves is not stuck on it."""

_LOWEST, _HIGHEST = Decimal("1e-9"), Decimal("1e12")
_BPS = Decimal(10_000)


class PriceSource(Protocol):
    def next_mid(self, symbol: str, mid: Decimal, tick: int) -> Decimal:
        """The positive mid price (quote units) at `tick`, which is one more than that of `mid`."""
        ...


def step(price: Decimal, rng: random.Random, volatility: float) -> Decimal:
    """One step of a geometric walk without drift: `volatility` is the deviation of the relative move."""
    # The factor is chance, not money: nine decimals of it, so that the last bit of a platform's exp() is no matter.
    factor = math.exp(volatility * rng.gauss(0.0, 1.0) - volatility * volatility / 2)
    moved = _MID.multiply(price, Decimal(f"{factor:.9f}"))
    return min(max(moved, _LOWEST), _HIGHEST)


class RandomWalk:
    """Each tick's move depends only on seed, symbol and tick: a restart continues the very same walk."""

    def __init__(self, seed: int, volatility: float) -> None:
        self._seed = seed
        self._volatility = volatility

    def next_mid(self, symbol: str, mid: Decimal, tick: int) -> Decimal:
        rng = random.Random(f"{self._seed}/{symbol}/{tick}")  # noqa: S311 - repeatable on purpose, nothing secret
        return step(mid, rng, self._volatility)


def quote_around(market: Market, mid: Decimal, spread_bps: Decimal, ts_ns: int) -> Quote:
    """Bid and ask half a spread off `mid`, rounded away from it to the tick; never crossed, the bid at least a tick."""
    half = mid * spread_bps / _BPS / 2
    bid = max(market.round_price(mid - half), market.price_tick)
    ticks = ((mid + half) / market.price_tick).to_integral_value(ROUND_CEILING)
    ask = max(ticks * market.price_tick, bid + market.price_tick)
    return Quote(symbol=market.symbol, bid=bid, ask=ask, ts_ns=ts_ns)
