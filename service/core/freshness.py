"""Whether an acknowledged order may still be sent: never late, never at any price.

Asked before every first or repeated send.
"""

from __future__ import annotations

from decimal import Decimal

from service.core.markets import MATH, Quote
from service.core.orders import Intent, Order, OrderType, SizingMethod
from service.core.refusals import ExpiryReason

_NS_PER_S = 1_000_000_000
MARKET_ENTRY_MAX_AGE_NS = 30 * _NS_PER_S
OTHER_ENTRY_MAX_AGE_NS = 300 * _NS_PER_S

_RECENT_NS = 60 * _NS_PER_S

_BPS = Decimal(10_000)


def default_max_age_ns(intent: Intent, order_type: OrderType) -> int | None:
    """How long an order may wait from receipt on, in nanoseconds; None (exits): as long as it takes."""
    if intent is Intent.EXIT:
        return None
    return MARKET_ENTRY_MAX_AGE_NS if order_type is OrderType.MARKET else OTHER_ENTRY_MAX_AGE_NS


def drift_bps(arrival_price: Decimal, price: Decimal) -> Decimal:
    """How far the price has moved since arrival, in basis points of the price at arrival, in either direction."""
    moved = MATH.abs(MATH.subtract(price, arrival_price))
    return MATH.multiply(MATH.divide(moved, arrival_price), _BPS)


def recent(quote: Quote | None, now_ns: int) -> Quote | None:
    """The quote, unless it is so old that it is no price at `now_ns`: while an exchange is out, prices stand still.

    One stamped far in the future was learned before the clock jumped back, nobody knows when.
    """
    return None if quote is None or abs(now_ns - quote.ts_ns) > _RECENT_NS else quote


def too_old(order: Order, now_ns: int) -> bool:
    """Whether the order has waited longer than its `max_age_ns`, counted from `received_ns`."""
    return order.max_age_ns is not None and now_ns - order.received_ns > order.max_age_ns


def expiry(order: Order, *, now_ns: int, quote: Quote | None) -> ExpiryReason | None:
    """Why the order must not be sent any more at `now_ns`; None: send it.

    The age counts from `received_ns`. Drift counts for market entries, in both directions: a price that fell is as
    little the situation of the alert as one that rose. Where drift is limited and either price is unknown, nothing
    shows that it is near: NO_MARKET_DATA.
    """
    if too_old(order, now_ns):
        return ExpiryReason.MAX_AGE
    is_market_entry = order.order_type is OrderType.MARKET and order.intent is Intent.ENTRY
    if not is_market_entry or order.max_drift_bps is None:
        return None
    if quote is None or order.arrival_price is None or order.arrival_price <= 0:
        return ExpiryReason.NO_MARKET_DATA
    # A target learns its side after its price at arrival was noted; a middle is compared with a middle.
    side = None if order.sizing.method is SizingMethod.TARGET else order.side
    if drift_bps(order.arrival_price, quote.for_side(side)) > order.max_drift_bps:
        return ExpiryReason.PRICE_DRIFT
    return None
