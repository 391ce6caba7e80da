"""What an order's step does to an account's money: one rule for placing, filling and ending. Pure and exact."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow, localcontext

from service.core.markets import Balance
from service.core.orders import OrderType, Side
from service.exchanges.paper.orders import PaperOrder

EXACT = Context(prec=120, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
"""Never rounds: amounts come in bounded (settings, checks), so that 120 digits hold every product and sum."""

_ZERO = Decimal(0)
_NOTHING = Balance()


def reserve(order: PaperOrder | None) -> Decimal:
    """Units of `order.spends` that an open order holds back; nothing for the fee, which comes off what is received.

    A stop without a limit holds back what it costs at its stop price; beyond that it needs free money when it
    triggers.
    """
    if order is None or not order.is_open or order.order_type is OrderType.MARKET:
        return _ZERO
    if order.side is Side.SELL:
        return order.leaves_qty
    price = order.stop_price if order.price is None else order.price
    assert price is not None  # only market orders have neither
    return EXACT.multiply(order.leaves_qty, price)


def settle(before: PaperOrder | None, after: PaperOrder, balances: Mapping[str, Balance]) -> dict[str, Balance] | None:
    """The balances that change as `before` (None: just arrived) becomes `after`; None: the money is not there.

    The difference in reserve moves between free and used, new fills move what they spend and bring.
    """
    spends, receives = after.spends, after.receives
    new_fills = after.fills[len(before.fills) if before else 0 :]
    with localcontext(EXACT):
        held = reserve(after) - reserve(before)
        spent = brought = _ZERO
        for fill in new_fills:
            cost = fill.quantity * fill.price
            gives, takes = (cost, fill.quantity) if after.side is Side.BUY else (fill.quantity, cost)
            spent += gives
            brought += takes - fill.fee
        source = balances.get(spends, _NOTHING)
        free = source.free - held - spent
        if free < 0:
            return None
        changed = {spends: Balance(free=free, used=source.used + held)}
        if new_fills:
            target = balances.get(receives, _NOTHING)
            changed[receives] = Balance(free=target.free + brought, used=target.used)
    return changed
