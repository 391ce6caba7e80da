"""Alerts that cancel: the open orders of one source, account and symbol, with a tag only those that carry it."""

from __future__ import annotations

import asyncio
import logging

from service.core.orders import FINAL, Action, Order, OrderStatus
from service.execution import attributes
from service.execution.follower import Follower
from service.execution.register import LiveOrder, Register
from service.journal.protocol import JournalUnavailable
from telemetry import conventions as c
from telemetry.facade import Telemetry

log = logging.getLogger(__name__)

_RETRY_S = 0.5


class Cancels:
    """Works off each such alert at once: a cancel that waited behind an order in doubt would come too late."""

    def __init__(self, register: Register, follower: Follower, telemetry: Telemetry) -> None:
        self._register = register
        self._follower = follower
        self._telemetry = telemetry
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, live: LiveOrder) -> None:
        task = asyncio.create_task(self._run(live), name=f"cancel {live.order.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """What is not done yet is done at the next start: a cancel may be asked for twice."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, live: LiveOrder) -> None:
        while live.order.status not in FINAL:
            try:
                await self._cancel(live)
            except JournalUnavailable:
                log.warning("the journal is not writable, the cancel waits", extra={"order_id": live.order.id})
                await asyncio.sleep(_RETRY_S)

    async def _cancel(self, live: LiveOrder) -> None:
        order = live.order
        parent = attributes.trace_of(order)
        with self._telemetry.span(c.SPAN_ORDER_EXECUTE, live.identity, parent=parent) as span:
            meant = [
                other for other in self._register.of_symbol(order.account, order.symbol) if _is_meant(order, other)
            ]
            await asyncio.gather(*(self._follower.cancel(other) for other in meant))
            async with live.lock:
                if live.order.status is OrderStatus.RECEIVED:
                    detail = ", ".join(other.order.id for other in meant)
                    await self._register.move(
                        live,
                        OrderStatus.CANCELED,
                        reason="cancel_alert",
                        detail=f"{len(meant)} open: {detail}"[:500] if meant else "nothing was open",
                    )
            live.tell(span)


def _is_meant(alert: Order, other: LiveOrder) -> bool:
    """Orders that came in before the alert; a later one was not there to be meant."""
    order = other.order
    return (
        order.action is Action.PLACE
        and order.source == alert.source
        and order.received_ns <= alert.received_ns
        and order.status not in FINAL
        and (alert.tag is None or order.tag == alert.tag)
    )
