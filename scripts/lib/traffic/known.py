"""What a run knows of its lanes: what it bought there, what rests there, and the prices it saw."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from decimal import Decimal

from scripts.lib.traffic.target import Lane

_AFTER_FEES = Decimal("0.995")
_PRICE_KEPT_S = 120.0
_ASKED_AGAIN_S = 5.0


@dataclass(slots=True)
class LaneState:
    """`lots` are base units, each as it was bought less its fee; `resting` is how many orders were left there."""

    lots: deque[Decimal] = field(default_factory=deque)
    resting: int = 0


class Known:
    """Prices are quote units, learned from fills and forgotten after two minutes; times are Unix seconds."""

    def __init__(self) -> None:
        self._lanes: defaultdict[tuple[str, str], LaneState] = defaultdict(LaneState)
        self._prices: dict[str, tuple[Decimal, float]] = {}
        self._asked: dict[str, float] = {}

    def of(self, lane: Lane) -> LaneState:
        return self._lanes[lane.account, lane.market.symbol]

    def bought(self, lane: Lane, quantity: Decimal) -> None:
        self.of(lane).lots.append(quantity * _AFTER_FEES)

    def learn(self, symbol: str, price: Decimal, now: float) -> None:
        self._prices[symbol] = (price, now)

    def price(self, lane: Lane, now: float) -> Decimal | None:
        price, at = self._prices.get(lane.market.symbol, (None, 0.0))
        return price if now - at < _PRICE_KEPT_S else None

    def asks(self, lane: Lane, now: float) -> bool:
        """Whether the market's price should be learned by this order: it is not known, and no other one asks."""
        symbol = lane.market.symbol
        if self.price(lane, now) is not None or now < self._asked.get(symbol, 0.0):
            return False
        self._asked[symbol] = now + _ASKED_AGAIN_S
        return True
