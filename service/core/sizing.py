"""How much to trade: from an alert's sizing and the account's balances to a quantity that can be paid.

All of it happens in `MATH`, where quotients are cut towards zero: a size is never rounded up.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

import msgspec

from service.core.markets import MATH, Balance, Market, MarketType, Quote
from service.core.orders import Order, OrderType, Side, SizingMethod
from service.core.refusals import DenialReason
from service.core.risk import below_minimum

_ABSOLUTE = frozenset({SizingMethod.EXPLICIT, SizingMethod.QUOTE_AMOUNT})
_ZERO = Decimal(0)
_NO_BALANCE = Balance()
_SHOWN = Context(prec=12, rounding=ROUND_HALF_EVEN)  # for reading only, never for trading


class Sized(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity (base units, on the market's step) that the account can pay.

    `adjusted_from` is what was asked for where the balance allowed less. `equity` (quote units) is the free quote
    currency and all held base at mid; `percent_of_equity` what the quantity is of it, None without equity.
    `reserve_amount` of `reserve_currency` is what the order uses up once it is sent.
    """

    quantity: Decimal
    adjusted_from: Decimal | None
    equity: Decimal
    percent_of_equity: Decimal | None
    reserve_currency: str
    reserve_amount: Decimal


class Unsizable(msgspec.Struct, frozen=True, kw_only=True):
    """No quantity can be sent, and why."""

    reason: DenialReason
    detail: str


class _Account(msgspec.Struct, frozen=True, kw_only=True):
    """What sizing needs of the balances: `free_*` without what other orders have reserved, never below 0."""

    free_base: Decimal
    held_base: Decimal
    free_quote: Decimal
    equity: Decimal


def size_order(
    order: Order, market: Market, quote: Quote, balances: Mapping[str, Balance], reserved: Mapping[str, Decimal]
) -> Sized | Unsizable:
    """The quantity to send for a spot order, rounded down to the step.

    `reserved` is what orders under way use up and `balances` do not show yet, by currency. An absolute size (base or
    quote units) beyond what is free is refused; a relative one, and every reduce_only sell, is cut to what is free.
    """
    if market.type is not MarketType.SPOT:
        detail = f"{market.symbol} is a {market.type} market; only spot orders can be sized"
        return Unsizable(reason=DenialReason.ORDER_TYPE_UNSUPPORTED, detail=detail)
    reference = _reference_price(order, quote)
    if reference <= 0 or quote.mid <= 0:
        return Unsizable(reason=DenialReason.NO_MARKET_DATA, detail=f"no price above 0 is known for {market.symbol}")
    with localcontext(MATH):
        account = _account(market, quote, balances, reserved)
        wanted = _wanted(order, reference, account)
        if isinstance(wanted, Unsizable):
            return wanted
        return _fit(order, market, reference, wanted, account)


def _reference_price(order: Order, quote: Quote) -> Decimal:
    """The price that the order's size is about: its limit, its trigger, or what a market order meets."""
    if order.order_type is OrderType.MARKET:
        return quote.for_side(order.side)
    own = order.price if order.order_type is OrderType.LIMIT else order.stop_price
    return quote.for_side(order.side) if own is None else own


def _account(
    market: Market, quote: Quote, balances: Mapping[str, Balance], reserved: Mapping[str, Decimal]
) -> _Account:
    base, cash = balances.get(market.base, _NO_BALANCE), balances.get(market.quote, _NO_BALANCE)
    free_base = max(base.free - reserved.get(market.base, _ZERO), _ZERO)
    free_quote = max(cash.free - reserved.get(market.quote, _ZERO), _ZERO)
    equity = free_quote + base.total * quote.mid
    return _Account(free_base=free_base, held_base=base.total, free_quote=free_quote, equity=equity)


def _wanted(order: Order, reference: Decimal, account: _Account) -> Decimal | Unsizable:
    """Base units, before rounding and before what can be paid."""
    sizing = order.sizing
    if sizing.method is SizingMethod.EXPLICIT:
        return sizing.value
    if sizing.method is SizingMethod.QUOTE_AMOUNT:
        return sizing.value / reference
    share = sizing.value / 100
    if sizing.method is SizingMethod.FIXED_PERCENTAGE:
        return account.held_base * share if order.side is Side.SELL else account.equity * share / reference
    distance = _distance(order, reference)
    if isinstance(distance, Unsizable):
        return distance
    return account.equity * share / distance


def _distance(order: Order, reference: Decimal) -> Decimal | Unsizable:
    """Quote units a base unit between entry and exit."""
    sizing = order.sizing
    if sizing.method is SizingMethod.VOLATILITY_ADJUSTED:
        distance = (sizing.atr or _ZERO) * (sizing.atr_multiple or _ZERO)
        detail = "a volatility-adjusted size needs atr and atr_multiple above 0"
    elif sizing.stop is None:
        distance, detail = _ZERO, "a risk-based size needs a stop"
    else:
        # A stop on the side of the gain limits no loss: most likely the price went past it while the order waited.
        distance = reference - sizing.stop if order.side is Side.BUY else sizing.stop - reference
        side = "below" if order.side is Side.BUY else "above"
        detail = f"the stop at {sizing.stop} is not {side} the price of {reference}, so no loss is limited by it"
    return distance if distance > 0 else Unsizable(reason=DenialReason.INVALID_FIELD, detail=detail)


def _fit(order: Order, market: Market, reference: Decimal, wanted: Decimal, account: _Account) -> Sized | Unsizable:
    """`wanted` rounded down and, where it may be, cut to what is free."""
    is_buy = order.side is Side.BUY
    # A stop with a limit pays up to its limit.
    cost = max(reference, order.price or _ZERO) if is_buy and order.order_type is not OrderType.MARKET else reference
    asked = market.round_quantity(wanted)
    most = market.round_quantity(account.free_quote / cost if is_buy else account.free_base)
    may_cut = order.sizing.method not in _ABSOLUTE or (order.reduce_only and not is_buy)
    currency, free = (market.quote, account.free_quote) if is_buy else (market.base, account.free_base)
    if asked > most and not may_cut:
        needed = asked * cost if is_buy else asked
        detail = f"{needed} {currency} is needed, {free} {currency} is free"
        return Unsizable(reason=DenialReason.INSUFFICIENT_BALANCE, detail=detail)
    quantity = min(asked, most)
    problem = below_minimum(quantity, reference, market)
    if problem is not None:
        cut = f"; {asked} was asked for, {free} {currency} is free" if asked > most else ""
        return Unsizable(reason=DenialReason.BELOW_MINIMUM, detail=problem + cut)
    return Sized(
        quantity=quantity,
        adjusted_from=asked if asked > most else None,
        equity=account.equity,
        percent_of_equity=_percent(quantity * reference, account.equity),
        reserve_currency=currency,
        reserve_amount=quantity * cost if is_buy else quantity,
    )


def _percent(part: Decimal, whole: Decimal) -> Decimal | None:
    return _SHOWN.divide(part * 100, whole) if whole > 0 else None
