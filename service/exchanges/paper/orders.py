"""An order in the books of the paper exchange, and what is told about it. Pure."""

from __future__ import annotations

from decimal import Context, Decimal

import msgspec

from service.core.orders import FINAL, Fill, OrderStatus, OrderType, Side
from service.core.outcomes import OrderReport, RejectReason

STOPS = frozenset({OrderType.STOP_LOSS, OrderType.TAKE_PROFIT})

_AVERAGE = Context(prec=16)


class PaperOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Base units, quote units a base unit, Unix nanoseconds. `number` counts up over all accounts.

    What was filled is nowhere but in `fills`, so that sums cannot disagree with their parts.
    """

    number: int
    exchange_order_id: str
    account: str
    client_order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    quantity: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    status: OrderStatus
    created_ns: int
    updated_ns: int
    fills: tuple[Fill, ...] = ()
    reject_reason: RejectReason | None = None

    @property
    def is_open(self) -> bool:
        return self.status not in FINAL

    @property
    def filled_qty(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), Decimal(0))

    @property
    def leaves_qty(self) -> Decimal:
        return self.quantity - self.filled_qty

    @property
    def spends(self) -> str:
        """The currency that this order gives away."""
        base, _, quote = self.symbol.partition("/")
        return quote if self.side is Side.BUY else base

    @property
    def receives(self) -> str:
        """The currency that this order brings in, less the fee."""
        base, _, quote = self.symbol.partition("/")
        return base if self.side is Side.BUY else quote


def report(order: PaperOrder) -> OrderReport:
    """Everything the exchange knows of `order`, all of its fills included."""
    return OrderReport(
        client_order_id=order.client_order_id,
        exchange_order_id=order.exchange_order_id,
        symbol=order.symbol,
        status=order.status,
        filled_qty=order.filled_qty,
        ts_event_ns=order.updated_ns,
        average_price=_average_price(order.fills),
        fills=order.fills,
        reject_reason=order.reject_reason,
    )


def _average_price(fills: tuple[Fill, ...]) -> Decimal | None:
    if not fills:
        return None
    price, *others = {fill.price for fill in fills}
    if not others:
        return price
    cost = sum((fill.quantity * fill.price for fill in fills), Decimal(0))
    return _AVERAGE.divide(cost, sum((fill.quantity for fill in fills), Decimal(0)))
