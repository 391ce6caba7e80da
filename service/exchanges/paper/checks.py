"""Which order requests the paper exchange refuses before it looks at money, and why. Pure."""

from __future__ import annotations

import re
from decimal import Decimal

from service.core.markets import MATH, Market, Quote
from service.core.orders import OrderType, Side
from service.core.outcomes import Refused, RejectReason
from service.exchanges.paper.matching import is_reached
from service.exchanges.paper.orders import STOPS, PaperOrder
from service.exchanges.protocol import OrderRequest

_CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_LARGEST_EXPONENT = 12


def invalid(message: str) -> Refused:
    return Refused(reason=RejectReason.INVALID_ORDER, message=message)


def check_request(request: OrderRequest, market: Market | None, quote: Quote | None) -> Refused | None:
    """None where the request is a valid order. A price on a market order is ignored, as exchanges do."""
    if market is None or quote is None:
        return invalid(f"symbol {request.symbol[:32]!r} is not traded here; expected one of the exchange's markets")
    if not _CLIENT_ORDER_ID.fullmatch(request.client_order_id):
        return invalid("the client order id must be 1 to 64 of the characters A-Z a-z 0-9 . _ : -")
    return _check_shape(request) or _check_numbers(request, market) or _check_minimums(request, market, quote)


def check_trigger(order: PaperOrder, quote: Quote) -> Refused | None:
    """A stop on the wrong side of the market would trigger at once; exchanges refuse it (Binance: -2010)."""
    if order.order_type not in STOPS:
        return None
    price = quote.for_side(order.side)
    if not is_reached(order, price):
        return None
    below = (order.side is Side.SELL) == (order.order_type is OrderType.STOP_LOSS)
    wanted = "below" if below else "above"
    return invalid(
        f"{order.order_type} {order.side} at {order.stop_price} would trigger at once: "
        f"the market is at {price}, the stop price must be {wanted} it"
    )


def _check_shape(request: OrderRequest) -> Refused | None:
    kind = request.order_type
    if kind is OrderType.LIMIT and request.price is None:
        return invalid("a limit order needs a price")
    if kind in STOPS and request.stop_price is None:
        return invalid(f"a {kind} order needs a stop price")
    if kind not in STOPS and request.stop_price is not None:
        return invalid(f"a {kind} order takes no stop price; send stop_loss or take_profit instead")
    if request.reduce_only and request.side is Side.BUY:
        return invalid("on spot a buy cannot reduce a position; send it without reduce_only")
    return None


def _check_numbers(request: OrderRequest, market: Market) -> Refused | None:
    for name, value, size in (
        ("quantity", request.quantity, market.amount_step),
        ("price", None if request.order_type is OrderType.MARKET else request.price, market.price_tick),
        ("stop price", request.stop_price, market.price_tick),
    ):
        if value is None:
            continue
        # Bounded first: arithmetic on, or formatting of, 1e999999999 would eat the memory.
        if not value.is_finite() or value <= 0 or value.adjusted() > _LARGEST_EXPONENT:
            return invalid(f"{name} must be positive and below 1e{_LARGEST_EXPONENT + 1}")
        if not _is_multiple(value, size):
            return invalid(f"{name} must be a multiple of {size:f}")
    return None


def _is_multiple(value: Decimal, size: Decimal) -> bool:
    return value >= size and not MATH.remainder(value, size)


def _check_minimums(request: OrderRequest, market: Market, quote: Quote) -> Refused | None:
    if request.quantity < market.min_quantity:
        return invalid(f"quantity {request.quantity:f} is below the minimum of {market.min_quantity:f} {market.base}")
    limit = None if request.order_type is OrderType.MARKET else request.price or request.stop_price
    notional = request.quantity * (limit or quote.for_side(request.side))
    if notional < market.min_notional:
        return invalid(f"a value of {notional:f} is below the minimum of {market.min_notional:f} {market.quote}")
    return None
