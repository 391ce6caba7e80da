"""What a start does with the orders that the last one left unfinished."""

from __future__ import annotations

import asyncio
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

_TOGETHER = 64
"""Orders continued before the lanes get a turn: the first must not wait for thousands behind it."""


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
    begun = [live for order in orders if (live := await _track(order, journal, register, funds, exchanges)) is not None]
    # All before any lane moves: the first order sized must see what every order in doubt may have taken.
    for live in begun:
        if live.uncertain:
            _reserve(live.order, funds[live.order.account], exchanges[live.order.exchange])

    async def told(live: LiveOrder) -> None:
        identity = live.identity | attributes.outcome(live.order)
        trace, links = attributes.trace_of(live.order), _last_span(live.order)
        with telemetry.span(c.SPAN_ORDER_RESUME, identity, parent=trace, links=links):
            if live.order.status is _S.SUBMITTED:
                async with live.lock:
                    await register.move(live, _S.IN_DOUBT, reason="restarted while submitted")

    # One a lane at most; together, so that they share commits.
    submitted = {live.order.id for live in begun if live.order.status is _S.SUBMITTED}
    await asyncio.gather(*(told(live) for live in begun if live.order.id in submitted))
    for number, live in enumerate(begun):
        if live.order.id not in submitted:
            await told(live)
        if live.order.status not in RESTING | ENDED:
            executor.submit(live)
        if number % _TOGETHER == 0:
            await asyncio.sleep(0)  # the lanes that have their orders begin
    return len(orders)


async def _track(
    order: Order,
    journal: Journal,
    register: Register,
    funds: Mapping[str, AccountFunds],
    exchanges: Mapping[str, Exchange],
) -> LiveOrder | None:
    if order.account not in funds or order.exchange not in exchanges:
        log.error(
            "order %s is unfinished, but account %s at %s is not configured any more: configure it again, or resolve "
            "the order",
            order.id,
            order.account,
            order.exchange,
            extra={"order_id": order.id},
        )
        return None
    return register.track(order, await journal.fills(order.id) if order.filled_qty else ())


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
