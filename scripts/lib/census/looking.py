"""Finds orders again: waits for the end of each, then asks Jaeger until its trace is whole, or for so long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from scripts.lib.census.jaeger import Jaeger
from scripts.lib.census.judge import Order, lacks
from scripts.lib.census.orders import FINAL, Operator
from scripts.lib.census.spans import Trace

_WORKERS = 8
_PAUSE_S = 0.25
_SAMPLE_PAUSE_S = 0.1
_ENDS_WITHIN_S = 60.0


class Found(NamedTuple):
    """An order, what Jaeger has of it, and what that lacks."""

    order: Order
    traces: Sequence[Trace]
    lacking: Sequence[str]

    @property
    def spans(self) -> int:
        return sum(len(trace.spans) for trace in self.traces)


Tell = Callable[[Found], None]


async def look_for_all(
    order_ids: Iterable[str], operator: Operator, jaeger: Jaeger, *, within: float, tell: Tell
) -> None:
    """Each order once, told when its trace is whole, or as it is `within` seconds after this call."""
    until = time.monotonic() + within
    left = iter(order_ids)

    async def work() -> None:
        for order_id in left:
            tell(await _look_for(order_id, operator, jaeger, until))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_WORKERS):
            tasks.create_task(work())


async def _look_for(order_id: str, operator: Operator, jaeger: Jaeger, until: float) -> Found:
    order = await operator.ended(order_id, until - time.monotonic())
    while True:
        found = await _look(order, jaeger)
        if not found.lacking or time.monotonic() > until:
            return found
        await asyncio.sleep(_PAUSE_S)


async def _look(order: Order, jaeger: Jaeger) -> Found:
    traces = await jaeger.of_order(order["order_id"])
    never = [] if order["status"] in FINAL else [f"its end: it is {order['status']}"]
    return Found(order, traces, [*never, *lacks(order, traces)])


async def seconds_to_searchable(order_id: str, operator: Operator, jaeger: Jaeger, *, within: float) -> float | None:
    """From the end of the trace's last span until a search by order id gives all of it; None: not in time.

    Watched live, so that it is at most one look too long; a look takes milliseconds.
    """
    order = await operator.ended(order_id, _ENDS_WITHIN_S)
    until = time.monotonic() + within
    while time.monotonic() < until:
        found = await _look(order, jaeger)
        if not found.lacking:
            return max(0.0, time.time() - found.traces[0].end_us / 1e6)
        await asyncio.sleep(_SAMPLE_PAUSE_S)
    return None
