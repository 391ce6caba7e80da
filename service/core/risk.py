"""The checks before an alert is accepted; each returns nothing or raises the `Refusal` that its sender gets."""

from __future__ import annotations

from decimal import Decimal, localcontext

from service.core.alerts import Alert
from service.core.markets import MATH, Market, MarketType, Quote
from service.core.orders import Action, Intent, Leg, OrderType, Side, SizingMethod
from service.core.refusals import DenialReason, Refusal

HALT_OFF = 0
HALT_REDUCING = 1
HALT_STOP = 2

_NS_PER_S = 1_000_000_000


def intent_of(side: Side | None, market_type: MarketType, reduce_only: bool, leg: Leg = Leg.ENTRY) -> Intent:  # noqa: FBT001 - a field
    """EXIT for what can only reduce: reduce_only, the legs stop and target, and on spot every sell.

    A target other than flat, whose side is not known (None), may do anything: ENTRY.
    """
    reduces = reduce_only or leg is not Leg.ENTRY or (market_type is MarketType.SPOT and side is Side.SELL)
    return Intent.EXIT if reduces else Intent.ENTRY


def check_time(timestamp_ns: int | None, now_ns: int, *, stale_after_ns: int, future_tolerance_ns: int) -> None:
    """Refuse an alert that is too old (stale) or from the future (in_future); one without a time passes.

    All times are Unix nanoseconds or nanoseconds; the limits themselves still pass.
    """
    if timestamp_ns is None:
        return
    age_ns = now_ns - timestamp_ns
    if age_ns > stale_after_ns:
        raise Refusal(
            DenialReason.STALE,
            f"the alert is {_seconds(age_ns)} s old, at most {_seconds(stale_after_ns)} s are taken",
            extra={"age_s": _seconds(age_ns), "stale_after_s": _seconds(stale_after_ns)},
        )
    if -age_ns > future_tolerance_ns:
        raise Refusal(
            DenialReason.IN_FUTURE,
            f"the alert's time is {_seconds(-age_ns)} s ahead, at most {_seconds(future_tolerance_ns)} s are taken: "
            "check the sender's clock and time zone",
            extra={"ahead_s": _seconds(-age_ns), "future_tolerance_s": _seconds(future_tolerance_ns)},
        )


def check_confidence(confidence: Decimal | None, minimum: Decimal | None) -> None:
    """Refuse below the minimum (low_confidence); without a confidence or a minimum everything passes."""
    if confidence is not None and minimum is not None and confidence < minimum:
        raise Refusal(
            DenialReason.LOW_CONFIDENCE,
            f"confidence {confidence} is below the minimum of {minimum}",
            extra={"minimum": str(minimum)},
        )


def check_halt(level: int, intent: Intent, action: Action = Action.PLACE) -> None:
    """Refuse under the kill switch (halted): entries from HALT_REDUCING on, everything but cancels under HALT_STOP."""
    if action is Action.CANCEL:
        return
    if level >= HALT_STOP:
        raise Refusal(DenialReason.HALTED, "the operator allows only cancels; send again after the resume")
    if level >= HALT_REDUCING and intent is Intent.ENTRY:
        raise Refusal(DenialReason.HALTED, "the operator allows only orders that reduce; send again after the resume")


def check_market(alert: Alert, market: Market) -> None:
    """Refuse what the market does not have.

    Raises `Refusal`: order_type_unsupported, reduce_only_unsupported, position_unsupported.
    """
    if alert.order_type not in market.order_types:
        known = sorted(market.order_types)
        raise Refusal(
            DenialReason.ORDER_TYPE_UNSUPPORTED,
            f"{market.symbol} has no {alert.order_type} orders; it has {', '.join(known) or 'none'}",
            extra={"order_types": known},
        )
    if alert.reduce_only and alert.side is Side.BUY and market.type is MarketType.SPOT:
        raise Refusal(
            DenialReason.REDUCE_ONLY_UNSUPPORTED,
            f"{market.symbol} is spot: a buy cannot reduce there; leave reduce_only out or name a perpetual",
        )
    if alert.sizing.method is SizingMethod.TARGET and alert.sizing.value < 0 and market.type is MarketType.SPOT:
        raise Refusal(
            DenialReason.POSITION_UNSUPPORTED,
            f"{market.symbol} is spot: nothing can be held short there; send flat, or name an account that trades "
            "perpetuals",
        )


