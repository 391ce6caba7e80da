"""What the engine checks before it takes an order: filters, triggers, used ids, funds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from tests.simulator.account import Account, paid_currency
from tests.simulator.model import RejectCode, Rejection, SimBalance, SimOrder, fits


def refusal_of(
    order: SimOrder,
    prices: tuple[Decimal, Decimal] | None,
    account: Account,
    balances: Callable[[], Mapping[str, SimBalance]],
    *,
    duplicate: bool,
    post_only: bool,
) -> Rejection | None:
    """The first reason to refuse the order, None for none; `prices` are bid and ask."""
    if prices is None:
        return Rejection(RejectCode.NO_PRICE, f"no price was set for {order.symbol}")
    bid, ask = prices
    return (
        _filter_refusal(order, bid, ask)
        or _state_refusal(order, bid, ask, account, duplicate=duplicate, post_only=post_only)
        or _funds_refusal(order, bid, ask, account, balances())
    )


def _filter_refusal(order: SimOrder, bid: Decimal, ask: Decimal) -> Rejection | None:
    instrument = order.instrument
    if not instrument.min_qty <= order.quantity <= instrument.max_qty or not fits(order.quantity, instrument.step):
        return Rejection(RejectCode.INVALID_QUANTITY, f"{order.quantity} does not fit the step {instrument.step}")
    for price in (order.price, order.trigger):
        if price is not None and (price <= 0 or not fits(price, instrument.tick)):
            return Rejection(RejectCode.INVALID_PRICE, f"{price} does not fit the tick {instrument.tick}")
    if not order.reduce_only:
        notional = instrument.notional(order.quantity, reserve_price(order, bid, ask))
        if notional < instrument.min_notional:
            return Rejection(RejectCode.MIN_NOTIONAL, f"{notional} is below {instrument.min_notional}")
    return None


def _state_refusal(
    order: SimOrder, bid: Decimal, ask: Decimal, account: Account, *, duplicate: bool, post_only: bool
) -> Rejection | None:
    if duplicate:
        return Rejection(RejectCode.DUPLICATE_ID, f"{order.client_id} was used")
    if order.trigger is not None and is_triggered(order, bid, ask):
        return Rejection(RejectCode.WOULD_TRIGGER, f"{order.trigger} would trigger at once")
    if post_only and order.price is not None and (order.price >= ask if order.side == "buy" else order.price <= bid):
        return Rejection(RejectCode.POST_ONLY, f"{order.price} would take")
    if order.reduce_only and order.instrument.kind == "swap" and not account.reducible(order.symbol, order.side):
        return Rejection(RejectCode.REDUCE_ONLY, "no position to reduce")
    return None


def _funds_refusal(
    order: SimOrder, bid: Decimal, ask: Decimal, account: Account, balances: Mapping[str, SimBalance]
) -> Rejection | None:
    price = reserve_price(order, bid, ask)
    if order.instrument.kind == "swap":
        currency = order.instrument.quote
        added = max(Decimal(0), order.quantity - account.reducible(order.symbol, order.side))
        fee = order.instrument.taker_fee * order.instrument.notional(added, price)
        needed = Decimal(0) if order.reduce_only else account.margin(order.instrument, added, price) + fee
    else:
        currency = paid_currency(order)
        needed = order.quantity * price if order.side == "buy" else order.quantity
    held = balances.get(currency)
    free = held.free if held is not None else Decimal(0)
    if needed > free:
        return Rejection(RejectCode.INSUFFICIENT_FUNDS, f"{needed} {currency} needed, {free} free")
    return None


def reserve_price(order: SimOrder, bid: Decimal, ask: Decimal) -> Decimal:
    """At which an order is reckoned before it trades: its own, else its trigger, else the touch."""
    touch = ask if order.side == "buy" else bid
    return order.price or order.trigger or touch


def is_triggered(order: SimOrder, bid: Decimal, ask: Decimal) -> bool:
    """A stop triggers when the price runs against the position, a take-profit when it runs with it."""
    assert order.trigger is not None
    rises = (order.side == "buy") == (order.type == "stop_loss")
    return ask >= order.trigger if rises else bid <= order.trigger
