"""What a start does with the orders that the last one left unfinished."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from decimal import Decimal

from service.clock import Clock
from service.core.orders import RESTING, Order, OrderStatus, Side
from service.core.settling import ENDED
from service.exchanges.protocol import Exchange
from service.execution import attributes
from service.execution.executor import Executor
from service.execution.funds import AccountFunds
from service.execution.register import LiveOrder, Register
from service.journal.protocol import Journal
from telemetry import conventions as c
from telemetry.facade import SpanContext, Telemetry

log = logging.getLogger(__name__)

_S = OrderStatus


async def resume(
    *,
    journal: Journal,
    register: Register,
    executor: Executor,
    funds: Mapping[str, AccountFunds],
    exchanges: Mapping[str, Exchange],
    telemetry: Telemetry,
    clock: Clock,
) -> int:
    """Continue every unfinished order, oldest first; how many.

    SUBMITTED becomes IN_DOUBT: whether the request left before the end is not known. The lanes then take each order
    on from its state; what is not fresh any more ends EXPIRED there.
    """
    orders = await journal.unfinished(clock.now_ns())
    for order in orders:
        if order.account not in funds or order.exchange not in exchanges:
            log.error(
                "order %s is unfinished, but account %s at %s is not configured any more: configure it again, or "
                "resolve the order",
                order.id,
                order.account,
                order.exchange,
            )
            continue
        fills = await journal.fills(order.id) if order.filled_qty else ()
        live = register.track(order, fills)
        with telemetry.span(
            c.SPAN_ORDER_RESUME,
            attributes.identity(order) | attributes.outcome(order),
            parent=attributes.trace_of(order),
            links=_last_span(order),
        ):
            await _continue(live, register, executor, funds[order.account], exchanges[order.exchange])
    return len(orders)


async def _continue(
    live: LiveOrder, register: Register, executor: Executor, funds: AccountFunds, exchange: Exchange
) -> None:
    if live.order.status is _S.SUBMITTED:
        async with live.lock:
            await register.move(live, _S.IN_DOUBT, reason="restarted while submitted")
    if live.order.status is _S.IN_DOUBT:
        _reserve(live.order, funds, exchange)
    if live.order.status not in RESTING | ENDED:
        executor.submit(live)


def _reserve(order: Order, funds: AccountFunds, exchange: Exchange) -> None:
    """What an order in doubt may have taken; without this the next order could spend it again."""
    market = exchange.markets.get(order.symbol)
    if market is None or order.quantity is None:
        return
    quote = exchange.quote(order.symbol)
    price = order.price or order.stop_price or (quote.ask if quote else order.arrival_price) or Decimal(0)
    if order.side is Side.BUY:
        funds.reserve(order.id, market.quote, order.quantity * price)
    else:
        funds.reserve(order.id, market.base, order.quantity)


def _last_span(order: Order) -> tuple[SpanContext, ...]:
    return (SpanContext(order.trace.trace_id, order.last_span_id),) if order.last_span_id else ()
