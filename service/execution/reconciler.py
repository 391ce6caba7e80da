"""The reconciler: finds out what became of an order in doubt.

It asks by client order id, with growing pauses, until the exchange knows the order, its absence is proven, or the
operator decides. Nothing is assumed in between.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from service.clock import Clock
from service.core.orders import Order, OrderStatus, SizingMethod
from service.core.outcomes import Found, OrderReport, RejectReason, absence_provable_at, may_resend_after_absence
from service.exchanges.protocol import OrderRef, Priority
from service.execution import attributes
from service.execution.calls import ExchangeCalls
from service.execution.register import LiveOrder, Register
from service.journal.protocol import JournalUnavailable
from telemetry import conventions as c
from telemetry.facade import Span, Telemetry

log = logging.getLogger(__name__)

_S = OrderStatus

ABSENT = "absent"
RESEND = "absent_resend"
"""Reasons of ABSENT: for good, or about to be sent again if the executor's checks still allow it."""


class Reconciler:
    """`first_delay` and `max_delay` are the pauses between look-ups, in seconds; each is twice the one before."""

    def __init__(
        self,
        *,
        register: Register,
        exchanges: Mapping[str, ExchangeCalls],
        telemetry: Telemetry,
        clock: Clock,
        first_delay: float,
        max_delay: float,
    ) -> None:
        self._register = register
        self._exchanges = exchanges
        self._telemetry = telemetry
        self._clock = clock
        self._first_delay = first_delay
        self._max_delay = max_delay

    async def begin_doubt(self, live: LiveOrder, cause: str) -> None:
        """The answer proves nothing. The caller holds `live.lock`."""
        live.doubt_since_ns = self._clock.monotonic_ns()
        await self._register.move(live, _S.IN_DOUBT, reason=cause[:200])

    async def settle(self, live: LiveOrder) -> None:
        """Return when `live` is not in doubt any more."""
        delay = self._first_delay
        while live.uncertain:
            try:
                await self._round(live)
            except JournalUnavailable:
                log.warning("the journal is not writable; the look-up is repeated", extra={"order_id": live.order.id})
            # The operator may resolve it meanwhile.
            await _wait_at_most(live, delay)
            delay = min(delay * 2, self._max_delay)

    async def _round(self, live: LiveOrder) -> None:
        async with live.lock:
            if live.order.status is _S.SUBMITTED:  # its outcome could not be written: the disk was full, say
                await self.begin_doubt(live, "outcome not journaled")
        order = live.order
        with self._telemetry.span(c.SPAN_ORDER_RECONCILE, live.identity, parent=attributes.trace_of(order)) as span:
            outcome = await self._look_up(live, span)
            self._telemetry.add(c.ORDER_RECONCILIATIONS, exchange=order.exchange, outcome=outcome)
            span.set({c.ATTR_EXCHANGE_OUTCOME: outcome})
            live.tell(span)

    async def _look_up(self, live: LiveOrder, span: Span) -> str:
        order = live.order
        calls = self._exchanges[order.exchange]
        identity = live.identity
        await calls.slot(order.account, Priority.LOOK_UP, identity)
        asked_ns = self._clock.monotonic_ns()
        answer = await calls.look_up(reference(order), identity)
        if answer is None:
            return "unanswered"
        if isinstance(answer, Found) and await self._is_anothers(order, answer.report, calls):
            return "not_found"
        async with live.lock:
            if live.order.version != order.version:
                return "not_found"  # the operator was faster
            if isinstance(answer, Found):
                await self._register.apply(live, answer.report, span)
                return "found"
            assert live.doubt_since_ns is not None, "set when the doubt began"
            provable_at = absence_provable_at(live.doubt_since_ns, calls.exchange.rules)
            if provable_at is None or asked_ns < provable_at:
                return "not_found"
            # An exchange that calls the id used and knows no such order contradicts itself: sending more cannot help.
            used = live.order.reason == RejectReason.DUPLICATE_CLIENT_ORDER_ID
            rules, closes = calls.exchange.rules, closes_position(order)
            resend = may_resend_after_absence(rules, closes_position=closes) and not used
            await self._register.move(live, _S.ABSENT, reason=RESEND if resend else ABSENT, conclusive=not resend)
            return "absent"

    async def _is_anothers(self, order: Order, report: OrderReport, calls: ExchangeCalls) -> bool:
        """Whether what was found only looks like `order`, and is known as another order of ours.

        Where no id of ours is looked up, two orders that are alike cannot be told apart by anything else.
        """
        if calls.exchange.rules.looks_up_by_client_id:
            return False
        return await self._register.other_with(order, report.exchange_order_id) is not None


async def _wait_at_most(live: LiveOrder, seconds: float) -> None:
    """Until the order changes; not at all once it is known."""
    if not live.uncertain:
        return
    try:
        async with asyncio.timeout(seconds):
            await live.wait_change()
    except TimeoutError:
        pass


def closes_position(order: Order) -> bool:
    """Whether the order is reduce-only on a perpetual over the whole position."""
    is_swap = ":" in order.symbol
    return is_swap and order.reduce_only and order.sizing.method is SizingMethod.TARGET and order.sizing.value == 0


def reference(order: Order) -> OrderRef:
    """How to ask an exchange for this order."""
    return OrderRef(
        account=order.account,
        symbol=order.symbol,
        order_type=order.order_type,
        client_order_id=order.client_order_id,
        exchange_order_id=order.exchange_order_id,
        side=order.side,
        quantity=order.quantity,
        price=order.price,
        submitted_ns=order.submitted_ns,
    )