def check_price_band(
    side: Side | None,
    order_type: OrderType,
    price: Decimal | None,
    stop_price: Decimal | None,
    quote: Quote,
    max_deviation_pct: Decimal,
) -> None:
    """Refuse a limit too far on the costly side (price_band): a buy far above, a sell far below the market.

    Deep limits are legitimate, and so are triggers far away: the limit of a stop_loss or take_profit order is
    compared with its trigger, because that is where the market will be.
    """
    if price is None or order_type is OrderType.MARKET or side is None:
        return
    market_price = quote.for_side(side)
    if order_type is not OrderType.LIMIT and stop_price is not None:
        market_price = stop_price
    with localcontext(MATH):
        share = max_deviation_pct / 100
        limit = market_price * (1 + share if side is Side.BUY else 1 - share)
    if price > limit if side is Side.BUY else price < limit:
        bound = "at most" if side is Side.BUY else "at least"
        raise Refusal(
            DenialReason.PRICE_BAND,
            f"a {side} at {price} is over {max_deviation_pct}% worse than {market_price}; {bound} {limit} is taken",
            extra={"limit": str(limit), "market_price": str(market_price)},
        )


def check_size(
    quantity: Decimal | None, reference_price: Decimal | None, market: Market, max_notional: Decimal | None
) -> None:
    """Refuse below the market's minimums (below_minimum) or above `max_notional` quote units (above_maximum).

    `quantity` is base units and is judged as it would be sent, rounded down to the step; None (a size that depends
    on the balance) passes. Without a reference price only the quantity is judged.
    """
    if quantity is None:
        return
    rounded = market.round_quantity(quantity)
    problem = below_minimum(rounded, reference_price, market)
    if problem is not None:
        raise Refusal(DenialReason.BELOW_MINIMUM, problem, extra=_limits(market))
    if reference_price is not None:
        _check_maximum(rounded, reference_price, market, max_notional)


def check_target(target: Decimal, reference_price: Decimal, market: Market, max_notional: Decimal | None) -> None:
    """Refuse a position to end with that is worth more than `max_notional` quote units (above_maximum).

    `target` is base units, below 0 for a short one. How much must be traded to get there, and so whether that is too
    little, shows only when the position is read.
    """
    _check_maximum(market.round_quantity(target.copy_abs()), reference_price, market, max_notional)


def _check_maximum(rounded: Decimal, reference_price: Decimal, market: Market, max_notional: Decimal | None) -> None:
    notional = MATH.multiply(rounded, reference_price)
    if max_notional is not None and notional > max_notional:
        raise Refusal(
            DenialReason.ABOVE_MAXIMUM,
            f"{rounded} {market.base} is worth {notional} {market.quote}, at most {max_notional} is taken",
            extra={"max_notional": str(max_notional)},
        )


def below_minimum(rounded: Decimal, reference_price: Decimal | None, market: Market) -> str | None:
    """What is too small about a quantity already rounded to the step; None when nothing is."""
    if rounded <= 0 or rounded < market.min_quantity:
        least = max(market.min_quantity, market.amount_step)
        return f"{rounded} {market.base} is below the minimum of {least} {market.base}"
    if reference_price is not None:
        notional = MATH.multiply(rounded, reference_price)
        if notional < market.min_notional:
            floor = f"{market.min_notional} {market.quote}"
            return f"{rounded} {market.base} is worth {notional} {market.quote}, below the minimum of {floor}"
    return None


def _limits(market: Market) -> dict[str, object]:
    return {
        "min_quantity": str(market.min_quantity),
        "amount_step": str(market.amount_step),
        "min_notional": str(market.min_notional),
    }


def _seconds(ns: int) -> int:
    """Rounded up, so that what is over a limit also reads as over it."""
    return -(-ns // _NS_PER_S)
