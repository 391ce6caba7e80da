"""What a source holds of a symbol through us: the exact sum of its fills.

Quantities are base units. On spot a fee taken from the base currency leaves less to sell; of a swap the sum is
the part of the position that went through us, which a fee does not touch.
"""

from __future__ import annotations

from decimal import Decimal

from service.core.markets import MATH
from service.core.orders import Fill, Order, Side
from service.journal.protocol import JournalConflict


def change(order: Order, fill: Fill) -> Decimal:
    """What the fill adds to the holding, below 0 for a sale.

    Raises JournalConflict for a fill that cannot be: of an order without a side, or without a finite amount.
    """
    if order.side is None:
        raise JournalConflict(
            f"fill {fill.id}: order {order.id} has no side, nothing was written: "
            "an order gets its side before it is sent, so record the side first"
        )
    if not (fill.quantity.is_finite() and fill.fee.is_finite()):
        raise JournalConflict(
            f"fill {fill.id} of order {order.id}: quantity {fill.quantity} and fee {fill.fee} must be finite numbers, "
            "nothing was written: check what the exchange reported"
        )
    return _change(order.side, order.symbol, fill.quantity, fill.fee, fill.fee_currency)


class SumHeld:
    """The sum of the changes as `sum_held(side, symbol, quantity, fee, fee_currency)` in SQL, in and out as text."""

    ARGUMENTS = 5

    def __init__(self) -> None:
        self._sum = Decimal(0)

    def step(self, side: str, symbol: str, quantity: str, fee: str, fee_currency: str) -> None:
        more = _change(Side(side), symbol, Decimal(quantity), Decimal(fee), fee_currency)
        self._sum = MATH.add(self._sum, more)

    def finalize(self) -> str:
        return str(self._sum)


def _change(side: Side, symbol: str, quantity: Decimal, fee: Decimal, fee_currency: str) -> Decimal:
    moved = quantity if side is Side.BUY else MATH.minus(quantity)
    base, _, quote = symbol.partition("/")
    is_spot = ":" not in quote
    return MATH.subtract(moved, fee) if is_spot and fee_currency == base else moved
