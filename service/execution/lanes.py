"""Lanes: orders of one account and symbol in turn, different lanes in parallel."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from service.execution.register import LiveOrder

log = logging.getLogger(__name__)

LaneKey = tuple[str, str]


class Lanes:
    """Runs `work` for each order, one at a time within a lane, in the order of their arrival.

    A lane exists while it has orders; it is held until `work` returns.
    """

    def __init__(self, work: Callable[[LiveOrder], Awaitable[None]]) -> None:
        self._work = work
        self._waiting: dict[LaneKey, deque[LiveOrder]] = {}
        self._tasks: dict[LaneKey, asyncio.Task[None]] = {}
        self._current: dict[LaneKey, LiveOrder] = {}
        self._stopping = False

    def put(self, live: LiveOrder) -> None:
        key = (live.order.account, live.order.symbol)
        lane = self._waiting.get(key)
        if lane is not None:
            lane.append(live)
            return
        self._waiting[key] = deque((live,))
        if not self._stopping:
            self._tasks[key] = asyncio.create_task(self._run(key))

    async def stop(self, within: float, *, on_the_wire: Callable[[LiveOrder], bool]) -> None:
        """Begin nothing more; what is on the wire gets `within` seconds, all else ends now and stays journaled."""
        self._stopping = True
        for key, task in list(self._tasks.items()):
            live = self._current.get(key)
            if live is None or not on_the_wire(live):
                task.cancel()
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=within)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: LaneKey) -> None:
        lane = self._waiting[key]
        try:
            while lane and not self._stopping:
                live = self._current[key] = lane.popleft()
                try:
                    await self._work(live)
                except Exception:  # one order's defect must not stop those behind it; the order stays journaled
                    log.exception("order execution failed", extra={"order_id": live.order.id})
        finally:
            self._current.pop(key, None)
            self._tasks.pop(key, None)
            if not lane:
                self._waiting.pop(key, None)
